"""How often intervals and tests are right, on simulated studies whose truth is known: the figures of the docstrings.

    python tests/benchmarks/coverage.py [PARTS] [--studies 1000]

PARTS: seeds, tasks, examples, discordant, both, correlations, family, power; by default all, which takes a quarter of
an hour. Seeds are fixed, so the table is the same each time. An interval that a function refuses counts neither as
right nor as wrong; `none` says how many there were, in percent.
"""

import gc
from collections.abc import Callable
from itertools import product
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from scipy import stats

from intertask.analysis import resampling, statistics
from intertask.analysis.correlations import METHODS, cluster_intervals, pairwise_r
from intertask.analysis.statistics import benjamini_hochberg, holm, paired_t, two_sample_t
from intertask.metrics import METRICS

SEEDS = (3, 5, 10, 20)
BAD = 0.2  # share of degenerate restarts


def restarts(rng, shape, mean: float, bad: float) -> np.ndarray:
    """Scores of restarts: normal around `mean`, or, in the share `bad`, close to a majority of 50."""
    return np.where(rng.random(shape) < bad, rng.normal(50, 0.5, shape), rng.normal(mean, 2, shape))


def drawn_by(bad: tuple[float, float], gain: float = 2.0) -> Callable:
    """Samples of single and stilts, (studies, n) each, and the true difference of their means."""

    def draw(rng, studies, n):
        single, stilts = (restarts(rng, (studies, n), *arm) for arm in ((70, bad[0]), (70 + gain, bad[1])))
        means = [(1 - share) * mean + share * 50 for mean, share in ((70, bad[0]), (70 + gain, bad[1]))]
        return single, stilts, means[1] - means[0]

    return draw


RESTARTS = {
    "normal": drawn_by((0, 0)),
    "bimodal, alike": drawn_by((BAD, BAD)),
    "bimodal, fewer bad after": drawn_by((BAD, BAD / 4)),
}


def held(low, high, truth) -> tuple[float, float]:
    """The share, in percent, of the intervals there are that hold the truth, and the share that is missing."""
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    there = ~np.isnan(low)
    return 100 * np.mean(((low <= truth) & (truth <= high))[there]), 100 * np.mean(~there)


def seeds(studies: int) -> pd.DataFrame:
    """`paired_t` over seeds and `two_sample_t` of two methods; seen: studies that hold a degenerate run at all."""
    rows = []
    for name, draw in RESTARTS.items():
        for n in SEEDS:
            single, stilts, truth = draw(np.random.default_rng(n), studies, n)
            seen = 100 * np.mean(np.minimum(single, stilts).min(axis=1) < 60)
            paired = [paired_t(b - a) for a, b in zip(single, stilts, strict=True)]
            arms = [pd.DataFrame({"n": n, "mean": x.mean(1), "sd": x.std(1, ddof=1)}) for x in (stilts, single)]
            for what, tests in (("paired_t", pd.DataFrame(paired)), ("two_sample_t", two_sample_t(*arms))):
                rows.append((what, name, n, *held(tests["low"], tests["high"], truth), seen))
    return pd.DataFrame(rows, columns=["interval", "restarts", "seeds", "covers", "none", "seen"])


TRANSFERS = {
    "normal": (lambda rng, shape: rng.normal(1, 3, shape), 1.0),
    "skewed": (lambda rng, shape: rng.gamma(1, 3, shape) - 2, 1.0),  # most near zero, a few gain a lot
}


def tasks(studies: int) -> pd.DataFrame:
    """`over_targets`: t over the targets' means, and beside it a percentile bootstrap over them."""
    rows = []
    for name, (draw, truth) in TRANSFERS.items():
        for n in (4, 6, 8, 10, 20):
            rng = np.random.default_rng(n)
            means = draw(rng, (studies, n))
            tests = [paired_t(own) for own in means]
            rows.append(("t", name, n, held([t.low for t in tests], [t.high for t in tests], truth)[0]))
            ends = np.quantile(means[:, rng.integers(0, n, (1000, n))].mean(-1), [0.025, 0.975], axis=1)
            rows.append(("percentile bootstrap", name, n, held(*ends, truth)[0]))
    return pd.DataFrame(rows, columns=["interval", "transfers", "targets", "covers"])


def answers(rng, metric: str, arms: np.ndarray, m: int, studies: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (studies, 1, m) and predictions (studies, models, m) of models that are right at different rates.

    arms: (models,), how good each is; examples are of different difficulty, shared by all models.
    """
    easy = rng.normal(0, 1, (studies, 1, m))
    noise = rng.normal(0, 1, (studies, len(arms), m))
    if metric in ("pearson", "spearman"):
        labels = rng.normal(0, 1, (studies, 1, m))
        return labels, arms[:, None] * labels + 0.7 * easy + noise
    classes = 3 if metric == "f1_macro" else 2
    labels = np.minimum(rng.geometric(0.6, (studies, 1, m)) - 1, classes - 1)
    wrong = arms[:, None] + easy + noise < 0
    return labels, np.where(wrong, (labels + 1) % classes, labels)


ARMS = np.array([0.5, 0.8])  # without a supporting task, with one
EXAMPLE_METRICS = ("accuracy", "f1", "f1_macro", "matthews_correlation", "pearson", "spearman")


def examples(studies: int) -> pd.DataFrame:
    """`over_examples` of the difference of two models, which are held fixed."""
    rows = []
    for metric in EXAMPLE_METRICS:
        truth = _truth(metric)
        for m in (20, 40, 71, 277):
            labels, predictions = answers(np.random.default_rng(m), metric, ARMS, m, studies)
            drawn = drawn_of(metric, labels, predictions)
            found = [statistics.over_examples(own[1] - own[0], m)[:2] for own in drawn]
            rows.append((metric, m, *held(*np.transpose(found), truth)))
    return pd.DataFrame(rows, columns=["metric", "examples", "covers", "none"])


def _truth(metric: str) -> float:
    labels, predictions = answers(np.random.default_rng(0), metric, ARMS, 400_000, 1)
    scores = [100 * METRICS[metric](labels[0, 0], own) for own in predictions[0]]
    return scores[1] - scores[0]


def drawn_of(metric: str, labels: np.ndarray, predictions: np.ndarray, at_once: int = 100) -> np.ndarray:
    """`drawn_scores` of every study's models: (studies, models, resamples)."""
    found = []
    labels = np.broadcast_to(labels, predictions.shape)
    for start in range(0, len(labels), at_once):
        own = labels[start : start + at_once], predictions[start : start + at_once]
        studies, models, m = own[0].shape
        frame = pd.DataFrame({"label": own[0].ravel(), "prediction": own[1].ravel()})
        frame = frame.assign(run=np.repeat(np.arange(studies * models), m), row=np.tile(np.arange(m), studies * models))
        found.append(resampling.drawn_scores(frame, [metric]).to_numpy().reshape(studies, models, -1))
    return np.concatenate(found)


def drawn_accuracy(right: np.ndarray) -> np.ndarray:
    """The same for accuracy, of which examples are right: (..., examples) to (..., resamples)."""
    m = right.shape[-1]
    counts = np.concatenate([*statistics.draws(m)])
    return right.astype("float32") @ (100 / m * counts).astype("float32").T


def discordant(studies: int, m: int = 71) -> pd.DataFrame:
    """`over_examples` of two models' accuracy where they seldom differ; the second is right in the share `won`."""
    rows = []
    for share in (0.02, 0.05, 0.1, 0.2):
        for won in (0.5, 0.75, 0.95):
            kinds = [share * won, share * (1 - won), 1 - share]
            better = np.random.default_rng(0).choice([1, -1, 0], (studies, m), p=kinds)
            found = [statistics.over_examples(own, m)[:2] for own in drawn_accuracy(better)]
            rows.append((m, m * share, won, *held(*np.transpose(found), 100 * share * (2 * won - 1))))
    return pd.DataFrame(rows, columns=["examples", "discordant", "won", "covers", "none"])


WORLDS = {
    "noise of both alone": dict(gain=0, difficulty=1.5, shift=0, seed=0),
    "examples": dict(gain=0.2, difficulty=1.5, shift=1, seed=0.05),
    "balanced": dict(gain=0.2, difficulty=1.5, shift=0.7, seed=0.15),
    "seeds": dict(gain=0.2, difficulty=1.5, shift=0.3, seed=0.5),
    "degenerate runs": dict(gain=0.2, difficulty=1.5, shift=0.5, seed=0.1, bad=(0.25, 0.1)),
}
"""How strong what varies is, on the scale of a probit: the supporting task's gain; an example's difficulty; what the
supporting task changes about an example; a restart; and the shares of degenerate restarts."""


def right(rng, studies, n, m, gain, difficulty, shift, seed, bad=(0, 0)) -> tuple[np.ndarray, float]:
    """Which examples each run gets right, (studies, single or stilts, seeds, examples), and the true difference."""
    easy = rng.normal(0, difficulty, (studies, 1, 1, m))
    easy = easy + rng.normal(0, shift, (studies, 2, 1, m))
    level = 0.5 + np.array([0, gain])[:, None, None] + rng.normal(0, seed, (studies, 2, n, 1))
    found = level + easy + rng.normal(0, 1, (studies, 2, n, m)) > 0
    majority = rng.random((studies, 1, 1, m)) < 0.55
    lost = rng.random((studies, 2, n, 1)) < np.reshape(bad, (2, 1, 1))
    spread = np.sqrt(1 + difficulty**2 + shift**2 + seed**2)
    rates = stats.norm.cdf(np.array([0.5, 0.5 + gain]) / spread)
    truth = np.array(bad) * 0.55 + (1 - np.array(bad)) * rates
    return np.where(lost, majority, found), 100 * (truth[1] - truth[0])


def both(studies: int) -> pd.DataFrame:
    """`over_seeds_and_examples`, and beside it what the others hold of the same truth: other seeds, other examples.

    The multi-bootstrap (Sellam et al. 2022) draws seeds and examples with replacement.
    """
    rows = []
    for name, world in WORLDS.items():
        for m in (20, 71, 277):
            for n in SEEDS:
                rng = np.random.default_rng(n * m)
                found, truth = right(rng, studies, n, m, **world)
                better = found[:, 1].astype(int) - found[:, 0]
                differences, drawn = 100 * better.mean(-1), drawn_accuracy(better)
                ends = np.array([
                    statistics.over_seeds_and_examples(d, of, m) for d, of in zip(differences, drawn, strict=True)
                ])  # fmt: skip
                by_seed = [paired_t(own) for own in differences]
                picks = rng.multinomial(n, np.full(n, 1 / n), drawn.shape[-1]) / n
                multi = np.quantile(np.einsum("snb,bn->sb", drawn, picks), [0.025, 0.975], axis=1)
                rows.append((
                    name, m, n, *held(*ends.T, truth),
                    held([t.low for t in by_seed], [t.high for t in by_seed], truth)[0],
                    held(*zip(*(statistics.over_examples(own, m)[:2] for own in drawn.mean(1)), strict=True), truth)[0],
                    held(*multi, truth)[0],
                ))  # fmt: skip
    columns = ["world", "examples", "seeds", "covers", "none", "seeds alone", "examples alone", "multi-bootstrap"]
    return pd.DataFrame(rows, columns=columns)


def correlated(rng, studies: int, clusters: int, restarts: int, r: float, between: float) -> pd.DataFrame:
    """Normal scores of two tasks, a row per restart, two columns per study; `between` clusters lies that share."""
    own = rng.normal(0, 1, (clusters, 1, studies, 2)) * np.sqrt(between)
    own = own + rng.normal(0, 1, (clusters, restarts, studies, 2)) * np.sqrt(1 - between)
    mixed = own @ np.linalg.cholesky([[1, r], [r, 1]]).T
    return pd.DataFrame(mixed.reshape(clusters * restarts, -1)).rename(columns=str)


def correlations(studies: int, at_once: int = 50) -> pd.DataFrame:
    """`cluster_intervals`; beside it how often p and p_clusters are below .05: 5 is meant where r is 0.

    Three restarts share .7 of their variance.
    """
    rows = []
    pairs = [(f"{k}", f"{k + 1}") for k in range(0, 2 * at_once, 2)]
    for method, restarts, clusters, r in product(METHODS, (1, 3), (11, 20, 50), (0, 0.5, 0.9)):
        truth = r if method == "pearson" else 6 / np.pi * np.arcsin(r / 2)
        rng, code = np.random.default_rng(clusters), pd.Series(np.repeat(range(clusters), restarts))
        parts = []
        for _ in range(-(-studies // at_once)):
            values = correlated(rng, at_once, clusters, restarts, r, 0.7 if restarts > 1 else 1)
            found = cluster_intervals(values, code, pairs, method, 0.95)
            found["p"] = pairwise_r(values, pairs, method)["p"]
            found["p_clusters"] = pairwise_r(values.groupby(code).mean(), pairs, method)["p"]
            parts.append(found)
        of = pd.concat(parts)[:studies]
        below = 100 * (of[["p", "p_clusters"]] < 0.05).mean()
        rows.append((method, restarts, clusters, r, *held(of["low"], of["high"], truth), *below))
    return pd.DataFrame(rows, columns=["method", "restarts", "clusters", "r", "covers", "none", "p", "p_clusters"])


def family(studies: int, cells: int = 20, n: int = 5) -> pd.DataFrame:
    """The share of studies in which a correction finds anything where nothing is there: cells share their single runs.

    Of Benjamini and Hochberg's, also the mean share of false findings where half the cells have an effect.
    """
    gc.freeze()  # statsmodels collects garbage at every call
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (studies, cells, n)) - rng.normal(0, 1, (studies, 1, n))
    effect = np.where(np.arange(cells) < cells // 2, 3.0, 0)[:, None]
    none, half = (stats.ttest_1samp(noise + of, 0, axis=-1).pvalue for of in (0, effect))
    corrections = {"none": lambda p: p, "holm": holm, "benjamini_hochberg": benjamini_hochberg}
    rows = []
    for name, correct in corrections.items():
        found, false = (np.array([correct(pd.Series(p)) for p in of]) < 0.05 for of in (none, half))
        share = false[:, cells // 2 :].sum(1) / np.maximum(false.sum(1), 1)
        rows.append((name, cells, n, 100 * found.any(1).mean(), 100 * share.mean()))
    return pd.DataFrame(rows, columns=["correction", "cells", "seeds", "any false", "false of found"])


def power(studies: int) -> pd.DataFrame:
    """How often an effect of just the stated size is found: 80 is promised. Over seeds, of ten times as many:"""
    rows = []
    for n in SEEDS:
        effect = statistics.minimum_detectable_effect(2.0, n)
        tests = [paired_t(own) for own in np.random.default_rng(n).normal(effect, 2, (10 * studies, n))]
        rows.append(("seeds: paired_t", n, effect, 100 * np.mean([t.p < 0.05 for t in tests])))
    return pd.DataFrame(rows, columns=["test", "n", "effect, points", "found"])


PARTS = {"seeds": seeds, "tasks": tasks, "examples": examples, "discordant": discordant, "both": both}
PARTS |= {"correlations": correlations, "family": family, "power": power}


def main(parts: Annotated[list[str] | None, typer.Argument()] = None, studies: int = 1000) -> None:
    """Prints a table for each part; shares are in percent, 95 is what an interval promises."""
    for part in parts or list(PARTS):
        print(f"\n{part}: {PARTS[part].__doc__.splitlines()[0]} {studies} studies.")
        print(PARTS[part](studies).to_string(index=False, float_format="{:.1f}".format), flush=True)


if __name__ == "__main__":
    typer.run(main)
