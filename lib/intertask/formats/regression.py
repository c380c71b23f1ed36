"""Regression on one text or a pair: one output, squared error (STS-B as in Devlin et al. 2019)."""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from intertask.errors import refusal
from intertask.formats.columns import label_row
from intertask.formats.pooled import PooledFormat
from intertask.metrics import OF_NUMBERS


class Regression(PooledFormat):
    """Labels are numbers; a `label_range` scales them to 0..1 for the loss, and predictions come back in the range."""

    metrics = OF_NUMBERS
    keys = ("label_range", "symmetric")
    shared_head = "regression-1"
    figure = "scatter"
    label_type = torch.float32
    label_dtype = np.float64
    outputs = 1

    def numbered(self, frame):
        """Each label finite and, where the entry gives it, within `label_range`."""
        texts = frame["label"].rename(self.entry.label)
        values = pd.to_numeric(texts, errors="coerce").astype("float64")
        low, high = self.entry.label_range or (-np.inf, np.inf)
        fault = ~(np.isfinite(values) & values.between(low, high))
        if fault.any():
            expected = f"a number from {low:g} to {high:g}" if self.entry.label_range else "a finite number"
            remedy = "Correct the row, or `label_range` in the entry."
            raise refusal(label_row(fault), expected, f"'{texts[fault].iloc[0]}'", remedy)
        return values

    def loss(self, logits, batch):
        return functional.mse_loss(logits.float().squeeze(1), (batch["labels"] - self._low) / self._width)

    def predict(self, logits):
        return self._low + logits[:, 0].astype(np.float64) * self._width  # correlations want the precision

    def majority(self, labels):
        """The mean for every example."""
        return pd.Series(labels.mean(), index=labels.index)

    def shown(self, label):
        return f"{label:.2f}"

    def balance(self, rows, most):
        low, mean, high = rows["label"].min(), rows["label"].mean(), rows["label"].max()
        return {"lowest": f"{low:.2f}", "mean": f"{mean:.2f}", "highest": f"{high:.2f}"}

    def error(self, rows):
        return (rows["label"] - rows["prediction"]).abs().to_numpy()

    @property
    def _low(self) -> float:
        return self.entry.label_range[0] if self.entry.label_range else 0.0

    @property
    def _width(self) -> float:
        return self.entry.label_range[1] - self._low if self.entry.label_range else 1.0
