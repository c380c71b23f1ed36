"""What the formats share that read one vector per example: classification and regression."""

import numpy as np
import torch

from intertask.formats.base import Format
from intertask.formats.heads import PooledHead


class PooledFormat(Format):
    """With `both_orders` an example is two sequences, A B and B A."""

    pools = True
    outputs = 1  # of the head

    def counts(self, rows):
        return np.full(len(rows), 2) if self.both_orders else None

    def texts(self, rows):
        """Both orders stand next to each other, so that a batch of examples is a slice of sequences."""
        texts = super().texts(rows)
        return [np.stack(order, 1).ravel() for order in (texts, texts[::-1])] if self.both_orders else texts

    def layout(self, encoded, index, batch):
        """With both orders `swapped`, (sequences,): which read B A."""
        return {"swapped": torch.arange(2 * len(index)) % 2 == 1} if self.both_orders else {}

    def head(self, encoder, pooling, dropout=None):
        return PooledHead(encoder, self.outputs, pooling, dropout)
