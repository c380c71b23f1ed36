"""Extractive question answering: the first and the last token of the answer (Devlin et al. 2019, section 4.2).

A passage that is too long is read in overlapping windows; the softmax runs over all windows of an example together, so
that their scores can be compared (Clark and Gardner 2018, ACL, section 3.2, shared normalization).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from intertask.encoders.pretrained import reads_ahead
from intertask.errors import refusal, row_name
from intertask.formats.answers import ANSWER_START, AnswerFormat, given_answers
from intertask.formats.base import Encoded, parts, spread
from intertask.formats.columns import listed, shows
from intertask.formats.heads import TokenHead
from intertask.formats.tokens import tokens
from intertask.metrics import answering, normalized

PASSAGE = 1  # the number of its text among a sequence's two
LONGEST_ANSWER = 30  # tokens, as in the released code of BERT
NO_ANSWER = [""]
"""The label of a question without an answer."""
OVERLAP = 1 / 3  # of max_length, between neighbouring windows: 128 of 384 in BERT's


class ExtractiveQA(AnswerFormat):
    """Labels are the accepted answers; an example without one of them within a window teaches nothing.

    In an `unanswerable` task a question without an answer has the label [""]: nothing, which lies at the first token
    (Devlin et al. 2019, section 4.3). Its predictions are nothing where that scores higher than the best answer; they
    also hold this `answer`, and by how much nothing scores higher, `no_answer`.
    """

    inputs = (2, 2)
    keys = ("unanswerable",)
    needs_room = True

    @property
    def thresholds_within(self):
        return (-np.inf, np.inf) if self.entry.unanswerable else None

    def label_names(self, raw):
        """As SQuAD 2.0 has it, accepted answers of which normalising leaves nothing are left out beside others."""
        names = super().label_names(raw)
        if self.entry.unanswerable:
            return names.map(lambda answers: [one for one in answers if normalized(one)] or answers or NO_ANSWER)
        return names

    def columns(self, raw, labels):
        """With `spans`, as of span classification: the answers in the passage, where there are labels."""
        columns = super().columns(raw, labels)
        if labels is not None:
            entry = self.entry
            columns["spans"] = answer_spans(raw, entry.inputs[PASSAGE], entry.label, entry.unanswerable)
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
        passage[:, 0] |= self.entry.unanswerable
        return {"passage": torch.from_numpy(passage), "example": torch.from_numpy(example)}

    def gold(self, encoded, index, batch):
        """`bounds` (sequences, tokens, 2): True at the first and at the last token of an accepted answer."""
        bounds = np.zeros((*batch["passage"].shape, 2), bool)
        sequences = encoded.sequences(index)
        for row, sequence, example in zip(bounds, sequences, index[batch["example"].numpy()], strict=True):
            for first, last in _answers_within(encoded, sequence, example):
                row[first, 0] = row[last, 1] = True
        return {"bounds": torch.from_numpy(bounds)}

    def terms(self, encoded, index):
        """Those that teach something."""
        pairs = zip(*parts(encoded.firsts, index), strict=True)
        return len({place for sequence, place in pairs if any(_answers_within(encoded, sequence, index[place]))})

    def head(self, encoder, pooling, dropout=None):
        if self.entry.unanswerable and not reads_ahead(encoder):
            found = f"{type(encoder).__name__}, whose first token knows nothing of the rest"
            remedy = "Use another encoder, or leave out the questions without an answer."
            raise refusal("unanswerable", "an encoder that reads from both sides", found, remedy)
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
        return self._said(self._answers(logits, encoded, index))

    def predictions(self, logits, encoded, index, batch):
        found = self._answers(logits, encoded, index)
        table = self.framed(self._said(found), encoded, index)
        if not self.entry.unanswerable:
            return table
        answers, no_answer = zip(*found, strict=True)
        return table.assign(answer=answers, no_answer=no_answer)

    def _said(self, answers: list[tuple[str, float]]) -> list[str]:
        threshold = self.entry.threshold or 0.0  # only `intertask predict` has another
        return ["" if no_answer > threshold else answer for answer, no_answer in answers]

    def _answers(self, logits, encoded, index) -> list[tuple[str, float]]:
        windows = np.split(logits, np.cumsum(encoded.counts[index])[:-1])
        return [self._best(own, encoded, example) for own, example in zip(windows, index, strict=True)]

    def _best(self, windows: np.ndarray, encoded: Encoded, example: int) -> tuple[str, float]:
        """The text between the bounds with the highest sum, in order and at most LONGEST_ANSWER tokens apart, and how
        far the highest sum of a first token with itself, which is no answer, lies above it; -inf where it is none."""
        length = windows.shape[1]
        apart = np.arange(length) - np.arange(length)[:, None]
        sums = windows[:, :, None, 0] + windows[:, None, :, 1]
        sums = np.where((apart >= 0) & (apart < LONGEST_ANSWER), sums, -np.inf)
        nothing = -np.inf
        if self.entry.unanswerable:
            nothing, sums[:, 0] = sums[:, 0, 0].max(), -np.inf
        window, first, last = np.unravel_index(sums.argmax(), sums.shape)
        start = encoded.starts[encoded.firsts[example] + window]
        passage = encoded.rows[self.entry.inputs[PASSAGE]].iloc[example]
        text = passage[encoded.offsets[start + first, 0] : encoded.offsets[start + last, 1]]
        return text, float(nothing) - float(sums[window, first, last])

    def details(self, rows):
        """Of an unanswerable task both kinds of questions apart, and what the best threshold of `no_answer` reaches,
        which is chosen on these very rows; the scores are those at 0."""
        if not self.entry.unanswerable:
            return {}
        return answering(*(rows[name] for name in ("label", "prediction", "answer", "no_answer")))

    def shown(self, label):
        return super().shown(label) or "no answer"

    def balance(self, rows, most):
        if not self.entry.unanswerable:
            return super().balance(rows, most)
        answered = rows["label"].map(lambda answers: answers != NO_ANSWER)
        more = super().balance(rows[answered], most) if answered.any() else {}
        return {"% without an answer": f"{100 * (1 - answered.mean()):.1f}"} | more


class BoundsHead(TokenHead):
    """(sequences, tokens, 2): the scores of every token as the answer's first and last; -inf outside the passage."""

    def forward(self, hidden, batch):
        return super().forward(hidden, batch).masked_fill(~batch["passage"].unsqueeze(2), -torch.inf)


def _answers_within(encoded: Encoded, sequence: int, example: int) -> Iterator[tuple[int, int]]:
    """Of each accepted answer that lies in a window the first and the last token; of nothing, the window's first."""
    window = slice(encoded.starts[sequence], encoded.starts[sequence + 1])
    at = np.flatnonzero(encoded.text[window] == PASSAGE)
    starts, ends = encoded.offsets[window][at].T
    if not len(spans := encoded.rows["spans"].iloc[example]):
        yield 0, 0
    for start, end in spans[:, 0]:
        # An answer that the window cuts is none of its: a neighbour, which overlaps, may hold the whole.
        if len(at) and starts[0] <= start and end <= ends[-1]:
            # of the tokens that overlap the answer the first and the last
            yield at[np.searchsorted(ends, start, "right")], at[np.searchsorted(starts, end, "left") - 1]


def answer_spans(raw: pd.DataFrame, passage: str, label: str, unanswerable: bool) -> pd.Series:
    """Per row an int32 array (answers, 1, 2) of [start, end) in characters; a row's answers must lie in its passage.

    unanswerable: whether there may be none. Without `answer_start` an answer lies where it first occurs.
    """
    rows = []
    for where, text, value in zip(raw.index, raw[passage], raw[label], strict=True):
        spans = []
        if not (answers := given_answers(value, where)) and not unanswerable:
            remedy = "Drop the row, or say in the entry that there are such questions: `unanswerable: true`."
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
