"""Which examples go into which batch."""

import numpy as np

WINDOW = 50  # batches that are sorted together: long enough to save padding, short enough to stay random


def bucketed(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One epoch of batches: a random order, sorted by length within windows, the batches then shuffled.

    Every example occurs once; only one batch may be smaller than batch_size.
    """
    order = rng.permutation(len(lengths))
    windows = [order[i : i + WINDOW * batch_size] for i in range(0, len(order), WINDOW * batch_size)]
    batches = []
    for window in windows:
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[i : i + batch_size] for i in range(0, len(window), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def by_length(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches for evaluation: all examples in order of length."""
    order = np.argsort(lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
