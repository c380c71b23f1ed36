"""A study while it is run, from files alone: also of a driver on another machine that writes to the same folder."""

import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from intertask.execution.driver import Driving, driver_of
from intertask.execution.schedule import time_left
from intertask.studies import claims, store
from intertask.studies.claims import Attempt
from intertask.studies.status import NEEDS_FAILED, became, read_study

STATES = ("done", "running", "failed", "blocked", "waiting")
"""What becomes of a run; one is blocked when a run that it needs failed."""


@dataclass(frozen=True)
class Running:
    """A run under way: by whom since when, and what it told, the last last.

    Each of `lines` holds `at` and `of` (steps), `time` (UNIX seconds) and, of an evaluation, `loss` and dev `score`.
    """

    by: Attempt
    lines: list[dict[str, Any]]

    @property
    def steps(self) -> str:
        return f"step {self.lines[-1]['at']} of {self.lines[-1]['of']}" if self.lines else "not training yet"

    @property
    def share(self) -> float:
        return self.lines[-1]["at"] / self.lines[-1]["of"] if self.lines else 0.0

    def __str__(self) -> str:
        job = f", job {self.by.job}" if self.by.job else ""
        again = f", attempt {self.by.number}" if self.by.number > 1 else ""
        where = f"on {self.by.host} (process {self.by.pid}{job}) since {self.by.since}{again}"
        return f"running, {self.steps}, {where}" if self.lines else f"running {where}"

    def left(self, expected: float) -> float:
        """Seconds that it still needs, as it went so far; before it has told enough, as expected of what is left."""
        if self.lines and (gone := self.lines[-1]["at"] - self.lines[0]["at"]):
            first, last = self.lines[0], self.lines[-1]
            return (last["of"] - last["at"]) * (last["time"] - first["time"]) / gone
        expected *= 1 - self.share
        if self.by.machine != claims.machine():  # whose clock is another
            return expected
        return max(0.0, expected - (time.time() - datetime.fromisoformat(self.by.since).timestamp()))


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


def running_runs() -> dict[str, Running]:
    """Every run that a process, of whatever study, has claimed and begun, and that lives as far as can be told."""
    found = {}
    for run_id, number, folder in store.staged():
        by = claims.HERE.holder(store.claim_file(run_id))
        if by and by.number == number:
            found[run_id] = Running(by, _lines(store.progress_file(folder)))
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    """What a run told so far; a line that is not whole yet is left out."""
    found = []
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return found


def look(study: str) -> State:
    """How far a study is. Raises IntertaskError where no study of that name was ever run into these results."""
    index = read_study(study)["runs"]
    under_way, (missing, failures) = running_runs(), became(index)
    states = {row["run"]: "running" if row["run"] in under_way else "done" for row in index}
    for run_id, reason in missing.items():
        if states[run_id] != "running":
            states[run_id] = "failed" if run_id in failures else "blocked" if reason == NEEDS_FAILED else "waiting"
    first: dict[str, str] = {}  # the stage of a run that several have
    stages: dict[str, Counter] = {}
    for row in index:
        first.setdefault(row["run"], row["stage"])
    for run_id, stage in first.items():
        stages.setdefault(stage, Counter())[states[run_id]] += 1
    running = {run_id: under_way[run_id] for run_id, state in states.items() if state == "running"}
    failed = [run_id for run_id, state in states.items() if state == "failed"]
    failed.sort(key=lambda one: _modified(store.failure_folder(one) / "failure.json"), reverse=True)
    driver = driver_of(study)
    left = None
    if driver and driver.alive:
        expected = dict.fromkeys(states, 0.0) | driver.expected
        parents = {row["run"]: row["parents"] for row in index if states[row["run"]] == "waiting"}
        needed = {run_id: one.left(expected[run_id]) for run_id, one in running.items()}
        left = time_left(parents, expected, needed, driver.workers)
    return State(stages, running, {one: failures[one] for one in failed}, driver, left)


def _modified(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
