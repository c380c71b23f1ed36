"""The tiny study, executed once for all tests that only read it."""

import fcntl
from pathlib import Path

import pytest

from conftest import common
from made_study import succeed, write_study


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
