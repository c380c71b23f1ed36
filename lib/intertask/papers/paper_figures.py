"""Figures of the papers' own tables, as in `analysis.figures`: each takes a frame and an `ax`, and returns it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from intertask.analysis.figures import GRADIENT, rows_with_means
from intertask.analysis.tables import of_expected
from intertask.errors import number_of
from intertask.papers.data_size import line_name
from intertask.views.drawing import AXIS, FAINT, INK, signed, text
from intertask.views.matrix import matrix, named


def method_differences(differences: pd.DataFrame, means: pd.DataFrame, ax: Axes, name: str = "method") -> Axes:
    """Each method's difference on every target as a cross, and their mean with its interval as a dot with a bar, and n.

    differences: `all_tasks.against`; means: `all_tasks.mean_differences` of it; both for one panel and baseline. Or
    `pretraining.paired` and `row_differences` of it, whose methods are named by `row`, over seeds.
    """
    methods = means[name].tolist()
    members = [differences.loc[differences[name] == method, "difference"].dropna() for method in methods]
    counts = [of_expected(*row) for row in means[["n", "n_expected"]].itertuples(index=False)]
    labels = [f"{text(method, 2 * AXIS)}\n(n = {n})" for method, n in zip(methods, counts, strict=True)]
    return rows_with_means(means, "difference", members, labels, ax)


def exposure_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Variant x task matrix of a `mixtures.exposure`, for one encoder, limit and set: the darker, the more often seen.

    Each cell: passes over the task's training examples, and the examples seen. Cells without a run are hatched. The
    colours are logarithmic.
    """
    seen = np.log(table["passes"].astype("float64").clip(lower=1e-3))
    words = [
        f"{cell.passes:.3g}×\n{cell.examples_seen:,.0f}"
        + ("" if cell.n == cell.n_expected else f"\n{cell.n} of {number_of(cell.n_expected, 'run')}")
        if cell.n
        else ""
        for cell in table.itertuples()
    ]
    cells = pd.DataFrame({"row": table["mixing"], "column": table["target"], "value": seen, "words": words})
    low, high = (seen.min(), seen.max()) if seen.notna().any() else (0, 1)
    rows, columns = named(table["mixing"].unique()), named(table["target"].unique())
    return matrix(cells, rows, columns, ax, "Greys", (low - 0.1, high + 0.1))


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


def stopover_lines(table: pd.DataFrame, pairs: pd.DataFrame, printed: pd.DataFrame, ax: Axes) -> Axes:
    """What each stopover does to one target: a line per cell of `transfer_table`, below them the printed gains.

    table, pairs (of `deltas`): of that target and one data limit; a cross per seed, the mean as a dot, of a control as
    an open square, with its interval. printed: of `hidden_stilts.printed_gains`, as open diamonds.
    """
    cells = list(table.itertuples())
    same = ["encoder", "supporting", "target"]
    members = [pairs.loc[(pairs[same] == [getattr(cell, key) for key in same]).all(axis=1), "delta"] for cell in cells]
    labels = [text(f"{cell.supporting}, {cell.encoder} (n = {cell.n})", 2 * AXIS) for cell in cells]
    labels += [text(f"printed: {one.stopover}, {one.encoder}", 2 * AXIS) for one in printed.itertuples()]
    lines = printed.rename(columns={"gain": "delta"}).assign(n=1, low=np.nan, high=np.nan, control=False)
    columns = ["delta", "n", "low", "high", "control"]
    every = pd.concat([table[columns].astype(object), lines[columns].astype(object)], ignore_index=True)
    rows_with_means(every, "delta", members + [pd.Series(dtype=float)] * len(lines), labels, ax)
    ax.plot(
        lines["delta"], len(cells) + np.arange(len(lines)) - 0.08, "D", color=INK, markerfacecolor="white", zorder=3
    )
    return ax


def _cost_label(cell) -> str:
    limit = "" if pd.isna(cell.supporting_limit) else f", {cell.supporting_limit} examples"
    k = "" if pd.isna(cell.k) else f" (k = {cell.k:.1f})"
    return text(f"{cell.supporting}{limit} → {cell.target}{k}")


def cost_arrows(table: pd.DataFrame, ax: Axes) -> Axes:
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


def difference_lines(table: pd.DataFrame, ax: Axes) -> Axes:
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
    """A logarithmic axis with the sizes themselves as ticks, less those that would overlap; around one size alone so
    wide that marks which stand aside of each other are seen to be of one."""
    ticks = []
    for size in sorted(sizes.dropna().unique()):
        if not ticks or size > 1.2 * ticks[-1]:
            ticks.append(size)
    if ticks:  # a logarithmic axis cannot be drawn without a size
        ax.set_xscale("log")
        ax.minorticks_off()
        if len(ticks) == 1:
            ax.set_xlim(ticks[0] / 1.25, ticks[0] * 1.25)
        ax.set_xticks(ticks, [form.format(tick) for tick in ticks])


def _seed_range(own: pd.DataFrame) -> str:
    counts = sorted({int(n) for n in own["n"]})
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


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


FAR = 0.5  # correlations further apart than this are named


def published_scatter(both: pd.DataFrame, ax: Axes) -> Axes:
    """Recomputed against printed correlation, a dot per pair of tasks; on the dashed line they are equal.

    both: one panel of `printed_correlations.against_published`. In the shaded quarters the signs are opposite. Named
    are the pairs that lie more than FAR apart.
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
