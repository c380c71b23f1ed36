"""Kernels that come up, many at once, and what is said of one that does not; the rest is tested with its worker."""

import asyncio
import multiprocessing
import os

import nbformat
import pytest

from intertask.execution.kernel import PromptClient, WarmKernel
from intertask.execution.worker import execute_notebook

FORK = multiprocessing.get_context("fork")
AT_ONCE = 5
STARTS = int(os.environ.get("INTERTASK_STARTS", 2))


def test_a_kernel_that_does_not_answer_is_told_of_with_the_time_it_had(monkeypatch):
    monkeypatch.setattr(PromptClient, "_greeted", lambda self: asyncio.Event().wait())
    with pytest.raises(RuntimeError, match="did not answer within 0.01 s"):
        asyncio.run(PromptClient().wait_for_ready(0.01))


def test_of_kernels_that_start_at_the_same_moment_none_is_lost(tmp_path):
    cell = nbformat.v4.new_code_cell("import os\nprint('begun', os.getpid())")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "begin.ipynb")
    together = FORK.Barrier(AT_ONCE)
    processes = [FORK.Process(target=_start, args=(tmp_path, place, together)) for place in range(AT_ONCE)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * AT_ONCE
    begun = {path.read_text().partition("begun ")[2].partition("\\n")[0] for path in tmp_path.glob("*-*.ipynb")}
    assert len(begun) == AT_ONCE * STARTS


def _start(folder, place: int, together) -> None:
    os.setpgid(0, 0)  # a kernel ends its group with us
    for number in range(STARTS):
        warm = WarmKernel()
        together.wait(60)
        execute_notebook(folder / "begin.ipynb", folder / f"{place}-{number}.ipynb", {}, warm)
