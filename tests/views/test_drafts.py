"""YAML that is not a file yet: its text, its place, and its writing."""

import os

import pytest

from intertask.views.drafts import data_file, draft_place, draft_text, number, study_draft, task_draft, write_draft


@pytest.fixture
def repository(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "experiments").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_says_nothing_is_left_out():
    assert draft_text({"title": "é", "limits": [None], "train": {}, "targets": ["a", "b"], "paper": ""}) == (
        "title: é\ntargets: [a, b]\n"
    )


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "x y", "/x", "-x", "a\n", "a" * 101])
def test_a_name_that_is_a_path_or_none_is_refused(name, refused, repository):
    refused(lambda: draft_place(name), "file name: expected letters")


def test_a_file_goes_into_params_and_replaces_none_unasked(repository, refused):
    place = draft_place("mine", "tasks")
    assert place == repository / "params" / "tasks" / "mine.yaml"
    write_draft(place, "a: 1\n", replace=False)
    refused(lambda: write_draft(place, "a: 2\n", replace=False), "mine.yaml: expected a name that is free")
    assert place.read_text() == "a: 1\n"
    write_draft(place, "a: 2\n", replace=True)
    assert place.read_text() == "a: 2\n" and os.listdir(place.parent) == ["mine.yaml"]


def test_a_task_names_files_of_the_repository_relatively_and_others_in_full(repository, tmp_path_factory, refused):
    outside = tmp_path_factory.mktemp("outside") / "dev.csv"
    for path in (outside, repository / "train.csv"):
        path.write_text("id,text,label\n")
    files = {"train": data_file("train.csv"), "validation": data_file(f" {outside} ")}
    chosen = ("classification", ["text"], "label", [], ["id", "text", "label"])
    assert task_draft(files, *chosen, to=repository / "params" / "tasks") == {
        "files": {"train": "../../train.csv", "validation": str(outside)},
        "format": "classification",
        "inputs": ["text"],
        "label": "label",
        "metrics": ["accuracy"],
        "unused": ["id"],
    }
    refused(lambda: data_file("trian.csv"), "file: expected one that is there", "'trian.csv'")


def test_choices_are_of_the_formats_that_have_them(repository):
    chosen = ({}, "multiple_choice", ["question"], "answer", ["a", "b"], ["question", "answer", "a", "b"])
    draft = task_draft(*chosen, to=repository)
    assert draft["choices"] == ["a", "b"] and "spans" not in draft and "unused" not in draft


def test_a_label_may_be_several_columns(repository):
    chosen = ({}, "multi_label", ["text"])
    several = task_draft(*chosen, "toxic, insult", [], ["text", "toxic", "insult", "id"], to=repository)
    assert several["label"] == ["toxic", "insult"] and several["unused"] == ["id"]
    one = task_draft(*chosen, "toxic, insult", [], ["text", "toxic, insult"], to=repository)
    assert one["label"] == "toxic, insult" and "unused" not in one


def test_fields_of_a_form_become_the_keys_of_a_study_in_its_order():
    said = {"targets": " a,b ,", "supporting": "c", "limits": "100, all", "supporting_limits": "all", "report": ""}
    said |= {"title": " Why? ", "learning_rate": "2e-5", "max_length": ""}
    draft = study_draft(said, control=True, regimes=["stilts"], seeds=3)
    assert draft == {
        "title": "Why?",
        "supporting": ["c", {"task": "c", "shuffle_labels": True}],
        "targets": ["a", "b"],
        "regimes": ["stilts"],
        "seeds": 3,
        "limits": [100, None],
        "supporting_limits": [None],
        "train": {"learning_rate": 2e-5},
        "report": [],
    }
    assert [*draft][:4] == ["title", "supporting", "targets", "regimes"]


def test_a_setting_is_a_number_or_is_left_for_the_study_to_refuse():
    assert [number(text) for text in ("3", "2e-5", "linear")] == [3, 2e-5, "linear"]
