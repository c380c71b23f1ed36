"""Sequence to sequence: a text to write. This version describes such a task and reads it, and cannot train it."""

from intertask.formats.answers import AnswerFormat
from intertask.formats.columns import as_text


class SequenceToSequence(AnswerFormat):
    """The label is the one accepted answer."""

    trainable = False

    def label_names(self, raw):
        return as_text(raw[self.entry.label]).map(lambda text: [text])
