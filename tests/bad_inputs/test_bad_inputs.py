"""What users write wrongly: refused in words, with the line, exit 2, nothing written, and never a traceback."""

import re

import pytest
from typer.testing import CliRunner

from bad_inputs import bad_studies
from intertask.cli import app


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
