"""Analysis notebooks executed in real kernels, forked from one process that has imported what they import."""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver, get_context
from pathlib import Path

import pytest

from intertask.execution import kernel, worker

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload([
    "papermill", "nbformat", "ipykernel.debugger", "matplotlib.pyplot", "pyarrow.parquet", "pandas.io.formats.html",
    "statsmodels.stats.multitest", "intertask.report", "intertask.analysis.inference", "intertask.analysis.regimes",
    "intertask.papers.best_of_each", "intertask.papers.audit", "intertask.analysis.correlation_figures",
])  # fmt: skip


def execute_notebook(notebook: Path, output: Path, parameters: dict, kernel_arguments: Sequence[str] = ()) -> None:
    """As `worker.execute_notebook`, in this process's environment; a warning in the notebook is an error."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kernel.QUIET.items():
            patch.setenv(name, value)
        forkserver.ensure_running()
    with ProcessPoolExecutor(1, mp_context=FORKS) as pool:
        asked = notebook, output, parameters, kernel_arguments
        pool.submit(_execute, asked, dict(os.environ), os.getcwd()).result()


def _execute(asked: tuple, environment: dict[str, str], folder: str) -> None:
    os.setpgid(0, 0)  # the kernel ends its group with us
    os.chdir(folder)
    os.environ.update(environment | kernel.QUIET)
    from intertask.execution.kernel import WarmKernel

    warnings.simplefilter("error")
    warnings.simplefilter("ignore", PendingDeprecationWarning)  # ipykernel's, at shutdown
    warnings.filterwarnings("ignore", "There is no current event loop", DeprecationWarning)  # its start, Python 3.12
    warnings.filterwarnings("ignore", "InlineBackend._figure_formats_changed", DeprecationWarning)  # IPython's own
    notebook, output, parameters, kernel_arguments = asked
    worker.execute_notebook(notebook, output, parameters, WarmKernel(), kernel_arguments)
