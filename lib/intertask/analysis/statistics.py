"""Transfer deltas paired by seed, their intervals and tests, and the summaries that the papers print."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import CompareMeans

from intertask.errors import IntertaskError

RESAMPLES = 2000
EXAMPLES = 20  # with 10, intervals of 95 % for accuracy, F1 and Matthews held the truth in 84 to 88 % of studies
POWER = 0.8  # share of studies that find what is there: Cohen's convention
PERMUTATIONS = 9999


class PairedT(NamedTuple):
    """Mean of paired differences, its two-sided t interval, the p value of "the mean is zero", and the pairs behind it.

    `note` says in words why interval and p are NaN, and is empty where they are not.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int
    note: str = ""


def paired_t(differences, confidence: float = 0.95) -> PairedT:
    """Would other seeds show this mean difference? Student's t; `differences` is (n,), missing ones are left out.

    Fewer than two pairs, or pairs that all differ by the same amount, hold no estimate of the spread: the interval and
    p are then NaN and the note says so.

    Measured coverage of 95 % with 3, 5, 10 and 20 seeds, 1,000 studies each: of normal restarts 94, 95, 95 and 95 %;
    where 20 % of the runs are degenerate, with the supporting task as without, 97, 97, 96 and 95 %; where it lowers
    that share from 20 to 5 %, 92, 89, 90 and 94 %: only 59, 76, 93 and 99.8 % of these studies hold a degenerate run at
    all, and no interval knows of what is not there.
    """
    x = np.asarray(differences, dtype=float)
    x = x[~np.isnan(x)]
    mean = float(x.mean()) if len(x) else np.nan
    ends = student(mean, x.std(ddof=1) if len(x) > 1 else np.nan, len(x), confidence)
    return PairedT(mean, *map(float, ends), len(x), why_no_interval(len(x), ends[0]))


class TwoSampleT(NamedTuple):
    """Means of two samples, their difference with its two-sided t interval, and p of "the means are equal".

    `note` says in words why interval and p are NaN, or that one sample does not vary.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n_first: int
    n_second: int
    note: str = ""


def two_sample_t(first, second, confidence: float = 0.95) -> TwoSampleT:
    """Would other seeds show this difference? Student's t for two samples of equal variance, as Weller et al. 2022.

    Missing values are left out. Fewer than two in a sample, or two samples of which neither varies, hold no estimate of
    the spread: interval and p are then NaN.

    Measured coverage of 95 % with 3, 5, 10 and 20 seeds of each, 1,000 studies each: of normal restarts 95 % in all;
    where 20 % of both methods' runs are degenerate, 97, 97, 95 and 95 %; where 20 % of one's and 5 % of the other's
    are, 87, 87, 89 and 93 %: few seeds may hold no such run at all.
    """
    check_confidence(confidence)
    a, b = (x[~np.isnan(x)] for x in (np.asarray(first, dtype=float), np.asarray(second, dtype=float)))
    means = [float(x.mean()) if len(x) else np.nan for x in (a, b)]
    known = (*means, means[0] - means[1])
    if min(len(a), len(b)) < 2:
        return TwoSampleT(*known, np.nan, np.nan, np.nan, len(a), len(b), "needs two seeds or more of both")
    constant = [np.ptp(x) < 1e-9 for x in (a, b)]  # equal up to rounding; scores are points
    if all(constant):
        return TwoSampleT(*known, np.nan, np.nan, np.nan, len(a), len(b), "neither varies over seeds")
    test = CompareMeans.from_data(a, b)  # scipy's ttest_ind warns where one sample does not vary
    low, high = test.tconfint_diff(1 - confidence, usevar="pooled")
    p = test.ttest_ind(usevar="pooled")[1]
    note = "one of the two does not vary over seeds" if any(constant) else ""
    return TwoSampleT(*known, float(low), float(high), float(p), len(a), len(b), note)


def student(mean, sd, n, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, high and the two-sided p of "the mean is zero", by Student's t; arrays of one shape.

    sd: with ddof=1. Missing where there are fewer than two values, or where all are equal up to rounding.
    """
    check_confidence(confidence)
    mean, n = np.asarray(mean, dtype=float), np.asarray(n)
    error = np.where(np.asarray(sd) > 1e-9, sd, np.nan) / np.sqrt(np.maximum(n, 1))  # scores are points
    freedom = np.maximum(n - 1, 1)
    half = stats.t.ppf((1 + confidence) / 2, freedom) * error
    return mean - half, mean + half, 2 * stats.t.sf(abs(mean) / error, freedom)


def why_no_interval(n: int, low: float) -> str:
    return "" if not np.isnan(low) else "needs two seeds or more" if n < 2 else "all differences are equal"


def mean_table(
    frame: pd.DataFrame, keys: list[str], value: str, confidence: float, what: str = "seeds", **more
) -> pd.DataFrame:
    """`paired_t` of a column by group: keys, n of n_expected that are there, mean, low, high, p, note.

    what: the rows of a group, in the note's words; more: further columns, as of `DataFrame.agg`, before the mean.
    """
    table = frame.groupby(keys, sort=False, dropna=False).agg(
        n=(value, "count"), n_expected=(value, "size"), **more, mean=(value, "mean"), sd=(value, "std")
    )
    low, high, p = student(table["mean"], table["sd"], table["n"], confidence)
    note = [why_no_interval(*cell).replace("seeds", what) for cell in zip(table["n"], low, strict=True)]
    return table.assign(low=low, high=high, p=p, note=note).drop(columns="sd").reset_index()


def holm(p: pd.Series) -> pd.Series:
    """Holm's correction over the family of all p values that are there; missing ones stay missing.

    Below alpha: the risk of even one false finding in the family is at most alpha.
    """
    return _corrected(p, "holm")


def benjamini_hochberg(p: pd.Series) -> pd.Series:
    """Benjamini and Hochberg's (1995) correction over all p values that are there; missing ones stay missing.

    Below alpha: of the findings, a share of at most alpha is expected to be false, for tests that are independent or
    positively dependent. A list to look into, where Holm's is a list to rely on.
    """
    return _corrected(p, "fdr_bh")


def _corrected(p: pd.Series, method: str) -> pd.Series:
    tested, corrected = p.notna(), p.astype("float64")
    if tested.any():
        corrected[tested] = multipletests(p[tested], method=method)[1]
    return corrected


def check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise IntertaskError(f"confidence is a share between 0 and 1, such as 0.95; found {confidence!r}.")


def example_interval(
    sums: np.ndarray, score: Callable[[np.ndarray], np.ndarray], confidence: float
) -> tuple[float, float]:
    """Percentile bootstrap interval, over examples, of a score of their sum; the models are held fixed.

    sums: (examples, …), what each independent example adds; score: (resamples, …) to (resamples,). The same for the
    same arguments: the draws have a fixed seed. Missing (NaN) with fewer than two examples and where all resamples
    agree.
    """
    if len(sums) < 2:
        return np.nan, np.nan
    interval = stats.bootstrap(
        (np.arange(len(sums)),), lambda drawn, axis=-1: score(sums[drawn].sum(drawn.ndim - 1)),
        n_resamples=RESAMPLES, batch=50, vectorized=True, confidence_level=confidence, method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return (np.nan, np.nan) if interval.low == interval.high else (float(interval.low), float(interval.high))


def share_interval(right: int, of: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share, in percent; NaN of nothing."""
    if not of:
        return np.nan, np.nan
    interval = stats.binomtest(right, of).proportion_ci(confidence, method="wilson")
    return 100 * float(interval.low), 100 * float(interval.high)


def over_examples(drawn, examples: int, confidence: float = 0.95) -> tuple[float, float, str]:
    """Would other examples of the kind have changed this score, or this difference, of these very models?

    Percentile bootstrap, low, high, and why there is none: fewer than EXAMPLES, or none that matters. The percentiles
    are expanded by what Student's quantile is above the normal one (Hesterberg 2015). drawn: (resamples,), of
    `drawn_scores`: a score, or a difference of two, whose examples are then drawn jointly. The models are held fixed:
    what other seeds would show, it held in 32 to 84 % of the studies in which restarts differ much.

    Measured coverage of 95 % with the models held fixed, on 20 to 277 examples: 93 to 97 % for differences of accuracy,
    F1, macro F1, Matthews, Pearson and Spearman correlation. Where two models are expected to differ on fewer than
    about five examples, 84 to 100 %.
    """
    check_confidence(confidence)
    if examples < EXAMPLES:
        return np.nan, np.nan, f"{examples} examples: an interval over examples needs {EXAMPLES}"
    # the root, since a bootstrap divides the squares by n and not by n - 1
    tail = stats.norm.cdf(-np.sqrt(examples / (examples - 1)) * stats.t.ppf((1 + confidence) / 2, examples - 1))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    if low == high:
        return np.nan, np.nan, "no other choice of these examples gives another value"
    return float(low), float(high), ""


def over_seeds_and_examples(differences, drawn, examples: int, confidence: float = 0.95) -> tuple[float, float]:
    """Would other seeds, scored on other examples of the kind, show this mean difference? low and high, else NaN.

    differences: (seeds,), paired by seed; drawn: (seeds, resamples), the same on drawn examples. The spread over seeds
    and what the examples add to it, each with Student's quantile, added as squares. What seeds and examples vary
    together stands in both spreads and is counted once, as for two-way clusters (Cameron, Gelbach and Miller 2011).
    Needs two seeds.

    Measured coverage of 95 % on 20 to 277 examples, whatever of seeds, examples and noise varies most: 94 to 98 % with
    3 seeds, 95 to 98 % with 5, 94 to 97 % with 10 and 20. The multi-bootstrap (Sellam et al. 2022), which draws seeds
    and examples anew, held the same truth in 78 to 100 % with 3 and in 91 to 100 % with 10 and 20; the interval over
    seeds alone in 49 to 91 % where examples matter most.
    """
    seeds = paired_t(differences, confidence)
    of_mean = np.mean(drawn, axis=0)
    # interaction V of seed and example: V (1 - 1/n) / (n - 1) = V / n, its part of of_mean.var()
    together = np.var(drawn - of_mean, axis=1).mean() / max(seeds.n - 1, 1)
    added = max(of_mean.var() - together, 0) * examples / max(examples - 1, 1)
    half = np.hypot((seeds.high - seeds.low) / 2, stats.t.ppf((1 + confidence) / 2, examples - 1) * np.sqrt(added))
    return float(seeds.mean - half), float(seeds.mean + half)


class Permutation(NamedTuple):
    """Two-sided p, a number for each row of differences, and the smallest p that so many pairs can give at all."""

    p: np.ndarray
    smallest: float


def paired_permutation(differences) -> Permutation:
    """Could the sign of every difference as well be the other one? differences: (n,) or (cells, n), none missing.

    Assumes no distribution, but that it is symmetric around zero where there is no effect. All sign changes are tried
    where they are at most PERMUTATIONS (13 pairs), otherwise as many, drawn, the same for all cells. With 3 pairs no p
    is below .25, with 5 below .0625. NaN with fewer than two.
    """
    x = np.asarray(differences, dtype=float)
    n = x.shape[-1]
    if n < 2:
        return Permutation(np.full(x.shape[:-1], np.nan), np.nan)
    test = stats.permutation_test(
        (x,), lambda x, axis: x.mean(axis), permutation_type="samples", vectorized=True, n_resamples=PERMUTATIONS,
        batch=max(1, 10**6 // x.size), axis=-1, rng=np.random.default_rng(0),
    )  # fmt: skip
    return Permutation(test.pvalue, 2 / min(2**n, PERMUTATIONS + 1))


def minimum_detectable_effect(sd: float, n: int, alpha: float = 0.05, power: float = POWER) -> float:
    """The mean of n paired differences that a two-sided t test finds (p < alpha) in the share `power` of studies.

    sd: of the differences, in their unit (points). From the noncentral t. NaN with fewer than two pairs or no spread.
    A study that finds less than this has not shown that there is nothing. Of simulated studies with just such an effect
    and 3, 5, 10 and 20 seeds, 81, 81, 80 and 80 % found it.
    """
    for name, share in (("alpha", alpha), ("power", power)):
        if not 0 < share < 1:
            raise IntertaskError(f"{name} is a share between 0 and 1; found {share!r}.")
    if n < 2 or not sd > 0:
        return np.nan
    return float(sd * TTestPower().solve_power(nobs=n, alpha=alpha, power=power))


def matthews(confusion: np.ndarray) -> np.ndarray:
    """R_K, the multiclass Matthews correlation (Gorodkin 2004), of confusion matrices: shape (..., K, K) to (...).

    1 where all predictions are right, about 0 by chance, NaN where undefined: one class only, true or predicted.
    """
    total, true, predicted = confusion.sum((-2, -1)), confusion.sum(-1), confusion.sum(-2)
    covariance = np.trace(confusion, axis1=-2, axis2=-1) * total - (true * predicted).sum(-1)
    variances = (total**2 - (true**2).sum(-1)) * (total**2 - (predicted**2).sum(-1))
    return np.divide(covariance, np.sqrt(variances), out=np.full(covariance.shape, np.nan), where=variances > 0)
