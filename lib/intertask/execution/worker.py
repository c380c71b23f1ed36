"""One run in one process: claims it, executes its notebook with papermill, publishes its folder.

A worker is forked from a process that has imported everything already (`preload`), and its kernel from the worker. It
holds one end of a pipe to its driver; when that closes, the driver is dead, and the worker stops at once, its kernel
with it. Where forking is not safe, or by option, kernels are started anew instead, and give the same scores.
"""

import errno
import json
import os
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import psutil

from intertask.execution.lifeline import ENDING
from intertask.files import private_folder, project_root
from intertask.run import Run
from intertask.studies import claims, store
from intertask.studies.claims import Attempt

DONE, FAILED, BUSY, STOPPED = 0, 1, 3, 4
"""Exit codes: published (by us or, meanwhile, by another), failed with a reason in the store, another's attempt now,
stopped as it was asked."""
CODES = (DONE, FAILED, BUSY, STOPPED)
STOP = b"stop"
"""What a driver says to a worker that should stop in order."""

asked_to_stop = threading.Event()

FROM_OUTSIDE = ("DeadKernelError", "OSError", "RuntimeError: Kernel d")
"""How failures begin that are not the run's own: a kernel that was killed or did not start, a disk that is full."""
NO_ROOM = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
"""What of a full disk other libraries' errors say, of whatever kind they are."""


def main(job: dict[str, Any], driver: Connection) -> NoReturn:
    """Does the job of `here.Here.start` and exits with one of the codes above."""
    from intertask.execution.kernel import QUIET, WarmKernel

    os.setpgid(0, 0)  # a group of its own: killed as one, a warm kernel with it, and out of a terminal's reach
    signal.signal(signal.SIGINT, signal.default_int_handler)  # by which a kernel is interrupted
    os.chdir(job["root"])  # where the driver stands may be deleted meanwhile
    os.environ |= job["environment"] | QUIET
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # `_obey_signals` waits for them
    with open(job["log"], "w") as log:  # of what is written there, kernels' words too, the last lines tell of a death
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    warm = WarmKernel() if job["warm"] else None  # before there are threads: they do not survive a fork
    threading.Thread(target=_obey, args=(driver,), daemon=True).start()
    threading.Thread(target=_obey_signals, daemon=True).start()
    try:
        sys.exit(claimed(job, warm))
    except Exception as error:
        _keep_failure(job["id"], Path(), error)
        sys.exit(FAILED)


def _obey(driver: Connection) -> None:
    """Stops in order when the driver says so, and at once when it is gone."""
    with suppress(EOFError, OSError):
        while driver.recv_bytes() == STOP:
            stop_kernel()
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _obey_signals() -> None:
    """Those of a cluster's scheduler, which tells every process of a job that it will end."""
    while signal.sigwait(ENDING):
        stop_kernel()


def stop_kernel() -> None:
    """Asks the kernel to end: a training writes a checkpoint, if it writes any, before it does."""
    asked_to_stop.set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.terminate()


def claimed(job: dict[str, Any], warm) -> int:
    """The run if it is free, and not finished by another meanwhile."""
    run = Run.checked(job["parameters"])
    with claims.claim(store.claim_file(job["id"]), _leave) as attempt:
        if attempt is None:
            return BUSY
        if store.finished(job["id"], run.keep_encoder is True, whole=["predictions", "encoder"]):
            return DONE
        store.wait_for_parents(run)
        with store.staging(attempt) as folder:
            notebook = Path(job["root"], "notebooks", "experiments", "train.ipynb")
            return perform(attempt, run, notebook, folder, warm)


def _leave(attempt: Attempt) -> NoReturn:
    """Of a worker that was silent for so long that another took its run over."""
    shutil.rmtree(store.staging_folder(attempt), ignore_errors=True)
    os._exit(BUSY)


def perform(attempt: Attempt, run: Run, notebook: Path, folder: Path, warm=None) -> int:
    """Executes the notebook into the folder; only the record that its last cell writes counts as success."""
    run_id = attempt.path.name
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
        return DONE if store.publish(folder, attempt) else BUSY
    except Exception as error:
        if asked_to_stop.is_set():
            return STOPPED
        _keep_failure(run_id, store.notebook_file(folder), error)
        return FAILED


def execute_notebook(
    notebook: Path, output: Path, parameters: dict[str, Any], warm=None, kernel_arguments: Sequence[str] = ()
) -> None:
    """papermill with an ordinary kernel, or the warm one given."""
    import papermill

    from intertask.execution import engine  # noqa: F401, it registers itself
    from intertask.execution.kernel import START_TIMEOUT, manager_class

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
        outside = reason.startswith(FROM_OUTSIDE) or any(words in reason for words in NO_ROOM)
        store.keep_failure(run_id, reason.strip(), cell, own=not outside)
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
