"""Figures of what `lab.explore` shows: the matrices, one above the other, and the curves of one cell."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from intertask.analysis import figures
from intertask.analysis.explored import Matrix
from intertask.views.drawing import FAINT, INK, with_room


def matrices_figure(shown: list[Matrix], ends: float, confidence: float) -> Figure:
    """The matrices as `figures.transfer_heatmap`, each in its order; ends: |delta| where the colours end."""
    sizes = [figures.transfer_size(one.table) for one in shown]
    figure = Figure(figsize=(max(wide for wide, _ in sizes), sum(high + 1 for _, high in sizes)), dpi=70)
    axes = figure.subplots(len(sizes), squeeze=False, height_ratios=[high for _, high in sizes])[:, 0]
    for one, ax in zip(shown, axes, strict=True):
        keys = {"supporting": one.rows.index, "target": one.columns.index}
        table = one.table.sort_values(list(keys), key=lambda names, keys=keys: names.map(keys[names.name]))
        figures.transfer_heatmap(table, ax, confidence, ends)
        ax.set_title(figures.text(one.title))
    return figure


def curves_figure(curves: pd.DataFrame) -> Figure:
    """The curves of all restarts of a cell, small."""
    figure = Figure(figsize=(5, 2.6), dpi=80)
    curves_apart(curves, figure.subplots())
    return figure


def curves_apart(curves: pd.DataFrame, ax: Axes) -> Axes:
    """The dev scores of a cell's restarts while they trained: before dashed and grey, after drawn through.

    curves: of `cells.cell_curves`, a line for each `when` and seed.
    """
    for when, colour, line in (("before", FAINT, "s--"), ("after", INK, "o-")):
        label = when
        for _, own in curves[curves["when"] == when].groupby("seed", dropna=False):
            ax.plot(own["examples"], own["main"], line, color=colour, markersize=3, linewidth=1, label=label)
            label = None
    ax.set(xlabel="training examples seen", ylabel="dev score, 0–100")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)  # above: the curves go anywhere
    return with_room(ax)
