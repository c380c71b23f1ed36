"""A format of a user's own: ordered labels, each threshold between them a decision of its own."""

import numpy as np
import torch
from torch.nn import functional

from intertask.formats import Format
from intertask.formats.columns import infer_labels
from intertask.formats.heads import PooledHead


class Ordinal(Format):
    """Output k says whether the label lies above label k."""

    metrics = ("accuracy", "spearman")
    default_metrics = ("spearman",)
    keys = ("labels",)
    one_label = True

    def found_labels(self, splits):
        return infer_labels(splits["train"]["label"])

    def head(self, encoder, pooling, dropout=None):
        return PooledHead(encoder, len(self.entry.labels) - 1, pooling, dropout)

    def loss(self, logits, batch):
        above = batch["labels"][:, None] > torch.arange(logits.shape[1], device=logits.device)
        return functional.binary_cross_entropy_with_logits(logits.float(), above.float())

    def predict(self, logits):
        return (logits > 0).sum(axis=1)

    def error(self, rows):
        return np.abs(rows["label"] - rows["prediction"]).to_numpy()
