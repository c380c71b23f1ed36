"""How long a run trains: examples and optimizer steps, before it has started."""

import math
import sys
from functools import cache

from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.tasks.catalogue import find_entry

ABSENT_EXAMPLES = 50_000  # of a task that is neither at hand nor counted in the catalogue: a guess


def training_sizes(run: Run) -> list[int]:
    """The training examples of each task of a run."""
    return [min(m.limit or sys.maxsize, training_size(m.task, run.task_file)) for m in run.members]


def training_examples(run: Run) -> int:
    """The training examples of all tasks of a run."""
    return sum(training_sizes(run))


def steps(run: Run) -> int:
    """The optimizer steps that a run takes if it is not stopped early."""
    per_epoch = math.ceil(training_examples(run) / run.step_examples)
    return run.max_steps or math.ceil(per_epoch * run.num_train_epochs)


@cache
def training_size(task: str, task_file: str) -> int:
    """Training examples: as the catalogue says, else counted."""
    if known := find_entry(task, task_file).sizes.get("train"):
        return known
    from intertask.tasks.load import load_task

    try:
        return len(load_task(task, task_file).splits["train"])
    except IntertaskError:  # not at hand: a dry run says so, and guesses
        return ABSENT_EXAMPLES
