"""What a study comes to, in words: every number of these sentences is worked out by hand."""

import pandas as pd
import pytest

from intertask.analysis.answer import answer
from intertask.analysis.read import read_runs
from made_store import SHUFFLED, make_store, write_index

CONTROL = f"mini/mnli{SHUFFLED}"


def told(results, score, **store):
    make_store(results, score, **store)
    return answer(read_runs("demo", results))


def scores(target, supporting, seed):
    """On rte the supporting task gains 10, 11 and 12 points, on cola, and the control, nothing clear."""
    if target == "mini/rte" and supporting == "mini/mnli":
        return 70.0 + seed
    return 60.0 + (0 if supporting is None else (1, -2, 1.5)[seed])


def test_the_first_words_say_what_is_clear_by_how_much_and_how_surely(tmp_path):
    said = told(tmp_path, scores, seeds=3)
    # differences 10, 11, 12: mean 11, sd 1, t(2) = 4.303: 11 ± 2.48; t = 19.05, p = 0.00274, Holm of 4 tests: 0.011
    # 1, -2, 1.5: mean 0.17, sd 1.89, of cola and of both cells of the control
    assert said.first == (
        "Of 2 pairs of a supporting task and a target: clear gains 1, clear losses 0 (p < 0.05 after Holm's correction "
        "over 4 tests), left open 1, +0.2 points."
    )
    assert said.tasks == [
        # means 11 and 0.17 over two targets: 5.58, sd 7.66, t(1) = 12.71: ± 68.8
        "mini/mnli: on average over 2 of 2 targets +5.6 points [-63.2, +74.4]; "
        "clear gains on mini/rte +11.0 [+8.5, +13.5] (n = 3, p = 0.011)."
    ]
    assert "With shuffled labels, 0 of 2 cells have an interval wholly above zero" in said.limits[0]
    # of rte, pooled over the task and the control; of cola, both the same
    assert said.limits[1].startswith("What may be missed: more than 20% of studies ")
    assert said.limits[1].endswith("What is left open is not shown to be zero.")


def test_a_loss_is_a_finding_and_names_its_degenerate_runs(tmp_path):
    said = told(tmp_path, lambda *_: 60.0 if _[1] is None else 48.0 + _[2], targets=("mini/rte",), seeds=4)
    # -12, -11, -10, -9: mean -10.5, sd 1.29, t(3) = 3.182: ± 2.05; 48, 49 and 50 do not beat the majority of 50;
    # t = -16.27, p = 0.000505, times two tests
    assert "clear gains 0, clear losses 1 (p < 0.05 after Holm's correction over 2 tests), left open 0." in said.first
    assert said.tasks == [
        "mini/mnli: on average over 1 of 1 target -10.5 points, without an interval; "
        "clear losses on mini/rte -10.5 [-12.6, -8.4] (n = 4, 3 of them degenerate, p = 0.001)."
    ]


def test_one_seed_tells_no_more_than_where_the_differences_lie(tmp_path):
    said = told(tmp_path, lambda target, task, _: 60.0 + 5 * (task == "mini/mnli") * (target == "mini/rte"), seeds=1)
    assert said.first == (
        "Whether a supporting task helps cannot be said: of 2 pairs of a supporting task and a target none can be "
        "tested: needs two seeds or more (2). Without a test: 2 differences, 1 above zero, from 0.0 to +5.0 points."
    )
    assert "clear" not in said.tasks[0]
    assert "What could not have been seen cannot be told without two pairs that differ" in said.limits[1]


def test_nothing_done_is_nothing_said_and_missing_runs_are_told(tmp_path):
    said = told(tmp_path, lambda *_: None, seeds=2)
    assert said.tasks == [] and "of 2 pairs of a supporting task and a target none can be tested" in said.first
    assert "In 4 of 4 pairs runs are missing; they count nowhere, and never as zero." in said.limits


def test_equal_differences_are_not_called_clear(tmp_path):
    said = told(tmp_path, lambda _, task, seed: 60.0 + seed + 3 * bool(task), seeds=3)
    assert "none can be tested: all differences are equal (2)" in said.first and "clear" not in said.tasks[0]


@pytest.mark.parametrize("regime", ["single", "mtl"])
def test_without_a_stop_on_a_supporting_task_the_regimes_are_named(tmp_path, regime):
    run = {"stage": "target", "regime": regime, "target": "mini/rte", "task": "mini/rte", "run": "r", "seed": 0}
    empty = dict.fromkeys(["part", "mixing", "supporting", "limit", "supporting_limit", "supporting_run"])
    write_index(tmp_path, "demo", [empty | run | {"supporting_seed": None, "encoder": "mini/bert"}])
    said = answer(read_runs("demo", tmp_path))
    assert said.first.endswith(f"Regimes of this study: {regime}.") and not said.tasks and not said.limits


def test_a_study_of_the_control_alone_names_what_it_lacks(tmp_path):
    said = told(tmp_path, scores, supporting=(CONTROL,), seeds=3)
    assert said.first == "The study has no supporting task with true labels." and "shuffled" in said.limits[0]


def test_runs_that_no_mean_may_mix_are_named_and_nothing_else_is_said(tmp_path):
    make_store(tmp_path, scores, seeds=2)
    runs = read_runs("demo", tmp_path)
    again = runs[runs["stage"] == "target"].assign(run=lambda own: own["run"] + "x")
    said = answer(pd.concat([runs, again], ignore_index=True))
    assert said.first.startswith("No finding can be said in words. Two different") and not said.tasks
