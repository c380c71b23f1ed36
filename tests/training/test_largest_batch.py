"""The largest batch that fits, with a step that runs out of memory where the test says."""

import numpy as np
import pytest
import torch

from intertask.run import Run
from intertask.training import largest_batch, prepare
from made_task import write_fruit


@pytest.mark.parametrize("room, expected", [(64, 64), (63, 32), (9, 8), (1, 1)])
def test_it_halves_until_memory_suffices(tmp_path, monkeypatch, room, expected):
    step, tried = largest_batch.train_step, []

    def limited(run, model, batch, *rest):
        ((_, index),) = batch
        tried.append(len(index))
        if len(index) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is.")
        lengths = model.parts[0].encoded["train"].lengths
        assert lengths[index].min() >= np.sort(lengths)[-len(index)]  # the longest there are
        return step(run, model, batch, *rest)

    monkeypatch.setattr(largest_batch, "train_step", limited)
    run = Run(task="fruit", task_file=str(write_fruit(tmp_path)), max_length=64)
    assert largest_batch.largest_batch(run, prepare(run), "mini/bert", 64) == expected == tried[-1]
    assert tried == [64 >> k for k in range(len(tried))]


def test_another_error_is_not_taken_for_want_of_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(largest_batch, "train_step", lambda *_: 1 / 0)
    run = Run(task="fruit", task_file=str(write_fruit(tmp_path)), max_length=64)
    with pytest.raises(ZeroDivisionError):
        largest_batch.largest_batch(run, prepare(run), "mini/bert", 64)
