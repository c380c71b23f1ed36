"""Cloze: every choice is put into the gap of a query and read beside the passage; the best is the answer.

ReCoRD (Zhang et al. 2018), whose choices are the passage's entities, several of which may be right.
"""

import numpy as np
import torch

from intertask.errors import refusal, row_name
from intertask.formats.answers import AnswerFormat
from intertask.formats.base import spread
from intertask.formats.multiple_choice import MultipleChoice

GAP = "@placeholder"


class Cloze(AnswerFormat, MultipleChoice):
    """The loss is that of a softmax over the choices in which all right ones count as one."""

    inputs = (2, 2)
    keys = ("choices",)
    one_label = False
    shared_head = None
    question = 1

    def columns(self, raw, labels):
        """Refuses a row without a gap, and one of which no choice is an accepted answer."""
        columns = super().columns(raw, labels)
        query = self.entry.inputs[self.question]
        for where, text in columns[query].items():
            if GAP not in text:
                remedy = f"Write {GAP} where the choice belongs."
                raise refusal(f"{row_name(where)}, column '{query}'", f"the gap {GAP}", f"{text!r:.80}", remedy)
        if labels is not None:
            for where, given, right in zip(raw.index, columns["choices"], labels, strict=True):
                if not set(given) & set(right):
                    expected = "an answer that is among the choices"
                    raise refusal(row_name(where), expected, repr(right)[:80], "Mend or drop the row.")
        return columns

    def fill(self, text, choice):
        return text.replace(GAP, choice)

    def gold(self, encoded, index, batch):
        """`right`, shaped as `present`: the places of accepted answers."""
        choices = encoded.rows["choices"].iloc[index]
        pairs = zip(choices, encoded.labels[index], strict=True)
        right = [choice in answers for row, answers in pairs for choice in row]
        return {"right": torch.from_numpy(spread(np.array(right), batch["present"].numpy(), False))}

    def loss(self, logits, batch):
        right = logits.float().masked_fill(~batch["right"], -torch.inf)
        return (logits.float().logsumexp(1) - right.logsumexp(1)).mean()

    def predict(self, logits, encoded, index):
        choices = encoded.rows["choices"].iloc[index]
        return [row[best] for row, best in zip(choices, logits.argmax(axis=1), strict=True)]
