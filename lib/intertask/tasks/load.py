"""Tasks read into memory: `load_task` reads, checks and returns a task's splits."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from intertask.cache import remembered
from intertask.errors import IntertaskError, refusal
from intertask.tasks.catalogue import find_entry, reading_code
from intertask.tasks.schema import HELD_OUT, TaskEntry
from intertask.tasks.sources import fingerprint, locate

if TYPE_CHECKING:  # imported where it is used, with torch: what was read once is there without
    from intertask.formats import Format


@dataclass(frozen=True)
class Task:
    """A task in memory.

    entry: its entry, with the label names filled in.
    splits: split -> one row per example with the entry's inputs (str), tags (str) and, where the format has them,
        choices: list of str
        spans: int32 array (targets, spans, 2), [start, end) in characters; of tagging the words, of extractive_qa
            the answers in the passage
        group: number of the examples that are scored as one
        label: int64 id, or float64 for a regression; of span_classification and tagging for each target a list of
            ids; of answers the list of those that are accepted. No such column where the split is unlabelled.
        The index counts rows from 0.
    unlimited: train before the limit that drew `splits["train"]` from it.
    overlap: of the dev examples, how many are in the training data of the tasks that are trained before or alongside.
    """

    entry: TaskEntry
    splits: dict[str, pd.DataFrame]
    overlap: dict[str, int] = field(default_factory=dict)
    unlimited: pd.DataFrame | None = None

    @property
    def whole_train(self) -> pd.DataFrame:
        """Train before any limit: what formats learn of it, as a vocabulary, is the same for every limit."""
        return self.splits["train"] if self.unlimited is None else self.unlimited

    @property
    def form(self) -> "Format":
        from intertask.formats import find_format

        return find_format(self.entry.format)(self.entry)


def load_task(name: str, task_file: str = "") -> Task:
    """The task `name` of the catalogue or of the user's `task_file`; raises IntertaskError on anything amiss."""
    return load_entry(find_entry(name, task_file))


def load_entry(entry: TaskEntry) -> Task:
    """The task of an entry, as `load_task`."""
    source = locate(entry)
    # What the entry, its files and our code determine; file names count for nothing but how they end.
    kinds = {split: [path.suffix for path in paths] for split, paths in source.files.items()}
    key = [entry.content(), entry.unused, fingerprint(entry), kinds, source.card_labels, reading_code()]

    def read():
        from intertask.tasks.splits import checked_splits  # here: with torch

        return checked_splits(entry, source)

    labels, splits = remembered("tasks", key, read)
    return Task(entry.model_copy(update={"labels": labels}), splits)


def check_trainable(task: Task) -> None:
    """Refuses a task without a train split."""
    if "train" not in task.splits:
        found = ", ".join(task.splits)
        raise IntertaskError(f"Task {task.entry.name} has no train split (found {found}): it can only be scored.")


def load_as(task: Task, name: str, task_file: str = "") -> pd.DataFrame:
    """The rows of another classification, `scored_rows(name)`, with the inputs and the label ids of this task.

    Without labels, as the GLUE diagnostic set on the Hub, they can be predicted and not scored. Raises IntertaskError
    if its labels or the number of its inputs differ.
    """
    if name in {"train", "validation", "test", *HELD_OUT, *task.splits}:
        expected = f"a task whose name is none of a split, as {name} is of {task.entry.name}"
        raise refusal("evaluate_on", expected, f"'{name}'", "Rename that task.")
    other = load_task(name, task_file)
    mine, theirs = task.entry.labels or [], other.entry.labels or []
    same = task.entry.format == other.entry.format and task.form.comparable
    if not same or sorted(mine) != sorted(theirs):
        expected = f"a classification with the labels of {task.entry.name}, {mine}"
        raise refusal(f"evaluate_on, {name}", expected, f"{other.entry.format} with {theirs}", "Name another task.")
    if len(task.entry.inputs) != len(other.entry.inputs):
        expected = f"as many inputs as {task.entry.name}, {task.entry.inputs}"
        raise refusal(f"evaluate_on, {name}", expected, f"{other.entry.inputs}", "Name another task.")
    rows = scored_rows(other).rename(columns=dict(zip(other.entry.inputs, task.entry.inputs, strict=True)))
    return rows.assign(label=[mine.index(theirs[i]) for i in rows["label"]]) if "label" in rows else rows


def scored_rows(task: Task) -> pd.DataFrame:
    """The rows on which another task's model is scored: the validation or else the test split."""
    rows = next((task.splits[split] for split in ("validation", "test") if split in task.splits), None)
    if rows is None:
        found = ", ".join(task.splits)
        raise refusal(f"evaluate_on, {task.entry.name}", "a validation or test split", found, "Name another task.")
    return rows
