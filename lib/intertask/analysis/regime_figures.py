"""Figures on the ways to use a supporting task, as in `figures`: each takes a frame and an `ax`, and returns it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from intertask.analysis.figures import circle, dagger
from intertask.analysis.regimes import misjudged, variant_name
from intertask.analysis.tables import of_expected
from intertask.errors import number_of
from intertask.views.drawing import AXIS, FAINT, INK, signed, text
from intertask.views.matrix import matrix

METHODS_GRADIENT = "PuOr"  # purple: MTL is better; orange: STILTs is; other colours than "helps" and "harms"


def difference_heatmap(table: pd.DataFrame, ax: Axes, alpha: float, ends: float) -> Axes:
    """Target x supporting matrix of MTL - STILTs, largest task first, after Figure 1 of Weller et al. 2022.

    table: `regime_differences` of one panel and mixing variant. Each cell: the mean difference in points with its sign,
    its interval, the seeds of MTL and STILTs, and k° where k of these runs learned nothing; * p < alpha, ** also after
    Holm's correction (bold); a frame where a significant difference contradicts the sizes. The dashed line parts larger
    supporting tasks (left of it) from smaller ones. Cells without a difference are hatched. ends: |difference| at the
    ends of the colours.
    """
    rows, columns = by_size(table, "target"), by_size(table, "supporting")
    stars = ["*" * (int(cell.p < alpha) + int(cell.p_holm < alpha)) for cell in table.itertuples()]
    words = [_difference_words(cell, marks) for cell, marks in zip(table.itertuples(), stars, strict=True)]
    cells = table.rename(columns={"target": "row", "supporting": "column", "difference": "value"})
    cells = cells.assign(words=words, bold=[marks == "**" for marks in stars])
    labels = ({task: _sized(task, size) for task, size in sizes.items()} for sizes in (rows, columns))
    matrix(cells, *labels, ax, METHODS_GRADIENT, (-ends, ends), "MTL − STILTs, points", size=7,
           absent=lambda target, supporting: "same task" if target == supporting else "not in\nthe study")  # fmt: skip
    for cell in misjudged(table, alpha).itertuples():
        corner = columns.index.get_loc(cell.supporting) + 0.04, rows.index.get_loc(cell.target) + 0.04
        ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=INK, linewidth=2.5))
    ax.set(xlabel="supporting (training examples)", ylabel="target (training examples)")
    if rows.notna().all():
        edges = [(columns > size).sum() for size in rows]
        ax.stairs(edges, orientation="horizontal", baseline=None, color=INK, linestyle="--", linewidth=2)
    return ax


def by_size(table: pd.DataFrame, role: str) -> pd.Series:
    """Training examples of each task in the role of `target` or `supporting`, largest first, unknown last."""
    sizes = table.groupby(role, sort=False)[f"{role}_size"].max()
    return sizes.sort_values(ascending=False, kind="stable", na_position="last")


def _sized(task: str, size: float) -> str:
    return f"{text(task, AXIS)}\n({'size unknown' if pd.isna(size) else f'{size:,.0f}'})"


def _difference_words(cell, stars: str) -> str:
    seeds = f"{of_expected(cell.n_mtl, cell.n_mtl_expected)}, {of_expected(cell.n_stilts, cell.n_stilts_expected)}"
    seeds += dagger(cell.pseudo_replicates) + circle(cell.degenerate)
    if pd.isna(cell.difference):
        return f"missing\n{seeds}"
    interval = "no interval" if pd.isna(cell.low) else f"[{signed(cell.low)}, {signed(cell.high)}]"
    return f"{signed(cell.difference)}{stars}\n{interval}\n{seeds}"


def difference_by_ratio(table: pd.DataFrame, ratio: str, ax: Axes, alpha: float = 0.1) -> Axes:
    """MTL - STILTs of every cell with its interval against a ratio on a log2 axis, for one mixing variant.

    ratio: `size_ratio` (supporting to target), or an exposure's such as `target_examples_ratio` (MTL to STILTs).
    Filled: p < alpha; square: after Holm's correction too; cross: no interval. Shaded: where the sign follows the
    ratio, as the size heuristic has it. Cells without ratio or difference are left out: the corner counts the others.
    """
    known = table.dropna(subset=["difference", ratio])
    x = np.log2(known[ratio])
    bars = known["low"].notna()
    ax.vlines(x[bars], known.loc[bars, "low"], known.loc[bars, "high"], color=FAINT, linewidth=0.8)
    significant, holm = known["p"] < alpha, known["p_holm"] < alpha
    marks = [("o", "white", bars & ~significant), ("o", INK, significant & ~holm), ("s", INK, holm), ("x", INK, ~bars)]
    for mark, fill, members in marks:
        ax.plot(x[members], known.loc[members, "difference"], mark, color=INK, markerfacecolor=fill, markersize=5)
    for corner in ((0, 0), (-100, -200)):  # quadrants without end, which the axes' limits leave out of account
        ax.add_artist(Rectangle(corner, 100, 200, facecolor="#e8e8e8", zorder=0))
    ax.axhline(0, color=INK, linewidth=1)
    ax.axvline(0, color=INK, linewidth=1, linestyle=":")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda place, _: _power_of_two(place)))
    ax.set(ylabel="MTL − STILTs, points")
    ax.set_title(f"{len(known)} of {number_of(len(table), 'cell')}", loc="right", fontsize=8)
    return ax


def differences_by_ratio(table: pd.DataFrame, ratio: str, label: str, alpha: float = 0.1) -> Figure | None:
    """A panel of `difference_by_ratio` for each mixing variant, label below; nothing where no cell says the ratio."""
    variants = list(table.groupby(["encoder", "mixing"], sort=False, dropna=False))
    if table[ratio].isna().all():
        return None
    size = (2 + 4 * len(variants), 4.5)
    shared = {"sharex": True, "sharey": True, "squeeze": False}
    figure, axes = plt.subplots(1, len(variants), figsize=size, layout="constrained", **shared)
    for (variant, part), ax in zip(variants, axes.flat, strict=True):
        difference_by_ratio(part, ratio, ax, alpha)
        ax.set_title(text(variant_name(*variant), 40), loc="left", fontsize=10)
        ax.label_outer()
    figure.supxlabel(label)
    plt.close(figure)  # the cell shows it
    return figure


def _power_of_two(place: float) -> str:
    if place != round(place):
        return ""
    return f"{2**place:,.0f}" if place >= 0 else f"1/{2**-place:,.0f}"
