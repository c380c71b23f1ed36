"""What the formats share whose labels are accepted answers and whose predictions are texts."""

from collections import Counter
from itertools import chain

import pandas as pd

from intertask.formats.base import Format, frame


class Answers(Format):
    """Labels are lists of accepted answers, a prediction is a text; scored by exact_match and token_f1."""

    label_dtype = object

    def labels(self, rows):
        return [list(answers) for answers in rows["label"]]

    def predictions(self, logits, encoded, index, batch):
        labels = [None if encoded.labels is None else encoded.labels[i] for i in index]
        return frame(encoded.rows[index], labels, self.predict(logits, encoded, index))

    def predict(self, logits, encoded, index) -> list[str]:
        """The text that is the model's answer to each of the examples at `index`."""
        raise NotImplementedError

    def majority(self, labels):
        """The most frequent answer for every example; of equals, the first in the alphabet."""
        counts = Counter(chain.from_iterable(labels))
        common = min(counts, key=lambda answer: (-counts[answer], answer))
        return pd.Series([common] * len(labels), index=labels.index, dtype=object)
