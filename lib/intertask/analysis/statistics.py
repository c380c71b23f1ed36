"""Transfer deltas paired by seed, their intervals and tests, and the summaries that the papers print."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from intertask.errors import IntertaskError, number_of

RESAMPLES = 2000
EXAMPLES = 20  # with 10, intervals of 95 % for accuracy, F1 and Matthews held the truth in 84 to 88 % of studies
EQUAL = 1e-9  # a spread below it is that of values equal up to rounding; scores are points
DECIMALS = 8  # of means and their differences: 1e-14 above another is equal to it, and no gain
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
    sd = x.std(ddof=1) if len(x) > 1 else 0.0
    error = sd / np.sqrt(len(x)) if sd > EQUAL else np.nan
    low, high, p = map(float, student(mean, error, len(x) - 1, confidence))
    note = "" if sd > EQUAL else "needs two seeds or more" if len(x) < 2 else "all differences are equal"
    return PairedT(mean, low, high, p, len(x), note)


def two_sample_t(first: pd.DataFrame, second: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Would other seeds show these differences? Student's t for two samples of equal variance, as Weller et al. 2022.

    first, second: n, mean and sd (ddof=1) of the samples, a pair of them in each row of one index. Columns: difference
    of the means, its two-sided interval low, high, p of "the means are equal", and note. Fewer than two in a sample, or
    two samples of which neither varies, hold no estimate of the spread: interval and p are then NaN. The note says in
    words why, or that one sample does not vary.

    Measured coverage of 95 % with 3, 5, 10 and 20 seeds of each, 1,000 studies each: of normal restarts 95 % in all;
    where 20 % of both methods' runs are degenerate, 97, 97, 95 and 95 %; where 20 % of one's and 5 % of the other's
    are, 87, 87, 89 and 93 %: few seeds may hold no such run at all.
    """
    freedom = first["n"] + second["n"] - 2
    pooled = ((first["n"] - 1) * first["sd"] ** 2 + (second["n"] - 1) * second["sd"] ** 2) / freedom
    spread = np.sqrt(pooled * (1 / first["n"] + 1 / second["n"]))
    few = np.minimum(first["n"], second["n"]) < 2
    constant = (first["sd"] < EQUAL).astype(int) + (second["sd"] < EQUAL)
    table = pd.DataFrame({"difference": (first["mean"] - second["mean"]).round(DECIMALS)})
    error = spread.mask(few | (constant == 2))
    table["low"], table["high"], table["p"] = student(table["difference"], error, freedom, confidence)
    notes = ["needs two seeds or more of both", "neither varies over seeds", "one of the two does not vary over seeds"]
    return table.assign(note=np.select([few, constant == 2, constant == 1], notes, default=""))


def student(mean, error, freedom, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Low, high and the two-sided p of "the mean is zero", by Student's t; error: its standard error; of one shape."""
    check_confidence(confidence)
    half = stats.t.ppf((1 + confidence) / 2, freedom) * error
    return mean - half, mean + half, 2 * stats.t.sf(abs(mean) / error, freedom)


def mean_table(
    frame: pd.DataFrame, keys: list[str], value: str, confidence: float, what: str = "seeds", **more
) -> pd.DataFrame:
    """`paired_t` of a column by group: keys, n of n_expected that are there, the mean (as `value`), low, high, p, note.

    what: the rows of a group, in the note's words; more: further columns, as of `DataFrame.agg`, before the mean.
    """
    more = {"n": (value, "count"), "n_expected": (value, "size"), **more}
    table = frame.groupby(keys, sort=False, dropna=False).agg(**more, **{value: (value, "mean")}, sd=(value, "std"))
    table[value] = table[value].round(DECIMALS)
    error = table["sd"].where(table["sd"] > EQUAL) / np.sqrt(table["n"])
    low, high, p = student(table[value], error, table["n"] - 1, confidence)
    why = [f"needs two {what} or more", "all differences are equal"]
    note = np.select([table["n"] < 2, error.isna()], why, default="")
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


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raises IntertaskError unless a parameter has one of the values that it may have."""
    if value not in choices:
        raise IntertaskError(f"{name}: expected one of {', '.join(choices)}; found {value!r}.")


def check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise IntertaskError(f"confidence is a share between 0 and 1, such as 0.95; found {confidence!r}.")


def draws(examples: int) -> Iterator[np.ndarray]:
    """RESAMPLES samples of so many examples with replacement, as counts: (resamples, examples), a part at a time.

    How often each example was drawn. The same at every call: the seed is fixed.
    """
    rng, at_once = np.random.default_rng(0), max(1, 10**6 // examples)
    for done in range(0, RESAMPLES, at_once):
        drawn = rng.integers(0, examples, (min(at_once, RESAMPLES - done), examples))
        shifted = drawn + examples * np.arange(len(drawn))[:, None]  # numbers of its own for each: one count does
        yield np.bincount(shifted.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(float)


def example_interval(
    sums: np.ndarray, score: Callable[[np.ndarray], np.ndarray], confidence: float
) -> tuple[float, float]:
    """Percentile bootstrap interval, over examples, of a score of their sum; the models are held fixed.

    sums: (examples, …), what each independent example adds; score: (resamples, …) to (resamples,). Missing (NaN) with
    fewer than two examples and where all resamples agree.
    """
    if len(sums) < 2:
        return np.nan, np.nan
    found = np.concatenate([score(np.tensordot(counts, sums, 1)) for counts in draws(len(sums))])
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return (np.nan, np.nan) if low == high else (float(low), float(high))


def share_interval(right: int, of: int, confidence: float) -> tuple[float, float, float]:
    """A share with Wilson's interval, low and high, in percent; NaN of nothing."""
    if not of:
        return np.nan, np.nan, np.nan
    interval = stats.binomtest(right, of).proportion_ci(confidence, method="wilson")
    return 100 * right / of, 100 * float(interval.low), 100 * float(interval.high)


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
        return np.nan, np.nan, f"{number_of(examples, 'example')}: an interval over examples needs {EXAMPLES}"
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


def paired_permutation(differences) -> tuple[float, float]:
    """Could the sign of every difference as well be the other one? differences: (n,), none missing.

    Two-sided p, and the smallest p that so many pairs can give at all. Assumes no distribution, but that it is
    symmetric around zero where there is no effect. All sign changes are tried where they are at most PERMUTATIONS (13
    pairs), otherwise as many, drawn, always the same. With 3 pairs no p is below .25, with 5 below .0625. NaN with
    fewer than two.
    """
    x, signs = np.asarray(differences, dtype=float), np.random.default_rng(0)
    if len(x) < 2:
        return np.nan, np.nan
    test = stats.permutation_test((x,), np.mean, permutation_type="samples", n_resamples=PERMUTATIONS, rng=signs)
    return float(test.pvalue), 2 / min(2 ** len(x), PERMUTATIONS + 1)


def minimum_detectable_effect(sd: float, n: int, alpha: float = 0.05) -> float:
    """The mean of n paired differences that a two-sided t test finds (p < alpha) in the share POWER of studies.

    sd: of the differences, in their unit (points). From the noncentral t. NaN with fewer than two pairs or no spread.
    A study that finds less than this has not shown that there is nothing. Of simulated studies with just such an effect
    and 3, 5, 10 and 20 seeds, 81, 81, 80 and 80 % found it.
    """
    if n < 2 or not sd > 0:
        return np.nan
    return float(sd * TTestPower().solve_power(nobs=n, alpha=alpha, power=POWER))


def matthews(confusion: np.ndarray) -> np.ndarray:
    """R_K, the multiclass Matthews correlation (Gorodkin 2004), of confusion matrices: shape (..., K, K) to (...).

    1 where all predictions are right, about 0 by chance, NaN where undefined: one class only, true or predicted.
    """
    total, true, predicted = confusion.sum((-2, -1)), confusion.sum(-1), confusion.sum(-2)
    covariance = np.trace(confusion, axis1=-2, axis2=-1) * total - (true * predicted).sum(-1)
    variances = (total**2 - (true**2).sum(-1)) * (total**2 - (predicted**2).sum(-1))
    return np.divide(covariance, np.sqrt(variances), out=np.full(covariance.shape, np.nan), where=variances > 0)
