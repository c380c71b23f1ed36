"""The largest batch that fits: found once, then written into the study, so that no run depends on the machine."""

from pathlib import Path

import numpy as np
from accelerate.utils import find_executable_batch_size

from intertask.run import Run
from intertask.tasks.load import Task
from intertask.training.model import Model, build_model
from intertask.training.train import adamw, train_step


def largest_batch(run: Run, tasks: dict[str, Task], start: str | Path, at_most: int) -> int:
    """How many examples of the run's first task one step can train on, halving `at_most` until memory suffices.

    The step is a whole one, with its optimizer, on the longest examples of the training data (Pruksachatkun et al.
    2020, section 3: "the batch size that fits"). Without a GPU it is the processor's memory that is tried.
    """
    model = build_model(run, tasks, start)
    longest = np.argsort(-model.parts[0].encoded["train"].lengths, kind="stable")

    def half() -> int:
        nonlocal size
        size //= 2
        return size

    size = at_most
    attempt = find_executable_batch_size(_step, starting_batch_size=at_most, reduce_batch_size_fn=half)
    return attempt(run, model, longest)


def _step(batch_size: int, run: Run, model: Model, longest: np.ndarray) -> int:
    optimizer = adamw(model, run)
    model.train()
    train_step(run, model, [(0, np.resize(longest, batch_size))], np.ones(1), np.random.default_rng(0))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return batch_size
