"""What many runs would each make again: made once, kept in the user's cache folder, and never trusted to be there."""

import fcntl
import hashlib
import json
import mmap
import os
import pickle
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from intertask import RESULT_VERSION

Made = TypeVar("Made")

MAPPED = 2**16
"""Bytes from which an array, or a column of text, is a part of the file by itself, mapped and not read."""


def cache_folder() -> Path:
    """INTERTASK_CACHE, or `intertask` in the user's cache folder (XDG_CACHE_HOME or ~/.cache)."""
    given = os.environ.get("INTERTASK_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "intertask"


def remembered(kind: str, inputs: Any, make: Callable[[], Made]) -> Made:
    """What `make` gives, which must depend on nothing but `inputs` (anything that JSON can hold).

    Its large arrays and text columns come memory-mapped: processes share them, and writing to one's own copy changes
    neither theirs nor the file. A cache that cannot be read or written costs the time to make it again, and nothing
    else; of processes that want the same thing at once, one makes it.
    """
    key = hashlib.sha256(json.dumps([RESULT_VERSION, _libraries(), inputs]).encode()).hexdigest()[:32]
    path = cache_folder() / kind / f"{key}.pickle"
    with suppress(Exception):  # there is hardly one that a damaged file may not raise
        return _read(path)
    with _alone(key):
        with suppress(Exception):  # another has made it meanwhile
            return _read(path)
        made = make()
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
                unfinished = Path(scratch) / path.name
                _write(unfinished, made)
                os.replace(unfinished, path)
    return made


@cache
def _libraries() -> list[str]:
    return [version(name) for name in ("numpy", "pandas", "pyarrow", "tokenizers", "torch", "transformers")]


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """Waits for other processes that are making the same; where files cannot be locked, it goes on at once."""
    with ExitStack() as opened:
        with suppress(OSError):
            cache_folder().mkdir(parents=True, exist_ok=True)
            lock = opened.enter_context(open(cache_folder() / "lock", "ab"))
            fcntl.lockf(lock, fcntl.LOCK_EX, 1, int(key[:8], 16))  # one byte of it for every key
        yield


def _write(path: Path, made: Any) -> None:
    """The object's large buffers, the pickled rest with their places, and in the last 8 bytes where that begins."""
    places: list[tuple[int, int]] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        large = buffer.raw()
        if large.nbytes < MAPPED:
            return True  # it stays within the pickle
        places.append((file.tell(), large.nbytes))
        file.write(large)
        file.write(bytes(-file.tell() % 64))  # Arrow wants each to begin at a multiple of so many bytes
        return False

    with path.open("wb") as file:
        pickled = pickle.dumps(made, protocol=5, buffer_callback=keep)
        rest = file.tell()
        pickle.dump((places, pickled), file)
        file.write(rest.to_bytes(8))


def _read(path: Path) -> Any:
    """What `_write` wrote, its buffers mapped; raises whatever there is on a file that is not whole."""
    with path.open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    places, pickled = pickle.loads(whole[int.from_bytes(whole[-8:]) :])
    return pickle.loads(pickled, buffers=[whole[start : start + size] for start, size in places])


def while_unchanged(key: Hashable, make: Callable[[], tuple[Made, Iterable[Path]]]) -> Made:
    """What `make` gave, with the files and folders that it was made from, as long as none of these has changed."""
    if key not in _known or any(_state(path) != state for path, state in _known[key][1].items()):
        value, paths = make()
        _known[key] = value, {os.fspath(path): _state(path) for path in paths}
    return _known[key][0]


_known: dict = {}


def _state(path: Path | str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size
