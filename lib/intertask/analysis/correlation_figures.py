"""Figures on correlations between tasks, as in `plots`: each takes a frame and an `ax`, draws on it and returns it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from intertask.analysis.figures import AXIS, FAINT, GRADIENT, INK, hatched, signed, text
from intertask.analysis.tables import of_expected, supporting_label

ROOMY = 120  # cells of a matrix that have room for interval and n; in a larger one a cell has room for a number
FAR = 0.5  # correlations further apart than this are named


def correlation_heatmap(
    table: pd.DataFrame, rows: list[str], columns: list[str], ax: Axes, alpha: float = 0.05
) -> Axes:
    """Matrix of correlations, for one panel of `correlations.with_holm`: the bluer, the closer to 1; the redder, to -1.

    Each cell: r, underlined where negative, as in Wang et al. 2019, * where Holm's p is below alpha, also on the means
    of clusters; its interval, or no interval, and the observations behind it. In a matrix of more than ROOMY cells: r,
    and the observations where there are fewer than elsewhere. Hatched: undefined. Left blank: cells whose column
    `blank` is true, if there is one, a task with itself, and pairs that are not in the table, as above the diagonal.
    """
    roomy = len(rows) * len(columns) <= ROOMY
    cells = {(cell.task_a, cell.task_b): cell for cell in table.itertuples()}
    lower = set(rows) >= set(columns[1:])  # a triangle: each pair once, below the diagonal
    matrix = np.full((len(rows), len(columns)), np.nan)
    for y, x in np.ndindex(matrix.shape):
        a, b = rows[y], columns[x]
        cell = cells.get((b, a)) or (cells.get((a, b)) if not lower or b not in rows else None)
        if a != b and cell is not None and not getattr(cell, "blank", False):
            matrix[y, x] = cell.r
            star = "*" if roomy and cell.p_holm < alpha and cell.p_clusters_holm < alpha else ""
            _correlation(cell, x, y, star, roomy, table["n"].max(), ax)
    image = ax.imshow(matrix, cmap=GRADIENT, norm=Normalize(-1, 1), aspect="auto")
    ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04).set_label("correlation")
    width = AXIS if roomy else 2 * AXIS
    _name_axes([text(name, width) for name in rows], [text(name, width) for name in columns], not roomy, ax)
    return ax


def matrix_size(rows: int, columns: int) -> tuple[float, float]:
    """Inches of a `correlation_heatmap` of so many, wide and high."""
    roomy = rows * columns <= ROOMY
    return (2.5 + 1.1 * columns, 1.5 + 0.75 * rows) if roomy else (4 + 0.36 * columns, 3 + 0.4 * rows)


def _correlation(cell, x: int, y: int, star: str, roomy: bool, most: int, ax: Axes) -> None:
    if pd.isna(cell.r):
        hatched(x, y, ax)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        ax.text(x, y, f"n={cell.n}" if roomy else f"{cell.n}", ha="center", va="center", fontsize=7, bbox=box)
        return
    ink = "white" if abs(cell.r) > 0.6 else INK
    up = 0.2 if roomy else 0.15 * (cell.n < most)
    r = round(cell.r, 2) + 0.0  # no -0.00
    ax.text(x, y - up, f"{r:.2f}{star}", ha="center", va="center", color=ink, fontsize=10 if roomy else 7)
    if r < 0:
        ax.plot([x - 0.25, x + 0.25], [y - up + (0.17 if roomy else 0.28)] * 2, color=ink, linewidth=0.8)
    if roomy:
        interval = "no interval" if pd.isna(cell.low) else f"[{cell.low:.2f}, {cell.high:.2f}]"
        ax.text(x, y + 0.13, interval, ha="center", va="center", color=ink, fontsize=6.5)
        ax.text(x, y + 0.34, f"n={cell.n}", ha="center", va="center", color=ink, fontsize=6.5)
    elif cell.n < most:
        ax.text(x, y + 0.3, f"({cell.n})", ha="center", va="center", color=ink, fontsize=5)


def _name_axes(rows: list[str], columns: list[str], upright: bool, ax: Axes) -> None:
    ax.set_xticks(range(len(columns)), columns, rotation=90 if upright else 0)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))


def delta_heatmap(table: pd.DataFrame, tasks: list[str], ax: Axes, alpha: float = 0.05) -> Axes:
    """Task x supporting task, after Figure 2 of Pruksachatkun et al. 2020: the mean delta in points, and the baseline.

    table: one panel of `probing_correlations.delta_table`; tasks: the rows, targets first. Each cell: the mean with its
    sign, * where Holm's p is below alpha, and how many seeds, where they are not all those asked for. Hatched: no pair.
    The last column is the mean score of `single`, 0-100. A line parts targets, their average, and probes.
    """
    columns = list(table["supporting"].unique())
    matrix = table.pivot(index="target", columns="supporting", values="delta").reindex(index=tasks, columns=columns)
    ends = max(1.0, np.nanquantile(matrix.abs().to_numpy(float), 0.95) if matrix.notna().any(axis=None) else 1.0)
    padded = np.pad(matrix.to_numpy(float), ((0, 0), (0, 1)), constant_values=np.nan)
    image = ax.imshow(padded, cmap=GRADIENT, norm=Normalize(-ends, ends), aspect="auto")
    ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04, extend="both").set_label("delta, points")
    for cell in table[table["target"].isin(tasks)].itertuples():
        x, y = columns.index(cell.supporting), tasks.index(cell.target)
        if pd.isna(cell.delta):
            hatched(x, y, ax)
            continue
        words = signed(cell.delta) + "*" * bool(cell.p_holm < alpha)
        words += "" if cell.n == cell.n_expected else f"\n({of_expected(cell.n, cell.n_expected)})"
        ink = "white" if abs(cell.delta) > 0.6 * ends else INK
        ax.text(x, y, words, ha="center", va="center", color=ink, fontsize=7)
    for y, task in enumerate(tasks):
        score = table.loc[table["target"] == task, "baseline"].mean()
        ax.text(len(columns), y, "" if pd.isna(score) else f"{score:.1f}", ha="center", va="center", fontsize=7)
    for edge in np.flatnonzero(np.diff(table.drop_duplicates("target").set_index("target").loc[tasks, "group"])):
        ax.axhline(edge + 0.5, color=INK, linewidth=1)
    names = [text(supporting_label(name), AXIS) for name in columns]
    _name_axes([text(task, 2 * AXIS) for task in tasks], [*names, "single"], True, ax)
    ax.xaxis.tick_top()
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
    moved = [f" ({supporting_label(task)})" if pd.notna(task) else "" for task in both["moved_by"]]
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
