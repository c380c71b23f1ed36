"""Each kind of bad data is refused before any training, with what was expected, what was found and what to do."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intertask.tasks.load import load_task

NAMES = ["bad", "good"]


def rows(*labels):
    return "text,stars\n" + "".join(f"t{i},{label}\n" for i, label in enumerate(labels))


@pytest.mark.parametrize(
    "train, changes, parts",
    [
        ("txt,stars\na,1\n", {}, ["train.csv", "one column 'text'", "0 among ['txt', 'stars']", "Did you mean 'txt'?"]),
        ("text,text,stars\na,b,1\n", {}, ["train.csv", "one column 'text'", "2 among", "Rename the others"]),
        ("text\na\n", {}, ["train.csv", "one column 'stars'", "0 among ['text']", "Correct the entry's columns"]),
        ("text,stars,when\na,1,2\n", {}, ["only columns that the entry", "'when'", "`unused: ['when']`"]),
        (rows("good", "goood"), {"labels": NAMES}, ["row 2", "one of bad, good", "'goood'", "Did you mean 'good'?"]),
        (rows('"a, b"', "c"), {"labels": ["a, b", "a"]}, ["row 2", "one of 'a, b', 'a'"]),
        (rows(0, 1, 2), {"labels": NAMES}, ["row 3", "an id from 0 to 1", "'2'", "Correct the row"]),
        (rows(1, 2, -1), {}, ["row 3, label column 'stars'", "a label in every row", "-1", "drop_label: -1"]),
        (rows(0, -1), {"labels": NAMES}, ["train.csv, row 2", "a label in every row", "-1", "drop_label: -1"]),
        (rows(1, "", 2), {}, ["row 2", "a label in every row", "found null", "Fill or drop"]),
        (rows(1, 2, "good"), {}, ["row 3", "all as numbers or all as names", "'good' here", "number 1 in", "one way"]),
        (rows("good", 1), {"labels": NAMES}, ["row 1", "all as numbers or all as names", "'good'", "row 2", "one way"]),
        (rows(1.5, 2.5), {}, ["row 1", "a name or a whole number", "1.5", "format: regression"]),
        ("text,stars\n", {}, ["train.csv", "at least one row", "none", "Supply"]),
        ("", {}, ["train.csv", "one column 'text'", "an empty file", "Write rows"]),
        (rows(1, 1), {}, ["train.csv", "at least two different labels", "only '1'", "Supply rows"]),
        (rows(1, 1), {"format": "regression"}, ["at least two different labels", "only '1'", "Supply rows"]),
        (
            "text,stars\na,1\nb\n",
            {},
            ["train.csv, row 2 (line 3)", "2 well-formed fields", "found 1 field.", "cut off"],
        ),
        ("text,stars\na,1\nb,c,2\n", {}, ["row 2 (line 3)", "2 well-formed fields", "3 fields", "Repair"]),
        ("text,stars\na,b,1\nc,d,2\n", {}, ["row 1 (line 2)", "2 well-formed fields", "3 fields", "Repair"]),
        ('text,stars\na,1\n"b', {}, ["row 2 (line 3)", "2 well-formed fields", "unexpected end", "cut off"]),
        (b"text,stars\na,1\ncaf\xe9,2\n", {}, ["train.csv, line 3", "UTF-8", "byte 0xe9", "iconv"]),
        (b"version https://git-lfs.github.com/spec/v1\n", {}, ["train.csv", "a Git LFS pointer", "git lfs pull"]),
    ],
)
def test_bad_train_file(refused, own_task, train, changes, parts):
    refused(lambda: load_task("reviews", own_task({"train.csv": train}, **changes)), *parts)


@pytest.mark.parametrize("value, shown", [("six", "'six'"), ("", "''"), ("nan", "'nan'"), ("inf", "'inf'"), (6, "'6'")])
def test_bad_label_of_a_regression(refused, own_task, value, shown):
    task_file = own_task({"train.csv": rows(1, value, 5)}, format="regression", label_range=[0, 5])
    refused(lambda: load_task("reviews", task_file), "train.csv, row 2", "a number from 0 to 5", shown, "Correct")


def test_infinite_label_without_a_range(refused, own_task):
    task_file = own_task({"train.csv": rows(1, "-inf")}, format="regression")
    refused(lambda: load_task("reviews", task_file), "train.csv, row 2", "a finite number", "'-inf'", "Correct")


def test_minus_one_in_validation(refused, own_task):
    task_file = own_task({"dev.csv": rows(-1, -1)})
    refused(lambda: load_task("reviews", task_file), "dev.csv, row 1", "a label in every row", "-1", "drop_label")


def test_label_that_train_does_not_have(refused, own_task):
    refused(lambda: load_task("reviews", own_task({"dev.csv": rows(1, 2)})), "dev.csv, row 2", "one of 1, 3, 5", "'2'")


def test_half_labelled_test_split(refused, own_task):
    files = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}
    task_file = own_task({"test.csv": rows(1, -1)}, files=files)
    refused(lambda: load_task("reviews", task_file), "test.csv, row 2", "a label in every row", "-1")


def test_all_rows_dropped(refused, own_task):
    task_file = own_task({"train.csv": rows(-1, -1)}, drop_label=-1)
    refused(lambda: load_task("reviews", task_file), "train.csv", "at least one row", "none", "Supply")


def test_row_number_counts_dropped_rows(refused, own_task):
    task_file = own_task({"train.csv": rows(0, -1, 7)}, drop_label=-1, labels=NAMES)
    refused(lambda: load_task("reviews", task_file), "train.csv, row 3", "an id from 0 to 1", "'7'")


def test_row_number_is_that_of_the_second_file(refused, own_task):
    files = {"train": ["train.csv", "more.csv"], "validation": "dev.csv"}
    task_file = own_task({"more.csv": rows(1, "x")}, files=files)
    refused(lambda: load_task("reviews", task_file), "more.csv, row 2", "the name 'x' here", "train.csv, row 1")


@pytest.mark.parametrize(
    "text, found",
    [
        (None, "found null. Fill"),
        (7, "found 7 (int). Write it as text"),
        (["a"], "found ['a'] (list)"),
        ("\ud800", "'\\ud800'"),
    ],
)
def test_text_that_is_none(refused, own_task, text, found):
    bad = [{"text": "a", "stars": 1}, {"text": text, "stars": 2}]
    task_file = own_task({"t.jsonl": bad}, files={"train": "t.jsonl", "validation": "dev.csv"})
    parts = ["t.jsonl, row 2, column 'text'", "text in valid UTF-8", found]
    refused(lambda: load_task("reviews", task_file), *parts)


@pytest.mark.parametrize(
    "texts, parts",
    [
        (["a", None], ["row 2, column 'text'", "found null", "Fill"]),
        ([7, 8], ["row 1, column 'text'", "found np.int64(7) (int64)", "Write it as text"]),
        ([b"a", b"b"], ["row 1, column 'text'", "found b'a' (bytes)", "Write it as text"]),
    ],
)
def test_parquet_whose_texts_are_none(refused, own_task, tmp_path, texts, parts):
    pd.DataFrame({"text": texts, "stars": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    task_file = own_task(files={"train": "t.parquet", "validation": "dev.csv"})
    refused(lambda: load_task("reviews", task_file), "t.parquet", *parts)


def test_truncated_parquet(refused, own_task, tmp_path):
    pd.DataFrame({"text": ["a", "b"], "stars": [1, 2]}).to_parquet(tmp_path / "whole.parquet")
    half = (tmp_path / "whole.parquet").read_bytes()[:-100]
    for content in (half, b""):
        task_file = own_task({"t.parquet": content}, files={"train": "t.parquet", "validation": "dev.csv"})
        refused(lambda f=task_file: load_task("reviews", f), "t.parquet", "a complete Parquet file", "found", "cut off")


def test_parquet_with_invalid_utf8(refused, own_task, tmp_path):
    text = pa.array([b"a", b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"text": text, "stars": [1, 2]}), tmp_path / "t.parquet")
    task_file = own_task(files={"train": "t.parquet", "validation": "dev.csv"})
    refused(lambda: load_task("reviews", task_file), "t.parquet", "a complete Parquet file", "UTF8", "Repair")


@pytest.mark.parametrize(
    "content, parts",
    [
        ('{"text": "a", "stars": 1}\n{"text": "b", "st', ["t.jsonl, row 2", "valid JSON", "Unterminated", "cut off"]),
        ('{"text": "a", "stars": 1}\n[1]\n', ["t.jsonl, row 2", "a JSON object", "list", "Mend this row"]),
        ('[{"text": "a"}', ["t.jsonl", "valid JSON", "Repair"]),
    ],
)
def test_bad_json(refused, own_task, content, parts):
    task_file = own_task({"t.jsonl": content}, files={"train": "t.jsonl", "validation": "dev.csv"})
    refused(lambda: load_task("reviews", task_file), *parts)


def test_missing_file_and_unknown_ending(refused, own_task):
    task_file = own_task(files={"train": "no.csv", "validation": "dev.csv"})
    refused(lambda: load_task("reviews", task_file), "no.csv", "a readable data file", "No such file", "Check the path")
    task_file = own_task(files={"train": "trian.csv", "validation": "dev.csv"})
    refused(lambda: load_task("reviews", task_file), "found No such file or directory.", "Did you mean 'train.csv'?")
    task_file = own_task({"t.xlsx": "x"}, files={"train": "t.xlsx", "validation": "dev.csv"})
    refused(lambda: load_task("reviews", task_file), "t.xlsx", ".csv, .tsv, .jsonl", "'.xlsx'", "Convert")


def test_missing_validation_split(refused, own_task):
    task_file = own_task(files={"train": "train.csv", "dev": "dev.csv"})
    parts = ["the splits train and validation", "train, dev (no validation)", "Name its file under `files: {validation"]
    refused(lambda: load_task("reviews", task_file), "Task 'reviews'", *parts)


def test_f1_needs_two_labels(refused, own_task):
    refused(lambda: load_task("reviews", own_task(metrics=["f1"])), "two labels for f1", "3 labels", "accuracy")
