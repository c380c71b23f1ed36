"""Real faults at a chosen moment: as a process is about to open, make or rename a path, it meets what was asked for.

They are told in the environment, and reach drivers of `made_driver` and what is forked from their warm processes.
"""

import json
import os
import re
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event

from intertask.execution.lifeline import DRIVER

FAULTS = "INTERTASK_TEST_FAULTS"
WRITING = os.O_WRONLY | os.O_RDWR


def told(folder: Path, where: list[str], do: str) -> None:
    """Has each of the moments `where`, patterns of what `_audit` sees, come once; the folder remembers which came."""
    folder.mkdir(exist_ok=True)
    faults = [{"where": one, "once": str(folder / str(place)), "do": do} for place, one in enumerate(where)]
    os.environ[FAULTS] = json.dumps(faults)


def install() -> None:
    """Has this process, and all that is forked from it, meet what was told."""
    for fault in json.loads(os.environ.get(FAULTS, "[]")):
        sys.addaudithook(partial(_audit, re.compile(fault["where"]), fault["once"], DEEDS[fault["do"]]))


def _audit(where: re.Pattern, once: str, do, event: str, given: tuple) -> None:
    """Sees `open PATH`, where it is to be written to, `os.mkdir PATH`, `os.link` and `os.rename PATH PATH`."""
    writes = event == "open" and isinstance(given[2], int) and given[2] & WRITING
    if writes or event in ("os.mkdir", "os.link", "os.rename"):
        paths = [str(path) for path in given[: 2 if event in ("os.link", "os.rename") else 1]]
        if where.search(" ".join([event, *paths])):
            with suppress(FileExistsError):
                os.close(os.open(once, os.O_CREAT | os.O_EXCL))
                do(event, paths[0])


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    if pid != os.getpid():
        signal.pause()  # until that ends this process too


def _half(event: str, path: str) -> None:
    """Killed when part of a file is written."""
    if event == "open":
        Path(path).write_text('{"cells": [')
    _kill(os.getpid())


def _fill(*_) -> None:
    """Takes all that is left of the file system."""
    filler = os.environ["INTERTASK_RESULTS"] + "/filler"
    with open(filler, "w") as stream:
        os.posix_fallocate(stream.fileno(), 0, os.statvfs(filler).f_bavail * os.statvfs(filler).f_frsize)


DEEDS = {
    "it is killed": _half,
    "its parent is killed": lambda *_: _kill(os.getppid()),
    "its driver is killed": lambda *_: _kill(int(os.environ[DRIVER])),
    "it exits": lambda *_: os._exit(0),
    "the disk is full": _fill,
    "it takes long": lambda *_: Event().wait(1),
}
