"""Figures on the ways to use a supporting task, as in `plots`: each takes a frame and an `ax`, and returns it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from intertask.analysis.plots import AXIS, FAINT, INK, hatched, panel_title, signed, text

METHODS_GRADIENT = "PuOr"  # purple: MTL is better; orange: STILTs is; other colours than "helps" and "harms"


def regimes_title(encoder: str, limit: int | None, supporting_limit: int | None, mixing: str | None = None) -> str:
    """The heading of one panel: encoder, training data of target and supporting task, and the mixing variant."""
    own = "" if pd.isna(supporting_limit) else f", {supporting_limit} of the supporting task"
    return panel_title(encoder, limit) + own + ("" if pd.isna(mixing) else f"\nmixing: {text(mixing)}")


def difference_heatmap(table: pd.DataFrame, ax: Axes, alpha: float = 0.1, ends: float | None = None) -> Axes:
    """Target x supporting matrix of MTL - STILTs, largest task first, after Figure 1 of Weller et al. 2022.

    table: `regimes.compare`, one panel and mixing variant. Each cell: the mean difference in points with its sign, its
    interval, and the seeds of MTL and STILTs; * p < alpha, ** also after Holm's correction (bold); a frame where a
    significant difference contradicts the sizes. The dashed line parts larger supporting tasks (left of it) from
    smaller ones. Cells without a difference are hatched. ends: |difference| at the ends of the colours.
    """
    rows, columns = by_size(table, "target"), by_size(table, "supporting")
    ends = ends or max(1, table["difference"].abs().fillna(0).max())
    means = table.pivot(index="target", columns="supporting", values="difference").reindex(rows.index)[columns.index]
    norm = Normalize(-ends, ends)
    image = ax.imshow(means.to_numpy(dtype=float), cmap=METHODS_GRADIENT, norm=norm, aspect="auto")
    ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04).set_label("MTL − STILTs, points")
    for cell in table.itertuples():
        x, y = columns.index.get_loc(cell.supporting), rows.index.get_loc(cell.target)
        _difference_cell(cell, x, y, "white" if abs(cell.difference) > 0.6 * ends else INK, alpha, ax)
    _absent(table, rows.index, columns.index, ax)
    ax.set_xticks(range(len(columns)), [_sized(*task) for task in columns.items()])
    ax.set_yticks(range(len(rows)), [_sized(*task) for task in rows.items()])
    ax.set(xlabel="supporting (training examples)", ylabel="target (training examples)")
    edges = [(columns > size).sum() - 0.5 for size in rows]
    if rows.notna().all():
        ax.plot(np.repeat(edges, 2), np.repeat(np.arange(len(rows) + 1), 2)[1:-1] - 0.5, "--", color=INK, linewidth=2)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    return ax


def by_size(table: pd.DataFrame, role: str) -> pd.Series:
    """Training examples of each task in the role of `target` or `supporting`, largest first, unknown last."""
    sizes = table.groupby(role, sort=False)[f"{role}_size"].max()
    return sizes.sort_values(ascending=False, kind="stable", na_position="last")


def _sized(task: str, size: float) -> str:
    return f"{text(task, AXIS)}\n({'size unknown' if pd.isna(size) else f'{size:,.0f}'})"


def _absent(table, rows, columns, ax) -> None:
    """Names the cells that the study does not have."""
    present = set(zip(table["target"], table["supporting"], strict=True))
    for y, target in enumerate(rows):
        for x, supporting in enumerate(columns):
            if (target, supporting) not in present:
                words = "same task" if target == supporting else "not in\nthe study"
                ax.text(x, y, words, ha="center", va="center", color=FAINT, fontsize=8)


def _difference_cell(cell, x: int, y: int, ink: str, alpha: float, ax: Axes) -> None:
    seeds = f"{_seeds(cell.n_mtl, cell.n_mtl_expected)}, {_seeds(cell.n_stilts, cell.n_stilts_expected)}"
    seeds += " †" * cell.pseudo_replicates
    if pd.isna(cell.difference):
        hatched(x, y, ax)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        ax.text(x, y, f"missing\n{seeds}", ha="center", va="center", fontsize=7, bbox=box)
        return
    stars = "*" * (int(cell.p < alpha) + int(cell.p_holm < alpha))
    interval = "no interval" if pd.isna(cell.low) else f"[{signed(cell.low)}, {signed(cell.high)}]"
    ax.text(x, y - 0.18, signed(cell.difference) + stars, ha="center", va="center", color=ink,
            fontsize=12, fontweight="bold" if stars == "**" else "normal")  # fmt: skip
    ax.text(x, y + 0.1, interval, ha="center", va="center", color=ink, fontsize=7)
    ax.text(x, y + 0.32, seeds, ha="center", va="center", color=ink, fontsize=7)
    if stars and cell.heuristic not in ("neither", cell.better) and pd.notna(cell.heuristic):
        ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor=INK, linewidth=2.5))


def _seeds(n: int, expected: int) -> str:
    return str(n) if n == expected else f"{n} of {expected}"


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
    ax.set_title(f"{len(known)} of {len(table)} cells", loc="right", fontsize=8)
    return ax


def _power_of_two(place: float) -> str:
    if place != round(place):
        return ""
    return f"{2**place:,.0f}" if place >= 0 else f"1/{2**-place:,.0f}"


def method_differences(differences: pd.DataFrame, means: pd.DataFrame, ax: Axes) -> Axes:
    """Each method's difference on every target as a cross, and their mean with its interval as a dot with a bar.

    differences: `all_tasks.against`; means: `all_tasks.mean_differences` of it; both for one panel and
    baseline.
    """
    for y, row in enumerate(means.itertuples()):
        own = differences.loc[differences["method"] == row.method, "difference"].dropna()
        ax.plot(own, [y + 0.22] * len(own), "x", color=FAINT, markersize=5)
        if row.n == 0:
            ax.text(0, y, " missing", va="center", color=FAINT)
            continue
        bar = None if pd.isna(row.low) else [[row.difference - row.low], [row.high - row.difference]]
        ax.errorbar(row.difference, y - 0.08, xerr=bar, fmt="o", color=INK, capsize=3, markersize=5)
    labels = [f"{text(row.method, 2 * AXIS)}\n({_seeds(row.n, row.n_expected)} targets)" for row in means.itertuples()]
    ax.set_yticks(range(len(means)), labels)
    ax.set_ylim(len(means) - 0.5, -0.5)
    ax.axvline(0, color=INK, linewidth=1)
    ax.grid(axis="y", visible=False)
    return ax
