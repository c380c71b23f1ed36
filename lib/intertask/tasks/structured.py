"""Targets within a text: spans with their labels, tagged words, answers and groups, from columns to one form.

A raw frame has the index (file, row). Spans come out as character offsets, half-open, whatever unit they had.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.tasks.checks import at_key, encode_labels, is_null, label_text, listed
from intertask.tasks.schema import TaskEntry


def spans_of(raw: pd.DataFrame, entry: TaskEntry) -> pd.Series:
    """Per row an int32 array (targets, spans, 2) of [start, end) in characters of the text that holds the span.

    With two inputs span k lies in input k, else all lie in the one; words are those of `text.split()`.
    """
    columns = [per_target(raw, column) for column in entry.spans]
    texts = [raw[entry.inputs[k % len(entry.inputs)]].tolist() for k in range(len(columns))]
    rows = []
    for where, *cells in zip(raw.index, *texts, *columns, strict=True):
        held, spans = cells[: len(columns)], cells[len(columns) :]
        if len({len(targets) for targets in spans}) > 1:
            found = " and ".join(str(len(targets)) for targets in spans)
            raise refusal(row_name(where), f"as many spans in each of {entry.spans}", found, "Mend the row.")
        places = [_characters(text, entry.span_unit) for text in held]
        row = [
            [_span(where, value, *place) for value, place in zip(target, places, strict=True)]
            for target in zip(*spans, strict=True)
        ]
        rows.append(np.array(row, np.int32).reshape(-1, len(columns), 2))
    return pd.Series(rows, index=raw.index, dtype=object)


def _characters(text: str, unit: str) -> tuple[str, list[int], list[int]]:
    """The unit, and the first and last-but-one character of each of the text's units."""
    if unit == "characters":
        return unit, list(range(len(text))), list(range(1, len(text) + 1))
    words = list(re.finditer(r"\S+", text))
    return unit, [word.start() for word in words], [word.end() for word in words]


def _span(where: tuple, value: Any, unit: str, starts: list[int], ends: list[int]) -> tuple[int, int]:
    try:
        start, end = (int(bound) for bound in value)
    except (TypeError, ValueError):
        remedy = "Mend the row."
        if isinstance(value, str):
            remedy = 'A cell of a CSV holds no list: name two columns, `spans: ["start:end"]`, or use JSONL.'
        raise refusal(row_name(where), "a span as [start, end), two whole numbers", repr(value), remedy) from None
    if not 0 <= start < end <= len(starts):
        raise refusal(
            row_name(where),
            f"a span within the text's {len(starts)} {unit}, its end behind its start",
            f"[{start}, {end})",
            "Mend the row; ends are exclusive, and counts begin at 0.",
        )
    return starts[start], ends[end - 1]


def span_labels(raw: pd.DataFrame, entry: TaskEntry) -> pd.Series:
    """Per row, for each target, the list of its labels as text; a target may have several, or none."""
    rows = [[_names(value) for value in targets] for targets in per_target(raw, entry.label)]
    return pd.Series(rows, index=raw.index, name=entry.label, dtype=object)


def check_targets(spans: pd.Series, labels: pd.Series) -> None:
    """Refuses a row that has not as many labels as spans."""
    for where, given, named in zip(spans.index, spans, labels, strict=True):
        if len(given) != len(named):
            raise refusal(
                row_name(where), f"a label for each of {len(given)} targets", str(len(named)), "Mend the row."
            )


def encode_targets(labels: pd.Series, names: list[str]) -> pd.Series:
    """The labels of every target as ids, by the rules of `checks.encode_labels`."""
    rows = [name for row in labels for target in row for name in target]
    at = np.repeat(np.arange(len(labels)), [sum(map(len, row)) for row in labels])
    flat = pd.Series(rows, index=labels.index[at], name=labels.name, dtype="str")
    ids = iter(encode_labels(flat, names).tolist() if rows else [])
    return labels.map(lambda row: [[next(ids) for _ in target] for target in row])


def per_target(raw: pd.DataFrame, column: str) -> list[list[Any]]:
    """Per row the values of a column for each target: of its items' key, of two columns together, or of itself."""
    name, _, key = column.partition(".")
    if key:
        return [[item.get(key) if isinstance(item, dict) else None for item in listed(row)] for row in raw[name]]
    if ":" in column:
        start, end = column.split(":")
        return [[pair] for pair in zip(raw[start], raw[end], strict=True)]
    return [[value] for value in raw[name]]


def words_of(raw: pd.Series) -> pd.Series:
    """Per row the words of a text, given as a list or separated by blanks; no word is empty or holds a blank."""
    words = raw.map(lambda value: value.split() if isinstance(value, str) else listed(value))
    for where, row in words.items():
        if not row or not all(isinstance(word, str) and len(word.split()) == 1 for word in row):
            remedy = "Mend the row; a word is a text without blanks."
            raise refusal(f"{row_name(where)}, column '{raw.name}'", "words", repr(row)[:80], remedy)
    return words


def tags_of(raw: pd.Series, words: pd.Series) -> pd.Series:
    """Per row, for each word, a list of its one tag; given as a list or separated by blanks."""
    tags = [value.split() if isinstance(value, str) else [label_text(tag) for tag in listed(value)] for value in raw]
    for where, row, named in zip(raw.index, words, tags, strict=True):
        if named and len(row) != len(named):
            expected = f"as many tags as words, {len(row)}"
            remedy = "Mend the row; words are separated by blanks."
            raise refusal(f"{row_name(where)}, column '{raw.name}'", expected, str(len(named)), remedy)
    return pd.Series([[[tag] for tag in row] for row in tags], index=raw.index, name=raw.name, dtype=object)


def word_spans(words: pd.Series) -> pd.Series:
    """The spans, as of `spans_of`, of words that are joined by single blanks."""
    return words.map(lambda row: _lengths_to_spans(np.array([len(word) for word in row])))


def _lengths_to_spans(lengths: np.ndarray) -> np.ndarray:
    ends = np.cumsum(lengths + 1) - 1
    return np.stack([ends - lengths, ends], axis=1).astype(np.int32)[:, None]


def answers_of(raw: pd.Series) -> pd.Series:
    """Per row the list of accepted answers: of a text, several texts, or SQuAD's {text, answer_start}."""
    return raw.map(lambda value: [text for text, _ in _answers(value)])


def answer_spans(raw: pd.DataFrame, entry: TaskEntry) -> pd.Series:
    """The spans, as of `spans_of`, of the answers in the passage, the last input; a row's answers must lie in it.

    Without `answer_start` an answer lies where it first occurs.
    """
    rows = []
    for where, passage, value in zip(raw.index, raw[entry.inputs[-1]], raw[entry.label], strict=True):
        spans = []
        if not (answers := list(_answers(value))):
            remedy = "Drop the row: a question without an answer cannot be scored."
            raise refusal(f"{row_name(where)}, label column '{entry.label}'", "an answer", "none", remedy)
        for text, start in answers:
            found = passage.find(text) if start is None else start
            if not text or found < 0 or passage[found : found + len(text)] != text:
                remedy = "Mend the row, or drop it: only what stands in the passage can be extracted."
                raise refusal(row_name(where), "an answer that stands in the passage", f"'{text}'"[:80], remedy)
            spans.append([[found, found + len(text)]])
        rows.append(np.array(spans, np.int32).reshape(-1, 1, 2))
    return pd.Series(rows, index=raw.index, dtype=object)


def check_answers(choices: pd.Series, answers: pd.Series) -> None:
    """Refuses a row of which no choice is an accepted answer."""
    for where, given, right in zip(choices.index, choices, answers, strict=True):
        if not set(given) & set(right):
            raise refusal(
                row_name(where), "an answer that is among the choices", repr(right)[:80], "Mend or drop the row."
            )


def groups_of(raw: pd.DataFrame, entry: TaskEntry) -> pd.Series:
    """Per row the number of its group, 0 upwards: the rows whose `group` columns are equal."""
    keys = [
        [at_key(value, column.partition(".")[2]) for value in raw[column.partition(".")[0]]] for column in entry.group
    ]
    numbers = pd.factorize(pd.Series(list(zip(*keys, strict=True)), dtype=object))[0]
    return pd.Series(numbers, index=raw.index)


def _names(value: Any) -> list[str]:
    """A target's labels: of a list, all of them; null and the Hub's -1 are none."""
    names = map(label_text, value if isinstance(value, list | tuple | np.ndarray) else [value])
    return [name for name in names if name not in ("", "-1")]


def _answers(value: Any) -> Iterable[tuple[str, int | None]]:
    if isinstance(value, dict):
        texts = listed(value, "text")
        return zip(texts, listed(value, "answer_start") or [None] * len(texts), strict=True)
    return [(text, None) for text in ([value] if isinstance(value, str) else listed(value)) if not is_null(text)]
