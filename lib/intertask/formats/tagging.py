"""Tagging: a label for every word, read off its first sub-word (Devlin et al. 2019, section 5.3)."""

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.formats.columns import as_text, label_text, listed
from intertask.formats.heads import TokenHead
from intertask.formats.spans import SpanFormat


class Tagging(SpanFormat):
    """The spans are the words; labels and predictions are ids, one per word."""

    inputs = (1, 1)
    keeps_logits = False

    def label_names(self, raw):
        return tags_of(raw[self.entry.label], words_of(raw[self.entry.inputs[0]]))

    def columns(self, raw, labels):
        (column,) = self.entry.inputs
        words = words_of(raw[column])
        return {column: as_text(words.map(" ".join)), "spans": words.map(word_spans)}

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


def word_spans(words: list[str]) -> np.ndarray:
    """(words, 1, 2): where each stands in the text when they are joined by single blanks."""
    lengths = np.array([len(word) for word in words])
    ends = np.cumsum(lengths + 1) - 1
    return np.stack([ends - lengths, ends], axis=1).astype(np.int32)[:, None]
