import pandas as pd
from seaborn.utils import relative_luminance

from intertask.views.drawing import INK
from intertask.views.matrix import matrix, named

CELLS = pd.DataFrame(
    {
        "row": ["a", "a", "b"],
        "column": ["x", "y", "x"],
        "value": [1.0, -0.1, None],
        "words": ["+1\n[0, 2]", "-0.1", "missing"],
        "bold": [True, False, False],
    }
)


def test_what_a_cell_says_and_how_it_looks(ax):
    matrix(CELLS, named("ab"), named("xy"), ax, "RdBu", (-1, 1), "delta", lambda row, column: f"no {row}{column}")
    first, interval, second, missing, absent = ax.texts
    assert [found.get_text() for found in ax.texts] == ["+1", "[0, 2]", "-0.1", "missing", "no by"]
    assert first.get_fontsize() == second.get_fontsize() == 1.5 * interval.get_fontsize()
    assert first.get_fontweight() == "bold" and second.get_fontweight() == "normal"
    assert first.get_color() == "white" != second.get_color()  # on dark blue, and on a pale cell
    assert [patch.get_xy() for patch in ax.patches if patch.get_hatch() == "///"] == [(0, 1)]
    assert ax.collections[0].get_clim() == (-1, 1) and missing.get_position() == (0.5, 1.5)
    assert ax.figure.axes[1].get_ylabel() == "delta" and absent.get_position() == (1.5, 1.5)


def test_ink_has_the_larger_contrast_with_its_cell(ax):
    values = [place / 10 - 1 for place in range(21)]
    cells = pd.DataFrame({"row": "a", "column": [f"{v:.1f}" for v in values], "value": values, "words": "w"})
    matrix(cells, named("a"), named(cells["column"]), ax, "RdBu", (-1, 1))
    for value, word in zip(values, ax.texts, strict=True):
        cell = relative_luminance(ax.collections[0].to_rgba(value))
        light, ink = ((max(cell, own) + 0.05) / (min(cell, own) + 0.05) for own in (1.0, relative_luminance(INK)))
        assert (word.get_color() == "white") == (light > ink) and max(light, ink) > 4


def test_long_names_are_wrapped_and_one_line_each_is_small(ax):
    name = "a-name-that-is-much-longer-than-a-label"
    cells = CELLS.assign(words="w", value=[1.0, 2.0, 3.0])
    matrix(cells, {"a": "A", "b": "B"}, {"x": named([name])[name], "y": "Y"}, ax, "Greys", (0, 2), size=6)
    assert max(map(len, ax.get_xticklabels()[0].get_text().splitlines())) <= 21
    assert [found.get_fontsize() for found in ax.texts] == [6, 6, 6] and len(ax.figure.axes) == 1
