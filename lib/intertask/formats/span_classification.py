"""Span classification: the labels of one span of a text, or of two together (edge probing, WiC, WSC).

The head is that of Tenney et al. 2019 (ICLR, section 3.3), which Pruksachatkun et al. 2020 put on an encoder that is
trained as well; its sizes and dropout are those of their released code.
"""

from fnmatch import fnmatch

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from intertask.formats.spans import Spans

WIDTH = 256  # of the projection and of the hidden layer
DROPOUT = 0.3


class SpanClassification(Spans):
    """Labels and predictions are lists of ids: with the metric micro_f1 all whose logit is not negative, else the
    likeliest one."""

    label_dtype = object

    def labels(self, rows):
        return [list(target) for row in rows["label"] for target in row]

    def gold(self, encoded, index, batch):
        """`labels` of shape (targets, labels), 1 where the target has the label."""
        targets = encoded.targets_of(index)
        hot = np.zeros((len(targets), len(self.entry.labels)), np.float32)
        for row, target in zip(hot, targets, strict=True):
            row[encoded.labels[target]] = 1
        return {"labels": torch.from_numpy(hot)}

    def head(self, encoder, pooling, dropout=None):
        dropout = DROPOUT if dropout is None else dropout
        return SpanHead(encoder.config.hidden_size, len(self.entry.labels), len(self.entry.spans), dropout)

    def loss(self, logits, batch):
        """The mean over targets and labels of the binary cross-entropy."""
        return functional.binary_cross_entropy_with_logits(logits.float(), batch["labels"])

    def predict(self, logits):
        if "micro_f1" in self.entry.metrics:
            return [np.flatnonzero(row >= 0).tolist() for row in logits]
        return [[int(best)] for best in logits.argmax(axis=1)]

    def score(self, rows):
        """Labels that match one of the entry's `unscored_labels` count neither as predicted nor as missed."""
        return super().score(rows.assign(**{name: self._scored(rows[name]) for name in ("label", "prediction")}))

    def majority(self, labels):
        """The most frequent labels, of those that count, for every target."""
        scored = self._scored(labels)
        common = super().majority(scored[scored.map(len) > 0])
        return pd.Series([common.iloc[0] if len(common) else []] * len(labels), index=labels.index, dtype=object)

    def _scored(self, cells: pd.Series) -> pd.Series:
        names = enumerate(self.entry.labels)
        scored = {i for i, name in names if not any(fnmatch(name, pattern) for pattern in self.entry.unscored_labels)}
        return cells.map(lambda ids: [i for i in ids if i in scored])


class SpanHead(nn.Module):
    """Each span of a target projected and pooled with weights of its own; a layer over both; an output per label."""

    def __init__(self, width: int, outputs: int, spans: int, dropout: float):
        super().__init__()
        self.pools = nn.ModuleList(AttentivePool(width) for _ in range(spans))
        self.classifier = nn.Sequential(
            nn.Linear(spans * WIDTH, WIDTH),
            nn.Tanh(),
            nn.LayerNorm(WIDTH),
            nn.Dropout(dropout),
            nn.Linear(WIDTH, outputs),
        )

    def reads(self, outputs, batch):
        return outputs.last_hidden_state

    def forward(self, hidden, batch):
        vectors = [pool(hidden, batch["sequence"], batch["spans"][:, k]) for k, pool in enumerate(self.pools)]
        return self.classifier(torch.cat(vectors, dim=1))


class AttentivePool(nn.Module):
    """A projection of every token, and the mean over a span weighted by a softmax of one learned score per token."""

    def __init__(self, width: int):
        super().__init__()
        self.project = nn.Linear(width, WIDTH)
        self.score = nn.Linear(WIDTH, 1)

    def forward(self, hidden: torch.Tensor, sequence: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
        """(sequences, tokens, width), and of each target the sequence and [start, end): (targets, WIDTH)."""
        start, end = spans[:, :1], spans[:, 1:]
        places = start + torch.arange(int((end - start).max()), device=spans.device)
        projected = self.project(hidden)[sequence[:, None], places.clamp(max=hidden.shape[1] - 1)]
        scores = self.score(projected).squeeze(2).masked_fill(places >= end, -torch.inf)
        return (scores.softmax(1).unsqueeze(2) * projected).sum(1)
