import math

import pandas as pd
import pytest

from intertask.analysis.read import read_runs
from intertask.analysis.transfer import (
    control_in_words,
    degenerate_in_words,
    deltas,
    restart_summary,
    restarts_in_words,
    target_runs,
    transfer_table,
)
from intertask.errors import IntertaskError
from made_store import make_store

SHUFFLED = "mini/mnli[shuffle_labels=true]"


def scores(target, supporting, seed):
    """Gains of 1..5 with mini/mnli on rte; -1, 0, 1, 0, 0 with shuffled labels; on cola always 2 and one run lost."""
    if supporting is None:
        return 60.0 + 2 * seed
    if target == "mini/cola":
        return None if seed == 4 else 62.0 + 2 * seed
    return 60.0 + 2 * seed + ((-1, 0, 1, 0, 0)[seed] if supporting == SHUFFLED else seed + 1)


@pytest.fixture
def runs(tmp_path):
    make_store(tmp_path, scores)
    return read_runs("demo", tmp_path)


def cell(table, supporting, target):
    return table[(table["supporting"] == supporting) & (table["target"] == target)].iloc[0]


def test_deltas_pair_by_seed_and_keep_missing_missing(runs):
    paired = deltas(runs)
    assert len(paired) == 2 * 2 * 5
    rte = paired[(paired["supporting"] == "mini/mnli") & (paired["target"] == "mini/rte")]
    assert rte["delta"].tolist() == [1, 2, 3, 4, 5] and rte["baseline"].tolist() == [60, 62, 64, 66, 68]
    assert paired.loc[paired["target"] == "mini/cola", "delta"].isna().sum() == 2


def test_deltas_pair_within_a_data_limit(runs):
    limited = runs.assign(limit=pd.array([100] * len(runs), dtype="Int64"), score=runs["score"] + 7)
    limited.loc[limited["regime"] == "stilts", "score"] += 10
    paired = deltas(pd.concat([runs, limited]))
    assert paired.loc[paired["limit"].isna() & (paired["target"] == "mini/rte"), "delta"].max() == 5
    assert paired.loc[(paired["limit"] == 100) & (paired["target"] == "mini/rte"), "delta"].max() == 15


def test_transfer_table_by_hand(runs):
    table = transfer_table(runs)
    assert table[["target", "supporting"]].values.tolist() == [
        ["mini/rte", "mini/mnli"], ["mini/rte", SHUFFLED], ["mini/cola", "mini/mnli"], ["mini/cola", SHUFFLED],
    ]  # fmt: skip
    gain, control = cell(table, "mini/mnli", "mini/rte"), cell(table, SHUFFLED, "mini/rte")
    lost = cell(table, "mini/mnli", "mini/cola")
    assert gain["single"] == 64 and gain["stilts"] == 67 and gain["delta"] == 3 and gain["n"] == 5
    assert control["delta"] == 0 and control["p"] == pytest.approx(1) and control["control"] and not gain["control"]
    assert lost["n"] == 4 and lost["n_expected"] == 5 and lost["delta"] == 2 and math.isnan(lost["low"])
    assert lost["single"] == 63 and "equal" in lost["note"]
    assert not table["pseudo_replicates"].any()
    # Holm over the two cells that have a p: the smaller times 2, the larger times 1.
    assert gain["family"] == 2 and gain["p_holm"] == pytest.approx(2 * gain["p"])
    assert control["p_holm"] == pytest.approx(1)
    assert math.isnan(lost["p_holm"])


def test_seeds_with_a_run_that_learned_nothing_are_counted(runs):
    assert degenerate_in_words(transfer_table(runs)).rstrip(".") == "No run behind these cells is degenerate"
    rte, alone = runs["target"] == "mini/rte", runs["regime"] == "single"
    runs["degenerate"] = rte & alone & (runs["seed"] < 2)  # of both rte cells, seeds 0 and 1
    runs["constant_predictions"] = rte & (runs["supporting"] == SHUFFLED) & (runs["seed"] >= 1)
    runs = runs.astype({"degenerate": "boolean", "constant_predictions": "boolean"})
    table = transfer_table(runs)
    assert table["degenerate"].tolist() == [2, 5, 0, 0] and deltas(runs)["degenerate"].sum() == 7
    words = degenerate_in_words(table)
    assert "In 2 of 4 cells (°)" in words
    assert f"Every seed has one in 1, which say nothing of transfer: {SHUFFLED}" in words
    unknown = transfer_table(runs.assign(degenerate=runs["degenerate"].mask(rte & alone & (runs["seed"] == 4))))
    # the fifth seed of the control counts anyway
    assert unknown["degenerate"].isna().tolist() == [True, False, False, False]
    assert "For 1 of 4 cells it is not known" in degenerate_in_words(unknown)
    assert degenerate_in_words(transfer_table(runs[~alone])) == "No cell has a pair of runs."


def test_holm_by_hand(tmp_path):
    gains = {"a": (1, 2, 3), "b": (1, 2, 6), "c": (-1, 0, 2)}
    make_store(
        tmp_path, lambda target, task, seed: 50.0 + (gains[target][seed] if task else 0),
        targets=("a", "b", "c"), supporting=("s",), seeds=3,
    )  # fmt: skip
    table = transfer_table(read_runs("demo", tmp_path)).set_index("target")
    p = table["p"]
    assert p.is_monotonic_increasing
    expected = [3 * p["a"], max(3 * p["a"], 2 * p["b"]), max(3 * p["a"], 2 * p["b"], p["c"])]
    assert table["p_holm"].tolist() == pytest.approx([min(1, value) for value in expected])


def test_one_supporting_model_for_all_restarts_is_flagged(tmp_path):
    make_store(tmp_path, scores, one_intermediate=True)
    assert transfer_table(read_runs("demo", tmp_path))["pseudo_replicates"].all()


def test_a_run_that_serves_two_parts_is_one_seed(runs):
    twice = pd.concat([runs.assign(part="A"), runs.assign(part="B")])
    assert transfer_table(twice).equals(transfer_table(runs))
    assert deltas(twice)["run"].is_unique
    assert restart_summary(twice).equals(restart_summary(runs))


def test_parts_with_different_settings_are_refused_in_words(runs):
    other = runs.assign(part="B", run=runs["run"] + "-lr1e-3")
    with pytest.raises(IntertaskError, match="Two different single runs of mini/rte with seed 0 would count as one"):
        deltas(pd.concat([runs.assign(part="A"), other]))


def test_only_runs_that_were_trained_for_their_place_count(runs):
    stands_in = runs[runs["regime"] == "single"].assign(regime="stilts", supporting="mini/rte", substituted=True)
    both = pd.concat([runs, stands_in])
    assert target_runs(both, "stilts")["run"].tolist() == runs.loc[runs["regime"] == "stilts", "run"].tolist()
    assert len(target_runs(both)) == 2 * 3 * 5 and target_runs(both, "mtl").empty


def test_a_study_without_transfer_is_refused(runs):
    with pytest.raises(IntertaskError, match="take this notebook out of the study's report"):
        transfer_table(runs[runs["regime"] != "stilts"])


def test_nothing_done_yet_gives_an_empty_handed_table(tmp_path):
    make_store(tmp_path, lambda *_: None)
    table = transfer_table(read_runs("demo", tmp_path))
    assert (table["n"] == 0).all() and table["delta"].isna().all() and (table["family"] == 0).all()
    assert "Nothing can be said" in control_in_words(table)


def test_restart_summary_by_hand(tmp_path):
    single = (40.0, 50.0, 60.0, 70.0, 80.0)
    make_store(
        tmp_path, lambda target, task, seed: single[seed] if task is None else "NaN loss", targets=("x",),
        supporting=("s",),
    )  # fmt: skip
    alone, lost = (row for _, row in restart_summary(read_runs("demo", tmp_path)).iterrows())
    assert alone[["n", "n_expected", "mean", "min", "median", "max", "majority", "degenerate"]].tolist() == [
        5, 5, 60, 40, 60, 80, 50, 2,
    ]  # fmt: skip
    assert alone["sd"] == pytest.approx(math.sqrt(250))
    assert lost["n"] == 0 and lost["n_expected"] == 5 and math.isnan(lost["mean"]) and lost["degenerate"] == 0


def test_restarts_in_words(tmp_path):
    spread = {None: (40.0, 60.0, 80.0), "mini/mnli": (58.0, 60.0, 62.0), SHUFFLED: (0.0, 50.0, 100.0)}
    make_store(tmp_path, lambda target, task, seed: spread[task][seed], seeds=3, targets=("x",))
    words = restarts_in_words(restart_summary(read_runs("demo", tmp_path)))
    assert "1 of 3 alone, 0 of 3 after a supporting task" in words and "in 1 of 1 pair." in words
    summary = pd.DataFrame({"target": "x", "encoder": "e", "limit": pd.NA, "supporting": [None, "s"], "n": 3})
    alike = summary.assign(control=False, degenerate=3, sd=[7e-15, 0.0])  # all at the majority, but for rounding
    assert "in 0 of 1 pair." in restarts_in_words(alike)


def test_degenerate_is_counted_where_it_is_known_of_all(runs):
    alone = runs["supporting"].isna()
    printed = runs.assign(degenerate=(runs["seed"] == 0).astype("boolean").mask(~alone))
    assert "Degenerate runs: 2 of 10 alone, 0 of 0 after" in restarts_in_words(restart_summary(printed))
    partly = printed.assign(
        degenerate=printed["degenerate"].mask((printed["seed"] == 1) & (runs["target"] == "mini/rte"))
    )
    summary = restart_summary(partly)
    assert summary["degenerate"].isna().tolist() == [True, True, True, False, True, True]
    words = restarts_in_words(summary)
    assert "1 of 5 alone, 0 of 0 after a supporting task, and of 14 more runs it is not known." in words


def test_restarts_of_a_study_without_them(runs):
    assert "no runs of the regimes" in restarts_in_words(restart_summary(runs.assign(regime="mtl")))


def test_control_in_words(runs, tmp_path):
    words = control_in_words(transfer_table(runs))
    assert "0 of 2 cells have an interval wholly above zero" in words and "1 have no interval" in words
    assert "no clear gain" in words
    make_store(tmp_path / "gain", lambda target, task, seed: 50.0 + (seed + 5 if task else 0))
    words = control_in_words(transfer_table(read_runs("demo", tmp_path / "gain")))
    assert "2 of 2 cells" in words and "not due to the labels alone" in words
    assert "no control" in control_in_words(transfer_table(runs[runs["supporting"] != SHUFFLED]))


@pytest.mark.parametrize(
    "single, note",
    [
        ("", "no run of single to compare with"),
        ("b,,rte,,60\n", "single has no seeds to pair by"),
        ("b,,rte,3,60\n", "single has no seed in common"),
        ("b,,rte,1,60\n", "needs two seeds or more"),
    ],
)
def test_a_cell_says_why_it_has_nothing_to_compare_with(tmp_path, single, note):
    rows = f"encoder,supporting,target,seed,score\n{single}b,mnli,rte,1,64\nb,mnli,rte,2,66\n"
    (tmp_path / "t.csv").write_text(rows)
    assert transfer_table(read_runs("t", tmp_path))["note"].tolist() == [note]
