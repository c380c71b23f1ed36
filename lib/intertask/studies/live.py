"""A study while it is run, from files alone: also of a driver on another machine that writes to the same folder."""

import fcntl
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from intertask.errors import IntertaskError, refusal
from intertask.files import now, project_root, results_root, write
from intertask.studies import store
from intertask.studies.schedule import time_left
from intertask.studies.status import failure, read_study
from intertask.studies.study import study_name

STATES = ("done", "running", "failed", "blocked", "waiting")
"""What becomes of a run; one is blocked when a run that it needs failed."""


@dataclass(frozen=True)
class Running:
    """A run under way: by which process since when (UTC, ISO 8601), and what it told, the last last.

    Each of `lines` holds `at` and `of` (steps), `time` (UNIX seconds) and, of an evaluation, `loss` and dev `score`.
    """

    host: str
    pid: str
    since: str
    lines: list[dict[str, Any]]

    @property
    def steps(self) -> str:
        return f"step {self.lines[-1]['at']} of {self.lines[-1]['of']}" if self.lines else "not training yet"

    @property
    def share(self) -> float:
        return self.lines[-1]["at"] / self.lines[-1]["of"] if self.lines else 0.0

    def __str__(self) -> str:
        where = f"on {self.host} since {self.since}"
        return f"running, {self.steps}, {where}" if self.lines else f"running {where}"

    def left(self, expected: float) -> float:
        """Seconds that it still needs, as it went so far; before it has told enough, as expected."""
        if self.lines and (gone := self.lines[-1]["at"] - self.lines[0]["at"]):
            first, last = self.lines[0], self.lines[-1]
            return (last["of"] - last["at"]) * (last["time"] - first["time"]) / gone
        return max(0.0, expected - (time.time() - datetime.fromisoformat(self.since).timestamp()))


@dataclass(frozen=True)
class Driving:
    """The process that runs a study, or ran it and was killed: then it is not `alive`."""

    host: str
    pid: int
    since: str
    workers: int
    expected: dict[str, float]  # per run that was to do, seconds
    alive: bool

    @property
    def here(self) -> bool:
        return self.host == platform.node()


@dataclass(frozen=True)
class State:
    """A study at one moment: per stage how many runs are in which of STATES, and what is known of them.

    `failed` holds reasons, the latest first; `left` the seconds to the end, None where nothing drives the study.
    """

    stages: dict[str, Counter]
    running: dict[str, Running]
    failed: dict[str, str]
    driver: Driving | None
    left: float | None

    @property
    def unfinished(self) -> int:
        return sum(counts.total() - counts["done"] for counts in self.stages.values())


def running_runs(results: Path | None = None) -> dict[str, Running]:
    """Every run that a living process, of whatever study, has claimed and begun."""
    results, found = results or results_root(), {}
    for run_id, folder in store.staged(results):
        claimed = results / "runs" / ".claims" / run_id
        if folder.suffix != ".old" and store.held(claimed):
            with suppress(OSError, ValueError):
                host, pid, since = claimed.read_text(encoding="utf-8").splitlines()[-1].rsplit(maxsplit=2)
                found[run_id] = Running(host, pid, since, _lines(store.progress_file(folder)))
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    """What a run told so far; a line that is not whole yet is left out."""
    found = []
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return found


def look(study: str, results: Path | None = None) -> State:
    """How far a study is. Raises IntertaskError where no study of that name was ever run into these results."""
    results = results or results_root()
    index = read_study(study, results)["runs"]
    under_way, states = running_runs(results), {}
    for row in index:
        lost = any(states.get(parent) in ("failed", "blocked") for parent in row["parents"])
        states[row["run"]] = _state(row["run"], under_way, lost, results)
    stages: dict[str, Counter] = {}
    for run_id, stage in {row["run"]: row["stage"] for row in reversed(index)}.items():
        stages.setdefault(stage, Counter())[states[run_id]] += 1
    running = {run_id: under_way[run_id] for run_id, state in states.items() if state == "running"}
    failed = {run_id: failure(run_id, results) or "" for run_id, state in states.items() if state == "failed"}
    driver = driver_of(study, results)
    left = None
    if driver and driver.alive:
        expected = dict.fromkeys(states, 0.0) | driver.expected
        parents = {row["run"]: row["parents"] for row in index if states[row["run"]] == "waiting"}
        under_way = {run_id: one.left(expected[run_id]) for run_id, one in running.items()}
        left = time_left(parents, expected, under_way, driver.workers)
    latest = sorted(
        failed, key=lambda run_id: _modified(store.failure_folder(run_id, results) / "failure.json"), reverse=True
    )
    stages = {stage: stages[stage] for stage in dict.fromkeys(row["stage"] for row in index)}
    return State(stages, running, {run_id: failed[run_id] for run_id in latest}, driver, left)


def _state(run_id: str, under_way: dict[str, Running], lost: bool, results: Path) -> str:
    if run_id in under_way:
        return "running"
    if (modified := _modified(results / "runs" / run_id / "run.json")) and _sound(run_id, results, modified):
        return "done"
    if failure(run_id, results) is not None:
        return "failed"
    return "blocked" if lost else "waiting"


def _modified(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


@cache
def _sound(run_id: str, results: Path, modified: int) -> bool:
    """Whether the pool's record is whole; asked again only when it was modified."""
    with suppress(FileNotFoundError, IntertaskError):
        return bool(store.read(run_id, results))
    return False


@contextmanager
def driving(study: str) -> Iterator[Callable[[dict[str, float], int], dict[str, float]]]:
    """Lets others know, while it lasts, that this process runs the study; of several the first is known.

    Yields a function that tells them, and returns, how many seconds each run is expected to take.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell or kernel starts aside may be deaf to it
    folder, since = results_root() / study, now()
    with open(folder / ".driver", "a") as lock:
        ours = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            ours = False

        def tell(expected: dict[str, float], workers: int) -> dict[str, float]:
            if ours:
                told = {"host": platform.node(), "pid": os.getpid(), "since": since}
                write(folder / "driver.json", json.dumps(told | {"workers": workers, "expected": expected}))
            return expected

        try:
            yield tell
        finally:
            if ours:
                (folder / "driver.json").unlink(missing_ok=True)


def driver_of(study: str, results: Path | None = None) -> Driving | None:
    """The process that runs the study, or was killed while it did; None where none is known."""
    folder = Path(results or results_root()) / study
    with suppress(OSError, ValueError, TypeError):
        told = json.loads((folder / "driver.json").read_text(encoding="utf-8"))
        return Driving(**told, alive=store.held(folder / ".driver"))
    return None


def stop(driver: Driving) -> None:
    """Ends a driver on this machine as Ctrl-C does: its runs under way are lost, finished ones stay."""
    try:
        os.kill(driver.pid, signal.SIGINT)
    except OSError as error:
        raise refusal(f"process {driver.pid}", "a driver to stop", error.strerror, "Look who runs it.") from None


def command_of(study: str) -> list[str]:
    """The arguments with which `intertask` runs the study that lies in the results under this name."""
    file = Path(read_study(study)["file"] or study)
    if not file.is_file():
        raise refusal(file, "the study's file", "none", "Put it back, or run the study by hand.")
    form = study.removeprefix(study_name(file))
    return ["run", str(file), *(f"--{flag}" for flag in ("mini", "quick") if f"-{flag}" in form)]


def run_log(study: str) -> Path:
    """What a driver says that `go_on` started."""
    return results_root() / study / "run.log"


def go_on(study: str) -> subprocess.Popen:
    """Starts a driver of its own that outlives this process; what it says goes to its `run_log`."""
    command = [sys.executable, "-m", "intertask.cli", *command_of(study)]
    ours = ("JPY_", "MPLBACKEND", "INTERTASK_STAGING")  # of a notebook's kernel alone
    settings = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    settings |= {"INTERTASK_RESULTS": str(results_root())}
    with open(run_log(study), "a") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, cwd=project_root(), env=settings, start_new_session=True, **streams)
