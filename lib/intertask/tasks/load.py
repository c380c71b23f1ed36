"""Tasks read into memory: `load_task` reads, checks and returns a task's splits."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from intertask.cache import remembered
from intertask.errors import IntertaskError, refusal
from intertask.formats import Format, find_format
from intertask.formats.columns import UNLABELLED, are_numbers, check_gold, label_text, spellings
from intertask.tasks import checks
from intertask.tasks.catalogue import find_entry, reading_code
from intertask.tasks.rows import raw_splits
from intertask.tasks.schema import HELD_OUT, TaskEntry
from intertask.tasks.sources import Source, fingerprint, locate


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
    def form(self) -> Format:
        return find_format(self.entry.format)(self.entry)


def load_task(name: str, task_file: str = "") -> Task:
    """The task `name` of the catalogue or of the user's `task_file`; raises IntertaskError on anything amiss."""
    entry = find_entry(name, task_file)
    source = locate(entry)
    # What the entry, its files and our code determine; file names count for nothing but how they end.
    kinds = {split: [path.suffix for path in paths] for split, paths in source.files.items()}
    key = [entry.content(), entry.unused, fingerprint(entry), kinds, source.card_labels, reading_code()]
    labels, splits = remembered("tasks", key, lambda: _checked(entry, source))
    return Task(entry.model_copy(update={"labels": labels}), splits)


def _checked(entry: TaskEntry, source: Source) -> tuple[list[str] | None, dict[str, pd.DataFrame]]:
    """The label names and the splits of a Task."""
    raw = raw_splits(entry, source)
    checks.check_against_card(entry, source.card_labels)
    read = find_format(entry.format)
    named = "labels" in read.keys
    card = source.card_labels if named else None
    given = entry.labels or card
    labels = _labels(read(entry), raw, given or [])
    used = {split: _used(read(entry), frame, labels[split]) for split, frame in raw.items()}
    said = [_said(read(entry), frame["label"]) for frame in used.values() if named and "label" in frame]
    for texts in said:
        check_gold(texts, given or (), droppable=not read.several_targets)
    names = given or read(entry).found_labels(used)
    if said and not given:
        are_numbers(pd.concat(said))  # what one split calls by name another may not by number: no order is known
    entry = entry.model_copy(update={"labels": names})
    checks.check_f1(entry)
    ids = spellings(said, names, counted=card is not None) if named else {}
    return names, {split: _numbered(read(entry), split, frame, ids) for split, frame in used.items()}


def _labels(form: Format, raw: dict[str, pd.DataFrame], given: list[str]) -> dict[str, pd.Series | None]:
    """The labels of every split as names; None where it has none, or hides them. `given`: the names, if known yet."""
    entry, found = form.entry, {}
    for split, frame in raw.items():
        must = split in ("train", "validation")
        checks.check_columns(frame, entry, must)
        found[split] = form.label_names(frame) if entry.label and entry.label_column in frame else None
    if entry.drop_label is not None:
        _check_dropped(entry, found)
    known = None
    if "labels" in form.keys:
        known = {*given, *([] if found.get("train") is None else _said(form, found["train"]))} - UNLABELLED
    elif form.label_dtype is np.float64:
        known = set()
    for split, labels in found.items():
        if labels is not None and split not in ("train", "validation") and checks.all_hidden(labels, known):
            found[split] = None
    return found


def _check_dropped(entry: TaskEntry, found: dict[str, pd.Series | None]) -> None:
    """Refuses a label to drop that no row has, unless it is a mark for none."""
    mark = label_text(entry.drop_label, (entry.name, 0), entry.label)
    if mark in UNLABELLED or any((labels == mark).any() for labels in found.values() if labels is not None):
        return
    remedy = "Write it as the column does, or take `drop_label` out."
    where = f"Task '{entry.name}', drop_label"
    raise refusal(where, f"a label that column '{entry.label}' has", f"'{entry.drop_label}'", remedy)


def _said(form: Format, labels: pd.Series) -> pd.Series:
    """What the label column says, of an example's several targets too, as text."""
    return form.ids(labels).astype("str").rename(form.entry.label)


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


def _used(form: Format, raw: pd.DataFrame, labels: pd.Series | None) -> pd.DataFrame:
    """What is read of the rows that are used, labels still as names; no column `label` where the split has none."""
    entry = form.entry
    if labels is not None and entry.drop_label is not None and len(raw):
        raw = raw[labels.to_numpy() != label_text(entry.drop_label, raw.index[0], entry.label)]
        labels = labels.loc[raw.index]
    if raw.empty:
        remedy = "Supply rows, or take the split out of the entry."
        raise refusal(checks.file_of(raw), "at least one row", "none", remedy)
    columns = form.columns(raw, labels) | {tag: _tag(raw[tag]) for tag in entry.tags}
    frame = pd.DataFrame(columns, index=raw.index)
    if form.several_targets and not frame["spans"].map(len).any():
        raise refusal(checks.file_of(raw), "a target in at least one row", "none", "Check `spans` and the rows.")
    return frame if labels is None else frame.assign(label=labels)


def _tag(column: pd.Series) -> pd.Series:
    """A column of tags as text, null as ""; what is no text, number or truth value is refused as a label is."""
    for where, value in column.items():
        label_text(value, where, column.name)
    return column.fillna("").astype("str")


def _numbered(form: Format, split: str, frame: pd.DataFrame, ids: dict[str, int]) -> pd.DataFrame:
    """The frame with labels as numbers, tags last, its rows counted from 0."""
    if "label" not in frame:
        return frame.reset_index(drop=True)
    labels = form.numbered(frame, ids)
    if split == "train" and (form.several_targets or is_numeric_dtype(labels)):
        checks.check_variety(labels, form)
    columns = [name for name in frame if name not in ("label", *form.entry.tags)]
    return frame.assign(label=labels)[[*columns, "label", *form.entry.tags]].reset_index(drop=True)
