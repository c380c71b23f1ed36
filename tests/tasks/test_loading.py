"""Own files, read as they stand."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import yaml

import minilanguage
from intertask.tasks import load, rows
from intertask.tasks.catalogue import catalogue
from intertask.tasks.data_files import read_file
from intertask.tasks.load import load_task, with_further


def test_six_line_task(own_task):
    task = load_task("reviews", own_task())
    assert task.entry.labels == ["1", "3", "5"]
    train = task.splits["train"]
    assert list(train.columns) == ["text", "label"]
    assert train["text"].tolist() == ["good", "bad", "so so", "fine"]
    assert train["label"].tolist() == [2, 0, 1, 2] and train["label"].dtype == "int64"
    assert task.splits["validation"]["label"].tolist() == [2, 0]
    assert isinstance(train.index, pd.RangeIndex) and train["text"].dtype == "str"


def test_inferred_labels_sort_as_numbers_or_as_names(own_task):
    numbers = "text,stars\na,10\nb,9\n"
    assert load_task("reviews", own_task({"train.csv": numbers, "dev.csv": numbers})).entry.labels == ["9", "10"]
    names = "text,stars\na,poor\nb,good\n"
    assert load_task("reviews", own_task({"train.csv": names, "dev.csv": names})).entry.labels == ["good", "poor"]


def test_ids_and_names_give_the_same_labels(own_task):
    files = {"train.csv": "text,stars\na,bad\nb,good\n", "dev.csv": "text,stars\na,0\nb,1\n"}
    task = load_task("reviews", own_task(files, labels=["bad", "good"]))
    assert task.splits["train"]["label"].tolist() == task.splits["validation"]["label"].tolist() == [0, 1]


def test_names_that_are_numbers_are_no_ids(own_task):
    task = load_task("reviews", own_task(labels=["1", "3", "5"]))
    assert task.splits["train"]["label"].tolist() == [2, 0, 1, 2]


def test_text_stays_as_it_stands(own_task):
    train = b'text,stars\nNA,1\nnull,2\n007,1\n"",2\n"a, ""b""\nc",1\n'
    texts = load_task("reviews", own_task({"train.csv": b"\xef\xbb\xbf" + train, "dev.csv": train})).splits["train"]
    assert texts["text"].tolist() == ["NA", "null", "007", "", 'a, "b"\nc']


def test_quotes_in_tsv_are_characters(own_task):
    tsv = 'text\tstars\n"a\t1\nb"\t2\n'
    task = load_task("reviews", own_task({"t.tsv": tsv}, **_files("t.tsv")))
    assert task.splits["train"]["text"].tolist() == ['"a', 'b"']


def _files(name):
    return {"files": {"train": name, "validation": name}}


@pytest.mark.parametrize(
    "stars, labels", [([1, 2], ["1", "2"]), ([True, False], ["false", "true"]), ([1.0, 2.0], ["1", "2"])]
)
def test_labels_of_json_lines(own_task, stars, labels):
    rows = [{"text": "a", "stars": star} for star in stars]
    assert load_task("reviews", own_task({"t.jsonl": rows}, **_files("t.jsonl"))).entry.labels == labels


def test_json_lines_end_at_line_feeds_alone(own_task):
    rows = '{"text": "a\u2028b", "stars": 1}\r\n\n{"text": "c", "stars": 2}'
    train = load_task("reviews", own_task({"t.jsonl": rows}, **_files("t.jsonl"))).splits["train"]
    assert train["text"].tolist() == ["a\u2028b", "c"]


def test_json_array_and_parquet_agree_with_csv(own_task, tmp_path):
    frame = read_file_text(tmp_path, "t.csv", "text,stars\nNA,1\nb,2\n")
    frame.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.json").write_text(frame.to_json(orient="records"))
    for name in ("t.csv", "t.parquet", "t.json"):
        train = load_task("reviews", own_task(**_files(name))).splits["train"]
        assert train.to_dict("list") == {"text": ["NA", "b"], "label": [0, 1]}


def read_file_text(folder, name, text):
    (folder / name).write_text(text)
    return read_file(folder / name)


def test_several_files_make_one_split(own_task):
    files = {"train": ["train.csv", "more.csv"], "validation": "dev.csv"}
    task = load_task("reviews", own_task({"more.csv": "text,stars\nlast,1\n"}, files=files))
    assert task.splits["train"]["text"].tolist() == ["good", "bad", "so so", "fine", "last"]


@pytest.mark.parametrize("test", ["text\na\nb\n", "text,stars\na,-1\nb,-1\n", "text,stars\na,\nb,\n"])
def test_unlabelled_test_split_loses_its_label(own_task, test):
    files = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}
    task = load_task("reviews", own_task({"test.csv": test}, files=files))
    assert list(task.splits["test"].columns) == ["text"] and len(task.splits["test"]) == 2
    assert "label" in task.splits["validation"]


def test_labelled_test_split_keeps_its_label(own_task):
    task = load_task("reviews", own_task(files={"train": "train.csv", "validation": "dev.csv", "test": "dev.csv"}))
    assert task.splits["test"]["label"].tolist() == [2, 0]


def test_renamed_split(own_task):
    entry = {"files": {"train": "train.csv", "dev": "dev.csv"}, "splits": {"validation": "dev"}}
    assert list(load_task("reviews", own_task(**entry)).splits) == ["train", "validation"]


def test_drop_label(own_task):
    train = "text,stars\na,1\nb,-1\nc,2\n"
    task = load_task("reviews", own_task({"train.csv": train, "dev.csv": train}, drop_label=-1))
    assert task.splits["train"]["text"].tolist() == ["a", "c"]
    assert task.splits["train"].index.tolist() == [0, 1] and task.entry.labels == ["1", "2"]


def test_regression(own_task):
    task = load_task("reviews", own_task(format="regression", label_range=[1, 5]))
    assert task.splits["train"]["label"].tolist() == [5.0, 1.0, 3.0, 5.0]
    assert task.splits["train"]["label"].dtype == "float64" and task.entry.labels is None


def test_masked_language_modelling_has_text_only(own_task):
    task = load_task("reviews", own_task(format="masked_language_modelling", label=None, unused=["stars"]))
    assert list(task.splits["train"].columns) == ["text"]


def test_evaluation_only_task_with_tags(own_task):
    test = [{"text": "a", "stars": 1, "kind": None}, {"text": "b", "stars": 0, "kind": "logic"}]
    entry = {"files": {"test": "t.jsonl"}, "labels": ["no", "yes"], "tags": ["kind"]}
    task = load_task("reviews", own_task({"t.jsonl": test}, **entry))
    assert list(task.splits) == ["test"]
    assert task.splits["test"].to_dict("list") == {"text": ["a", "b"], "label": [1, 0], "kind": ["", "logic"]}


def test_long_field_and_nul(own_task):
    train = f"text,stars\n{'x' * 200_000},1\na\0b,2\n"
    texts = load_task("reviews", own_task({"train.csv": train, "dev.csv": train})).splits["train"]["text"]
    assert texts.str.len().tolist() == [200_000, 3]


def test_mini_task_is_generated_and_its_splits_renamed(monkeypatch, empty_cache):
    frame = pd.DataFrame({"premise": ["a", "b"], "hypothesis": ["c", "d"], "label": [0, 2]})
    made = {"train": frame, "validation_matched": frame[:1], "validation_mismatched": frame[1:]}
    monkeypatch.setattr(minilanguage, "generate", {"mnli": made}.get, raising=False)
    splits = load_task("mini/mnli").splits
    assert list(splits) == ["train", "validation", "validation_mismatched"]
    assert splits["validation_mismatched"].to_dict("list") == {"premise": ["b"], "hypothesis": ["d"], "label": [2]}


def test_bad_row_of_a_mini_task_is_named(refused, monkeypatch, empty_cache):
    frame = pd.DataFrame({"sentence": ["a", "b"], "label": [0, 2]})
    monkeypatch.setattr(minilanguage, "generate", lambda name: {"train": frame, "validation": frame}, raising=False)
    refused(lambda: load_task("mini/cola"), "mini/cola (train), row 2", "an id from 0 to 1", "'2'", "Correct the row")


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.mini])
def test_mini_suite_has_the_sizes_of_the_catalogue(name):
    task = load_task(name)
    assert {split: len(frame) for split, frame in task.splits.items()} == task.entry.sizes
    hidden = set() if task.entry.evaluation_only or task.entry.derive else {"test"}
    labelled = set(task.splits) - hidden if task.entry.label else set()
    assert {split for split, frame in task.splits.items() if "label" in frame} == labelled


def test_a_task_is_read_and_checked_once(own_task, monkeypatch, tmp_path):
    first = load_task("reviews", own_task())
    (tmp_path / "moved").mkdir()
    for name in ("tasks.yaml", "train.csv", "dev.csv"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    monkeypatch.setattr(rows, "read_files", None)  # asked again, it would fail
    again = load_task("reviews", str(tmp_path / "moved" / "tasks.yaml"))
    assert again.entry.labels == first.entry.labels == ["1", "3", "5"]
    for split, frame in first.splits.items():
        pd.testing.assert_frame_equal(again.splits[split], frame)


def test_other_data_another_entry_or_other_code_are_read_anew(own_task, refused, monkeypatch, empty_cache):
    load_task("reviews", own_task())
    assert len(load_task("reviews", own_task({"dev.csv": "text,stars\nx,1\n"})).splits["validation"]) == 1
    more = {"train.csv": "text,stars,id\na,1,7\nb,3,8\n", "dev.csv": "text,stars\na,3\n"}
    assert list(load_task("reviews", own_task(more, unused=["id"])).splits["train"]) == ["text", "label"]
    refused(lambda: load_task("reviews", own_task(more)), "train.csv", "'id'")
    same = "text\tstars\na\t1\nb\t3\n"
    names = {"train": "t.tsv", "validation": "t.tsv"}
    assert load_task("reviews", own_task({"t.tsv": same}, files=names)).splits["train"]["text"][0] == "a"
    names = {"train": "t.csv", "validation": "t.csv"}  # the same bytes under another kind of name are no such table
    refused(lambda: load_task("reviews", own_task({"t.csv": same}, files=names)), "t.csv", "one column 'text'")
    task_file = own_task()
    monkeypatch.setattr(load, "reading_code", lambda: ["of another version"])
    monkeypatch.setattr(rows, "read_files", None)
    with pytest.raises(TypeError):
        load_task("reviews", task_file)


def write_other(task_file, rows, **changes):
    """Adds the task `other`, test split only, to the task file."""
    path = Path(task_file)
    other = {"files": {"test": "other.jsonl"}, "format": "classification", "inputs": ["said"], "label": "stars"}
    other |= {"labels": ["5", "1", "3"], "tags": ["kind"]} | changes
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"other": other}))
    pd.DataFrame(rows).to_json(path.with_name("other.jsonl"), orient="records", lines=True)
    return task_file


ROWS = [{"said": "splendid", "stars": "5", "kind": "x;y"}, {"said": "awful", "stars": "1", "kind": ""}]


def test_a_further_task_is_read_with_the_inputs_and_label_ids_of_the_task(own_task):
    task_file = write_other(own_task(), ROWS)
    rows = with_further(load_task("reviews", task_file), "other", {}, task_file).splits["other"]
    assert rows["text"].tolist() == ["splendid", "awful"] and rows["kind"].tolist() == ["x;y", ""]
    assert rows["label"].tolist() == [2, 0]  # 1, 3, 5 in reviews


def test_a_further_task_that_does_not_fit_is_refused(own_task, refused):
    task_file = write_other(own_task(), ROWS, labels=["5", "1"])
    call = partial(with_further, load_task("reviews", task_file), "other", {}, task_file)
    refused(call, "evaluate_on, other", "labels of reviews, ['1', '3', '5']")
    write_other(task_file, ROWS, tags=[], inputs=["said", "kind"])
    refused(call, "as many inputs as reviews, ['text']", "['said', 'kind']")


def test_a_further_task_without_labels_can_be_predicted(own_task):
    task_file = write_other(own_task(), [{"said": "splendid", "kind": ""}])
    rows = with_further(load_task("reviews", task_file), "other", {}, task_file).splits["other"]
    assert rows.to_dict("list") == {"text": ["splendid"], "kind": [""]}
