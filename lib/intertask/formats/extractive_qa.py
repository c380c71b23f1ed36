"""Extractive question answering: the first and the last token of the answer (Devlin et al. 2019, section 4.2).

A passage that is too long is read in overlapping windows; the softmax runs over all windows of an example together, so
that their scores can be compared (Clark and Gardner 2018, ACL, section 3.2, shared normalization).
"""

from typing import Any

import numpy as np
import pandas as pd
import torch

from intertask.errors import refusal, row_name
from intertask.formats.answers import ANSWER_START, AnswerFormat, given_answers
from intertask.formats.base import Encoded, parts, spread
from intertask.formats.columns import listed, shows
from intertask.formats.heads import TokenHead
from intertask.formats.tokens import tokens

PASSAGE = 1  # the number of its text among a sequence's two
LONGEST_ANSWER = 30  # tokens, as in the released code of BERT
OVERLAP = 1 / 3  # of max_length, between neighbouring windows: 128 of 384 in BERT's


class ExtractiveQA(AnswerFormat):
    """Labels are the accepted answers; an example without one of them within a window teaches nothing."""

    inputs = (2, 2)
    needs_room = True

    def columns(self, raw, labels):
        """With `spans`, as of span classification: the answers in the passage, where there are labels."""
        columns = super().columns(raw, labels)
        if labels is not None:
            columns["spans"] = answer_spans(raw, self.entry.inputs[PASSAGE], self.entry.label)
        return columns

    def text_of_span(self, k):
        return PASSAGE

    def encode(self, rows, tokenizer, max_length):
        read = tokens(self.texts(rows), tokenizer, max_length, offsets=True, overlap=int(OVERLAP * max_length))
        return self.encoded(rows, read)

    def layout(self, encoded, index, batch):
        """`passage` (sequences, tokens): where an answer may lie; and `example`, the example of each sequence."""
        sequences, example = parts(encoded.firsts, index)
        at, _ = parts(encoded.starts, sequences)
        passage = spread(encoded.text[at] == PASSAGE, batch["attention_mask"].numpy() > 0, False)
        return {"passage": torch.from_numpy(passage), "example": torch.from_numpy(example)}

    def gold(self, encoded, index, batch):
        """`bounds` (sequences, tokens, 2): True at the first and at the last token of an accepted answer."""
        bounds = np.zeros((*batch["passage"].shape, 2), bool)
        sequences = encoded.sequences(index)
        for row, sequence, example in zip(bounds, sequences, index[batch["example"].numpy()], strict=True):
            window = slice(encoded.starts[sequence], encoded.starts[sequence + 1])
            at = np.flatnonzero(encoded.text[window] == PASSAGE)
            starts, ends = encoded.offsets[window][at].T
            for start, end in encoded.rows["spans"].iloc[example][:, 0]:
                # An answer that the window cuts is none of its: a neighbour, which overlaps, may hold the whole.
                if len(at) and starts[0] <= start and end <= ends[-1]:
                    # of the tokens that overlap the answer the first and, below, the last
                    row[at[np.searchsorted(ends, start, "right")], 0] = True
                    row[at[np.searchsorted(starts, end, "left") - 1], 1] = True
        return {"bounds": torch.from_numpy(bounds)}

    def head(self, encoder, pooling, dropout=None):
        return BoundsHead(encoder, 2, dropout)

    def loss(self, logits, batch):
        """The mean over examples of the mean over both bounds; all accepted answers count as one."""
        counts = batch["example"].bincount().tolist()  # of windows: one softmax over all of an example's
        losses = []
        for scores, bounds in zip(logits.float().split(counts), batch["bounds"].split(counts), strict=True):
            if bounds.any():
                right = scores.masked_fill(~bounds, -torch.inf)
                losses.append((scores.flatten(0, 1).logsumexp(0) - right.flatten(0, 1).logsumexp(0)).mean())
        # outside the passage logits are -inf, and 0 × -inf is NaN
        return torch.stack(losses).mean() if losses else 0.0 * logits[batch["passage"]].sum()

    def predict(self, logits, encoded, index):
        windows = np.split(logits, np.cumsum(encoded.counts[index])[:-1])
        return [self._best(own, encoded, example) for own, example in zip(windows, index, strict=True)]

    def _best(self, windows: np.ndarray, encoded: Encoded, example: int) -> str:
        """The text between the bounds with the highest sum, in order and at most LONGEST_ANSWER tokens apart."""
        length = windows.shape[1]
        apart = np.arange(length) - np.arange(length)[:, None]
        sums = windows[:, :, None, 0] + windows[:, None, :, 1]
        sums = np.where((apart >= 0) & (apart < LONGEST_ANSWER), sums, -np.inf)
        window, first, last = np.unravel_index(sums.argmax(), sums.shape)
        start = encoded.starts[encoded.firsts[example] + window]
        passage = encoded.rows[self.entry.inputs[PASSAGE]].iloc[example]
        return passage[encoded.offsets[start + first, 0] : encoded.offsets[start + last, 1]]


class BoundsHead(TokenHead):
    """(sequences, tokens, 2): the scores of every token as the answer's first and last; -inf outside the passage."""

    def forward(self, hidden, batch):
        return super().forward(hidden, batch).masked_fill(~batch["passage"].unsqueeze(2), -torch.inf)


def answer_spans(raw: pd.DataFrame, passage: str, label: str) -> pd.Series:
    """Per row an int32 array (answers, 1, 2) of [start, end) in characters; a row's answers must lie in its passage.

    Without `answer_start` an answer lies where it first occurs.
    """
    rows = []
    for where, text, value in zip(raw.index, raw[passage], raw[label], strict=True):
        spans = []
        if not (answers := given_answers(value, where)):
            remedy = "Drop the row: a question without an answer cannot be scored."
            raise refusal(f"{row_name(where)}, label column '{label}'", "an answer", "none", remedy)
        for answer, start in answers:
            found = text.find(answer) if start is None else start
            if not shows(answer) or found < 0 or text[found : found + len(answer)] != answer:
                remedy = "Mend the row, or drop it: only what stands in the passage can be extracted."
                raise refusal(row_name(where), "an answer that stands in the passage", f"'{answer}'"[:80], remedy)
            if start is None and (key := _other_start(value)) and text.count(answer) > 1:
                remedy = f"Write its place under '{ANSWER_START}', or leave it out: then the first counts."
                raise refusal(row_name(where), "an answer that stands there once", f"several, and '{key}'", remedy)
            spans.append([[found, found + len(answer)]])
        rows.append(np.array(spans, np.int32).reshape(-1, 1, 2))
    return pd.Series(rows, index=raw.index, dtype=object)


def _other_start(value: Any) -> str | None:
    """The key of a struct that seems to say where an answer begins, and is none that is read."""
    structs = [one for one in listed(value) or [value] if isinstance(one, dict)]
    return next((key for one in structs for key in one if "start" in key.lower() and key != ANSWER_START), None)
