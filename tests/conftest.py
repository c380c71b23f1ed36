"""Fixtures for all tests: real data where there is any, empty results, the tiny study, a task of one's own, axes."""

import fcntl
import json
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import yaml

import intertask
import made_language  # noqa: F401
from intertask.errors import IntertaskError
from intertask.files import processors
from made_notebook import execute_notebook
from made_study import succeed, write_study

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what the tests hold to the last bit is so on a processor

REQUIRED = os.environ.get("INTERTASK_REQUIRE") == "1"
"""Set where nothing may be skipped for want of data or a browser (.ci/run)."""

TRAIN = "text,stars\ngood,5\nbad,1\nso so,3\nfine,5\n"
DEV = "text,stars\nwell,5\nno,1\n"
ENTRY = {
    "files": {"train": "train.csv", "validation": "dev.csv"},
    "format": "classification",
    "inputs": ["text"],
    "label": "stars",
}

LIB = Path(intertask.__file__).parent
SHARED = os.environ.get("INTERTASK_SHARED")
HUB = os.environ.get("INTERTASK_HUB") or SHARED and f"{SHARED}/hub"


def pytest_xdist_auto_num_workers(config) -> int:
    """One more than there are processors: tests wait for the processes that they start."""
    return processors() + 1


def pytest_collection_modifyitems(items) -> None:
    """The longest files first, or one process would be left with one of them while the others have ended."""
    items.sort(key=lambda item: item.path.parent.name not in ("lab", "execution", "studies"))


def absent(reason: str) -> None:
    """Skips the test, or fails it where everything must run."""
    if REQUIRED:
        pytest.fail(f"INTERTASK_REQUIRE=1, but {reason}")
    pytest.skip(reason)


def common(tmp_path_factory) -> Path:
    """The folder that all processes of a session share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(autouse=True, scope="session")
def one_cache(tmp_path_factory):
    """What is made and tokenised is so once for all tests; nothing comes from the user's cache or goes there."""
    os.environ["INTERTASK_CACHE"] = str(common(tmp_path_factory) / "cache")


@pytest.fixture(scope="session")
def tiny(finished) -> Path:
    return finished.with_name("tiny.yaml")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The results folder of the tiny study, executed without interruption."""
    folder = common(tmp_path_factory) / "tiny"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "results").exists():
            succeed("run", write_study(folder), results=folder / "made")
            (folder / "made").rename(folder / "results")
    return folder / "results"


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    """For tests of what is made where nothing was kept."""
    monkeypatch.setenv("INTERTASK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """No variable of the user's reaches a test, and nothing a test does reaches the user's results."""
    for name in ("INTERTASK_HUB", "INTERTASK_CORPORA", "INTERTASK_NOTEBOOKS", "INTERTASK_POOLS", "INTERTASK_STAGING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "results"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data for evaluation; named by INTERTASK_SHARED."""
    return folder_of(SHARED, "real data is needed: INTERTASK_SHARED names no folder")


@pytest.fixture(scope="session")
def hub() -> Path:
    """A mirror of real data sets; named by INTERTASK_HUB, or hub/ in INTERTASK_SHARED."""
    return folder_of(HUB, "a mirror of real data is needed: neither INTERTASK_HUB nor INTERTASK_SHARED names one")


def folder_of(named: str | None, reason: str) -> Path:
    if not named or not Path(named).is_dir():
        absent(reason)
    return Path(named)


@pytest.fixture
def own_task(tmp_path):
    """Writes tasks.yaml with the task `reviews` (ENTRY with changes; None takes a key out) and data files beside it.

    A file's content is text, bytes, or a list of records for JSON lines.
    """

    def write(contents=None, /, **changes):
        entry = {key: value for key, value in {**ENTRY, **changes}.items() if value is not None}
        task_file = tmp_path / "tasks.yaml"
        task_file.write_text(yaml.safe_dump({"reviews": entry}, sort_keys=False), encoding="utf-8")
        for name, content in {"train.csv": TRAIN, "dev.csv": DEV, **(contents or {})}.items():
            if isinstance(content, list):
                content = "".join(json.dumps(record) + "\n" for record in content)
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(task_file)

    return write


@pytest.fixture
def refused():
    """Calls a function that must raise IntertaskError and checks that the message holds each of the parts."""

    def check(call, *parts):
        with pytest.raises(IntertaskError) as caught:
            call()
        for part in parts:
            assert part in str(caught.value)
        return str(caught.value)

    return check


@pytest.fixture
def reached(monkeypatch) -> set[str]:
    """The functions of the library that refused something meanwhile, as "studies/ready.py check_reading"."""
    found, init = set(), IntertaskError.__init__

    def note(error, *arguments, **named):
        frame = sys._getframe(1)
        frame = frame.f_back if frame.f_code.co_name == "refusal" else frame
        place = Path(frame.f_code.co_filename)
        if LIB in place.parents:
            found.add(f"{place.relative_to(LIB).as_posix()} {frame.f_code.co_qualname}")
        init(error, *arguments, **named)

    monkeypatch.setattr(IntertaskError, "__init__", note)
    return found


@pytest.fixture
def forked_kernels(monkeypatch):
    """Reports are built of notebooks whose kernels are forked; strictly: a warning in them is an error."""
    monkeypatch.setattr("intertask.report.execute_notebook", execute_notebook)


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    fig.canvas.draw()  # warnings of the drawing itself are errors too
    plt.close(fig)
