"""Where memory runs out: on a GPU batches are read in smaller parts, in main memory the run ends in words."""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from intertask.errors import refusal
from intertask.run import Run

Given = TypeVar("Given")

LOWER = ("per_device_train_batch_size", "max_length", "per_device_eval_batch_size")


def halving(
    at_once: dict[str, int], what: str, rows: int, make: Callable[[int], Given], undo: Callable[[], None] = lambda: None
) -> Given:
    """What `make` gives, called with half as many rows each time that a GPU's memory does not hold so many at once.

    `undo` puts right what the failed call has changed. From then on no more are tried: `at_once` keeps the number
    under `what`. A single row that finds no room is torch's error.
    """
    rows = min(rows, at_once.get(what, rows))
    while True:
        try:
            return make(rows)
        except torch.OutOfMemoryError:
            if rows == 1:
                raise
        # only here: the error holds what the failed attempt has made
        rows = at_once[what] = (rows + 1) // 2
        undo()
        torch.cuda.empty_cache()


@contextmanager
def full_memory_in_words(run: Run) -> Iterator[None]:
    """Says of what no memory was left for how large it was, and which parameters of the run to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        full = "DefaultCPUAllocator" in str(error) or "MPS backend out of memory" in str(error)
        if not (full or isinstance(error, MemoryError | torch.OutOfMemoryError)):
            raise
        what = str(error).partition("DefaultCPUAllocator: ")[2] or str(error) or "no more could be had"
        what = ". ".join(what.split(". ")[:3])  # of torch's: what was asked for, what there is
        words = [f"{name} (now {getattr(run, name)})" for name in LOWER]
        remedy = f"Lower {', '.join(words[:-1])} or {words[-1]}"
        remedy += "." if run.gradient_checkpointing else ", or set gradient_checkpointing."
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        had = f"the process has had {peak / 2**30:.1f} of the machine's {whole / 2**30:.1f} GiB"
        found = f"that the memory is full ({what}); {had}"
        raise refusal(run.label, "room for the training", found, remedy) from None
