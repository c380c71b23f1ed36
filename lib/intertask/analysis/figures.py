"""Figures: each function takes a frame and an `ax`, draws on it and returns it. Order is the study's order.

Nothing is told by colour alone: signs, marks and counts stand beside it, so a figure survives grey print.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from intertask.analysis.tables import panel_name, supporting_label
from intertask.views.drawing import ALERT, AXIS, FAINT, INK, signed, text

DENSE = 150  # cells of a matrix; in a larger one nobody could read more than a number in each
GRADIENT = "RdBu"  # blue: the supporting task helps; red: it harms; safe for the common colour blindnesses


def panel_title(encoder: str, limit: int | None, supporting_limit: int | None = None) -> str:
    """The heading of one panel, as of `panel_name`."""
    return text(panel_name(encoder, limit, supporting_limit))


def transfer_heatmap(table: pd.DataFrame, ax: Axes, confidence: float = 0.95, ends: float | None = None) -> Axes:
    """Supporting x target matrix of mean deltas from `transfer_table`, for one encoder and data limit.

    Each cell: the mean in points with its sign, its interval, and the seeds behind it of those asked for; bold with *
    where Holm's p is below 1 - confidence; † where several seeds share one supporting model. Cells without a pair are
    hatched. Controls stand below a line. ends: |delta| at the ends of the colours, in points; by default the largest.
    With more than DENSE cells each shows its mean and * alone, in whole points.
    """
    table = table.sort_values("control", kind="stable")
    rows, columns = table["supporting"].unique(), table["target"].unique()
    dense = len(rows) * len(columns) > DENSE
    ends = ends or max(1, table["delta"].abs().fillna(0).max())
    colour = ax.figure.colorbar(_colours(table, rows, columns, ends, ax), ax=ax, pad=0.02, fraction=0.04)
    colour.set_label("delta, points")
    for cell in table.itertuples():
        x, y = list(columns).index(cell.target), list(rows).index(cell.supporting)
        draw = _dense_cell if dense else _heatmap_cell
        draw(cell, x, y, dark=abs(cell.delta) > 0.6 * ends, alpha=1 - confidence, ax=ax)
    present = set(zip(table["supporting"], table["target"], strict=True))
    words = "·" if dense else "not in\nthe study"
    for x, y in np.ndindex(len(columns), len(rows)):
        if (rows[y], columns[x]) not in present:
            ax.text(x, y, words, ha="center", va="center", color=FAINT, fontsize=8)
    ax.set_xticks(range(len(columns)), [text(target, AXIS) for target in columns], rotation=90 if dense else 0)
    ax.set_yticks(range(len(rows)), [text(supporting_label(supporting), AXIS) for supporting in rows])
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set(xlabel="target", ylabel="supporting")
    n_controls = table.loc[table["control"], "supporting"].nunique()
    if 0 < n_controls < len(rows):
        ax.axhline(len(rows) - n_controls - 0.5, color=INK, linewidth=3)
    return ax


def _colours(table, rows, columns, ends, ax):
    means = table.pivot(index="supporting", columns="target", values="delta").reindex(index=rows, columns=columns)
    return ax.imshow(means.to_numpy(dtype=float), cmap=GRADIENT, norm=Normalize(-ends, ends), aspect="auto")


def _heatmap_cell(cell, x: int, y: int, dark: bool, alpha: float, ax: Axes) -> None:
    ink = "white" if dark else INK
    shared = pd.notna(cell.pseudo_replicates) and cell.pseudo_replicates
    seeds = f"{cell.n} of {cell.n_expected} seeds" + " †" * bool(shared)
    if cell.n == 0:
        hatched(x, y, ax)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        ax.text(x, y, f"missing\n{seeds}", ha="center", va="center", fontsize=8, bbox=box)
        return
    significant = cell.p_holm < alpha
    note = cell.note * (cell.n_expected > 1)  # of one figure nobody expects an interval
    interval = note if pd.isna(cell.low) else f"[{signed(cell.low)}, {signed(cell.high)}]"
    ax.text(x, y - 0.17, signed(cell.delta) + "*" * significant, ha="center", va="center", color=ink,
            fontsize=13, fontweight="bold" if significant else "normal")  # fmt: skip
    ax.text(x, y + 0.11, interval, ha="center", va="center", color=ink, fontsize=8)
    ax.text(x, y + 0.32, seeds, ha="center", va="center", color=ink, fontsize=7)


def _dense_cell(cell, x: int, y: int, dark: bool, alpha: float, ax: Axes) -> None:
    if cell.n == 0:
        hatched(x, y, ax)
        return
    words = f"{cell.delta:+.0f}" + "*" * bool(cell.p_holm < alpha)
    ax.text(x, y, words, ha="center", va="center", color="white" if dark else INK, fontsize=8)


def matrix_size(table: pd.DataFrame) -> tuple[float, float]:
    """Inches of a `transfer_heatmap` of the table, wide and high."""
    rows, columns = table["supporting"].nunique(), table["target"].nunique()
    dense = rows * columns > DENSE
    return 3 + (0.5 if dense else 1.7) * columns, 1.5 + (0.35 if dense else 1) * rows


def hatched(x: int, y: int, ax: Axes) -> None:
    """A cell of a matrix without a run."""
    ax.fill_between([x - 0.5, x + 0.5], y - 0.5, y + 0.5, facecolor="white", edgecolor=FAINT, hatch="///")


def probing_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Probe x model matrix of a `probing.probing_table`: the darker, the further above the majority.

    Each cell: the mean score, its interval over the examples and the seeds behind it; bold with * where the interval
    lies above the majority. The last column is the majority. Cells without a run are hatched.
    """
    probes, models = table["probe"].unique(), table["model"].unique()
    gain = table.assign(gain=table["score"] - table["majority"]).pivot(index="probe", columns="model", values="gain")
    gain = gain.reindex(index=probes, columns=models).to_numpy(dtype=float)
    norm = Normalize(0, max(1.0, np.nanmax(gain, initial=1.0)))
    ax.imshow(np.pad(gain, ((0, 0), (0, 1))), cmap="Greys", norm=norm, aspect="auto", alpha=0.8)
    for cell in table.itertuples():
        x, y = list(models).index(cell.model), list(probes).index(cell.probe)
        _probing_cell(cell, x, y, "white" if cell.score - cell.majority > 0.6 * norm.vmax else INK, ax)
    for y, majority in enumerate(table.groupby("probe", sort=False)["majority"].mean()):
        ax.text(len(models), y, "" if pd.isna(majority) else f"{majority:.1f}", ha="center", va="center", color=INK)
    ax.set_xticks(range(len(models) + 1), [*(text(model, AXIS) for model in models), "majority"])
    ax.set_yticks(range(len(probes)), [text(probe, 2 * AXIS) for probe in probes])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    return ax


def _probing_cell(cell, x: int, y: int, ink: str, ax: Axes) -> None:
    if cell.n == 0:
        hatched(x, y, ax)
        return
    above = cell.low > cell.majority
    seeds = f"{cell.n} seeds" if cell.n == cell.n_expected else f"{cell.n} of {cell.n_expected} seeds"
    interval = "" if pd.isna(cell.low) else f"[{cell.low:.1f}, {cell.high:.1f}]"
    ax.text(x, y - 0.18, f"{cell.score:.1f}" + "*" * above, ha="center", va="center", color=ink, fontsize=10,
            fontweight="bold" if above else "normal")  # fmt: skip
    ax.text(x, y + 0.12, interval, ha="center", va="center", color=ink, fontsize=7)
    ax.text(x, y + 0.34, seeds, ha="center", va="center", color=ink, fontsize=6)


def paired_differences(pairs: pd.DataFrame, table: pd.DataFrame, ax: Axes) -> Axes:
    """Every paired difference as a cross and the mean with its interval as a dot with a bar; one line per cell.

    pairs: from `deltas`; table: `transfer_table` of the same runs; both for one encoder and data limit.
    """
    for y, cell in enumerate(table.itertuples()):
        own = pairs[(pairs["supporting"] == cell.supporting) & (pairs["target"] == cell.target)]
        ax.plot(own["delta"], [y + 0.22] * len(own), "x", color=FAINT, markersize=5)
        if cell.n == 0:
            ax.text(0, y, " missing", va="center", color=FAINT)
            continue
        bar = [[cell.delta - cell.low], [cell.high - cell.delta]] if cell.note == "" else None
        marker = "s" if cell.control else "o"
        ax.errorbar(cell.delta, y - 0.08, xerr=bar, fmt=marker, color=INK, capsize=3, markersize=5,
                    markerfacecolor="white" if cell.control else INK)  # fmt: skip
    ax.set_yticks(range(len(table)), [_pair_label(cell) for cell in table.itertuples()])
    ax.invert_yaxis()
    ax.axvline(0, color=INK, linewidth=1)
    ax.set(xlabel="delta, points (× one seed; ● mean and interval; □ control)")
    return ax


def _pair_label(cell) -> str:
    seeds = f" ({cell.n} of {cell.n_expected} seeds)" if cell.n < cell.n_expected else ""
    return text(f"{supporting_label(cell.supporting)} → {cell.target}{seeds}")


def restarts(runs: pd.DataFrame, ax: Axes) -> Axes:
    """Distribution of one target's scores over restarts, without and with each supporting task.

    After Figure 1 of Phang et al. 2018: a cross per run, mean ± 1 sd (ddof=1) beside it. Degenerate runs are open
    circles and are counted under the axis; the majority class is the dashed line. runs: the target runs, done or not,
    of one encoder, data limit and target.
    """
    groups = list(runs.groupby("supporting", sort=False, dropna=False))
    for x, (_, group) in enumerate(groups):
        _strip(group[group["done"]], x, ax)
    if runs["majority"].notna().any():
        ax.axhline(runs["majority"].mean(), color=FAINT, linestyle="--", linewidth=1, zorder=0)
        place = (len(groups) - 0.52, runs["majority"].mean())
        ax.annotate("majority", place, ha="right", va="bottom", color=FAINT, fontsize=8)
    labels = [f"{text(supporting_label(supporting), AXIS)}\n{_counts(group)}" for supporting, group in groups]
    ax.set_xticks(range(len(groups)), labels, fontsize=8)
    ax.set(xlim=(-0.5, len(groups) - 0.5), ylabel="score, 0–100")
    return ax


def _counts(group: pd.DataFrame) -> str:
    untold = group["done"].any() and group["degenerate"].isna().all()
    degenerate = "unknown if" if untold else int(group["degenerate"].sum())
    return f"{int(group['done'].sum())} of {len(group)} runs\n{degenerate} degenerate"


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


def category_label(coarse: str, fine: str) -> str:
    """A category of a diagnostic set in words; without both it is all rows."""
    return fine or coarse.replace("_", " ") or "all rows"


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


def literature_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Pair x setting matrix of the deltas of `literature.effects`: what each found for the same pair of tasks.

    Each cell: the delta in points with its sign, * where its interval leaves out zero, and the seeds if several. A
    setting without the pair is hatched.
    """
    pairs = (table["supporting"] + " → " + table["target"]).rename("pair")
    encoders = list(table["setting"].str.rpartition(", ")[0].unique())
    rows = pairs.unique()
    columns = sorted(table["setting"].unique(), key=lambda setting: encoders.index(setting.rpartition(", ")[0]))
    wide = table.assign(pair=pairs).pivot(index="pair", columns="setting", values="delta").reindex(rows)[columns]
    ends = max(1, wide.abs().max().max())
    image = ax.imshow(wide.to_numpy(dtype=float), cmap=GRADIENT, norm=Normalize(-ends, ends), aspect="auto")
    ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04).set_label("delta, points")
    for x, y in np.argwhere(wide.isna().to_numpy().T):
        hatched(x, y, ax)
    for cell, pair in zip(table.itertuples(), pairs, strict=True):
        if pd.notna(cell.delta):
            words = signed(cell.delta) + "*" * bool(cell.low > 0 or cell.high < 0) + f"\nn = {cell.n}" * (cell.n > 1)
            ink = "white" if abs(cell.delta) > 0.6 * ends else INK
            x, y = columns.index(cell.setting), list(rows).index(pair)
            ax.text(x, y, words, ha="center", va="center", color=ink, fontsize=8)
    ax.set_xticks(range(len(columns)), [text(setting, 26) for setting in columns], rotation=90)
    ax.set_yticks(range(len(rows)), [text(pair, 2 * AXIS) for pair in rows])
    ax.tick_params(length=0)
    ax.grid(False)
    return ax
