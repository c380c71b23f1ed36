"""The splits of a task as its source has them: read, checked, their labels as numbers."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from intertask.errors import refusal
from intertask.formats import Format, find_format
from intertask.formats.columns import UNLABELLED, are_numbers, check_gold, label_text, spellings
from intertask.tasks import checks
from intertask.tasks.rows import raw_splits
from intertask.tasks.schema import TaskEntry
from intertask.tasks.sources import Source


def checked_splits(entry: TaskEntry, source: Source) -> tuple[list[str] | None, dict[str, pd.DataFrame]]:
    """The label names and the splits of a `load.Task`; raises IntertaskError on anything amiss."""
    raw = raw_splits(entry, source)
    checks.check_against_card(entry, source.card_labels)
    read = find_format(entry.format)
    named = "labels" in read.keys
    card = source.card_labels if named else None
    given = entry.named_labels or card
    labels = _labels(read(entry), raw, given or [])
    used = {split: _used(read(entry), frame, labels[split]) for split, frame in raw.items()}
    said = [_said(read(entry), frame["label"]) for frame in used.values() if named and "label" in frame]
    one_each = not (read.several_targets or read.label_dtype is object)  # where the entry may say drop_label
    for texts in said:
        check_gold(texts, given or (), droppable=one_each)
    names = given or read(entry).found_labels(used)
    if said and not given:
        are_numbers(pd.concat(said))  # what one split calls by name another may not by number: no order is known
    entry = entry.model_copy(update={"labels": names})
    checks.check_f1(entry)
    checks.check_thresholds(entry)
    ids = spellings(said, names, counted=bool(card), ordered=bool(card)) if named else {}
    return names, {split: _numbered(read(entry), split, frame, ids) for split, frame in used.items()}


def _labels(form: Format, raw: dict[str, pd.DataFrame], given: list[str]) -> dict[str, pd.Series | None]:
    """The labels of every split as names; None where it has none, or hides them. `given`: the names, if known yet."""
    entry, found = form.entry, {}
    for split, frame in raw.items():
        must = split in ("train", "validation")
        checks.check_columns(frame, entry, must)
        found[split] = form.label_names(frame) if _has_columns(entry, frame) else None
    if entry.drop_label is not None:
        _check_dropped(entry, found)
    known = _known(form, given if found.get("train") is None else [*given, *_said(form, found["train"])])
    for split, labels in found.items():
        if labels is not None and split not in ("train", "validation") and checks.all_hidden(labels, form, known):
            found[split] = None
    return found


def _known(form: Format, names: Iterable[str]) -> set[str] | None:
    """By what `checks.all_hidden` tells a mark from a label; `names`: those of the labels."""
    if "labels" in form.keys:
        return {*names} - UNLABELLED
    return set() if form.label_dtype is np.float64 else None


def has_labels(entry: TaskEntry, raw: pd.DataFrame) -> bool:
    """Whether these rows of any file say labels of the task."""
    form = find_format(entry.format)(entry)
    return _has_columns(entry, raw) and not checks.all_hidden(
        form.label_names(raw), form, _known(form, entry.labels or ())
    )


def _has_columns(entry: TaskEntry, raw: pd.DataFrame) -> bool:
    return bool(entry.label) and {*entry.label_columns} <= {*raw}


def other_rows(entry: TaskEntry, raw: pd.DataFrame, labelled: bool) -> pd.DataFrame:
    """Rows of a file that is no split of the task as its splits have them, under their numbers in the file.

    entry: with the label names filled in. Columns that are not read are left out, tags among them. A label that the
    task drops is missing; numbers instead of names are ids. Raises IntertaskError as for the task's own data.
    """
    others = {"unused": list(raw.columns), "tags": [], "drop_label": None, "group": entry.group if labelled else []}
    form = find_format(entry.format)(entry.model_copy(update=others))
    checks.check_columns(raw, form.entry, labelled)
    frame = _used(form, raw, form.label_names(raw) if labelled else None)
    if labelled:
        known = frame
        if entry.drop_label is not None:
            known = frame[frame["label"] != label_text(entry.drop_label, raw.index[0], entry.label)]
        ids = {}
        if "labels" in form.keys:
            check_gold(said := _said(form, known["label"]), entry.labels, droppable=False)
            ids = spellings([said], entry.labels, counted=True)
        frame["label"] = form.numbered(known, ids).reindex(frame.index)
    return frame.set_axis(raw.index.get_level_values("row"))


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
    return form.ids(labels).astype("str").rename(form.entry.label_said)


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
    return frame if labels is None else frame.assign(label=labels)


def _tag(column: pd.Series) -> pd.Series:
    """A column of tags as text, null as ""; what is no text, number or truth value is refused as a label is."""
    for where, value in column.items():
        label_text(value, where, column.name)
    return column.fillna("").astype("str")


def _numbered(form: Format, split: str, frame: pd.DataFrame, ids: dict[str, int]) -> pd.DataFrame:
    """The frame with labels as numbers, tags last, its rows counted from 0."""
    if form.several_targets and not frame["spans"].map(len).any():
        raise refusal(checks.file_of(frame), "a target in at least one row", "none", "Check `spans` and the rows.")
    if "label" not in frame:
        return frame.reset_index(drop=True)
    labels = form.numbered(frame, ids)
    if split == "train" and ("labels" in form.keys or is_numeric_dtype(labels)):
        checks.check_variety(labels, form)
    columns = [name for name in frame if name not in ("label", *form.entry.tags)]
    return frame.assign(label=labels)[[*columns, "label", *form.entry.tags]].reset_index(drop=True)
