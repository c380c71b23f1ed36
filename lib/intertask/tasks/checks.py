"""Checks of one split before any training, and labels as ids: bad data is refused with file, row and remedy.

Raw frames here have the index (file, row); rows count from 1, without the header.
"""

import re

import numpy as np
import pandas as pd

from intertask.errors import did_you_mean, refusal, row_name
from intertask.tasks.schema import TaskEntry

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = r"[+-]?\d+"


def check_columns(frame: pd.DataFrame, entry: TaskEntry, labelled: bool) -> None:
    """Refuses columns that are missing, doubled or named nowhere in the entry.

    The label column may be missing where the split is not `labelled`.
    """
    columns = list(frame.columns)
    label = [entry.label_column] if labelled and entry.label else []
    needed = list(dict.fromkeys([*entry.inputs, *entry.structured_columns, *entry.tags, *label]))
    where = _file(frame)
    for column in needed:
        if columns.count(column) != 1:
            found = f"{columns.count(column)} among {columns}"
            remedy = "Correct the entry's columns or the file." + did_you_mean(column, map(str, columns))
            raise refusal(where, f"one column '{column}'", found, remedy)
    if spare := [column for column in columns if column not in {*needed, entry.label_column, *entry.unused}]:
        remedy = f"Add `unused: {spare}` to the entry to leave out what it does not read, or make it an input."
        raise refusal(where, f"only columns that the entry of '{entry.name}' names", f"'{spare[0]}'", remedy)


def check_rows(frame: pd.DataFrame) -> None:
    """Refuses a split without rows (after `drop_label`)."""
    if frame.empty:
        raise refusal(_file(frame), "at least one row", "none", "Supply rows, or take the split out of the entry.")


def check_text(column: pd.Series) -> pd.Series:
    """The column as text; empty text is allowed, null and anything else that is no text is refused."""
    fault = ~column.map(_is_text).astype(bool)
    if fault.any():
        value = column[fault].iloc[0]
        found = "null" if is_null(value) else f"{value!r} ({type(value).__name__})"
        remedy = "Fill or drop the row (empty text is allowed)."
        raise refusal(f"{_row(fault)}, column '{column.name}'", "text in valid UTF-8", found, remedy)
    return column.astype("str")


def choice_lists(raw: pd.DataFrame, entry: TaskEntry) -> pd.Series:
    """The choices of each row as a list of texts, two or more; rows may have fewer than others.

    With a column per choice, those of a row that has fewer are null or empty, the last ones first.
    """
    if len(entry.choices) > 1:
        given = lists = pd.Series([_without_the_absent(row) for row in raw[entry.choices].to_numpy()], index=raw.index)
    else:
        column, _, key = entry.choices[0].partition(".")
        given, lists = raw[column], raw[column].map(lambda value: listed(value, key))
    fault = ~lists.map(lambda choices: len(choices) > 1 and all(map(_is_text, choices))).astype(bool)
    if fault.any():
        value = given[fault].iloc[0]
        remedy = "Mend the row: a choice is a text, and a question without a second one is none."
        if isinstance(value, str):
            remedy = "A cell of a CSV holds no list: give each choice a column, or use JSONL."
        raise refusal(f"{_row(fault)}, choices", "two or more texts", repr(value)[:80], remedy)
    return lists


def check_choices(labels: pd.Series, choices: pd.Series) -> None:
    """Refuses a label that points behind the last choice of its row."""
    fault = labels >= choices.map(len)
    if fault.any():
        count = len(choices[fault].iloc[0])
        found = f"number {labels[fault].iloc[0] + 1}"
        raise refusal(
            _label_row(fault), f"one of the row's {count} choices", found, "Correct the label or the choices."
        )


def label_texts(column: pd.Series) -> pd.Series:
    """Labels in one spelling, so that 1, 1.0, True and ' 1' are all '1'; null is ''."""
    return pd.Series([label_text(value) for value in column], index=column.index, name=column.name, dtype="str")


def is_unlabelled(texts: pd.Series, entry: TaskEntry) -> bool:
    """True where every label is null, or every one is -1, the Hub's mark for a hidden label."""
    return set(texts.unique()) in ({""}, {"-1"}) and "-1" not in (entry.labels or [])


def infer_labels(texts: pd.Series) -> list[str]:
    """The distinct labels of train, in numerical order if all are whole numbers, else in alphabetical order."""
    _check_gold(texts, [])
    names = sorted(texts.unique())
    numbers = [name for name in names if re.fullmatch(_WHOLE, name)]
    if 0 < len(numbers) < len(names):
        _refuse_mixture(texts)
    fractions = texts.str.fullmatch(r"[+-]?\d*\.\d+")
    if fractions.any():
        remedy = "Use `format: regression`, or list `labels` in the entry."
        raise refusal(_label_row(fractions), "a name or a whole number", texts[fractions].iloc[0], remedy)
    return sorted(names, key=int) if numbers else names


def encode_labels(texts: pd.Series, names: list[str]) -> pd.Series:
    """Label ids (int64) from names or from ids 0 .. len(names)-1; all of a column must be given in the same way.

    Names that are numbers themselves (`labels: ["1", "2"]`) are never read as ids.
    """
    _check_gold(texts, names)
    numbers = texts.str.fullmatch(_WHOLE)
    by_id = numbers.any() and not any(re.fullmatch(_WHOLE, name) for name in names)
    if by_id and not numbers.all():
        _refuse_mixture(texts)
    ids = {str(i) if by_id else name: i for i, name in enumerate(names)}
    unknown = ~texts.isin(list(ids))
    if unknown.any():
        value = texts[unknown].iloc[0]
        expected = f"an id from 0 to {len(names) - 1}" if by_id else f"one of {', '.join(names)}"
        remedy = "Correct the row, or `labels` in the entry." + ("" if by_id else did_you_mean(value, names))
        raise refusal(_label_row(unknown), expected, f"'{value}'", remedy)
    return texts.map(ids).astype("int64")


def numeric_labels(texts: pd.Series, label_range: tuple[float, float] | None) -> pd.Series:
    """Labels of a regression (float64), each finite and, where the entry gives it, within `label_range`."""
    values = pd.to_numeric(texts, errors="coerce").astype("float64")
    low, high = label_range or (-np.inf, np.inf)
    fault = ~(np.isfinite(values) & values.between(low, high))
    if fault.any():
        expected = f"a number from {low:g} to {high:g}" if label_range else "a finite number"
        remedy = "Correct the row, or `label_range` in the entry."
        raise refusal(_label_row(fault), expected, f"'{texts[fault].iloc[0]}'", remedy)
    return values


def check_variety(labels: pd.Series, names: list[str] | None) -> None:
    """Refuses training labels that are all the same: nothing can be learned from them."""
    if labels.nunique() < 2:
        only = names[int(labels.iloc[0])] if names else f"{labels.iloc[0]:g}"
        remedy = "Supply rows with other labels, or check the entry's `label`."
        raise refusal(_file(labels), "at least two different labels in train", f"only '{only}'", remedy)


def check_against_card(entry: TaskEntry, card_labels: list[str] | None) -> None:
    """Refuses label names that differ, in order or spelling, from those of the data set's card."""
    if entry.labels and card_labels and entry.labels != card_labels:
        raise refusal(
            f"Task '{entry.name}', labels",
            f"those of the card of {entry.hub} in id order, {card_labels}",
            f"{entry.labels}",
            "Copy the card's order and spelling into the entry.",
        )


def check_f1(entry: TaskEntry) -> None:
    """Refuses the binary metric f1 for a task whose labels are not two."""
    if "f1" in entry.metrics and len(entry.labels or []) != 2:
        found = f"{len(entry.labels or [])} labels"
        raise refusal(f"Task '{entry.name}', metrics", "two labels for f1", found, "Use accuracy instead.")


def _check_gold(texts: pd.Series, names: list[str]) -> None:
    fault = texts.isin({"", "-1"} - set(names))
    if fault.any():
        value = texts[fault].iloc[0]
        found = f"-1, which marks a row without a label{'' if value else ' (here: null)'}" if value else "null"
        remedy = "Drop the row, or set `drop_label: -1` in the entry." if value else "Fill or drop the row."
        raise refusal(_label_row(fault), "a label in every row of a labelled split", found, remedy)


def _refuse_mixture(texts: pd.Series) -> None:
    numbers = texts.str.fullmatch(_WHOLE)
    raise refusal(
        _label_row(~numbers),
        "labels of one column all as numbers or all as names",
        f"the name '{texts[~numbers].iloc[0]}' here and the number {texts[numbers].iloc[0]} in {_row(numbers)}",
        "Write all of them in one way.",
    )


def label_text(value: object) -> str:
    """A label in one spelling: 1, 1.0, True and ' 1' are all '1'; null is ''."""
    if is_null(value):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(int(value) if isinstance(value, bool | np.bool_) else value).strip()


def _without_the_absent(choices) -> list:
    kept = list(choices)
    while kept and (is_null(kept[-1]) or kept[-1] == ""):
        kept.pop()
    return kept


def listed(value: object, key: str = "") -> list:
    """A list of what the value, or of a struct its `key`, holds; empty where that is no list."""
    value = at_key(value, key)
    return list(value) if isinstance(value, list | tuple | np.ndarray) else []


def at_key(value: object, key: str) -> object:
    return value.get(key) if key and isinstance(value, dict) else value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not _LONE_SURROGATE.search(value)


def is_null(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float | np.floating) and value != value)


def _file(data: pd.DataFrame | pd.Series) -> str:
    return str(data.index.levels[0][0])


def _row(fault: pd.Series) -> str:
    """Where the first True stands, as "file, row n"."""
    return row_name(fault.index[int(fault.to_numpy().argmax())])


def _label_row(fault: pd.Series) -> str:
    return f"{_row(fault)}, label column '{fault.name}'"
