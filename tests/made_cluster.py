"""A Dask cluster of real processes on 127.0.0.1: a scheduler and workers that can be killed and started again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from made_study import wait_for


class DaskCluster:
    """Processes of Dask's command, their output in files of the folder."""

    def __init__(self, folder: Path, cores: int = 1, command: tuple[str, ...] = ()):
        self.folder, self.cores, self.prefix = folder, cores, command
        self.file, self.port = folder / "scheduler.json", "0"
        self.scheduler: subprocess.Popen | None = None
        self.workers: list[subprocess.Popen] = []
        folder.mkdir(exist_ok=True)

    def _start(self, name: str, *arguments: str) -> subprocess.Popen:
        command = [*self.prefix, sys.executable, "-W", "ignore", "-m", "dask", *arguments, "--no-dashboard"]
        with open(self.folder / f"{name}.log", "a") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONWARNINGS": "ignore"})

    def start_scheduler(self) -> None:
        self.file.unlink(missing_ok=True)
        place = ("--host", "127.0.0.1", "--port", self.port, "--scheduler-file", str(self.file))
        self.scheduler = self._start("scheduler", "scheduler", *place)
        wait_for(self.file.is_file)

    def start_worker(self, *arguments: str) -> subprocess.Popen:
        declared = ("--nthreads", str(self.cores), "--resources", f"cores={self.cores}")
        arguments = arguments or ("--no-nanny", *declared)
        place = ("--scheduler-file", str(self.file), "--host", "127.0.0.1", "--local-directory", str(self.folder))
        worker = self._start(f"worker-{len(self.workers)}", "worker", *place, *arguments)
        self.workers.append(worker)
        return worker


@contextmanager
def dask_cluster(folder: Path, workers: int = 1) -> Iterator[DaskCluster]:
    """A cluster whose processes end with the block."""
    cluster = DaskCluster(folder)
    try:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        for process in filter(None, (*cluster.workers, cluster.scheduler)):
            process.kill()
            process.wait()
