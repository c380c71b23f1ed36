"""How the lab's own work grows with the number of runs: planning, listing, reading, and the driver's share of a run.

    INTERTASK_HUB=<mirror> python -W ignore tests/benchmarks/scaling.py [PARTS]

PARTS: runs (1,000, 10,000 and 100,000 of them, planned and, once finished, listed and read), driver (1,000, 10,000 and
20,000 runs at 200 workers that only sleep) and real (16 runs at 2 workers of this machine); by default all. Seconds are
of this process' clock on the wall; beside them those on its processor, which other processes disturb less.
"""

import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from hashlib import sha256
from heapq import heappop, heappush
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Annotated
from unittest.mock import patch

import typer
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench import results  # noqa: E402

from intertask.analysis.read import read_scores  # noqa: E402
from intertask.execution import execute  # noqa: E402
from intertask.execution.driver import driving  # noqa: E402
from intertask.execution.here import Here  # noqa: E402
from intertask.execution.worker import DONE  # noqa: E402
from intertask.files import results_root  # noqa: E402
from intertask.origin import computed_by  # noqa: E402
from intertask.run import Run  # noqa: E402
from intertask.studies import claims, store  # noqa: E402
from intertask.studies.graph import expand  # noqa: E402
from intertask.studies.status import read_study, unfinished  # noqa: E402
from intertask.studies.study import load_study  # noqa: E402
from intertask.views.countdown import Countdown  # noqa: E402
from intertask.views.estimate import estimate  # noqa: E402
from intertask.views.live import look  # noqa: E402
from made_store import write_run  # noqa: E402

STUDY = {
    "title": "Many runs",
    "encoders": ["mini/bert"],
    "supporting": ["mini/mnli", "mini/qqp"],
    "targets": ["mini/rte", "mini/cola", "mini/wnli"],
    "report": [],
}
PER_SEED = 11
KEPT = b"x" * 300
"""What every file of a made run holds beside its record."""
SLEEP = 0.2, 1.0
"""Seconds that a worker which only sleeps takes for a run, at least and at most."""


def main(parts: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Runs the parts; prints a row for each measurement."""
    for part in parts or list(PARTS):
        PARTS[part]()


def runs_of_sizes() -> None:
    with results():
        expand(*load_study(str(made_study(1))))  # reads the data once
    for count in (1_000, 10_000, 100_000):
        with results():
            measure(count)


def measure(count: int) -> None:
    path = made_study(count // PER_SEED)
    graph = row(count, "expanded into a graph", lambda: expand(*load_study(str(path))))
    row(count, "its snapshot written", graph.save)
    row(count, "expected seconds of each", lambda: estimate(graph.runs))
    for run_id, run in graph.runs.items():
        write_finished(run_id, run, run.identity())
    row(count, "asked which are to do, predictions by digest", lambda: unfinished(graph.runs))
    row(count, "the command studies", command("studies"))
    row(count, "the command status, for the first time", command("status", "many"))
    row(count, "the command status, again", command("status", "many"))
    row(count, "the command status on the study's file", command("status", path))
    row(count, "watched", lambda: look("many"))
    row(count, "watched, again", lambda: look("many"))
    row(count, "the snapshot read", lambda: read_study("many"))
    row(count, "every record read into a frame of scores", lambda: read_scores("many"))


def driver() -> None:
    for terminal in (False, True):
        for count in (1_000, 10_000, 20_000):
            with results():
                simulate(count, terminal)


def simulate(count: int, terminal: bool, workers: int = 200) -> None:
    """The real `execute`, countdown and estimates, at a place where workers sleep and leave what real ones leave."""
    graph = expand(*load_study(str(made_study(count // PER_SEED))))
    graph.save()
    place, output = Asleep(workers), Output(terminal)
    began, processor = time.perf_counter(), time.process_time()
    with driving(graph.name) as tell, redirect_stdout(output), redirect_stderr(output), place:
        countdown = Countdown(lambda: tell(estimate(graph.runs).seconds, workers), workers)
        ledger = execute.execute(graph.runs, place, countdown)
    wall, own = time.perf_counter() - began, time.process_time() - processor
    assert len(ledger.done) == len(graph.runs) and not ledger.failed
    share = (wall - place.seconds) / len(graph.runs)
    where = "a bar on a terminal" if terminal else "a line for each run"
    say(count, f"driver's share of a run, {workers} workers that sleep, {where}", f"{share * 1e3:.2f} ms", "")
    say(count, "  the whole study, of which the workers' part", f"{wall:.1f} s", f"{place.seconds:.1f} s, {own:.1f} s")


class Output(io.StringIO):
    def __init__(self, terminal: bool):
        super().__init__()
        self.isatty = lambda: terminal


class Asleep:
    """A place whose workers claim a run, sleep, and publish it: as many at a time, by the clock on the wall."""

    def __init__(self, workers: int):
        self.workers, self.seconds = workers, 0.0
        self._asleep: list[tuple[float, str]] = []
        self._runs: dict[str, tuple[Run, claims.Attempt]] = {}
        self._draw = random.Random(0)

    def __enter__(self) -> "Asleep":
        return self

    def __exit__(self, *_) -> None: ...

    def stop(self) -> None: ...

    def submit(self, run_id: str, run: Run) -> None:
        with self._their_time():
            attempt = claims.HERE.take(store.claim_file(run_id))
            store.staging_folder(attempt).mkdir()
            told = [{"at": at, "of": 10, "time": time.time()} for at in range(5)]
            store.progress_file(store.staging_folder(attempt)).write_text("".join(f"{json.dumps(t)}\n" for t in told))
            self._runs[run_id] = run, attempt
            heappush(self._asleep, (time.monotonic() + self._draw.uniform(*SLEEP), run_id))

    def ends(self, seconds: float) -> list[execute.End]:
        with self._their_time():
            time.sleep(max(0.0, min(seconds, self._asleep[0][0] - time.monotonic())))
            found = []
            while self._asleep and self._asleep[0][0] <= time.monotonic():
                found.append(execute.End(self._publish(heappop(self._asleep)[1]), DONE))
            return found

    def _publish(self, run_id: str) -> str:
        run, attempt = self._runs.pop(run_id)
        store.progress_file(store.staging_folder(attempt)).unlink()
        store.staging_folder(attempt).rmdir()
        write_finished(run_id, run, {"computed_by": computed_by(run.device, run.precision)})
        attempt.end(claims.PUBLISHED)
        attempt.published()
        return run_id

    @contextmanager
    def _their_time(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began


def real(count: int = 16, workers: int = 2) -> None:
    """Short runs of the mini suite at real workers: what the driver itself works for a run, and what a run costs in all
    beside its training and evaluation."""
    from bench import mini_run, training, warm_up

    runs = {run.id(): run for run in (mini_run("mini/cola", seed) for seed in range(count))}
    with results(), redirect_stdout(io.StringIO()), Here(workers, 3600) as place:
        warm_up(workers)
        began, processor = time.perf_counter(), time.process_time()
        countdown = Countdown(lambda: estimate(runs).seconds, workers)
        execute.execute(runs, place, countdown)
        wall, own = time.perf_counter() - began, time.process_time() - processor
        trained = sum(training(store.pool() / run_id) for run_id in runs)
    say(count, f"driver's work for a run, {workers} workers", f"{own / count * 1e3:.2f} ms", "")
    beside = (wall * workers - trained) / count
    say(count, "  a run beside its training and evaluation, per worker", f"{beside:.2f} s", f"of {wall:.1f} s in all")


PARTS = {"runs": runs_of_sizes, "driver": driver, "real": real}


def made_study(seeds: int) -> Path:
    path = results_root() / "many.yaml"
    path.write_text(yaml.safe_dump(STUDY | {"seeds": seeds}))
    return path


def write_finished(run_id: str, run: Run, identity: dict) -> None:
    """A finished run with the files of a real one, each small."""
    folder = store.pool() / run_id
    names = ["curve.csv", "parameters.yaml", f"predictions/{run.task}.parquet"]
    names += ["encoder/config.json", "encoder/model.safetensors"] * run.keep_encoder
    for name in [*names, "notebook.ipynb"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(KEPT)
    files = dict.fromkeys(names, {"bytes": len(KEPT), "sha256": sha256(KEPT).hexdigest()})
    with patch.object(os, "fsync"):
        write_run(results_root(), run_id, run.task, run.seed, 60.0, identity=identity, parent=run.parent, files=files)


def command(*arguments: object) -> Callable[[], None]:
    line = [sys.executable, "-m", "intertask.cli", *map(str, arguments)]
    return lambda: subprocess.run(line, stdout=subprocess.DEVNULL, check=True)


def row(count: int, what: str, call: Callable):
    began, processor = time.perf_counter(), processor_seconds()
    found = call()
    wall, own = time.perf_counter() - began, processor_seconds() - processor
    say(count, what, f"{wall:.2f} s", f"{own:.2f} s on the processor, {own / count * 1e6:.0f} µs a run")
    return found


def processor_seconds() -> float:
    theirs = getrusage(RUSAGE_CHILDREN)
    return time.process_time() + theirs.ru_utime + theirs.ru_stime


def say(count: int, *cells: str) -> None:
    print(f"{count:7,} runs  {cells[0]:76} {cells[1]:>9}  {cells[2]}".rstrip(), flush=True)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
