"""Figures on correlations between tasks, as in `plots`: each takes a frame and an `ax`, draws on it and returns it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from intertask.analysis.figures import GRADIENT
from intertask.analysis.tables import of_expected
from intertask.views.drawing import AXIS, FAINT, INK, signed, text
from intertask.views.matrix import matrix, named

ROOMY = 120  # cells of a matrix that have room for interval and n; in a larger one a cell has room for a number
FAR = 0.5  # correlations further apart than this are named


def correlation_heatmap(
    table: pd.DataFrame, rows: list[str], columns: list[str], ax: Axes, alpha: float = 0.05
) -> Axes:
    """Matrix of correlations, for one panel of `correlations.with_holm`: the bluer, the closer to 1; the redder, to -1.

    Each cell: r with its sign, * where Holm's p is below alpha, also on the means
    of clusters; its interval, or no interval, and the observations behind it. In a matrix of more than ROOMY cells: r,
    and the observations where there are fewer than elsewhere. Hatched: undefined. Left blank: cells whose column
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
    width = AXIS if roomy else 2 * AXIS
    matrix(both.assign(value=both["r"], words=words), named(rows, width), named(columns, width), ax, GRADIENT, (-1, 1),
           "correlation", size=6.5 if roomy else 6, upright=not roomy)  # fmt: skip
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


def matrix_size(rows: int, columns: int) -> tuple[float, float]:
    """Inches of a `correlation_heatmap` of so many, wide and high."""
    roomy = rows * columns <= ROOMY
    return (2.5 + 1.1 * columns, 1.5 + 0.75 * rows) if roomy else (4 + 0.36 * columns, 3 + 0.4 * rows)


def delta_heatmap(table: pd.DataFrame, tasks: list[str], ax: Axes, alpha: float = 0.05) -> Axes:
    """Task x supporting task, after Figure 2 of Pruksachatkun et al. 2020: the mean delta in points, and the baseline.

    table: one panel of `probing_correlations.delta_table`; tasks: the rows, targets first. Each cell: the mean with its
    sign, * where Holm's p is below alpha, and how many seeds, where they are not all those asked for. Hatched: no pair.
    The last column is the mean score of `single`, 0-100. A line parts targets, their average, and probes.
    """
    own = table[table["target"].isin(tasks)]
    deltas = own["delta"].abs().astype("float64")
    ends = max(1.0, deltas.quantile(0.95) if deltas.notna().any() else 1.0)
    words = [
        ""
        if pd.isna(cell.delta)
        else signed(cell.delta)
        + "*" * bool(cell.p_holm < alpha)
        + ("" if cell.n == cell.n_expected else f"\n({of_expected(cell.n, cell.n_expected)})")
        for cell in own.itertuples()
    ]
    cells = pd.DataFrame({"row": own["target"], "column": own["supporting"], "value": own["delta"], "words": words})
    baseline = own.groupby("target", sort=False)["baseline"].mean()
    said = ["" if pd.isna(score) else f"{score:.1f}" for score in baseline]
    last = pd.DataFrame({"row": baseline.index, "column": "single", "value": 0.0, "words": said})
    columns = named([*table["supporting"].unique(), "single"])
    matrix(pd.concat([cells, last]), named(tasks, 2 * AXIS), columns, ax, GRADIENT, (-ends, ends), "delta, points",
           size=7, upright=True)  # fmt: skip
    for edge in np.flatnonzero(np.diff(own.drop_duplicates("target").set_index("target").loc[tasks, "group"])):
        ax.axhline(edge + 1, color=INK, linewidth=1)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set(xlabel="supporting task; the last column is the baseline")
    return ax


def robustness(both: pd.DataFrame, ax: Axes) -> Axes:
    """A line per pair: its correlation (dot), its range without any one supporting task (bar), given forgetting (◇).

    both: rows of one panel of `probing_correlations.kept`, in the order drawn; beside the names stands the supporting
    task that moves the correlation most, and `undefined` where there is no correlation without it.
    """
    places = np.arange(len(both))
    ax.hlines(places, both["lowest"], both["highest"], color=FAINT, linewidth=4)
    for y, cell in enumerate(both.itertuples()):
        if pd.isna(cell.without):
            ax.annotate("undefined", (cell.r, y), (6, 5), textcoords="offset points", fontsize=6, color=FAINT)
    ax.plot(both["r"], places, "o", color=INK, markersize=5, label="all observations")
    ax.plot(both["r_partial"], places, "D", color=INK, markerfacecolor="white", markersize=5, label="given forgetting")
    ax.axvline(0, color=INK, linewidth=1)
    moved = [f" ({task})" if pd.notna(task) else "" for task in both["moved_by"]]
    names = [f"{a} – {b}{by}" for a, b, by in zip(both["task_a"], both["task_b"], moved, strict=True)]
    ax.set_yticks(places, [text(name, 80) for name in names], fontsize=8)
    ax.set(xlim=(-1.05, 1.05), ylim=(len(both) - 0.5, -0.5), xlabel="correlation; bar: without any one supporting task")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return ax


def published_scatter(both: pd.DataFrame, ax: Axes) -> Axes:
    """Recomputed against printed correlation, a dot per pair of tasks; on the dashed line they are equal.

    both: one panel of `correlations.against_published`. In the shaded quarters the signs are opposite. Named are the
    pairs that lie more than FAR apart.
    """
    for low, high in ((-1, 0), (0, 1)):
        ax.fill_between([low, high], -high, -low, color=FAINT, alpha=0.15, linewidth=0)
    ax.plot([-1, 1], [-1, 1], "--", color=FAINT, linewidth=1)
    ax.plot(both["published"], both["recomputed"], "o", color=INK, markersize=4, markerfacecolor="white")
    for pair in both[both["difference"].abs() > FAR].itertuples():
        name, place = text(f"{pair.task_a} – {pair.task_b}", 40), (pair.published, pair.recomputed)
        ax.annotate(name, place, (5, 0), textcoords="offset points", va="center", fontsize=7)
    printed = ": ".join(["printed", *both["encoder"].dropna().unique()])
    ax.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xlabel=text(printed), ylabel="recomputed", aspect="equal")
    return ax
