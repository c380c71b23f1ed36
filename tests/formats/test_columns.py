"""Labels are read by what they mean, in every format; what is none, and what could mean two things, is refused."""

import datetime
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intertask.tasks.load import load_task

SPLITS = {"train": "train.jsonl", "validation": "dev.jsonl"}
WORDS = {"format": "tagging", "inputs": ["words"], "label": "tags"}
SPANS = {"format": "span_classification", "inputs": ["text"], "spans": ["targets.span"], "label": "targets.label"}
QA = {"format": "extractive_qa", "inputs": ["question", "passage"], "label": "answers"}
CLOZE = {"format": "cloze", "inputs": ["passage", "query"], "choices": ["options"], "label": "answers"}
CHOICE = {"format": "multiple_choice", "inputs": ["text"], "choices": ["a", "b", "c"], "label": "label"}
PLAIN = {"inputs": ["text"], "label": "label"}


@pytest.fixture
def task(own_task):
    """Loads a task of these rows of train and, else the same, of dev and test."""

    def load(train, dev=None, test=None, **changes):
        contents = {"train.jsonl": train, "dev.jsonl": dev or train} | ({"test.jsonl": test} if test else {})
        files = SPLITS | ({"test": "test.jsonl"} if test else {})
        return load_task("reviews", own_task(contents, **PLAIN | {"files": files} | changes))

    return load


def labelled(*labels):
    return [{"text": f"t{i}", "label": label} for i, label in enumerate(labels)]


def ids(task, split="train"):
    return task.splits[split]["label"].tolist()


@pytest.mark.parametrize("names", [["true", "false"], ["false", "true"], ["True", "False"]])
def test_a_truth_value_is_its_name_and_no_place(task, names):
    found = task(labelled(True, False, True), labels=names)
    assert [names[i].lower() for i in ids(found)] == ["true", "false", "true"]


def test_truth_values_under_other_names_are_refused(task, refused):
    refused(lambda: task(labelled(True, False), labels=["no", "yes"]), "row 1", "one of no, yes", "'true'")
    assert task(labelled(True, False)).entry.labels == ["false", "true"]


def test_a_number_has_one_spelling(task):
    found = task(labelled("1.0", " 2", 1, 2.0), labels=["1", "2.0"])
    assert ids(found) == [0, 1, 0, 1]
    assert task(labelled("0.0", "1.00")).entry.labels == ["0", "1"]


@pytest.mark.parametrize("label", [["a"], ["a", "b"], {"a": 1}])
def test_several_labels_are_no_class(task, refused, label):
    parts = ["row 2, label column 'label'", "a name or a number", repr(label), "a format of their own"]
    refused(lambda: task(labelled("a", label, "b")), *parts)


def test_a_date_is_no_class(own_task, refused, tmp_path):
    frame = pd.DataFrame({"text": ["a", "b"], "label": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)]})
    frame.to_parquet(tmp_path / "t.parquet")
    task_file = own_task(files={"train": "t.parquet", "validation": "t.parquet"}, label="label")
    refused(lambda: load_task("reviews", task_file), "row 1", "a name or a number", "(date)", "as text")


def test_ids_that_begin_at_one_are_refused(task, refused):
    names = ["a", "b", "c", "d"]
    parts = ["label column 'label'", "numbers that begin at 0", "1, 2, 3 and no 0", "labels: ['1', '2', '3', '4']"]
    refused(lambda: task(labelled(1, 2, 3), labels=names), *parts)
    assert ids(task(labelled(1, 2, 3), labelled(0), labels=names)) == [1, 2, 3]


def test_places_of_choices_that_begin_at_one_are_refused(task, refused):
    rows = [{"text": "t", "a": "x", "b": "y", "c": "z", "label": label} for label in (1, 2)]
    refused(lambda: task(rows, **CHOICE), "numbers that begin at 0", "1, 2 and no 0")
    assert ids(task(rows, labels=["1", "2", "3"], **CHOICE)) == [0, 1]


def test_ids_of_one_split_beside_names_in_another_begin_at_zero_too(task, refused):
    assert ids(task(labelled("a", "b"), labelled(0, 1), labels=["a", "b"]), "validation") == [0, 1]
    parts = ["dev.jsonl, row 1", "numbers that begin at 0", "1 and no 0"]
    refused(lambda: task(labelled("a", "b"), labelled(1), labels=["a", "b"]), *parts)
    refused(lambda: task(labelled("a", 1), labels=["a", "b"]), "all as numbers or all as names", "number 1")


@pytest.mark.parametrize("mark", [None, -1, -100])
@pytest.mark.parametrize("names", [None, ["O", "X"]])
def test_a_word_without_a_tag_is_no_class(task, refused, mark, names):
    rows = [{"words": ["a", "b"], "tags": ["O", "X"]}, {"words": ["c", "d"], "tags": ["X", mark]}]
    found = "null" if mark is None else f"{mark}, which marks"
    refused(lambda: task(rows, labels=names, **WORDS), "row 2, label column 'tags'", "a label in every row", found)


def test_a_test_split_that_hides_its_labels_has_none(task, refused):
    names = ["a", "b"]
    for mark in ("hidden", -1, None, "?"):
        found = task(labelled("a", "b"), test=labelled(mark, mark), labels=names)
        assert "label" not in found.splits["test"] and "label" in found.splits["validation"]
    refused(lambda: task(labelled("a", "b"), test=labelled("hidden", "a"), labels=names), "row 1", "'hidden'")
    refused(lambda: task(labelled("a", "b"), dev=labelled("hidden"), labels=names), "dev.jsonl, row 1", "'hidden'")
    assert ids(task(labelled("a", "b"), test=labelled("b"), labels=names), "test") == [1]


def test_what_is_like_a_label_hides_none_and_a_regression_hides_by_no_number(task, refused):
    for mark in ("yess", "YES"):
        test = labelled(mark, mark)
        refused(lambda test=test: task(labelled("yes", "no"), test=test), "test.jsonl, row 1", "Did you mean 'yes'?")
    hidden = task(labelled(1, 2.5), test=labelled("-", "-"), format="regression")
    assert "label" not in hidden.splits["test"]
    assert ids(task(labelled(1, 2.5), test=labelled("9", "9"), format="regression"), "test") == [9, 9]


def parquet(path, columns, **features):
    """A file as `datasets` writes one; `features`: the names of the labels in a column, or in lists of it."""
    said = {"info": {"features": features}}
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps(said)})
    pq.write_table(table, path)


def test_names_that_datasets_wrote_into_a_parquet_are_read(own_task, refused, tmp_path):
    kind = {"names": ["neg", "pos"], "_type": "ClassLabel"}
    files = {"train": "t.parquet", "validation": "t.parquet"}
    parquet(tmp_path / "t.parquet", {"text": ["a", "b"], "label": [1, 0]}, label=kind)
    assert load_task("reviews", own_task(files=files, **PLAIN)).entry.labels == ["neg", "pos"]
    parts = ["those of the Parquet files in id order, ['neg', 'pos']", "found ['pos', 'neg']", "Copy their order"]
    refused(lambda: load_task("reviews", own_task(files=files, labels=["pos", "neg"], **PLAIN)), *parts)
    listed = {"words": [["a", "b"]], "tags": [[0, 1]]}
    parquet(tmp_path / "t.parquet", listed, tags={"feature": kind, "_type": "List"})
    assert load_task("reviews", own_task(files=files, **WORDS)).entry.labels == ["neg", "pos"]


def test_a_parquet_keeps_large_numbers_beside_a_null_and_columns_of_one_name(own_task, refused, tmp_path):
    files = {"train": "t.parquet", "validation": "t.parquet"}
    large = [2**53 + 1, 2**53, None]
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": large}), tmp_path / "t.parquet")
    found = load_task("reviews", own_task(files=files, **PLAIN, drop_label=""))
    assert found.entry.labels == [str(2**53), str(2**53 + 1)] and ids(found) == [1, 0]
    twice = pa.table([pa.array(["a", "b"]), pa.array([0, 1]), pa.array([1, 0])], names=["text", "label", "label"])
    pq.write_table(twice, tmp_path / "t.parquet")
    refused(lambda: load_task("reviews", own_task(files=files, **PLAIN)), "one column 'label'", "2 among")


def test_a_misspelt_key_of_a_struct_is_refused(task, refused):
    rows = [{"text": "a b", "targets": [{"span": [0, 1], "label": "X"}, {"span": [1, 2], "label": "Y"}]}]
    parts = ["column 'targets'", "the key 'lable'", "label, span", "Did you mean 'label'?"]
    refused(lambda: task(rows, **SPANS | {"label": "targets.lable"}), *parts)
    assert ids(task(rows, **SPANS)) == [[[0], [1]]]


def test_a_split_without_any_target_is_refused(task, refused):
    rows = [{"text": "a b", "targets": [{"span": [0, 1], "label": "X"}, {"span": [1, 2], "label": "Y"}]}]
    none = [{"text": "a b", "targets": []}, {"text": "c", "targets": []}]
    refused(lambda: task(none, rows, labels=["X", "Y"], **SPANS), "train.jsonl", "a target in at least one row", "none")
    refused(lambda: task(rows, none, **SPANS), "dev.jsonl", "a target in at least one row")


@pytest.mark.parametrize(
    "answers",
    [
        "cat",
        ["cat"],
        {"text": ["cat"], "answer_start": [4.0]},
        {"text": "cat", "answer_start": 4},
        [{"text": "cat", "answer_start": 4}],
        [{"text": "cat", "start": 1}, None],
        {"text": ["cat"], "answer_start": None},
    ],
)
def test_answers_in_any_of_their_forms(task, answers):
    rows = [{"question": "who?", "passage": "the cat sat", "answers": answers}]
    found = task(rows, **QA).splits["train"]
    assert found["label"].tolist() == [["cat"]] and found["spans"][0].tolist() == [[[4, 7]]]


@pytest.mark.parametrize(
    "answers, shown",
    [
        ({"text": ["cat", "sat"], "answer_start": [4]}, "[4]"),
        ({"text": ["cat"], "answer_start": [4.5]}, "4.5"),
        ({"text": ["cat"], "answer_start": ["4"]}, "'4'"),
        ({"text": ["cat"], "answer_start": [-4]}, "-4"),
        ({"text": ["cat"], "answer_start": [float("inf")]}, "inf"),
        ({"text": ["cat"], "answer_start": [True]}, "True"),
        ([7], "7"),
        ([["cat"]], "['cat']"),
        ([{"txt": "cat"}], "'txt'"),
    ],
)
def test_answers_that_are_none(task, refused, answers, shown):
    rows = [{"question": "who?", "passage": "the cat sat", "answers": answers}]
    refused(lambda: task(rows, **QA), "train.jsonl, row 1", "answers: a text, several", shown, "Mend the row")


def test_answers_of_a_cloze_are_read_alike_and_its_query_has_a_gap(task, refused):
    row = {"passage": "Anna met Bo", "query": "@placeholder left", "options": ["Anna", "Bo"]}
    answers = [{"start": 0, "end": 4, "text": "Anna"}]
    assert ids(task([row | {"answers": answers}], **CLOZE)) == [["Anna"]]
    gap = [row | {"answers": "Bo"}, row | {"answers": "Bo", "query": "[MASK] left"}]
    refused(lambda: task(gap, **CLOZE), "row 2, column 'query'", "the gap @placeholder", "'[MASK] left'")


@pytest.mark.parametrize("span", [[0, 1.5], [True, 2], "01", [0, "x"], [0], [0, float("inf")], None, [0, 10**30]])
def test_a_span_is_two_whole_numbers(task, refused, span):
    rows = [{"text": "a b", "targets": [{"span": [0, 1.0], "label": "X"}, {"span": ["1", 2], "label": "Y"}]}]
    assert task(rows, **SPANS).splits["train"]["spans"][0].tolist() == [[[0, 1]], [[2, 3]]]
    rows[0]["targets"][1]["span"] = span
    refused(lambda: task(rows, **SPANS), "train.jsonl, row 1", "a span as [start, end), two whole numbers")


def test_half_a_character_is_no_text_anywhere(task, refused):
    half = "\ud800"
    refused(lambda: task(labelled("a", half)), "row 2, label column 'label'", "a name or a number", "\\ud800", "UTF-8")
    refused(lambda: task([{"text": half, "label": "a"}]), "row 1, column 'text'", "text in valid UTF-8", "\\ud800")
    refused(lambda: task([{"text": "a", "label": "a", half: 1}]), "row 1", "keys in valid UTF-8", "\\ud800")
    refused(lambda: task([{"words": [half], "tags": ["a"]}], **WORDS), "row 1, column 'words'", "\\ud800")
    refused(lambda: task([{"words": ["a"], "tags": [half]}], **WORDS), "row 1, label column 'tags'", "\\ud800")


@pytest.mark.parametrize("value, shown", [(["a"], "['a'] (list)"), ({"a": 1}, "{'a': 1} (dict)"), ("\ud800", "ud800")])
def test_a_tag_is_one_name_too(task, refused, value, shown):
    rows = [{"text": "a", "label": label, "topic": topic} for label, topic in (("x", "t"), ("y", None))]
    assert task(rows, tags=["topic"]).splits["train"]["topic"].tolist() == ["t", ""]
    rows[1]["topic"] = value
    refused(lambda: task(rows, tags=["topic"]), "row 2", "column 'topic'", "a name or a number", shown)


def test_words_keep_their_blanks_and_show_something(task, refused):
    rows = [{"words": ["học sinh", "ngủ", "."], "tags": ["N", "V", "P"]}]
    found = task(rows, **WORDS)
    (row,) = found.splits["train"].itertuples()
    assert row.words == "học sinh ngủ ." and [row.words[slice(*span[0])] for span in row.spans] == rows[0]["words"]
    assert found.form.tagged(row.words, row.spans, row.label) == "học sinh/N ngủ/V ./P"
    for word in ("\u200b", " a", "", "\u00ad\u200d", 7):
        bad = [{"words": ["a", word], "tags": ["N", "V"]}]
        refused(lambda bad=bad: task(bad, **WORDS), "row 1, column 'words'", "words", ascii(word), "that shows")
