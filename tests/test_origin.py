"""Whose code it is: what git vouches for has no part in identities, and whatever else there is has its own."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from intertask import origin
from intertask.cli import app
from intertask.files import results_root
from intertask.origin import computed_by, edited_code, git_commit
from intertask.run import Run
from intertask.studies.graph import expand
from intertask.studies.store import finished
from intertask.studies.study import load_study
from made_store import write_run
from made_study import write_study

ROOT = Path(__file__).parents[1]


def cells(*sources: str, outputs=()) -> str:
    code = [{"cell_type": "code", "source": [source], "outputs": list(outputs)} for source in sources]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "What is learned"}, *code]})


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A checkout with a little of everything, committed."""
    files = {
        "lib/intertask/metrics.py": "accuracy = 1",
        "lib/intertask/training/train.py": "# trains",
        "lib/intertask/analysis/figures.py": "# draws",
        "lib/intertask/tasks/catalogue/glue.yaml": "rte: {}",
        "lib/minilanguage/lexicon.yaml": "words: [apple]",
        "notebooks/experiments/train.ipynb": cells("train()"),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    git(tmp_path, "init")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "begin")
    monkeypatch.setattr(origin, "LIB", tmp_path / "lib")
    monkeypatch.chdir(tmp_path)
    edited_code.cache_clear()
    yield tmp_path
    edited_code.cache_clear()


def edited(file: Path, content: str) -> str:
    file.write_text(content)
    edited_code.cache_clear()
    return edited_code()


def test_what_is_committed_is_vouched_for(checkout):
    assert edited_code() == ""
    assert edited(checkout / "lib/intertask/metrics.py", "accuracy = 2")
    git(checkout, "commit", "-am", "count twice")
    edited_code.cache_clear()
    assert edited_code() == ""


@pytest.mark.parametrize(
    "name, content",
    [
        ("lib/intertask/metrics.py", "accuracy = 2"),
        ("lib/intertask/training/further.py", "# not known to git"),
        ("lib/minilanguage/lexicon.yaml", "words: [pear]"),
        ("notebooks/experiments/train.ipynb", cells("train() + 1")),
    ],
)
def test_every_edit_of_what_computes_has_a_digest_of_its_own(checkout, name, content):
    one, other = edited(checkout / name, content), edited(checkout / name, content.replace("1", "3") + " ")
    assert len({one, other, ""}) == 3


@pytest.mark.parametrize(
    "name, content",
    [
        ("lib/intertask/analysis/figures.py", "# draws otherwise"),
        ("lib/intertask/tasks/catalogue/glue.yaml", "rte: {}\nmine: {}"),
        ("notebooks/experiments/train.ipynb", cells("train()", outputs=["a picture"])),
        ("notebooks/experiments/mine.ipynb", cells("play()")),
    ],
)
def test_what_computes_nothing_is_free(checkout, name, content):
    assert edited(checkout / name, content) == ""


def test_after_an_edit_of_the_notebook_a_study_has_other_runs_and_says_why(tmp_path, monkeypatch):
    """Runs that are finished stay, and count again when the edit is taken back."""
    notebook = tmp_path / "notebooks" / "experiments" / "train.ipynb"
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    git(tmp_path, "init")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "begin")
    monkeypatch.chdir(tmp_path)
    study = write_study(tmp_path / "own", regimes=["single"], supporting=[], seeds=1, report=[])
    before, genuine = runs_to_do(study), notebook.read_text()
    for run_id in before:
        write_run(results_root(), run_id, "fruit", 0, 70.0)
    assert not runs_to_do(study)
    changed = json.loads(genuine)
    next(cell for cell in changed["cells"][::-1] if cell["cell_type"] == "code")["source"] += ["\nprint('edited')"]
    notebook.write_text(json.dumps(changed))
    after = runs_to_do(study)
    assert len(after) == len(before) == 1 and not after & before
    said = CliRunner().invoke(app, ["run", str(study), "--dry-run"]).output
    assert "The code differs from its commit" in said and edited_code() in said
    notebook.write_text(genuine)
    assert not runs_to_do(study)
    edited_code.cache_clear()


def runs_to_do(study: Path) -> set[str]:
    edited_code.cache_clear()
    return {run_id for run_id in expand(*load_study(str(study))).runs if not finished(run_id)}


def test_without_git_nobody_vouches(checkout, monkeypatch):
    shutil.rmtree(checkout / ".git")
    edited_code.cache_clear()
    before = edited_code()
    assert before and edited(checkout / "lib/intertask/metrics.py", "accuracy = 2") not in ("", before)
    git_commit.cache_clear()
    assert git_commit() is None
    git_commit.cache_clear()


def test_a_library_that_git_ignores_is_not_vouched_for(checkout, monkeypatch):
    (checkout / ".gitignore").write_text(".venv")
    shutil.copytree(checkout / "lib", checkout / ".venv")
    monkeypatch.setattr(origin, "LIB", checkout / ".venv")
    edited_code.cache_clear()
    assert edited_code()


def test_what_shows_are_the_rooms_above_training():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = contracts[0]["layers"]
    above = " | ".join(layers[: layers.index("intertask.training | intertask.execution")])
    assert {name.removesuffix(".py") for name in origin.SHOWING} == {*above.replace("intertask.", "").split(" | ")}


def test_code_and_what_computes_are_identity(monkeypatch):
    ids = {Run(task="mini/rte").id()}
    monkeypatch.setattr("intertask.run.edited_code", lambda: "0123")
    ids.add(Run(task="mini/rte").id())
    for change in ({"device": "cuda"}, {"precision": "bfloat16"}, {"torch": "9.9"}, {"numpy": "9.9"}):
        monkeypatch.setattr("intertask.run.computed_by", lambda *_, change=change: computed_by() | change)
        ids.add(Run(task="mini/rte").id())
    assert len(ids) == 6


def test_a_patch_of_a_library_gives_the_same_numbers(monkeypatch):
    found = []
    for torch in ("2.13.0", "2.13.1+cu130", "2.14.0"):
        monkeypatch.setattr(origin, "version", {"torch": torch}.get)
        monkeypatch.setattr(origin, "COMPUTING", ("torch",))
        origin._abilities_here.cache_clear()
        found.append(computed_by()["torch"])
    origin._abilities_here.cache_clear()
    assert found == ["2.13", "2.13", "2.14"]
