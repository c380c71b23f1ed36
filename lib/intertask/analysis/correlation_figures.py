"""Figures of correlations between tasks, as in `figures`: a frame and an `ax` each, on which it draws."""

import pandas as pd
from matplotlib.axes import Axes

from intertask.analysis.figures import GRADIENT
from intertask.views.drawing import AXIS
from intertask.views.matrix import matrix, named

ROOMY = 120  # cells of a matrix that have room for interval and n; in a larger one a cell has room for a number


def correlation_heatmap(
    table: pd.DataFrame, rows: list[str], columns: list[str], ax: Axes, alpha: float = 0.05
) -> Axes:
    """Matrix of correlations, for one panel of `correlations.with_holm`: the bluer, the closer to 1; the redder, to -1.

    Each cell: r with its sign, * where Holm's p is below alpha, also on the means of clusters; its interval, or no
    interval, and the observations behind it. In a matrix of more than ROOMY cells: r, and the observations where there
    are fewer than elsewhere. Hatched: undefined. Left blank: cells whose column
    `blank` is true, if there is one, a task with itself, and pairs that are not in the table, as above the diagonal.
    """
    roomy = len(rows) * len(columns) <= ROOMY
    lower = set(rows) >= set(columns[1:])  # a triangle: each pair once, below the diagonal
    blank = table.get("blank", False)
    there = table[table["task_a"].ne(table["task_b"]) & ~pd.Series(blank, table.index, dtype="bool")]
    once = there.rename(columns={"task_b": "row", "task_a": "column"})
    again = there.rename(columns={"task_a": "row", "task_b": "column"})
    both = pd.concat([once, again[~again["column"].isin(rows)] if lower else again]).drop_duplicates(["row", "column"])
    both = both[both["row"].isin(rows) & both["column"].isin(columns)]
    most = table["n"].max()
    words = [_correlation_words(cell, alpha, roomy, most) for cell in both.itertuples()]
    width, size = (AXIS, 6.5) if roomy else (2 * AXIS, 4.7 if both["n"].lt(most).any() else 7)
    matrix(both.assign(value=both["r"], words=words), named(rows, width), named(columns, width), ax, GRADIENT, (-1, 1),
           "correlation", size=size, upright=not roomy)  # fmt: skip
    return ax


def _correlation_words(cell, alpha: float, roomy: bool, most: int) -> str:
    if pd.isna(cell.r):
        return f"n={cell.n}" if roomy else f"{cell.n}"
    r = f"{round(cell.r, 2) + 0.0:.2f}"  # no -0.00
    if not roomy:
        return r if cell.n == most else f"{r}\n({cell.n})"
    star = "*" * bool(cell.p_holm < alpha and cell.p_clusters_holm < alpha)
    interval = "no interval" if pd.isna(cell.low) else f"[{cell.low:.2f}, {cell.high:.2f}]"
    return f"{r}{star}\n{interval}\nn={cell.n}"


def correlation_size(rows: int, columns: int) -> tuple[float, float]:
    """Inches of a `correlation_heatmap` of so many, wide and high."""
    roomy = rows * columns <= ROOMY
    return (2.5 + 1.1 * columns, 1.5 + 0.75 * rows) if roomy else (4 + 0.36 * columns, 3 + 0.4 * rows)
