"""Scores of runs on examples drawn anew, for every metric of BY_COUNTS.

A resample says how often each example was drawn; a metric is a function of these counts, shape (resamples, rows) to
(resamples,), as share: 1 is 100 points. The same numbers as `intertask.metrics` gives on the drawn rows themselves.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from intertask.analysis.statistics import RESAMPLES, draws, matthews
from intertask.metrics import any_equal, best_overlap, set_f1

Metric = Callable[[np.ndarray], np.ndarray]


def drawn_scores(predictions: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Main scores, 0–100, of runs on RESAMPLES samples of examples with replacement, the same samples for all runs.

    A row per run, a column per resample; so a difference of two rows is paired. An example is drawn with all its rows
    (the words of a sentence, the spans of a text). predictions: columns run, row (the example), label, prediction and,
    for span_f1, right and spans, all of one task and one split; runs that were scored on different examples are drawn
    from the union. Without rows where there is no prediction, or where one of the metrics is none of BY_COUNTS.
    """
    if predictions.empty or not metrics or set(metrics) - BY_COUNTS.keys():
        return pd.DataFrame(columns=range(RESAMPLES), dtype="float64")
    examples, place = np.unique(predictions["row"], return_inverse=True)
    runs = predictions.assign(place=place).groupby("run", sort=False)
    parts = {
        run: (own["place"].to_numpy(), [BY_COUNTS[name](*_read(own, name)) for name in metrics]) for run, own in runs
    }
    scores = [_run_scores(parts, counts) for counts in draws(len(examples))]
    return pd.DataFrame(np.concatenate(scores, axis=1), index=list(parts))


def _read(own: pd.DataFrame, metric: str) -> list[pd.Series]:
    return [own[name] for name in (("right", "spans") if metric == "span_f1" else ("label", "prediction"))]


def _run_scores(parts: dict, counts: np.ndarray) -> np.ndarray:
    """Means of each run's metrics, 0–100: (runs, resamples)."""
    every = np.arange(counts.shape[1])
    scores = []
    for place, metrics in parts.values():
        own = counts if np.array_equal(place, every) else counts[:, place]  # copying is most of the time
        scores.append(np.mean([metric(own) for metric in metrics], axis=0))
    return 100 * np.array(scores)


def _ratio(right, counted) -> Metric:
    """The metric that is a ratio of two sums; 0 / 0 counts as 0."""
    right, counted = np.asarray(right, dtype=float), np.broadcast_to(counted, len(right)).astype(float)
    return lambda counts: _divided(counts @ right, counts @ counted)


def _divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, where=b > 0, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)))


def _mean_ratio(right: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The mean of the ratios in the last dimension, of those whose divisor is not 0."""
    return _divided(_divided(right, counted).sum(-1), (counted > 0).sum(-1))


def _accuracy(labels: pd.Series, predictions: pd.Series) -> Metric:
    """Of a target with several labels, all of them."""
    labels, predictions = (x.map(tuple) if np.ndim(x.iloc[0]) else x for x in (labels, predictions))
    return _ratio(labels == predictions, 1)


def _f1(labels: pd.Series, predictions: pd.Series) -> Metric:
    gold, given = (labels == 1).astype(int), (predictions == 1).astype(int)
    return _ratio(2 * gold * given, gold + given)


def _f1_micro(labels: pd.Series, predictions: pd.Series) -> Metric:
    right = [2 * len({*gold} & {*given}) for gold, given in zip(labels, predictions, strict=True)]
    return _ratio(right, labels.map(len) + predictions.map(len))


def _span_f1(right: pd.Series, spans: pd.Series) -> Metric:
    return _ratio(2 * right, spans)


def _f1_macro(labels: pd.Series, predictions: pd.Series) -> Metric:
    """The mean over the classes that occur in the drawn rows, as a label or as a prediction."""
    from sklearn.preprocessing import MultiLabelBinarizer  # half a second of import, which most figures need not pay

    if not np.ndim(labels.iloc[0]):
        labels, predictions = (cells.map(lambda one: [one]) for cells in (labels, predictions))
    binarizer = MultiLabelBinarizer().fit([*labels, *predictions])
    gold, given = (binarizer.transform(cells).astype(float) for cells in (labels, predictions))
    return lambda counts: _mean_ratio(2 * counts @ (gold * given), counts @ (gold + given))


def _mean_of(share: Callable, labels: pd.Series, predictions: pd.Series) -> Metric:
    return _ratio([share(*pair) for pair in zip(labels, predictions, strict=True)], 1)


def _confusion(labels: pd.Series, predictions: pd.Series) -> Metric:
    """Confusion matrices, (resamples, K, K)."""
    classes, ids = np.unique(np.concatenate([labels, predictions]), return_inverse=True)
    cells = np.eye(len(classes) ** 2)[ids[: len(labels)] * len(classes) + ids[len(labels) :]]
    return lambda counts: (counts @ cells).reshape(len(counts), len(classes), len(classes))


def _matthews(labels: pd.Series, predictions: pd.Series) -> Metric:
    confusion = _confusion(labels, predictions)
    return lambda counts: np.nan_to_num(matthews(confusion(counts)))


def _balanced_accuracy(labels: pd.Series, predictions: pd.Series) -> Metric:
    """The mean over the classes that are labels of drawn rows."""
    confusion = _confusion(labels, predictions)

    def of(counts: np.ndarray) -> np.ndarray:
        found = confusion(counts)
        return _mean_ratio(np.diagonal(found, axis1=-2, axis2=-1), found.sum(-1))

    return of


def _pearson(labels: pd.Series, predictions: pd.Series) -> Metric:
    x, y = labels.to_numpy(float), predictions.to_numpy(float)
    return lambda counts: _weighted_correlation(counts, x, y)


def _spearman(labels: pd.Series, predictions: pd.Series) -> Metric:
    x, y = _ranks(labels), _ranks(predictions)
    return lambda counts: _weighted_correlation(counts, x(counts), y(counts))


def _ranks(values: pd.Series) -> Metric:
    """The mid-rank of each row among the drawn ones, (resamples, rows): no metric, but a function of counts too."""
    values = values.to_numpy(float)
    order = np.argsort(values, kind="stable")
    _, first, place = np.unique(values[order], return_index=True, return_inverse=True)
    back = place[np.argsort(order)]

    def of(counts: np.ndarray) -> np.ndarray:
        tied = np.add.reduceat(counts[:, order], first, axis=1)
        return (np.cumsum(tied, axis=1) - (tied - 1) / 2)[:, back]

    return of


def _weighted_correlation(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's, of values with these counts, (rows,) or (resamples, rows); 0 where one of the two is constant."""
    total = counts.sum(-1, keepdims=True)
    x, y = (v - _divided((counts * v).sum(-1, keepdims=True), total) for v in (x, y))
    weighted = counts * x
    covariance, of_x, of_y = (weighted * y).sum(-1), (weighted * x).sum(-1), (counts * y * y).sum(-1)
    scale = np.sqrt(of_x * of_y)
    varies = np.minimum(of_x, of_y) > 1e-20 * total[:, 0]  # below: equal up to rounding
    return np.divide(covariance, scale, where=varies, out=np.zeros_like(scale))


BY_COUNTS = {
    "accuracy": _accuracy, "balanced_accuracy": _balanced_accuracy, "f1": _f1,
    "f1_micro": _f1_micro, "f1_macro": _f1_macro, "f1_samples": partial(_mean_of, set_f1), "span_f1": _span_f1,
    "exact_match": partial(_mean_of, any_equal), "token_f1": partial(_mean_of, best_overlap),
    "matthews_correlation": _matthews, "pearson": _pearson, "spearman": _spearman,
}  # fmt: skip
"""Metric -> of labels and predictions, a row each, or for span_f1 of what `metrics.span_counts` says of each word, what
gives it by counts. Not question_exact_match: the predictions do not say which rows make one question; nor those of
texts that a model writes, which are of words and not of texts."""
