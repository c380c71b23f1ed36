"""What every format shares: tokenising, padding, pooling, and the head on top of an encoder."""

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from intertask.cache import remembered

LARGE = 5000
"""Sequences from which a split's token ids are kept for other runs: fewer are made anew in no time."""


@dataclass
class Encoded:
    """One split as token ids, the sequences one after another: sequence i of `inputs[name]` begins at starts[i].

    A sequence is an example, or one of the `choices[i]` of example i.
    """

    inputs: dict[str, np.ndarray]  # int32
    starts: np.ndarray  # one more than there are sequences
    rows: np.ndarray  # the row number of each example in its split, as in the data set
    labels: np.ndarray | None  # None if unlabelled
    truncated: int  # how many examples lost tokens to max_length
    choices: np.ndarray | None = None  # how many sequences each example has; None: one

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example; of its longest choice, if it has any."""
        lengths = np.diff(self.starts)
        return lengths if self.choices is None else np.maximum.reduceat(lengths, self.first_choices)

    @cached_property
    def first_choices(self) -> np.ndarray:
        """The number of each example's first sequence."""
        return np.cumsum(self.choices) - self.choices

    def sequences(self, index: np.ndarray) -> np.ndarray:
        """The numbers of all sequences of the examples at `index`."""
        if self.choices is None:
            return index
        firsts, counts = self.first_choices[index], self.choices[index]
        return np.concatenate([np.arange(at, at + count) for at, count in zip(firsts, counts, strict=True)])


class Format:
    """How the rows of a task become model inputs, a loss and predictions; a subclass per format, in a file of its own.

    `entry` is the task's catalogue entry: its inputs, label names, label range and metrics.
    """

    label_type = torch.long
    keeps_logits = True
    """Whether the logits are worth storing with the predictions (a vocabulary's are not)."""

    def __init__(self, entry):
        self.entry = entry

    def encode(self, rows, tokenizer, max_length: int) -> Encoded:
        """Tokenises a data frame of rows; pairs longer than max_length lose tokens of the longer text first."""
        inputs, starts, cut = tokens(self.texts(rows), tokenizer, max_length)
        labels = rows["label"].to_numpy() if "label" in rows else None
        choices = rows["choices"].map(len).to_numpy() if "choices" in rows else None
        encoded = Encoded(inputs, starts, rows.index.to_numpy(), labels, int(cut.sum()), choices)
        if choices is not None:
            encoded.truncated = int(np.logical_or.reduceat(cut, encoded.first_choices).sum())
        return encoded

    def texts(self, rows) -> list[list[str]]:
        """The one or two texts of every sequence, as one or two lists."""
        return [rows[column].tolist() for column in self.entry.inputs]

    def collate(self, encoded: Encoded, index, tokenizer, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """The examples at `index` as tensors of shape (batch, longest); `rng` serves formats that corrupt inputs."""
        batch = pad(encoded, encoded.sequences(index), tokenizer)
        if encoded.labels is not None:
            batch["labels"] = torch.as_tensor(encoded.labels[index], dtype=self.label_type)
        return batch

    def head(self, encoder: nn.Module, pooling: str) -> nn.Module:
        """A fresh task head: called with the encoder's outputs and the batch, it returns the logits."""
        raise NotImplementedError

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss over the batch: cross-entropy, where labels are ids."""
        return functional.cross_entropy(logits.float(), labels)

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Predictions in the labels' own terms, from logits of shape (examples, outputs): the likeliest id."""
        return logits.argmax(axis=1)

    def majority(self, labels: np.ndarray) -> np.ndarray:
        """The most frequent label for every example: what a degenerate run does not beat."""
        return np.full(len(labels), np.bincount(labels).argmax())


class PooledHead(nn.Module):
    """Dropout and one linear layer on one vector per example (Devlin et al. 2019, section 4.1)."""

    def __init__(self, encoder: nn.Module, outputs: int, pooling: str):
        super().__init__()
        config = encoder.config
        self.pooling = pooling
        self.dropout = nn.Dropout(getattr(config, "hidden_dropout_prob", 0.1))
        self.linear = nn.Linear(config.hidden_size, outputs)
        nn.init.normal_(self.linear.weight, std=getattr(config, "initializer_range", 0.02))
        nn.init.zeros_(self.linear.bias)

    def forward(self, outputs, batch) -> torch.Tensor:
        return self.linear(self.dropout(pool(outputs, batch["attention_mask"], self.pooling)))


def pool(outputs, attention_mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """(batch, tokens, width) to (batch, width): the `first` token, the encoder's own `pooler`, or the `mean`."""
    if pooling == "pooler":
        return outputs.pooler_output
    if pooling == "first":
        return outputs.last_hidden_state[:, 0]
    mask = attention_mask.unsqueeze(-1).to(outputs.last_hidden_state.dtype)
    return (outputs.last_hidden_state * mask).sum(1) / mask.sum(1)


def pad(encoded: Encoded, index: np.ndarray, tokenizer) -> dict[str, torch.Tensor]:
    """The sequences at `index`, padded on the right to the longest of them, and their attention mask."""
    starts, ends = encoded.starts[:-1][index], encoded.starts[1:][index]
    places = np.arange((ends - starts).max())
    mask = places < (ends - starts)[:, None]
    tokens = (starts[:, None] + places)[mask]
    batch = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
    for name, ids in encoded.inputs.items():
        padded = np.full(mask.shape, tokenizer.pad_token_id if name == "input_ids" else 0, dtype=np.int64)
        padded[mask] = ids[tokens]
        batch[name] = torch.from_numpy(padded)
    return batch


def tokens(texts: list[list[str]], tokenizer, max_length: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """`inputs` and `starts` of `Encoded`, and which sequences were cut; a large split's are shared by all runs."""

    def make():
        batch = tokenizer(*texts, truncation="longest_first", max_length=max_length, return_attention_mask=False)
        starts = np.cumsum([0, *map(len, batch["input_ids"])])
        inputs = {name: np.fromiter(chain.from_iterable(ids), np.int32, starts[-1]) for name, ids in batch.items()}
        return inputs, starts, np.array([bool(encoding.overflowing) for encoding in batch.encodings])

    if len(texts[0]) < LARGE:
        return make()
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state |= {"truncation": None, "padding": None}  # what its last call left there
    return remembered("tokens", [state, max_length, texts], make)
