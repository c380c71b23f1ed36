"""Tagging: a label for every word, read off its first sub-word (Devlin et al. 2019, section 5.3)."""

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.formats.columns import is_literal, is_text, label_text, listed, shows
from intertask.formats.heads import TokenHead
from intertask.formats.spans import SpanFormat


class Tagging(SpanFormat):
    """The spans are the words; labels and predictions are ids, one per word."""

    inputs = (1, 1)
    keeps_logits = False
    paired = "tags as words"

    def label_names(self, raw):
        """Per row, for each word, a list of its one tag; given as a list or separated by blanks."""
        column = raw[self.entry.label]
        cells = parted(column).items()
        rows = [[[label_text(tag, where, column.name)] for tag in tags] for where, tags in cells]
        return pd.Series(rows, index=column.index, name=column.name, dtype=object)

    def as_texts(self, raw):
        """The words of a row are read as a text in which single blanks part them."""
        (column,) = self.entry.inputs
        return raw.assign(**{column: words_of(raw[column]).map(" ".join)})

    def spans(self, raw):
        return words_of(raw[self.entry.inputs[0]]).map(_places)

    def tagged(self, text, spans, label):
        words = zip(spans[:, 0].tolist(), label, strict=True)
        return " ".join(f"{text[start:end]}/{self.shown(ids)}" for (start, end), ids in words)

    def labels(self, rows):
        return self.ids(rows["label"]).to_numpy(np.int64)

    def head(self, encoder, pooling, dropout=None):
        return TagHead(encoder, len(self.entry.labels), dropout)


class TagHead(TokenHead):
    """(words, labels) of all words of the batch."""

    def forward(self, hidden, batch):
        return super().forward(hidden[batch["sequence"], batch["spans"][:, 0, 0]], batch)


def parted(raw: pd.Series) -> pd.Series:
    """Per row what the text holds between blanks, or a list as it stands; a list written as text is refused."""
    for where, value in raw.items():
        if isinstance(value, str) and is_literal(value):
            remedy = "Write it with blanks between, or as a list in JSONL or Parquet."
            raise refusal(f"{row_name(where)}, column '{raw.name}'", "a list, or text", f"{value!r:.80}", remedy)
    return raw.map(lambda value: value.split() if isinstance(value, str) else listed(value))


def words_of(raw: pd.Series) -> pd.Series:
    """Per row the words of a text, given as a list or separated by blanks; each shows something, within it may be
    blanks, as in Vietnamese treebanks, and around it none."""
    words = parted(raw)
    for where, row in words.items():
        if not row or not all(map(_is_word, row)):
            wrong = next((word for word in row if not _is_word(word)), row)
            remedy = "Mend the row; a word is a text with at least one character that shows, and no blanks around it."
            raise refusal(f"{row_name(where)}, column '{raw.name}'", "words", ascii(wrong)[:80], remedy)
    return words


def _is_word(word: object) -> bool:
    return is_text(word) and word == word.strip() and shows(word)


def _places(words: list[str]) -> np.ndarray:
    """(words, 1, 2): where each stands in the text that they make with single blanks."""
    ends = np.cumsum([len(word) + 1 for word in words], dtype=np.int32) - 1
    starts = ends - np.array([len(word) for word in words], np.int32)
    return np.stack([starts, ends], axis=1)[:, None].astype(np.int32)
