"""This machine as a place to run: workers that are forked from one process which has imported what runs need."""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from intertask.errors import IntertaskError
from intertask.files import private_folder, project_root, results_root
from intertask.run import Run
from intertask.studies import worker
from intertask.studies.execute import End
from intertask.studies.lifeline import DRIVER

FORKSERVER = multiprocessing.get_context("forkserver")
WARM = sys.platform == "linux"
"""Whether a process with torch in it can be forked: not on macOS."""
LOST = 255
"""The exit code that multiprocessing gives for a process when the one that it was forked from has ended."""
AFTER_THE_SOCKET = -200
"""When multiprocessing, which removes the folder of its socket at -100, calls a function at the end of a process."""
LAST_LINES = 10
"""Of what a run's processes said beside its notebook, for one that was killed."""


@dataclass
class Worker:
    """A run's process, which dies when our end of the pipe between us closes, and when it began by our clock."""

    run_id: str
    process: BaseProcess
    pipe: Connection
    began: float
    log: Path
    card: str | None = None
    late: bool = False

    def stop(self) -> None:
        with suppress(OSError):  # it may have ended
            self.pipe.send_bytes(worker.STOP)

    def stop_if_late(self, timeout: float) -> None:
        """Past its time, in seconds, a run is killed, its process group with it."""
        if not self.late and time.monotonic() - self.began > timeout:
            self.late = True
            with suppress(ProcessLookupError):  # it may end at this very moment
                os.killpg(self.process.pid, signal.SIGKILL)

    def end(self, timeout: float) -> End:
        """Of a process that has ended, or is ended by this."""
        self.pipe.close()
        self.process.join()
        code, words = self.process.exitcode, ""
        if self.late:
            code = worker.FAILED
            words = f"stopped after {timeout / 60:g} min, the wall-clock limit of a run (--timeout)"
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

    def __init__(self, workers: int, timeout: float, warm: bool = WARM, cards: Sequence[str] = ()):
        self.workers, self.timeout, self.warm, self.cards = workers, timeout, warm, cards
        self._running: dict[int, Worker] = {}  # by what their ends can be waited for

    def __enter__(self) -> "Here":
        os.environ[DRIVER] = str(os.getpid())
        _prepare_to_fork(self.warm)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._running.values():
            one.pipe.close()
        for one in self._running.values():
            one.end(self.timeout)
        self._running.clear()

    def submit(self, run_id: str, run: Run) -> None:
        job = {"id": run_id, "parameters": run.model_dump(mode="json"), "root": str(project_root())}
        self.start(job | {"environment": {"INTERTASK_RESULTS": str(results_root())}})

    def start(self, job: dict[str, Any]) -> Worker:
        """Starts a worker for what `worker.main` takes; what this machine says of it is added."""
        held = Counter(one.card for one in list(self._running.values()))
        card = min(self.cards, key=held.__getitem__, default=None)
        given = {} if card is None else {"CUDA_VISIBLE_DEVICES": card}
        descriptor, log = tempfile.mkstemp(suffix=".log")
        os.close(descriptor)
        theirs, ours = FORKSERVER.Pipe()
        job = job | {"warm": self.warm, "log": log, "environment": job["environment"] | given}
        process = FORKSERVER.Process(target=worker.main, args=(job, theirs))
        _start(process)
        theirs.close()
        one = Worker(job["id"], process, ours, time.monotonic(), Path(log), card)
        self._running[process.sentinel] = one
        return one

    def ends(self, seconds: float) -> list[End]:
        for one in self._running.values():
            one.stop_if_late(self.timeout)
        return [self._running.pop(ended).end(self.timeout) for ended in wait(list(self._running), timeout=seconds)]

    def stop(self) -> None:
        for one in self._running.values():
            one.stop()


@cache
def _prepare_to_fork(warm: bool) -> None:
    """Says what the process imports that runs are forked from, and where its socket lies until this one ends."""
    # with the main module, which each process would import for itself otherwise
    modules = ["__main__", "intertask.studies.orphan", "intertask.studies.preload" if warm else "papermill"]
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
