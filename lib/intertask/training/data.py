"""What a run trains on and what it is scored on: limits, held-out reporting, shuffled labels."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np

from intertask.run import Member, Run
from intertask.studies.store import CHOOSING
from intertask.tasks.catalogue import find_entry
from intertask.tasks.load import Task, check_trainable, load_task, with_further
from intertask.tasks.overlap import task_overlap
from intertask.tasks.sample import limited, split_dev


def prepare(run: Run, before: Sequence[str] = ()) -> dict[str, Task]:
    """The tasks of the mixture as this run sees them; every frame's index still holds the row numbers of the data set.

    `limit` draws training examples without replacement, and by label with `limit_stratified`; `holdout` replaces
    `validation` by `validation_select`, on which checkpoints are chosen, and `validation_report`, which reports. The
    tasks of `evaluate_on` become splits under their own names. `before`: tasks that the encoder was trained on already,
    whose training data may hold dev examples of these. Raises IntertaskError where a task cannot be trained on.
    """
    load = cache(partial(load_task, task_file=run.task_file))
    tasks = {member.task: _prepared(run, member, load(member.task)) for member in run.members}
    known = {name: load(name) for name in dict.fromkeys([*before, *tasks]) if find_entry(name, run.task_file).label}
    return {name: replace(task, overlap=_overlap(task, name, known, before)) for name, task in tasks.items()}


def _overlap(task: Task, name: str, known: dict[str, Task], before: Sequence[str]) -> dict[str, int]:
    """Per task trained before or alongside, how many of the reported dev examples are in its training data."""
    others = {other: one for other, one in known.items() if other != name or other in before}
    return {other: task_overlap(task, one, reporting_split(task)) for other, one in others.items()}


def _prepared(run: Run, member: Member, task: Task) -> Task:
    check_trainable(task)
    for one in member.evaluate_on:
        task = with_further(task, one.task, one.labels, run.task_file)
    splits = dict(task.splits)
    stratify = run.limit_stratified and task.form.one_label
    train = limited(splits["train"], member.limit, run.seed_of("limit"), stratify)
    # by the master seed: anew for each restart, also where limit_seed keeps one subset
    splits["train"] = task.form.shuffled(train, np.random.default_rng(run.seed)) if member.shuffle_labels else train
    if run.holdout:
        select, report = split_dev(splits.pop("validation"), run.holdout, run.seed, task.form.one_label)
        splits |= {"validation_select": select, "validation_report": report}
    return replace(task, splits=splits, unlimited=task.splits["train"])


def selection_split(task: Task) -> str:
    return next(split for split in CHOOSING if split in task.splits)


def reporting_split(task: Task) -> str:
    return "validation_report" if "validation_report" in task.splits else "validation"
