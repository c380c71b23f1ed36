"""Figures on the ways to use a supporting task, as in `plots`: each takes a frame and an `ax`, and returns it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from intertask.analysis.figures import GRADIENT, panel_title
from intertask.analysis.tables import of_expected
from intertask.views.drawing import AXIS, FAINT, INK, signed, text
from intertask.views.matrix import matrix, named

METHODS_GRADIENT = "PuOr"  # purple: MTL is better; orange: STILTs is; other colours than "helps" and "harms"


def regimes_title(encoder: str, limit: int | None, supporting_limit: int | None, mixing: str | None = None) -> str:
    """The heading of one panel: encoder, training data of target and supporting task, and the mixing variant."""
    return panel_title(encoder, limit, supporting_limit) + ("" if pd.isna(mixing) else f"\nmixing: {text(mixing)}")


def difference_heatmap(table: pd.DataFrame, ax: Axes, alpha: float, ends: float) -> Axes:
    """Target x supporting matrix of MTL - STILTs, largest task first, after Figure 1 of Weller et al. 2022.

    table: `regimes.compare`, one panel and mixing variant. Each cell: the mean difference in points with its sign, its
    interval, and the seeds of MTL and STILTs; * p < alpha, ** also after Holm's correction (bold); a frame where a
    significant difference contradicts the sizes. The dashed line parts larger supporting tasks (left of it) from
    smaller ones. Cells without a difference are hatched. ends: |difference| at the ends of the colours.
    """
    rows, columns = by_size(table, "target"), by_size(table, "supporting")
    stars = ["*" * (int(cell.p < alpha) + int(cell.p_holm < alpha)) for cell in table.itertuples()]
    cells = pd.DataFrame({
        "row": table["target"],
        "column": table["supporting"],
        "value": table["difference"],
        "words": [_difference_words(cell, marks) for cell, marks in zip(table.itertuples(), stars, strict=True)],
        "bold": [marks == "**" for marks in stars],
    })  # fmt: skip
    labels = ({task: _sized(task, size) for task, size in sizes.items()} for sizes in (rows, columns))
    matrix(cells, *labels, ax, METHODS_GRADIENT, (-ends, ends), "MTL − STILTs, points", size=7,
           absent=lambda target, supporting: "same task" if target == supporting else "not in\nthe study")  # fmt: skip
    wrong = table["heuristic"].notna() & ~table["heuristic"].isin(["neither"]) & table["heuristic"].ne(table["better"])
    for cell in table[wrong & (table["p"] < alpha)].itertuples():
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
    seeds += " †" * bool(pd.notna(cell.pseudo_replicates) and cell.pseudo_replicates)
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
    labels = [
        f"{text(row.method, 2 * AXIS)}\n({of_expected(row.n, row.n_expected)} targets)" for row in means.itertuples()
    ]
    ax.set_yticks(range(len(means)), labels)
    ax.set_ylim(len(means) - 0.5, -0.5)
    ax.axvline(0, color=INK, linewidth=1)
    ax.grid(axis="y", visible=False)
    return ax


def exposure_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Variant x task matrix of a `mixtures.exposure`, for one encoder, limit and set: the darker, the more often seen.

    Each cell: passes over the task's training examples, and the examples seen. Cells without a run are hatched. The
    colours are logarithmic.
    """
    seen = np.log(table["passes"].astype("float64").clip(lower=1e-3))
    words = [
        f"{cell.passes:.3g}×\n{cell.examples_seen:,.0f}"
        + ("" if cell.n == cell.n_expected else f"\n{cell.n} of {cell.n_expected} runs")
        if cell.n
        else ""
        for cell in table.itertuples()
    ]
    cells = pd.DataFrame({"row": table["mixing"], "column": table["target"], "value": seen, "words": words})
    low, high = (seen.min(), seen.max()) if seen.notna().any() else (0, 1)
    rows, columns = named(table["mixing"].unique()), named(table["target"].unique())
    return matrix(cells, rows, columns, ax, "Greys", (low - 0.1, high + 0.1))


DASHES = ["-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 3))]
MARKERS = "os^DvPX*<>hp"


def size_lines(table: pd.DataFrame, x: str, line: list[str], ax: Axes) -> Axes:
    """Score against a size, a line per regime, variant and supporting task: mean, and as a band and a bar its interval.

    table: of `data_size.size_table`, for one encoder and target; x: the column on the logarithmic axis; line: the
    columns that tell lines apart. A line that has no such size (single, on the supporting task's axis) is level. The
    number of a line's style is its column `style`, if there is one, so that panels can share them; else its place.
    """
    groups = list(table.groupby(line, sort=False, dropna=False))
    for place, (_, own) in enumerate(groups):
        style = own["style"].iloc[0] if "style" in own else place
        done = own[own["mean"].notna()].sort_values(x)
        label = f"{text(line_name(own.iloc[0], line), 36)} ({_seed_range(own)})"
        if done[x].isna().all() and len(done):
            _level(done.iloc[0], label, style, ax)
        else:
            _size_line(_shifted(done[x], place, len(groups)), done, "mean", label, style, ax)
    _size_axis(table[x], "{:,.0f}", ax)
    ax.set(ylabel="score, 0–100")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8, handlelength=4)
    return ax


def size_differences(table: pd.DataFrame, ax: Axes) -> Axes:
    """MTL - STILTs in points against supporting / target examples, a line per variant and target size, with intervals.

    After Figure 2 of Weller et al. 2022. table: of `data_size.size_differences`, for one encoder, target and supporting
    task. Above zero, training side by side was better.
    """
    found = table[table["difference"].notna()].sort_values("size_ratio")
    groups = list(found.groupby(["target_size", "mixing"], dropna=False))
    for place, ((size, mixing), own) in enumerate(groups):
        label = f"{'' if pd.isna(mixing) else f'{text(mixing)}, '}{size:,.0f} target examples ({_seed_range(own)})"
        _size_line(_shifted(own["size_ratio"], place, len(groups)), own, "difference", label, place, ax)
    ax.axhline(0, color=INK, linewidth=1)
    ax.axvline(1, color=FAINT, linewidth=1, linestyle="--")
    _size_axis(found["size_ratio"], "{:.2g}", ax)
    ax.set(xlabel="supporting examples / target examples", ylabel="MTL − STILTs, points")
    if groups:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8, handlelength=4)
    return ax


def _shifted(sizes: pd.Series, place: int, of: int) -> pd.Series:
    """The sizes of one line of `of`, a little aside, at most 4 %, so that equal ones do not hide bars."""
    return sizes.astype(float) * 1.015 ** ((place - (of - 1) / 2) * min(1, 5 / max(of - 1, 1)))


def _size_line(sizes: pd.Series, own: pd.DataFrame, y: str, label: str, place: int, ax: Axes) -> None:
    """A line through the means of the marks at each size: two at one are the same data, under two limits above it."""
    marker, style = MARKERS[place % len(MARKERS)], _style(place)
    means, twice = own.groupby(sizes)[y].mean(), sizes.duplicated(keep=False)
    once = np.flatnonzero(means.index.isin(sizes[~twice]))
    ax.plot(means.index, means, marker=marker, markersize=6, markevery=list(once), label=label, **style)
    if twice.any():
        ax.plot(sizes[twice], own.loc[twice, y], marker, color=style["color"], markersize=6)
    ax.fill_between(sizes, own["low"], own["high"], color=style["color"], alpha=0.1, linewidth=0)
    ax.vlines(sizes, own["low"], own["high"], color=style["color"], linewidth=1)


def _level(point: pd.Series, label: str, place: int, ax: Axes) -> None:
    style = _style(place)
    ax.axhline(point["mean"], label=label, **style)
    if pd.notna(point["low"]):
        ax.axhspan(point["low"], point["high"], alpha=0.1, color=style["color"], linewidth=0)


def _style(place: int) -> dict:
    return {"color": f"C{place}", "linestyle": DASHES[place % len(DASHES)]}


def _size_axis(sizes: pd.Series, form: str, ax: Axes) -> None:
    """A logarithmic axis with the sizes themselves as ticks, less those that would overlap."""
    ticks = []
    for size in sorted(sizes.dropna().unique()):
        if not ticks or size > 1.2 * ticks[-1]:
            ticks.append(size)
    if ticks:  # a logarithmic axis cannot be drawn without a size
        ax.set_xscale("log")
        ax.minorticks_off()
        ax.set_xticks(ticks, [form.format(tick) for tick in ticks])


def _seed_range(own: pd.DataFrame) -> str:
    counts = sorted({int(n) for n in own["n"]})
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def line_name(row, line: list[str]) -> str:
    """A line in words: `stilts after mini/mnli, target limit 400`; what is missing or varies along it is left out."""
    words = [f"{row['encoder']}: {row['regime']}" if "encoder" in line else row["regime"]]
    if "supporting" in line and pd.notna(row["supporting"]):
        before = "after" if row["regime"] == "stilts" else "with"
        words[0] += f" {before} {row['supporting']}"
    named = {"mixing": "", "supporting_limit": "supporting limit ", "limit": "target limit "}
    words += [f"{name}{row[key]}" for key, name in named.items() if key in line and pd.notna(row[key])]
    return ", ".join(words)


def equal_cost(table: pd.DataFrame, ax: Axes) -> Axes:
    """One line per cell of `best_of_each.equal_cost`: one restart, the best of k for the same steps, and STILTs.

    table: of one encoder and data limit. An arrow leads from what the compute buys without the supporting task to what
    it buys with it.
    """
    for y, cell in enumerate(table.itertuples()):
        if pd.isna(cell.gain):
            ax.text(0.5, y, cell.note, transform=ax.get_yaxis_transform(), ha="center", va="center", color=FAINT)
            continue
        arrow = {"arrowstyle": "->", "color": FAINT, "shrinkA": 4, "shrinkB": 5}
        ax.annotate("", (cell.stilts, y), (cell.best_of_k, y), arrowprops=arrow)
    marks = {"single": ("|", "one restart"), "best_of_k": ("D", "best of k restarts"), "stilts": ("o", "STILTs, mean")}
    for name, (mark, label) in marks.items():
        fill = "white" if name == "best_of_k" else INK
        ax.plot(table[name], range(len(table)), mark, color=INK, markerfacecolor=fill, markersize=7, label=label)
    ax.set_yticks(range(len(table)), [_cost_label(cell) for cell in table.itertuples()])
    ax.set(ylim=(len(table) - 0.5, -0.5), xlabel="score, 0–100")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
    return ax


def _cost_label(cell) -> str:
    limit = "" if pd.isna(cell.supporting_limit) else f", {cell.supporting_limit} examples"
    k = "" if pd.isna(cell.k) else f" (k = {cell.k:.1f})"
    return text(f"{cell.supporting}{limit} → {cell.target}{k}")


def literature_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Pair x setting matrix of the deltas of `literature.effects`: what each found for the same pair of tasks.

    Each cell: the delta in points with its sign, * where its interval leaves out zero, and the seeds if several. A
    setting without the pair is hatched; settings of one encoder stand side by side.
    """
    words = [
        ""
        if pd.isna(cell.delta)
        else signed(cell.delta) + "*" * bool(cell.low > 0 or cell.high < 0) + f"\nn = {cell.n}" * (cell.n > 1)
        for cell in table.itertuples()
    ]
    pairs = table["supporting"] + " → " + table["target"]
    cells = pd.DataFrame({"row": pairs, "column": table["setting"], "value": table["delta"], "words": words})
    settings = [name for _, own in table.groupby("encoder", sort=False) for name in own["setting"].unique()]
    every = pd.MultiIndex.from_product([pairs.unique(), settings], names=["row", "column"])
    cells = cells.set_index(["row", "column"]).reindex(every).reset_index().fillna({"words": ""})
    ends = max(1, table["delta"].abs().max())
    return matrix(cells, named(pairs.unique(), 2 * AXIS), named(settings, 26), ax, GRADIENT, (-ends, ends),
                  "delta, points", upright=True)  # fmt: skip
