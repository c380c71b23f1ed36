"""Which examples of which task when. A single task is a mixture of one."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from intertask.run import Run
from intertask.training.batches import Batch, schedule
from intertask.weighting import probabilities, reweighted


def examples_per_epoch(p: np.ndarray, sizes: Sequence[int], batch_size: int, length: str) -> np.ndarray:
    """How many examples of each task one epoch draws.

    sum: as many in all as the mixture has, shared out by `p` (largest remainders), so that proportional sampling
    shows each example once. shortest: every batch has round(p × batch_size) examples of a task, at least one, and the
    epoch ends with the task that first runs out, as in the released code of Weller et al. 2022.
    """
    if length == "sum":
        return shared_out(int(sum(sizes)), p)
    each = np.maximum(1, np.round(p * batch_size)).astype(int)
    # a task smaller than its part of a batch is repeated, not left out
    return each * max(1, int(min(np.asarray(sizes) // each)))


def shared_out(total: int, p: np.ndarray) -> np.ndarray:
    """Whole numbers that sum to `total`, as near to total × p as they can be."""
    exact = total * p
    counts = np.floor(exact + 1e-9).astype(int)  # whole but for rounding is whole
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts


class Stream:
    """A task's training examples without end: every pass shows each once, in an order of its own."""

    def __init__(self, size: int, rng: np.random.Generator):
        self.size, self.rng = size, rng
        self.left = np.empty(0, int)  # of the pass under way

    def take(self, count: int) -> np.ndarray:
        taken = [self.left[:count]]
        self.left = self.left[count:]
        while (short := count - sum(map(len, taken))) > 0:
            order = self.rng.permutation(self.size)
            taken.append(order[:short])
            self.left = order[short:]
        return np.concatenate(taken)


class Mixture:
    """The batches of a mixture, epoch after epoch, and what has been seen of each task.

    `lengths`: per task, the tokens of each training example; `single`: per task, the score (0–100) that it has alone,
    for dynamic sampling.
    """

    def __init__(self, run: Run, lengths: list[np.ndarray], single: Sequence[float], rng: np.random.Generator):
        self.run, self.lengths, self.rng = run, lengths, rng
        self.sizes = [len(one) for one in lengths]
        self.single = single
        self.p = probabilities(run.sampling, self.sizes)
        self.streams = [Stream(size, rng) for size in self.sizes]
        self.seen = np.zeros(len(lengths), int)
        self._ever = [np.zeros(size, bool) for size in self.sizes]
        self._begin_epoch()  # at once: by its length the learning rate is planned

    @property
    def ends_epoch(self) -> bool:
        """Whether the last batch of an epoch was dealt, and none of the next."""
        return self.dealt == len(self.batches)

    @property
    def distinct(self) -> list[int]:
        """How many different examples of each task have been seen."""
        return [int(ever.sum()) for ever in self._ever]

    def __iter__(self) -> Iterator[tuple[Batch, bool]]:
        """Batches without end, each with whether it is the last of its epoch; what is yielded counts as seen."""
        while True:
            if self.ends_epoch:
                self._begin_epoch()
            batch = self.batches[self.dealt]
            self.dealt += 1
            for task, index in batch:
                self.seen[task] += len(index)
                self._ever[task][index] = True
            yield batch, self.ends_epoch

    def reweigh(self, scores: Sequence[float]) -> None:
        """Takes note of the dev scores (0–100) of all tasks: the next epoch of a dynamic sampling follows them."""
        if self.run.dynamic:
            self.p = reweighted(self.run.sampling, self.single, scores)

    def state(self) -> dict[str, Any]:
        """What `load_state` goes on from; but for the generator, which is not the mixture's alone."""
        now = {"dealt": self.dealt, "p": self.p.tolist(), "seen": self.seen.tolist(), "ever": self._ever}
        return {"began": self._began} | now

    def load_state(self, state: dict[str, Any]) -> None:
        """Deals the epoch's batches again, which draws from the generator."""
        began = state["began"]
        self.rng.bit_generator.state, self.p = began["rng"], np.array(began["p"])
        for stream, left in zip(self.streams, began["left"], strict=True):
            stream.left = left.numpy()
        self._begin_epoch()
        self.dealt, self.p, self.seen = state["dealt"], np.array(state["p"]), np.array(state["seen"])
        self._ever = [ever.numpy() for ever in state["ever"]]

    def _begin_epoch(self) -> None:
        """Deals its batches, and keeps by what they can be dealt again."""
        left = [stream.left for stream in self.streams]
        self._began = {"rng": self.rng.bit_generator.state, "p": self.p.tolist(), "left": left}
        # of an optimizer step: `micro_batches` divides it
        most = self.run.step_examples
        counts = examples_per_epoch(self.p, self.sizes, most, self.run.epoch_length)
        drawn = [stream.take(count) for stream, count in zip(self.streams, counts, strict=True)]
        self.batches = schedule(self.run.batch_schedule, drawn, self.lengths, most, self.rng)
        self.dealt = 0


def micro_batches(batch: Batch, count: int) -> list[Batch]:
    """A batch in `count` parts, each with its share of every task; parts that would be empty are left out."""
    parts = [[] for _ in range(count)]
    for task, index in batch:
        for part, own in zip(parts, np.array_split(index, count), strict=True):
            if len(own):
                part.append((task, own))
    return [part for part in parts if part]


def at_most(batch: Batch, rows: int) -> list[Batch]:
    """A batch in parts of at most so many examples, by halving it again and again."""
    if size(batch) <= rows:
        return [batch]
    # of several tasks with one example each, half of the tasks
    halves = micro_batches(batch, 2) if size(batch) > len(batch) else [batch[::2], batch[1::2]]
    return [part for half in halves for part in at_most(half, rows)]


def size(batch: Batch) -> int:
    """The examples of all tasks."""
    return sum(len(index) for _, index in batch)


def weights(
    batch: Batch, part: Batch, scales: np.ndarray, batch_loss: str, terms: Callable[[int, np.ndarray], int]
) -> list[float]:
    """The weight of each task's mean loss in a part of a batch, so that the parts add up to the loss of the batch.

    sum_of_means: the sum over tasks of their mean losses, whatever their share (Weller et al. 2022); mean: the mean
    over all examples of the batch. terms: of a task and numbers of its examples, as `Format.terms`.
    """
    whole = dict(batch)
    of = {task: len(index) for task, index in batch}
    if batch_loss == "mean":
        of = dict.fromkeys(of, sum(of.values()))

    def rows(task: int, index: np.ndarray) -> float:
        """As many examples as their share of what the mean is over, which may be tokens; seldom asked for."""
        if len(index) == len(whole[task]):
            return len(index)
        return len(whole[task]) * terms(task, index) / max(1, terms(task, whole[task]))

    return [scales[task] * rows(task, index) / of[task] for task, index in part]
