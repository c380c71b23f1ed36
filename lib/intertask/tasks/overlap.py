"""Overlap: examples of a target's dev set that a supporting task trains on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from intertask.cache import remembered
from intertask.tasks.catalogue import reading_code
from intertask.tasks.load import Task
from intertask.tasks.sources import fingerprint


def task_overlap(target: Task, supporting: Task, split: str = "validation") -> int:
    """How many rows of a split of the target have the text of a training row of a supporting task.

    Text: the input columns in order, lower-cased, every run of whitespace as one blank; of a pair, in either order.
    Labels, choices and spans are no part of it. The supporting task is hashed once for all runs.
    """
    entry = supporting.entry
    key = [fingerprint(entry), entry.content(), reading_code()]
    known = remembered("overlap", key, lambda: _orders(supporting.splits["train"], entry.inputs))
    return int(np.isin(_hashes(target.splits[split], target.entry.inputs), known).sum())


def _orders(rows: pd.DataFrame, inputs: Sequence[str]) -> np.ndarray:
    """The hashes of all rows; of pairs in both orders."""
    orders = [inputs, inputs[::-1]] if len(inputs) == 2 else [inputs]
    return np.unique(np.concatenate([_hashes(rows, order) for order in orders]))


def _hashes(rows: pd.DataFrame, inputs: Sequence[str]) -> np.ndarray:
    """A uint64 per row, the same on every machine; texts that differ share one in 2^64 cases."""
    columns = [[" ".join(text.lower().split()) for text in rows[column]] for column in inputs]
    texts = np.array(["\n".join(parts) for parts in zip(*columns, strict=True)], dtype=object)
    return pd.util.hash_array(texts, categorize=False)
