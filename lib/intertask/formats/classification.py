"""Classification of one text or a pair: a softmax over the label names."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from intertask.errors import refusal
from intertask.formats.columns import at_key, first_row, infer_labels, label_text
from intertask.formats.pooled import PooledFormat
from intertask.metrics import OF_CLASSES


class Classification(PooledFormat):
    """Labels are ids in the order of the entry's `labels`."""

    metrics = OF_CLASSES
    default_metrics = ("accuracy",)
    keys = ("labels", "group", "symmetric")
    one_label = True
    comparable = True
    weights: torch.Tensor | None = None  # of each label in the loss

    @property
    def outputs(self):
        return len(self.entry.labels)

    @property
    def shared_head(self):
        return f"classification-{self.outputs}"

    def columns(self, raw, labels):
        """With `group`: a number, 0 upwards, that rows have in common whose `group` columns are equal."""
        columns = super().columns(raw, labels)
        if self.entry.group:
            keys = zip(*(group_keys(raw, column) for column in self.entry.group), strict=True)
            numbers = pd.factorize(pd.Series(list(keys), dtype=object))[0]
            columns["group"] = pd.Series(numbers, index=raw.index)
        return columns

    def merged(self, rows: pd.DataFrame, ids: Sequence[int]) -> pd.DataFrame:
        """Predictions of another classification's model as of this one; ids: of each of its labels the id here.

        The probabilities of labels that are one here are added, and the largest sum decides; the logits become the logs
        of the sums, -inf of a label that none of the others is.
        """
        logits = np.stack(rows["logits"])
        logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        summed = [np.logaddexp.reduce(logs[:, np.equal(ids, label)], axis=1) for label in range(self.outputs)]
        logs = np.stack(summed, axis=1)
        return rows.assign(prediction=self.predict(logs), logits=list(logs))

    def weigh(self, given: str | dict[str, float], train: pd.DataFrame) -> None:
        """Weighs the labels in the loss: by name, others 1, or "balanced", as scikit-learn's `class_weight`.

        Balanced is n / (k · n_i) for a label with n_i of the n examples that are trained on, of which k labels occur.
        """
        each = given
        if given == "balanced":
            counts = train["label"].value_counts()
            each = {self.entry.labels[i]: len(train) / (len(counts) * count) for i, count in counts.items()}
        self.weights = torch.tensor([float(each.get(name, 1)) for name in self.entry.labels])

    def loss(self, logits, batch):
        """The mean over the batch, of weighted losses too: parts of a batch add up to the whole."""
        if self.weights is None:
            return super().loss(logits, batch)
        weights = self.weights.to(logits.device)
        return functional.cross_entropy(logits.float(), batch["labels"], weights, reduction="none").mean()

    def found_labels(self, splits):
        return infer_labels(splits["train"]["label"].rename(self.entry.label))


def group_keys(raw: pd.DataFrame, column: str) -> list[str]:
    """Of each row what tells its group, a name or a number; null is refused."""
    root, _, key = column.partition(".")
    keys = pd.Series([label_text(at_key(value, key), where, column) for where, value in raw[root].items()], raw.index)
    if (null := keys == "").any():
        raise refusal(f"{first_row(null)}, column '{column}'", "a name or a number", "null", "Fill or drop the row.")
    return keys.tolist()
