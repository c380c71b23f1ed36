"""Runs that are killed, raced, late and lost: real processes, real signals."""

import json
import signal
from contextlib import suppress

import nbformat
import psutil
import pytest

from made_study import STUDY, command, records, scores, states, succeed, wait_for, write_study


def kin(driver) -> list[psutil.Process]:
    try:
        return [p for p in psutil.Process(driver.pid).children(recursive=True) if alive(p)]
    except psutil.NoSuchProcess:
        return []


def alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it may end between two questions
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def fork_server(driver) -> psutil.Process:
    """The warm process: runs and their kernels are forked from it."""
    return wait_for(lambda: _warm(driver))[0]


def _warm(driver) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):  # whoever ends meanwhile is no reason not to ask again
        return [p for p in psutil.Process(driver.pid).children() if "forkserver" in " ".join(p.cmdline())]
    return []


def kernels(driver) -> list[psutil.Process]:
    """Kernels, warm or plain: the children of the workers."""
    with suppress(psutil.NoSuchProcess):
        return [kernel for worker in fork_server(driver).children() for kernel in worker.children()]
    return []


def begun(study, results):
    """A driver that has finished a run and is at others."""
    driver = command("run", study, results=results)
    wait_for(lambda: records(results) and kernels(driver))
    return driver


def computing(driver) -> psutil.Process:
    """A kernel that is beyond its start, which takes an ordinary one half a second."""
    return wait_for(lambda: [kernel for kernel in kernels(driver) if _busy(kernel)])[0]


def _busy(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.cpu_times().user > 1
    return False


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """One run of a few seconds."""
    train = STUDY["train"] | {"num_train_epochs": 100}
    return write_study(tmp_path_factory.mktemp("slow"), regimes=["single"], supporting=[], seeds=1, train=train)


def test_a_killed_driver_takes_its_processes_along_and_the_study_is_resumed(finished, tiny, tmp_path):
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
    assert not list((tmp_path / "runs" / ".staging").iterdir())


def killed(study, results, *options) -> None:
    """Kills the kernel of the study's only run, which fails with it."""
    driver = command("run", study, *options, results=results)
    computing(driver).send_signal(signal.SIGKILL)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2
    assert "1 of 1 runs failed; repeat the command to retry" in output and "DeadKernelError" in output
    failure = next(results.glob("runs/.failed/*/failure.json"))
    assert json.loads(failure.read_text())["cell"] is not None
    assert (failure.parent / "notebook.ipynb").is_file() and not records(results)


def test_a_killed_kernel_fails_its_run_and_the_study_is_resumed(slow, tmp_path):
    killed(slow, tmp_path)
    assert "DeadKernelError" in succeed("status", slow, results=tmp_path)
    succeed("run", slow, results=tmp_path)
    assert len(records(tmp_path)) == 1
    assert not list(tmp_path.glob("runs/.failed/*"))


def test_a_killed_plain_kernel_fails_its_run(slow, tmp_path):
    killed(slow, tmp_path, "--plain-kernels")


def test_a_killed_worker_takes_its_kernel_along(slow, tmp_path):
    driver = command("run", slow, results=tmp_path)
    kernel = computing(driver)
    kernel.parent().kill()
    assert "its process ended with code -9" in driver.communicate(timeout=300)[0]
    wait_for(lambda: not alive(kernel))
    assert not records(tmp_path)


def test_without_its_warm_process_a_study_goes_on(finished, tiny, tmp_path):
    driver = begun(tiny, tmp_path)
    lost = fork_server(driver)
    carried = kin(driver)
    lost.kill()
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 0, output
    assert scores(tmp_path) == scores(finished)
    assert not [process for process in carried if alive(process)]


def test_plain_kernels_give_the_same_scores(finished, tmp_path):
    chain = write_study(tmp_path, regimes=["stilts"], seeds=1)
    succeed("run", chain, "--plain-kernels", results=tmp_path)
    found = scores(tmp_path)
    assert len(found) == 2 and found.items() <= scores(finished).items()


def test_two_drivers_of_many_workers_execute_each_run_once_and_give_the_same_scores(finished, tiny, tmp_path):
    drivers = [command("run", tiny, "--workers", 8, results=tmp_path) for _ in range(2)]
    outputs = [driver.communicate(timeout=300)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    assert scores(tmp_path) == scores(finished)
    claims = list((tmp_path / "runs" / ".claims").iterdir())
    assert len(claims) == 6 and {len(claim.read_text().splitlines()) for claim in claims} == {1}


def test_a_failing_run_names_its_cell_and_only_what_starts_from_it_is_not_started(tmp_path):
    diverging = {"learning_rate": 1e30, "warmup_steps": 0, "max_grad_norm": 1e30}
    study = write_study(tmp_path, seeds=1, intermediate=diverging)
    driver = command("run", study, results=tmp_path)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2
    assert "2 of 3 runs failed" in output and "not started: its parent ripeness" in output
    assert "IntertaskError: The loss became" in output and "cell " in output
    assert [record["task"] for record in records(tmp_path).values()] == ["fruit"]
    failed = nbformat.read(next(tmp_path.glob("runs/.failed/ripeness*/notebook.ipynb")), as_version=4)
    assert "The loss became" in json.dumps(failed.cells)


def test_a_run_past_its_time_is_stopped(slow, tmp_path):
    driver = command("run", slow, "--timeout", 0.02, results=tmp_path)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2 and "wall-clock limit of a run (--timeout)" in output
    assert not records(tmp_path)
