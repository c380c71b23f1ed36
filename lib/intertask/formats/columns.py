"""Columns of raw data as texts, labels and ids: what the formats' readers share.

A raw frame has the index (file, row); rows count from 1, without the header. Bad data is refused with file, row and
remedy before any training.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from intertask.errors import did_you_mean, refusal, row_name

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = r"[+-]?\d{1,18}"
_FRACTION = r"[+-]?\d*[.,]\d+"
_LITERAL = re.compile(r"""\[\s*((['"]|[.+-]?\d)[^][]*|\[.*\]\s*)?\]|\{\s*(['"].*)?\}""", re.DOTALL)

UNLABELLED = {"", "-1", "-100"}
"""What stands where a label is hidden or a word is not to be scored: null, and the Hub's and transformers' marks."""


def as_text(column: pd.Series) -> pd.Series:
    """The column as text; empty text is allowed, null and anything else that is no text is refused."""
    fault = ~column.map(is_text).astype(bool)
    if fault.any():
        value = column[fault].iloc[0]
        found = "null" if is_null(value) else f"{value!r} ({type(value).__name__})"
        remedy = "Fill or drop the row (empty text is allowed)."
        if not (is_null(value) or isinstance(value, str)):
            remedy = "Write it as text: in JSON in quotes, in Parquet as a column of text."
        raise refusal(f"{first_row(fault)}, column '{column.name}'", "text in valid UTF-8", found, remedy)
    return column.astype("str")


def label_text(value: object, where: tuple[str, int], column: str) -> str:
    """A label in one spelling: 1, 1.0, '1.0' and ' 1' are all '1', truth values 'true' and 'false'; null is ''.

    What is no single label, such as a list or a date, is refused at `where` (file, row).
    """
    if is_null(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    several = isinstance(value, list | tuple | dict | np.ndarray) or is_literal(value)
    if several or not (is_text(value) or isinstance(value, int | float | np.integer | np.floating)):
        found = f"{value!r:.80} ({type(value).__name__})"
        remedy = "Write it as text, in valid UTF-8, or as a number."
        if several:
            remedy = "Several labels of one example are a format of their own, which this is not: give it one."
        raise refusal(f"{row_name(where)}, label column '{column}'", "a name or a number", found, remedy)
    return spelled(str(value))


def spelled(label: str) -> str:
    """A name or number without blanks around it, a whole number without a fraction."""
    label = label.strip()
    return label.partition(".")[0] if re.fullmatch(_WHOLE + r"\.0+", label) else label


def infer_labels(texts: pd.Series) -> list[str]:
    """The distinct labels of train, in numerical order if all are whole numbers, else in alphabetical order."""
    check_gold(texts, [])
    names, numbers = sorted(texts.unique()), are_numbers(texts)
    fractions = texts.str.fullmatch(_FRACTION)
    if fractions.any():
        remedy = "Use `format: regression`, or list `labels` in the entry."
        raise refusal(label_row(fractions), "a name or a whole number", texts[fractions].iloc[0], remedy)
    return sorted(names, key=int) if numbers else names


def spellings(
    splits: Sequence[pd.Series], names: Sequence[str], counted: bool, ordered: bool = False
) -> dict[str, int]:
    """What the columns of the splits say for each label -> its id: its name or, in a column of whole numbers, its id.

    Names that are numbers themselves (`labels: ["1", "2"]`) are never read as ids. counted: whether ids are known to
    begin at 0, as a card's do; otherwise a 0 must be among them. ordered: whether they are known to be in the order of
    the names, whatever numbers stand in these.
    """
    ids = {spelled(name): i for i, name in enumerate(names)}
    own = any(re.fullmatch(_WHOLE, name) for name in ids)
    if numbers := [texts for texts in splits if not own and are_numbers(texts)]:
        if not counted:
            check_count(pd.concat(numbers), len(names))
        if not ordered:
            _check_order(pd.concat(numbers), names)
        ids |= {str(i): i for i in range(len(names))}
    # a truth value has one spelling, a name for it several
    return {name.lower(): i for name, i in ids.items() if name.lower() in ("true", "false")} | ids


def check_count(texts: pd.Series, count: int) -> None:
    """Refuses numbers up to `count`, of labels or choices in all splits, without a 0: they may begin at 1."""
    said = sorted(texts.unique(), key=int)
    if said and int(said[0]) > 0 and int(said[-1]) <= count:
        asked = [str(1 + place) for place in range(count)] if count <= 5 else ["1", "2", "3", "…"]
        remedy = f"List in `labels`, in order, what the column says (as in labels: {asked}), or write names."
        where = f"{first_row(texts.notna())}, label column '{texts.name}'"
        raise refusal(where, "numbers that begin at 0", f"{', '.join(said[:5])} and no 0", remedy)


def _check_order(texts: pd.Series, names: Sequence[str]) -> None:
    """Refuses numbers of labels that stand in names of other ids: 1 would be "false", or "grade 2"."""
    truths = {"false": ["0"], "true": ["1"]}
    inside = [truths.get(name.lower()) or re.findall(r"\d+", name) for name in names]
    own = [int(found[0]) for found in inside if len(found) == 1]
    if len(own) == len(names) and own != list(range(len(own))) and {*map(int, texts)} <= {*own}:
        where, found = f"{first_row(texts.notna())}, label column '{texts.name}'", f"{list(names)[:5]}"
        remedy = "Write the names in the column, or `labels` in the order of their numbers."
        raise refusal(where, "`labels` with each number at its place, for the column has numbers", found, remedy)


def label_ids(texts: pd.Series, ids: dict[str, int]) -> pd.Series:
    """Label ids (int64) of what the column says; `ids` as of `spellings`."""
    unknown = ~texts.isin(list(ids))
    if unknown.any():
        value, places = texts[unknown].iloc[0], [name for name, i in ids.items() if name == str(i)]
        by_id = 0 < len(places) < len(ids) and re.fullmatch(_WHOLE, value)
        known = [name for name in ids if name not in places] or places
        shown = map(repr, known) if any("," in name for name in known) else known
        expected = f"an id from 0 to {len(places) - 1}" if by_id else f"one of {', '.join(shown)}"
        remedy = "Correct the row, or `labels` in the entry." + ("" if by_id else did_you_mean(value, known))
        raise refusal(label_row(unknown), expected, f"'{value}'", remedy)
    return texts.map(ids).astype("int64")


def check_gold(texts: pd.Series, names: Sequence[str], droppable: bool = True) -> None:
    """Refuses a labelled split in which a label is null or one of the marks for none.

    droppable: whether `drop_label` can leave its row out.
    """
    fault = texts.isin(UNLABELLED - set(names))
    if fault.any():
        value = texts[fault].iloc[0]
        found = f"{value}, which marks what has no label" if value else "null"
        remedy = "Fill or drop the row."
        if value and droppable:
            remedy = f"Drop the row, or set `drop_label: {value}` in the entry."
        raise refusal(label_row(fault), "a label in every row of a labelled split", found, remedy)


def are_numbers(texts: pd.Series) -> bool:
    """Whether the labels are whole numbers; some of them only is refused."""
    numbers = texts.str.fullmatch(_WHOLE)
    if numbers.nunique() > 1:
        name, number = texts[~numbers].iloc[0], texts[numbers].iloc[0]
        found = f"the name '{name}' here and the number {number} in {first_row(numbers)}"
        expected = "labels of one column all as numbers or all as names"
        remedy = "Write all of them in one way."
        if texts[~numbers].str.fullmatch(_FRACTION).all():
            remedy = "Use `format: regression`, or write all of them in one way."
        raise refusal(label_row(~numbers), expected, found, remedy)
    return numbers.any()


def whole(value: object) -> int | None:
    """The whole number that a cell says, as 3, 3.0 or '3'; None where it says another thing, a truth value too."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, str | int | float | np.integer | np.floating):
        return None
    said = spelled(str(value))
    return int(said) if re.fullmatch(_WHOLE, said) else None


def listed(value: object, key: str = "") -> list:
    """A list of what the value, or of a struct its `key`, holds; empty where that is no list."""
    value = at_key(value, key)
    return list(value) if isinstance(value, list | tuple | np.ndarray) else []


def at_key(value: object, key: str) -> object:
    return value.get(key) if key and isinstance(value, dict) else value


def is_text(value: object) -> bool:
    return isinstance(value, str) and not _LONE_SURROGATE.search(value)


def is_literal(value: object) -> bool:
    """Whether a text is a list or a dict as Python, NumPy or JSON write one."""
    return isinstance(value, str) and value.lstrip()[:1] in ("[", "{") and bool(_LITERAL.fullmatch(value.strip()))


def shows(text: str) -> bool:
    """Whether a character of the text can be seen: blanks, control signs and those without a width cannot."""
    return any(unicodedata.category(sign)[0] not in "CZ" for sign in text)


def is_null(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float | np.floating) and value != value)


def first_row(fault: pd.Series) -> str:
    """Where the first True stands, as "file, row n"."""
    return row_name(fault.index[int(fault.to_numpy().argmax())])


def label_row(fault: pd.Series) -> str:
    return f"{first_row(fault)}, label column '{fault.name}'"
