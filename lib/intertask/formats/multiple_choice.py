"""Multiple choice: every choice is read beside the context, one output each, a softmax over the choices of an example.

As Devlin et al. 2019 do for SWAG (section 4.4) and Pruksachatkun et al. 2020 for the question-answering tasks.
"""

from itertools import chain

import numpy as np
import torch

from intertask.formats.base import Encoded, Format, PooledHead
from intertask.formats.tokens import tokens


class MultipleChoice(Format):
    """Labels are places among the choices; the places that an example with fewer choices lacks have logits of -inf."""

    def encode(self, rows, tokenizer, max_length, kind=Encoded, **more):
        read = tokens(self.texts(rows), tokenizer, max_length)
        encoded = self.encoded(rows, read, kind, counts=rows["choices"].map(len).to_numpy(), **more)
        encoded.truncated = int(np.logical_or.reduceat(read.cut, encoded.firsts).sum())
        return encoded

    def texts(self, rows):
        """A sequence per choice: the first input against the choice, with the other inputs, if any, before it."""
        first, *others = super().texts(rows)
        before = others[0] if others else [""] * len(rows)
        filled = [
            [self.fill(text, choice) for choice in row] for text, row in zip(before, rows["choices"], strict=True)
        ]
        counts = rows["choices"].map(len)
        return [np.repeat(np.array(first, object), counts).tolist(), list(chain.from_iterable(filled))]

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
        return torch.full_like(batch["present"], -torch.inf, dtype=scores.dtype).masked_scatter(
            batch["present"], scores
        )
