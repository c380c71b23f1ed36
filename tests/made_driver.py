"""The command `intertask` in a process of its own that is forked from one which has imported all that it imports.

It is killed, waited for and asked as one that was started from a shell, and so is the process that its runs are forked
from; both start in a tenth of a second instead of ten.
"""

import os
import subprocess
import sys
import tempfile
from multiprocessing import util
from pathlib import Path

from made_notebook import FORKS, ensure_running


class Driver:
    """As subprocess.Popen, its output that of both streams."""

    def __init__(self, *arguments, results: Path, cwd: Path | None = None):
        self.output = Path(tempfile.mkstemp()[1])
        environment = os.environ | {"INTERTASK_RESULTS": str(results)}
        settings = (list(map(str, arguments)), environment, str(cwd or os.getcwd()), str(self.output))
        ensure_running()
        self.process = FORKS.Process(target=_drive, args=settings)
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
        return self.output.read_text(), None


def _drive(arguments: list[str], environment: dict[str, str], folder: str, output: str) -> None:
    with open(output, "w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    util.spawnv_passfds = _fork_in_place_of_spawn
    from intertask import cli

    sys.argv = ["intertask", *arguments]
    cli.app()


def _fork_in_place_of_spawn(path, arguments: list, passed: list[int]) -> int:
    """What multiprocessing starts anew, the fork server and the tracker of its resources, with all that is imported."""
    if pid := os.fork():
        return pid
    kept = sorted({0, 1, 2, *passed})
    for first, last in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(first + 1, last)
    try:
        exec(arguments[-1].decode() if isinstance(arguments[-1], bytes) else arguments[-1], {"__name__": "__main__"})
    finally:
        os._exit(0)
