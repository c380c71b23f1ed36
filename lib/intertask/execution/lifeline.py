"""Processes that end with the one above them, however that ended: what holds for workers and for kernels.

    python -m intertask.execution.lifeline FD …    an ordinary kernel, with ipykernel's arguments, held by a pipe

ipykernel watches its parent too, but only when it has started, and asks once in a second.
"""

import ctypes
import os
import runpy
import signal
import sys
import threading
from contextlib import suppress

DRIVER = "INTERTASK_DRIVER"
"""The environment variable by which the process that runs are forked from knows whose child it is."""
ENDING = (signal.SIGTERM, signal.SIGUSR1)
"""What the schedulers of clusters send to every process of a job before its end."""
PR_SET_PDEATHSIG = 1
"""Of Linux; what is forked from the process is without it."""


def end_with(lifeline: int) -> None:
    """Ends this process group when nobody holds the other end of the pipe any more."""
    with suppress(OSError):
        os.read(lifeline, 1)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def end_with_parent(parent: int) -> None:
    """Has the system kill this process when its parent has ended, if it can (Linux): even in the midst of an import."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hold(lifeline: int) -> None:
    """Has `end_with` watch from a thread."""
    threading.Thread(target=end_with, args=(lifeline,), daemon=True).start()


def end_by_worker() -> None:
    """Has a kernel, whose worker blocks the signals ENDING, heed SIGTERM alone: by that the worker asks it to end."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


if __name__ == "__main__":
    end_by_worker()
    hold(int(sys.argv.pop(1)))
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
