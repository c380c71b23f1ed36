"""Span classification: the labels of one span of a text, or of two together (edge probing, WiC, WSC).

The head is that of Tenney et al. 2019 (ICLR, section 3.3), which Pruksachatkun et al. 2020 put on an encoder that is
trained as well; its sizes and dropout are those of their released code.
"""

from fnmatch import fnmatch
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from intertask.errors import refusal, row_name
from intertask.formats.columns import label_text, listed, shows, whole
from intertask.formats.heads import Head
from intertask.formats.label_sets import LabelSets
from intertask.formats.spans import SpanFormat, unit_places

PROJECTED = 256  # of the projection and of the hidden layer
DROPOUT = 0.3


class SpanClassification(LabelSets, SpanFormat):
    """Predicted are all labels whose logit is not negative or, where accuracy is the only metric, the likeliest one."""

    inputs = (1, 2)
    keys = ("labels", "spans", "unscored_labels")
    needs = ("spans",)

    def label_names(self, raw):
        """Per row, for each target, the list of its labels; a target may have several, or none."""
        cells = zip(raw.index, per_target(raw, self.entry.label), strict=True)
        rows = [[_names(value, where, self.entry.label) for value in targets] for where, targets in cells]
        return pd.Series(rows, index=raw.index, name=self.entry.label, dtype=object)

    def spans(self, raw):
        """With two inputs span k lies in input k, else all lie in the one."""
        columns = [per_target(raw, column) for column in self.entry.spans]
        texts = [raw[self.entry.inputs[self.text_of_span(k)]].tolist() for k in range(len(columns))]
        unit, rows = self.entry.span_unit, []
        for where, *cells in zip(raw.index, *texts, *columns, strict=True):
            held, values = cells[: len(columns)], cells[len(columns) :]
            if len({len(targets) for targets in values}) > 1:
                found = " and ".join(str(len(targets)) for targets in values)
                raise refusal(row_name(where), f"as many spans in each of {self.entry.spans}", found, "Mend the row.")
            places = [unit_places(text, unit) for text in held]
            row = [
                [_span(where, *span, unit) for span in zip(target, held, places, strict=True)]
                for target in zip(*values, strict=True)
            ]
            rows.append(np.array(row, np.int32).reshape(-1, len(columns), 2))
        return pd.Series(rows, index=raw.index, dtype=object)

    def labels(self, rows):
        return rows["label"].explode().dropna().to_numpy()

    def head(self, encoder, pooling, dropout=None):
        dropout = DROPOUT if dropout is None else dropout
        return SpanHead(encoder.config.hidden_size, len(self.entry.labels), len(self.entry.spans), dropout)

    def predict(self, logits):
        return [[int(best)] for best in logits.argmax(axis=1)] if self._one else super().predict(logits)

    def score(self, rows):
        """Labels that match one of the entry's `unscored_labels` count neither as predicted nor as missed."""
        return super().score(rows.assign(**{name: self._scored(rows[name]) for name in ("label", "prediction")}))

    def majority(self, labels):
        """The most frequent labels, of those that count, for every target."""
        scored = self._scored(labels).map(tuple)
        common = scored[scored != ()].mode()
        return pd.Series([list(common[0]) if len(common) else []] * len(labels), index=labels.index, dtype=object)

    def error(self, rows):
        return SpanFormat.error(self, rows) if self._one else super().error(rows)

    @property
    def _one(self) -> bool:
        """Whether a target is given one label."""
        return self.entry.metrics == ["accuracy"]

    def _scored(self, cells: pd.Series) -> pd.Series:
        names = enumerate(self.entry.labels)
        scored = {i for i, name in names if not any(fnmatch(name, pattern) for pattern in self.entry.unscored_labels)}
        return cells.map(lambda ids: [i for i in ids if i in scored])


class SpanHead(Head):
    """Each span of a target projected and pooled with weights of its own; a layer over both; an output per label."""

    def __init__(self, width: int, outputs: int, spans: int, dropout: float):
        super().__init__()
        self.pools = nn.ModuleList(AttentivePool(width) for _ in range(spans))
        self.classifier = nn.Sequential(
            nn.Linear(spans * PROJECTED, PROJECTED),
            nn.Tanh(),
            nn.LayerNorm(PROJECTED),
            nn.Dropout(dropout),
            nn.Linear(PROJECTED, outputs),
        )

    def forward(self, hidden, batch):
        vectors = [pool(hidden, batch["sequence"], batch["spans"][:, k]) for k, pool in enumerate(self.pools)]
        return self.classifier(torch.cat(vectors, dim=1))


class AttentivePool(nn.Module):
    """A projection of every token, and the mean over a span weighted by a softmax of one learned score per token."""

    def __init__(self, width: int):
        super().__init__()
        self.project = nn.Linear(width, PROJECTED)
        self.score = nn.Linear(PROJECTED, 1)

    def forward(self, hidden: torch.Tensor, sequence: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
        """(sequences, tokens, width), and of each target the sequence and [start, end): (targets, PROJECTED)."""
        start, end = spans[:, :1], spans[:, 1:]
        longest = int((end - start).max()) if len(spans) else 0  # of rows that have no targets
        places = start + torch.arange(longest, device=spans.device)
        # behind its end a short span reads any token, which is masked below
        projected = self.project(hidden)[sequence[:, None], places.clamp(max=hidden.shape[1] - 1)]
        scores = self.score(projected).squeeze(2).masked_fill(places >= end, -torch.inf)
        return (scores.softmax(1).unsqueeze(2) * projected).sum(1)


def _span(where: tuple, value: Any, text: str, places: list[tuple[int, int]], unit: str) -> tuple[int, int]:
    """In characters what `value` says in units of the text, which stand in these places."""
    bounds = [whole(bound) for bound in listed(value)]
    if len(bounds) != 2 or None in bounds:
        remedy = "Mend the row."
        if isinstance(value, str):
            remedy = 'A cell of a CSV holds no list: name two columns, `spans: ["start:end"]`, or use JSONL.'
        raise refusal(row_name(where), "a span as [start, end), two whole numbers", f"{value!r:.80}", remedy)
    start, end = bounds
    if not 0 <= start < end <= len(places):
        expected = f"a span within the text's {len(places)} {unit}, its end behind its start"
        remedy = "Mend the row; ends are exclusive, and counts begin at 0."
        raise refusal(row_name(where), expected, f"[{start}, {end})", remedy)
    first, last = places[start][0], places[end - 1][1]
    if not shows(text[first:last]):
        raise refusal(row_name(where), "a span in which something shows", ascii(text[first:last]), "Mend the row.")
    return first, last


def per_target(raw: pd.DataFrame, column: str) -> list[list[Any]]:
    """Per row the values of a column for each target: of its items' key, of two columns together, or of itself."""
    name, _, key = column.partition(".")
    if key:
        for where, row in raw[name].items():
            if not isinstance(row, list | tuple | np.ndarray):
                remedy = "Write a list of structs, one for each target, and an empty one where there is none."
                raise refusal(f"{row_name(where)}, column '{name}'", "a list of targets", f"{row!r:.80}", remedy)
        return [[item.get(key) if isinstance(item, dict) else None for item in row] for row in raw[name]]
    if ":" in column:
        start, end = column.split(":")
        return [[pair] for pair in zip(raw[start], raw[end], strict=True)]
    return [[value] for value in raw[name]]


def _names(value: Any, where: tuple[str, int], column: str) -> list[str]:
    """A target's labels: of a list, which may be empty, all of them."""
    values = value if isinstance(value, list | tuple | np.ndarray) else [value]
    return [label_text(one, where, column) for one in values]
