"""Many runs: what is kept of their records is never believed against the files; no run costs more among more of them.

The work is counted in calls, not timed: so it is the same on every machine.
"""

import os
import shutil
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import yaml

from intertask.execution.execute import End, execute
from intertask.execution.worker import DONE
from intertask.files import results_root
from intertask.run import Run
from intertask.studies import listed
from intertask.studies.graph import expand
from intertask.studies.status import missing_runs, of_runs
from intertask.studies.study import load_study
from intertask.views.countdown import Countdown
from intertask.views.live import look
from made_store import reseal, run_id, write_index, write_run
from made_task import write_fruit

SIZES = 20, 60
STUDY = {"title": "Many", "encoders": ["mini/bert"], "supporting": ["ripeness"], "targets": ["fruit"], "report": []}
STUDY |= {"task_file": "tasks.yaml", "sweep": {"learning_rate": [1e-3, 1e-4]}}


@pytest.fixture
def kept(monkeypatch, tmp_path) -> Path:
    """Where it is kept what records list, of however few, and nothing else is."""
    monkeypatch.setenv("INTERTASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(listed, "WORTH", 1)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # of many small files
    return tmp_path / "cache" / "listed"


def finished(count: int) -> list[dict]:
    """A study's index of so many finished runs, each with a file beside its record."""
    index = [{"run": run_id("mini/rte", seed, count), "parents": [], "stage": "target"} for seed in range(count)]
    for seed, row in enumerate(index):
        write_run(results_root(), row["run"], "mini/rte", seed, 60.0)
        folder_of(row).joinpath("curve.csv").write_text("step,loss\n1,0.5\n")
        reseal(folder_of(row))
    return index


def folder_of(row: dict) -> Path:
    return results_root() / "runs" / row["run"]


def anew(call):
    """As another process calls it, which has seen nothing yet."""
    listed._known.cache_clear()
    return call()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flipped(path: Path) -> None:
    """In place, of the same size, and with the same time of modification: that of the last change is the system's."""
    before, content = path.stat(), path.read_bytes()
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # of which the clock is coarse
        path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def of_another_run(path: Path) -> None:
    shutil.copy2(next(other for other in path.parents[1].glob("*/run.json") if other != path), path)


@pytest.mark.parametrize(
    "name, damage",
    [
        ("run.json", cut),
        ("run.json", flipped),
        ("run.json", of_another_run),
        ("run.json", Path.unlink),
        ("curve.csv", cut),
        ("curve.csv", Path.unlink),
        ("", shutil.rmtree),
    ],
)
@pytest.mark.parametrize("again", [anew, lambda call: call()], ids=["another process", "the same"])
def test_what_changed_since_is_noticed(name, damage, again, kept):
    index = finished(3)
    write_index(results_root(), "many", index)
    assert not missing_runs(index) and next(kept.iterdir())
    damage(folder_of(index[1]) / name)
    expected = of_runs(index)[1]  # for which every record is read
    assert len(expected) == (name != "curve.csv" or damage != Path.unlink)  # which a copy may leave behind
    assert again(partial(missing_runs, index)) == expected
    assert again(partial(look, "many")).unfinished == len(expected)


def test_of_a_pool_beside_copied_without_encoders_no_record_is_read_again(kept, tmp_path, monkeypatch):
    index = finished(3)
    folder_of(index[0]).joinpath("encoder").mkdir()
    folder_of(index[0]).joinpath("encoder", "config.json").write_text("{}")
    reseal(folder_of(index[0]))
    shutil.rmtree(folder_of(index[0]) / "encoder")
    theirs = results_root().rename(tmp_path / "theirs")
    monkeypatch.setenv("INTERTASK_POOLS", str(theirs))
    (results_root() / "runs").mkdir(parents=True)
    assert not anew(partial(missing_runs, index))
    counts = called(partial(anew, partial(missing_runs, index)))
    assert not counts["read_sealed"] and counts["recall"] == 2, "what is kept of each pool"
    shutil.copytree(theirs / "runs" / index[1]["run"], folder_of(index[1]))
    cut(folder_of(index[1]) / "run.json")  # one's own comes first
    (theirs / "runs" / index[0]["run"] / "encoder").mkdir()
    flipped(theirs / "runs" / index[2]["run"] / "run.json")
    expected = of_runs(index)[1]
    assert len(expected) == 3 and anew(partial(missing_runs, index)) == expected


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_another_shape(path: Path) -> None:
    path.write_text('{"what": {}}')


@pytest.mark.parametrize("damage", [cut, emptied, of_another_shape, Path.unlink])
def test_without_what_was_kept_it_is_read_again(damage, kept):
    index = finished(3)
    cut(folder_of(index[2]) / "run.json")
    assert list(anew(partial(missing_runs, index))) == [index[2]["run"]]
    (path,) = kept.iterdir()
    before = path.read_bytes()
    damage(path)
    assert list(anew(partial(missing_runs, index))) == [index[2]["run"]] and path.read_bytes() == before


def test_a_cache_that_cannot_be_written_is_done_without(kept):
    kept.parent.write_text("a file where the folder should be")
    assert not anew(partial(missing_runs, finished(3)))


def called(call) -> Counter:
    """How often each function was called, Python's and C's."""
    counts: Counter = Counter()

    def note(frame, event: str, argument) -> None:
        if event in ("call", "c_call"):
            counts[frame.f_code.co_qualname if event == "call" else argument.__qualname__] += 1

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return counts


def per_run(make) -> list[Counter]:
    """For both SIZES, how often each function is called for a run by what `make` gives for so many.

    The first time does not count: modules are imported, and data is read.
    """
    make(SIZES[0])()
    found = [called(make(size)) for size in SIZES]
    return [
        Counter({name: round(n / size, 1) for name, n in one.items()}) for one, size in zip(found, SIZES, strict=True)
    ]


def listing(size: int, call, again: bool):
    index = finished(size)
    write_index(results_root(), "many", index)
    if again:
        missing_runs(index)
    listed._known.cache_clear()
    return partial(call, index)


@pytest.mark.parametrize("call", [missing_runs, lambda _: look("many")], ids=["status", "watch"])
def test_a_listing_reads_each_record_once_and_never_again(call, kept):
    for again in (False, True):
        small, large = per_run(lambda size, again=again: listing(size, call, again))
        assert not large - small
        assert large["read_sealed"] == (not again) and large["stat"] <= 3


def planning(folder: Path, size: int):
    write_fruit(folder)
    path = folder / "many.yaml"
    path.write_text(yaml.safe_dump(STUDY | {"seeds": size}))
    return lambda: expand(*load_study(str(path))).snapshot()


def test_planning_costs_the_same_for_each_run(tmp_path):
    small, large = per_run(partial(planning, tmp_path))
    assert large["Run.id"] > 2 and not large - small


class AtOnce:
    """A place where runs end as soon as they are submitted."""

    workers = 8

    def __init__(self):
        self.running: list[str] = []

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None: ...

    def submit(self, run_id: str, run: Run) -> None:
        self.running.append(run_id)

    def ends(self, seconds: float) -> list[End]:
        return [End(self.running.pop(), DONE)]


def executing(size: int):
    runs = {f"p{number}": Run(task="mini/mnli", seed=number) for number in range(size // 2)}
    runs |= {f"c{number}": Run(task="mini/rte", parent=f"p{number}", seed=number) for number in range(size // 2)}
    return lambda: execute(runs, AtOnce(), Countdown(lambda: dict.fromkeys(runs, 1.0), AtOnce.workers))


def test_the_driver_does_as_much_for_each_run(monkeypatch):
    monkeypatch.setattr(Countdown, "COST", 1e-9)  # of the time: it looks and estimates once
    small, large = per_run(executing)
    assert large["Ledger.finish"] == 1 and not large - small
