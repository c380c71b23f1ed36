"""Runs that are killed, raced, late and lost: real processes, real signals."""

import json
import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
import yaml

from intertask.run import Run
from intertask.training import prepare, train
from made_driver import command, drive
from made_study import (
    HANGING,
    STUDY,
    alive,
    attempts,
    failed_in_a_cell,
    fork_server,
    kernels,
    kin,
    own,
    predictions,
    published,
    records,
    scores,
    states,
    succeed,
    wait_for,
    warm,
    workers,
    write_study,
)


def begun(study, results, **options):
    """A driver that has finished a run and is at others."""
    driver = drive("run", study, results=results, **options)
    wait_for(lambda: records(results) and kernels(driver))
    return driver


def busy(driver) -> list[psutil.Process]:
    """The kernels that are beyond their start, which takes an ordinary one half a second."""
    return [kernel for kernel in kernels(driver) if _busy(kernel)]


def _busy(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.cpu_times().user > 1
    return False


def write_slow(folder, seeds=1):
    """Runs of a few seconds each."""
    train = STUDY["train"] | {"num_train_epochs": 60}
    return write_study(folder, regimes=["single"], supporting=[], seeds=seeds, train=train, report=[])


@pytest.fixture
def temporary(monkeypatch):
    """The folder for short-lived files, its path short enough for sockets."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_a_killed_driver_takes_its_processes_along_and_the_study_is_resumed(finished, tiny, tmp_path, temporary):
    driver = begun(tiny, tmp_path)
    family = kin(driver)
    done = states(tmp_path)
    driver.kill()
    driver.communicate()
    wait_for(lambda: not [process for process in family if alive(process)])
    assert 0 < len(records(tmp_path)) < 6
    succeed("run", tiny, results=tmp_path)
    assert scores(tmp_path) == scores(finished)
    assert {path: state for path, state in states(tmp_path).items() if path in done} == done
    assert not list((tmp_path / "runs" / ".staging").iterdir()) and not list(temporary.iterdir())


FIRST = {"process to fork from": (warm, []), "ordinary kernel": (kernels, ["--plain-kernels"])}


@pytest.mark.parametrize(("found", "options"), FIRST.values(), ids=FIRST)
def test_a_driver_that_is_killed_as_its_first_processes_start_takes_them_along(found, options, tiny, tmp_path):
    with command("run", tiny, *options, results=tmp_path) as driver:
        wait_for(lambda: found(driver))
        family = kin(driver)
        driver.kill()
        driver.wait()
        wait_for(lambda: not [process for process in family if alive(process)], 3)


def test_a_killed_kernel_fails_its_run_and_one_with_a_killed_worker_begins_again(tmp_path):
    slow = write_slow(tmp_path, seeds=2)
    driver = drive("run", slow, "--workers", 2, results=tmp_path)
    first, second = wait_for(lambda: len(found := busy(driver)) == 2 and found)
    worker = second.parent()
    worker.kill()
    first.send_signal(signal.SIGKILL)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 1
    assert (
        "1 of 2 runs failed, or need one that did. The same command tries again what was killed" in output
        and "DeadKernelError" in output
    )
    wait_for(lambda: not alive(second))  # the worker's kernel goes along with it
    failed_in_a_cell(tmp_path)
    assert "DeadKernelError" in succeed("status", slow, results=tmp_path)
    succeed("run", slow, results=tmp_path)
    assert len(records(tmp_path)) == 2
    assert not list(tmp_path.glob("runs/.failed/*"))


def test_a_run_that_kills_its_worker_three_times_has_failed_with_its_last_lines(tmp_path):
    driver, killed = drive("run", write_slow(tmp_path), results=tmp_path), []
    for _ in range(3):
        (worker,) = wait_for(lambda: [one for one in workers(driver) if one not in killed and one.children()])
        killed.append(worker)
        wait_for(lambda: attempts(tmp_path) == len(killed))
        (log,) = {file.path for file in worker.open_files() if file.path.endswith(".log")}
        family = [worker, *worker.children()]
        for one in family:
            one.suspend()  # or the kernel may say something after us
        with open(log, "a") as stream:
            stream.write("\n".join(f"said {i}" for i in range(20)))
        for one in family:
            one.kill()
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 1 and "its worker was lost 3 times: its process ended with code -9" in output
    assert "    said 10\n" in output and "    said 19\n" in output and "said 9\n" not in output


def test_a_driver_that_is_asked_to_stop_says_what_stands_and_how_to_go_on(finished, tiny, tmp_path):
    driver = begun(tiny, tmp_path)
    os.kill(driver.pid, signal.SIGTERM)
    output = driver.communicate(timeout=HANGING)[0]
    done = len(records(tmp_path))
    assert driver.returncode == 143 and 0 < done < 6
    assert f"(SIGTERM): {6 - done} of 6 runs left to do; what is finished stays, and the same command" in output
    succeed("run", tiny, results=tmp_path)
    assert scores(tmp_path) == scores(finished)


@pytest.mark.slow
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)])
def test_what_every_process_is_told_at_once_stops_a_study_in_order(number, code, finished, tiny, tmp_path):
    """As a terminal's Ctrl-C, and a scheduler before a job ends."""
    with command("run", tiny, results=tmp_path, start_new_session=True) as driver:
        wait_for(lambda: records(tmp_path) and kernels(driver))
        family = kin(driver)
        os.killpg(driver.pid, number)
        output = driver.communicate(timeout=HANGING)[0]
    done = len(records(tmp_path))
    assert driver.returncode == code and 0 < done < 6, output
    assert f"{6 - done} of 6 runs left to do" in output and "failed" not in output
    wait_for(lambda: not [process for process in family if alive(process)])
    succeed("run", tiny, results=tmp_path)
    assert scores(tmp_path) == scores(finished)


def test_a_driver_that_is_asked_twice_ends_at_once(tmp_path):
    driver = drive("run", write_slow(tmp_path), results=tmp_path)
    family = wait_for(lambda: busy(driver)) + kin(driver)
    os.kill(driver.pid, signal.SIGINT)
    os.kill(driver.pid, signal.SIGTERM)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 143 and "Stopped at once" in output and not records(tmp_path)
    wait_for(lambda: not [process for process in family if alive(process)])


def test_a_study_for_which_no_time_is_left_is_stopped(tmp_path):
    slow = write_study(tmp_path, seeds=1, train=STUDY["train"] | {"num_train_epochs": 10**6}, report=[])
    driver = drive("run", slow, "--until", int(time.time()) + 60, results=tmp_path)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 143 and "longer than --until): 3 of 3 runs left to do" in output


def test_a_killed_plain_kernel_fails_its_run(tmp_path):
    driver = drive("run", write_slow(tmp_path), "--plain-kernels", results=tmp_path)
    wait_for(lambda: busy(driver))[0].send_signal(signal.SIGKILL)
    assert "DeadKernelError" in driver.communicate(timeout=HANGING)[0] and driver.returncode == 1
    failed_in_a_cell(tmp_path)


def test_without_its_warm_process_and_the_folder_it_began_in_a_study_goes_on(finished, tiny, tmp_path):
    (here := tmp_path / "here").mkdir()
    driver = begun(tiny, tmp_path, cwd=here)
    here.rmdir()
    lost = fork_server(driver)
    carried = kin(driver)
    lost.kill()
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 0, output
    assert scores(tmp_path) == scores(finished)
    assert not [process for process in carried if alive(process)]


def test_plain_kernels_give_the_same_scores_in_places_of_odd_names_too(finished, tmp_path, monkeypatch):
    """Braces, which papermill fills, brackets, and a TMPDIR in which no socket has room."""
    results, temporary = tmp_path / "{a} [b] {", tmp_path / ("t" * 100)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    single = write_study(tmp_path, regimes=["single"], supporting=[], seeds=1, report=[])
    succeed("run", single, "--plain-kernels", results=results)
    found = scores(results)
    assert len(found) == 1 and found.items() <= scores(finished).items()


def test_two_drivers_of_many_workers_execute_each_run_once_and_give_the_same_scores(finished, tiny, tmp_path):
    drivers = [drive("run", tiny, "--workers", 8, results=tmp_path) for _ in range(2)]
    outputs = [driver.communicate(timeout=HANGING)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    assert scores(tmp_path) == scores(finished)
    assert published(tmp_path) == sorted(scores(tmp_path))


def test_a_failing_run_names_its_cell_and_only_what_starts_from_it_is_not_started(tmp_path):
    diverging = {"learning_rate": 1e30, "warmup_steps": 0, "max_grad_norm": 1e30}
    study = write_study(tmp_path, seeds=1, intermediate=diverging)
    driver = drive("run", study, results=tmp_path)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 1
    assert "2 of 3 runs failed" in output and "not started: its parent ripeness" in output
    assert "IntertaskError: The loss became" in output and "cell " in output
    assert [record["task"] for record in records(tmp_path).values()] == ["fruit"]
    failed = nbformat.read(next(tmp_path.glob("runs/.failed/ripeness*/notebook.ipynb")), as_version=4)
    assert "The loss became" in json.dumps(failed.cells)


def test_a_run_past_its_time_is_stopped(tmp_path):
    driver = drive("run", write_slow(tmp_path), "--timeout", 0.02, results=tmp_path)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 1 and "wall-clock limit of a run (--timeout)" in output
    assert not records(tmp_path)


LONG = {"num_train_epochs": 10**6, "early_stopping_patience": 150, "warmup_steps": 0, "learning_rate": 1e-3}
"""By its pace a run of days; without a gain it ends after seconds."""


def test_a_run_whose_kernel_and_worker_are_killed_ends_as_an_undisturbed_one(tmp_path):
    settings = STUDY["train"] | LONG
    study = write_study(tmp_path, regimes=["single"], supporting=[], seeds=1, train=settings, report=[])
    for victim, code in ((lambda kernel: kernel, 1), (lambda kernel: kernel.parent(), 0)):
        driver = drive("run", study, results=tmp_path)
        wait_for(lambda: list(tmp_path.glob("runs/.staging/*/progress.jsonl")))
        before = kept(tmp_path)
        wait_for(lambda before=before: kept(tmp_path) - before)
        victim(kernels(driver)[0]).kill()
        assert driver.communicate(timeout=HANGING)[0] and driver.returncode == code
    ((name, record),) = records(tmp_path).items()
    assert record["resumed"] == 2 and not kept(tmp_path)
    assert "It goes on from step" in (tmp_path / "runs" / name / "notebook.ipynb").read_text()
    run = Run(**yaml.safe_load((tmp_path / "runs" / name / "parameters.yaml").read_text()))
    undisturbed = train(run, prepare(run), run.encoder)
    assert own(record)["scores"] == undisturbed.main.scores and record["steps"] == undisturbed.steps
    logits = predictions(tmp_path, name, record).logits
    assert np.array_equal(np.stack(logits), np.stack(undisturbed.main.predictions.logits))


def kept(results: Path) -> set[Path]:
    return set(results.glob("runs/.checkpoints/*/[!.]*"))
