"""Multiple choice: every choice is read beside the context, one output each, a softmax over the choices of an example.

As Devlin et al. 2019 do for SWAG (section 4.4) and Pruksachatkun et al. 2020 for the question-answering tasks.
"""

from itertools import chain

import numpy as np
import torch

from intertask.formats.base import Format, PooledHead


class MultipleChoice(Format):
    """Labels are places among the choices; the places that an example with fewer choices lacks have logits of -inf."""

    def texts(self, rows):
        """A sequence per choice: the first input against the choice, with the second input, if any, before it."""
        counts = rows["choices"].map(len).to_numpy()
        first, *question = (np.repeat(rows[column].to_numpy(), counts).tolist() for column in self.entry.inputs)
        second = list(chain.from_iterable(rows["choices"]))
        if question:
            second = [f"{asked} {choice}" for asked, choice in zip(*question, second, strict=True)]
        return [first, second]

    def collate(self, encoded, index, tokenizer, rng):
        """With `present`, of shape (examples, most choices): the places that have a sequence, in their order."""
        places = np.arange(len(self.entry.labels))
        present = torch.from_numpy(places < encoded.choices[index][:, None])
        return super().collate(encoded, index, tokenizer, rng) | {"present": present}

    def head(self, encoder, pooling):
        return ChoiceHead(encoder, 1, pooling)


class ChoiceHead(PooledHead):
    """One output per sequence, put in the places of its example's choices: (examples, most choices)."""

    def forward(self, outputs, batch):
        scores = super().forward(outputs, batch).squeeze(1)
        return torch.full_like(batch["present"], -torch.inf, dtype=scores.dtype).masked_scatter(
            batch["present"], scores
        )
