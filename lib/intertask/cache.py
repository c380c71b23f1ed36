"""What many runs would each make again: made once, kept in the user's cache folder, and never trusted to be there."""

import hashlib
import json
import os
import pickle
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from intertask import RESULT_VERSION

Made = TypeVar("Made")


def folder() -> Path:
    """INTERTASK_CACHE, or `intertask` in the user's cache folder (XDG_CACHE_HOME or ~/.cache)."""
    given = os.environ.get("INTERTASK_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "intertask"


def remembered(kind: str, inputs: Any, make: Callable[[], Made]) -> Made:
    """What `make` gives, which must depend on nothing but `inputs` (anything that JSON can hold).

    A cache that cannot be read or written costs the time to make it again, and nothing else.
    """
    libraries = [version(name) for name in ("numpy", "pandas", "tokenizers")]
    key = hashlib.sha256(json.dumps([RESULT_VERSION, libraries, inputs]).encode()).hexdigest()[:32]
    path = folder() / kind / f"{key}.pickle"
    with suppress(OSError, EOFError, pickle.UnpicklingError):
        return pickle.loads(path.read_bytes())
    made = make()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            unfinished = Path(scratch) / path.name
            unfinished.write_bytes(pickle.dumps(made))
            os.replace(unfinished, path)
    return made
