"""Classification of one text or a pair: a softmax over the label names."""

from intertask.formats.base import Format, PooledHead


class Classification(Format):
    """Labels are ids in the order of the entry's `labels`."""

    def head(self, encoder, pooling):
        return PooledHead(encoder, len(self.entry.labels), pooling)
