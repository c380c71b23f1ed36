import pandas as pd

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
    assert [(patch.get_hatch(), patch.get_xy()) for patch in ax.patches] == [("///", (0, 1))]
    assert ax.collections[0].get_clim() == (-1, 1) and missing.get_position() == (0.5, 1.5)
    assert ax.figure.axes[1].get_ylabel() == "delta" and absent.get_position() == (1.5, 1.5)


def test_long_names_are_wrapped_and_one_line_each_is_small(ax):
    name = "a-name-that-is-much-longer-than-a-label"
    cells = CELLS.assign(words="w", value=[1.0, 2.0, 3.0])
    matrix(cells, {"a": "A", "b": "B"}, {"x": named([name])[name], "y": "Y"}, ax, "Greys", (0, 2), size=6)
    assert max(map(len, ax.get_xticklabels()[0].get_text().splitlines())) <= 18
    assert [found.get_fontsize() for found in ax.texts] == [6, 6, 6] and len(ax.figure.axes) == 1
