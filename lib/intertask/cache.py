"""What many runs would each make again: made once, kept in the user's cache folder, and never trusted to be there."""

import fcntl
import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, TypeVar

from intertask import RESULT_VERSION
from intertask.files import state, uncollected
from intertask.packing import ALIGNED, pack, unpack

Made = TypeVar("Made")

DIGEST_BYTES = 32

MOST = 20 * 2**30
"""Bytes that the files of a kind take together where they tell their sizes; and never more than they leave free."""


def cache_folder() -> Path | None:
    """INTERTASK_CACHE, or `intertask` in the user's cache folder (XDG_CACHE_HOME or ~/.cache); None without a home."""
    if given := os.environ.get("INTERTASK_CACHE"):
        return Path(given)
    with suppress(RuntimeError):  # a user whom the machine does not know, as in a container
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "intertask"


def remembered(kind: str, inputs: Any, make: Callable[[], Made], size: int = 0) -> Made:
    """What `make` gives, as `packing.pack` can keep it; it must depend on nothing but `inputs`, which JSON can hold.

    Its large arrays and text columns come memory-mapped: processes share them, and writing to one's own copy changes
    neither theirs nor the file. A file is held against its digest whenever it is read, and nothing is read or written
    in a folder of another user. A cache that cannot be used costs the time to make things again, and nothing else; of
    processes that want the same thing at once, one makes it.

    size: bytes of what may be too large to be kept for ever. Its kind then takes no more than MOST: what was longest
    unused gives way, and what finds no place by itself is made every time.
    """
    if (path := _path_of(kind, [RESULT_VERSION, _libraries(), inputs])) is None:
        return make()
    with suppress(OSError, ValueError):
        return _read(path)
    if size and not _made_room(path.parent, size):
        return make()
    with _alone(path):
        with suppress(OSError, ValueError):  # another has made it meanwhile
            return _read(path)
        made = make()
        _keep(path, made)
    return made


def remember(kind: str, name: Any, what: dict[str, Any]) -> None:
    """Leaves something for `recall`, in place of what is there; name, what: as JSON can hold. At worst it is lost."""
    if path := _path_of(kind, name):
        _keep(path, what)


@uncollected()
def recall(kind: str, name: Any) -> dict[str, Any]:
    """What `remember` left last; empty where there is nothing, or it is not whole. It may be out of date."""
    with suppress(OSError, ValueError):
        return _read(path) if (path := _path_of(kind, name)) else {}
    return {}


def _path_of(kind: str, name: Any) -> Path | None:
    """None where there is no folder of this user's own."""
    folder = cache_folder()
    if folder is None or _of_others(folder) or _of_others(folder / kind):
        return None
    return folder / kind / f"{hashlib.sha256(json.dumps(name).encode()).hexdigest()[:32]}.kept"


def _made_room(folder: Path, size: int) -> bool:
    """Whether another file of that size may come to those in a folder, of which the longest unused are removed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in folder.glob("*.kept"))
        taken = sum(one for _, one, _ in files)
        most = min(MOST, (taken + shutil.disk_usage(folder).free) // 2)
        if size > most:
            return False
        for _, one, path in files:
            if taken + size <= most:
                break
            path.unlink(missing_ok=True)  # who has it mapped goes on reading
            taken -= one
        return True
    except OSError:  # of others that make room at the same time, or a folder that cannot be written
        return False


def _of_others(folder: Path) -> bool:
    try:
        return folder.stat().st_uid != os.geteuid()
    except OSError:  # not there yet, or it will be seen when it is used
        return False


@cache
def _libraries() -> list[str]:
    """What reads, and what computes; of Python: what a letter or a blank is, and the modules that read files."""
    names = ("numpy", "pandas", "pyarrow", "pydantic", "pyyaml", "tokenizers", "torch", "transformers")
    return [python_version(), *map(version, names)]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits for other processes that are making the same; where files cannot be locked, it goes on at once."""
    with ExitStack() as opened:
        with suppress(OSError):
            path.parents[1].mkdir(parents=True, exist_ok=True)
            lock = opened.enter_context(open(path.parents[1] / "lock", "ab"))
            fcntl.lockf(lock, fcntl.LOCK_EX, 1, int(path.stem[:8], 16))  # one byte of it for every key
        yield


def _keep(path: Path, value: Any) -> None:
    """Writes a file whole or, where that cannot be, not at all."""
    header, buffers = pack(value)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            unfinished = Path(scratch) / path.name
            _write(unfinished, header, buffers)
            os.replace(unfinished, path)


def _write(path: Path, header: bytes, buffers: list[memoryview]) -> None:
    """The buffers, the header, in 8 bytes where that begins, and the digest of the file's name and of all this."""
    digest = hashlib.sha256(path.stem.encode())
    with path.open("wb") as file:
        for buffer in buffers:
            for part in (buffer, bytes(-buffer.nbytes % ALIGNED)):
                digest.update(part)
                file.write(part)
        end = header + file.tell().to_bytes(8)
        digest.update(end)
        file.write(end + digest.digest())


def _read(path: Path) -> Any:
    """What `_write` wrote, its buffers mapped; raises ValueError on a file that is not whole, and not this one's."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_uid != os.geteuid():
            raise ValueError("another user's file")
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    content, digest = whole[:-DIGEST_BYTES], whole[-DIGEST_BYTES:]
    found = hashlib.sha256(path.stem.encode())
    found.update(content)
    if found.digest() != digest:
        raise ValueError("a file that is not whole")
    with suppress(OSError):
        os.utime(path)  # by which what is longest unused is found
    start = int.from_bytes(content[-8:])
    return unpack(bytes(content[start:-8]), content[:start])


def while_unchanged(key: Hashable, make: Callable[[], tuple[Made, Iterable[Path]]]) -> Made:
    """What `make` gave, with the files and folders that it was made from, as long as none of these has changed."""
    if key not in _known or any(state(path) != before for path, before in _known[key][1].items()):
        value, paths = make()
        _known[key] = value, {os.fspath(path): state(path) for path in paths}
    return _known[key][0]


_known: dict = {}
