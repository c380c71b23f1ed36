"""What every format shares: columns of the data to token ids, batches, a loss, predictions and their display."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from intertask.errors import refusal
from intertask.formats.columns import as_text, label_ids, label_text
from intertask.formats.tokens import Tokens, bounds, tokens, unknown_share
from intertask.metrics import score

JUDGED_BY = 1000
"""Rows by which a tokenizer is judged."""


@dataclass(kw_only=True)
class Encoded(Tokens):
    """One split as token ids: a sequence is an example, or one of its choices, of its windows or of its two orders."""

    rows: pd.DataFrame  # the split, indexed by the row numbers in the data set
    labels: np.ndarray | None  # of each prediction; None: the split is unlabelled
    targets: np.ndarray | None = None  # where the targets of each example begin; None: an example is its only target
    spans: np.ndarray | None = None  # (targets, spans, 2): [start, end) in tokens of the sequence
    cut_spans: np.ndarray | None = None  # (targets, spans): which of them lost tokens to max_length
    written: list[np.ndarray] | None = None  # of each example, the ids that its model is to write
    features: np.ndarray | None = None  # what a frozen encoder makes of each sequence or, at `starts`, of each token

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def firsts(self) -> np.ndarray:
        """Where the sequences of each example begin, if it has several."""
        return bounds(self.counts)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example; of its longest sequence, if it has several."""
        lengths = np.diff(self.starts)
        return lengths if self.counts is None else np.maximum.reduceat(lengths, self.firsts[:-1])

    @property
    def truncated(self) -> int:
        """How many examples lost tokens to max_length."""
        cut = self.cut if self.counts is None else np.logical_or.reduceat(self.cut, self.firsts[:-1])
        return int(cut.sum())

    def sequences(self, index: np.ndarray) -> np.ndarray:
        """The numbers of all sequences of the examples at `index`."""
        return index if self.counts is None else parts(self.firsts, index)[0]

    def followed(self, index: np.ndarray) -> int:
        """Of all sequences of the examples at `index`, the tokens that are followed by another."""
        sequences = self.sequences(index)
        return int((self.starts[sequences + 1] - self.starts[sequences] - 1).sum())

    def targets_of(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of all targets of the examples at `index`, and of each target its example's place there."""
        return (index, np.arange(len(index))) if self.targets is None else parts(self.targets, index)


class Format:
    """How the columns of a task become rows, model inputs, a loss, predictions and what is shown of them.

    A subclass per format, in a file of its own: everything that is said of a format is said there. `entry` is the
    task's entry, with its label names once they are known. `both_orders`: the pairs of a task whose entry is
    `symmetric` are read in both orders (Radford et al. 2018, section 3.3); others as ever. `classifier`: of the formats
    that read one vector per sequence, see `heads.SentenceHead`.
    """

    # What an entry of the format may say.
    metrics: Sequence[str] = ("accuracy",)
    default_metrics: Sequence[str] | None = None  # of an entry that names none; None: all
    inputs = (1, 9)  # the fewest and the most text columns
    labelled = True  # whether there must be a label column, or must be none
    keys: Sequence[str] = ()  # of those that not every format knows
    needs: Sequence[str] = ()  # of `keys`, what must be given

    # What its labels are.
    label_type = torch.long
    label_dtype: type = np.int64
    one_label = False  # an example has exactly one, an id: a held-out part then has as many of each
    group = "group"  # the column of predictions that says which of them a metric takes together
    several_columns = False  # the entry may name a column of 0 and 1 for each of them
    several_targets = False  # an example holds targets, each with a list of labels: the column holds lists of lists

    # What it can do.
    comparable = False  # a model can be scored on another task of the format with the same labels
    pools = False  # its head reads one vector per sequence, as `pooling` says
    corrupts = False  # an example is read otherwise every time, so that nothing of it can be kept
    tied = False  # its head is the encoder's input embeddings, and has no weights of its own
    separate_directions = False  # what it predicts of one side must not be seen from the other
    needs_room = False  # `encode` refuses a max_length that cuts too much
    keeps_logits = True  # they are worth storing with the predictions (a vocabulary's are not)
    thresholds_within: tuple[float, float] | None = None  # where one for predictions lies; None: it has none
    writes = False  # its predictions are texts that a model makes up
    baseline = "the majority's"  # whose scores `floor` gives
    shared_head: str | None = None  # key of the head that tasks of the same shape may share (Weller et al. 2022, code)
    figure = "confusion"  # what is drawn of the predictions: confusion, label_f1, scatter, overlap, or nothing

    def __init__(self, entry, both_orders: bool = False, classifier: str = "linear"):
        self.entry = entry
        self.both_orders = both_orders and entry.symmetric
        self.classifier = classifier

    def label_names(self, raw: pd.DataFrame) -> pd.Series:
        """The labels of a raw frame as names: one per row or, where a row has several, lists of them."""
        column = raw[self.entry.label]
        names = [label_text(value, where, column.name) for where, value in column.items()]
        return pd.Series(names, index=column.index, name=column.name, dtype="str")

    def columns(self, raw: pd.DataFrame, labels: pd.Series | None) -> dict[str, pd.Series]:
        """What is read of a raw frame beside labels and tags: the inputs as text, and what the format has besides.

        `labels`: the names, of which a format may ask that they fit; None: the split is unlabelled.
        """
        return {column: as_text(raw[column]) for column in self.entry.inputs}

    def found_labels(self, splits: dict[str, pd.DataFrame]) -> list[str] | None:
        """The label names, in id order, of an entry that does not list them; None: the labels have no names."""
        return None

    def numbered(self, frame: pd.DataFrame, ids: dict[str, int]) -> pd.Series:
        """The column `label` as what is trained on, ids or values; `ids` of what it says, where labels have names."""
        return label_ids(frame["label"].rename(self.entry.label), ids)

    def shuffled(self, train: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """The rows with their labels permuted: the negative control that keeps texts and label counts."""
        return train.assign(label=rng.permutation(train["label"]))

    def learn(self, train: pd.DataFrame, known: str = "") -> None:
        """Learns what it needs of the training split, before any limit, and before anything is encoded.

        known: what a parent's format had `learned`, of which the head that training starts from speaks.
        """

    @property
    def learned(self) -> str:
        """What it learned of the training split, as it is stored with the run; empty: nothing."""
        return ""

    def encode(self, rows: pd.DataFrame, tokenizer, max_length: int) -> Encoded:
        """Tokenises a data frame of rows; pairs longer than max_length lose tokens of the longer text first."""
        return self.encoded(rows, replace(tokens(self.texts(rows), tokenizer, max_length), counts=self.counts(rows)))

    def encoded(self, rows: pd.DataFrame, read: Tokens, **more) -> Encoded:
        """The split as token ids with what its rows say of each example."""
        return Encoded(**vars(read), rows=rows, labels=self.labels(rows) if "label" in rows else None, **more)

    def unknown_share(self, rows: pd.DataFrame, tokenizer) -> float:
        """The share 0 to 1 of tokens that the tokenizer does not know, in the first rows: as many as tell."""
        return unknown_share(self.texts(rows.head(JUDGED_BY)), tokenizer)

    def counts(self, rows: pd.DataFrame) -> np.ndarray | None:
        """How many sequences each example is read as; None: one."""
        return None

    def texts(self, rows: pd.DataFrame) -> list[Sequence[str]]:
        """The one or two texts of every sequence, as one or two columns; inputs after the first are joined."""
        first, *others = (rows[column] for column in self.entry.inputs)
        return [first, others[0].str.cat(others[1:], sep=" ") if others[1:] else others[0]] if others else [first]

    def labels(self, rows: pd.DataFrame) -> np.ndarray:
        """The label, or list of labels, of each prediction."""
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
        return {"labels": torch.as_tensor(encoded.labels[encoded.targets_of(index)[0]], dtype=self.label_type)}

    def terms(self, encoded: Encoded, index: np.ndarray) -> int:
        """Of how many terms the loss of the examples at `index` is the mean: by it parts of a batch are weighed."""
        return len(encoded.targets_of(index)[0])

    def head(self, encoder: nn.Module, pooling: str, dropout: float | None = None) -> nn.Module:
        """A fresh `heads.Head`; `dropout` 0–1 of what it reads, None: as the encoder's or, of spans, their paper's."""
        raise NotImplementedError

    def loss(self, logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean loss over the batch: cross-entropy, where labels are ids."""
        return functional.cross_entropy(logits.float(), batch["labels"])

    def predictions(self, logits: np.ndarray, encoded: Encoded, index: np.ndarray, batch) -> pd.DataFrame:
        """One row per prediction for the examples at `index`, as of `frame`; the label is missing where unlabelled."""
        targets, at = encoded.targets_of(index)
        labels = np.nan if encoded.labels is None else encoded.labels[targets]
        rows = encoded.rows.index[index][at]
        return frame(rows, labels, self.predict(logits), logits if self.keeps_logits else None)

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Predictions in the labels' own terms, from logits of shape (examples, outputs): the likeliest id."""
        return logits.argmax(axis=1)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Of each label, 0–1, from logits of shape (predictions, labels): a softmax."""
        from scipy.special import softmax  # half a second of import, which most runs need not pay

        return softmax(logits, axis=1)

    def majority(self, labels: pd.Series) -> pd.Series:
        """The most frequent label for every prediction: what a degenerate run does not beat; of equals, the lowest."""
        return pd.Series(labels.mode()[0], index=labels.index)

    def score(self, rows: pd.DataFrame) -> dict[str, float]:
        """Every metric and `main`, 0–100, of a frame of predictions (see `metrics.score`)."""
        labels, predictions = (rows[name].to_numpy().astype(self.label_dtype) for name in ("label", "prediction"))
        groups = rows[self.group].to_numpy() if self.group in rows else None
        return score(self.entry.metrics, labels, predictions, groups, self.entry.labels)

    def details(self, rows: pd.DataFrame) -> dict[str, float]:
        """What there is to say of a frame of predictions beside its scores."""
        return {}

    def decisions(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, Sequence[str] | None]:
        """What is counted right or wrong in a frame of predictions, one row each, and the names of its ids."""
        return rows, self.entry.labels

    def floor(self, rows: pd.DataFrame) -> dict[str, float]:
        """The scores that a degenerate run does not beat: those of the majority, on a frame of predictions."""
        return self.score(rows.assign(prediction=self.majority(rows["label"])))

    def ids(self, labels: pd.Series) -> pd.Series:
        """The ids of all labels of a split, those of an example's several targets one after another."""
        return labels

    def shown(self, label) -> str:
        """A label or prediction as text: the names of its ids, its answers, a number."""
        return ", ".join(self.entry.labels[int(i)] for i in np.atleast_1d(label)) or "none"

    def shares(self, labels: pd.Series) -> pd.Series:
        """Of each id that occurs, its share of all, 0 to 1."""
        return self.ids(labels).value_counts(normalize=True)

    def balance(self, rows: pd.DataFrame, most: Sequence[int]) -> dict[str, str]:
        """How the labels of a split are distributed: each of the ids `most` in percent, and the others together."""
        names, shares = self.entry.labels, 100 * self.shares(rows["label"])
        percent = {f"% {names[i]}": shares.get(i, 0.0) for i in most}
        if rest := len(names) - len(most):
            percent[f"% {rest} other labels"] = shares.sum() - sum(percent.values())
        return {name: f"{share:.1f}" for name, share in percent.items()}

    def written(self, predictions: pd.Series, where: str, names: bool) -> list:
        """Predictions as a leaderboard's file has them, ids or `names`; refused, at `where`, if one is no label."""
        if illegal := set(predictions) - set(range(len(self.entry.labels))):
            known = ", ".join(f"{i} ({name})" for i, name in enumerate(self.entry.labels))
            raise refusal(where, f"the labels {known}", f"{min(illegal)}", "Predict with a run of this task.")
        return [self.entry.labels[int(i)] if names else int(i) for i in predictions]

    def text_of_span(self, k: int) -> int:
        """The place among the inputs of the text that holds span `k` of a target."""
        return k % len(self.entry.inputs)

    def tagged(self, text: str, spans, label) -> str | None:
        """The text with its label's parts in their places, where they have such; None: the label stands beside it."""
        return None

    def error(self, rows: pd.DataFrame) -> np.ndarray:
        """By how much each prediction is wrong, 0 if it is right: how far the wrong label's logit is above the right's;
        1 where no logits are kept."""
        if rows["logits"].isna().all():
            return (rows["label"] != rows["prediction"]).to_numpy().astype(float)
        logits = np.stack(rows["logits"].to_numpy())
        gold, given = (hot(rows[name], logits.shape[1]) for name in ("label", "prediction"))
        return np.where(given, logits, -np.inf).max(axis=1) - np.where(gold, logits, -np.inf).max(axis=1)


def pad(encoded: Encoded, index: np.ndarray, tokenizer) -> dict[str, torch.Tensor]:
    """The sequences at `index`, padded on the right to the longest of them, and their attention mask."""
    starts, ends = encoded.starts[:-1][index], encoded.starts[1:][index]
    places = np.arange((ends - starts).max())
    mask = places < (ends - starts)[:, None]
    at = (starts[:, None] + places)[mask]
    batch = {"attention_mask": mask.astype(np.int64)}
    for name, ids in encoded.inputs.items():
        batch[name] = spread(ids[at].astype(np.int64), mask, tokenizer.pad_token_id or 0 if name == "input_ids" else 0)
    if encoded.features is not None:
        of_tokens = len(encoded.features) == encoded.starts[-1]  # a sequence has two tokens or more, its special ones
        batch["features"] = spread(encoded.features[at], mask, 0) if of_tokens else encoded.features[index]
    return {name: torch.from_numpy(values) for name, values in batch.items()}


def spread(values: np.ndarray, mask: np.ndarray, fill: float) -> np.ndarray:
    """The values in the places where `mask` is true, in their order; `fill` elsewhere."""
    padded = np.full((*mask.shape, *values.shape[1:]), fill, dtype=values.dtype)
    padded[mask] = values
    return padded


def parts(firsts: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers firsts[i] … firsts[i + 1] - 1 for every i of `index`, in its order; of each, the place of its i."""
    starts, ends = firsts[:-1][index], firsts[1:][index]
    at = np.repeat(np.arange(len(index)), ends - starts)
    return np.arange(len(at)) + (starts - bounds(ends - starts)[:-1])[at], at


def frame(rows, labels, predictions, logits=None) -> pd.DataFrame:
    """The columns of a frame of predictions; each value of `predictions` and `logits` is one cell."""
    kept = [None] * len(rows) if logits is None else list(logits)
    return pd.DataFrame({"row": rows, "label": labels, "prediction": predictions, "logits": kept})


def hot(cells: pd.Series | np.ndarray, width: int) -> np.ndarray:
    """(cells, width): True at the id or ids that a cell holds."""
    places = np.zeros((len(cells), width), bool)
    for row, cell in zip(places, cells, strict=True):
        row[np.atleast_1d(cell).astype(int)] = True
    return places
