"""Language modelling from both sides: how ELMo is pretrained (Peters et al. 2018, section 3.1), and Wang 2019's LM."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from intertask.formats.base import frame, pad
from intertask.formats.heads import Head
from intertask.formats.vocabulary import VocabularyFormat


class BidirectionalLanguageModelling(VocabularyFormat):
    """From the forward state of each word the next is predicted, from the backward one that before it.

    Behind the last word, and before the first, stands the vocabulary's end; a word that it lacks counts as unknown.
    Labels are ids of the vocabulary; the perplexity is that of both directions together.
    """

    inputs = (1, 1)
    labelled = False
    keys = ("vocabulary_size",)
    figure = ""
    separate_directions = True

    def output_texts(self, rows):
        return rows[self.entry.inputs[0]].tolist()

    def encode(self, rows, tokenizer, max_length):
        """With the words `following` and `preceding` each, also where the text is cut."""
        encoded = super().encode(rows, tokenizer, max_length)
        ended, counts = self.ended(self.output_texts(rows)), np.diff(encoded.starts)
        following = np.concatenate([ids[1 : 1 + count] for ids, count in zip(ended, counts, strict=True)])
        preceding = np.concatenate([np.roll(ids, 1)[:count] for ids, count in zip(ended, counts, strict=True)])
        return replace(encoded, inputs=encoded.inputs | {"following": following, "preceding": preceding})

    def collate(self, encoded, index, tokenizer, rng):
        batch = pad(encoded, index, tokenizer)
        words = batch["attention_mask"].bool()
        return batch | {"labels": torch.cat([batch.pop(name)[words] for name in ("following", "preceding")])}

    def weight(self, encoded, index):
        return int((encoded.starts[index + 1] - encoded.starts[index]).sum())

    def head(self, encoder, pooling, dropout=None):
        return DirectionsHead(encoder.config.direction_size, len(self.vocabulary))

    def predictions(self, logits, encoded, index, batch):
        """One row per word and direction, of which no row number is kept."""
        (log_likelihood, chosen), labels = logits.astype(float).T, batch["labels"].cpu().numpy()
        rows = frame([-1] * len(labels), labels, chosen.astype(int))
        return rows.assign(tokens=1, right=labels == chosen, log_likelihood=log_likelihood)

    def token(self, label: int, tokenizer) -> str:
        """A label or prediction as text."""
        return self.vocabulary.text([label]) or "(end of the text)"

    def floor(self, rows):
        labels, likeliest = rows["label"].to_numpy().astype(int), self.frequencies.argmax()
        counts = {"tokens": 1, "right": labels == likeliest, "log_likelihood": self.frequencies[labels]}
        return self.score(rows.assign(prediction=likeliest, **counts))


class DirectionsHead(Head):
    """One layer to the vocabulary, for the states of both directions (Peters et al. 2018), which lie beside each other.

    In training it gives logits, (2 words, types), the forward ones first; else of each the log-probability of the right
    word and the likeliest word's id, (2 words, 2): all logits of a split are much to fetch.
    """

    def __init__(self, width: int, types: int):
        super().__init__()
        self.linear = nn.Linear(width, types)

    def forward(self, states: torch.Tensor, batch) -> torch.Tensor:
        words = states[batch["attention_mask"].bool()]
        logits = self.linear(torch.cat(words[:, : 2 * self.linear.in_features].chunk(2, dim=-1)))
        if self.training:
            return logits
        right = logits.float().log_softmax(-1).gather(-1, batch["labels"][:, None])
        return torch.cat([right, logits.argmax(-1, keepdim=True)], dim=-1)
