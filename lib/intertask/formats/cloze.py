"""Cloze: every choice is put into the gap of a query and read beside the passage; the best is the answer.

ReCoRD (Zhang et al. 2018), whose choices are the passage's entities, several of which may be right.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from intertask.formats.answers import Answers
from intertask.formats.base import Encoded, spread
from intertask.formats.multiple_choice import MultipleChoice

GAP = "@placeholder"


@dataclass
class ClozeEncoded(Encoded):
    """With the choices of each example."""

    choices: list[list[str]] = field(default_factory=list)


class Cloze(MultipleChoice, Answers):
    """The loss is that of a softmax over the choices in which all right ones count as one."""

    def encode(self, rows, tokenizer, max_length):
        choices = [list(row) for row in rows["choices"]]
        return super().encode(rows, tokenizer, max_length, ClozeEncoded, choices=choices)

    def fill(self, text, choice):
        return text.replace(GAP, choice)

    def gold(self, encoded, index, batch):
        """`right`, shaped as `present`: the places of accepted answers."""
        right = [choice in encoded.labels[i] for i in index for choice in encoded.choices[i]]
        return {"right": torch.from_numpy(spread(np.array(right), batch["present"].numpy(), False))}

    def loss(self, logits, batch):
        right = logits.float().masked_fill(~batch["right"], -torch.inf)
        return (logits.float().logsumexp(1) - right.logsumexp(1)).mean()

    def predict(self, logits, encoded, index):
        return [encoded.choices[i][best] for i, best in zip(index, logits.argmax(axis=1), strict=True)]
