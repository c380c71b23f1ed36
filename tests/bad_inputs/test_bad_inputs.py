"""What users write wrongly: refused in words, with the line, exit 2, nothing written, and never a traceback."""

import re

import pytest
from typer.testing import CliRunner

from bad_inputs import bad_calls, bad_data, bad_studies, bad_tables, bad_tasks
from intertask.cli import app
from intertask.run import Run
from intertask.tasks.load import load_task


def refusal(folder, *arguments) -> str:
    """What the command says to an input that it must refuse; fails if it wrote anything, or fell."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit), (result.output, result.exception)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return " ".join(result.output.split())


def with_lines(text: str, lines: str) -> tuple[str, range]:
    """The text with its line of the same key replaced, or with one more; and where that stands."""
    key = lines.split(":")[0]
    own = text.splitlines()
    at = next((number for number, line in enumerate(own) if line.lstrip().split(":")[0] == key.lstrip()), len(own))
    own[at : at + 1] = lines.split("\n")
    return "\n".join(own) + "\n", range(at + 1, at + 2 + lines.count("\n"))


def line_named(said: str, file) -> int:
    found = re.match(rf"{re.escape(str(file))}, line (\d+)", said)
    assert found, said
    return int(found[1])


@pytest.mark.parametrize("lines, words", bad_studies.LINES)
def test_a_wrong_line_of_a_study(tmp_path, lines, words):
    text, places = with_lines(bad_studies.STUDY, lines)
    path = tmp_path / "study.yaml"
    path.write_text(text)
    said = refusal(tmp_path, "check", path)
    assert words in said
    assert "line " in words or lines.startswith("source") or line_named(said, path) in places


@pytest.mark.parametrize("text, words", bad_studies.TEXTS)
def test_a_wrong_study_file(tmp_path, text, words):
    path = tmp_path / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = refusal(tmp_path, "check", path)
    assert words in said and str(path) in said


def task_file(folder, text=bad_tasks.TASKS, rows=bad_tasks.ROWS):
    path = folder / "tasks.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "train.csv").write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    (folder / "dev.csv").write_text(bad_tasks.ROWS)
    return path


@pytest.mark.parametrize("lines, words", bad_tasks.LINES)
def test_a_wrong_line_of_a_task_file(tmp_path, lines, words):
    text, places = with_lines(bad_tasks.TASKS, lines)
    path = task_file(tmp_path, text)
    said = refusal(tmp_path, "task", "check", path)
    assert words in said
    assert line_named(said, path) in places


@pytest.mark.parametrize("name, words", bad_tasks.NAMES)
def test_a_wrong_name_of_a_task(tmp_path, name, words):
    path = task_file(tmp_path, bad_tasks.TASKS.replace("t:", f"{name}:", 1))
    said = refusal(tmp_path, "task", "check", path)
    assert words in said and line_named(said, path) == 1


@pytest.mark.parametrize("text, words", bad_tasks.TEXTS)
def test_a_wrong_task_file(tmp_path, text, words):
    path = task_file(tmp_path, text)
    said = refusal(tmp_path, "task", "check", path)
    assert words in said and str(path) in said


@pytest.mark.parametrize("rows, words", bad_tasks.DATA)
def test_wrong_data_of_a_task(tmp_path, rows, words):
    assert words in refusal(tmp_path, "task", "check", task_file(tmp_path, rows=rows))


@pytest.fixture
def loaded(own_task):
    """Loads a task of these keys with files of this kind, dev like train where none is given."""

    def load(keys, kind, train, dev=None):
        names = {"train": f"train.{kind}", "validation": f"dev.{kind}"}
        return load_task(
            "reviews", own_task({names["train"]: train, names["validation"]: dev or train}, files=names, **keys)
        )

    return load


@pytest.mark.parametrize("keys, kind, train, dev, words", bad_data.DATA)
def test_wrong_data_of_any_format(loaded, refused, keys, kind, train, dev, words):
    refused(lambda: loaded(keys, kind, train, dev), words)


@pytest.mark.parametrize("keys, kind, train, column, values", bad_data.READ)
def test_data_that_looks_wrong_and_is_not(loaded, keys, kind, train, column, values):
    assert loaded(keys, kind, train).splits["train"][column].tolist() == values


def source(folder, text=bad_tables.SOURCE, rows=bad_tables.ROWS):
    path = folder / "theirs.yaml"
    path.write_text(text)
    (folder / "scores.csv").write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    return path


@pytest.mark.parametrize("command", ["scores", "report"])
@pytest.mark.parametrize("lines, words", bad_tables.LINES)
def test_a_wrong_line_of_a_source_file(tmp_path, command, lines, words):
    text, places = with_lines(bad_tables.SOURCE, lines)
    path = source(tmp_path, text)
    said = refusal(tmp_path, command, path)
    assert words in said
    # what a table holds is said of the table
    assert re.match(rf"{tmp_path}/\w+\.csv", said) or "line " in words or line_named(said, path) in places


@pytest.mark.parametrize("rows, words", bad_tables.TABLES)
def test_a_wrong_table_of_scores(tmp_path, rows, words):
    said = refusal(tmp_path, "scores", source(tmp_path, rows=rows))
    assert words in said and "scores.csv" in said


@pytest.mark.parametrize("parameters, words", bad_calls.PARAMETERS)
def test_wrong_parameters_of_a_run(refused, parameters, words):
    refused(lambda: Run.from_notebook(dict(parameters)), words)


@pytest.mark.parametrize("arguments, words", bad_calls.FLAGS)
def test_wrong_arguments(tmp_path, arguments, words):
    assert words in refusal(tmp_path, *arguments)
