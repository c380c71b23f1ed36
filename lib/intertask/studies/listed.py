"""Which of many runs are finished, as `store.read` finds them; a record that has not changed is not read again."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from intertask.cache import recall, remember
from intertask.files import state
from intertask.studies import store

WORTH = 1000
"""Records that were read, from which on it takes less time to keep what they list than to read them again."""


@contextmanager
def checking(results: Path) -> Iterator[Callable[[str], None]]:
    """A function of a run's id that raises what `store.read` does of it, for who needs nothing of a sound record.

    Files are held against what a record lists each time; the record itself is held against its seal again when its
    file's inode, size or times are others than when it was read, by this process or by one that left in the user's
    cache what it saw.
    """
    known = {place: _known(place) for place in (f"{os.path.realpath(one)}/runs" for one in store.places(results))}
    fresh: Counter = Counter()

    def check(run_id: str) -> None:
        for place in known:  # the first that has it, as `store.folder_of`
            if now := list(state(f"{place}/{run_id}/run.json")):  # before it is read: what changes then is read again
                break
        seen = known[place]
        if now and run_id in seen and seen[run_id][0] == now and _as_listed(f"{place}/{run_id}", seen[run_id][1]):
            return
        files = store.read(run_id, results)["files"]
        seen[run_id] = [now, {name: file["bytes"] for name, file in files.items()}]
        fresh[place] += 1

    yield check
    for place, read in fresh.items():
        if read >= WORTH:
            with suppress(OSError):
                there = known[place].keys() & {*os.listdir(place)}
                remember("listed", [place, store.RECORD_KEYS], {run_id: known[place][run_id] for run_id in there})


@cache
def _known(place: str) -> dict[str, list]:
    """Per run the state of its record's file, and the files that it lists with their bytes."""
    return recall("listed", [place, store.RECORD_KEYS])


def _as_listed(folder: str, files: dict[str, int]) -> bool:
    for name, size in files.items():
        try:
            if os.stat(f"{folder}/{name}").st_size != size:
                return False
        except FileNotFoundError:
            if not store.left_behind(f"{folder}/{name}"):
                return False
        except OSError:
            return False
    return True
