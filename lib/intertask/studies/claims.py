"""Who does what: claims that hold on a folder that several machines share, where locks of the system may hold nobody.

What is claimed is attempted: `<what>.1`, `<what>.2`, … each a file that exactly one process can make. Its number is a
fencing token: an attempt ends when somebody makes `<what>.<number>.end`, which exactly one process can, its holder or
who found it dead; so whoever has ended it as its holder may publish, and nobody else ever. A holder shows that it lives
by a byte that it adds to its file now and then. Who reads that compares sizes that it saw itself, by its own monotonic
clock; neither clocks nor times of files of two machines are ever compared.
"""

import errno
import json
import math
import os
import platform
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from intertask.errors import refusal
from intertask.files import now


def _lease() -> float:
    given = os.environ.get("INTERTASK_LEASE", "120")
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise refusal("INTERTASK_LEASE", "seconds, more than 0", given, "Unset it, for 120.")
    return seconds


LEASE = _lease()
"""Seconds without a sign of life after which an attempt on another machine is taken for dead. A shared file system
shows what others write up to a minute late."""
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK)
"""What file systems say that have no hard links: who is killed there as it makes its file is known by its silence."""
BEATS = 8
"""How often in that time a holder shows that it lives."""
JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")
"""Where the schedulers of clusters say in which job a process is."""
TOLD = ("host", "machine", "pid", "job", "since", "lease")
"""What an attempt's file says of it, a JSON object in its first line."""
PUBLISHED = "published"
"""The end of an attempt whose holder goes on to rename what it made into its place, and then writes that it did."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at something: its number, who holds it, in which job, since when (UTC, ISO 8601).

    machine: what has the same processes under the same numbers; lease: seconds, as LEASE.
    """

    path: Path  # without the number
    number: int
    host: str = ""
    machine: str = ""
    pid: int = 0
    job: str = ""
    since: str = ""
    lease: float = LEASE
    over: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)  # for its holder alone

    @property
    def file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{self.number}")

    @property
    def ending(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{self.number}.end")

    @property
    def name(self) -> str:
        return self.file.name

    def end(self, how: str) -> bool:
        """Ends the attempt; says whether it was us, and not somebody before."""
        self.over.set()
        return _make(self.ending, f"{how}, {platform.node()} {os.getpid()} {now()}\n")

    def published(self) -> None:
        """Says that what was ended as PUBLISHED is in its place: if it is not there later, it was deleted."""
        with suppress(OSError), open(self.ending, "a", encoding="utf-8") as ending:
            ending.write(f"done {now()}\n")

    def beat(self) -> None:
        with suppress(OSError), open(self.file, "ab") as beats:  # of a full disk: who sees no beat may take it over
            beats.write(b".")

    @property
    def ended(self) -> str:
        """How it was ended, by whom and when; empty: not yet."""
        with suppress(FileNotFoundError):
            return self.ending.read_text(encoding="utf-8") or "ended"  # empty: half made, where there are no hard links
        return ""


@cache
def machine() -> str:
    """What has one table of processes: a boot of a kernel, and in it a namespace, as containers have their own."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return platform.node()


def process_lives(pid: int) -> bool:
    """Of this machine; one that has ended and waits to be asked for its exit code is dead."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


@dataclass
class Observer:
    """A process that looks at claims and makes its own; of its clock and its processes tests have others."""

    machine: str = field(default_factory=machine)
    clock: Callable[[], float] = time.monotonic
    lives: Callable[[int], bool] = process_lives
    seen: dict[Path, tuple[int, float]] = field(default_factory=dict)

    def take(self, path: Path) -> Attempt | None:
        """A new attempt, if the last one has ended or is dead; None: it is held, or another was quicker."""
        last = latest(path)
        if last and not self._over(last):
            return None
        number = last.number + 1 if last else 1
        job = next((os.environ[name] for name in JOBS if name in os.environ), "")
        attempt = Attempt(path, number, platform.node(), self.machine, os.getpid(), job, now())
        told = {name: getattr(attempt, name) for name in TOLD}
        return attempt if _make(attempt.file, json.dumps(told) + "\n") else None

    def free(self, path: Path) -> bool:
        """Whether nobody holds it; an attempt that is found dead is ended."""
        last = latest(path)
        return last is None or self._over(last)

    def holder(self, path: Path) -> Attempt | None:
        """The attempt that is under way as far as can be told; nothing is changed."""
        last = latest(path)
        return None if last is None or last.ended or self.dead(last) else last

    def left_behind(self, path: Path, number: int) -> bool:
        """Whether an attempt's process was one of this machine and has ended; if so, the attempt is ended too."""
        attempt = _read(path, number)
        if attempt is None or attempt.machine != self.machine or self.lives(attempt.pid):
            return False
        attempt.end("its process had ended")
        return True

    def _over(self, last: Attempt) -> bool:
        ended = last.ended
        if ended.startswith(PUBLISHED) and "\ndone" not in ended:
            return self.dead(last)  # it is about to appear, unless its holder died at that very moment
        if not ended and (dead := self.dead(last)):
            last.end(dead)
        return bool(ended or dead)

    def dead(self, attempt: Attempt) -> str:
        """Why an attempt without an end is no more under way; empty: it may well be.

        Of this machine its process is asked for. Of another one it is silent if nothing was added to its file for a
        lease, from the first look to this one.
        """
        if attempt.machine == self.machine and not self.lives(attempt.pid):
            return "its process had ended"
        try:
            size = attempt.file.stat().st_size
        except FileNotFoundError:
            return "its file is gone"
        known, since = self.seen.get(attempt.file, (-1, 0.0))
        if size != known:
            self.seen[attempt.file] = size, self.clock()
            return ""
        return f"no sign of life for {attempt.lease:g} s" if self.clock() - since > attempt.lease else ""


HERE = Observer()
"""This process; what it has seen so far, its children go on from."""


def latest(path: Path) -> Attempt | None:
    """The last attempt at something, whatever became of it."""
    last, number = None, 1
    while attempt := _read(path, number):
        last, number = attempt, number + 1
    return last


def _make(path: Path, text: str) -> bool:
    """Makes a file, whole from its first moment on, that nobody has made; says whether it was us."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.link(unfinished, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        with suppress(FileExistsError), open(path, "x", encoding="utf-8") as file:
            file.write(text)
            return True
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _read(path: Path, number: int) -> Attempt | None:
    """An attempt; of one whose file is not written yet the number alone."""
    attempt = Attempt(path, number)
    try:  # opened, not only looked for: a shared file system then asks again what others have made meanwhile
        with open(attempt.file, "rb") as file:
            told = file.readline()
    except FileNotFoundError:
        return None
    with suppress(ValueError, TypeError):
        return Attempt(path, number, **json.loads(told))
    return attempt


def attempt_of(name: str) -> tuple[str, int] | None:
    """What was attempted, and the number, of an attempt's name; None: it is no such name."""
    found = re.fullmatch(r"(.+)\.([0-9]+)", name)
    return (found[1], int(found[2])) if found else None


@contextmanager
def claim(path: Path, lost: Callable[[Attempt], object] = lambda _: None) -> Iterator[Attempt | None]:
    """An attempt for the time of the block, kept alive by a thread and ended with it; None: it is not ours to have.

    lost: called, in that thread, when another has ended the attempt: this process was silent for too long.
    """
    attempt = HERE.take(path)
    if attempt is None:
        yield None
        return
    threading.Thread(target=_keep_alive, args=(attempt, lost), daemon=True).start()
    try:
        yield attempt
    finally:
        with suppress(OSError):  # of results that were moved, or a full disk: that this process ends is known
            attempt.end("given back")


def _keep_alive(attempt: Attempt, lost: Callable[[Attempt], object]) -> None:
    while not attempt.over.wait(attempt.lease / BEATS):
        if attempt.ended and not attempt.over.is_set():
            lost(attempt)
            return
        attempt.beat()
