"""One run in one process: claims it, executes its notebook with papermill, publishes its folder.

A worker is forked from a process that has papermill imported already. It holds one end of a pipe to its driver; when
that closes, the driver is dead, and the worker stops at once. Its kernel watches it in turn.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from intertask.run import Run
from intertask.studies import store

DONE, FAILED, BUSY = 0, 1, 3
"""Exit codes: published (by us or, meanwhile, by another), failed with a reason in the store, claimed by another."""

QUIET = {
    "TQDM_DISABLE": "1",  # nobody watches this notebook; a bar would fill it with widget states
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_WAIT_POLICY": "PASSIVE",  # beside another run, spinning threads take its processor
    "GOMP_SPINCOUNT": "0",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def main(job: dict[str, Any], driver: Connection) -> NoReturn:
    """Does the job of `execute.start` and exits with one of the codes above."""
    os.setpgid(0, 0)
    os.environ["INTERTASK_RESULTS"] = job["results"]
    with open(os.devnull, "w") as nowhere:  # kernels write to our standard output and error what nobody reads
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    threading.Thread(target=_stop_with_driver, args=(driver,), daemon=True).start()
    try:
        sys.exit(claimed(job))
    except Exception as error:
        keep_failure(job["id"], Path(), error)
        sys.exit(FAILED)


def claimed(job: dict[str, Any]) -> int:
    """The run if it is free, and not finished by another meanwhile."""
    run = Run.checked(job["parameters"])
    with store.claim(job["id"], wait=job["wait"]) as ours:
        if not ours:
            return BUSY
        if store.finished(job["id"], run.keep_encoder):
            return DONE
        with store.staging(job["id"]) as folder:
            return execute(job["id"], run, Path(job["notebook"]), folder)


def execute(run_id: str, run: Run, notebook: Path, folder: Path) -> int:
    """Executes the notebook into the folder; only the record that its last cell writes counts as success."""
    shutil.rmtree(store.failure_folder(run_id), ignore_errors=True)
    os.environ |= QUIET | {"INTERTASK_STAGING": str(folder), "OMP_NUM_THREADS": str(run.threads)}
    try:
        execute_notebook(notebook, folder / "notebook.ipynb", run.model_dump(mode="json"))
        if not (folder / "run.json").is_file():
            raise RuntimeError("the notebook ended without writing its record")
        found = json.loads((folder / "run.json").read_text())["id"]
        if found != run_id:
            raise RuntimeError(
                f"expected to run {run_id}, found {found}: the data changed since the study was expanded"
            )
        store.publish(folder, run_id)
    except Exception as error:
        keep_failure(run_id, folder / "notebook.ipynb", error)
        return FAILED
    return DONE


def execute_notebook(notebook: Path, output: Path, parameters: dict[str, Any]) -> None:
    """papermill with a kernel on sockets of its own: given TCP ports, kernels started at once take each other's."""
    import papermill
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="intertask-") as sockets, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        papermill.execute_notebook(
            str(notebook),
            str(output),
            parameters=parameters,
            kernel_name="python3",
            cwd=str(store.project_root()),
            progress_bar=False,
            start_timeout=120,
            iopub_timeout=120,
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
        )


def keep_failure(run_id: str, notebook: Path, error: Exception) -> None:
    """Leaves the notebook and the reason where `intertask status` finds them."""
    folder = store.failure_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    cell = getattr(error, "cell_index", _last_started(notebook))
    reason = f"{error.ename}: {error.evalue}" if hasattr(error, "ename") else f"{type(error).__name__}: {error}"
    if notebook.is_file():
        os.replace(notebook, folder / "notebook.ipynb")
    failure = {"reason": reason.strip(), "cell": cell, "when": store.now()}
    store.write(folder / "failure.json", json.dumps(failure, indent=1))


def _last_started(notebook: Path) -> int | None:
    """papermill marks every cell of a killed kernel "completed": the last one that started is where it died."""
    try:
        cells = json.loads(notebook.read_text())["cells"]
    except (OSError, ValueError):  # not begun, or cut short by a full disk
        return None
    started = [i for i, cell in enumerate(cells) if cell["metadata"].get("papermill", {}).get("start_time")]
    return started[-1] if started else None


def _stop_with_driver(driver: Connection) -> None:
    with suppress(EOFError):
        driver.recv_bytes()
    os.killpg(os.getpgid(0), signal.SIGKILL)
