"""A study while it is run: what is known of it from files alone, and what its runs tell."""

import json
import os
import platform
import signal
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from intertask.errors import IntertaskError
from intertask.execution import driver
from intertask.execution.driver import Driving, command_of, driver_of, driving
from intertask.files import now
from intertask.studies import store
from intertask.studies.claims import Attempt, machine
from intertask.training.bar import Told
from intertask.views.live import Running, look, running_runs
from made_store import take_elsewhere, write_failure, write_index, write_run

LINES = [{"at": 10, "of": 100, "time": 1000.0}, {"at": 30, "of": 100, "time": 1004.0, "loss": 0.5, "score": 61.0}]


@contextmanager
def under_way(results, run_id: str, text: str = ""):
    """A run that another machine holds, and what it told so far."""
    attempt = take_elsewhere(results, run_id)
    store.progress_file(results / "runs" / ".staging" / attempt.name).write_text(text)
    yield
    attempt.end("given back")


@pytest.fixture
def results(tmp_path, monkeypatch):
    """a is done, b failed, c needs b, d runs, e and f wait, f for d."""
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    needs = {"a": [], "b": ["a"], "c": ["b"], "d": ["a"], "e": [], "f": ["d"]}
    stages = dict.fromkeys("cdef", "target") | dict.fromkeys("ab", "intermediate")
    index = [{"run": one, "parents": parents, "stage": stages[one]} for one, parents in needs.items()]
    write_index(tmp_path, "demo", index)
    write_run(tmp_path, "a", "x", 0, 60.0)
    write_failure(tmp_path, "b", "no space left")
    return tmp_path


def test_every_run_of_a_study_is_in_one_state(results):
    with under_way(results, "d", "".join(f"{json.dumps(line)}\n" for line in LINES) + '{"at": 31, "of": 1'):
        found = look("demo")
    assert found.stages == {
        "intermediate": {"done": 1, "failed": 1},
        "target": {"blocked": 1, "running": 1, "waiting": 2},
    }
    assert list(found.stages) == ["intermediate", "target"] and found.unfinished == 5
    assert found.running["d"].lines == LINES  # the torn line is left out
    assert (found.running["d"].by.host, found.running["d"].by.pid) == ("elsewhere", 7)
    assert str(found.running["d"]).startswith("running, step 30 of 100, on elsewhere (process 7) since 20")
    assert found.failed == {"b": "cell 4: no space left"}
    assert found.driver is None and found.left is None


def test_what_a_dead_process_left_does_not_run(results):
    with under_way(results, "d"):
        assert running_runs().keys() == {"d"}
    assert running_runs() == {} and look("demo").stages["target"]["waiting"] == 3


def test_a_damaged_record_is_not_done(results):
    assert look("demo").stages["intermediate"]["done"] == 1
    (results / "runs" / "a" / "run.json").write_text("half a fi")
    assert look("demo").stages["intermediate"]["done"] == 0


def test_the_latest_failure_comes_first(results):
    write_failure(results, "e", "the loss became nan")
    os.utime(results / "runs" / ".failed" / "b" / "failure.json", (1, 1))
    assert list(look("demo").failed) == ["e", "b"]


def test_a_study_that_was_never_run_is_refused(results, refused):
    refused(lambda: look("dema"), "No study 'dema'", "Did you mean 'demo'?")


def test_a_driver_is_known_while_it_lives(results):
    with driving("demo") as tell, under_way(results, "d", "".join(f"{json.dumps(line)}\n" for line in LINES)):
        assert tell({"d": 99.0, "e": 3.0, "f": 2.0}, 2) == {"d": 99.0, "e": 3.0, "f": 2.0}
        found = look("demo")
        assert found.driver.alive and found.driver.here and found.driver.pid == os.getpid()
    # 20 steps took 4 s: d needs 14 more; e ends meanwhile, f needs d
    assert found.left == 16.0
    assert driver_of("demo") is None


def test_of_two_drivers_the_first_is_known_until_it_ends(results):
    with ExitStack() as first, driving("demo") as second:
        first.enter_context(driving("demo"))({}, 2)
        second({}, 7)
        assert driver_of("demo").workers == 2
        first.close()
        assert driver_of("demo") is None
        second({}, 7)
        assert driver_of("demo").workers == 7 and driver_of("demo").alive
    assert driver_of("demo") is None


def test_a_driver_that_was_killed_is_known_to_be_dead(results):
    told = {"host": platform.node(), "pid": 1, "since": now(), "workers": 2, "expected": {}}
    (results / "demo" / "driver.json").write_text(json.dumps(told))
    assert driver_of("demo") == Driving(**told, alive=False) and look("demo").left is None
    (results / "demo" / "driver.json").write_text('{"host": "half')
    assert driver_of("demo") is None


def test_before_a_run_told_enough_it_needs_what_was_expected():
    here = Attempt(Path("d"), 1, machine=machine(), since=now())
    begun = Running(here, [])
    assert 8 < begun.left(10.0) <= 10 and begun.left(0.0) == 0 and begun.share == 0
    assert Running(here, LINES).left(10.0) == 14.0 and Running(here, LINES).share == 0.3
    resumed = Running(here, LINES[-1:])  # from a checkpoint
    assert 6 < resumed.left(10.0) <= 7 and resumed.share == 0.3
    elsewhere = Attempt(Path("d"), 2, machine="another", since="1999-01-01T00:00:00+00:00", host="n2", job="17")
    assert Running(elsewhere, []).left(10.0) == 10.0, "its clock is another"
    said = "running on n2 (process 0, job 17) since 1999-01-01T00:00:00+00:00, attempt 2"
    assert str(Running(elsewhere, [])) == said


def test_a_run_tells_at_evaluations_and_seldom_else(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_STAGING", str(tmp_path))
    told = Told(progress := SimpleNamespace(position=0, total=50))
    for progress.position in range(1, 51):
        told.tell()
        if progress.position % 25 == 0:
            told.tell(loss=0.5, score=60.0 + progress.position)
    lines = [json.loads(line) for line in store.progress_file(tmp_path).read_text().splitlines()]
    assert [(line["at"], line["of"], line.get("score")) for line in lines] == [
        (1, 50, None),
        (25, 50, 85),
        (50, 50, 110),
    ]
    assert abs(lines[-1]["time"] - time.time()) < 60


def test_a_run_goes_on_where_it_cannot_tell(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_STAGING", str(tmp_path / "moved away"))
    Told(SimpleNamespace(position=1, total=50)).tell(score=1.0)
    monkeypatch.delenv("INTERTASK_STAGING")
    Told(SimpleNamespace(position=1, total=50)).tell(score=1.0)
    assert not list(tmp_path.iterdir())


def test_a_driver_is_stopped_as_by_ctrl_c(results, refused):
    with pytest.raises(KeyboardInterrupt), driving("demo") as tell:
        tell({}, 1)
        driver.stop(driver_of("demo"))
        signal.pause()
    gone = Driving("here", 2**22 + 1, now(), 1, {}, alive=True)
    refused(lambda: driver.stop(gone), "a driver to stop, found No such process")


def test_a_study_goes_on_by_the_command_that_began_it(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    write_index(tmp_path, "mine-mini-quick", [])
    with pytest.raises(IntertaskError, match="the study's file"):
        command_of("mine-mini-quick")
    file, path = tmp_path / "mine.yaml", tmp_path / "mine-mini-quick" / "study.json"
    file.write_text("")
    from intertask.files import write_sealed

    index = {name: value for name, value in json.loads(path.read_text()).items() if name != "sha256"}
    write_sealed(path, "mine-mini-quick", json.dumps(index | {"file": str(file)}))
    ours, cluster = ["run", str(file), "--mini", "--quick"], ["--cluster", "tcp://10.0.0.1:8786"]
    assert command_of("mine-mini-quick") == ours
    with driving("mine-mini-quick", cluster) as tell:
        tell({}, 1)
        assert command_of("mine-mini-quick") == ours + cluster == ours + driver_of("mine-mini-quick").options
    assert command_of("mine-mini-quick") == ours + cluster and driver_of("mine-mini-quick") is None
    with driving("mine-mini-quick") as tell:  # the last one counts
        tell({}, 1)
    assert command_of("mine-mini-quick") == ours and not path.with_name("driver.json").exists()
