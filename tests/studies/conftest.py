"""The tiny study, executed once for all tests that only read it."""

from pathlib import Path

import pytest

from made_study import succeed, write_study


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def finished(tiny, tmp_path_factory) -> Path:
    """The results folder of the tiny study, executed without interruption."""
    results = tmp_path_factory.mktemp("finished") / "results"
    results.mkdir()
    succeed("run", tiny, results=results)
    return results
