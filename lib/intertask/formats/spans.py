"""What the formats share that predict something of spans within a text: span classification and tagging."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from intertask.errors import IntertaskError, refusal, row_name
from intertask.formats.base import Format
from intertask.formats.columns import label_ids
from intertask.formats.tokens import SPECIAL, Tokens, bounds, tokens

MOST_CUT = 0.05
"""The largest share of a split's spans that max_length may cut: beyond it the score would tell of the cutting."""


class SpanFormat(Format):
    """An example holds targets, each with spans, labels and a prediction of its own.

    In rows `spans` is an int32 array (targets, spans, 2) of [start, end) in characters of the text that holds the span.
    """

    keys: Sequence[str] = ("labels",)
    several_targets = True
    needs_room = True
    most_cut = MOST_CUT
    paired = "labels as targets"  # of which a row must have as many of the one as of the other

    def columns(self, raw, labels):
        """With `spans`; refuses a row that has not a label for each target."""
        columns, spans = super().columns(self.as_texts(raw), labels), self.spans(raw)
        for where, given, named in zip(raw.index, spans, spans if labels is None else labels, strict=True):
            if len(given) != len(named):
                raise refusal(row_name(where), f"as many {self.paired}, {len(given)}", str(len(named)), "Mend the row.")
        return columns | {"spans": spans}

    def as_texts(self, raw: pd.DataFrame) -> pd.DataFrame:
        """The raw frame with its inputs as the texts that are read."""
        return raw

    def spans(self, raw: pd.DataFrame) -> pd.Series:
        """The column `spans` of a raw frame."""
        raise NotImplementedError

    def found_labels(self, splits):
        """Those of any split: an inventory is often larger than what train happens to hold."""
        return sorted({name for frame in splits.values() if "label" in frame for name in self.ids(frame["label"])})

    def numbered(self, frame, ids):
        """Each target's ids, sorted and once each: in which order a row names them says nothing."""
        labels = frame["label"].rename(self.entry.label)
        one = iter(label_ids(self.ids(labels).astype("str"), ids).tolist())
        return labels.map(lambda row: [sorted({next(one) for _ in target}) for target in row])

    def shuffled(self, train, rng):
        """The labels of all targets are permuted."""
        labels = train["label"].explode().dropna().tolist()
        shuffled = iter([labels[i] for i in rng.permutation(len(labels))])
        return train.assign(label=train["label"].map(lambda row: [next(shuffled) for _ in row]))

    def ids(self, labels):
        return labels.explode().explode().dropna()

    def balance(self, rows, most):
        return {"targets": str(rows["spans"].map(len).sum())} | super().balance(rows, most)

    def encode(self, rows, tokenizer, max_length):
        read = tokens(self.texts(rows), tokenizer, max_length, offsets=True)
        counts = rows["spans"].map(len).to_numpy()
        characters = np.concatenate(rows["spans"].tolist()).astype(np.int64)
        sequence = np.repeat(np.arange(len(rows)), counts)
        spans, cut = token_spans(read, characters, sequence, len(self.entry.inputs))
        if cut.sum() > self.most_cut * cut.size:
            raise IntertaskError(
                f"max_length: expected that at most {self.most_cut:.0%} of the spans of {self.entry.name} lose tokens, "
                f"found {cut.sum()} of {cut.size} at {max_length} tokens. Raise max_length, or drop the long texts; "
                "words of which the tokenizer makes nothing count too."
            )
        return self.encoded(rows, read, spans=spans, targets=bounds(counts), cut_spans=cut)

    def layout(self, encoded, index, batch):
        """`spans` (targets, spans, 2) of all examples, and `sequence`, the row of the batch that holds each."""
        targets, sequence = encoded.targets_of(index)
        return {"spans": torch.from_numpy(encoded.spans[targets]), "sequence": torch.from_numpy(sequence)}


def unit_places(text: str, unit: str = "words") -> list[tuple[int, int]]:
    """[start, end) in characters of each of the text's units: of words, those of `text.split()`, or of characters."""
    return [match.span() for match in re.finditer(r"\S+" if unit == "words" else "(?s).", text)]


def token_spans(read: Tokens, spans: np.ndarray, sequence: np.ndarray, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """Spans in characters (targets, spans, 2) as spans in tokens of their sequence, and which lost tokens.

    `sequence`: (targets,), the number of each target's sequence. With two texts span k lies in text k. A span of which
    nothing is left is that of the last token of its text; one that the tokenizer drops, that of the first, special one.
    """
    at = np.flatnonzero(read.text != SPECIAL)
    lengths = np.diff(read.starts)
    segment = 2 * np.repeat(np.arange(len(lengths)), lengths)[at] + read.text[at]
    wanted = 2 * sequence[:, None] + np.arange(spans.shape[1]) % texts
    far = 1 + max(read.offsets.max(initial=0), spans.max(initial=0))  # keys of one segment stay below those of the next
    starts, ends = (segment * far + read.offsets[at, side] for side in (0, 1))
    lowest, highest = np.searchsorted(segment, wanted, "left"), np.searchsorted(segment, wanted, "right") - 1
    first = np.searchsorted(ends, wanted * far + spans[..., 0], "right")
    last = np.searchsorted(starts, wanted * far + spans[..., 1], "left") - 1
    dropped = (last < first) & (first <= highest)  # the tokens around it are its neighbours'
    first = np.clip(first, lowest, highest)
    last = np.clip(last, first, highest)
    places = np.stack([at[first], at[last] + 1], axis=-1) - read.starts[sequence][:, None, None]
    empty = lowest > highest  # truncation, or a tokenizer that drops all, left nothing of this text
    places[empty | dropped] = (0, 1)
    cut = read.cut[sequence][:, None] & (empty | (spans[..., 1] > read.offsets[at[highest], 1])) | dropped
    return places.astype(np.int64), cut
