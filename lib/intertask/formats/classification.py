"""Classification of one text or a pair: a softmax over the label names."""

import pandas as pd

from intertask.formats.columns import at_key, infer_labels
from intertask.formats.pooled import PooledFormat
from intertask.metrics import OF_CLASSES


class Classification(PooledFormat):
    """Labels are ids in the order of the entry's `labels`."""

    metrics = OF_CLASSES
    default_metrics = ("accuracy",)
    keys = ("labels", "group", "symmetric")
    one_label = True
    comparable = True

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
            roots = [column.partition(".") for column in self.entry.group]
            keys = zip(*([at_key(value, key) for value in raw[root]] for root, _, key in roots), strict=True)
            numbers = pd.factorize(pd.Series(list(keys), dtype=object))[0]
            columns["group"] = pd.Series(numbers, index=raw.index)
        return columns

    def found_labels(self, splits):
        return infer_labels(splits["train"]["label"].rename(self.entry.label))
