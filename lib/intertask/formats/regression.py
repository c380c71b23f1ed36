"""Regression on one text or a pair: one output, squared error (STS-B as in Devlin et al. 2019)."""

import re

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from intertask.errors import refusal
from intertask.formats.columns import label_row
from intertask.formats.pooled import PooledFormat
from intertask.metrics import OF_NUMBERS


class Regression(PooledFormat):
    """Labels are numbers; a `label_range` scales them to 0..1 for the loss, and predictions come back in the range.

    With `outliers` labels may lie outside it: an error beyond the range's width counts by its size, not its square.
    """

    metrics = OF_NUMBERS
    keys = ("label_range", "outliers", "symmetric")
    shared_head = "regression-1"
    figure = "scatter"
    label_type = torch.float32
    label_dtype = np.float64

    def numbered(self, frame, ids):
        """Each label finite and, where the entry gives it and no `outliers`, within `label_range`."""
        texts = frame["label"].rename(self.entry.label)
        values = pd.to_numeric(texts, errors="coerce").astype("float64")
        low, high = self._bounds or (-np.inf, np.inf)
        fault = ~(np.isfinite(values) & values.between(low, high))
        if fault.any():
            expected = f"a number from {low:g} to {high:g}" if self._bounds else "a finite number"
            said = texts[fault].iloc[0]
            raise refusal(label_row(fault), expected, f"'{said}'", _mending(said, values[fault].iloc[0]))
        return values

    def loss(self, logits, batch):
        low, high = self._ends
        loss = functional.huber_loss if self.entry.outliers else functional.mse_loss
        return loss(logits.float().squeeze(1), (batch["labels"] - low) / (high - low))

    def predict(self, logits):
        low, high = self._ends
        return low + logits[:, 0].astype(np.float64) * (high - low)  # correlations want the precision

    def written(self, predictions, where, names):
        """Within the range of the labels, in three decimals."""
        if predictions.isna().any():
            found = f"{predictions.isna().sum()} without"
            raise refusal(where, "a number for each row", found, "Predict with a run of this task.")
        return predictions.clip(*self._bounds or (None, None)).map("{:.3f}".format).tolist()

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
    def _bounds(self) -> tuple[float, float] | None:
        """What no label may lie outside of."""
        return None if self.entry.outliers else self.entry.label_range

    @property
    def _ends(self) -> tuple[float, float]:
        """The labels that the outputs 0 and 1 stand for."""
        return self.entry.label_range or (0.0, 1.0)


def _mending(said: str, value: float) -> str:
    """What to do with a label that is no number of the range."""
    if np.isfinite(value):
        return "Correct the row, or `label_range` in the entry; labels far from most others want `outliers: true`."
    if re.fullmatch(r"\s*[+-]?\d+,\d+\s*", said):
        return "Write decimals with a point."
    return "Correct the row; labels that are names want `format: classification`."
