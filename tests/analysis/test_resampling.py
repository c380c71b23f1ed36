"""Scores on drawn examples are those that the catalogue's metrics give on the drawn rows themselves."""

import numpy as np
import pandas as pd
import pytest

from intertask import metrics as catalogue
from intertask.analysis.resampling import BY_COUNTS, drawn_scores
from intertask.analysis.statistics import RESAMPLES

N = 40
DRAWN = np.random.default_rng(1).integers(0, N, (6, N))
COUNTS = np.array([np.bincount(rows, minlength=N) for rows in DRAWN]).astype(float)


def made(kind, rng):
    """N labels and predictions, some right and some wrong, with ties where they are numbers."""
    if kind == "numbers":
        labels = rng.integers(0, 6, N) / 2
        return labels, (labels + rng.normal(0, 1, N)).round(1)
    if kind == "sets":
        labels, given = ([[*range(k)] for k in rng.integers(0, 3, N)] for _ in range(2))
        return labels, given
    if kind == "answers":
        return [["the red car", "a car"]] * N, list(rng.choice(["Red car.", "blue car", "", "car"], N))
    labels = rng.integers(0, kind, N)
    return labels, np.where(rng.random(N) < 0.6, labels, rng.integers(0, kind, N))


KINDS = {"f1_macro": [2, 3, "sets"], "matthews_correlation": [2, 3], "pearson": ["numbers"], "spearman": ["numbers"]}
KINDS |= {"balanced_accuracy": [2, 3]}
KINDS |= {"f1_micro": ["sets"], "f1_samples": ["sets"]}
KINDS |= {"exact_match": ["answers"], "token_f1": ["answers"], "accuracy": [3, "sets"], "f1": [2]}
KINDS |= {"span_f1": []}  # of words, not of examples: below


@pytest.mark.parametrize("name, kind", [(name, kind) for name in BY_COUNTS for kind in KINDS[name]])
def test_each_metric_is_that_of_the_drawn_rows(name, kind):
    labels, given = made(kind, np.random.default_rng(0))
    found = BY_COUNTS[name](pd.Series(labels), pd.Series(given))(COUNTS)
    expected = [one(name, [labels[i] for i in rows], [given[i] for i in rows]) for rows in DRAWN]
    assert len(set(expected)) > 1 and found == pytest.approx(expected)


def one(name, labels, given):
    if name == "accuracy" and isinstance(labels[0], list):
        return np.mean([a == b for a, b in zip(labels, given, strict=True)])
    arrays = not isinstance(labels[0], list)
    return catalogue.METRICS[name](*((np.array(labels), np.array(given)) if arrays else (labels, given)))


def test_every_metric_but_one_is_there():
    assert BY_COUNTS.keys() == {*catalogue.METRICS, "span_f1"}  # question_exact_match is in neither: it needs groups


def test_spans_of_tags_are_drawn_with_their_sentences():
    """Per sentence the spans found rightly, and all of labels and predictions; by hand for two of four sentences."""
    rows = pd.DataFrame({"run": "a", "row": [0, 0, 1, 2, 3], "label": 0, "prediction": 0})
    counts = {"right": [1, 0, 0, 1, 0], "spans": [2, 1, 2, 2, 0]}
    drawn = drawn_scores(rows.assign(**counts), ["span_f1"])
    assert drawn.shape == (1, RESAMPLES) and drawn.loc["a"].between(0, 100).all()
    found = BY_COUNTS["span_f1"](*map(pd.Series, counts.values()))(np.array([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1.0]]))
    assert found == pytest.approx([4 / 5, 4 / 7])


@pytest.mark.parametrize("name", ["matthews_correlation", "pearson", "spearman"])
def test_of_a_constant_prediction_a_correlation_is_zero(name):
    labels = pd.Series(np.arange(N) % 2)
    assert (
        BY_COUNTS[name](labels, pd.Series([0.3 if name != "matthews_correlation" else 1] * N))(COUNTS).tolist()
        == [0] * 6
    )


def predictions(**runs):
    """Frames of predictions: run to (row, label, prediction) each."""
    columns = ["row", "label", "prediction"]
    return pd.concat([pd.DataFrame(rows, columns=columns).assign(run=run) for run, rows in runs.items()])


def test_an_example_is_drawn_with_all_its_rows():
    drawn = drawn_scores(predictions(a=[(7, 1, 1), (7, 0, 0), (7, 1, 1), (9, 1, 0)]), ["accuracy"])
    shares = drawn.loc["a"].value_counts(normalize=True)
    assert drawn.shape == (1, RESAMPLES) and set(shares.index) == {
        100,
        75,
        0,
    }  # twice the first, both, twice the second
    assert shares[75] == pytest.approx(0.5, abs=0.04)


def test_runs_are_scored_on_the_same_drawn_examples():
    rows = [(row, 1, int(row < 6)) for row in range(10)]
    better = [(row, 1, int(row < 7)) for row in range(10)]
    drawn = drawn_scores(predictions(a=rows, b=rows[::-1], c=better), ["accuracy"])
    assert (drawn.loc["a"] == drawn.loc["b"]).all()
    one = drawn.loc["c"] - drawn.loc["a"]  # example 6 alone makes the difference: drawn k times, 10 k points
    assert one.min() == 0 and one.mean() == pytest.approx(10, abs=1) and one.std() == pytest.approx(9.5, abs=0.7)


def test_a_run_that_was_scored_on_a_part_counts_on_its_own_examples():
    a, b = [(row, 1, 1) for row in range(8)], [(row, 1, row % 2) for row in range(4, 12)]
    drawn = drawn_scores(predictions(a=a, b=b), ["accuracy"])
    assert (drawn.loc["a"] == 100).all() and 45 < drawn.loc["b"].mean() < 55


def test_two_metrics_are_averaged():
    rows = [(row, int(row < 5), int(row < 3)) for row in range(10)]
    both, *each = (drawn_scores(predictions(a=rows), m).loc["a"] for m in (["accuracy", "f1"], ["accuracy"], ["f1"]))
    assert both.to_numpy() == pytest.approx(((each[0] + each[1]) / 2).to_numpy())


@pytest.mark.parametrize("metrics", [[], ["accuracy", "question_exact_match"]])
def test_what_predictions_do_not_tell_has_no_row(metrics):
    assert drawn_scores(predictions(a=[(0, 1, 1)]), metrics).empty


def test_without_predictions_there_is_no_row():
    assert drawn_scores(predictions(a=[]), ["accuracy"]).empty
