"""What is shown of a task: shares, marked spans, tagged words, listed choices, lengths, all counted by hand."""

import pandas as pd
import pytest

from intertask.tasks.load import load_task
from intertask.views.overview import LONGEST, MOST_LABELS, examples, lengths, shortened, shown_texts, splits

FILES = {"train": "t.jsonl", "validation": "t.jsonl"}
SPANS = {"format": "span_classification", "inputs": ["text"], "metrics": None}


@pytest.fixture
def loaded(own_task):
    """A task whose train and validation are the same records."""
    return lambda records, **entry: load_task("reviews", own_task({"t.jsonl": records}, files=FILES, **entry))


def test_shares_of_labels_and_what_an_unlabelled_split_lacks(own_task):
    files = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}
    table = splits(load_task("reviews", own_task({"test.csv": "text\na\nb\n"}, files=files)))
    assert table.loc["train"].tolist() == [4, "25.0", "25.0", "50.0"]
    assert table.loc["test"].tolist() == [2, "–", "–", "–"]
    assert list(table.columns) == ["examples", "% 1", "% 3", "% 5"]


def test_many_labels_are_shown_by_frequency_in_train_and_the_rest_together(loaded):
    words = [f"w{i}" for i in range(MOST_LABELS + 2)]
    record = {"words": [*words, "w13", "w13"], "tags": [*words, "w13", "w13"]}
    table = splits(loaded([record], format="tagging", inputs=["words"], label="tags", metrics=None))
    assert table.loc["train", "targets"] == "16" and table.loc["train", "% w13"] == "18.8"
    assert table.loc["train", "% 2 other labels"] == "12.5" and table.shape == (2, 2 + MOST_LABELS + 1)


def test_the_first_target_is_marked_and_named(loaded):
    targets = [{"a": [1, 2], "b": [0, 1], "is": "x"}, {"a": [2, 3], "b": [0, 1], "is": ["y", "x"]}]
    records = [{"text": "one two three", "targets": targets}, {"text": "none", "targets": []}]
    task = loaded(records, spans=["targets.a", "targets.b"], label="targets.is", **SPANS)
    shown = examples(task, 2)
    assert shown.to_numpy().tolist() == [["[one]2 [two]1 three", "x"], ["none", "none"]]
    second = shown_texts(task, task.splits["train"].head(1), pd.Series([1]))
    assert second["text"].tolist() == ["[one]2 two [three]1"]


def test_a_span_far_into_a_text_is_shown(loaded):
    text = " ".join(f"{i:03}" for i in range(200))
    task = loaded([{"text": text, "at": [150, 151], "is": i} for i in "xy"], spans=["at"], label="is", **SPANS)
    shown = examples(task, 1)["text"][0]
    assert "149 [150] 151" in shown and shown.startswith("… ") and shown.endswith(" …")
    assert len(shown) == LONGEST + 4 and shortened("short") == "short"


def test_tags_stand_with_their_words(loaded):
    record = {"words": ["one", "two"], "tags": ["A", "B"]}
    task = loaded([record], format="tagging", inputs=["words"], label="tags", metrics=None)
    assert examples(task, 3).to_numpy().tolist() == [["one/A two/B"]]


def test_an_answer_is_marked_in_its_passage(loaded):
    record = {"q": "who ?", "p": "one two one", "a": {"text": ["two", "one"], "answer_start": [4, 8]}}
    task = loaded([record], format="extractive_qa", inputs=["q", "p"], label="a", metrics=None)
    assert examples(task, 1).to_numpy().tolist() == [["who ?", "one [two] one", "two | one"]]
    assert splits(task).loc["train"].tolist() == [1, "2.0", "1.0"]


def test_choices_are_listed_and_the_longest_is_counted(loaded):
    records = [{"q": "one two", "c": ["a", "b c d"], "is": 1}, {"q": "one", "c": ["a", "b", "c"], "is": 0}]
    task = loaded(records, format="multiple_choice", inputs=["q"], choices=["c"], label="is", metrics=None)
    assert examples(task, 1).to_numpy().tolist() == [["one two", "(0) a (1) b c d", "1"]]
    table = lengths(task).loc["train"]
    assert table.loc["q"].tolist() == [2, 2, 2, 2] and table.loc["choices"].tolist() == [3, 3, 3, 3]
