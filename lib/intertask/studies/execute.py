"""Execution of a graph: ready runs at once, each in a process of its own, whatever else fails or dies."""

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize

from intertask.errors import IntertaskError
from intertask.files import private_folder, project_root, results_root
from intertask.run import Run
from intertask.studies import store, worker
from intertask.studies.lifeline import DRIVER
from intertask.studies.schedule import longest_paths
from intertask.studies.status import failure
from intertask.studies.worker import BUSY, DONE, FAILED

FORKSERVER = multiprocessing.get_context("forkserver")
WARM = sys.platform == "linux"
"""Whether a process with torch in it can be forked: not on macOS."""
LOST = 255
"""The exit code that multiprocessing gives for a process when the one that it was forked from has ended."""
AFTER_THE_SOCKET = -200
"""When multiprocessing, which removes the folder of its socket at -100, calls a function at the end of a process."""
LEAST_SPACE = 200e6
"""Bytes that must be free before another run starts: a run that cannot be stored is not worth training."""


@dataclass
class Worker:
    """A run's process, the connection by which it knows that we live, and when it began by the monotonic clock.

    One that waits for another driver's claim has not begun: it says over the connection when it has.
    """

    process: BaseProcess
    alive: Connection
    began: float | None = field(default_factory=time.monotonic)
    late: bool = False

    def stop_if_late(self, timeout: float) -> None:
        """Past its time a run is killed, its process group with it."""
        with suppress(EOFError, OSError):  # it has ended
            if self.began is None and self.alive.poll():
                self.alive.recv_bytes()
                self.began = time.monotonic()
        if self.began is not None and self.process.exitcode is None and time.monotonic() - self.began > timeout:
            self.late = True
            with suppress(ProcessLookupError):  # it may end at this very moment
                os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Ledger:
    """What became of the runs that were to do."""

    waiting: dict[str, Run]
    urgency: dict[str, float]  # seconds from the run's start to the end of all that waits for it
    running: dict[str, Worker] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)  # claimed by another driver when last asked
    lost: set[str] = field(default_factory=set)  # ended with the process they were forked from, and begun again

    def ready(self) -> str | None:
        """Of the runs whose parents are there, the most urgent; those that another driver holds come last."""
        unfinished = self.waiting.keys() | self.running.keys()
        ready = [run_id for run_id, run in self.waiting.items() if unfinished.isdisjoint(run.parents)]
        return min(ready, key=lambda run_id: (run_id in self.busy, -self.urgency[run_id]), default=None)

    def drop_orphans(self) -> None:
        """Runs of which a parent failed fail with it."""
        for run_id, run in list(self.waiting.items()):
            if failed := [parent for parent in run.parents if parent in self.failed]:
                self.failed[run_id] = f"not started: its parent {failed[0]} failed"
                del self.waiting[run_id]


def execute(runs: dict[str, Run], workers: int, timeout: float, countdown, warm: bool = WARM) -> Ledger:
    """Runs everything, `workers` at a time; `timeout` is each run's wall-clock limit in seconds.

    `countdown` knows the seconds that each run is `expected` to take, and is told when the first begin, of each that
    has `ended`, and every second to `look`.

    With `warm`, processes are forked from one that has imported what runs need. Failures are kept in the store and
    returned; they stop only the runs that start from them. Where space becomes scarce, no further run starts, and
    those that have started end before that is refused.
    """
    os.environ[DRIVER] = str(os.getpid())
    _prepare_to_fork(warm)
    progress = Ledger(dict(runs), longest_paths({i: run.parents for i, run in runs.items()}, countdown.expected))
    store.open_pool()
    scarce = None
    with countdown, children(progress):
        countdown.say(progress, f"{len(runs)} runs to do")
        while progress.running or progress.waiting and not scarce:
            while len(progress.running) < workers and (run_id := progress.ready()):
                if scarce := scarce or scarcity():
                    break
                wait = run_id in progress.busy  # then all that could start are held: it waits for its lock
                progress.running[run_id] = start(run_id, progress.waiting.pop(run_id), wait, warm)
            if progress.running:
                _collect(progress, runs, timeout, countdown)
            progress.drop_orphans()
    if scarce:
        raise scarce
    return progress


def scarcity() -> IntertaskError | None:
    """Why no further run may start, if there is too little space; refuses to go on where the pool is gone."""
    store.require_pool()
    if (free := shutil.disk_usage(results_root()).free) >= LEAST_SPACE:
        return None
    return IntertaskError(
        f"Expected at least {LEAST_SPACE / 1e6:.0f} MB free in {results_root()} before a run starts, found "
        f"{free / 1e6:.0f} MB. Finished runs are safe; free some space and give the same command again."
    )


@cache
def _prepare_to_fork(warm: bool) -> None:
    """Says what the process imports that runs are forked from, and where its socket lies until this one ends."""
    # with the main module, which each process would import for itself otherwise
    modules = ["__main__", "intertask.studies.orphan", "intertask.studies.preload" if warm else "papermill"]
    FORKSERVER.set_forkserver_preload(modules)
    opened = ExitStack()
    tempfile.tempdir = str(opened.enter_context(private_folder()))
    Finalize(None, opened.close, exitpriority=AFTER_THE_SOCKET)


def start(run_id: str, run: Run, wait: bool, warm: bool) -> Worker:
    """Starts a worker in a process of its own; it dies when our end of the pipe between us closes."""
    theirs, ours = FORKSERVER.Pipe()
    paths = {"root": str(project_root()), "results": str(results_root())}
    job = {"id": run_id, "parameters": run.model_dump(mode="json"), "wait": wait, "warm": warm} | paths
    process = FORKSERVER.Process(target=worker.main, args=(job, theirs))
    _start(process)
    theirs.close()
    return Worker(process, ours, *([None] if wait else []))


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


def _collect(progress: Ledger, runs: dict[str, Run], timeout: float, countdown) -> None:
    """Waits until a worker ends or runs out of time, and books what became of its run."""
    while not (ended := next((i for i, one in progress.running.items() if one.process.exitcode is not None), None)):
        for one in progress.running.values():
            one.stop_if_late(timeout)
        countdown.look(progress)
        wait([one.process.sentinel for one in progress.running.values()], timeout=1)
    one = progress.running.pop(ended)
    if one.process.exitcode == BUSY:
        progress.waiting[ended] = runs[ended]
        progress.busy.add(ended)
    elif one.process.exitcode == LOST and ended not in progress.lost:
        progress.waiting[ended] = runs[ended]
        progress.lost.add(ended)
    elif one.process.exitcode == DONE:
        progress.done.append(ended)
        countdown.ended(progress, ended)
    else:
        progress.failed[ended] = _reason(ended, one, timeout)
        countdown.ended(progress, ended, progress.failed[ended])


def _reason(run_id: str, one: Worker, timeout: float) -> str:
    """The failure that the worker left, or, if it could not, what is known of its end."""
    if one.process.exitcode == FAILED and (left := failure(run_id)):
        return left
    reason = f"its process ended with code {one.process.exitcode} (-9: killed, often for want of memory)"
    if one.process.exitcode == FAILED:
        reason = f"it failed and could not write why: is there space in {results_root()}?"
    if one.late:
        reason = f"stopped after {timeout / 60:g} min, the wall-clock limit of a run (--timeout)"
    with suppress(OSError):  # of a full disk
        store.keep_failure(run_id, reason)
    return reason


@contextmanager
def children(progress: Ledger) -> Iterator[None]:
    """Whatever ends the driver's loop ends its workers."""
    try:
        yield
    finally:
        for one in progress.running.values():
            one.alive.close()
        for one in progress.running.values():
            one.process.join()
