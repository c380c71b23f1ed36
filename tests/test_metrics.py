"""Every metric against answers worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from intertask.metrics import METRICS, bleu, perplexity, points, score

# true 1 1 1 0 0, predicted 1 1 0 1 0: TP 2, FN 1, FP 1, TN 1
LABELS, PREDICTIONS = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 1, 0])


def test_two_metric_tasks_are_averaged():
    assert score(["accuracy", "f1"], LABELS, PREDICTIONS) == pytest.approx(
        {"accuracy": 60.0, "f1": 200 / 3, "main": (60 + 200 / 3) / 2}
    )


def test_f1_macro_counts_every_class_alike():
    # class 1: 4 / (4 + 1 + 1); class 0: TP 1, FP 1, FN 1, so 2 / 4
    assert score(["f1_macro"], LABELS, PREDICTIONS)["main"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)


def test_balanced_accuracy_is_the_mean_recall_as_scikit_learn_has_it():
    from sklearn.metrics import balanced_accuracy_score

    assert score(["balanced_accuracy"], LABELS, PREDICTIONS)["main"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    rng = np.random.default_rng(0)
    labels = rng.choice(4, 200, p=[0.7, 0.2, 0.07, 0.03])
    predictions = np.where(rng.random(200) < 0.6, labels, rng.integers(0, 4, 200))
    assert METRICS["balanced_accuracy"](labels, predictions) == pytest.approx(
        balanced_accuracy_score(labels, predictions)
    )


def test_matthews_correlation():
    # (2 x 1 - 1 x 1) / sqrt(3 x 3 x 2 x 2)
    assert score(["matthews_correlation"], LABELS, PREDICTIONS)["main"] == pytest.approx(100 / 6)


def test_matthews_correlation_of_three_classes():
    # Gorodkin's R_K: (c s - sum p t) / sqrt((s^2 - sum p^2)(s^2 - sum t^2)); c = 2 of s = 4, p = t = (2, 1, 1)
    value = score(["matthews_correlation"], np.array([0, 0, 1, 2]), np.array([0, 2, 1, 0]))["main"]
    assert value == pytest.approx(100 * (8 - 6) / 10)


def test_correlations():
    scores = score(["pearson", "spearman"], np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 4.0]))
    # deviations (-1, 0, 1) and (-5/3, -2/3, 7/3): 4 / sqrt(2 x 26/3)
    assert scores == pytest.approx({"pearson": 400 / np.sqrt(2 * 26 / 3), "spearman": 100.0, "main": scores["main"]})
    assert scores["main"] == pytest.approx((scores["pearson"] + 100) / 2)


@pytest.mark.parametrize("metric", ["pearson", "spearman", "matthews_correlation"])
def test_a_constant_prediction_scores_zero_and_is_not_missing(metric):
    assert score([metric], np.array([0, 1, 2, 1]), np.array([1, 1, 1, 1]))["main"] == 0.0


def test_f1_without_a_predicted_positive_is_zero():
    assert score(["f1"], LABELS, np.zeros(5, int))["main"] == 0.0


SETS = [[0, 1], [1], [], [2]], [[0], [1, 2], [], []]
"""True and predicted labels of four examples."""


def test_f1_of_label_sets_by_hand():
    # micro: 2 x 2 / (4 + 3); labels: 1, 2/3, 0; examples: 2/3, 2/3, 1 (nothing in nothing), 0
    expected = {"f1_micro": 400 / 7, "f1_macro": 500 / 9, "f1_samples": 100 * (2 / 3 + 2 / 3 + 1 + 0) / 4}
    scores = score(list(expected), *map(list, SETS))
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert METRICS["f1_macro"]([[0]], [[0, 1]]) == 0.5  # a label that is predicted and nowhere there counts
    assert METRICS["f1_macro"]([[]], [[]]) == 0.0 and METRICS["f1_samples"]([[]], [[]]) == 1.0


def equals_scikit_learn(labels, predictions):
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    made = MultiLabelBinarizer().fit([*labels, *predictions])
    gold, given = made.transform(labels), made.transform(predictions)
    for kind, zero in {"micro": 0.0, "macro": 0.0, "samples": 1.0}.items():
        theirs = f1_score(gold, given, average=kind, zero_division=zero)
        assert METRICS[f"f1_{kind}"](labels, predictions) == pytest.approx(theirs, abs=1e-12), kind
        assert 0 < theirs < 1


def test_f1_of_label_sets_is_scikit_learns():
    equals_scikit_learn(*SETS)
    rng = np.random.default_rng(0)
    equals_scikit_learn(*([np.flatnonzero(row).tolist() for row in rng.random((200, 9)) < 0.2] for _ in range(2)))


def test_f1_of_label_sets_is_scikit_learns_on_a_real_file(shared):
    """The phenomena that linguists found in each pair of GLUE's diagnostic set; as predictions, those of the next."""
    frame = pd.read_csv(shared / "original" / "glue_diagnostic" / "diagnostic-full.tsv", sep="\t", quoting=3).fillna("")
    kinds = frame.iloc[:, :4].agg(";".join, axis=1).map(lambda cell: sorted({*filter(None, cell.split(";"))}))
    assert len(kinds) == 1104 and kinds.map(len).max() > 2
    names = sorted({name for cell in kinds for name in cell})
    labels = [[names.index(name) for name in cell] for cell in kinds]
    equals_scikit_learn(labels, labels[1:] + labels[:1])


def test_equal_predictions_have_equal_scores_wherever_they_lie_in_memory():
    rng = np.random.default_rng(0)
    labels, predictions = rng.random(401), rng.random(401)
    scores = []
    for shift in range(8):
        room = np.empty(8 * 401 + 8, np.uint8)[shift:][: 8 * 401].view(np.float64)
        room[:] = predictions
        scores.append(score(["pearson", "spearman"], labels, room))
    assert all(one == scores[0] for one in scores)


def test_perplexity_is_the_number_of_equally_likely_words():
    assert perplexity(4, 4 * math.log(1 / 50)) == pytest.approx(50)
    assert perplexity(1, 0.0) == 1 and math.isfinite(perplexity(1, -1e6))


def test_the_lower_perplexity_scores_more_however_high_it_is():
    """100 (1 - m / 250) as in the paper; above 250 it goes on, as steep where both meet, and never reaches -100."""
    assert [points(m) for m in (1, 25, 125, 250)] == [99.6, 90, 50, 0]
    assert points(500) == -50 and points(20_000) == pytest.approx(-98.75) and points(math.exp(700)) >= -100
    assert (points(250.01) - points(250)) / 0.01 == pytest.approx(-0.4, rel=1e-3)
    rising = [points(m) for m in range(1, 3000, 7)]
    assert rising == sorted(rising, reverse=True) and len(set(rising)) == len(rising)


def test_bleu_of_what_is_right_and_of_nothing():
    assert bleu(["a dog is at the door"], ["a dog is at the door"]) == pytest.approx(1)
    assert bleu(["a dog is at the door"], [""]) == 0
