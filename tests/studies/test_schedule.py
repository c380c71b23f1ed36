"""What runs next and for how long, and what is known of the runs without reading them."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.studies import execute, store, worker
from intertask.studies.execute import Ledger, Worker
from intertask.studies.schedule import longest_paths, time_left
from intertask.studies.status import missing_runs
from intertask.tasks.catalogue import catalogue
from intertask.views.countdown import Countdown
from made_store import write_failure, write_run


def run(parent: str | None = None, seed: int = 0) -> Run:
    return Run(task="mini/rte", parent=parent, seed=seed)


@pytest.fixture
def runs() -> dict[str, Run]:
    """a and b start from nothing, a1 and a2 from a, a11 from a1."""
    return {"a": run(), "b": run(), "a1": run("a"), "a2": run("a"), "a11": run("a1")}


def parents(runs: dict[str, Run]) -> dict[str, list[str]]:
    return {run_id: one.parents for run_id, one in runs.items()}


SECONDS = {"a": 1.0, "b": 6.0, "a1": 2.0, "a2": 3.0, "a11": 4.0}


def test_the_longest_path_is_that_of_the_slowest_chain(runs):
    assert longest_paths(parents(runs), SECONDS) == {"a": 7.0, "b": 6.0, "a1": 6.0, "a2": 3.0, "a11": 4.0}


def test_a_parent_outside_the_runs_to_do_counts_for_nothing():
    assert longest_paths({"x": ["finished before"]}, {"x": 2.0}) == {"x": 2.0}


def test_the_time_left_is_that_of_the_runs_as_they_will_start(runs):
    """Of two workers one does a (1), a1 (2), a11 (4), the other b (6), a2 (3): at 1, 3, 7 and 6, 9 they are ready."""
    assert time_left(parents(runs), SECONDS, {}, 2) == 9.0
    assert time_left(parents(runs), SECONDS, {}, 1) == 16.0
    assert time_left(parents(runs), SECONDS, {}, 9) == 7.0  # the longest chain, whatever the workers


def test_the_time_left_counts_what_is_under_way(runs):
    del runs["a"], runs["b"]
    assert time_left(parents(runs), SECONDS, {"a": 0.5, "b": 10.0}, 2) == 10.0  # 0.5 + 2 + 4 + 3 = 9.5 beside it
    assert time_left({}, SECONDS, {"b": 4.0, "x": 1.0}, 1) == 4.0
    assert time_left({}, SECONDS, {}, 1) == 0.0


def test_the_most_urgent_run_whose_parent_is_there_comes_next(runs):
    progress = Ledger(dict(runs), longest_paths(parents(runs), SECONDS))
    order = []
    while (ready := progress.ready()) is not None:
        progress.waiting.pop(ready)
        order.append(ready)
    assert order == ["a", "b", "a1", "a11", "a2"]


def test_a_run_that_another_driver_holds_comes_last(runs):
    progress = Ledger(dict(runs), longest_paths(parents(runs), SECONDS), busy={"a"})
    assert progress.ready() == "b"


def ended(code: int) -> Worker:
    """A worker whose process has ended at once."""
    return Worker(SimpleNamespace(exitcode=code, join=lambda: None), SimpleNamespace(close=lambda: None))


def test_where_space_becomes_scarce_no_run_starts_and_those_under_way_end(runs, monkeypatch, capsys):
    started, scarcity = [], IntertaskError("too little space")
    monkeypatch.setattr(execute, "_prepare_to_fork", lambda _: None)
    monkeypatch.setattr(execute, "scarcity", lambda: scarcity if len(started) == 2 else None)
    monkeypatch.setattr(execute, "start", lambda run_id, *_: started.append(run_id) or ended(worker.DONE))
    with pytest.raises(IntertaskError, match="too little space"):
        execute.execute(runs, 3, 60, Countdown(lambda: SECONDS, 3))
    assert started == ["a", "b"] and capsys.readouterr().out.count("] ") == 2


def test_a_failure_that_cannot_be_written_is_told(runs, monkeypatch, capsys):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(execute, "_prepare_to_fork", lambda _: None)
    monkeypatch.setattr(execute, "scarcity", lambda: None)
    monkeypatch.setattr(execute, "start", lambda *_: ended(worker.FAILED))
    monkeypatch.setattr(store, "write", full)
    store.open_pool()
    worker._keep_failure("b", store.pool(), RuntimeError("why"))  # as the worker of such a run does
    progress = execute.execute({"b": runs["b"]}, 1, 60, Countdown(lambda: {"b": 6.0}, 1))
    assert "it failed and could not write why: is there space in" in progress.failed["b"]
    assert "FAILED b: it failed" in capsys.readouterr().err


def test_the_time_of_a_run_begins_when_it_has_its_claim(monkeypatch):
    ours, theirs = multiprocessing.Pipe()
    job = {"id": "a-1", "parameters": run().model_dump(mode="json"), "wait": True, "root": "/"}
    process = multiprocessing.get_context("fork").Process(target=signal.pause)
    process.start()
    os.setpgid(process.pid, process.pid)
    one = Worker(process, ours, None)
    one.stop_if_late(0)
    assert not one.late and process.exitcode is None
    store.open_pool()
    monkeypatch.setattr(worker, "perform", lambda *_: worker.DONE)
    assert worker.claimed(job, None, theirs) == worker.DONE
    one.stop_if_late(60)
    assert one.began and not one.late
    one.stop_if_late(0)
    process.join(60)
    theirs.close()
    assert one.late and process.exitcode == -signal.SIGKILL
    Worker(process, ours, None).stop_if_late(0)  # one that ends while it waits


def test_what_is_missing_is_told_with_its_reason_and_what_needs_it(tmp_path):
    write_run(tmp_path, "a", "x", 0, 60.0)
    write_run(tmp_path, "f", "x", 0, 60.0)
    (tmp_path / "runs" / "f" / "run.json").write_text("not even JSON")
    write_failure(tmp_path, "b", "no space left")
    index = [
        {"run": i, "parents": parents}
        for i, parents in {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a"], "e": ["c"], "f": [], "g": ["f"]}.items()
    ]
    found = missing_runs(index, tmp_path)
    assert "f/run.json: expected what Intertask wrote there for f" in found.pop("f")
    assert found == {
        "b": "failed: cell 4: no space left",
        "c": "not run: a run that it needs failed",  # whichever of its parents that is
        "d": "not run yet",
        "e": "not run: a run that it needs failed",  # which can never start, as c cannot
        "g": "not run yet",  # what is damaged is made anew
    }


def modules(code: str, environment: dict | None = None) -> set[str]:
    """What a fresh interpreter has imported after the code."""
    listing = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", f"{code}\n{listing}"], capture_output=True, text=True)
    assert not output.returncode, output.stderr
    return set(json.loads(output.stdout.splitlines()[-1]))


HEAVY = {"torch", "transformers", "datasets", "pandas", "scipy", "sklearn", "matplotlib", "papermill", "pyarrow"}


@pytest.mark.parametrize(
    "code",
    [
        "import intertask, intertask.cli, intertask.run, intertask.studies.graph, intertask.studies.execute",
        "from intertask.studies.status import missing_runs; missing_runs([{'run': 'a', 'parents': []}])",
    ],
    ids=["imports", "status"],
)
def test_what_answers_at_once_imports_nothing_heavy(code):
    assert not modules(code) & HEAVY


def test_what_is_finished_is_known_without_torch():
    catalogue.__wrapped__()  # not what this process remembers: it may have read it before the tests had their cache
    known = Run(task="mini/wnli").identity()  # from here on it is kept what the catalogue says and which rows it has
    asked = f"from intertask.run import Run; found = Run(task='mini/wnli').identity(); assert found == {known}, found"
    assert "torch" not in modules(f"import intertask.studies.check; {asked}")


def test_what_is_forked_has_everything_and_neither_threads_nor_a_gpu():
    code = """
import intertask.studies.preload, psutil, torch
assert psutil.Process().num_threads() == 1
assert not torch.cuda.is_initialized()
"""
    found = modules(code)
    assert found > HEAVY - {"datasets"} and "intertask.encoders.lora" in found
    assert "peft" not in found, "adapters are imported where they are used"
