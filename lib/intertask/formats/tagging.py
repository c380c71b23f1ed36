"""Tagging: a label for every word, read off its first sub-word (Devlin et al. 2019, section 5.3)."""

import re

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.formats.columns import is_literal, is_text, label_text, listed, shows
from intertask.formats.heads import TokenHead
from intertask.formats.spans import SpanFormat
from intertask.metrics import OF_TAGS, begun_spans, is_span_tag, span_counts, span_type


class Tagging(SpanFormat):
    """The spans are the words; labels and predictions are ids, one per word.

    With the metric span_f1 the tags say which words make spans, as in IOB2 and BIOES: of each word predictions then say
    how many `spans` begin there, that are to be found or are found, and whether such a one is found rightly, `right`.
    """

    inputs = (1, 1)
    metrics = OF_TAGS
    default_metrics = ("accuracy",)
    group = "row"
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

    @property
    def of_spans(self) -> bool:
        return "span_f1" in self.entry.metrics

    @property
    def figure(self):
        return "label_f1" if self.of_spans else "confusion"

    def numbered(self, frame, ids):
        """Refuses tags that say nothing of spans, where these are scored."""
        names, labels = self.entry.labels, super().numbered(frame, ids)
        if self.of_spans and (wrong := {name for name in names if not is_span_tag(name)}):
            said = self.ids(labels).map(names.__getitem__)
            said = said[said.isin(wrong)]
            where = row_name(said.index[0]) if len(said) else f"Task '{self.entry.name}'"
            found = f"'{said.iloc[0] if len(said) else min(wrong)}'"
            looks, remedy = next(hint for pattern, *hint in NO_SPANS if all(re.fullmatch(pattern, x) for x in wrong))
            expected = "tags of spans for span_f1: O, and B-x, I-x as in IOB2 or also E-x, S-x as in BIOES"
            raise refusal(f"{where}, label column '{self.entry.label}'", expected, f"{found}: {looks}", remedy)
        return labels

    def predictions(self, logits, encoded, index, batch):
        found = super().predictions(logits, encoded, index, batch)
        if not self.of_spans or encoded.labels is None:
            return found
        return found.assign(**span_counts(found["label"], found["prediction"], found["row"], self.entry.labels))

    def decisions(self, rows):
        """With span_f1 the spans: of each its type as label, as prediction or, where it is right, as both."""
        names = self.entry.labels
        if not self.of_spans:
            return rows, names
        gold, given = (begun_spans(rows[tags], rows["row"], names) for tags in ("label", "prediction"))
        right = (gold == given).all(1)
        parts = ((gold[right], 1, 1), (gold[~right], 1, 0), (given[~right], 0, 1))
        found = [([kind] * a, [kind] * b) for spans, a, b in parts for _, kind in spans.tolist() if kind >= 0]
        return pd.DataFrame(found, columns=["label", "prediction"]), [span_type(name) or "span" for name in names]

    def labels(self, rows):
        return self.ids(rows["label"]).to_numpy(np.int64)

    def head(self, encoder, pooling, dropout=None):
        return TagHead(encoder, len(self.entry.labels), dropout)


NO_SPANS = (
    ("[LU]-.+", "BILOU's", "Write E- for L- and S- for U-."),
    (".+-[BIESLU]", "the place stands behind the type", "Write it before: B-PER for PER-B."),
    ("[BIES][^-].*", "no - behind the first letter", "Write B-PER for B_PER or BPER; or score by accuracy."),
    ("[bioes](-.+)?", "a small letter", "Write O, B-, I-, E- and S- in capitals."),
    (
        "(?s).*",
        "it does not say where a span begins",
        "Write B- before the first and I- before other words of a span, O where there is none; or score by accuracy.",
    ),
)
"""What tags are that say nothing of spans: a pattern of all of them, what they look like, and what to do."""


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
