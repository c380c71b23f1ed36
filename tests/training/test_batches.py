"""Which examples go into which batch."""

import numpy as np
import pytest

from intertask.training.batches import WINDOW, by_length, schedule


def bucketed(lengths, batch_size, rng):
    """One epoch of a single task."""
    epoch = schedule("homogeneous", [rng.permutation(len(lengths))], [lengths], batch_size, rng)
    return [index for ((_, index),) in epoch]


@pytest.mark.parametrize("count", [1, 31, 32, 1000])
def test_every_example_once(count):
    lengths = np.random.default_rng(0).integers(3, 60, count)
    batches = bucketed(lengths, 32, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(count))
    assert sorted(len(batch) for batch in batches)[1:] == [32] * (len(batches) - 1)


def test_the_seed_decides_the_order():
    lengths = np.arange(200) % 7
    first, again, other = (bucketed(lengths, 8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_a_batch_holds_like_lengths():
    lengths = np.random.default_rng(0).permutation(WINDOW * 10)
    assert max(np.ptp(lengths[batch]) for batch in bucketed(lengths, 10, np.random.default_rng(0))) == 9


def test_evaluation_goes_by_length():
    assert np.concatenate(by_length(np.array([5, 3, 9, 3]), 2)).tolist() == [1, 3, 0, 2]
