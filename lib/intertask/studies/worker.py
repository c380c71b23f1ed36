"""One run in one process: claims it, executes its notebook with papermill, publishes its folder.

A worker is forked from a process that has imported everything already (`preload`), and its kernel from the worker. It
holds one end of a pipe to its driver; when that closes, the driver is dead, and the worker stops at once, its kernel
with it. Where forking is not safe, or by option, kernels are started anew instead, and give the same scores.
"""

import json
import os
import shutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from intertask.files import private_folder, project_root
from intertask.run import Run
from intertask.studies import store
from intertask.studies.lifeline import hold

DONE, FAILED, BUSY = 0, 1, 3
"""Exit codes: published (by us or, meanwhile, by another), failed with a reason in the store, claimed by another."""


def main(job: dict[str, Any], driver: Connection) -> NoReturn:
    """Does the job of `execute.start` and exits with one of the codes above."""
    from intertask.studies.kernel import QUIET, WarmKernel

    os.setpgid(0, 0)  # a group of its own: killed as one, a warm kernel with it
    os.chdir(job["root"])  # where the driver stands may be deleted meanwhile
    os.environ |= {"INTERTASK_RESULTS": job["results"]} | QUIET
    with open(os.devnull, "w") as nowhere:  # kernels write to our standard output and error what nobody reads
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    warm = WarmKernel() if job["warm"] else None  # before there are threads: they do not survive a fork
    hold(driver.fileno())
    try:
        sys.exit(claimed(job, warm, driver))
    except Exception as error:
        _keep_failure(job["id"], Path(), error)
        sys.exit(FAILED)


def claimed(job: dict[str, Any], warm, driver: Connection | None = None) -> int:
    """The run if it is free, and not finished by another meanwhile; a driver is told when the wait is over."""
    run = Run.checked(job["parameters"])
    with store.claim(job["id"], wait=job["wait"]) as ours:
        if not ours:
            return BUSY
        if driver and job["wait"]:
            driver.send_bytes(b"claimed")
        if store.finished(job["id"], run.keep_encoder, whole=["predictions", "encoder"]):
            return DONE
        with store.staging(job["id"]) as folder:
            notebook = Path(job["root"], "notebooks", "experiments", "train.ipynb")
            return perform(job["id"], run, notebook, folder, warm)


def perform(run_id: str, run: Run, notebook: Path, folder: Path, warm=None) -> int:
    """Executes the notebook into the folder; only the record that its last cell writes counts as success."""
    shutil.rmtree(store.failure_folder(run_id), ignore_errors=True)
    os.environ |= {"INTERTASK_STAGING": str(folder), "OMP_NUM_THREADS": str(run.threads)}
    try:
        execute_notebook(notebook, store.notebook_file(folder), run.model_dump(mode="json"), warm)
        if not (folder / "run.json").is_file():
            raise RuntimeError("the notebook ended without writing its record")
        found = json.loads((folder / "run.json").read_text(encoding="utf-8"))["id"]
        if found != run_id:
            raise RuntimeError(
                f"expected to run {run_id}, found {found}: the data, the code or the device changed since the study "
                "was expanded"
            )
        store.publish(folder, run_id)
    except Exception as error:
        _keep_failure(run_id, store.notebook_file(folder), error)
        return FAILED
    return DONE


def execute_notebook(
    notebook: Path, output: Path, parameters: dict[str, Any], warm=None, kernel_arguments: Sequence[str] = ()
) -> None:
    """papermill with an ordinary kernel, or the warm one given."""
    import papermill

    from intertask.studies import engine  # noqa: F401, it registers itself
    from intertask.studies.kernel import START_TIMEOUT, manager_class

    with private_folder() as sockets, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if not os.access(os.path.expanduser("~"), os.W_OK):  # of a user without a name, as in a container
            os.environ["HOME"] = str(sockets)  # Jupyter and IPython each want a place of their own there
        papermill.execute_notebook(
            _verbatim(notebook),
            _verbatim(output),
            parameters=parameters,
            engine_name="intertask",
            kernel_name="python3",
            cwd=str(project_root()),
            progress_bar=False,
            start_timeout=START_TIMEOUT,
            iopub_timeout=120,
            kernel_manager_class=manager_class(sockets, warm),
            shutdown_kernel="immediate",
            extra_arguments=list(kernel_arguments),
        )


def _verbatim(path: Path) -> str:
    """A path as papermill takes it, which fills parameters into what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _keep_failure(run_id: str, notebook: Path, error: Exception) -> None:
    """Leaves the reason, and the notebook beside it, where there is room for them."""
    cell = getattr(error, "cell_index", _last_started(notebook))
    reason = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else f"{type(error).__name__}: {error}"
    with suppress(OSError):
        store.keep_failure(run_id, reason.strip(), cell)
        if notebook.is_file():
            os.replace(notebook, store.notebook_file(store.failure_folder(run_id)))


def _last_started(notebook: Path) -> int | None:
    """papermill marks every cell of a killed kernel "completed": the last one that started is where it died."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):  # not begun, or cut short by a full disk
        return None
    started = [i for i, cell in enumerate(cells) if cell["metadata"].get("papermill", {}).get("start_time")]
    return started[-1] if started else None
