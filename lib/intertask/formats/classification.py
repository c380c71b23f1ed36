"""Classification of one text or a pair: a softmax over the label names."""

from torch.nn import functional

from intertask.formats.base import Format, PooledHead


class Classification(Format):
    """Labels are ids in the order of the entry's `labels`."""

    def head(self, encoder, pooling):
        return PooledHead(encoder, len(self.entry.labels), pooling)

    def loss(self, logits, labels):
        return functional.cross_entropy(logits.float(), labels)

    def predict(self, logits):
        return logits.argmax(axis=1)
