import numpy as np
import pandas as pd
import pytest

from intertask.views import run_figures


def words(ax):
    return [found.get_text() for found in ax.texts]


def test_learning_curve_rings_the_best_score(ax):
    curve = pd.DataFrame({"examples": [10, 20, 30], "train_loss": [1.0, 0.5, 0.4], "main": [50.0, 70.0, 60.0]})
    assert run_figures.learning_curve(curve, ax) is ax
    assert list(ax.lines[1].get_xdata()) == [20] and list(ax.lines[1].get_ydata()) == [70]


def test_scores_that_differ_by_little_do_not_fill_the_axis(ax):
    run_figures.learning_curve(pd.DataFrame({"examples": [1, 2], "train_loss": [0.7, 0.7], "main": [50.0, 50.4]}), ax)
    assert ax.get_ylim() == pytest.approx((45.2, 55.2))


def test_confusion_counts_and_shows_names_literally(ax):
    run_figures.confusion([0, 0, 1, 2], [0, 1, 1, 2], ["$no$", r"y\es", "may$be"], ax)
    assert words(ax) == ["1", "1", "0", "0", "1", "0", "0", "0", "1"]
    assert ax.get_xticklabels()[0].get_text() == r"\$no\$"


def test_regression_scatter(ax):
    assert run_figures.regression_scatter([0.0, 5.0], [1.0, 4.0], ax) is ax
    assert list(ax.lines[0].get_ydata()) == [1, 4] and list(ax.lines[1].get_xdata()) == [0, 5]


@pytest.mark.parametrize(
    "most, labels, places, ticks",
    [
        # half the range's length for ten times as far from its other end: 500 lies 10 lengths from 0, -450 from 50
        ((0, 50), [0, 25, 50, 500, -450], [0, 0.5, 1, 1.5, -0.5], [-100, 0, 20, 40, 100]),
        ((1900, 2000), [1900, 2000, 2900, 11900], [0, 1, 1.5, 2], [1920, 1960, 2000, 10000]),
    ],
)
def test_a_scatter_with_outliers_is_logarithmic_where_they_are(ax, most, labels, places, ticks):
    run_figures.regression_scatter(labels, labels, ax, most)
    for axis in (ax.xaxis, ax.yaxis):
        scale = axis.get_transform()
        assert scale.transform(np.array(labels)) == pytest.approx(places)
        assert scale.inverted().transform(np.array(places)) == pytest.approx(labels)
        assert axis.get_ticklocs().tolist() == ticks
    assert ax.get_xlabel() == f"true label (logarithmic outside {most[0]} to {most[1]})"
