"""Execution of a graph at a place: what can start does, the most urgent first, whatever else fails, is lost or dies."""

import math
import shutil
import signal
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from heapq import heappop, heappush
from typing import Protocol

from intertask.errors import IntertaskError, number_of
from intertask.execution.lifeline import ENDING
from intertask.execution.schedule import longest_paths
from intertask.execution.worker import BUSY, DONE, FAILED, STOPPED
from intertask.files import results_root
from intertask.run import Run
from intertask.studies import claims, store
from intertask.studies.status import failure

LEAST_SPACE = 200e6
"""Bytes that must be free before another run starts: a run that cannot be stored is not worth training."""
LOSSES = 3
"""Workers that a run may lose once it has begun, at one place of its training: then it is taken for the cause."""
RETURNS = 30
"""Times that a run may come back from one place without being the cause: lost before it had begun, or given back."""
REPEATED = 1.0
"""Seconds within which the same signal again is no second one: some tell a process and its group."""
BUSY_SECONDS = 3.0
"""After which a run that another driver executes is looked at again."""
PATIENCE = 60.0
"""Seconds that runs have to stop in order."""
STOPPING = (signal.SIGINT, *ENDING)
"""What asks a driver to stop: Ctrl-C, and what the schedulers of clusters send before a job ends."""


@dataclass(frozen=True)
class End:
    """How a run's worker ended: a code of `worker`, another where it was lost; and what is known of it beside that."""

    run_id: str
    code: int
    words: str = ""


class Place(Protocol):
    """Where runs are executed, each by a worker in a process of its own.

    It is a context; its end ends all runs at once, so whatever ends a driver's loop ends its runs.
    """

    workers: int
    """How many runs it carries at a time; that may change."""

    def __enter__(self) -> "Place": ...

    def __exit__(self, *error: object) -> None: ...

    def submit(self, run_id: str, run: Run) -> None:
        """Has the run executed."""

    def ends(self, seconds: float) -> list[End]:
        """Of the runs that have ended, each once; waits at most so long for the first."""

    def stop(self) -> None:
        """Asks the runs under way to stop in order."""


@dataclass
class Ledger:
    """What became of the runs that were to do; parents come first among them."""

    runs: dict[str, Run]
    urgency: dict[str, float]  # seconds from the run's start to the end of all that waits for it
    running: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)  # executed by another driver; when to look again
    too_long: list[str] = field(default_factory=list)  # for what was left of the time
    stopped: int | None = None  # by which signal

    def __post_init__(self):
        self.waiting = set(self.runs)
        self._attempts: dict[str, int] = {}  # at a run, before the one under way
        self._returned, self._ready, self._children = Counter(), [], defaultdict(list)
        for run_id, run in self.runs.items():
            for parent in run.parents:
                self._children[parent].append(run_id)
        self._order = {run_id: place for place, run_id in enumerate(self.runs)}
        self._sorter = TopologicalSorter({i: self.waiting.intersection(run.parents) for i, run in self.runs.items()})
        self._sorter.prepare()
        self._may_start(*self._sorter.get_ready())

    def _may_start(self, *run_ids: str) -> None:
        for run_id in run_ids:
            heappush(self._ready, (-self.urgency[run_id], self._order[run_id], run_id))

    def next(self) -> str | None:
        """Takes the most urgent of the runs that can start, if one can."""
        if not self._ready:
            return None
        run_id = heappop(self._ready)[2]
        self.waiting.remove(run_id)
        return run_id

    @property
    def open(self) -> bool:
        """Whether a run can start, or may soon."""
        return bool(self._ready or self.busy)

    def give_back(self, run_id: str) -> None:
        self.waiting.add(run_id)
        self._may_start(run_id)

    def begin(self, run_id: str) -> None:
        self.running.add(run_id)
        self._attempts[run_id] = _attempts(run_id)

    def come_back(self, run_id: str, lost: bool) -> tuple[str, bool]:
        """What is to be said of a run whose worker was lost, or gave it back; and whether that was once too often."""
        begun = _attempts(run_id) > self._attempts[run_id]
        place = store.reached(run_id), lost, begun
        self._returned[run_id, *place] += 1
        number = self._returned[run_id, *place]
        times = "" if number == 1 else f" {number} times"
        words = f"{'its worker was lost' if lost else 'given back'}{times}{'' if begun else ' before it had begun'}"
        return words, number >= (LOSSES if lost and begun else RETURNS)

    def set_busy(self, run_id: str) -> None:
        self.waiting.add(run_id)
        self.busy[run_id] = time.monotonic() + BUSY_SECONDS

    def ask_again(self) -> None:
        """Of the runs that another driver executed, those that nobody does any more can start."""
        for run_id in [run_id for run_id, due in self.busy.items() if due < time.monotonic()]:
            if claims.HERE.free(store.claim_file(run_id)):
                del self.busy[run_id]
                self._may_start(run_id)
            else:
                self.set_busy(run_id)

    def finish(self, run_id: str) -> None:
        self.done.append(run_id)
        self._sorter.done(run_id)
        self._may_start(*self._sorter.get_ready())

    def fail(self, run_id: str, reason: str) -> None:
        """What starts from a run that failed, directly or through others, fails with it."""
        self.failed[run_id] = reason
        for child in self._children[run_id]:
            if child in self.waiting:
                self.waiting.remove(child)
                self.fail(child, f"not started: its parent {run_id} failed")


def _attempts(run_id: str) -> int:
    last = claims.latest(store.claim_file(run_id))
    return last.number if last else 0


class Signals:
    """While it lasts, the first signal that asks for the end is noted, and the second ends at once."""

    def __init__(self):
        self.first: int | None = None
        self._when = 0.0

    def __enter__(self) -> "Signals":
        self._before = {number: signal.signal(number, self._note) for number in STOPPING}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _) -> None:
        if self.first == number and time.monotonic() - self._when < REPEATED:
            return
        if self.first:
            raise KeyboardInterrupt(number)
        self.first, self._when = number, time.monotonic()


def execute(runs: dict[str, Run], place: Place, countdown, until: float = math.inf) -> Ledger:
    """Runs everything at the place, which was entered, as many at a time as it carries.

    `countdown` knows the seconds that each run is `expected` to take, and is told when the first begin, of each that
    has `ended`, every second to `look`, and to `note` that a signal came. until: by the monotonic clock, the end of the
    time that there is: no run starts that is expected to take longer than what is left.

    Failures are kept in the store and returned; they stop only the runs that start from them. A run whose worker is
    lost, or gives it back, begins again or goes on from its checkpoint, LOSSES or RETURNS times at one place of its
    training. Where space becomes scarce, no further run starts, and those that have started end before that is refused.
    At a signal of STOPPING no further run starts either, and those under way are asked to stop in order; a second one
    raises KeyboardInterrupt.
    """
    ledger = Ledger(runs, longest_paths({i: run.parents for i, run in runs.items()}, countdown.expected))
    store.open_pool()
    scarce, patient = None, math.inf
    with countdown, Signals() as signals:
        countdown.say(ledger, f"{number_of(len(runs), 'run')} to do")
        while ledger.running or ledger.open and not (scarce or signals.first):
            if not (scarce or signals.first):
                ledger.ask_again()
                scarce = _fill(ledger, place, countdown.expected, until)
            elif signals.first and not ledger.stopped:
                ledger.stopped, patient = signals.first, time.monotonic() + PATIENCE
                countdown.note(_stopping(signals.first, len(ledger.running)))
                place.stop()
            elif time.monotonic() > patient:
                break
            countdown.workers = max(1, place.workers)
            for end in place.ends(seconds=1):
                _book(ledger, end, countdown)
            countdown.look(ledger)
        ledger.stopped = signals.first
    if scarce:
        raise scarce
    return ledger


def _fill(ledger: Ledger, place: Place, expected: dict[str, float], until: float) -> IntertaskError | None:
    """Starts what the place has room for; returns why nothing more may start."""
    while len(ledger.running) < place.workers and (run_id := ledger.next()):
        if expected[run_id] > until - time.monotonic():
            ledger.waiting.add(run_id)
            ledger.too_long.append(run_id)
        elif scarce := scarcity():
            ledger.give_back(run_id)
            return scarce
        else:
            ledger.begin(run_id)
            place.submit(run_id, ledger.runs[run_id])
    return None


def scarcity() -> IntertaskError | None:
    """Why no further run may start, if there is too little space; refuses to go on where the pool is gone."""
    store.require_pool()
    if (free := shutil.disk_usage(results_root()).free) >= LEAST_SPACE:
        return None
    return IntertaskError(
        f"Expected at least {LEAST_SPACE / 1e6:.0f} MB free in {results_root()} before a run starts, found "
        f"{free / 1e6:.0f} MB. Finished runs are safe; free some space and give the same command again."
    )


def _stopping(number: int, running: int) -> str:
    asked = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    return f"{asked}: no further run starts, {running} under way are asked to stop; once more: at once."


def _book(ledger: Ledger, end: End, countdown) -> None:
    """Books what became of a run."""
    run_id = end.run_id
    ledger.running.remove(run_id)
    if end.code == DONE:
        ledger.finish(run_id)
        countdown.ended(ledger, run_id)
    elif end.code == BUSY:
        ledger.set_busy(run_id)
    elif end.code == FAILED:
        _fail(ledger, end, "", countdown)
    elif ledger.stopped:
        ledger.give_back(run_id)
    else:
        words, too_often = ledger.come_back(run_id, lost=end.code != STOPPED)
        if too_often:
            _fail(ledger, end, words, countdown)
        else:
            ledger.give_back(run_id)
            # what a worker gives back it may be writing yet
            countdown.note(f"{run_id}: {words}; it starts again, from its checkpoint if it has one.")


def _fail(ledger: Ledger, end: End, returned: str, countdown) -> None:
    ledger.fail(end.run_id, _reason(end, returned))
    countdown.ended(ledger, end.run_id, ledger.failed[end.run_id])


def _reason(end: End, returned: str) -> str:
    """The failure that the worker left, or, if it could not, what is known of its end."""
    if end.code == FAILED and not end.words and (left := failure(end.run_id)):
        return left
    known = end.words or returned and "it comes no further; give the jobs of workers more time"
    reason = known or f"it failed and could not write why: is there space in {results_root()}?"
    if returned:
        reason = f"{returned}: {reason}"
    with suppress(OSError):  # of a full disk
        store.keep_failure(end.run_id, reason, own=bool(known))
    return reason
