"""The metrics of the GLUE paper (Wang et al. 2018, section 3), all times 100.

scikit-learn and scipy are imported where they are used: most runs need neither, and each costs a kernel half a second.
"""

import warnings
from collections.abc import Sequence

import numpy as np


def accuracy(labels, predictions) -> float:
    return float(np.mean(labels == predictions))


def f1(labels, predictions) -> float:
    """F1 of the class with id 1, as GLUE scores MRPC and QQP; 0 when that class is never predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, pos_label=1, average="binary", zero_division=0.0))


def f1_macro(labels, predictions) -> float:
    """The unweighted mean of the classes' F1, as SuperGLUE scores CB; 0 for a class that is never predicted."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="macro", zero_division=0.0))


def matthews_correlation(labels, predictions) -> float:
    """Matthews correlation, for any number of classes (R_K of Gorodkin 2004); 0 where it is undefined."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(labels, predictions))


def pearson(labels, predictions) -> float:
    return _correlation("pearsonr", labels, predictions)


def spearman(labels, predictions) -> float:
    return _correlation("spearmanr", labels, predictions)


def _correlation(name: str, labels, predictions) -> float:
    """0 where it is undefined: a constant prediction is a degenerate run, not a missing one."""
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (stats.ConstantInputWarning, stats.NearConstantInputWarning))
        value = getattr(stats, name)(labels, predictions).statistic
    return float(np.nan_to_num(value))


METRICS = {metric.__name__: metric for metric in (accuracy, f1, f1_macro, matthews_correlation, pearson, spearman)}


def score(metrics: Sequence[str], labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """Every metric times 100, and `main`, their mean (GLUE averages the metrics of a two-metric task first).

    Rounded to 6 places: the last bits of a long sum depend on where its numbers lie in memory, and equal predictions
    must have equal scores.
    """
    scores = {name: round(100 * METRICS[name](labels, predictions), 6) for name in metrics}
    return {**scores, "main": round(float(np.mean(list(scores.values()))), 6)}
