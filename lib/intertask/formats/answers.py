"""What the formats share whose labels are accepted answers and whose predictions are texts."""

from typing import Any

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.formats.base import Format, frame
from intertask.formats.columns import is_null, is_text, whole
from intertask.metrics import OF_ANSWERS, best_overlap

ANSWER_START = "answer_start"


class AnswerFormat(Format):
    """Labels are lists of accepted answers, a prediction is a text; scored by exact_match and token_f1."""

    metrics = OF_ANSWERS
    figure = "overlap"
    label_dtype = object

    question = 0
    """The place among the inputs of what is asked."""

    def label_names(self, raw):
        column = raw[self.entry.label]
        rows = [[text for text, _ in given_answers(value, where)] for where, value in column.items()]
        return pd.Series(rows, index=raw.index, name=column.name, dtype=object)

    def found_labels(self, splits):
        return None

    def numbered(self, frame, ids):
        return frame["label"].rename(self.entry.label)

    def shuffled(self, train, rng):
        """The answer stands in the row, so the questions are permuted instead."""
        column = self.entry.inputs[self.question]
        return train.assign(**{column: rng.permutation(train[column])})

    def predictions(self, logits, encoded, index, batch):
        return self.framed(self.predict(logits, encoded, index), encoded, index)

    def framed(self, said: list[str], encoded, index) -> pd.DataFrame:
        """What is said of each of the examples at `index`, as of `predictions`."""
        labels = np.nan if encoded.labels is None else encoded.labels[index]
        return frame(encoded.rows.index[index], labels, said)

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


def given_answers(value: Any, where: tuple[str, int]) -> list[tuple[str, int | None]]:
    """Each accepted answer of a cell with its place, if that is given; refused at `where` if it is none of these.

    A text, several, SQuAD's {text: [...], answer_start: [...]}, or a list of {text, answer_start}; null or "": none.
    """
    found = []
    if isinstance(value, str) and not value:
        return found
    for one in _several(value):
        texts, starts = [one], [None]
        if isinstance(one, dict):
            texts, starts = _several(one.get("text")), _several(one.get(ANSWER_START))
            starts = [None] * len(texts) if all(map(is_null, starts)) else starts
        elif is_null(one):
            continue
        if len(texts) != len(starts) or not all(map(is_text, texts)) or not all(map(_is_place, starts)):
            expected = f"answers: a text, several, or {{text, {ANSWER_START}}} with a whole number for each text"
            raise refusal(row_name(where), expected, f"{one!r:.80}", "Mend the row.")
        found += [(text, None if is_null(start) else whole(start)) for text, start in zip(texts, starts, strict=True)]
    return found


def _several(value: Any) -> list:
    return list(value) if isinstance(value, list | tuple | np.ndarray) else [value]


def _is_place(start: Any) -> bool:
    number = None if isinstance(start, str) else whole(start)
    return is_null(start) or (number is not None and number >= 0)
