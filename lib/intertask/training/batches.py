"""Which examples go into which batch."""

import math

import numpy as np

WINDOW = 50  # batches that are sorted together: long enough to save padding, short enough to stay random

Batch = list[tuple[int, np.ndarray]]
"""The number of each task in the batch, with the numbers of its examples."""


def schedule(
    name: str, drawn: list[np.ndarray], lengths: list[np.ndarray], batch_size: int, rng: np.random.Generator
) -> list[Batch]:
    """One epoch of batches of the examples drawn from each task, in random order (Weller et al. 2022, section 2).

    homogeneous: one task per batch, the batches shuffled; partition: the same, task after task; heterogeneous: all
    examples shuffled together; forced_heterogeneous: every batch has the same share of every task. Examples of like
    length come together; only one batch, of homogeneous and partition one per task, may be smaller than batch_size.
    """
    if name == "heterogeneous":
        # or each window would be trained from short to long
        return _shuffled(_heterogeneous(drawn, lengths, batch_size, rng), rng)
    if name == "forced_heterogeneous":
        return _shuffled(_forced(drawn, lengths, batch_size), rng)
    tasks = [
        [[(task, batch)] for batch in windows(index, lengths[task][index], batch_size)]
        for task, index in enumerate(drawn)
    ]
    if name == "partition":
        return [batch for batches in tasks for batch in _shuffled(batches, rng)]
    return _shuffled([batch for batches in tasks for batch in batches], rng)


def windows(order: np.ndarray, lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches of the examples in `order`, sorted by length within windows of WINDOW batches."""
    batches = []
    for i in range(0, len(order), WINDOW * batch_size):
        window = slice(i, i + WINDOW * batch_size)
        # stable: of equal length, the order stays the random one
        by_size = order[window][np.argsort(lengths[window], kind="stable")]
        batches += [by_size[j : j + batch_size] for j in range(0, len(by_size), batch_size)]
    return batches


def _heterogeneous(drawn, lengths, batch_size: int, rng: np.random.Generator) -> list[Batch]:
    task = np.repeat(np.arange(len(drawn)), [len(index) for index in drawn])
    example = np.concatenate(drawn)
    length = np.concatenate([of[index] for of, index in zip(lengths, drawn, strict=True)])
    order = rng.permutation(len(example))
    batches = windows(order, length[order], batch_size)
    return [[(t, example[b[task[b] == t]]) for t in range(len(drawn)) if (task[b] == t).any()] for b in batches]


def _forced(drawn, lengths, batch_size: int) -> list[Batch]:
    """Every task's examples in as many equal parts as there are batches; in a window the short parts meet the short."""
    count = math.ceil(sum(map(len, drawn)) / batch_size)
    batches = [[] for _ in range(count)]
    edges = np.array([*range(0, count, WINDOW), count])
    for task, index in enumerate(drawn):
        # in whole numbers: each window gets its share of the task to within one example
        cuts = len(index) * edges // count
        for first, last, start, end in zip(edges, edges[1:], cuts, cuts[1:], strict=False):
            window = index[start:end][np.argsort(lengths[task][index[start:end]], kind="stable")]
            for batch, own in zip(batches[first:last], np.array_split(window, last - first), strict=True):
                if len(own):
                    batch.append((task, own))
    return batches


def _shuffled(batches: list, rng: np.random.Generator) -> list:
    return [batches[i] for i in rng.permutation(len(batches))]


def by_length(lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Batches for evaluation: all examples in order of length."""
    order = np.argsort(lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
