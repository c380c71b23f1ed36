"""What every format shares: tokenising, padding, pooling, and the head on top of an encoder."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass
class Encoded:
    """One split as token ids: `inputs[name][i]` is a list of ints as long as example i; `labels` None if unlabelled."""

    inputs: dict[str, list[list[int]]]
    rows: np.ndarray  # the row number of each example in its split, as in the data set
    labels: np.ndarray | None
    truncated: int  # how many examples lost tokens to max_length

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        return np.array([len(ids) for ids in self.inputs["input_ids"]])


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
        texts = [rows[column].tolist() for column in self.entry.inputs]
        batch = tokenizer(*texts, truncation="longest_first", max_length=max_length, return_attention_mask=False)
        truncated = sum(bool(encoding.overflowing) for encoding in batch.encodings)
        labels = rows["label"].to_numpy() if "label" in rows else None
        return Encoded(dict(batch), rows.index.to_numpy(), labels, truncated)

    def collate(self, encoded: Encoded, index, tokenizer, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """The examples at `index` as tensors of shape (batch, longest); `rng` serves formats that corrupt inputs."""
        batch = pad({name: [column[i] for i in index] for name, column in encoded.inputs.items()}, tokenizer)
        if encoded.labels is not None:
            batch["labels"] = torch.as_tensor(encoded.labels[index], dtype=self.label_type)
        return batch

    def head(self, encoder: nn.Module, pooling: str) -> nn.Module:
        """A fresh task head: called with the encoder's outputs and the batch, it returns the logits."""
        raise NotImplementedError

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss over the batch."""
        raise NotImplementedError

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Predictions in the labels' own terms, from logits of shape (examples, outputs)."""
        raise NotImplementedError

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


def pad(columns: dict[str, list[list[int]]], tokenizer) -> dict[str, torch.Tensor]:
    """Pads on the right to the longest example, and adds the attention mask."""
    lengths = np.array([len(ids) for ids in columns["input_ids"]])
    mask = np.arange(lengths.max()) < lengths[:, None]
    batch = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
    for name, column in columns.items():
        padded = np.full(mask.shape, tokenizer.pad_token_id if name == "input_ids" else 0, dtype=np.int64)
        padded[mask] = np.concatenate(column)
        batch[name] = torch.from_numpy(padded)
    return batch
