"""Checks of one split against its entry: columns, rows, labels; bad data is refused with file and remedy.

Raw frames here have the index (file, row); rows count from 1, without the header.
"""

import re
from collections.abc import Collection
from difflib import get_close_matches

import numpy as np
import pandas as pd

from intertask.errors import did_you_mean, number_of, refusal
from intertask.formats import Format
from intertask.tasks.schema import TaskEntry

PARTED = {"\t": "name it .tsv", ";": "write commas instead", "|": "write commas instead", ",": "name it .csv"}
"""What else than its kind's own sign may part the fields of a table, and what to do then."""


def check_columns(frame: pd.DataFrame, entry: TaskEntry, labelled: bool) -> None:
    """Refuses columns that are missing, doubled or named nowhere in the entry.

    The label column, or all of several, may be missing where the split is not `labelled`.
    """
    columns = list(frame.columns)
    label = entry.label_columns if labelled or {*entry.label_columns} & {*columns} else []
    needed = list(dict.fromkeys([*entry.inputs, *entry.structured_columns, *entry.tags, *label]))
    where = file_of(frame)
    for column in needed:
        if columns.count(column) != 1:
            remedy = _for_column(column, columns, headed=bool({*needed} & {*columns}))
            found = f"{columns.count(column)} among {columns}" if columns else "an empty file"
            raise refusal(where, f"one column '{column}'", found, remedy)
    for column in dict.fromkeys([*entry.choices, *entry.spans, *entry.group, entry.label_said]):
        _check_key(frame, *column.partition(".")[::2])
    if spare := [column for column in columns if column not in {*needed, *entry.unused}]:
        remedy = f"Add `unused: {spare}` to the entry to leave out what it does not read, or make it an input."
        raise refusal(where, f"only columns that the entry of '{entry.name}' names", f"'{spare[0]}'", remedy)


def _for_column(column: str, columns: list[str], headed: bool) -> str:
    """What to do where a column is not there once; headed: others of the entry's are there."""
    if not columns:
        return "Write rows into it; a table begins with a line of its columns' names."
    if column in columns:
        return "Rename the others, or take them out of the file."
    remedy = "Correct the entry's columns or the file." + did_you_mean(column, map(str, columns))
    if not headed:
        remedy += " A file without a header has its names under `columns`"
        signs = [sign for sign in PARTED if len(columns) == 1 and sign in columns[0]]
        remedy += f"; where {signs[0]!r} parts the fields, {PARTED[signs[0]]}." if signs else "."
    return remedy


def _check_key(frame: pd.DataFrame, column: str, key: str) -> None:
    """Refuses a key that no struct in the column has, though it holds structs: it is misspelt."""
    if not key or column not in frame:
        return
    keys: set[str] = set()
    for value in frame[column]:
        items = value if isinstance(value, list | tuple | np.ndarray) else [value]
        keys.update(*(item.keys() for item in items if isinstance(item, dict)))
    if keys and key not in keys:
        found = ", ".join(sorted(keys))
        remedy = f"Correct `{column}.{key}` in the entry." + did_you_mean(key, keys)
        raise refusal(f"{file_of(frame)}, column '{column}'", f"structs with the key '{key}'", found, remedy)


def all_hidden(labels: pd.Series, form: Format, known: Collection[str] | None) -> bool:
    """True where no row has a label: all are null, or all -1, the Hub's mark for a hidden one, or all lists empty;
    columns that say 0 hide nothing.

    Where labels are names or numbers also where all rows say the same that is no number and none like the `known`
    ones, as MultiNLI's "hidden".
    """
    said = set(labels.explode().explode().dropna())
    if not said and isinstance(form.entry.label, list):
        return False
    if known is None or len(said) != 1:
        return said <= {""} or said == {"-1"}
    (mark,) = said
    number = re.fullmatch(r"[+-]?\d*[.,]?\d+", mark)
    return mark in ("", "-1") or not number and not get_close_matches(mark.lower(), map(str.lower, known), cutoff=0.8)


def check_variety(labels: pd.Series, form: Format) -> None:
    """Refuses training labels that are all the same: nothing can be learned from them."""
    each = labels.explode().dropna() if form.several_targets else labels
    each = each.map(tuple) if each.dtype == object else each
    if each.nunique() < 2:
        only = form.shown(each.iloc[0]) if form.entry.labels else f"{each.iloc[0]:g}"
        remedy = "Supply rows with other labels, or check the entry's `label`."
        raise refusal(file_of(labels), "at least two different labels in train", f"only '{only}'", remedy)


def check_against_card(entry: TaskEntry, card_labels: list[str] | None) -> None:
    """Refuses label names that differ, in order or spelling, from those of the data set's card or Parquet files."""
    if entry.labels and card_labels and entry.labels != card_labels:
        card, whose = (f"card of {entry.hub}", "the card's") if entry.hub else ("Parquet files", "their")
        expected = f"those of the {card} in id order, {card_labels}"
        remedy = f"Copy {whose} order and spelling into the entry."
        raise refusal(f"Task '{entry.name}', labels", expected, f"{entry.labels}", remedy)


def check_f1(entry: TaskEntry) -> None:
    """Refuses the binary metric f1 for a task whose labels are not two."""
    if "f1" in entry.metrics and len(entry.labels or []) != 2:
        found = number_of(len(entry.labels or []), "label")
        raise refusal(f"Task '{entry.name}', metrics", "two labels for f1", found, "Use accuracy instead.")


def check_thresholds(entry: TaskEntry) -> None:
    """Refuses a threshold of a label that the task has not."""
    if isinstance(entry.threshold, dict) and (other := set(entry.threshold) - set(entry.labels or [])):
        name = min(other)
        remedy = did_you_mean(name, entry.labels)
        raise refusal(f"Task '{entry.name}', threshold", "labels of the task", f"'{name}'", remedy)


def file_of(data: pd.DataFrame | pd.Series) -> str:
    return str(data.index.levels[0][0])
