"""Tasks read into memory: `load_task` reads, checks and returns a task's splits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from intertask.cache import remembered
from intertask.errors import IntertaskError, did_you_mean, refusal
from intertask.tasks.catalogue import find_entry, reading_code
from intertask.tasks.schema import HELD_OUT, TaskEntry
from intertask.tasks.sources import fingerprint, locate

if TYPE_CHECKING:  # imported where it is used, with torch: what was read once is there without
    from intertask.formats import Format


@dataclass(frozen=True)
class Mapped:
    """How a model of one task tells another's labels: `entry` is the other's, `ids` of each own label the id there."""

    entry: TaskEntry
    ids: list[int]


@dataclass(frozen=True)
class Task:
    """A task in memory.

    entry: its entry, with the label names filled in.
    splits: split -> one row per example with the entry's inputs (str), tags (str) and, where the format has them,
        choices: list of str
        spans: int32 array (targets, spans, 2), [start, end) in characters; of tagging the words, of extractive_qa
            the answers in the passage
        group: number of the examples that are scored as one
        label: int64 id, or float64 for a regression; of multi_label the list of its ids, of span_classification and
            tagging one for each target; of answers the list of those that are accepted. No such column where the
            split is unlabelled.
        The index counts rows from 0.
    unlimited: train before the limit that drew `splits["train"]` from it.
    told: of splits that are another task's, with its labels, how this task's become those.
    overlap: of the dev examples, how many are in the training data of the tasks that are trained before or alongside.
    """

    entry: TaskEntry
    splits: dict[str, pd.DataFrame]
    overlap: dict[str, int] = field(default_factory=dict)
    unlimited: pd.DataFrame | None = None
    told: dict[str, Mapped] = field(default_factory=dict)

    @property
    def whole_train(self) -> pd.DataFrame:
        """Train before any limit: what formats learn of it, as a vocabulary, is the same for every limit."""
        return self.splits["train"] if self.unlimited is None else self.unlimited

    @property
    def form(self) -> "Format":
        return self.form_of("train")

    def form_of(self, split: str) -> "Format":
        """The format by whose labels and metrics a split is read: the task's own, or that of the task it comes from."""
        from intertask.formats import find_format

        entry = self.told[split].entry if split in self.told else self.entry
        return find_format(entry.format)(entry)


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


def with_further(task: Task, name: str, labels: Mapping[str, str], task_file: str = "") -> Task:
    """The task with a split `name`: the rows of another classification, on which its models are scored too.

    labels: of each label of this task which one it is there; the split keeps the other's ids. Empty: both have the same
    labels, in whatever order, and the split has the ids of this task. Without labels, as the GLUE diagnostic set on the
    Hub, its rows can be predicted and not scored. Raises IntertaskError if the two tasks do not fit.
    """
    rows, other = _rows_for(task, name, task_file)
    where, mine, theirs = f"evaluate_on, {name}, labels", task.entry.labels, other.labels
    if not labels:
        if sorted(mine) != sorted(theirs):
            expected = f"a classification with the labels of {task.entry.name}, {mine}"
            remedy = f"Name another task, or say which each is: {{task: {name}, labels: {{{mine[0]}: ..., ...}}}}."
            raise refusal(f"evaluate_on, {name}", expected, f"{other.format} with {theirs}", remedy)
        rows = rows.assign(label=[mine.index(theirs[i]) for i in rows["label"]]) if "label" in rows else rows
        return replace(task, splits=task.splits | {name: rows})
    if absent := [label for label in mine if label not in labels]:
        found, remedy = f"none for {', '.join(absent)}", f"Say which of {', '.join(theirs)} it is."
        raise refusal(where, f"one for each label of {task.entry.name}, {mine}", found, remedy)
    for one, known in [(one, mine) for one in labels] + [(one, theirs) for one in labels.values()]:
        if one not in known:
            whose = task.entry.name if known is mine else name
            raise refusal(where, f"labels of {whose}", f"'{one}'", did_you_mean(one, known))
    told = Mapped(other, [theirs.index(labels[label]) for label in mine])
    return replace(task, splits=task.splits | {name: rows}, told=task.told | {name: told})


def _rows_for(task: Task, name: str, task_file: str) -> tuple[pd.DataFrame, TaskEntry]:
    """The rows of another classification with the names of this one's inputs, and the other's entry."""
    if name in {"train", "validation", "test", *HELD_OUT, *task.splits}:
        expected = f"a task whose name is none of a split, as {name} is of {task.entry.name}"
        raise refusal("evaluate_on", expected, f"'{name}'", "Rename that task.")
    other = load_task(name, task_file)
    if task.entry.format != other.entry.format or not task.form.comparable:
        expected = f"a classification with the labels of {task.entry.name}, {task.entry.labels or []}"
        found = f"{other.entry.format} with {other.entry.labels or []}"
        raise refusal(f"evaluate_on, {name}", expected, found, "Name another task.")
    if len(task.entry.inputs) != len(other.entry.inputs):
        expected = f"as many inputs as {task.entry.name}, {task.entry.inputs}"
        raise refusal(f"evaluate_on, {name}", expected, f"{other.entry.inputs}", "Name another task.")
    return scored_rows(other).rename(columns=dict(zip(other.entry.inputs, task.entry.inputs, strict=True))), other.entry


def scored_rows(task: Task) -> pd.DataFrame:
    """The rows on which another task's model is scored: the validation or else the test split."""
    rows = next((task.splits[split] for split in ("validation", "test") if split in task.splits), None)
    if rows is None:
        found = ", ".join(task.splits)
        raise refusal(f"evaluate_on, {task.entry.name}", "a validation or test split", found, "Name another task.")
    return rows
