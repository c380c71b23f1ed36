"""Execution of a graph: ready runs at once, each in a process of its own, whatever else fails or dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from tqdm import tqdm

from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.studies import store
from intertask.studies.estimate import Estimate
from intertask.studies.worker import BUSY, DONE

LEAST_SPACE = 200e6
"""Bytes that must be free before another run starts: a run that cannot be stored is not worth training."""


@dataclass
class Worker:
    """A run's process, and when it began by the monotonic clock."""

    process: subprocess.Popen
    errors: IO[bytes]
    began: float = field(default_factory=time.monotonic)
    late: bool = False

    def ended(self, timeout: float) -> bool:
        """Whether the process has ended; past its time it is killed, its process group with it."""
        if self.process.poll() is None and time.monotonic() - self.began > timeout:
            self.late = True
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        return self.process.returncode is not None


@dataclass
class Progress:
    """What became of the runs that were to do."""

    waiting: dict[str, Run]
    running: dict[str, Worker] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)  # claimed by another driver when last asked

    def ready(self) -> str | None:
        """A run whose parent is there; those that another driver holds come last, and then we wait for them."""
        ready = [run_id for run_id, run in self.waiting.items() if not self._blocked(run)]
        return next((run_id for run_id in ready if run_id not in self.busy), next(iter(ready), None))

    def drop_orphans(self) -> None:
        """Runs whose parent failed fail with it."""
        for run_id, run in list(self.waiting.items()):
            if run.parent in self.failed:
                self.failed[run_id] = f"not started: its parent {run.parent} failed"
                del self.waiting[run_id]

    def _blocked(self, run: Run) -> bool:
        return run.parent in self.waiting or run.parent in self.running


def execute(runs: dict[str, Run], workers: int, timeout: float, estimate: Estimate) -> Progress:
    """Runs everything, `workers` at a time; `timeout` is each run's wall-clock limit in seconds.

    Failures are kept in the store and returned; they stop only the runs that start from them.
    """
    progress = Progress(waiting=dict(runs))
    with Report(estimate.seconds, workers) as report, children(progress):
        while progress.waiting or progress.running:
            while len(progress.running) < workers and (run_id := progress.ready()):
                wait = run_id in progress.busy
                progress.running[run_id] = start(run_id, progress.waiting.pop(run_id), wait)
            _collect(progress, runs, timeout, report)
            progress.drop_orphans()
    return progress


def start(run_id: str, run: Run, wait: bool) -> Worker:
    """Starts a worker in a process group of its own; it dies when its standard input, held by us, closes."""
    if (free := shutil.disk_usage(store.results_root()).free) < LEAST_SPACE:
        raise IntertaskError(
            f"Expected at least {LEAST_SPACE / 1e6:.0f} MB free in {store.results_root()} before a run starts, found "
            f"{free / 1e6:.0f} MB. Finished runs are safe; free some space and give the same command again."
        )
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its worker
    process = subprocess.Popen(
        [sys.executable, "-m", "intertask.studies.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        text=True,
        process_group=0,
        env=os.environ | {"INTERTASK_RESULTS": str(store.results_root())},
    )
    notebook = store.project_root() / "notebooks" / "experiments" / "train.ipynb"
    job = {"id": run_id, "parameters": run.model_dump(mode="json"), "wait": wait, "notebook": str(notebook)}
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()
    return Worker(process, errors)


def _collect(progress: Progress, runs: dict[str, Run], timeout: float, report: "Report") -> None:
    """Waits until a worker ends or runs out of time, and books what became of its run."""
    while not (ended := next((i for i, worker in progress.running.items() if worker.ended(timeout)), None)):
        time.sleep(0.05)
    worker = progress.running.pop(ended)
    if worker.process.returncode == BUSY:
        progress.waiting[ended] = runs[ended]
        progress.busy.add(ended)
    elif worker.process.returncode == DONE:
        progress.done.append(ended)
        report.ended(ended)
    else:
        progress.failed[ended] = _reason(ended, worker, timeout)
        report.ended(ended, progress.failed[ended])


def _reason(run_id: str, worker: Worker, timeout: float) -> str:
    """The failure that the worker left, or, if it could not, what is known of its end."""
    path = store.failure_folder(run_id) / "failure.json"
    if worker.process.returncode > 0 and path.is_file():
        failure = json.loads(path.read_text())
        return f"cell {failure['cell']}: {failure['reason']}" if failure["cell"] is not None else failure["reason"]
    if worker.late:
        reason = f"stopped after {timeout / 60:.0f} minutes, the wall-clock limit of a run (--timeout)"
    else:
        worker.errors.seek(0)
        last_words = worker.errors.read().decode(errors="replace").strip()[-500:]
        reason = f"its process ended with code {worker.process.returncode}. {last_words}".strip()
    store.write(path, json.dumps({"reason": reason, "cell": None, "when": store.now()}, indent=1))
    return reason


@contextmanager
def children(progress: Progress) -> Iterator[None]:
    """Whatever ends the driver's loop ends its workers."""
    try:
        yield
    finally:
        for worker in progress.running.values():
            worker.process.stdin.close()
        for worker in progress.running.values():
            worker.process.wait()


class Report:
    """Says what has ended and when the rest will have: a bar on a terminal, a line per run elsewhere.

    The time left is the expected seconds of the runs that remain, corrected by how the others kept to theirs.
    """

    FORMAT = "{n_fmt}/{total_fmt} runs |{bar}| {elapsed}, {postfix}"

    def __init__(self, expected: dict[str, float], workers: int):
        self.expected, self.began = expected, time.monotonic()
        self.left, self.speed = sum(expected.values()), float(workers)
        options = {"disable": not sys.stderr.isatty(), "dynamic_ncols": True}
        self.bar = tqdm(total=len(expected), bar_format=self.FORMAT, **options)

    def __enter__(self) -> "Report":
        self._show(f"{len(self.expected)} runs to do")
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def ended(self, run_id: str, failure: str = "") -> None:
        self.left -= self.expected[run_id]
        self.speed = (sum(self.expected.values()) - self.left) / (time.monotonic() - self.began)
        self.bar.n += 1
        if failure:
            tqdm.write(f"FAILED {run_id}: {failure}", file=sys.stderr)
        self._show(f"[{self.bar.n}/{len(self.expected)}] {run_id}")

    def _show(self, line: str) -> None:
        left = f"about {duration(self.left / self.speed)} left"
        self.bar.set_postfix_str(left)
        if self.bar.disable:
            print(f"{line}; {left}", flush=True)


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
