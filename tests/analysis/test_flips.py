"""Which examples flip: counted by hand on four rows of a task of the mini suite."""

import pytest

from intertask.analysis import cells
from intertask.analysis.flips import flips
from intertask.analysis.read import read_runs
from intertask.errors import IntertaskError
from intertask.tasks.load import load_task
from made_store import make_store, write_predictions

LABELS = [0, 1, 0, 1]
BEFORE, AFTER = [1, 1, 0, 1], [0, 1, 0, 0]


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))


def made(folder, target="mini/rte", seeds=3, but=()):
    """A cell's runs and restarts, with predictions: of the first seed alone as before."""
    make_store(folder, lambda *_: 60.0, targets=[target], supporting=["mini/mnli"], seeds=seeds)
    runs = read_runs("demo", folder)
    pairs = cells.restart_pairs(runs, "stilts - single")
    for row in pairs.itertuples():
        for run, said in ((row.before_run, BEFORE), (row.after_run, BEFORE if row.seed == 0 else AFTER)):
            if run not in but:
                write_predictions(folder, run, "validation", LABELS, said)
    return runs, pairs


def test_examples_flip_where_most_restarts_turn(tmp_path):
    found = flips(*made(tmp_path))
    assert found[["change", "before", "after"]].to_numpy().tolist() == [
        ["right after", "0 of 3", "2 of 3"],
        ["wrong after", "3 of 3", "1 of 3"],
    ]
    task = load_task("mini/rte")
    texts = task.splits["validation"].iloc[[0, 3]]
    assert found["sentence1"].tolist() == texts["sentence1"].tolist()
    assert found["label"].tolist() == [task.entry.labels[0], task.entry.labels[1]]


def test_half_of_the_restarts_are_not_most(tmp_path):
    found = flips(*made(tmp_path, seeds=2))
    assert found["change"].tolist() == ["wrong after"]


def test_a_number_is_neither_right_nor_wrong(tmp_path):
    with pytest.raises(IntertaskError, match="asks for a number"):
        flips(*made(tmp_path, "mini/stsb"))


def test_predictions_that_are_not_at_hand_are_said(tmp_path):
    runs, pairs = made(tmp_path, but=made(tmp_path / "first")[1]["after_run"].tolist()[:1])
    with pytest.raises(IntertaskError, match="found those of 5 of 6 runs"):
        flips(runs, pairs)
