"""Figures: each function takes a frame and an `ax`, draws on it and returns it. Order is the study's order.

Nothing is told by colour alone: signs, marks and counts stand beside it, so a figure survives grey print.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from intertask.analysis.tables import category_label, of_expected, panel_name, row_label
from intertask.errors import number_of
from intertask.views.drawing import ALERT, AXIS, FAINT, INK, signed, text
from intertask.views.matrix import matrix, named

DENSE = 150  # cells of a matrix; in a larger one nobody could read more than a number in each
MOST_DRAWN = 40  # of a figure with a line per cell; a longer one is scrolled past, and its table has them all
GRADIENT = "RdBu"  # blue: the supporting task helps; red: it harms; safe for the common colour blindnesses


def panel_title(encoder: str, limit: int | None, supporting_limit: int | None = None, mixing: str | None = None) -> str:
    """The heading of one panel: as of `panel_name`, and how its tasks were mixed, where that is known."""
    return text(panel_name(encoder, limit, supporting_limit)) + ("" if pd.isna(mixing) else f"\nmixing: {text(mixing)}")


def transfer_heatmap(table: pd.DataFrame, ax: Axes, confidence: float = 0.95, ends: float | None = None) -> Axes:
    """Supporting x target matrix of mean deltas from `transfer_table`, for one encoder and data limit.

    Each cell: the mean in points with its sign, its interval, and the seeds behind it of those asked for; bold with *
    where Holm's p is below 1 - confidence; † where several seeds share one supporting model, ‡ where others trained it;
    k° where in k seeds one of the two runs learned nothing. Cells without a pair are hatched. Controls stand below a
    line. ends: |delta| at the ends of the colours, in points; by default the largest.
    With more than DENSE cells each shows its mean and * alone, in whole points; its title tells all the same.
    """
    table = table.sort_values("control", kind="stable")
    rows, columns = named(table["supporting"].unique()), named(table["target"].unique())
    dense = len(rows) * len(columns) > DENSE
    ends = ends or max(1, table["delta"].abs().fillna(0).max())
    table = table.assign(star=table["p_holm"] < 1 - confidence)
    words, titles = ([_transfer_words(cell, short) for cell in table.itertuples()] for short in (dense, False))
    cells = table.rename(columns={"supporting": "row", "target": "column", "delta": "value"})
    cells = cells.assign(words=words, title=titles, bold=table["star"] & (not dense))
    absent = "·" if dense else "not in\nthe study"
    matrix(cells, rows, columns, ax, GRADIENT, (-ends, ends), "delta, points", lambda *_: absent, upright=dense)
    ax.set(xlabel="target", ylabel="supporting")
    n_controls = table.loc[table["control"], "supporting"].nunique()
    if 0 < n_controls < len(rows):
        ax.axhline(len(rows) - n_controls, color=INK, linewidth=3)
    return ax


def _transfer_words(cell, dense: bool) -> str:
    star = "*" * cell.star
    if dense:
        return f"{cell.delta:+.0f}{star}{circle(cell.degenerate)[-1:]}" if cell.n else ""
    seeds = f"{cell.n} of {number_of(cell.n_expected, 'seed')}{dagger(cell.pseudo_replicates)}{' ‡' * cell.ready_made}"
    seeds += circle(cell.degenerate)
    if cell.n == 0:
        return f"missing\n{seeds}"
    note = cell.note * (cell.n_expected > 1)  # of one figure nobody expects an interval
    interval = note if pd.isna(cell.low) else f"[{signed(cell.low)}, {signed(cell.high)}]"
    return "\n".join(filter(None, [signed(cell.delta) + star, interval, seeds]))


def dagger(pseudo_replicates: bool) -> str:
    """The mark of seeds that share a supporting model; missing: it is not known whether they do."""
    return " †" if pd.notna(pseudo_replicates) and pseudo_replicates else ""


def circle(degenerate: int) -> str:
    """The mark of seeds with a run that learned nothing, with their number; missing: it is not known of all."""
    return f" {degenerate}°" if pd.notna(degenerate) and degenerate else ""


def transfer_size(table: pd.DataFrame) -> tuple[float, float]:
    """Inches of a `transfer_heatmap` of the table, wide and high."""
    rows, columns = table["supporting"].nunique(), table["target"].nunique()
    dense = rows * columns > DENSE
    return 3 + (0.5 if dense else 1.7) * columns, 1.5 + (0.35 if dense else 1) * rows


def probing_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Probe x model matrix of a `probing.probing_table`: the darker, the further above the majority.

    Each cell: the mean score, its interval over the examples and the seeds behind it; bold with * where the interval
    lies above the majority. The last column is the majority. Cells without a run are hatched.
    """
    gain = (table["score"] - table["majority"]).fillna(0).where(table["n"] > 0)
    above = table["low"] > table["majority"]
    cells = table.rename(columns={"probe": "row", "model": "column"}).assign(value=gain, bold=above)
    cells["words"] = [_probing_words(cell) for cell in cells.itertuples()]
    majority = table.groupby("probe", sort=False)["majority"].mean()
    said = ["" if pd.isna(score) else f"{score:.1f}" for score in majority]
    last = pd.DataFrame({"row": majority.index, "column": "majority", "value": 0.0, "words": said, "bold": False})
    models = named([*table["model"].unique(), "majority"])
    probes = named(table["probe"].unique(), 2 * AXIS)
    matrix(pd.concat([cells, last]), probes, models, ax, "Greys", (0, max(1.0, gain.max() / 0.8)), size=7)
    ax.xaxis.tick_top()
    return ax


def _probing_words(cell) -> str:
    if cell.n == 0:
        return ""
    interval = "" if pd.isna(cell.low) else f"[{cell.low:.1f}, {cell.high:.1f}]"
    seeds = of_expected(cell.n, cell.n_expected, "seed")
    return "\n".join(filter(None, [f"{cell.score:.1f}{'*' * cell.bold}", interval, seeds]))


def paired_differences(pairs: pd.DataFrame, table: pd.DataFrame, ax: Axes) -> Axes:
    """Every paired difference as a cross and the mean with its interval as a dot with a bar; one line per cell.

    pairs: from `deltas`; table: `transfer_table` of the same runs; both for one encoder and data limit.
    """
    cells = list(table.itertuples())
    members = [pairs[(pairs["supporting"] == cell.supporting) & (pairs["target"] == cell.target)] for cell in cells]
    seeds = [f" ({cell.n} of {number_of(cell.n_expected, 'seed')})" * (cell.n < cell.n_expected) for cell in cells]
    seeds = [said + circle(cell.degenerate) for said, cell in zip(seeds, cells, strict=True)]
    labels = [text(f"{cell.supporting} → {cell.target}{n}") for cell, n in zip(cells, seeds, strict=True)]
    rows_with_means(table, "delta", [own["delta"] for own in members], labels, ax)
    ax.set(xlabel="delta, points (× one seed; ● mean and interval; □ control)")
    return ax


def largest(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """The rows that a figure with a line per row has room for, MOST_DRAWN: where `value` is furthest from zero."""
    furthest = table[value].abs().sort_values(ascending=False, kind="stable").index[:MOST_DRAWN]
    return table[table.index.isin(furthest)]


def rows_with_means(table: pd.DataFrame, value: str, members: list[pd.Series], labels: list[str], ax: Axes) -> Axes:
    """A line per row of the table: `members` as crosses, their mean, the column `value`, as a dot with a bar low-high.

    A row whose n is 0 is called missing; a mean without an interval has no bar; a `control` has an open square.
    """
    for y, (row, own) in enumerate(zip(table.to_dict("records"), members, strict=True)):
        ax.plot(own, [y + 0.22] * len(own), "x", color=FAINT, markersize=5)
        if row["n"] == 0:
            ax.text(0, y, " missing", va="center", color=FAINT)
            continue
        bar = None if pd.isna(row["low"]) else [[row[value] - row["low"]], [row["high"] - row[value]]]
        mark, fill = ("s", "white") if row.get("control", False) else ("o", INK)
        ax.errorbar(row[value], y - 0.08, xerr=bar, fmt=mark, color=INK, capsize=3, markersize=5, markerfacecolor=fill)
    ax.set_yticks(range(len(table)), labels)
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.axvline(0, color=INK, linewidth=1)
    ax.grid(axis="y", visible=False)
    return ax


def restarts(runs: pd.DataFrame, ax: Axes) -> Axes:
    """Distribution of one target's scores over restarts, without and with each supporting task.

    After Figure 1 of Phang et al. 2018: a cross per run, mean ± 1 sd (ddof=1) beside it. Degenerate runs are open
    circles and are counted under the axis; the majority class is the dashed line. runs: the target runs, done or not,
    of one encoder, data limit and target.
    """
    groups = list(runs.groupby(["supporting", "supporting_limit"], sort=False, dropna=False))
    for x, (_, group) in enumerate(groups):
        _strip(group[group["done"]], x, ax)
    if runs["majority"].notna().any():
        ax.axhline(runs["majority"].mean(), color=FAINT, linestyle="--", linewidth=1, zorder=0)
        place = (len(groups) - 0.52, runs["majority"].mean())
        ax.annotate("majority", place, ha="right", va="bottom", color=FAINT, fontsize=8)
    names = ["none" if pd.isna(task) else text(row_label(task, limit), AXIS) for (task, limit), _ in groups]
    labels = [f"{name}\n{_run_counts(group)}" for name, (_, group) in zip(names, groups, strict=True)]
    ax.set_xticks(range(len(groups)), labels, fontsize=8)
    ax.set(xlim=(-0.5, len(groups) - 0.5), ylabel="score, 0–100")
    return ax


def _run_counts(group: pd.DataFrame) -> str:
    untold = group["done"].any() and group["degenerate"].isna().all()
    degenerate = "unknown if" if untold else int(group["degenerate"].sum())
    return f"{int(group['done'].sum())} of {number_of(len(group), 'run')}\n{degenerate} degenerate"


def _strip(group: pd.DataFrame, x: int, ax: Axes) -> None:
    places = x - 0.12 + np.linspace(-0.12, 0.12, len(group))  # side by side, so that equal scores stay visible
    degenerate = group["degenerate"].fillna(False).to_numpy(dtype=bool)
    scores = group["score"].to_numpy()
    ax.plot(places[~degenerate], scores[~degenerate], "x", color=INK, markersize=6)
    ax.plot(places[degenerate], scores[degenerate], "o", color=ALERT, markersize=6, markerfacecolor="none")
    if len(group):
        sd = group["score"].std() if len(group) > 1 else None
        ax.errorbar(x + 0.22, group["score"].mean(), yerr=sd, fmt="_", color=INK, capsize=4, markersize=12)


MARKS = [("o", INK), ("s", "white"), ("^", FAINT), ("D", "white"), ("v", INK), ("P", FAINT)]


def diagnostic_dots(table: pd.DataFrame, ax: Axes) -> Axes:
    """R3 x100 by category, a line each, with a mark per model: mean over seeds, and its interval over the examples.

    table: of `diagnostics.breakdown`. Coarse categories are bold, in brackets the number of rows. A dotted bar rests on
    few independent examples and is too short; a mark without a bar has no interval. A model whose R3 is undefined for
    every seed has no mark, but the word.
    """
    lines = table.drop_duplicates(["coarse", "fine"])
    offsets = np.linspace(-0.25, 0.25, table["model"].nunique()) if table["model"].nunique() > 1 else [0]
    for place, (model, own) in enumerate(table.groupby("model", sort=False)):
        _dots(own, np.arange(len(own)) + offsets[place], model, *MARKS[place % len(MARKS)], ax)
    names = [f"{category_label(row.coarse, row.fine)} ({row.n})" for row in lines.itertuples()]
    ax.set_yticks(range(len(lines)), [text(name) for name in names])
    for label, fine in zip(ax.get_yticklabels(), lines["fine"], strict=True):
        label.set_fontweight("normal" if fine else "bold")
    for y in np.flatnonzero(lines["fine"] == "")[1:]:
        ax.axhline(y - 0.5, color=FAINT, linewidth=0.8)
    ax.axvline(0, color=INK, linewidth=1)
    ax.grid(axis="y", visible=False)
    ax.set(ylim=(len(lines) - 0.5, -0.5), xlabel="R3 × 100 (0: chance, 100: all right; in brackets: rows)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    return ax


def _dots(own: pd.DataFrame, places: np.ndarray, model: str, mark: str, fill: str, ax: Axes) -> None:
    for few, style in ((False, "solid"), (True, "dotted")):
        bars = own["few_sets"].to_numpy() == few
        ax.hlines(places[bars], own["low"][bars], own["high"][bars], color=INK, linewidth=1, linestyle=style)
    undefined = (own["undefined"] == own["seeds"]).to_numpy()
    for y in places[undefined]:
        ax.text(0, y, " undefined", va="center", color=FAINT, fontsize=7)
    ax.plot(own["r3"].mask(undefined), places, mark, color=INK, markerfacecolor=fill, markersize=5, label=text(model))
