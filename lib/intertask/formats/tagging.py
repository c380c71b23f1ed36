"""Tagging: a label for every word, read off its first sub-word (Devlin et al. 2019, section 5.3)."""

import numpy as np
import torch

from intertask.formats.base import TokenHead
from intertask.formats.spans import Spans


class Tagging(Spans):
    """The spans are the words; labels and predictions are ids, one per word."""

    keeps_logits = False

    def labels(self, rows):
        return np.array([tag for row in rows["label"] for (tag,) in row])

    def gold(self, encoded, index, batch):
        return {"labels": torch.from_numpy(encoded.labels[encoded.targets_of(index)])}

    def head(self, encoder, pooling, dropout=None):
        return TagHead(encoder, len(self.entry.labels), dropout)


class TagHead(TokenHead):
    """(words, labels) of all words of the batch."""

    def forward(self, hidden, batch):
        return super().forward(hidden[batch["sequence"], batch["spans"][:, 0, 0]], batch)
