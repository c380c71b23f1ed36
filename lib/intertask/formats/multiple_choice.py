"""Multiple choice: every choice is read beside the context, one output each, a softmax over the choices of an example.

As Devlin et al. 2019 do for SWAG (section 4.4) and Pruksachatkun et al. 2020 for the question-answering tasks.
"""

import numpy as np
import torch
from torch.nn import functional

from intertask.formats.base import Encoded, Format, PooledHead, pad, tokens


class MultipleChoice(Format):
    """Labels are places among the choices; the places that an example with fewer choices lacks have logits of -inf."""

    def encode(self, rows, tokenizer, max_length):
        """A sequence per choice: the first input against the choice, with the second input, if any, before it."""
        counts = rows["choices"].map(len).to_numpy()
        first, *question = (np.repeat(rows[column].to_numpy(), counts).tolist() for column in self.entry.inputs)
        second = [choice for choices in rows["choices"] for choice in choices]
        if question:
            second = [f"{asked} {choice}" for asked, choice in zip(*question, second, strict=True)]
        inputs, starts, cut = tokens([first, second], tokenizer, max_length)
        labels = rows["label"].to_numpy() if "label" in rows else None
        encoded = Encoded(inputs, starts, rows.index.to_numpy(), labels, 0, counts)
        encoded.truncated = int(np.logical_or.reduceat(cut, encoded.first_choices).sum())
        return encoded

    def collate(self, encoded, index, tokenizer, rng):
        """The sequences of the examples at `index`; `present`, of shape (examples, most choices), has their places."""
        counts, firsts = encoded.choices[index], encoded.first_choices[index]
        sequences = np.concatenate([np.arange(at, at + count) for at, count in zip(firsts, counts, strict=True)])
        batch = pad(encoded, sequences, tokenizer)
        batch["present"] = torch.from_numpy(np.arange(len(self.entry.labels)) < counts[:, None])
        if encoded.labels is not None:
            batch["labels"] = torch.as_tensor(encoded.labels[index], dtype=self.label_type)
        return batch

    def head(self, encoder, pooling):
        return ChoiceHead(encoder, 1, pooling)

    def loss(self, logits, labels):
        return functional.cross_entropy(logits.float(), labels)

    def predict(self, logits):
        return logits.argmax(axis=1)


class ChoiceHead(PooledHead):
    """One output per sequence, put in the places of its example's choices: (examples, most choices)."""

    def forward(self, outputs, batch):
        scores = super().forward(outputs, batch).squeeze(1)
        return torch.full_like(batch["present"], -torch.inf, dtype=scores.dtype).masked_scatter(
            batch["present"], scores
        )
