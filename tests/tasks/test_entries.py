import subprocess
import sys
from pathlib import Path

import pytest

import intertask
from intertask.files import file_digest
from intertask.tasks import catalogue as module
from intertask.tasks.catalogue import catalogue, find_entry, read_entries, reading_code
from intertask.tasks.schema import TaskEntry, parse_entry
from intertask.tasks.sources import code_of
from made_task import write_fruit

RTE = {"hub": "nyu-mll/glue", "config": "rte", "format": "classification", "inputs": ["a", "b"], "label": "label"}
STS = {"hub": "o/n", "format": "regression", "inputs": ["a", "b"], "label": "score"}
SPANS = {"hub": "o/n", "format": "span_classification", "inputs": ["text"], "spans": ["s"], "label": "label"}
TEXT = {"hub": "o/n", "format": "masked_language_modelling", "inputs": ["text"]}

GLUE_METRICS = {
    "cola": ["matthews_correlation"],
    "sst2": ["accuracy"],
    "mrpc": ["accuracy", "f1"],
    "qqp": ["accuracy", "f1"],
    "stsb": ["pearson", "spearman"],
    "mnli": ["accuracy"],
    "qnli": ["accuracy"],
    "rte": ["accuracy"],
    "wnli": ["accuracy"],
}


def test_catalogue_has_glue_with_its_metrics_and_the_mini_counterparts():
    for name, metrics in GLUE_METRICS.items():
        real, mini = catalogue()[name], catalogue()[f"mini/{name}"]
        assert real.metrics == mini.metrics == metrics
        assert (real.inputs, real.label, real.labels, real.label_range) == (
            (mini.inputs, mini.label, mini.labels, mini.label_range)
        )


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.hub])
def test_catalogue_states_sizes_paper_and_licence(name):
    entry = catalogue()[name]
    assert entry.paper and entry.licence
    assert ("test" if entry.evaluation_only else "train") in entry.sizes
    assert set(entry.splits) <= set(entry.sizes) | {"train", "validation", "test"}


def test_mnli_splits():
    splits = catalogue()["mnli"].splits
    assert splits["validation"] == "validation_matched"
    assert splits["test"] == "test_matched"
    assert splits["validation_mismatched"] == "validation_mismatched"


def test_defaults():
    assert parse_entry("t", RTE, "f").metrics == ["accuracy"]
    assert parse_entry("t", STS, "f").metrics == ["pearson", "spearman"]
    assert parse_entry("t", TEXT, "f").metrics == ["accuracy"]
    assert parse_entry("t", RTE, "f").revision == "main"


def test_evaluation_only_is_naming_the_test_split_alone():
    assert catalogue()["ax"].evaluation_only and catalogue()["mini/ax"].evaluation_only
    assert not catalogue()["rte"].evaluation_only and not catalogue()["mnli"].evaluation_only


def test_content_leaves_paths_and_prose_out():
    one = parse_entry("t", {**RTE, "paper": "x", "sizes": {"train": 3}}, "f")
    assert one.content() == parse_entry("t", RTE, "g").content()
    assert one.content() != parse_entry("t", {**RTE, "inputs": ["b", "a"]}, "f").content()
    assert one.content() == {"name": "t", **RTE, "metrics": ["accuracy"]}


@pytest.mark.parametrize("name", ["written.py", "hub.py", "metrics.py", "tasks/schema.py", "formats/columns.py"])
def test_what_is_kept_of_tasks_follows_from_all_code_that_reads_them(name):
    assert file_digest(Path(intertask.__file__).parent / name) in reading_code()


def test_numbers_as_label_names_become_text():
    assert parse_entry("t", {**RTE, "labels": [0, 1]}, "f").labels == ["0", "1"]


@pytest.mark.parametrize(
    "fields, parts",
    [
        ({**RTE, "lables": ["a"]}, ["only keys of a task entry", "'lables'", "Did you mean 'labels'?"]),
        ({**RTE, "name": "x"}, ["only keys of a task entry", "'name'", "Choices"]),
        ({**RTE, "labels": [False, True]}, ["key 'labels.0'", "found False", "put quotes around it"]),
        ({**RTE, "inputs": "a"}, ["key 'inputs'", "a valid list", "found 'a'", "Write [a]."]),
        (
            {**RTE, "format": "clasification"},
            ["the name of a format", "found 'clasification'", "Did you mean 'class"],
        ),
        ({**RTE, "mini": "rte"}, ["exactly one source", "hub and mini", "Give one"]),
        ({**RTE, "hub": ""}, ["exactly one source", "found none", "Give one"]),
        ({**STS, "hub": "", "files": {"train": "a.csv"}, "config": "x"}, ["only beside hub", "files", "Take it out"]),
        ({**RTE, "hub": "../x"}, ["key 'hub'", "'../x'", "Mend"]),
        ({**RTE, "metrics": ["acuracy"]}, ["accuracy, f1, f1_macro", "'acuracy'", "Did you mean"]),
        ({**STS, "metrics": ["accuracy"]}, ["pearson, spearman", "'accuracy'", "Choices"]),
        ({**RTE, "label": ""}, ["the label column", "no key label", "Add it"]),
        ({**TEXT, "label": "x"}, ["no label for masked", "found 'x'", "Take it out"]),
        ({**TEXT, "inputs": ["a", "b"]}, ["1 input for masked_language_modelling", "['a', 'b']", "Mend"]),
        ({**RTE, "spans": ["s"]}, ["spans for span_classification", "['s'] for classification", "Mend"]),
        ({**SPANS, "spans": []}, ["spans for span_classification", "none", "Mend"]),
        ({**RTE, "group": ["g"]}, ["group with the metric question_exact_match", "['g']", "Add"]),
        ({**RTE, "corpus": "c"}, ["corpus only beside files", "hub", "Take it out"]),
        ({**STS, "hub": "", "files": {"test": "a"}, "corpus": "c"}, ["`get`", "found none", "Add it"]),
        ({**RTE, "labels": ["a", "a", "b"]}, ["each label name once", "['a', 'a', 'b']", "Take the double out"]),
        ({**RTE, "labels": ["a"]}, ["two or more", "['a']", "Mend"]),
        ({**STS, "label_range": [5, 0]}, ["[lowest, highest]", "[5.0, 0.0]", "Mend"]),
        ({**RTE, "inputs": ["a", "a"]}, ["each column in one role", "'a' twice", "Name it once"]),
        ({**STS, "inputs": ["label"]}, ["'label' to be no input", "found it there", "Rename"]),
        ({**STS, "outliers": True}, ["label_range beside outliers", "Add it"]),
        ({"hub": "o/n", "format": "regression", "label": "x"}, ["the key 'inputs'", "none", "Add it"]),
        (["a"], ["a mapping of keys", "['a']", "Indent"]),
    ],
)
def test_bad_entry_is_refused(refused, fields, parts):
    refused(lambda: parse_entry("t", fields, "mine.yaml"), "mine.yaml, task 't'", *parts)


def test_bad_name_is_refused(refused):
    refused(lambda: parse_entry("a b", RTE, "mine.yaml"), "key 'name'", "'a b'")
    refused(lambda: parse_entry("x" * 61, RTE, "mine.yaml"), "key 'name'")


def test_entry_is_frozen_and_closed():
    with pytest.raises(ValueError, match="frozen"):
        catalogue()["rte"].label = "x"
    with pytest.raises(ValueError, match="Extra inputs"):
        TaskEntry(name="t", **RTE, lables=[])


def test_own_file_is_relative_to_itself(own_task, tmp_path):
    entry = find_entry("reviews", own_task())
    assert entry.files == {"train": [str(tmp_path / "train.csv")], "validation": [str(tmp_path / "dev.csv")]}


def test_unknown_task_is_refused(refused, own_task):
    refused(lambda: find_entry("mini/rt"), "Unknown task 'mini/rt'", "Did you mean 'mini/rte'?")
    refused(lambda: find_entry("review", own_task()), "Unknown task 'review'", "Did you mean 'reviews'?")
    refused(lambda: find_entry("xyz", own_task()), "has reviews; `intertask tasks` lists the catalogue.")
    refused(
        lambda: find_entry("xyz"), "lists the catalogue; a file with tasks of your own is named by `task_file: my_ta"
    )


def test_name_of_the_catalogue_is_refused(refused, tmp_path):
    path = tmp_path / "t.yaml"
    entry = "{hub: o/n, format: regression, inputs: [a], label: b}"
    path.write_text(f"own: {entry}\nrte: {entry}\n")
    refused(
        lambda: find_entry("rte", str(path)),
        "t.yaml, line 2: expected names of its own",
        "'rte', which the catalogue has",
        "Rename",
    )


@pytest.mark.parametrize("text, parts", [("a: [", ["a readable YAML file"]), ("- a", ["a mapping", "['a']", "Begin"])])
def test_bad_yaml_is_refused(refused, tmp_path, text, parts):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    refused(lambda: read_entries(path), str(path), *parts)


def test_missing_task_file_is_refused(refused, tmp_path):
    refused(lambda: find_entry("x", str(tmp_path / "no.yaml")), "no.yaml", "a readable YAML file", "Check the path")


def test_bare_no_among_labels_of_a_file_is_refused(refused, tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text("t: {hub: o/n, format: classification, inputs: [a], label: b, labels: [no, yes]}")
    refused(lambda: read_entries(path), "key 'labels.0'", "found False", "put quotes around it")


@pytest.mark.parametrize("changed", ["metrics.py", "schema.py", "classification.py", "glue.yaml"])
def test_the_catalogue_is_checked_anew_where_what_it_follows_from_has_changed(monkeypatch, changed):
    assert catalogue.__wrapped__().keys() == catalogue().keys()  # from what was kept
    known = module.file_digest
    monkeypatch.setattr(module, "file_digest", lambda path: b"other" if path.name == changed else known(path))
    monkeypatch.setattr(module, "read_entries", None)
    with pytest.raises(TypeError):
        catalogue.__wrapped__()


def test_rows_by_rule_follow_from_the_code_that_reads_what_the_rule_is_given():
    names = {path.name for path in code_of(catalogue()["ud/pos"])}
    assert names > {"data_files.py", "conllu.py", "treebank.py"} and not code_of(catalogue()["rte"])


def test_reading_results_needs_no_torch():
    code = "import sys, intertask.studies.status, intertask.analysis.read; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_entries_that_were_checked_once_need_no_torch(tmp_path):
    write_fruit(tmp_path)
    code = "import sys; from intertask.tasks.catalogue import find_entry; find_entry('fruit', 'tasks.yaml'); "
    code += "sys.exit('torch' in sys.modules)"
    _, again = (subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode for _ in range(2))
    assert again == 0


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if not entry.mini])
def test_every_task_has_a_mini_counterpart_that_is_read_and_scored_alike(name):
    entry = catalogue()[name]
    mini = catalogue()[entry.counterpart]
    assert (mini.format, mini.metrics, len(mini.inputs)) == (entry.format, entry.metrics, len(entry.inputs))
    assert len(mini.spans) == len(entry.spans) and mini.evaluation_only == entry.evaluation_only
    assert bool(mini.group) == bool(entry.group) and mini.label_range == entry.label_range
