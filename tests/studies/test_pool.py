"""The pool between users and through mishaps: modes, leftovers, a folder that moves away, another user's own runs."""

import encodings.idna  # noqa: F401
import encodings.utf_8_sig  # noqa: F401
import json
import multiprocessing
import os
import pdb  # noqa: F401
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from safetensors import SafetensorError
from typer.testing import CliRunner

from intertask.cli import app
from intertask.execution import execute, worker
from intertask.execution.kernel import WarmKernel
from intertask.files import project_root, results_root, write
from intertask.run import Run
from intertask.studies import claims, store
from intertask.studies.graph import Graph, expand
from intertask.studies.status import failure
from intertask.studies.study import load_study
from made_store import make_store, reseal, rewrite_index, write_run
from made_study import write_study

FORK = multiprocessing.get_context("fork")
ONLY_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
STRANGER = 54321


@pytest.fixture
def pool() -> Path:
    store.open_pool()
    return store.pool()


@pytest.fixture(params=[0o002, 0o027], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> set[int]:
    """Of files and, without the bits to enter them, of folders."""
    return {path.stat().st_mode & 0o666 for path in [folder, *folder.rglob("*")]}


def test_modes_are_as_the_umask_says(umask):
    store.open_pool()
    with claims.claim(store.claim_file("x-1")) as attempt, store.staging(attempt) as folder:
        write(folder / "run.json", "{}")
        store.publish(folder, attempt)
    store.keep_failure("y-2", "no space left")
    assert modes(store.pool()) == {0o666 & ~umask}


def test_an_encoder_is_as_readable_as_the_rest(umask, tmp_path):
    from made_study import write_encoder

    assert modes(write_encoder(tmp_path / "encoder")) == {0o666 & ~umask}


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write(tmp_path / "a", "text")
    assert not list(tmp_path.iterdir())


def test_what_dead_processes_of_this_machine_left_is_removed_and_no_more(pool, monkeypatch):
    with claims.claim(store.claim_file("a.b-0123456789ab")) as dead:
        left = pool / ".staging" / dead.name
        left.mkdir()
    monkeypatch.setattr(claims.HERE, "lives", lambda pid: pid == 1)
    made = {"c-1": claims.Observer("another machine"), "d-1": claims.HERE}
    for run_id, machine in made.items():
        attempt = machine.take(store.claim_file(run_id))
        (pool / ".staging" / attempt.name).mkdir()
    told = json.loads(attempt.file.read_text()) | {"pid": 1}
    attempt.file.write_text(json.dumps(told))
    left.with_name(f"{left.name}.old").mkdir()
    with ExitStack() as held:
        marks = [held.enter_context(store.own_mark(pool, "import")) for _ in range(2)]
        marks[1].file.write_text(json.dumps(told))
        for mark in marks:
            (mark.path / "half a run").mkdir(parents=True)
        store.open_pool()
        assert sorted(pool.glob(".import-*")) == [marks[1].path, marks[1].file]
    assert not list(pool.glob(".import-*"))
    assert sorted(path.name for path in (pool / ".staging").iterdir()) == ["c-1.1", "d-1.1"]


def result(attempt, score: float = 60.0, encoder: bool = False) -> Path:
    """A folder that an attempt has made."""
    scratch = store.pool() / ".made"
    write_run(scratch, attempt.path.name, "fruit", 0, score)
    folder = (scratch / "runs" / attempt.path.name).rename(store.pool() / ".staging" / attempt.name)
    if encoder:
        (folder / "encoder").mkdir()
        (folder / "encoder" / "config.json").write_text("{}")
        reseal(folder, "x-1")
    return folder


def attempt_at(run_id: str):
    return claims.HERE.take(store.claim_file(run_id))


def test_the_first_publisher_wins(pool, refused):
    first = attempt_at("x-1")
    assert store.publish(result(first), first) == pool / "x-1"
    record = (pool / "x-1" / "run.json").read_bytes()
    again = attempt_at("x-1")
    assert store.publish(result(again), again) == pool / "x-1"  # equal: dropped
    differing = attempt_at("x-1")
    kept = str(pool / ".differing" / "x-1.1")
    refused(lambda: store.publish(result(differing, 61.0), differing), "the scores of one identity", kept, "--redo")
    assert (pool / "x-1" / "run.json").read_bytes() == record and Path(kept, "run.json").is_file()


def test_who_was_taken_for_dead_does_not_publish(pool):
    attempt = attempt_at("x-1")
    folder = result(attempt)
    attempt.end("no sign of life")
    assert store.publish(folder, attempt) is None and not (pool / "x-1").exists()


def test_a_finished_run_gains_its_encoder_and_is_there_all_the_time(pool, monkeypatch):
    for encoder in (False, True):
        attempt = attempt_at("x-1")
        store.publish(result(attempt, encoder=encoder), attempt)
        store.read("x-1", whole=["predictions", "encoder"])
        assert store.has_encoder("x-1") is encoder


def test_what_is_damaged_makes_room(pool):
    attempt = attempt_at("x-1")
    store.publish(result(attempt), attempt)
    (pool / "x-1" / "run.json").write_text("half a fi")
    attempt = attempt_at("x-1")
    store.publish(result(attempt), attempt)
    assert store.read("x-1") and [path.name for path in pool.glob("[!.]*")] == ["x-1"]


def test_checkpoints_of_finished_runs_are_removed_and_those_of_others_stay(pool):
    write_run(results_root(), "done-1", "a", 0, 70.0)
    for name in ("done-1", "half-1"):
        (store.checkpoints(name) / "000000010.000001.1").mkdir(parents=True)
    store.open_pool()
    assert [path.name for path in (pool / ".checkpoints").iterdir()] == ["half-1"]


def test_checkpoints_of_a_finished_run_that_is_trained_again_for_its_encoder_stay(pool):
    attempt = attempt_at("x-1")
    store.publish(result(attempt), attempt)
    again = attempt_at("x-1")
    (store.checkpoints("x-1") / "000000010.000001.2").mkdir(parents=True)
    again.end("given back")  # killed, say
    store.open_pool()
    assert store.checkpoints("x-1").is_dir()
    last = attempt_at("x-1")
    last.end(claims.PUBLISHED)  # and killed before it removed them
    store.open_pool()
    assert not store.checkpoints("x-1").exists()


def test_parents_in_another_pool_are_not_waited_for(pool, tmp_path, monkeypatch):
    write_run(tmp_path / "other", "x-1", "fruit", 0, 60.0)
    encoder = tmp_path / "other" / "runs" / "x-1" / "encoder"
    monkeypatch.setenv("INTERTASK_POOLS", str(tmp_path / "other"))
    waited = []
    monkeypatch.setattr(store.time, "sleep", lambda _: waited.append(encoder.mkdir()))
    store.wait_for_parents(Run(task="fruit", single_scores={"fruit": ["x-1"]}))
    assert not waited  # for an encoder that is not needed
    store.wait_for_parents(Run(task="fruit", parent="x-1"))
    assert len(waited) == 1
    store.wait_for_parents(Run(task="fruit", parent=["x-1"]))
    assert len(waited) == 1


@pytest.mark.parametrize("words", ["Error while serializing: I/O error: No space left on device (os error 28)", "why"])
def test_what_found_no_room_is_tried_again_whatever_library_says_so(pool, words):
    worker._keep_failure("x-1", pool, SafetensorError(words))
    assert (failure("x-1", own=True) is None) == (words != "why")


def test_a_pool_that_was_moved_is_not_begun_anew(pool, refused, tmp_path):
    with claims.claim(store.claim_file("x-1")) as attempt, store.staging(attempt):
        results_root().rename(tmp_path / "elsewhere")
        refused(lambda: store.keep_failure("x-1", "its folder is gone"), "moved or deleted meanwhile")
    refused(execute.scarcity, "moved or deleted", "that folder")
    with pytest.raises(FileNotFoundError), claims.claim(store.claim_file("x-1")):
        pass
    assert not results_root().exists()


def open_to_all(folder: Path) -> None:
    """Lets other users into a test's folder, which pytest makes for its own user alone, as those around it."""
    for around in (folder, *folder.parents):
        if around in map(Path, ("/", tempfile.gettempdir())):
            break
        around.chmod(0o755)


@pytest.fixture
def graph(tmp_path) -> Graph:
    """The runs of two seeds, in a pool that everybody may write to."""
    open_to_all(tmp_path)
    before = os.umask(0)
    found = expand(*load_study(str(write_study(tmp_path, regimes=["single"], supporting=[], report=[]))))
    found.save()
    store.open_pool()
    yield found
    os.umask(before)


def as_stranger(do, *arguments, **environment: str | None) -> None:
    """Does it in a process of a user whom the machine does not know."""
    process = FORK.Process(target=_as_stranger, args=(environment, do, arguments))
    process.start()
    process.join(120)
    assert process.exitcode == 0


def _as_stranger(environment: dict, do, arguments) -> None:
    os.setpgid(0, 0)  # a kernel ends its group with us
    for name in ("HOME", "INTERTASK_CACHE", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    os.environ.update(environment)
    os.setgroups([])
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    do(*arguments)


def perform(graph: Graph, place: int) -> None:
    run_id, run = list(graph.runs.items())[place]
    job = {"id": run_id, "parameters": run.model_dump(mode="json"), "root": str(project_root())}
    assert worker.claimed(job, WarmKernel()) == worker.DONE


def read(graph: Graph, study: Path) -> None:
    for command in ("status", "scores", "report"):
        result = CliRunner().invoke(app, [command, str(study)])
        assert result.exit_code == 0 and (command != "scores" or next(iter(graph.runs)) in result.output), result.output


def own(graph: Graph, study: Path) -> None:
    """Reads and reports what the first user has left, and adds a run."""
    read(graph, study)
    assert expand(*load_study(str(study))).runs.keys() == graph.runs.keys()  # git vouches for them too
    perform(graph, 1)


@ONLY_ROOT
@pytest.mark.parametrize("home", [{}, {"HOME": "/"}], ids=["no home", "a home of others"])
def test_another_user_reads_reports_and_runs_on_one_pool(graph, tmp_path, home):
    import intertask.execution.preload  # noqa: F401 a stranger may not be able to read what is imported later

    first = FORK.Process(target=_first, args=(graph,))
    first.start()
    first.join(120)
    read(graph, tmp_path / "tiny.yaml")  # with all that is imported for it, as above
    as_stranger(own, graph, tmp_path / "tiny.yaml", **home)
    owners = [(store.pool() / run_id).stat().st_uid for run_id in graph.runs]
    assert owners == [0, STRANGER]
    assert all(store.finished(run_id, whole=["predictions"]) for run_id in graph.runs)


def _first(graph: Graph) -> None:
    os.setpgid(0, 0)
    perform(graph, 0)


def report_elsewhere(folder: Path) -> None:
    """Reports from results that one may only read."""
    here = CliRunner().invoke(app, ["report", "made"])
    assert here.exit_code == 2 and "nothing can be written there. Say with --to FOLDER" in here.output, here.output
    there = CliRunner().invoke(app, ["report", "made", "--to", str(folder)])
    assert there.exit_code == 0 and (folder / "index.html").is_file(), there.output
    scores = CliRunner().invoke(app, ["scores", "made"])
    assert scores.exit_code == 0 and scores.output.startswith("study,run"), scores.output


@ONLY_ROOT
def test_another_user_reports_from_results_that_only_their_owner_may_change(tmp_path):
    import intertask.report  # noqa: F401 a stranger may not be able to read what is imported later

    open_to_all(tmp_path)
    make_store(results_root(), lambda *_: 60.0, name="made", seeds=1)
    rewrite_index(results_root(), "made", report=[])
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", STRANGER, STRANGER)
    before = modes(results_root())
    as_stranger(report_elsewhere, tmp_path / "theirs" / "report")
    assert modes(results_root()) == before and not (results_root() / "made" / "report").exists()


def refused_to_a_stranger() -> None:
    with pytest.raises(Exception, match="expected a folder to write to, found Permission denied"):
        store.open_pool()


@ONLY_ROOT
def test_a_pool_that_one_may_not_write_to_is_refused_before_anything_starts(tmp_path):
    open_to_all(tmp_path)
    results_root().mkdir()
    as_stranger(refused_to_a_stranger)
