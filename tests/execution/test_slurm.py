"""A study on a real SLURM: its jobs are cancelled in the midst, and others come in their place."""

import shutil
import subprocess

import pytest
import yaml

pytest.importorskip("dask_jobqueue", reason="the extra `cluster` is not installed")

from made_driver import drive  # noqa: E402
from made_study import HANGING, records, scores, wait_for  # noqa: E402


def asked(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A file for jobs of a core on a SLURM that answers and has a node for them."""
    if not shutil.which("sinfo") or not asked("sinfo", "--noheader", "--states=idle,mixed"):
        pytest.skip("there is no SLURM here, or none with a node that is idle")
    monkeypatch.setenv("DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT", "2s")  # or a job is missed for 15 s
    options = {"cores": 1, "processes": 1, "nanny": False, "memory": "1GB", "walltime": "00:02:00"}
    options |= {"log_directory": str(tmp_path / "logs"), "job_name": f"test-{tmp_path.name[-20:]}"}
    options |= {"worker_extra_args": ["--resources", "cores=1", "--lifetime", "100s"]}
    options |= {"scheduler_options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"}}
    path = tmp_path / "slurm.yaml"
    path.write_text(yaml.safe_dump({"class": "dask_jobqueue.SLURMCluster", "workers": 2, "options": options}))
    yield path
    subprocess.run(["scancel", "--name", options["job_name"]], check=True)


def jobs(slurm) -> list[str]:
    name = yaml.safe_load(slurm.read_text())["options"]["job_name"]
    return asked("squeue", "--noheader", "--states=running", "--name", name, "--format=%i").split()


def test_cancelled_jobs_are_replaced_and_scores_are_those_of_one_machine(finished, tiny, tmp_path, slurm):
    driver = drive("run", tiny, "--cluster", slurm, results=tmp_path / "results")
    wait_for(lambda: records(tmp_path / "results") or driver.poll() is not None)
    cancelled = jobs(slurm)
    subprocess.run(["scancel", *cancelled], check=True)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 0 and cancelled, output
    assert scores(tmp_path / "results") == scores(finished)
    wait_for(lambda: not jobs(slurm))
