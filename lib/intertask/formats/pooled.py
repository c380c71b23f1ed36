"""What the formats share that read one vector per example: classification and regression."""

from dataclasses import replace

import numpy as np
import torch

from intertask.encoders.word_tokenizer import WordTokenizer, reads_words
from intertask.formats.base import Format
from intertask.formats.heads import SIZES, PooledHead, SentenceHead
from intertask.formats.tokens import tokens


class PooledFormat(Format):
    """With `both_orders` an example is two sequences, A B and B A; a pair that the encoder reads apart, A and B."""

    outputs = 1  # of the head

    @property
    def pools(self):
        return self.classifier == "linear"

    def counts(self, rows):
        return np.full(len(rows), 2) if self.both_orders else None

    def texts(self, rows):
        """Both orders stand next to each other, so that a batch of examples is a slice of sequences."""
        texts = super().texts(rows)
        return [np.stack(order, 1).ravel() for order in (texts, texts[::-1])] if self.both_orders else texts

    def encode(self, rows, tokenizer, max_length):
        texts, counts = self.texts(rows), self.counts(rows)
        if isinstance(tokenizer, WordTokenizer) and len(texts) == 2:
            texts, counts = [np.stack(texts, 1).ravel()], np.full(len(rows), 2)
        return self.encoded(rows, replace(tokens(texts, tokenizer, max_length), counts=counts))

    def layout(self, encoded, index, batch):
        """With both orders `swapped`, (sequences,): which read B A."""
        return {"swapped": torch.arange(2 * len(index)) % 2 == 1} if self.both_orders else {}

    def head(self, encoder, pooling, dropout=None):
        if self.pools:
            return PooledHead(encoder, self.outputs, pooling, dropout)
        pair = len(self.entry.inputs) > 1 and reads_words(encoder.config)
        return SentenceHead(encoder.config.hidden_size, self.outputs, SIZES[self.classifier], pair, dropout)
