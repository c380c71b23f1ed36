"""What `lab.explore` shows: a study read once, the matrix chosen of it, another's beside it, and their difference."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from intertask.analysis import cells
from intertask.analysis.read import read_both
from intertask.errors import IntertaskError

SEEN = ["supporting", "target", "delta", "low", "high", "n", "n_expected", "p", "p_holm", "before", "after", "note"]
"""Of `cells.CELL_COLUMNS`, those that a reader sees of a cell."""


class Side:
    """A study read once, and the tables of `cells` made of it, each of them once."""

    def __init__(self, study: str):
        self.study = study
        self.runs, self.scores = read_both(study)
        self.of_metric, self.table, self.pairs = cache(self.of_metric), cache(self.table), cache(self.pairs)

    def of_metric(self, metric: str) -> pd.DataFrame:
        return cells.with_metric(self.runs, self.scores, metric)

    def table(self, pair: str, metric: str, confidence: float) -> pd.DataFrame:
        return cells.cells_table(self.of_metric(metric), pair, confidence)

    def pairs(self, pair: str, metric: str) -> pd.DataFrame:
        return cells.restart_pairs(self.of_metric(metric), pair)

    def offered(self) -> dict[str, list[str]]:
        """What can be chosen of the study: encoder, limit, pair and metric; a study without a matrix is refused."""
        found = cells.matrix_panels(self.runs)
        metrics = dict.fromkeys(["main", *self.scores["metric"]])
        offered = {"encoder": found["encoder"].unique(), "limit": found["data"].unique()}
        offered |= {"pair": cells.regime_pairs(self.runs), "metric": metrics}
        if not all(map(len, offered.values())):
            raise IntertaskError(
                f"{self.study} has no matrix to explore: no run with a supporting task and one without. "
                "Choose another study, or one with regimes: [single, stilts]."
            )
        return {name: list(options) for name, options in offered.items()}


@dataclass
class Matrix:
    """Cells under a title, in an order: those of a side or, without a side, the difference of two."""

    title: str
    table: pd.DataFrame
    side: Side | None = None
    pair: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def behind(self, supporting: str, target: str) -> pd.DataFrame:
        """The rows of a cell, of a row (no target) or of a column (no supporting task)."""
        own = self.table[self.table["supporting"].eq(supporting) | (supporting == "")]
        return own[own["target"].eq(target) | (target == "")]


def matrices(now: dict[str, Any], side_of: Callable[[str], Side]) -> list[Matrix]:
    """What is chosen by the names of `lab.explore`: one matrix, or two and, of cells in common, first minus second.

    All stand in the first one's order, after which comes what only another has.
    """
    found = [_matrix(side_of(now["study"]), now["encoder"], now)]
    if "second" in now:
        found.append(_matrix(side_of(now["second"]), now["second_encoder"], now))
        pairs = [one.side.pairs(one.pair, now["metric"]) for one in found]
        apart = cells.cell_contrast(found[0].table, found[1].table, pairs, now["confidence"])
        found += [Matrix("first minus second", apart)] * (not apart.empty)
    leading = cells.ordered(found[0].table, found[0].side.runs, now["order"])
    for one in found:
        one.rows, one.columns = (
            sorted(one.table[name].unique(), key=lambda each, order=order: (*order, each).index(each))
            for name, order in zip(("supporting", "target"), leading, strict=True)
        )
    return found


def _matrix(side: Side, encoder: str, now: dict[str, Any]) -> Matrix:
    pairs = cells.regime_pairs(side.runs)
    pair = now["pair"] if now["pair"] in pairs else next(iter(pairs), now["pair"])
    table = side.table(pair, now["metric"], now["confidence"])
    limits = [cells.limit_name(*row) for row in table[["limit", "supporting_limit"]].itertuples(index=False)]
    own = table[(table["encoder"] == encoder) & (pd.Series(limits, table.index, dtype="str") == now["limit"])]
    own = own if now["controls"] else own[~own["control"]]
    if own.empty:
        raise IntertaskError(f"{side.study} has no cell for {encoder} with {now['limit']}. Choose another limit.")
    return Matrix(f"{side.study}: {encoder}, {now['limit']}, {pair}", own, side, pair)


def common_ends(shown: list[Matrix], quantile: bool) -> float:
    """The |delta| at the ends of the colours that all matrices share."""
    return max(cells.colour_ends(one.table, quantile) for one in shown)


def seen_cells(shown: list[Matrix]) -> pd.DataFrame:
    """The cells of all matrices, columns SEEN; of several, `of` says whose."""
    own = [one.table[SEEN].assign(**{"of": one.title} if len(shown) > 1 else {}) for one in shown]
    return pd.concat(own, ignore_index=True)
