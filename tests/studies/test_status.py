"""A study's file against its snapshot, and the names that results have."""

import pytest
import yaml
from typer.testing import CliRunner

from intertask.cli import app
from intertask.studies.graph import expand
from intertask.studies.status import edited_since, how_to_run
from intertask.studies.study import load_study, study_name
from made_store import write_index

STUDY = {"title": "A", "encoders": ["mini/bert"], "targets": ["mini/rte"], "regimes": ["single"], "seeds": 1}
ROWS = "encoder,target,score\nb,rte,60\n"


def written(folder, name="study.yaml", **changes):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(STUDY | changes))
    return path


def begun(path):
    """What `intertask run` leaves of a study before its first run."""
    expand(*load_study(str(path)), planned=True).save()
    return path


def said(code: int, *arguments) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return " ".join(result.output.split())


def test_two_files_of_one_name_are_kept_apart(tmp_path):
    first, second = begun(written(tmp_path / "a")), written(tmp_path / "b", title="B")
    for command in ("run", "check", "status", "scores", "report"):
        found = said(2, command, second)
        assert f"found that of {first}" in found and "Rename one of the two files." in found
    assert "0 of 1 run " in said(0, "status", first)


def test_a_copy_of_the_same_words_is_the_same_study(tmp_path):
    begun(written(tmp_path / "a"))
    assert "0 of 1 run " in said(0, "status", written(tmp_path / "b"))


def test_a_file_that_was_moved_takes_its_results_along(tmp_path):
    first, second = begun(written(tmp_path / "a")), written(tmp_path / "b", title="B")
    first.unlink()
    assert "was edited after study was run" in said(0, "status", second)


def test_a_study_edited_after_its_run_is_said_to_be(tmp_path):
    path = begun(written(tmp_path))
    assert "edited" not in said(0, "status", path)
    found = said(0, "status", written(tmp_path, seeds=3))
    assert "study.yaml was edited after study was run" in found and "0 of 1 run " in found
    begun(path)
    assert "edited" not in said(0, "status", path)


def test_nothing_is_held_against_a_study_that_was_never_run(tmp_path):
    assert edited_since("study", written(tmp_path), STUDY) == ""


def test_a_table_beside_a_study_does_not_take_its_place(tmp_path):
    path = begun(written(tmp_path))
    (tmp_path / "results" / "study.csv").write_text(ROWS)
    assert "60" not in said(0, "scores", path)
    assert "in place of the study" in said(2, "scores", path, "--csv", tmp_path / "results" / "study.csv")


def test_a_table_and_a_study_of_one_name_are_kept_apart(tmp_path):
    begun(written(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "scores.csv").write_text(ROWS)
    table = tmp_path / "b" / "study.yaml"
    table.write_text("title: T\nsource: scores.csv\n")
    assert "found that of" in said(2, "scores", table)
    assert not (tmp_path / "results" / "study" / "source.csv").exists()


@pytest.mark.parametrize(
    "name", ["runs.yaml", "..yaml", "...yaml", ".yaml", "Runs.yaml", "by_hand.yaml", "published.yaml", "reports.yaml"]
)
def test_a_name_that_is_another_folder_is_refused(tmp_path, refused, name):
    refused(lambda: load_study(str(written(tmp_path, name))), "expected a study's file", "Rename the file.")


@pytest.mark.parametrize("name", ["x" * 240 + ".yaml", "\x1b[31m.yaml", "-x.yaml", " x.yaml"])
def test_a_name_that_is_no_folder_is_refused(tmp_path, refused, name):
    assert "\x1b" not in refused(lambda: load_study(str(written(tmp_path, name))), "Rename the file.")


@pytest.mark.parametrize("name", ["my study", "exp[1]", "étude", "a.b", "2020"])
def test_other_names_are_free(tmp_path, name):
    assert study_name(tmp_path / f"{name}.yaml") == name


def test_where_the_results_lie_is_said_of_a_form_too(tmp_path):
    role = {"run": "a", "stage": "target", "task": "mini/rte", "target": "mini/rte", "seed": 0}
    write_index(tmp_path / "results", "study-mini", [role])
    assert "0 of" in said(0, "status", "study", "--mini") and "There is no study study" in said(2, "status", "study")


@pytest.mark.parametrize(
    ("study", "command"),
    [
        ("demo", "intertask run demo"),
        ("weller2022/pairwise-mini", "intertask run weller2022/pairwise --mini"),
        ("weller2022/pairwise-mini-quick", "intertask run weller2022/pairwise --mini --quick"),
        ("mine", "intertask run FILE.yaml, with its own file"),
    ],
)
def test_how_a_study_is_run_is_said_as_the_command_takes_it(study, command):
    assert how_to_run(study) == command
