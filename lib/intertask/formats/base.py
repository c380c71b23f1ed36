"""What every format shares: tokenising, padding, pooling, and the head on top of an encoder."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from intertask.encoders import reads_ahead
from intertask.errors import IntertaskError
from intertask.formats.tokens import Tokens, tokens
from intertask.metrics import score


@dataclass
class Encoded:
    """One split as token ids, the sequences one after another: sequence i of `inputs[name]` begins at starts[i].

    A sequence is an example, or one of the `counts[i]` of example i: its choices, or the windows of its passage.
    """

    inputs: dict[str, np.ndarray]  # int32
    starts: np.ndarray  # one more than there are sequences
    rows: np.ndarray  # the row number of each example in its split, as in the data set
    labels: np.ndarray | list | None  # None if unlabelled
    truncated: int  # how many examples lost tokens to max_length
    counts: np.ndarray | None = None  # how many sequences each example has; None: one
    groups: np.ndarray | None = None  # which examples are scored as one; None: each by itself
    cut_spans: int = 0  # how many spans lost tokens to max_length
    features: np.ndarray | None = None  # what a frozen encoder makes of each sequence or, at `starts`, of each token

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example; of its longest sequence, if it has several."""
        lengths = np.diff(self.starts)
        return lengths if self.counts is None else np.maximum.reduceat(lengths, self.firsts)

    @cached_property
    def firsts(self) -> np.ndarray:
        """The number of each example's first sequence."""
        return np.cumsum(self.counts) - self.counts

    def sequences(self, index: np.ndarray) -> np.ndarray:
        """The numbers of all sequences of the examples at `index`."""
        return index if self.counts is None else ranges(self.firsts[index], self.counts[index])


class Format:
    """How the rows of a task become model inputs, a loss and predictions; a subclass per format, in a file of its own.

    `entry` is the task's catalogue entry: its inputs, label names, label range and metrics. `both_orders`: the pairs of
    a task whose entry is `symmetric` are read in both orders (Radford et al. 2018, section 3.3); others as ever.
    """

    label_type = torch.long
    label_dtype: type = np.int64
    keeps_logits = True
    """Whether the logits are worth storing with the predictions (a vocabulary's are not)."""

    corrupts = False
    """Whether an example is read otherwise every time, so that nothing of it can be kept."""

    def __init__(self, entry, both_orders: bool = False):
        self.entry = entry
        self.both_orders = both_orders and entry.symmetric

    def encode(self, rows: pd.DataFrame, tokenizer, max_length: int) -> Encoded:
        """Tokenises a data frame of rows; pairs longer than max_length lose tokens of the longer text first."""
        return self.encoded(rows, tokens(self.texts(rows), tokenizer, max_length))

    def encoded(self, rows: pd.DataFrame, read: Tokens, kind: type[Encoded] = Encoded, **more) -> Encoded:
        """The split as token ids with what its rows say of each example."""
        groups = rows["group"].to_numpy() if "group" in rows else None
        labels = self.labels(rows) if "label" in rows else None
        rest = {"groups": groups} | more
        return kind(read.inputs, read.starts, rows.index.to_numpy(), labels, int(read.cut.sum()), **rest)

    def texts(self, rows: pd.DataFrame) -> list[Sequence[str]]:
        """The one or two texts of every sequence, as one or two columns; inputs after the first are joined."""
        first, *others = (rows[column] for column in self.entry.inputs)
        return [first, others[0].str.cat(others[1:], sep=" ") if others[1:] else others[0]] if others else [first]

    def labels(self, rows: pd.DataFrame) -> np.ndarray | list:
        return rows["label"].to_numpy()

    def collate(self, encoded: Encoded, index, tokenizer, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """The examples at `index` as tensors of shape (batch, longest); `rng` serves formats that corrupt inputs."""
        batch = pad(encoded, encoded.sequences(index), tokenizer)
        batch |= self.layout(encoded, index, batch)
        return batch if encoded.labels is None else batch | self.gold(encoded, index, batch)

    def layout(self, encoded: Encoded, index, batch) -> dict[str, torch.Tensor]:
        """What the head must know of the examples at `index` beside their tokens."""
        return {}

    def gold(self, encoded: Encoded, index, batch) -> dict[str, torch.Tensor]:
        """What the loss compares the logits of the examples at `index` with."""
        return {"labels": torch.as_tensor(encoded.labels[index], dtype=self.label_type)}

    def head(self, encoder: nn.Module, pooling: str, dropout: float | None = None) -> nn.Module:
        """A fresh task head; `dropout` 0–1 of what it reads, None: as the encoder's or, of spans, the head's paper.

        Its `reads` takes from the encoder's outputs and the batch what it needs, without weights of its own: one vector
        per sequence, or one per token; called with that and the batch, it returns the logits.
        """
        raise NotImplementedError

    def loss(self, logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean loss over the batch: cross-entropy, where labels are ids."""
        return functional.cross_entropy(logits.float(), batch["labels"])

    def predictions(self, logits: np.ndarray, encoded: Encoded, index: np.ndarray, batch) -> pd.DataFrame:
        """One row per prediction for the examples at `index`, as of `frame`; the label is missing where unlabelled."""
        labels = np.nan if encoded.labels is None else encoded.labels[index]
        return frame(encoded.rows[index], labels, self.predict(logits), logits if self.keeps_logits else None)

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Predictions in the labels' own terms, from logits of shape (examples, outputs): the likeliest id."""
        return logits.argmax(axis=1)

    def majority(self, labels: pd.Series) -> pd.Series:
        """The most frequent label for every prediction: what a degenerate run does not beat; of equals, the lowest."""
        if labels.empty:
            return labels
        counts = Counter(map(repr, labels))
        common = min(counts, key=lambda label: (-counts[label], label))
        label = next(label for label in labels if repr(label) == common)
        return pd.Series([label] * len(labels), index=labels.index, dtype=labels.dtype)

    def score(self, rows: pd.DataFrame) -> dict[str, float]:
        """Every metric and `main`, 0–100, of a frame of predictions (see `metrics.score`)."""
        labels, predictions = (rows[name].to_numpy().astype(self.label_dtype) for name in ("label", "prediction"))
        return score(self.entry.metrics, labels, predictions, rows.get("group"))


class PooledHead(nn.Module):
    """Dropout and one linear layer on one vector per sequence (Devlin et al. 2019, section 4.1)."""

    def __init__(self, encoder: nn.Module, outputs: int, pooling: str, dropout: float | None = None):
        super().__init__()
        if pooling == "first" and not reads_ahead(encoder):
            raise IntertaskError(
                f"pooling: first, but {type(encoder).__name__} reads from left to right: its first token knows nothing "
                "of the rest. Use last or mean."
            )
        self.pooling = pooling
        self.dropout = nn.Dropout(rate(encoder, dropout))
        self.linear = linear(encoder, outputs)

    def reads(self, outputs, batch) -> torch.Tensor:
        return pool(outputs, batch["attention_mask"], self.pooling)

    def forward(self, vectors: torch.Tensor, batch) -> torch.Tensor:
        return self.linear(self.dropout(vectors))


class TokenHead(nn.Module):
    """Dropout and one linear layer on every token (Devlin et al. 2019, sections 4.2 and 5.3)."""

    def __init__(self, encoder: nn.Module, outputs: int, dropout: float | None = None):
        super().__init__()
        self.dropout = nn.Dropout(rate(encoder, dropout))
        self.linear = linear(encoder, outputs)

    def reads(self, outputs, batch) -> torch.Tensor:
        return outputs.last_hidden_state

    def forward(self, hidden: torch.Tensor, batch) -> torch.Tensor:
        return self.linear(self.dropout(hidden))


def rate(encoder: nn.Module, dropout: float | None) -> float:
    """The dropout given or, where None, the encoder's own, which has other names in GPT-2 and DistilBERT; else 0.1."""
    names = ("hidden_dropout_prob", "resid_pdrop", "dropout")
    own = (getattr(encoder.config, name) for name in names if hasattr(encoder.config, name))
    return next(own, 0.1) if dropout is None else dropout


def linear(encoder: nn.Module, outputs: int) -> nn.Linear:
    """A layer on the encoder's width, drawn as the encoder's own were."""
    layer = nn.Linear(encoder.config.hidden_size, outputs)
    nn.init.normal_(layer.weight, std=getattr(encoder.config, "initializer_range", 0.02))
    nn.init.zeros_(layer.bias)
    return layer


def pool(outputs, attention_mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """(batch, tokens, width) to (batch, width): the `first` or the `last` token, the encoder's `pooler`, or the `mean`.

    The last is the last that is no padding, which stands on the right.
    """
    if pooling == "pooler":
        return outputs.pooler_output
    if pooling == "first":
        return outputs.last_hidden_state[:, 0]
    if pooling == "last":
        last = attention_mask.sum(1) - 1
        return outputs.last_hidden_state[torch.arange(len(last), device=last.device), last]
    mask = attention_mask.unsqueeze(-1).to(outputs.last_hidden_state.dtype)
    return (outputs.last_hidden_state * mask).sum(1) / mask.sum(1)


def pad(encoded: Encoded, index: np.ndarray, tokenizer) -> dict[str, torch.Tensor]:
    """The sequences at `index`, padded on the right to the longest of them, and their attention mask."""
    starts, ends = encoded.starts[:-1][index], encoded.starts[1:][index]
    places = np.arange((ends - starts).max())
    mask = places < (ends - starts)[:, None]
    at = (starts[:, None] + places)[mask]
    batch = {"attention_mask": torch.from_numpy(mask.astype(np.int64))}
    for name, ids in encoded.inputs.items():
        batch[name] = torch.from_numpy(
            spread(ids[at].astype(np.int64), mask, tokenizer.pad_token_id or 0 if name == "input_ids" else 0)
        )
    if encoded.features is not None:
        of_tokens = len(encoded.features) == encoded.starts[-1]
        batch["features"] = torch.from_numpy(
            spread(encoded.features[at], mask, 0) if of_tokens else encoded.features[index]
        )
    return batch


def spread(values: np.ndarray, mask: np.ndarray, fill: float) -> np.ndarray:
    """The values in the places where `mask` is true, in their order; `fill` elsewhere."""
    padded = np.full((*mask.shape, *values.shape[1:]), fill, dtype=values.dtype)
    padded[mask] = values
    return padded


def ranges(firsts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The numbers first, first + 1 … of each range, one range after another."""
    ends = np.cumsum(counts)
    return np.repeat(firsts - ends + counts, counts) + np.arange(ends[-1] if len(ends) else 0)


def frame(rows, labels, predictions, logits=None) -> pd.DataFrame:
    """The columns of a frame of predictions; each value of `predictions` and `logits` is one cell."""
    return pd.DataFrame(
        {
            "row": rows,
            "label": labels,
            "prediction": predictions,
            "logits": [None] * len(rows) if logits is None else list(logits),
        }
    )
