"""What the formats share whose labels are accepted answers and whose predictions are texts."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from intertask.formats.base import Format, frame
from intertask.formats.columns import is_null, listed
from intertask.metrics import OF_ANSWERS, best_overlap


class AnswerFormat(Format):
    """Labels are lists of accepted answers, a prediction is a text; scored by exact_match and token_f1."""

    metrics = OF_ANSWERS
    figure = "overlap"
    label_dtype = object

    question = 0
    """The place among the inputs of what is asked."""

    def label_names(self, raw):
        return raw[self.entry.label].map(lambda value: [text for text, _ in given_answers(value)])

    def found_labels(self, splits):
        return None

    def numbered(self, frame):
        return frame["label"].rename(self.entry.label)

    def shuffled(self, train, rng):
        """The answer stands in the row, so the questions are permuted instead."""
        column = self.entry.inputs[self.question]
        return train.assign(**{column: rng.permutation(train[column])})

    def predictions(self, logits, encoded, index, batch):
        labels = np.nan if encoded.labels is None else encoded.labels[index]
        return frame(encoded.rows.index[index], labels, self.predict(logits, encoded, index))

    def predict(self, logits, encoded, index) -> list[str]:
        """The text that is the model's answer to each of the examples at `index`."""
        raise NotImplementedError

    def majority(self, labels):
        """The most frequent answer for every example; of equals, the first in the alphabet."""
        return pd.Series(labels.explode().mode()[0], index=labels.index, dtype=object)

    def shown(self, label):
        return label if isinstance(label, str) else " | ".join(label)

    def balance(self, rows, most):
        words = rows["label"].map(lambda answers: len(answers[0].split()))
        return {"answers each": f"{rows['label'].map(len).mean():.1f}", "words in an answer": f"{words.mean():.1f}"}

    def error(self, rows):
        return np.array([1 - best_overlap(*pair) for pair in zip(rows["label"], rows["prediction"], strict=True)])


def given_answers(value: Any) -> Iterable[tuple[str, int | None]]:
    """Each accepted answer with its place, if that is given: of a text, several, or SQuAD's {text, answer_start}."""
    if isinstance(value, dict):
        texts = listed(value, "text")
        return zip(texts, listed(value, "answer_start") or [None] * len(texts), strict=True)
    return [(text, None) for text in ([value] if isinstance(value, str) else listed(value)) if not is_null(text)]
