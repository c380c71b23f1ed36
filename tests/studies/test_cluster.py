"""Runs on a Dask cluster: a real scheduler and real workers, killed, stopped and started again."""

import os
import signal
from contextlib import suppress

import psutil
import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from intertask.studies import store  # noqa: E402
from intertask.studies.cluster import Cluster  # noqa: E402
from made_cluster import dask_cluster  # noqa: E402
from made_driver import drive  # noqa: E402
from made_study import STUDY, records, scores, wait_for, write_study  # noqa: E402


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers, of which the second has a nanny that starts it anew."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as made:
        made.start_worker("--nanny", "--nthreads", "1", "--resources", "cores=1")
        yield made


def carried(worker) -> list[psutil.Process]:
    """The kernels below a process of Dask's: those of the workers that are forked from its fork server."""
    with suppress(psutil.NoSuchProcess):  # what ends meanwhile is asked for again
        below = psutil.Process(worker.pid).children(recursive=True)
        servers = [one for one in below if "forkserver" in " ".join(one.cmdline())]
        return [kernel for server in servers for forked in server.children() for kernel in forked.children()]
    return []


def run(study, results, cluster, *options):
    return drive("run", study, "--scheduler-file", cluster.file, *options, results=results)


def test_scores_are_those_of_one_machine_and_a_killed_worker_loses_nothing(finished, tiny, tmp_path, cluster):
    driver = run(tiny, tmp_path, cluster)
    wait_for(lambda: records(tmp_path) and carried(cluster.workers[0]))
    cluster.workers[0].kill()
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 0, output
    assert scores(tmp_path) == scores(finished)


def test_a_run_that_kills_its_worker_three_times_has_failed_and_the_study_goes_on(tmp_path, cluster):
    train = STUDY["train"] | {"num_train_epochs": 600}
    study = write_study(tmp_path, seeds=1, regimes=["single"], supporting=[], train=train, report=[])
    driver, killed = run(study, tmp_path, cluster), set()
    while driver.poll() is None and len(killed) < 3:
        for kernel in [one for worker in cluster.workers for one in carried(worker)]:
            if (parent := kernel.parent()) and parent not in killed:
                killed.add(parent)
                parent.kill()
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 1 and "its worker was lost 3 times: its process ended with code -9" in output, output


def test_a_driver_that_is_stopped_gives_its_runs_back(tmp_path, cluster):
    train = STUDY["train"] | {"num_train_epochs": 600}
    study = write_study(tmp_path, seeds=1, regimes=["single"], supporting=[], train=train, report=[])
    driver = run(study, tmp_path, cluster)
    wait_for(lambda: carried(cluster.workers[1]))
    os.kill(driver.pid, signal.SIGTERM)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 143 and "1 of 1 runs are left to do" in output, output
    wait_for(lambda: not carried(cluster.workers[1]))
    assert not records(tmp_path)


def test_a_scheduler_that_is_started_anew_is_waited_for(finished, tiny, tmp_path, cluster):
    driver = run(tiny, tmp_path, cluster)
    wait_for(lambda: records(tmp_path) and carried(cluster.workers[1]))
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    cluster.start_scheduler()
    cluster.start_worker()
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 0 and "the scheduler does not answer; waiting" in output, output
    assert scores(tmp_path) == scores(finished)


def test_workers_that_declare_too_little_are_told_at_once(tiny, tmp_path):
    with dask_cluster(tmp_path / "dask", workers=0) as made:
        made.start_worker("--nthreads", "1", "--no-nanny")
        driver = run(tiny, tmp_path, made)
        output = " ".join(driver.communicate(timeout=60)[0].split())
    assert driver.returncode == 2, output
    assert "expected a worker that declares what a run needs (cores=1, and a thread), found" in output
    assert 'Start workers with --nthreads 1 --resources "cores=1".' in output


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--cluster", "nowhere.yaml"], "nowhere.yaml: expected a file, found none"),
        (["--cluster", "tcp://127.0.0.1:9", "--scheduler-file", "x"], "--cluster: expected it alone"),
    ],
)
def test_where_no_cluster_is_it_is_said(given, words, tiny, tmp_path):
    driver = drive("run", tiny, *given, results=tmp_path)
    assert words in driver.communicate(timeout=60)[0] and driver.returncode == 2


def test_where_no_scheduler_answers_it_is_said(refused, monkeypatch):
    monkeypatch.setattr("intertask.studies.cluster.CONNECT", 0.1)
    place = Cluster("tcp://127.0.0.1:9", 1, 60, True, 1, print)
    refused(place.__enter__, "tcp://127.0.0.1:9: expected a Dask scheduler that answers, found none")
    assert not list(store.pool().glob(".seen*"))
