"""Multi-label classification of one text or a pair: each label is there or not, whatever the others are."""

import json
from collections.abc import Collection

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.formats.columns import (
    UNLABELLED,
    check_gold,
    is_literal,
    is_null,
    label_ids,
    label_row,
    label_text,
    spelled,
)
from intertask.formats.label_sets import LabelSets
from intertask.formats.pooled import PooledFormat

THRESHOLD = 0.5
SIGNS = (",", ";", "|", "/", "\t", " ")
"""What usually parts the labels of a text; a blank the last, which names may hold."""
TRUTHS = {"1": True, "true": True, "0": False, "false": False}


class MultiLabel(LabelSets, PooledFormat):
    """Predicted is each label whose probability reaches its `threshold`; a label without one has 0.5."""

    keys = ("labels", "separator", "threshold", "allow_empty")
    several_columns = True
    thresholds_within = (0, 1)
    baseline = "that of the best answer for all"

    @property
    def outputs(self):
        return len(self.entry.labels)

    @property
    def thresholds(self) -> dict[str, float]:
        """Of each label, in their order, the probability from which on it is predicted."""
        given = self.entry.threshold
        each = given if isinstance(given, dict) else dict.fromkeys(self.entry.labels, given or THRESHOLD)
        return {name: each.get(name, THRESHOLD) for name in self.entry.labels}

    @property
    def cuts(self):
        shares = np.array(list(self.thresholds.values()))
        return np.log(shares / (1 - shares)).astype(np.float32)

    def label_names(self, raw):
        """Per row the list of its labels: of a list, of a text whose parts the entry's `separator` parts, or of columns
        of 0 and 1; of these, of a row in which all mark what has no label, that mark."""
        if isinstance(self.entry.label, list):
            return self._names_of_columns(raw[self.entry.label])
        column = raw[self.entry.label]
        rows = [self._names(value, where) for where, value in column.items()]
        return pd.Series(rows, index=column.index, name=column.name, dtype=object)

    def columns(self, raw, labels):
        """Refuses a row without a label, unless the entry says `allow_empty` or the row has a 0 for each."""
        if labels is not None and not self.entry.allow_empty and not isinstance(self.entry.label, list):
            for where, names in labels.items():
                if not names:
                    remedy = "Fill or drop the row or, where none is an answer too, say `allow_empty: true`."
                    raise refusal(self._place(where), "a label or several", "none", remedy)
        return super().columns(raw, labels)

    def found_labels(self, splits):
        """Those of train, in numerical order if all are whole numbers."""
        texts = self.ids(splits["train"]["label"]).astype("str").rename(self.entry.label)
        check_gold(texts, [], droppable=False)
        return sorted(texts.unique(), key=lambda name: (int(name) if name.isdecimal() else 0, name))

    def numbered(self, frame, ids):
        """Each row's ids, sorted; refuses a name that another sign than the `separator` parts into known ones."""
        labels = frame["label"].rename(self.entry.label_said)
        texts = self.ids(labels).astype("str")
        unknown = ~texts.isin([*ids])
        if self.entry.separator and unknown.any() and (sign := _parting(said := texts[unknown].iloc[0], ids)):
            remedy = f"Say `separator: {json.dumps(sign)}` in the entry, or correct the row."
            raise refusal(label_row(unknown), f"labels with {self.entry.separator!r} between", f"'{said}'", remedy)
        one = iter(label_ids(texts, ids).tolist())
        return labels.map(lambda row: sorted([next(one) for _ in row]))

    def ids(self, labels):
        return labels.explode().dropna()

    def shares(self, labels):
        """Of the examples, which may have several labels."""
        return self.ids(labels).value_counts() / len(labels)

    def balance(self, rows, most):
        return {"labels each": f"{len(self.ids(rows['label'])) / len(rows):.2f}"} | super().balance(rows, most)

    def majority(self, labels):
        """The most frequent set of labels for every example; of equals, the lowest."""
        return pd.Series([list(labels.map(tuple).mode()[0])] * len(labels), index=labels.index, dtype=object)

    def floor(self, rows):
        """The best scores of one answer for all: the most frequent set, or as many of the frequent labels as pay."""
        frequent = self.ids(rows["label"]).value_counts().sort_index().sort_values(ascending=False, kind="stable").index
        answers = [self.majority(rows["label"]).iloc[0], *(sorted(frequent[: k + 1]) for k in range(len(frequent)))]
        scores = [self.score(rows.assign(prediction=[answer] * len(rows))) for answer in answers]
        return max(scores, key=lambda found: found["main"])

    def _names(self, value: object, where: tuple[str, int]) -> list[str]:
        if isinstance(value, str) and self.entry.separator and not is_literal(value):
            value = [part for part in value.split(self.entry.separator) if part.strip()]
        if is_null(value):
            return []
        if not isinstance(value, list | tuple | np.ndarray):
            sign = next((sign for sign in SIGNS if sign in f"{value}".strip()), ",")
            remedy = "Write a list in JSONL or Parquet or, in a CSV, say what parts them, as in "
            remedy += f"`separator: {json.dumps(sign)}`. Columns of 0 and 1 are named each: `label: [toxic, insult]`."
            raise refusal(self._place(where), "a list of labels", f"{value!r:.80}", remedy)
        names = [label_text(one, where, self.entry.label) for one in value]
        if len(set(names)) < len(names):
            remedy = "Write the names or ids of those that are there, each once; not a 0 or 1 for every label."
            raise refusal(self._place(where), "each label once", f"{names}"[:80], remedy)
        return names

    def _names_of_columns(self, raw: pd.DataFrame) -> pd.Series:
        """A row in which every column marks what has no label has that mark for its label."""
        said = raw.map(lambda value: "" if is_null(value) else spelled(str(value)).lower())
        hidden = said.isin(UNLABELLED).all(axis=1)
        faults = ~said[~hidden].isin([*TRUTHS])
        for name in faults.columns[faults.any()]:
            where, found = label_row(faults[name]), raw.loc[faults.index, name][faults[name]].iloc[0]
            remedy = "Mend the cell or, where nothing is known of the row, drop it."
            raise refusal(where, "0 or 1, or false or true", "null" if is_null(found) else f"'{found}'"[:80], remedy)
        names = [spelled(name) for name in raw]
        rows = [
            [row[0]] if without else [name for name, one in zip(names, row, strict=True) if TRUTHS[one]]
            for row, without in zip(said.itertuples(index=False), hidden, strict=True)
        ]
        return pd.Series(rows, index=raw.index, name=self.entry.label_said, dtype=object)

    def _place(self, where: tuple[str, int]) -> str:
        return f"{row_name(where)}, label column '{self.entry.label_said}'"


def _parting(text: str, names: Collection[str]) -> str:
    """The usual sign that parts the text into several of the names, or of the parts that it makes of them; else ""."""
    for sign in SIGNS:
        known = {part.strip() for name in names for part in name.split(sign)}
        if sign in text and {part.strip() for part in text.split(sign)} <= known:
            return sign
    return ""
