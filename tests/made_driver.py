"""The command `intertask` in a process of its own that is forked from one which has imported all that it imports.

It is killed, waited for and asked as one that was started from a shell, and so is the process that its runs are forked
from; both start in a tenth of a second instead of ten.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import weakref
from multiprocessing import forkserver, get_context, util
from pathlib import Path
from unittest.mock import patch

import made_faults
from intertask.execution.here import WARM
from intertask.execution.lifeline import end_with_parent

SERVER = forkserver.ForkServer()
SERVER.set_forkserver_preload(["intertask.execution.preload", "intertask.cli"])
"""Not what notebooks are forked from: a run begins with what runs import, and with nothing else."""

SEEDS = 3
"""Processes that a driver starts through multiprocessing, at most: a fork server, one when it is killed, a tracker."""


class Driver:
    """As subprocess.Popen, its output that of both streams."""

    def __init__(self, *arguments, results: Path, cwd: Path | None = None):
        descriptor, self.output = tempfile.mkstemp()
        os.close(descriptor)
        weakref.finalize(self, os.unlink, self.output)
        environment = os.environ | {"INTERTASK_RESULTS": str(results)}
        settings = (list(map(str, arguments)), environment, str(cwd or os.getcwd()), self.output)
        self.process = get_context("forkserver").Process(target=_drive, args=settings)
        with patch.object(forkserver, "connect_to_new_process", SERVER.connect_to_new_process):
            self.process.start()
        self.pid, self.kill = self.process.pid, self.process.kill

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    poll = returncode.fget

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("intertask", timeout)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        self.wait(timeout)
        return Path(self.output).read_text(), None


def _drive(arguments: list[str], environment: dict[str, str], folder: str, output: str) -> None:
    with open(output, "w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    seeds = [_seed() for _ in range(SEEDS)]
    made_faults.install()
    util.spawnv_passfds = lambda path, arguments, passed: _grow(*seeds.pop(), arguments[-1], passed)
    from intertask import cli

    sys.argv = ["intertask", *arguments]
    cli.app()


def _seed() -> tuple[int, socket.socket]:
    """A process that waits for what it is to be, as untouched as one that is started anew; with its connection."""
    ours, theirs = socket.socketpair()
    driver = os.getpid()
    if pid := os.fork():
        theirs.close()
        return pid, ours
    try:
        _call_itself("seed")
        end_with_parent(driver)
        said, passed, *_ = socket.recv_fds(theirs, 1 << 20, 8)
        code, numbers, environment = json.loads(said)
        os.environ.update(environment)
        made_faults.install()
        _call_itself("fork server" if "forkserver" in code else "tracker")
        aside = [fcntl.fcntl(one, fcntl.F_DUPFD, 1000) for one in passed]  # away from the numbers that they get
        for one in passed:  # or what is forked from here would keep the socket open on which nobody listens any more
            os.close(one)
        for one, number in zip(aside, numbers, strict=True):
            os.dup2(one, number)
            os.close(one)
        exec(code, {"__name__": "__main__"})
    finally:
        os._exit(0)


def _call_itself(name: str) -> None:
    """What psutil takes for the name of a process."""
    Path("/proc/self/comm").write_text(name)


def _grow(pid: int, seed: socket.socket, code: bytes | str, passed: list[int]) -> int:
    """Has a seed do what multiprocessing would start a process for: be the fork server, or track resources."""
    code = code.decode() if isinstance(code, bytes) else code
    with seed:
        socket.send_fds(seed, [json.dumps([code, passed, dict(os.environ)]).encode()], passed)
    return pid


def command(*arguments, results: Path, **options) -> subprocess.Popen:
    """The command `intertask` as a process of its own."""
    environment = os.environ | {"INTERTASK_RESULTS": str(results)}
    return subprocess.Popen(
        [sys.executable, "-m", "intertask.cli", *map(str, arguments)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options,
    )  # fmt: skip


drive = Driver if WARM else command
