"""Regression on one text or a pair: one output, squared error (STS-B as in Devlin et al. 2019)."""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from intertask.formats.pooled import Pooled


class Regression(Pooled):
    """Labels are numbers; a `label_range` scales them to 0..1 for the loss, and predictions come back in the range."""

    label_type = torch.float32
    label_dtype = np.float64
    outputs = 1

    def loss(self, logits, batch):
        return functional.mse_loss(logits.float().squeeze(1), (batch["labels"] - self._low) / self._width)

    def predict(self, logits):
        return self._low + logits[:, 0].astype(np.float64) * self._width  # correlations want the precision

    def majority(self, labels):
        """The mean for every example."""
        return pd.Series(labels.mean(), index=labels.index)

    @property
    def _low(self) -> float:
        return self.entry.label_range[0] if self.entry.label_range else 0.0

    @property
    def _width(self) -> float:
        return self.entry.label_range[1] - self._low if self.entry.label_range else 1.0
