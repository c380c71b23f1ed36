"""What the formats share that decide of each label by itself whether something has it."""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from intertask.formats.base import hot
from intertask.metrics import OF_LABEL_SETS


class LabelSets:
    """Labels and predictions are lists of ids, one list for each prediction."""

    metrics = OF_LABEL_SETS
    default_metrics = ("f1_micro",)
    figure = "label_f1"
    label_dtype: type = object
    cuts: np.ndarray | float = 0.0  # the logits from which on a label is predicted

    def gold(self, encoded, index, batch):
        """`labels` of shape (predictions, labels), 1 where the label is there."""
        targets, _ = encoded.targets_of(index)
        return {"labels": torch.from_numpy(hot(encoded.labels[targets], len(self.entry.labels)).astype(np.float32))}

    def loss(self, logits, batch):
        """The mean over predictions and labels of the binary cross-entropy."""
        return functional.binary_cross_entropy_with_logits(logits.float(), batch["labels"])

    def predict(self, logits):
        return [np.flatnonzero(row).tolist() for row in logits >= self.cuts]

    def probabilities(self, logits):
        """Each label has its own, whatever the others have."""
        from scipy.special import expit

        return expit(logits)

    def error(self, rows: pd.DataFrame) -> np.ndarray:
        """How far the worst of a row's wrong decisions is from the other one, in logits; 0 if all are right."""
        logits = np.stack(rows["logits"].to_numpy())
        gold, given = (hot(rows[name], logits.shape[1]) for name in ("label", "prediction"))
        return (np.abs(logits - self.cuts) * (gold != given)).max(axis=1)
