"""Several labels of one text: what a file may say, what is predicted, and what a constant answer scores."""

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.formats.multi_label import MultiLabel
from intertask.run import Run
from intertask.tasks.load import load_task
from intertask.tasks.schema import TaskEntry
from intertask.training import prepare, train
from intertask.training.record import save
from intertask.views.run_view import f1_by_label

ROWS = [{"text": "a", "kinds": ["x", "y"]}, {"text": "b", "kinds": ["y"]}, {"text": "c", "kinds": ["z"]}]
FILES = {"files": {"train": "train.jsonl", "validation": "dev.jsonl"}, "format": "multi_label", "label": "kinds"}
FILES_OF_TWO = {"train": "train.csv", "validation": "train.csv"}


def form(**fields) -> MultiLabel:
    own = {"mini": "goemotions", "inputs": ["text"], "label": "kinds", "labels": ["x", "y", "z"]} | fields
    return MultiLabel(TaskEntry(name="t", format="multi_label", **own))


def table(labels, predictions) -> pd.DataFrame:
    return pd.DataFrame({"label": labels, "prediction": predictions})


@pytest.fixture
def loaded(own_task):
    def load(rows=None, **fields):
        contents = {"train.jsonl": rows or ROWS, "dev.jsonl": ROWS}
        return load_task("reviews", own_task(contents, **FILES | fields))

    return load


def test_labels_are_lists_of_names_or_ids_in_any_order(loaded):
    task = loaded()
    assert task.entry.labels == ["x", "y", "z"] and task.splits["train"]["label"].tolist() == [[0, 1], [1], [2]]
    ids = loaded([{"text": "a", "kinds": [2, 0]}, {"text": "b", "kinds": [1]}], labels=["x", "y", "z"])
    assert ids.splits["train"]["label"].tolist() == [[0, 2], [1]]
    numbers = [{"text": "a", "kinds": ["10", 9]}, {"text": "b", "kinds": [10]}]
    same = {"files": {"train": "train.jsonl", "validation": "train.jsonl"}}
    own = loaded(numbers, **same)
    assert own.entry.labels == ["9", "10"] and own.splits["train"]["label"].tolist() == [[0, 1], [1]]
    signs = [{"text": "a", "kinds": ["①", "²"]}, {"text": "b", "kinds": ["①"]}]  # digits, and no numbers
    assert loaded(signs, **same).entry.labels == ["²", "①"]


def test_a_csv_holds_them_with_a_separator(own_task):
    contents = {"train.csv": "text,kinds\na,x; y\nb,y\n", "dev.csv": "text,kinds\na,y;\n"}
    fields = {"format": "multi_label", "label": "kinds", "separator": ";"}
    splits = load_task("reviews", own_task(contents, **fields)).splits
    assert [splits[split]["label"].tolist() for split in splits] == [[[0, 1], [1]], [[1]]]


@pytest.mark.parametrize(
    "rows, fields, remedy",
    [
        ("a,x|y\nb,y\n", {"labels": ["x", "y"]}, 'Say `separator: "|"`'),
        ("a,x y\nb,y\n", {"labels": ["x", "y"]}, 'Say `separator: " "`'),
        ("a,x/y\nb,y / z\nc,z\n", {}, 'Say `separator: "/"`'),  # dev's x/z: each name is in train, with others
        ("a,q|y\nb,y\n", {"labels": ["x", "y"]}, "one of x, y, found 'q|y'"),
        ("a,x|y\nb,y\n", {"separator": ""}, 'as in `separator: "|"`'),
    ],
)
def test_a_separator_that_would_fit_is_named(own_task, refused, rows, fields, remedy):
    contents = {"train.csv": f"text,kinds\n{rows}", "dev.csv": "text,kinds\na,x/z\nb,y\n"}
    fields = {"format": "multi_label", "label": "kinds", "separator": ";"} | fields
    refused(lambda: load_task("reviews", own_task(contents, **fields)), "label column 'kinds'", remedy)


@pytest.mark.parametrize(
    "row, fields, parts",
    [
        ({"kinds": ["q"]}, {"labels": ["x", "y", "z"]}, ["one of x, y, z", "'q'"]),
        ({"kinds": []}, {}, ["a label or several", "found none", "allow_empty: true"]),
        ({"kinds": None}, {}, ["a label or several", "found none"]),
        ({"kinds": "x, y"}, {}, ["a list of labels", "'x, y'", 'separator: ","']),
        ({"kinds": [0, 1, 0]}, {}, ["each label once", "['0', '1', '0']", "not a 0 or 1 for every label"]),
        ({"kinds": ["x", None]}, {}, ["a label in every row", "null"]),
        ({"kinds": [["x"]]}, {}, ["a name or a number", "(list)"]),
    ],
)
def test_a_bad_row_is_refused_with_its_place(loaded, refused, row, fields, parts):
    refused(lambda: loaded([*ROWS, {"text": "d"} | row], **fields), "train.jsonl, row 4", "'kinds'", *parts)


SIGNS = {"label": ["x", "y"], "files": {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}}


def signs(own_task, test="text,x,y\na,-1,-1\nb,-1,-1\n", train="text,x,y\na,1,0\nb,0,0\nc,1.0,TRUE\n", **fields):
    contents = {"train.csv": train, "dev.csv": "text,y,x\na,false,1\n", "test.csv": test}
    return own_task(contents, **{"format": "multi_label"} | SIGNS | fields)


def test_columns_of_0_and_1_are_labels_of_their_names(own_task):
    task = load_task("reviews", signs(own_task))
    assert task.entry.labels == ["x", "y"] and task.splits["train"]["label"].tolist() == [[0], [], [0, 1]]
    assert task.splits["validation"]["label"].tolist() == [[0]] and "label" not in task.splits["test"]
    zeros = load_task("reviews", signs(own_task, "text,x,y\na,0,0\n"))
    assert zeros.splits["test"]["label"].tolist() == [[]]
    for hidden in ("text\na\n", "text,y,x\na,,\n"):
        assert "label" not in load_task("reviews", signs(own_task, hidden)).splits["test"]
    years = signs(own_task, "text\na\n", "text,x,2020\na,1,0\nb,0,1\n", label=["2020", "x"], files=FILES_OF_TWO)
    assert load_task("reviews", years).splits["train"]["label"].tolist() == [[1], [0]]


@pytest.mark.parametrize(
    "train, test, fields, parts",
    [
        ("text,x,y\na,1,0\nb,0,2\n", "", {}, ["train.csv, row 2, label column 'y'", "0 or 1", "found '2'"]),
        ("text,x,y\na,1,0\nb,,1\n", "", {}, ["train.csv, row 2, label column 'x'", "0 or 1", "found ''"]),
        ("text,x,y\na,1,0\nb,-1,-1\n", "", {}, ["row 2, label column 'x, y'", "found -1", "Fill or drop the row."]),
        ("text,x,y\na,1,0\nb,0,1\n", "text,x\na,1\n", {}, ["test.csv", "one column 'y'", "0 among ['text', 'x']"]),
        ("text,x\na,1\n", "", {}, ["train.csv", "one column 'y'", "found 0"]),
        ("text,x,y,z\na,1,0,1\n", "", {}, ["only columns that the entry of 'reviews' names", "'z'"]),
        ("text,x,y\na,0,0\nb,0,0\n", "", {}, ["at least two different labels in train", "only 'none'"]),
        ("", "", {"labels": ["x", "y"]}, ["no labels beside label columns"]),
        ("", "", {"separator": ","}, ["no separator beside label columns"]),
        ("", "", {"allow_empty": True}, ["no allow_empty beside label columns"]),
        ("", "", {"format": "classification"}, ["one label column for classification", "['x', 'y']"]),
        ("", "", {"label": ["x"]}, ["labels, two or more", "['x']"]),
        ("", "", {"label": ["x", "x"]}, ["each column in one role", "'x' twice"]),
        ("", "", {"label": ["x", "text"]}, ["each column in one role", "'text' twice"]),
        ("", "", {"label": ["x", 1]}, ["key 'label.1'", "a valid string", "found 1"]),
        ("", "", {"label": ["x", "y.z"]}, ["in a column of its own", "'x, y.z'"]),
        ("", "", {"threshold": {"z": 0.4}}, ["threshold", "labels of the task", "'z'"]),
    ],
)  # fmt: skip
def test_columns_that_are_none_of_labels_are_refused(own_task, refused, train, test, fields, parts):
    given = {key: text for key, text in {"train": train, "test": test}.items() if text}
    refused(lambda: load_task("reviews", signs(own_task, **given, **fields)), *parts)


def test_thresholds_of_labels_that_are_not_there_and_labels_that_never_vary(loaded, refused):
    refused(lambda: loaded(threshold={"xx": 0.3}), "Task 'reviews', threshold", "'xx'", "Did you mean 'x'?")
    refused(lambda: loaded(threshold=1.5), "threshold", "less than 1")
    refused(lambda: loaded([ROWS[0], ROWS[0]]), "at least two different labels", "only 'x, y'")


def test_an_example_may_have_no_label_where_the_task_says_so(loaded):
    task = loaded([*ROWS, {"text": "d", "kinds": []}, {"text": "e", "kinds": None}], allow_empty=True)
    assert task.splits["train"]["label"].tolist() == [[0, 1], [1], [2], [], []]
    balance = task.form.balance(task.splits["train"], range(3))
    assert balance == {"labels each": "0.80", "% x": "20.0", "% y": "40.0", "% z": "20.0"}


def test_each_label_is_predicted_from_its_own_threshold_on():
    shares = np.array([[0.5, 0.31, 0.9], [0.49, 0.29, 0.1]])
    logits = np.log(shares / (1 - shares))
    assert form().predict(logits) == [[0, 2], []]
    assert form(threshold={"y": 0.3}).predict(logits) == [[0, 1, 2], []]
    assert form(threshold=0.25).predict(logits) == [[0, 1, 2], [0, 1]]
    assert form().probabilities(logits) == pytest.approx(shares)


def test_the_loss_is_the_mean_over_all_decisions():
    logits = torch.log(torch.tensor([[1.0, 3.0]]))  # probabilities 1/2 and 3/4
    loss = form(labels=["x", "y"]).loss(logits, {"labels": torch.tensor([[1.0, 0.0]])})
    assert loss.item() == pytest.approx(-(np.log(1 / 2) + np.log(1 / 4)) / 2)


def test_the_floor_is_the_best_answer_for_all():
    # y alone: 2 x 3 / (4 + 6); x and y: 2 x 5 / (8 + 6); all three: 2 x 6 / (12 + 6)
    labels = [[0, 1], [0, 1], [1], [2]]
    assert form().majority(pd.Series(labels)).tolist() == [[0, 1]] * 4
    assert form().floor(table(labels, labels))["f1_micro"] == pytest.approx(100 * 10 / 14)
    assert form(metrics=["accuracy"]).floor(table(labels, labels))["main"] == 50
    empty = form(metrics=["f1_samples"], allow_empty=True)
    assert empty.floor(table([[], [], [], [1]], [[]] * 4))["main"] == 75


def test_an_error_is_how_far_the_worst_decision_is_from_its_threshold():
    rows = table([[0], [0, 1], []], [[0], [0], [1]]).assign(logits=[np.array([1.0, -1.0, -2.0])] * 3)
    assert form().error(rows).tolist() == [0, 1, 1]
    shifted = form(threshold={"y": 1 / (1 + np.e**3)})  # a logit of -3
    assert shifted.error(rows) == pytest.approx([0, 2, 2], abs=1e-6)
    assert f1_by_label(rows, ["x", "y", "z"])["label"].tolist() == ["x", "y"]


def test_it_trains_beside_a_classification_and_before_one(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    few = {"limit": 24, "max_steps": 3, "max_length": 32, "learning_rate": 1e-3, "per_device_train_batch_size": 8}
    beside = [{"task": "mini/rte", "limit": 24}]
    run = Run(task="mini/goemotions", alongside=beside, batch_schedule="heterogeneous", keep_encoder=True, **few)
    result = train(run, prepare(run), "mini/bert")
    assert {name: len(one.scores["validation"]) for name, one in result.tasks.items()} == {
        "mini/goemotions": 3,
        "mini/rte": 2,
    }
    after = Run(task="mini/rte", parent=run.id(), **few)
    assert train(after, prepare(after), save(result, run) / "encoder").main.scores["validation"]["accuracy"] > 0


def test_the_mini_task_is_learned_above_its_floor():
    run = Run(task="mini/goemotions", num_train_epochs=2, max_length=32, learning_rate=1e-3, limit=1500)
    outcome = train(run, prepare(run), "mini/bert").main
    assert not outcome.degenerate and outcome.scores["validation"]["main"] > outcome.majority["validation"]["main"] + 10
