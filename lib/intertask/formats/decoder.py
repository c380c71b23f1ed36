"""The head that writes: one layer of an LSTM over the words that it has written (Wang et al. 2019, section 5, B)."""

import torch
from torch import nn
from torch.nn import functional

from intertask.encoders.pretrained import reads_ahead
from intertask.encoders.word_tokenizer import reads_words
from intertask.formats.heads import Head, rate

NO_TOKEN = -100
"""What stands in a batch's labels where there is no token; cross-entropy leaves it out."""


class Decoder(Head):
    """An LSTM as wide as the encoder's states; a projection halves what it gives, and a softmax chooses the word.

    It begins with the largest of the encoder's states in each place or, where the encoder's first token is for the
    whole text ([CLS]), with its state. With `attention` the projection reads beside it the mean of the encoder's
    states, weighted by their bilinear product with it (Luong et al. 2015, "general"). Of the size of its embeddings
    the paper says nothing: half of the states' as well.

    end: the id that ends a text and comes before its first word, the last of the vocabulary; longest: words that it
    writes by itself, at most.
    """

    def __init__(self, encoder: nn.Module, end: int, longest: int, attention: bool, dropout: float | None = None):
        super().__init__()
        size = encoder.config.hidden_size
        self.end, self.longest = end, longest
        self.first = not reads_words(encoder.config) and reads_ahead(encoder)
        self.embedding = nn.Embedding(end + 1, size // 2)
        self.lstm = nn.LSTM(size // 2, size, batch_first=True)
        self.attention = nn.Linear(size, size, bias=False) if attention else None
        self.projection = nn.Linear(2 * size if attention else size, size // 2)
        self.output = nn.Linear(size // 2, end + 1)
        self.dropout = nn.Dropout(rate(encoder, dropout))

    def forward(self, states: torch.Tensor, batch) -> torch.Tensor:
        """In training (examples, words, vocabulary): the logits of each word after the right ones before it.

        Else (examples, words, 3): of each word of `labels` its log-probability and whether it is the likeliest, as 1 or
        0, NaN where there is none; and the id that stands there where the likeliest word goes on what was written.
        """
        mask = batch["attention_mask"].bool()
        if self.training:
            return self._forced(batch["labels"], states, mask)
        written = self.write(states, mask).float()
        known = written.new_full((*written.shape, 2), torch.nan)
        if "labels" in batch:
            labels = batch["labels"]
            logits = self._forced(labels, states, mask)
            right = (logits.argmax(-1) == labels).float()
            wrong = functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), reduction="none")
            known = torch.stack([-wrong.view_as(right), right], -1)
            known = known.masked_fill((labels == NO_TOKEN)[..., None], torch.nan)
        longest = max(known.shape[1], written.shape[1])
        known = functional.pad(known, (0, 0, 0, longest - known.shape[1]), value=torch.nan)
        written = functional.pad(written, (0, longest - written.shape[1]), value=self.end)
        return torch.cat([known, written[..., None]], -1)

    def write(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(examples, words): the likeliest word, and again, until each text has ended, or is as long as can be."""
        before, state = mask.new_full((len(states), 1), self.end, dtype=torch.long), self._start(states, mask)
        ended, written = torch.zeros_like(before, dtype=torch.bool), []
        while len(written) < self.longest and not ended.all():
            logits, state = self._step(before, state, states, mask)
            before = logits.argmax(-1).masked_fill(ended, self.end)
            ended = ended | (before == self.end)
            written.append(before)
        return torch.cat(written, 1)

    def _forced(self, labels: torch.Tensor, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        before = functional.pad(labels, (1, -1), value=self.end)
        return self._step(before, self._start(states, mask), states, mask)[0]

    def _start(self, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = states[:, 0] if self.first else states.masked_fill(~mask[..., None], -torch.inf).amax(1)
        first = first.float()
        return first[None].contiguous(), torch.zeros_like(first)[None]

    def _step(self, before: torch.Tensor, state, states: torch.Tensor, mask: torch.Tensor):
        """The logits of the words that follow each of `before`, (examples, words), and the state after the last."""
        given = self.dropout(self.embedding(before.clamp(min=0)))
        with torch.autocast(given.device.type, enabled=False):  # oneDNN has no LSTM in float16 for every processor
            found, state = self.lstm(given, state)
        if self.attention:
            like = self.attention(found) @ states.transpose(1, 2)
            weights = like.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
            found = torch.cat([found, weights @ states], -1)
        return self.output(self.projection(self.dropout(found))), state
