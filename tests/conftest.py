"""Fixtures for all tests: real data beside the checkout where there is any, and an empty results folder."""

import os
from pathlib import Path

import pytest

REQUIRED = os.environ.get("INTERTASK_REQUIRE") == "1"
"""Set where nothing may be skipped for want of data or a browser (.ci/run)."""

HUB = os.environ.get("INTERTASK_HUB", "")


def absent(reason: str) -> None:
    """Skips the test, or fails it where everything must run."""
    if REQUIRED:
        pytest.fail(f"INTERTASK_REQUIRE=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Nothing that is kept for a whole session comes from the user's cache or goes there."""
    os.environ["INTERTASK_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """No variable of the user's reaches a test, and nothing a test does reaches the user's results."""
    for name in ("INTERTASK_HUB", "INTERTASK_CORPORA", "INTERTASK_STAGING", "INTERTASK_NOTEBOOKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("INTERTASK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data for evaluation; named by INTERTASK_SHARED."""
    folder = Path(os.environ.get("INTERTASK_SHARED", "/nonexistent"))
    if not folder.is_dir():
        absent("real data is needed: INTERTASK_SHARED names no folder")
    return folder


@pytest.fixture(scope="session")
def hub() -> Path:
    """A mirror of real data sets; named by INTERTASK_HUB, or hub/ in INTERTASK_SHARED."""
    folder = Path(HUB or Path(os.environ.get("INTERTASK_SHARED", "/nonexistent")) / "hub")
    if not folder.is_dir():
        absent("a mirror of real data is needed: neither INTERTASK_HUB nor INTERTASK_SHARED names one")
    return folder
