"""This machine as a place to run: workers that are forked from one process which has imported what runs need."""

import math
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from intertask.errors import IntertaskError
from intertask.execution import worker
from intertask.execution.execute import End
from intertask.execution.lifeline import DRIVER
from intertask.files import private_folder, project_root, remove_abandoned, results_root
from intertask.run import Run

FORKSERVER = multiprocessing.get_context("forkserver")
WARM = sys.platform == "linux"
"""Whether a process with torch in it can be forked: not on macOS."""
LOST = 255
"""The exit code that multiprocessing gives for a process when the one that it was forked from has ended."""
AFTER_THE_SOCKET = -200
"""When multiprocessing, which removes the folder of its socket at -100, calls a function at the end of a process."""
CARRIED = ("INTERTASK_CORPORA", "INTERTASK_HUB", "INTERTASK_POOLS")
"""Settings that are the same for all who execute runs of a study, wherever they are."""
LAST_LINES = 10
"""Of what a run's processes said beside its notebook, for one that was killed."""


@dataclass
class Worker:
    """A run's process, which dies when our end of the pipe between us closes; when it began, and what it may take."""

    run_id: str
    process: BaseProcess
    pipe: Connection
    log: Path
    timeout: float  # seconds
    card: str | None = None
    began: float = field(default_factory=time.monotonic)
    late: bool = False

    def stop(self) -> None:
        with suppress(OSError):  # it may have ended
            self.pipe.send_bytes(worker.STOP)

    def kill(self) -> None:
        """With its process group, if it has made itself one yet; it may end at this very moment."""
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                kill(self.process.pid, signal.SIGKILL)

    def stop_if_late(self) -> None:
        if not self.late and time.monotonic() - self.began > self.timeout:
            self.late = True
            self.kill()

    def end(self) -> End:
        """Of a process that has ended, or is ended by this."""
        self.pipe.close()
        self.process.join()
        code, words = self.process.exitcode, ""
        if self.late:
            code = worker.FAILED
            words = f"stopped after {self.timeout / 60:g} min, the wall-clock limit of a run (--timeout)"
        elif code not in worker.CODES:
            words = f"its process ended with code {code} (-9: killed, often for want of memory){self._last_lines()}"
        self.log.unlink(missing_ok=True)
        self.process.close()
        return End(self.run_id, code, words)

    def _last_lines(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
            return "".join(f"\n    {line[:200]}" for line in lines)
        return ""


class Here:
    """This machine. `timeout` is each run's wall-clock limit in seconds; with `warm`, kernels are forked too.

    cards: the GPUs, as CUDA_VISIBLE_DEVICES names them; each run has one of those with the fewest runs.
    """

    def __init__(self, workers: int, timeout: float = math.inf, warm: bool = WARM, cards: Sequence[str] = ()):
        self.workers, self.timeout, self.warm, self.cards = workers, timeout, warm, cards
        self._running: dict[int, Worker] = {}  # by what their ends can be waited for

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._running.values():
            one.pipe.close()
        for one in list(self._running.values()):
            self.finish(one)
        remove_abandoned()  # also of former processes, where there was nothing to do

    def submit(self, run_id: str, run: Run) -> None:
        self.start(job_of(run_id, run, self.timeout, self.warm))

    def start(self, job: dict[str, Any]) -> Worker:
        """Starts a worker for a `job_of` a run."""
        _prepare_to_fork(job["warm"])
        held = Counter(one.card for one in self._running.values())
        card = min(self.cards, key=held.__getitem__, default=None)
        environment = job["environment"] | ({} if card is None else {"CUDA_VISIBLE_DEVICES": card})
        descriptor, log = tempfile.mkstemp(suffix=".log")
        os.close(descriptor)
        theirs, ours = FORKSERVER.Pipe()
        process = FORKSERVER.Process(target=worker.main, args=(job | {"log": log, "environment": environment}, theirs))
        _start(process)
        theirs.close()
        one = Worker(job["id"], process, ours, Path(log), job["timeout"], card)
        self._running[process.sentinel] = one
        return one

    def ends(self, seconds: float) -> list[End]:
        for one in self._running.values():
            one.stop_if_late()
        return [self.finish(self._running[ended]) for ended in wait(list(self._running), timeout=seconds)]

    def finish(self, one: Worker) -> End:
        del self._running[one.process.sentinel]
        return one.end()

    def stop(self) -> None:
        for one in self._running.values():
            one.stop()


def job_of(run_id: str, run: Run, timeout: float, warm: bool) -> dict[str, Any]:
    """All that a worker must be told of a run, and what places it tells from ours: data and results."""
    named = {name: os.environ[name] for name in CARRIED if name in os.environ}
    job = {"id": run_id, "parameters": run.model_dump(mode="json"), "root": str(project_root())}
    return job | {"timeout": timeout, "warm": warm, "environment": named | {"INTERTASK_RESULTS": str(results_root())}}


@cache
def _prepare_to_fork(warm: bool) -> None:
    """Says what the process imports that runs are forked from, and where its socket lies until this one ends."""
    os.environ[DRIVER] = str(os.getpid())
    # with the main module, which each process would import for itself otherwise
    modules = ["__main__", "intertask.execution.orphan", "intertask.execution.preload" if warm else "papermill"]
    FORKSERVER.set_forkserver_preload(modules)
    opened = ExitStack()
    tempfile.tempdir = str(opened.enter_context(private_folder()))
    Finalize(None, opened.close, exitpriority=AFTER_THE_SOCKET)


def _start(process: BaseProcess, attempts: int = 5) -> None:
    """Starts a process again if the one that it is forked from ends at that very moment: a new one takes its place."""
    try:
        process.start()
    except (EOFError, ConnectionError):
        if attempts == 1:
            raise IntertaskError(
                "Expected a process to fork runs from, found that it ends as soon as it begins (is memory short?). "
                "Finished runs are safe; try --plain-kernels."
            ) from None
        time.sleep(0.1)
        _start(process, attempts - 1)
