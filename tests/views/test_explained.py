"""In what a run differs from the nearest finished one."""

import pytest

from intertask.files import results_root
from intertask.run import Run
from intertask.studies.graph import Graph, Row
from intertask.studies.study import Study
from intertask.views.explained import explained
from made_store import write_failure, write_run


def graph_of(*runs: Run) -> Graph:
    study = Study(title="A", encoders=["mini/bert"], targets=["mini/rte"], regimes=["single"], seeds=1)
    rows = [Row(run.id(), "target", "mini/bert", run.task, seed=run.seed, parents=run.parents) for run in runs]
    return Graph("made", study, rows, {run.id(): run for run in runs})


def finish(run: Run, **identity) -> str:
    write_run(results_root(), run.id(), run.task, run.seed, 60.0, identity=run.identity() | identity)
    return run.id()


def of(run: Run, *others: Run) -> list[str]:
    graph = graph_of(run, *others)
    return explained(run.id(), "made", graph.snapshot()["runs"], graph).splitlines()


def test_the_fields_are_named_in_words():
    wanted = Run(task="mini/rte", learning_rate=2e-5)
    other = Run(task="mini/rte", learning_rate=3e-5, seed=4)
    finish(Run(task="mini/rte", learning_rate=3e-5, seed=9, num_train_epochs=7))  # farther
    near = finish(other)
    assert of(wanted) == [
        f"{wanted.id()}: not run yet",
        f"The nearest of 2 finished runs of its tasks and encoder is {near}. They differ in",
        "  seed: 0 here, 4 there",
        "  learning_rate: 2.0e-05 here, 3.0e-05 there",
    ]


def test_values_are_written_as_in_a_params_file():
    other = Run(
        task="mini/rte", num_train_epochs=2, limit=80, both_orders=True, evaluate_on=["mini/wnli"], lora_alpha=2.5
    )
    near = finish(other)
    assert of(Run(task="mini/rte"))[1:] == [
        f"The one finished run of its tasks and encoder is {near}. They differ in",
        "  limit: null here, 80 there",
        "  evaluate_on: [] here, [mini/wnli] there",
        "  lora_alpha: 16 here, 2.5 there",
        "  both_orders: false here, true there",
        "  num_train_epochs: 3 here, 2 there",
    ]


def test_a_run_that_started_from_another_has_no_encoder_of_its_own():
    parent = Run(task="mini/mnli", encoder="mini/gpt")
    finish(Run(task="mini/rte", encoder="mini/gpt"))
    wanted = Run(task="mini/rte", encoder="mini/gpt", parent=parent.id())
    assert of(wanted)[2:] == [f"  parent: {parent.id()} here, null there"]


def test_data_code_and_libraries_are_named():
    wanted = Run(task="mini/rte")
    identity = wanted.identity()
    entry, _ = identity["data"]["mini/rte"]
    changed = {"data": {"mini/rte": [entry, "0" * 16]}, "edited_code": "abc"}
    changed["computed_by"] = identity["computed_by"] | {"torch": "1.0"}
    finish(Run(task="mini/rte", seed=1), **changed)
    torch = identity["computed_by"]["torch"]
    code = identity.get("edited_code", "none")
    assert set(of(wanted)[2:]) - {"  seed: 0 here, 1 there"} == {
        "  data of mini/rte: other rows",
        f"  computed by torch: {torch} here, 1.0 there",
        f"  edited code: {code} here, abc there",
    }


def test_parents_are_followed_to_the_first_cause():
    mine, theirs = Run(task="mini/mnli", seed=1), Run(task="mini/mnli", seed=1, max_length=64)
    wanted = Run(task="mini/rte", parent=mine.id())
    finish(theirs)
    finish(Run(task="mini/rte", parent=theirs.id()))
    assert of(wanted, mine)[2:] == [
        f"  parent: {mine.id()} here, {theirs.id()} there, which differ in",
        "    max_length: 128 here, 64 there",
    ]


def test_what_became_of_a_run_is_said_first():
    wanted, failed = Run(task="mini/rte"), Run(task="mini/cola")
    finish(wanted)
    write_failure(results_root(), failed.id(), "no luck")
    assert of(wanted) == [f"{wanted.id()}: finished 2026-01-02T03:04:00+00:00; it is not made again"]
    assert of(failed)[0].endswith("failed: cell 4: no luck")
    assert of(failed)[1] == "No other run of its tasks and encoder is finished."


def test_what_is_not_at_hand_is_said():
    wanted = Run(task="mini/rte")
    index = graph_of(wanted).snapshot()["runs"]
    found = explained(wanted.id()[:-3], "made", index, None, "no data")
    assert found.splitlines()[1] == "What it would be here and now cannot be told: no data"


def test_the_run_that_a_changed_study_has_in_its_place_is_explained():
    before, now = Run(task="mini/rte"), Run(task="mini/rte", max_length=64)
    finish(before)
    lines = explained(before.id(), "made", graph_of(before).snapshot()["runs"], graph_of(now)).splitlines()
    assert "it is not made again" in lines[0] and f"in its place, {now.id()}: not run yet" in lines[1]
    assert lines[3:] == ["  max_length: 64 here, 128 there"]


def test_a_run_of_no_study_is_refused(refused):
    graph = graph_of(Run(task="mini/rte"))
    refused(lambda: explained("x", "made", [], graph), "There is no run 'x' among the 1 in made")


@pytest.fixture(autouse=True)
def pool():
    (results_root() / "runs").mkdir(parents=True)
