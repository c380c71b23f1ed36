"""Classification of one text or a pair: a softmax over the label names."""

from intertask.formats.pooled import Pooled


class Classification(Pooled):
    """Labels are ids in the order of the entry's `labels`."""

    @property
    def outputs(self):
        return len(self.entry.labels)
