"""Pools that travel: export, import and pools that are only read; and runs that failed before or are made anew."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from intertask.cli import app
from intertask.execution.redo import compared, former_aside, run_to_redo
from intertask.files import results_root
from intertask.studies import store
from intertask.studies.graph import Graph, expand
from intertask.studies.status import failed_before, unfinished
from intertask.studies.study import load_study
from made_store import make_store, rewrite_index, write_failure, write_predictions, write_run
from made_study import write_study


def said(code: int, *arguments) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return " ".join(result.output.split())


def give_encoder(run_id: str) -> None:
    from made_store import reseal

    (folder := results_root() / "runs" / run_id / "encoder").mkdir()
    (folder / "model.safetensors").write_text(f"weights of {run_id}")
    reseal(folder.parent)


@pytest.fixture
def made(tmp_path) -> Path:
    """Results with one study: each run's predictions are there, and the first has an encoder."""
    make_store(results_root(), lambda *_: 60.0, name="made", seeds=1)
    rewrite_index(results_root(), "made", report=[])
    for run_id in store.run_ids():
        write_predictions(results_root(), run_id, "validation", [1, 0], [1, 1])
    give_encoder(store.run_ids()[0])
    return results_root()


def elsewhere(monkeypatch, made: Path) -> Path:
    """Other results, while those that were made are gone."""
    made.rename(made.with_name("gone"))
    monkeypatch.setenv("INTERTASK_RESULTS", str(made.with_name("laptop")))
    return made.with_name("laptop")


@pytest.mark.parametrize("to", ["out", "out.tar"])
@pytest.mark.parametrize("options", [[], ["--no-encoders"]])
def test_what_is_exported_is_read_where_it_is_imported(to, options, made, tmp_path, monkeypatch):
    before = said(0, "scores", "made")
    assert "9 runs" in said(0, "pool", "export", "made", tmp_path / to, *options)
    laptop = elsewhere(monkeypatch, made)
    assert "9 runs brought; 1 of 1 study" in said(0, "pool", "import", tmp_path / to)
    assert said(0, "scores", "made") == before and "6 of 6" in said(0, "status", "made")
    said(0, "report", "made")
    assert (laptop / "made" / "report" / "index.html").is_file()
    assert [store.has_encoder(run_id) for run_id in store.run_ids()].count(True) == (not options)
    assert "9 runs there already; 0 of 1 study" in said(0, "pool", "import", tmp_path / to)


def test_an_archive_tells_nothing_of_who_made_it(made, tmp_path):
    said(0, "pool", "export", tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar") as archive:
        assert {(one.uid, one.uname, one.mode) for one in archive} == {(0, "", 0o755), (0, "", 0o644)}
    assert "found one that is there" in said(2, "pool", "export", tmp_path / "out.tar")
    assert "found one of theirs" in said(2, "pool", "export", made / "out")


def test_a_study_is_not_taken_for_the_place_where_everything_goes(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "Say where it goes: intertask pool export made TO." in said(2, "pool", "export", "made")
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "new"))
    assert "expected finished runs, found none in" in said(2, "pool", "export", "out")
    assert not (tmp_path / "made").exists() and not (tmp_path / "out").exists()


def test_a_run_without_its_encoder_is_given_it_by_an_equal_one(made, tmp_path, monkeypatch):
    first = store.run_ids()[0]
    said(0, "pool", "export", tmp_path / "bare", "--no-encoders")
    said(0, "pool", "export", tmp_path / "whole")
    elsewhere(monkeypatch, made)
    said(0, "pool", "import", tmp_path / "bare")
    assert not store.finished(first, with_encoder=True)
    assert "1 run there already, now with the encoder" in said(0, "pool", "import", tmp_path / "whole")
    assert store.finished(first, with_encoder=True, whole=["encoder"])


def test_a_changed_byte_is_left_out_and_said(made, tmp_path):
    said(0, "pool", "export", tmp_path / "out")
    damaged = next((tmp_path / "out").rglob("*.parquet"))
    run_id = damaged.relative_to(tmp_path / "out" / "runs").parts[0]
    content = bytearray(damaged.read_bytes())
    content[20] ^= 1
    damaged.write_bytes(content)
    (made / "runs" / run_id).rename(tmp_path / "aside")
    found = said(1, "pool", "import", tmp_path / "out")
    assert f"{damaged}: expected" in found and "1 damaged run LEFT OUT" in found and "8 runs there already" in found
    assert run_id not in store.run_ids() and not list(made.glob("runs/.import-*"))


def test_another_result_is_kept_aside_and_the_first_stays(made, tmp_path):
    said(0, "pool", "export", tmp_path / "out")
    run_id = store.run_ids()[-1]
    write_run(tmp_path / "out", run_id, store.read(run_id)["task"], 0, 99.0)
    kept = made / "runs" / ".differing"
    for number in (1, 2):
        assert f"1 run DIFFERENT from what is there, which stays; kept in {kept}" in said(
            0, "pool", "import", tmp_path / "out"
        )
        assert "99.0" in (kept / f"{run_id}.{number}" / "run.json").read_text()
    assert "99.0" not in (made / "runs" / run_id / "run.json").read_text()


def test_another_study_of_the_name_is_refused_before_anything_comes(made, tmp_path, monkeypatch):
    said(0, "pool", "export", tmp_path / "out")
    rewrite_index(tmp_path / "out", "made", given={"title": "Another"})
    (made / "runs" / store.run_ids()[0]).rename(tmp_path / "aside")
    assert "expected the same study, or none" in said(2, "pool", "import", tmp_path / "out")
    assert len(store.run_ids()) == 8


def _link(archive: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("runs/link")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc"
    archive.addfile(member)


def _upwards(archive: tarfile.TarFile) -> None:
    member = tarfile.TarInfo("../escaped")
    member.size = 1
    archive.addfile(member, io.BytesIO(b"x"))


@pytest.mark.parametrize("harm, words", [(_link, "neither a file nor a folder"), (_upwards, "outside the destination")])
def test_an_archive_that_reaches_out_is_refused_whole(harm, words, made, tmp_path, monkeypatch):
    said(0, "pool", "export", tmp_path / "out.tar")
    with tarfile.open(tmp_path / "out.tar", "a") as archive:
        harm(archive)
    laptop = elsewhere(monkeypatch, made)
    assert words in said(2, "pool", "import", tmp_path / "out.tar")
    assert not store.run_ids() and not list(laptop.rglob("escaped")) and not list(laptop.glob("runs/.import-*"))


@pytest.mark.parametrize("left", [0, 512, 1536, 20_000, -1024, -10_240])
def test_a_cut_archive_is_refused_whole(left, made, tmp_path, monkeypatch):
    said(0, "pool", "export", tmp_path / "out.tar")
    content = (tmp_path / "out.tar").read_bytes().rstrip(b"\0")
    content += bytes(-len(content) % 512)  # where the last member ends
    (tmp_path / "out.tar").write_bytes(content[:left] if left >= 0 else content[:left] or content)
    elsewhere(monkeypatch, made)
    assert "expected a whole archive" in said(2, "pool", "import", tmp_path / "out.tar")
    assert not store.run_ids()


def test_names_in_a_record_that_lead_out_are_refused(made, tmp_path):
    from intertask.files import write_sealed

    said(0, "pool", "export", tmp_path / "out")
    path = next((tmp_path / "out").glob("runs/*/run.json"))
    record = json.loads(path.read_text())
    record["files"]["../../../aside"] = {"bytes": 1, "sha256": ""}
    del record["sha256"]
    (tmp_path / "aside").write_text("x")
    write_sealed(path, path.parent.name, json.dumps(record))
    assert "names of files in its folder" in said(1, "pool", "import", tmp_path / "out")


def test_pools_are_read_and_not_written_to(made, tmp_path, monkeypatch):
    laptop = elsewhere(monkeypatch, made)
    there = made.with_name("gone")
    monkeypatch.setenv("INTERTASK_POOLS", os.path.relpath(there))
    before = {path: path.stat().st_mtime_ns for path in [there, *there.rglob("*")]}
    assert "6 of 6" in said(0, "status", "made") and "made" in said(0, "studies")
    assert said(0, "scores", "made").count("60.0") and "9 runs" in said(0, "pool", "export", tmp_path / "copy")
    said(0, "report", "made")
    assert (laptop / "made" / "report" / "index.html").is_file()
    assert {path: path.stat().st_mtime_ns for path in [there, *there.rglob("*")]} == before
    own = next(run_id for run_id in store.run_ids() if run_id.startswith("mini-cola"))
    write_run(laptop, own, "mini/cola", 0, 99.0)  # one's own come first
    assert "99.0" in said(0, "scores", "made")


def test_an_encoder_is_found_in_another_pool(made, tmp_path, monkeypatch):
    first = store.run_ids()[0]
    said(0, "pool", "export", tmp_path / "bare", "--no-encoders")
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "bare"))
    assert not store.finished(first, with_encoder=True)
    monkeypatch.setenv("INTERTASK_POOLS", str(made))
    assert store.finished(first, with_encoder=True, whole=["encoder"])
    assert store.folder_of(first, with_encoder=True) == made / "runs" / first


@pytest.mark.parametrize("pool", ["nowhere", "results/runs"])
def test_a_pool_that_is_none_is_refused(pool, made, monkeypatch):
    monkeypatch.setenv("INTERTASK_POOLS", f"{made}{os.pathsep}{made.parent / pool}")
    assert "INTERTASK_POOLS: expected results folders" in said(2, "status", "made")


@pytest.fixture
def graph(tmp_path) -> Graph:
    """Two runs of the tiny study, one on ripeness and one that starts from it, and one alone; none is finished."""
    found = expand(*load_study(str(write_study(tmp_path, seeds=1, report=[]))))
    found.save()
    store.open_pool()
    return found


def test_what_failed_of_itself_is_left_with_what_needs_it(graph, tmp_path):
    parent = next(run_id for run_id in graph.runs if run_id.startswith("ripeness"))
    child = next(run_id for run_id, run in graph.runs.items() if parent in run.parents)
    write_failure(results_root(), parent, "DeadKernelError: killed", own=False)
    assert failed_before(unfinished(graph.runs)[0]) == {}
    write_failure(results_root(), parent, "The loss became nan")
    left = failed_before(unfinished(graph.runs)[0])
    assert left == {parent: "cell 4: The loss became nan", child: f"not started: its parent {parent} failed"}
    found = said(0, "run", tmp_path / "tiny.yaml", "--dry-run")
    assert "Left are 2 runs that failed before" in found and "--retry-failed" in found and "1 to do" in found
    assert "3 to do" in said(0, "run", tmp_path / "tiny.yaml", "--dry-run", "--retry-failed")


@pytest.mark.parametrize("score", [60.0, 61.0, None])
def test_a_run_made_anew_is_held_against_the_former_one(graph, score):
    run_id = next(iter(graph.runs))
    write_run(results_root(), run_id, "fruit", 0, 60.0)
    aside = store.pool() / ".replaced" / f"{run_id}.1"
    assert list(run_to_redo(graph, run_id)) == [run_id]
    store.checkpoints(run_id).mkdir(parents=True)
    with former_aside(run_id) as former:
        assert former == aside and not store.finished(run_id) and not store.checkpoints(run_id).exists()
        if score:
            write_run(results_root(), run_id, "fruit", 0, score)
    if score is None:  # it failed: the former one is back
        assert store.finished(run_id) and not aside.exists()
        return
    words = compared(graph, run_id, former)
    assert aside.exists() == (score != 60.0)
    assert ("DIFFERS" in words and str(aside) in words) if aside.exists() else "scores of the former one" in words


def test_what_was_never_made_is_not_made_anew(graph, tmp_path, monkeypatch, refused):
    run_id = next(iter(graph.runs))
    refused(lambda: run_to_redo(graph, run_id), "finished or failed", "still to do")
    write_run(tmp_path / "other", run_id, "fruit", 0, 60.0)
    monkeypatch.setenv("INTERTASK_POOLS", str(tmp_path / "other"))
    refused(lambda: run_to_redo(graph, run_id), "your own results alone", "Unset INTERTASK_POOLS")
