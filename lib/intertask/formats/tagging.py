"""Tagging: a label for every word, read off its first sub-word (Devlin et al. 2019, section 5.3)."""

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.formats.columns import label_text, listed
from intertask.formats.heads import TokenHead
from intertask.formats.spans import SpanFormat, unit_places


class Tagging(SpanFormat):
    """The spans are the words; labels and predictions are ids, one per word."""

    inputs = (1, 1)
    keeps_logits = False
    paired = "tags as words"

    def label_names(self, raw):
        """Per row, for each word, a list of its one tag; given as a list or separated by blanks."""
        return parted(raw[self.entry.label]).map(lambda tags: [[label_text(tag)] for tag in tags])

    def columns(self, raw, labels):
        """The words of a row are read as a text in which single blanks part them."""
        (column,) = self.entry.inputs
        return super().columns(raw.assign(**{column: words_of(raw[column]).map(" ".join)}), labels)

    def spans(self, raw):
        return raw[self.entry.inputs[0]].map(lambda text: np.array(unit_places(text), np.int32)[:, None])

    def tagged(self, text, label):
        return " ".join(f"{word}/{self.shown(ids)}" for word, ids in zip(text.split(), label, strict=True))

    def labels(self, rows):
        return self.ids(rows["label"]).to_numpy(np.int64)

    def head(self, encoder, pooling, dropout=None):
        return TagHead(encoder, len(self.entry.labels), dropout)


class TagHead(TokenHead):
    """(words, labels) of all words of the batch."""

    def forward(self, hidden, batch):
        return super().forward(hidden[batch["sequence"], batch["spans"][:, 0, 0]], batch)


def parted(raw: pd.Series) -> pd.Series:
    """Per row what the text holds between blanks, or a list as it stands."""
    return raw.map(lambda value: value.split() if isinstance(value, str) else listed(value))


def words_of(raw: pd.Series) -> pd.Series:
    """Per row the words of a text, given as a list or separated by blanks; no word is empty or holds a blank."""
    words = parted(raw)
    for where, row in words.items():
        if not row or not all(isinstance(word, str) and len(word.split()) == 1 for word in row):
            remedy = "Mend the row; a word is a text without blanks."
            raise refusal(f"{row_name(where)}, column '{raw.name}'", "words", repr(row)[:80], remedy)
    return words
