"""Multiple choice: every choice is read beside the context, one output each, a softmax over the choices of an example.

As Devlin et al. 2019 do for SWAG (section 4.4) and Pruksachatkun et al. 2020 for the question-answering tasks.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from intertask.errors import number_of, refusal, row_name
from intertask.formats.base import Format
from intertask.formats.columns import check_count, first_row, is_null, is_text, label_row, listed
from intertask.formats.heads import PooledHead


class MultipleChoice(Format):
    """Labels are places among the choices; the places that an example with fewer choices lacks have logits of -inf."""

    keys = ("labels", "choices")
    needs = ("choices",)
    one_label = True
    pools = True
    shared_head = "multiple_choice-1"

    def columns(self, raw, labels):
        """Refuses a row with more choices than there are `labels`, or with letters of its own in another order."""
        choices = choice_lists(raw, self.entry.choices)
        if names := self.entry.labels:
            counts = choices.map(len)
            fault = counts > len(names)
            if fault.any():
                where, found = f"{first_row(fault)}, choices", str(counts[fault].iloc[0])
                expected = f"at most {number_of(len(names), 'choice')}, as `labels` says"
                raise refusal(where, expected, found, "Name all places in `labels`.")
            _check_letters(raw, self.entry.choices, names)
        return super().columns(raw, labels) | {"choices": choices}

    def found_labels(self, splits):
        labels = pd.concat([frame["label"] for frame in splits.values() if "label" in frame])
        most = max(frame["choices"].map(len).max() for frame in splits.values())
        if labels.str.fullmatch(r"\d+").all():
            check_count(labels.rename(self.entry.label), most)
        return [str(place) for place in range(most)]

    def numbered(self, frame, ids):
        """Refuses a label that points behind the last choice of its row."""
        labels, counts = super().numbered(frame, ids), frame["choices"].map(len)
        fault = labels >= counts
        if fault.any():
            found = f"number {labels[fault].iloc[0] + 1}"
            expected = f"one of the row's {number_of(counts[fault].iloc[0], 'choice')}"
            raise refusal(label_row(fault.rename(labels.name)), expected, found, "Correct the label or the choices.")
        return labels

    def shuffled(self, train, rng):
        """Where a row has fewer choices than the place it is given, the count begins again at its first."""
        shuffled = super().shuffled(train, rng)
        return shuffled.assign(label=shuffled["label"] % train["choices"].map(len))

    def counts(self, rows):
        return rows["choices"].map(len).to_numpy()

    def texts(self, rows):
        """A sequence per choice: the first input against the choice, with the other inputs, if any, before it."""
        first, *others = super().texts(rows)
        before = others[0] if others else [""] * len(rows)
        pairs = zip(before, rows["choices"], strict=True)
        return [first.repeat(self.counts(rows)), [self.fill(text, choice) for text, row in pairs for choice in row]]

    def fill(self, text: str, choice: str) -> str:
        return f"{text} {choice}" if text else choice

    def layout(self, encoded, index, batch):
        """`present`, of shape (examples, most choices): the places that have a sequence, in their order."""
        counts = encoded.counts[index]
        places = np.arange(len(self.entry.labels) if self.entry.labels else counts.max())
        return {"present": torch.from_numpy(places < counts[:, None])}

    def head(self, encoder, pooling, dropout=None):
        return ChoiceHead(encoder, 1, pooling, dropout)


class ChoiceHead(PooledHead):
    """One output per sequence, put in the places of its example's choices: (examples, most choices)."""

    def forward(self, vectors, batch):
        scores = super().forward(vectors, batch).squeeze(1)
        lacking = torch.full_like(batch["present"], -torch.inf, dtype=scores.dtype)
        return lacking.masked_scatter(batch["present"], scores)


def choice_lists(raw: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """The choices of each row as a list of texts, two or more; rows may have fewer than others.

    With a column per choice, those of a row that has fewer are null or empty, the last ones first.
    """
    if len(columns) > 1:
        given = lists = pd.Series([_without_the_absent(row) for row in raw[columns].to_numpy()], index=raw.index)
    else:
        column, _, key = columns[0].partition(".")
        given, lists = raw[column], raw[column].map(lambda value: listed(value, key))
    fault = ~lists.map(lambda choices: len(choices) > 1 and all(map(is_text, choices))).astype(bool)
    if fault.any():
        value = given[fault].iloc[0]
        remedy = "Mend the row: a choice is a text, and a question without a second one is none."
        if isinstance(value, str):
            remedy = "A cell of a CSV holds no list: give each choice a column, or use JSONL."
        raise refusal(f"{first_row(fault)}, choices", "two or more texts", repr(value)[:80], remedy)
    return lists


def _check_letters(raw: pd.DataFrame, columns: Sequence[str], names: Sequence[str]) -> None:
    """Refuses structs that name their choices, as ARC's {text, label}, otherwise than `names` does by place."""
    column, _, key = columns[0].partition(".")
    for where, value in raw[column].items() if key else ():
        for beside, letters in value.items() if isinstance(value, dict) else ():
            said = [str(letter) for letter in listed(letters)]
            if beside != key and {*said} <= {*names} and said != list(names[: len(said)]):
                remedy = "Put the choices in the order of `labels`."
                raise refusal(f"{row_name(where)}, '{column}.{beside}'", f"{list(names)}", f"{said}", remedy)


def _without_the_absent(choices) -> list:
    kept = list(choices)
    while kept and (is_null(kept[-1]) or kept[-1] == ""):
        kept.pop()
    return kept
