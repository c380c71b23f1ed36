"""The one drawing of a matrix: colours by seaborn, and in each cell what it has to say."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from seaborn.utils import relative_luminance

from intertask.views.drawing import AXIS, FAINT, INK, text

TITLE = "title: "
"""How the name (gid) of what is drawn over a cell begins; the rest is what the cell says to a pointer."""


def named(names: Iterable[str], width: int = AXIS) -> dict[str, str]:
    """Each name with the label that an axis has for it, in lines of `width` characters."""
    return {name: text(name, width) for name in names}


def matrix(
    cells: pd.DataFrame,
    rows: dict[str, str],
    columns: dict[str, str],
    ax: Axes,
    colours: str,
    ends: tuple[float, float],
    bar: str = "",
    absent: Callable[[str, str], str] = lambda row, column: "",
    size: float = 8,
    upright: bool = False,
) -> Axes:
    """Draws `cells`: columns row, column, value (its colour), words (its text) and, where they are, bold and title.

    The first of several lines of words is the largest. A cell without a value is hatched; one that is not among the
    cells stays white and holds the words of `absent`. rows, columns: name to label, in the order drawn; ends: the
    values at the ends of the colour map; bar: what stands at the colour bar, none if empty; size: of the words, in
    points; upright: whether column labels are turned. The middle of the first cell is at (0.5, 0.5). Over each cell
    lies a rectangle that is not seen, with TITLE, the cell's names and its title, by default its words, for its gid.
    """
    values = cells.pivot(index="row", columns="column", values="value").reindex(index=list(rows), columns=list(columns))
    values = values.to_numpy(dtype=float, na_value=np.nan)
    outside = (np.nan_to_num(values) < ends[0]).any() or (np.nan_to_num(values) > ends[1]).any()
    cbar = {"label": bar, "pad": 0.02, "fraction": 0.04, "extend": "both" if bar and outside else "neither"}
    ax.grid(False)
    sns.heatmap(values, cmap=colours, vmin=ends[0], vmax=ends[1], linewidths=0.5, cbar=bool(bar), cbar_kws=cbar,
                xticklabels=False, yticklabels=False, ax=ax)  # fmt: skip
    colour = ax.collections[0].to_rgba
    large = 1.5 * size if cells["words"].str.contains("\n").any() else size
    found = {(cell.row, cell.column): cell for cell in cells.itertuples()}
    middle = (1.05 * (relative_luminance(INK) + 0.05)) ** 0.5 - 0.05  # where white has INK's contrast (WCAG 2)
    for (y, x), value in np.ndenumerate(values):
        key = list(rows)[y], list(columns)[x]
        if key not in found:
            _put(absent(*key), x, y, ax, fontsize=size, color=FAINT)
        elif np.isnan(value):
            ax.add_patch(Rectangle((x, y), 1, 1, facecolor="white", edgecolor=FAINT, hatch="///", linewidth=0))
            box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
            _put(found[key].words, x, y, ax, fontsize=size, color=INK, bbox=box)
        else:
            ink = INK if relative_luminance(colour(value)) > middle else "white"
            bold = "bold" if getattr(found[key], "bold", False) else "normal"
            first, _, others = found[key].words.partition("\n")
            above = {"fontsize": large, "va": "bottom" if others else "center"}
            _put(first, x, y, ax, color=ink, fontweight=bold, **above)
            _put(others, x, y, ax, color=ink, fontsize=size, va="top")
        if key in found:
            _title(found[key], x, y, ax)
    ax.set_xticks(np.arange(len(columns)) + 0.5, list(columns.values()), rotation=90 if upright else 0)
    ax.set_yticks(np.arange(len(rows)) + 0.5, list(rows.values()), rotation=0)
    ax.tick_params(length=0)
    return ax


def _put(words: str, x: int, y: int, ax: Axes, **style) -> None:
    if words:
        ax.text(x + 0.5, y + 0.5, words, ha="center", **{"va": "center"} | style)


def _title(cell, x: int, y: int, ax: Axes) -> None:
    over = Rectangle((x, y), 1, 1, facecolor="none", linewidth=0)
    over.set_gid(f"{TITLE}{cell.row} → {cell.column}\n{getattr(cell, 'title', cell.words)}")
    ax.add_patch(over)
