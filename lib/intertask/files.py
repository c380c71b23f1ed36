"""This machine: where the results lie, writing a file whole or not at all, digests, the processors."""

import csv
import fcntl
import gc
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

from intertask.errors import IntertaskError, refusal

OTHER_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
"""For what is short-lived, where TMPDIR will not do."""
HELD = ".held-by-intertask"
"""The file in a private folder that its process has locked as long as it lives; what has no such file is not ours."""
LONGEST_PLACE = 50
"""Bytes: a socket's path has 103 at most, of which multiprocessing's take 51 below such a place."""

SEAL = ',\n "sha256": "'


def results_root() -> Path:
    """INTERTASK_RESULTS, or the `results/` beside `notebooks/` in this folder or the nearest one above it."""
    if configured := os.environ.get("INTERTASK_RESULTS"):
        return Path(os.path.realpath(configured))  # which, unlike resolve, goes on where links go in a circle
    return project_root() / "results"


def other_results() -> list[Path]:
    """The results folders of INTERTASK_POOLS, which are read beside `results_root` and never written to.

    Raises IntertaskError where one is not there or cannot be read: what is finished there would be trained again.
    """
    found = [Path(os.path.realpath(one)) for one in os.environ.get("INTERTASK_POOLS", "").split(os.pathsep) if one]
    for folder in found:
        if not ((folder / "runs").is_dir() and os.access(folder / "runs", os.R_OK | os.X_OK)):
            expected = "results folders that can be read, with runs/ in each"
            raise refusal("INTERTASK_POOLS", expected, str(folder), "Name others, or unset it.")
    return found


def project_root() -> Path:
    """The checkout: the nearest folder upwards with `notebooks/experiments`, else the one this library lies in."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "notebooks" / "experiments").is_dir():
            return folder
    raise IntertaskError(
        f"Expected notebooks/experiments in {here} or above it. Change into the checkout of Intertask."
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_writable_folder(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all, into a folder that is there; its mode is as the umask says."""
    with writing(path) as stream:
        stream.write(text)


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A file to write, as `write` does: it is there when the block has ended, and not at all where that failed."""
    # beside its place: only within one file system a rename is atomic
    unfinished = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        with open(unfinished, "x", encoding="utf-8") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())  # else a power cut may keep the rename and lose the text
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, as `writing` for a file; raises IntertaskError, before anything else, where something is there.

    An empty folder in that place is filled.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise refusal(path, "a folder that is new or empty", "one that holds something", "Name another.")
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True) as scratch:
        unfinished = Path(scratch) / path.name
        unfinished.mkdir()
        yield unfinished
        for inside in unfinished.rglob("*"):
            sync(inside)
        os.replace(unfinished, path)
        sync(path.parent)


def write_sealed(path: Path, name: str, text: str) -> None:
    """Writes a JSON object, to which is added the SHA-256 of `name` and of all that stands before it.

    So `read_sealed` tells by the bytes alone whether they are whole, unchanged and those of that name.
    """
    body = text.rstrip().removesuffix("}").rstrip()
    write(path, f"{body}{_seal(name, body.encode())}")


def read_sealed(path: Path, name: str, remedy: str, keys: Collection[str] = ()) -> dict[str, Any]:
    """What `write_sealed` wrote under the name; IntertaskError on anything else, FileNotFoundError where nothing is.

    keys: those without which it is another version's.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from None
    except OSError as error:
        raise refusal(path, "a file that can be read", error.strerror, remedy) from None
    end = max(content.rfind(SEAL.encode()), 0)
    if content[end:] == _seal(name, memoryview(content)[:end]).encode():
        found = json.loads(content)
        if absent := [key for key in keys if key not in found]:
            raise refusal(path, "a file of this version", f"one without {', '.join(absent)}", remedy)
        return found
    expected = f"what Intertask wrote there for {name}, with its SHA-256 at the end"
    raise refusal(path, expected, _unlike(content, end > 0), remedy)


def _seal(name: str, body: bytes | memoryview) -> str:
    digest = hashlib.sha256(name.encode())
    digest.update(body)
    return f'{SEAL}{digest.hexdigest()}"\n}}\n'


def _unlike(content: bytes, sealed: bool) -> str:
    """What a file holds that is not as it was written."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):  # of the decoding too
        return "half a file" if content else "an empty file"
    return "other content: changed, or copied from elsewhere" if sealed else "a file of an earlier version, without one"


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Has these values in the environment of the process until the end of the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ |= values
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


@contextmanager
def uncollected() -> Iterator[None]:
    """Python looks for no cycles meanwhile: where very many objects are made, and stay, that takes as long again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder of this user's alone, for sockets too: its path is short. It is removed at the end of the block.

    It lies in TMPDIR if that can be written to and is short, else in one of OTHER_PLACES. Those of processes that were
    killed are removed at the beginning and at the end. Raises IntertaskError without a place.
    """
    folder, lock = _locked_folder()
    remove_abandoned(folder.parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        remove_abandoned(folder.parent)


def _locked_folder() -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock, which is free when this process has ended."""
    for place in (places := _places()):
        if len(os.fsencode(place)) > LONGEST_PLACE:
            continue
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=".intertask-", dir=place))
            try:
                (folder / HELD).write_bytes(b"there is room")
                lock = os.open(folder / HELD, os.O_RDONLY)
                fcntl.flock(lock, fcntl.LOCK_EX)
                # only now by the name under which others look for what is abandoned
                return folder.rename(folder.with_name(folder.name[1:])), lock
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    expected = f"a folder to write to, of at most {LONGEST_PLACE} bytes"
    raise refusal("TMPDIR", expected, f"none: {', '.join(places)}", "Set TMPDIR to one, or free some space.")


def _places() -> list[str]:
    """Where private folders may lie, the first choice first."""
    with suppress(FileNotFoundError):  # of all that Python tries, it can write nowhere
        return [tempfile.gettempdir(), *OTHER_PLACES]
    return [*OTHER_PLACES]


def remove_abandoned(*places: Path) -> None:
    """Removes the private folders that nobody holds, of processes that were killed; places: by default all of them."""
    for folder in (one for place in places or _places() for one in Path(place).glob("intertask-????????")):
        with suppress(OSError):  # another user's, another process's, or removed meanwhile
            lock = os.open(folder / HELD, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def sync(path: Path) -> None:
    """Returns when the file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes in hex digits, computed again only when the file has changed."""
    return _file_digest(os.path.abspath(path), state(path))


@cache
def _file_digest(path: str, _: tuple[int, ...]) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def state(path: Path | str) -> tuple[int, ...]:
    """By what a file or folder that has changed differs from what it was: inode, size and times; () of none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def processors() -> int:
    """How many processors this process may use; where nobody can say (macOS), all that there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


FORMULA = re.compile(r"[=+\-@＝＋－＠\t\r\n]")
"""What a cell begins with that a spreadsheet executes; some read the wide forms of East Asia alike."""


def csv_text(frame: Any, **options) -> str:
    """A frame of pandas as CSV in which a spreadsheet finds no formula: texts like one get a ' in front, numbers none.

    options: of `DataFrame.to_csv`.
    """
    rows = csv.reader(io.StringIO(frame.to_csv(**options, quoting=csv.QUOTE_ALL), newline=""))
    lines: list[str] = []
    writer = csv.writer(SimpleNamespace(write=lines.append))  # of \r and \n it quotes what its own line ends hold: both
    writer.writerows(map(_defused, row) for row in rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


def _defused(cell: str) -> str:
    return f"'{cell}" if FORMULA.match(cell) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell == cell.strip()
