"""Columns of raw data as texts, labels and ids: what the formats' readers share.

A raw frame has the index (file, row); rows count from 1, without the header. Bad data is refused with file, row and
remedy before any training.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from intertask.errors import did_you_mean, refusal, row_name

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = r"[+-]?\d+"


def as_text(column: pd.Series) -> pd.Series:
    """The column as text; empty text is allowed, null and anything else that is no text is refused."""
    fault = ~column.map(is_text).astype(bool)
    if fault.any():
        value = column[fault].iloc[0]
        found = "null" if is_null(value) else f"{value!r} ({type(value).__name__})"
        remedy = "Fill or drop the row (empty text is allowed)."
        raise refusal(f"{first_row(fault)}, column '{column.name}'", "text in valid UTF-8", found, remedy)
    return column.astype("str")


def label_text(value: object) -> str:
    """A label in one spelling: 1, 1.0, True and ' 1' are all '1'; null is ''."""
    if is_null(value):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(int(value) if isinstance(value, bool | np.bool_) else value).strip()


def infer_labels(texts: pd.Series) -> list[str]:
    """The distinct labels of train, in numerical order if all are whole numbers, else in alphabetical order."""
    _check_gold(texts, [])
    names, numbers = sorted(texts.unique()), _are_numbers(texts)
    fractions = texts.str.fullmatch(r"[+-]?\d*\.\d+")
    if fractions.any():
        remedy = "Use `format: regression`, or list `labels` in the entry."
        raise refusal(label_row(fractions), "a name or a whole number", texts[fractions].iloc[0], remedy)
    return sorted(names, key=int) if numbers else names


def label_ids(texts: pd.Series, names: Sequence[str]) -> pd.Series:
    """Label ids (int64) from names or from ids 0 .. len(names)-1; all of a column must be given in the same way.

    Names that are numbers themselves (`labels: ["1", "2"]`) are never read as ids.
    """
    _check_gold(texts, names)
    by_id = not any(re.fullmatch(_WHOLE, name) for name in names) and _are_numbers(texts)
    ids = {str(i) if by_id else name: i for i, name in enumerate(names)}
    unknown = ~texts.isin(list(ids))
    if unknown.any():
        value = texts[unknown].iloc[0]
        expected = f"an id from 0 to {len(names) - 1}" if by_id else f"one of {', '.join(names)}"
        remedy = "Correct the row, or `labels` in the entry." + ("" if by_id else did_you_mean(value, names))
        raise refusal(label_row(unknown), expected, f"'{value}'", remedy)
    return texts.map(ids).astype("int64")


def _check_gold(texts: pd.Series, names: Sequence[str]) -> None:
    fault = texts.isin({"", "-1"} - set(names))
    if fault.any():
        value = texts[fault].iloc[0]
        found = "-1, which marks a row without a label" if value else "null"
        remedy = "Drop the row, or set `drop_label: -1` in the entry." if value else "Fill or drop the row."
        raise refusal(label_row(fault), "a label in every row of a labelled split", found, remedy)


def _are_numbers(texts: pd.Series) -> bool:
    """Whether the labels are whole numbers; some of them only is refused."""
    numbers = texts.str.fullmatch(_WHOLE)
    if numbers.nunique() > 1:
        name, number = texts[~numbers].iloc[0], texts[numbers].iloc[0]
        found = f"the name '{name}' here and the number {number} in {first_row(numbers)}"
        expected = "labels of one column all as numbers or all as names"
        raise refusal(label_row(~numbers), expected, found, "Write all of them in one way.")
    return numbers.any()


def listed(value: object, key: str = "") -> list:
    """A list of what the value, or of a struct its `key`, holds; empty where that is no list."""
    value = at_key(value, key)
    return list(value) if isinstance(value, list | tuple | np.ndarray) else []


def at_key(value: object, key: str) -> object:
    return value.get(key) if key and isinstance(value, dict) else value


def is_text(value: object) -> bool:
    return isinstance(value, str) and not _LONE_SURROGATE.search(value)


def is_null(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float | np.floating) and value != value)


def first_row(fault: pd.Series) -> str:
    """Where the first True stands, as "file, row n"."""
    return row_name(fault.index[int(fault.to_numpy().argmax())])


def label_row(fault: pd.Series) -> str:
    return f"{first_row(fault)}, label column '{fault.name}'"
