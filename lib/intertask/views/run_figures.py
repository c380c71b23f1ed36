"""Figures of one run, as in `analysis.figures`: each takes a frame and an `ax`, draws on it and returns it."""

import numpy as np
import pandas as pd
from matplotlib import color_sequences
from matplotlib.axes import Axes
from matplotlib.scale import FuncScale
from matplotlib.ticker import MaxNLocator

from intertask.views.drawing import ALERT, FAINT, INK, text, with_room
from intertask.views.matrix import matrix

MOST_CURVES = 8  # that a reader can tell apart
DECADE = 0.5  # its length on an axis that is logarithmic outside a range, as a share of the range's


def learning_curve(curve: pd.DataFrame, ax: Axes) -> Axes:
    """Main dev score (dots, left axis, best ringed) and training loss (dashed, right axis) over the examples seen.

    curve: the run's curve.csv, columns examples, train_loss, main.
    """
    ax.plot(curve["examples"], curve["main"], "o-", color=INK, markersize=4, label="dev score")
    best = curve.loc[curve["main"].idxmax()]
    ax.plot(best["examples"], best["main"], "o", color=ALERT, markersize=11, markerfacecolor="none", label="best")
    loss = ax.twinx()
    loss.plot(curve["examples"], curve["train_loss"], "--", color=FAINT)
    loss.set_ylabel("training loss (dashed)")
    loss.grid(False)
    ax.set(xlabel="training examples seen", ylabel="dev score, 0–100")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)  # above: the curves go anywhere
    return with_room(ax)


def running_curves(curves: pd.DataFrame, ax: Axes) -> Axes:
    """Dev scores over the share of the training, a line per run under way, told apart by colour and marker.

    curves: as `live_view.curves_under_way` has them. Of more than MOST_CURVES runs, the last ones are drawn.
    """
    runs = list(dict.fromkeys(curves["run"]))
    for place, run in enumerate(runs[-MOST_CURVES:]):
        rows, marker = curves[curves["run"] == run], "osD^vP*X"[place]
        color = color_sequences["petroff10"][place]
        ax.plot(100 * rows["share"], rows["score"], f"{marker}-", color=color, markersize=5, label=text(run))
    if len(runs) > MOST_CURVES:
        ax.set_title(f"{MOST_CURVES} of {len(runs)} runs", color=INK, fontsize="medium")
    ax.set(xlabel="share of the training, %", ylabel="dev score, 0–100", xlim=(0, 102))
    ax.tick_params(colors=INK)
    for part in (ax.xaxis.label, ax.yaxis.label):
        part.set_color(INK)
    ax.spines[:].set_color(INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), frameon=False, labelcolor=INK)  # below: ids are long
    return with_room(ax)


def confusion(labels, predictions, names: list[str], ax: Axes) -> Axes:
    """Counts of true label (rows) against predicted label (columns); labels, predictions: ids 0..len(names)-1."""
    ids = range(len(names))
    counts = pd.crosstab(pd.Series(labels), pd.Series(predictions)).reindex(index=ids, columns=ids, fill_value=0)
    cells = counts.rename_axis(index="row", columns="column").stack().rename("value").reset_index()
    shown = {label: text(name) for label, name in enumerate(names)}
    matrix(cells.assign(words=cells["value"].map(str)), shown, shown, ax, "Greys", (0, max(1, cells["value"].max())))
    ax.set(xlabel="predicted label", ylabel="true label", aspect="equal")
    return ax


def label_f1(table: pd.DataFrame, ax: Axes) -> Axes:
    """A bar per label: its F1 (0–100), with how often it occurs. table: columns label, f1, n, in the order drawn."""
    ax.barh(range(len(table)), table["f1"], color=FAINT)
    ax.set_yticks(range(len(table)), [f"{text(row.label)} ({row.n})" for row in table.itertuples()])
    ax.invert_yaxis()
    ax.set(xlim=(0, 100), xlabel="F1, 0–100 (in brackets: how often the label occurs)")
    return ax


def answer_overlap(overlap: pd.Series, ax: Axes) -> Axes:
    """How many examples have which overlap in words (0–100) with an accepted answer."""
    ax.hist(overlap, bins=np.linspace(0, 100, 11), color=FAINT, edgecolor=INK)
    ax.set(xlabel="token F1 with the nearest accepted answer, 0–100", ylabel="examples")
    return ax


def regression_scatter(labels, predictions, ax: Axes, most: tuple[float, float] | None = None) -> Axes:
    """Predicted against true value, one dot per example, with the line where both are equal.

    most: the range in which most labels are, where some are far from them: outside it both axes are logarithmic.
    """
    ax.plot(labels, predictions, "o", color=INK, alpha=0.3, markersize=4)
    ends = [min(labels), max(labels)]
    ax.plot(ends, ends, "--", color=FAINT, label="equal")
    beyond = ""
    if most:
        _logarithmic_outside(ax, *most)
        beyond = f" (logarithmic outside {most[0]:g} to {most[1]:g})"
    ax.set(xlabel=f"true label{beyond}", ylabel="predicted")
    ax.legend(loc="best")
    return ax


def _logarithmic_outside(ax: Axes, low: float, high: float) -> None:
    """Both axes: from low to high even; what is ten times as far from the farther of both lies DECADE further out."""

    def drawn_at(values):
        shares = (np.asarray(values, float) - low) / (high - low)
        above, below = np.log10(np.maximum(shares, 1)), np.log10(np.maximum(1 - shares, 1))
        return np.clip(shares, 0, 1) + DECADE * (above - below)

    def value_at(places):
        places = np.asarray(places, float)
        above, below = (10 ** (np.maximum(outside, 0) / DECADE) - 1 for outside in (places - 1, -places))
        return low + (high - low) * (np.clip(places, 0, 1) + above - below)

    powers, room = 10.0 ** np.arange(-9, 19), (high - low) / 2
    inside, outside = MaxNLocator(3).tick_values(low, high), np.concatenate([-powers, powers])
    ticks = {*inside[(inside >= low) & (inside <= high)], *outside[(outside < low - room) | (outside > high + room)]}
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        ax.set(**{f"{name}scale": FuncScale(axis, (drawn_at, value_at))})
        ends = axis.get_view_interval()
        axis.set_ticks(sorted(tick for tick in ticks if min(ends) <= tick <= max(ends)))
