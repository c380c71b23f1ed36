"""What `intertask run` says while it runs."""

import sys
import time

from tqdm import tqdm

from intertask.written import escaped


class Countdown:
    """Says what has ended and when the rest will have: a bar on a terminal, a line per run elsewhere.

    The time left is the expected seconds of the runs that remain, corrected by how the others kept to theirs.
    """

    FORMAT = "{n_fmt}/{total_fmt} runs |{bar}| {elapsed}, {postfix}"

    def __init__(self, expected: dict[str, float], workers: int):
        self.expected, self.began = expected, time.monotonic()
        self.left, self.speed = sum(expected.values()), float(workers)
        options = {"disable": not (expected and sys.stderr.isatty()), "dynamic_ncols": True}
        self.bar = tqdm(total=len(expected), bar_format=self.FORMAT, **options)

    def __enter__(self) -> "Countdown":
        if self.expected:
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
            print(escaped(f"{line}; {left}"), flush=True)


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
