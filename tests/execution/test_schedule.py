"""What runs next and for how long, and what is known of the runs without reading them."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from intertask import origin
from intertask.errors import IntertaskError
from intertask.execution import execute, here, schedule, worker
from intertask.execution.execute import End, Ledger
from intertask.execution.schedule import longest_paths, time_left, workers_for
from intertask.run import Run
from intertask.studies import claims, store
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


@pytest.fixture
def ledger(runs) -> Ledger:
    return Ledger(runs, longest_paths(parents(runs), SECONDS))


def taken(ledger: Ledger) -> list[str]:
    """What starts in which order where a run is finished before the next one starts."""
    order = []
    while run_id := ledger.next():
        order.append(run_id)
        ledger.finish(run_id)
    return order


def test_the_most_urgent_run_whose_parent_is_there_comes_next(ledger):
    assert taken(ledger) == ["a", "b", "a1", "a11", "a2"] and not ledger.open and not ledger.waiting


def test_what_another_driver_executes_is_looked_at_again_and_its_children_wait(ledger, monkeypatch):
    held = {"a"}
    monkeypatch.setattr(claims.Observer, "free", lambda self, path: path.name not in held)
    assert ledger.next() == "a"
    ledger.set_busy("a")
    assert taken(ledger) == ["b"] and ledger.open
    monkeypatch.setattr(execute.time, "monotonic", lambda: 1e9)
    ledger.ask_again()
    assert taken(ledger) == [] and ledger.open
    held.clear()
    monkeypatch.setattr(execute.time, "monotonic", lambda: 2e9)
    ledger.ask_again()
    assert taken(ledger) == ["a", "a1", "a11", "a2"]


def test_what_starts_from_a_run_that_failed_fails_with_it(ledger):
    ledger.next()
    ledger.fail("a", "why")
    assert taken(ledger) == ["b"] and not ledger.open
    why = "not started: its parent {} failed".format
    assert ledger.failed == {"a": "why", "a1": why("a"), "a2": why("a"), "a11": why("a1")}


class Made:
    """A place where each run ends at once, with the codes that are told for it in turn, else as done."""

    def __init__(self, workers: int, codes: dict[str, list[int]] | None = None, then=lambda run_id: None, begins=True):
        self.workers, self.codes, self.then, self.begins = workers, codes or {}, then, begins
        self.began, self.running, self.stopped = [], [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, run_id, run):
        self.began.append(run_id)
        self.running.append(run_id)
        if self.begins:
            claims.HERE.take(store.claim_file(run_id)).end("lost")
        assert len(self.running) <= self.workers

    def ends(self, seconds):
        ended, self.running = self.running[:1], self.running[1:]
        found = [
            End(run_id, code, "" if code in worker.CODES else "killed")
            for run_id in ended
            for code in self._code(run_id)
        ]
        for run_id in ended:
            self.then(run_id)
        return found

    def _code(self, run_id):
        return [self.codes.get(run_id, []).pop(0) if self.codes.get(run_id) else worker.DONE]

    def stop(self):
        self.stopped += 1


@pytest.fixture
def room(monkeypatch):
    monkeypatch.setattr(execute, "scarcity", lambda: None)


def executed(runs, place, slower: float = 1, **options) -> Ledger:
    seconds = {run_id: slower * one for run_id, one in SECONDS.items()}
    return execute.execute(runs, place, Countdown(lambda: seconds, 1), **options)


def test_where_space_becomes_scarce_no_run_starts_and_those_under_way_end(runs, monkeypatch, capsys):
    place, scarcity = Made(3), IntertaskError("too little space")
    monkeypatch.setattr(execute, "scarcity", lambda: scarcity if len(place.began) == 2 else None)
    with pytest.raises(IntertaskError, match="too little space"):
        executed(runs, place)
    assert place.began == ["a", "b"] and capsys.readouterr().out.count("] ") == 2


def test_a_failure_that_cannot_be_written_is_told(runs, room, monkeypatch, capsys):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(store, "write", full)
    store.open_pool()
    worker._keep_failure("b", store.pool(), RuntimeError("why"))  # as the worker of such a run does
    progress = executed({"b": runs["b"]}, Made(1, {"b": [worker.FAILED]}))
    assert "it failed and could not write why: is there space in" in progress.failed["b"]
    assert "FAILED b: it failed" in capsys.readouterr().err


def test_a_run_that_loses_its_worker_begins_again_and_the_third_time_it_has_failed(runs, room):
    place = Made(1, {"a": [-9, 255], "b": [-9, 255, -9]})
    progress = executed(runs, place)
    assert [place.began.count(run_id) for run_id in runs] == [3, 3, 1, 1, 1]
    assert progress.failed == {"b": "its worker was lost 3 times: killed"} and len(progress.done) == 4
    assert "lost 3 times" in missing_runs([{"run": "b", "parents": []}])["b"]


def test_a_worker_that_is_lost_before_it_has_begun_a_run_counts_little(runs, room):
    place = Made(1, {"b": [-9] * 9, "a1": [-9] * 99}, begins=False)
    assert executed(runs, place).failed == {
        "a1": "its worker was lost 30 times before it had begun: killed",
        "a11": "not started: its parent a1 failed",
    }
    assert place.began.count("b") == 10


def test_a_run_that_is_given_back_goes_on_as_long_as_it_comes_further(runs, room, capsys):
    def train(run_id):
        if run_id == "b":
            (store.checkpoints("b") / f"{place.began.count('b'):09d}.000000.1").mkdir(parents=True)

    place = Made(1, {"a": [worker.STOPPED] * 99, "b": [worker.STOPPED, -9] * 20}, then=train)
    progress = executed(runs, place)
    assert progress.failed["a"] == "given back 30 times: it comes no further; give the jobs of workers more time"
    assert place.began.count("a") == 30 and place.began.count("b") == 41 and "b" in progress.done
    said = capsys.readouterr().err
    assert "a: given back 2 times; it starts again, from its checkpoint if it has one.\n" in said
    assert "b: its worker was lost; it starts again, " in said


def test_a_signal_stops_what_is_under_way_and_starts_nothing(runs, room, capsys):
    place = Made(2, {"b": [worker.STOPPED]}, then=lambda run_id: run_id == "a" and os.kill(os.getpid(), signal.SIGUSR1))
    progress = executed(runs, place)
    assert place.began == ["a", "b"] and progress.done == ["a"] and place.stopped == 1
    assert progress.stopped == signal.SIGUSR1 and progress.waiting == {"b", "a1", "a2", "a11"}
    assert (
        "SIGUSR1: no further run starts, 1 under way are asked to stop; once more: at once." in capsys.readouterr().err
    )


def test_the_same_signal_again_within_a_moment_is_no_second_one(runs, room):
    def tell_twice(run_id: str) -> None:
        if run_id == "a":
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)

    assert executed(runs, Made(1, then=tell_twice)).stopped == signal.SIGTERM


def test_a_second_signal_ends_at_once(runs, room):
    def tell(run_id: str) -> None:
        os.kill(os.getpid(), signal.SIGINT if run_id == "a" else signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        executed(runs, Made(2, then=tell))
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_does_not_stop_in_time_is_ended(runs, room, monkeypatch):
    monkeypatch.setattr(execute, "PATIENCE", 0.0)
    place = Made(1)
    monkeypatch.setattr(
        place, "ends", lambda seconds: [] if place.stopped else [os.kill(os.getpid(), signal.SIGINT)][1:]
    )
    assert executed(runs, place).running == {"a"}


def test_no_run_starts_that_takes_longer_than_what_is_left(runs, room):
    progress = executed(runs, place := Made(1), slower=100, until=time.monotonic() + 350)
    assert place.began == ["a", "a1", "a2"] and progress.too_long == ["b", "a11"]


def test_the_ledger_of_ten_thousand_runs_costs_little_a_run(room, capsys):
    """A chain of three for each; under 5 ms a run, of which reading the folder's size is a part."""
    names = {f"r{i}": run(f"r{i - 1}" if i % 3 else None) for i in range(9999)}
    began = time.process_time()
    done = execute.execute(names, Made(200), Countdown(lambda: dict.fromkeys(names, 1.0), 200)).done
    assert len(done) == 9999 and time.process_time() - began < 9999 * 0.005


@pytest.fixture
def machine(monkeypatch):
    """This machine, of which the processes are made; with what each was started with."""
    started = []

    def start(process):
        started.append(process)
        process.sentinel = len(started)

    made = lambda target, args: SimpleNamespace(job=args[0], pid=0)  # noqa: E731
    monkeypatch.setattr(here, "_start", start)
    monkeypatch.setattr(here, "_prepare_to_fork", lambda warm: None)
    monkeypatch.setattr(here, "FORKSERVER", SimpleNamespace(Process=made, Pipe=multiprocessing.Pipe))
    return started


def test_each_run_has_the_card_with_the_fewest_runs(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(here.tempfile, "tempdir", str(tmp_path))
    place = here.Here(4, 60, cards=["0", "GPU-1a"])
    for name in "wxyz":
        place.submit(name, run())
    visible = [process.job["environment"]["CUDA_VISIBLE_DEVICES"] for process in machine]
    assert visible == ["0", "GPU-1a", "0", "GPU-1a"]
    del place._running[2]
    place.submit("v", run())
    assert machine[-1].job["environment"]["CUDA_VISIBLE_DEVICES"] == "GPU-1a"


@pytest.mark.parametrize(("asked", "per_card", "at_a_time"), [(0, 1, 2), (0, 3, 6), (1, 3, 1), (9, 1, 2)])
def test_a_card_holds_as_many_runs_as_the_user_says(asked, per_card, at_a_time, monkeypatch):
    monkeypatch.setattr(schedule, "cards", lambda: ("0", "1"))
    assert workers_for(100, 1, asked, per_card) == at_a_time
    assert workers_for(1, 1, asked, per_card) == 1


@pytest.mark.parametrize(
    ("visible", "found"), [(None, ("0", "1", "2")), ("2,GPU-7", ("2", "GPU-7")), ("1,0,2,9", ("1", "0", "2"))]
)
def test_cards_are_named_as_the_driver_itself_may_see_them(visible, found, monkeypatch):
    import torch

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(origin, "devices", lambda: ("cuda", "cpu"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert origin.cards.__wrapped__() == found


def test_a_mac_has_one_gpu_and_on_processors_gpus_do_not_count(monkeypatch):
    monkeypatch.setattr(schedule, "processors", lambda: 8)
    monkeypatch.setattr(schedule, "cards", lambda: ("0", "1"))
    assert [workers_for(99, 2, per_card=3, device=device) for device in ("auto", "cuda", "cpu")] == [6, 6, 4]
    monkeypatch.setattr(schedule, "cards", lambda: ())
    monkeypatch.setattr(schedule, "devices", lambda: ("mps", "cpu"))
    assert [workers_for(99, 2, device=device) for device in ("auto", "mps", "cpu")] == [1, 1, 4]


def test_what_is_missing_is_told_with_its_reason_and_what_needs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    write_run(tmp_path, "a", "x", 0, 60.0)
    write_run(tmp_path, "f", "x", 0, 60.0)
    (tmp_path / "runs" / "f" / "run.json").write_text("not even JSON")
    write_failure(tmp_path, "b", "no space left")
    index = [
        {"run": i, "parents": parents}
        for i, parents in {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["a"], "e": ["c"], "f": [], "g": ["f"]}.items()
    ]
    found = missing_runs(index)
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
        "import intertask, intertask.cli, intertask.run, intertask.studies.graph, intertask.execution.execute",
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
import intertask.execution.preload, psutil, torch
assert psutil.Process().num_threads() == 1
assert not torch.cuda.is_initialized()
"""
    found = modules(code)
    assert found > HEAVY - {"datasets"} and "intertask.encoders.lora" in found
    assert "peft" not in found, "adapters are imported where they are used"
