"""The pool between users and through mishaps: modes, leftovers, a folder that moves away, another user's own runs."""

import encodings.idna  # noqa: F401
import encodings.utf_8_sig  # noqa: F401
import multiprocessing
import os
import pdb  # noqa: F401
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from intertask.cli import app
from intertask.files import project_root, results_root, write
from intertask.studies import execute, store, worker
from intertask.studies.graph import Graph, expand
from intertask.studies.kernel import WarmKernel
from intertask.studies.study import load_study
from made_store import make_store, rewrite_index
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
    with store.claim("x-1", wait=False), store.staging("x-1") as folder:
        write(folder / "run.json", "{}")
        store.publish(folder, "x-1")
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


def test_what_dead_holders_left_is_removed_and_what_is_claimed_stays(pool):
    for name in ("a.b-0123456789ab.0a1b2c3d", "a.b-0123456789ab.0a1b2c3d.old", "c-0123456789ab.0a1b2c3d"):
        (pool / ".staging" / name).mkdir()
    with store.claim("c-0123456789ab", wait=False):
        store.open_pool()
        assert [path.name for path in (pool / ".staging").iterdir()] == ["c-0123456789ab.0a1b2c3d"]


def test_a_pool_that_was_moved_is_not_begun_anew(pool, refused, tmp_path):
    with store.claim("x-1", wait=False), store.staging("x-1"):
        results_root().rename(tmp_path / "elsewhere")
        refused(lambda: store.keep_failure("x-1", "its folder is gone"), "moved or deleted meanwhile")
    refused(execute.scarcity, "moved or deleted", "that folder")
    with pytest.raises(FileNotFoundError), store.claim("x-1", wait=False):
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
    job = {"id": run_id, "parameters": run.model_dump(mode="json"), "wait": False, "root": str(project_root())}
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
    import intertask.studies.preload  # noqa: F401 a stranger may not be able to read what is imported later

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
