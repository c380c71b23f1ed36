"""What `intertask run` says while it runs."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from intertask.errors import number_of
from intertask.execution.schedule import time_left
from intertask.views.live import running_runs
from intertask.written import escaped


class Countdown:
    """Says what trains, what has ended and when the rest will have: a bar on a terminal, a line per run elsewhere.

    `estimated` gives the expected seconds of every run. It is asked again as runs end, and the time left is computed
    again, as often as each costs little.
    """

    FORMAT = "{desc} |{bar:10}| {elapsed}{postfix}"  # of one width, whatever is said behind it
    COST = 0.01  # of the time, at most, goes into each

    def __init__(self, estimated: Callable[[], dict[str, float]], workers: int):
        self.estimated, self.workers = estimated, workers
        self.running, self.left, self.look_due = {}, "", 0.0
        self._estimate()
        options = {"disable": not (self.expected and sys.stderr.isatty()), "dynamic_ncols": True}
        self.bar = tqdm(desc=self._count(0), total=len(self.expected), bar_format=self.FORMAT, **options)

    def __enter__(self) -> "Countdown":
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def _estimate(self) -> None:
        began = time.monotonic()
        self.expected = self.estimated()
        self.due = time.monotonic() + (time.monotonic() - began) / self.COST

    def ended(self, ledger, run_id: str, failure: str = "") -> None:
        """Of a ledger (`execute.Ledger`) one more run has ended."""
        if time.monotonic() > self.due:
            self._estimate()
        if failure:
            self.note(f"FAILED {run_id}: {failure}")
        count = len(ledger.done) + len(ledger.failed)
        self.say(ledger, f"[{count}/{len(self.expected)}] {run_id}")

    def note(self, line: str) -> None:
        """Says what must not be missed, above the bar where there is one."""
        tqdm.write(escaped(line), file=sys.stderr)

    def say(self, ledger, line: str) -> None:
        if self.bar.disable and self.expected:
            self._look(ledger)
            print(escaped(f"{line}; {self.left}"), flush=True)
        self.look(ledger)

    def look(self, ledger) -> None:
        """Moves the bar, on a terminal, to where the runs under way are now."""
        if self.bar.disable:
            return
        self._look(ledger)
        ended = len(ledger.done) + len(ledger.failed)
        running = {run_id: one for run_id, one in self.running.items() if run_id in ledger.running}
        self.bar.n = min(self.bar.total, ended + sum(one.share for one in running.values()))
        trains = [f"{run_id.rpartition('-')[0]} {one.share:.0%}" for run_id, one in running.items()]
        self.bar.set_description_str(self._count(ended), refresh=False)
        self.bar.set_postfix_str(escaped(", ".join([self.left, *trains])) if ended < self.bar.total else "")

    def _count(self, ended: int) -> str:
        return f"{ended}/{number_of(len(self.expected), 'run')}"

    def _look(self, ledger) -> None:
        """Finds the runs of the ledger that are under way, and the time left in words."""
        began = time.monotonic()
        if began < self.look_due and (ledger.running or ledger.waiting):
            return
        self.running = {run_id: one for run_id, one in running_runs().items() if run_id in ledger.running}
        needed = {run_id: self.expected[run_id] for run_id in ledger.running}
        needed |= {run_id: one.left(needed[run_id]) for run_id, one in self.running.items()}
        parents = {run_id: run.parents for run_id, run in ledger.runs.items() if run_id in ledger.waiting}
        self.left = f"about {duration(time_left(parents, self.expected, needed, self.workers))} left"
        self.look_due = time.monotonic() + (time.monotonic() - began) / self.COST


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
