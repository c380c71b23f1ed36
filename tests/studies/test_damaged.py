"""What lies on disk and is not as it was written: what every command says of it, and that no number comes of it."""

import csv
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from intertask.cli import app
from intertask.execution import execute, here
from intertask.files import results_root, write_sealed
from intertask.studies.graph import expand
from intertask.studies.study import load_study
from made_store import reseal, write_failure, write_index, write_predictions, write_run
from made_task import write_fruit

STUDY = {
    "title": "Fruit",
    "encoders": ["mini/bert"],
    "targets": ["fruit"],
    "regimes": ["single"],
    "seeds": 3,
    "task_file": "tasks.yaml",
    "report": [],
}


@pytest.fixture
def study(tmp_path) -> Path:
    """A study of which the encoder and the runs of two seeds are in the pool; the third failed."""
    write_fruit(tmp_path)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    graph = expand(*load_study(str(path)))
    graph.save()
    for run_id, run in graph.runs.items():
        if run.seed == 2:
            write_failure(results_root(), run_id, "no space left", own=False)
            continue
        write_run(results_root(), run_id, run.task, run.seed, 60.0 + run.seed)
        write_predictions(results_root(), run_id, "validation", [1] * 10, [1] * 6 + [0] * 4)
        if run.keep_encoder:
            for name in ("config.json", "model.safetensors"):
                (folder_of(run_id) / "encoder").mkdir(exist_ok=True)
                (folder_of(run_id) / "encoder" / name).write_text("{'weights': 1}")
            reseal(folder_of(run_id))
    return path


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """The runs that the command starts; none is."""
    runs = []

    def execute_nothing(todo, *_):
        runs.extend(todo)
        return SimpleNamespace(done=[], failed={}, stopped=None, too_long=[])

    monkeypatch.setattr(execute, "execute", execute_nothing)
    return runs


def folder_of(run_id: str) -> Path:
    return results_root() / "runs" / run_id


def pretrained() -> Path:
    return next(results_root().glob("runs/mini-text*"))


def trained(seed: int) -> Path:
    return next(results_root().glob(f"runs/fruit.bert.s{seed}-*"))


def said(code: int, *arguments) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code and not isinstance(result.exception, (OSError, ValueError, KeyError)), result
    return " ".join(result.output.split())


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def older(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))


def other_score(path: Path) -> None:
    path.write_text(path.read_text().replace("60.0", "90.0"))


def of_another_run(path: Path) -> None:
    shutil.copy(trained(1) / "run.json", path)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def unreadable(path: Path) -> None:
    path.unlink()
    path.mkdir()


def in_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def of_another_version(path: Path) -> None:
    """Whole, but without what is read of it."""
    content = json.loads(path.read_text())
    del content["sha256"], content["tasks" if path.name == "run.json" else "given"]
    write_sealed(path, path.parent.name, json.dumps(content))


PARQUET, WEIGHTS = "predictions/fruit.parquet", "encoder/model.safetensors"


@pytest.mark.parametrize(
    "name, damage, words, read_only_by_whole",
    [
        ("run.json", cut, "found half a file", False),
        ("run.json", emptied, "found an empty file", False),
        ("run.json", older, "found a file of an earlier version", False),
        ("run.json", other_score, "found other content: changed, or copied from elsewhere", False),
        ("run.json", of_another_run, "found other content: changed, or copied from elsewhere", False),
        ("run.json", flipped, "found", False),
        ("run.json", unreadable, "expected a file that can be read, found Is a directory", False),
        ("run.json", in_a_circle, "expected a file that can be read, found Too many levels", False),
        ("run.json", of_another_version, "expected a file of this version, found one without tasks", False),
        (PARQUET, in_a_circle, "found Too many levels of symbolic links", False),
        (PARQUET, cut, "bytes. It is left out", False),
        (PARQUET, emptied, "found 0 bytes", False),
        (PARQUET, flipped, "found others: they were changed or damaged", True),
    ],
)
def test_a_damaged_run_is_named_left_out_and_made_anew(name, damage, words, read_only_by_whole, study, started):
    run_id = trained(0).name
    damage(trained(0) / name)
    named = f"{run_id}/{name}: expected"
    for output in (said(0, "run", study, "--dry-run"), said(0, "check", study)):
        assert named in output and words in output and "makes it anew" in output
    said(0, "run", study)
    assert started == [run_id, next(i for i in started if ".s2-" in i)]
    output, table = said(0, "status", study), scores(study)
    if read_only_by_whole:  # who does not read it does not miss it
        assert "target 2 of 3 runs finished" in output and table == {run_id: "60.0", trained(1).name: "61.0"}
    else:
        assert "target 1 of 3 runs finished" in output and named in output and words in output
        assert table == {trained(1).name: "61.0"}
    index = (results_root() / "own" / "report" / "index.html").read_text() if said(0, "report", study) else ""
    assert "<b>2</b> done" in index and f"{run_id}/{name}: expected" in index
    assert "expected a finished target run of every GLUE task" in said(2, "submit", study)


def scores(study) -> dict[str, str]:
    """Run -> main score of the targets."""
    result = CliRunner().invoke(app, ["scores", str(study)])
    assert result.exit_code == 0
    rows = csv.DictReader(io.StringIO(result.stdout))
    return {row["run"]: row["score"] for row in rows if row["metric"] == "main" and row["target"]}


@pytest.mark.parametrize(
    "damage, words",
    [(cut, "bytes. It is left out"), (emptied, "found 0 bytes"), (Path.unlink, "found none")],
)
def test_a_damaged_encoder_is_made_anew(damage, words, study, started):
    run_id = pretrained().name
    damage(pretrained() / WEIGHTS)
    for output in (said(0, "run", study, "--dry-run"), said(0, "status", study)):
        assert f"{run_id}/{WEIGHTS}: expected" in output and words in output
    said(0, "run", study)
    assert started[0] == run_id
    assert len(scores(study)) == 2  # those that started from it are sound


def test_the_digest_of_an_encoder_is_asked_for_where_a_run_to_do_starts_from_it(study, started):
    flipped(pretrained() / WEIGHTS)
    assert f"{pretrained().name}/{WEIGHTS}: expected the 14 bytes that the run left" in said(0, "run", study)
    assert started[0] == pretrained().name and len(started) == 2
    assert "pretraining 1 of 1 run finished" in said(0, "status", study)


def test_an_encoder_that_was_left_behind_is_missed_only_by_who_needs_it(study, started):
    shutil.rmtree(pretrained() / "encoder")
    assert "pretraining 1 of 1 run finished" in said(0, "status", study)
    said(0, "run", study)
    assert started[0] == pretrained().name


@pytest.mark.parametrize(
    "damage", [cut, emptied, unreadable, *(lambda path, t=text: path.write_text(t) for text in ("[]", "[" * 100_000))]
)
def test_a_damaged_reason_is_a_failure_all_the_same(damage, study, started):
    damage(next(results_root().glob("runs/.failed/*/failure.json")))
    words = "failure.json says why, and cannot be read"
    assert words in said(0, "status", study)
    said(0, "report", study)
    assert words in (results_root() / "own" / "report" / "index.html").read_text()
    assert len(scores(study)) == 2
    said(0, "run", study)
    assert len(started) == 1


def of_another_study(path: Path) -> None:
    shutil.copy(results_root() / "other" / "study.json", path)


@pytest.mark.parametrize(
    "damage, words",
    [
        (cut, "found half a file"),
        (emptied, "found an empty file"),
        (older, "found a file of an earlier version"),
        (flipped, "found"),
        (of_another_study, "found other content: changed, or copied from elsewhere"),
        (unreadable, "expected a file that can be read"),
        (in_a_circle, "expected a file that can be read, found Too many levels of symbolic links"),
        (of_another_version, "expected a file of this version, found one without given"),
    ],
)
def test_a_damaged_snapshot_is_refused_and_written_anew_and_stops_no_other_study(damage, words, study, started):
    role = {"run": trained(0).name, "stage": "target", "task": "fruit", "target": "fruit", "seed": 0}
    write_index(results_root(), "other", [role])
    path = results_root() / "own" / "study.json"
    damage(path)
    for command in ("status", "scores", "report", "submit"):
        output = said(2, command, study)
        assert "own/study.json: expected" in output and words in output and "intertask run" in output
    assert "1 of 1 run finished" in said(0, "status", "other")
    said(0, "run", study, "--dry-run")
    if path.is_dir():
        path.rmdir()
    said(0, "run", study)
    assert "target 2 of 3 runs finished" in said(0, "status", study)


def test_a_table_beside_a_snapshot_is_not_the_study(study):
    """As one would export it there."""
    (results_root() / "own" / "source.csv").write_text("encoder,target,score\nmini/bert,fruit,99\n")
    assert set(scores(study).values()) == {"60.0", "61.0"}
    assert "own: without 1 run;" in said(0, "scores", study)


@pytest.mark.parametrize("place", ["results", "results/own", "results/runs"])
def test_a_place_that_is_none_is_refused_in_words(place, study, tmp_path, monkeypatch):
    """A file, or a link to itself, where a folder should be."""
    monkeypatch.setattr(here, "_prepare_to_fork", lambda warm: None)  # which would last as long as this process
    for kind in (Path.touch, lambda path: path.symlink_to(path)):
        path = tmp_path / place
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        kind(path)
        for command in ("status", "scores", "run"):
            result = CliRunner().invoke(app, [command, str(study)])
            assert result.exit_code in (0, 2) and isinstance(result.exception, SystemExit | None), result
        assert "expected a" in said(2, "run", study)
