"""Runs on a Dask cluster: a real scheduler and real workers, killed, stopped and started again."""

import os
import signal
from contextlib import suppress

import psutil
import pytest

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from intertask import origin  # noqa: E402
from intertask.execution.cluster import Cluster, Known, job_page, read_cluster  # noqa: E402
from intertask.execution.driver import options_of  # noqa: E402
from intertask.files import project_root  # noqa: E402
from intertask.studies import claims, store  # noqa: E402
from intertask.studies.study import Study  # noqa: E402
from made_cluster import dask_cluster  # noqa: E402
from made_driver import drive  # noqa: E402
from made_study import HANGING, STUDY, attempts, records, scores, wait_for, write_study  # noqa: E402

PARAMS = project_root() / "params" / "clusters"


def asking(threads: int, device: str = "auto") -> Study:
    return Study(title="", encoders=["mini/bert"], targets=["mini/rte"], regimes=["single"], seeds=1,
                 threads=threads, device=device)  # fmt: skip


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
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 0, output
    assert scores(tmp_path) == scores(finished)


def test_a_run_that_kills_its_worker_three_times_has_failed_and_the_study_goes_on(tmp_path, cluster):
    train = STUDY["train"] | {"num_train_epochs": 600}
    study = write_study(tmp_path, seeds=1, regimes=["single"], supporting=[], train=train, report=[])
    driver = run(study, tmp_path, cluster)
    for number in range(1, 4):
        wait_for(lambda number=number: attempts(tmp_path) == number)  # it has begun: else it could not be the cause
        (path,) = {file.with_suffix("") for file in tmp_path.glob("runs/.claims/*.1")}
        os.kill(claims.latest(path).pid, signal.SIGKILL)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 1 and "its worker was lost 3 times: its process ended with code -9" in output, output


def test_a_worker_that_leaves_and_a_driver_that_is_stopped_give_their_runs_back(tmp_path, cluster, monkeypatch):
    train = STUDY["train"] | {"num_train_epochs": 600}
    study = write_study(tmp_path, seeds=1, regimes=["single"], supporting=[], train=train, report=[])
    leaving = cluster.start_worker("--no-nanny", "--nthreads", "2", "--resources", "cores=2")  # it has the most room
    wait_for(lambda: "Registered to" in (cluster.folder / f"worker-{len(cluster.workers) - 1}.log").read_text())
    driver = run(study, tmp_path, cluster)
    wait_for(lambda: attempts(tmp_path) and carried(leaving))
    leaving.terminate()
    others = cluster.workers[:2]  # of which the first may have been killed before
    wait_for(lambda: any(map(carried, others)))
    os.kill(driver.pid, signal.SIGTERM)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 143 and "1 of 1 run left to do" in output, output
    assert output.count("given back; it ") == 1 and "before it had begun" not in output, output
    wait_for(lambda: not any(map(carried, others)))
    assert not records(tmp_path)
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    assert options_of("tiny") == ["--scheduler-file", str(cluster.file)], "there it can be continued"


def test_a_scheduler_that_is_started_anew_is_waited_for(finished, tiny, tmp_path, cluster):
    driver = run(tiny, tmp_path, cluster)
    wait_for(lambda: records(tmp_path) and carried(cluster.workers[1]))
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    cluster.start_scheduler()
    cluster.start_worker()
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 0 and "the scheduler does not answer; waiting" in output, output
    assert scores(tmp_path) == scores(finished)


def test_workers_that_declare_too_little_are_told_at_once(tiny, tmp_path):
    with dask_cluster(tmp_path / "dask", workers=0) as made:
        made.start_worker("--nthreads", "1", "--no-nanny")
        driver = run(tiny, tmp_path, made)
        output = " ".join(driver.communicate(timeout=HANGING)[0].split())
    assert driver.returncode == 2, output
    assert "expected a worker that declares what a run needs (cores=1, and a thread), found" in output
    assert 'Start workers with --nthreads 1 --resources "cores=1".' in output


def test_on_gpus_a_run_asks_for_its_part_of_one(monkeypatch):
    monkeypatch.setattr(origin, "elsewhere", origin.abilities() | {"cuda": "bfloat16 float32"})
    place = Cluster("tcp://127.0.0.1:9", asking(2), 60, True, 0, 3, print)
    assert place._needs() == {"cores": 2, "GPU": 1 / 3}
    assert Cluster("tcp://127.0.0.1:9", asking(2, "cpu"), 60, True, 0, 3, print)._needs() == {"cores": 2}
    declared = {"cores": 8.0, "GPU": 1.0}
    assert [place._slots(Known(threads, declared)) for threads in (1, 9)] == [1, 3]
    assert place._slots(Known(9, {"cores": 8.0})) == 0 and place._slots(Known(9, {"cores": 5.0, "GPU": 4.0})) == 2


def test_a_worker_that_is_unlike_the_driver_is_not_used_and_that_is_said_once():
    said = []
    place = Cluster("tcp://127.0.0.1:9", asking(1), 60, True, 0, 1, said.append)
    about = {"abilities": origin.abilities(), "edited_code": origin.edited_code(), "sees": True}
    unlike = {"abilities": {"cuda": "float32"}, "edited_code": "0a1b", "sees": False, "fault": "cannot say"}
    assert not place._fault("tcp://a", Known(1, {}, about=about))
    for name, value in unlike.items():
        for _ in range(2):
            assert place._fault(f"tcp://{name}", Known(1, {}, about=about | {name: value}))
    assert [words.partition("it ")[2] for words in said] == [
        f"computes with {{'cuda': 'float32'}}, others with {origin.abilities()}.",
        "has other code.",
        "does not see the folder.",
        "cannot say.",
    ]


def test_the_examples_say_what_they_hand_to_a_queue():
    script = job_page(PARAMS / "slurm.yaml")
    assert "#SBATCH -t 04:00:00" in script and "--resources cores=1 --lifetime 235m" in script
    assert read_cluster(PARAMS / "kubernetes.yaml").kind == "dask_kubernetes.operator.KubeCluster"


WRONG = {
    "class: dask_jobqueue.SLURMCluster": "workers: field required, found none",
    "class: SLURMCluster\nworkers: 1": "line 1: class: string should match pattern",
    "class: nowhere.Cluster\nworkers: 1": "nowhere.Cluster: expected a class that can be imported",
    "class: pathlib.Path\nworkers: 1": "pathlib.Path: expected a cluster of Dask's",
    "class: dask_jobqueue.SLURMCluster\nworkers: yes": "line 2: key 'workers': expected a number or text, found True",
    "class: dask_jobqueue.SLURMCluster\nworkers: 0": "line 2: workers: input should be greater than or equal to 1",
    "class: dask_jobqueue.SLURMCluster\nworkers: 1\njobs: 2": "line 3: jobs: extra inputs are not permitted",
    "class: dask_jobqueue.SLURMCluster\nworkers: 1\noptions: {core: 2}": "expected options that it takes",
}


@pytest.mark.parametrize(("text", "words"), WRONG.items())
def test_a_file_that_is_wrong_is_refused(text, words, tmp_path, refused):
    (path := tmp_path / "wrong.yaml").write_text(text)
    refused(lambda: job_page(path), words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--cluster", "nowhere.yaml"], "nowhere.yaml: expected a file, found none"),
        (["--cluster", "tcp://127.0.0.1:9", "--scheduler-file", "x"], "--cluster: expected it alone"),
    ],
)
def test_where_no_cluster_is_it_is_said(given, words, tiny, tmp_path):
    driver = drive("run", tiny, *given, results=tmp_path)
    assert words in driver.communicate(timeout=HANGING)[0] and driver.returncode == 2


def test_where_no_scheduler_answers_it_is_said(refused, monkeypatch):
    monkeypatch.setattr("intertask.execution.cluster.CONNECT", 0.1)
    place = Cluster("tcp://127.0.0.1:9", asking(1), 60, True, 0, 1, print)
    refused(place.__enter__, "tcp://127.0.0.1:9: expected a Dask scheduler that answers, found none")
    assert not list(store.pool().glob(".seen*"))
