"""How sure a difference is: over seeds, over tasks, over examples, over seeds and examples; and what could be seen.

Each interval answers its own question, which its docstring names with the coverage measured on simulated studies of
known truth (`tests/benchmarks/coverage.py`).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

from intertask.analysis.read import read_predictions
from intertask.analysis.resampling import METRICS, drawn_scores
from intertask.analysis.statistics import (
    CELL,
    WHOLE,
    benjamini_hochberg,
    check_confidence,
    deltas,
    paired_t,
    target_runs,
)
from intertask.analysis.tables import panel_name
from intertask.errors import IntertaskError

POWER = 0.8  # share of studies that find what is there: Cohen's convention
PERMUTATIONS = 9999
EXAMPLES = 20  # with 10, intervals of 95 % for accuracy, F1 and Matthews held the truth in 84 to 88 % of studies
PANEL = ["encoder", "limit"]
OVER_EXAMPLES = ["examples", "examples_low", "examples_high", "both_low", "both_high", "examples_detectable"]


def over_targets(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Is the mean transfer over targets like these above zero? One row per encoder, limits and supporting task.

    Student's t over the means of the n of n_expected targets that have one, from a `transfer_table`: delta, low, high,
    p, and `note` where there is no interval. The targets stand for all that could have been chosen; seeds and examples
    enter only through their means.

    Measured coverage of 95 % over 4, 6, 8 and 10 targets: 96, 95, 95 and 95 % of normal transfers; 88, 88, 90 and 91 %
    where most targets gain nothing and a few much. A percentile bootstrap over the targets held 74 to 92 % of either.
    """
    keys, rows = [*CELL[:-2], "supporting"], []
    for key, own in table.groupby(keys, sort=False, dropna=False):
        test = paired_t(own["delta"], confidence)
        row = {"n": test.n, "n_expected": len(own), "delta": test.mean, "low": test.low, "high": test.high, "p": test.p}
        rows.append(dict(zip(keys, key, strict=True)) | row | {"note": test.note.replace("seeds", "targets")})
    return pd.DataFrame(rows).astype(WHOLE)


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
    together = np.var(drawn - of_mean, axis=1).mean() / max(seeds.n - 1, 1)
    added = max(of_mean.var() - together, 0) * examples / max(examples - 1, 1)
    half = np.hypot((seeds.high - seeds.low) / 2, stats.t.ppf((1 + confidence) / 2, examples - 1) * np.sqrt(added))
    return float(seeds.mean - half), float(seeds.mean + half)


def reported_predictions(runs: pd.DataFrame) -> pd.DataFrame:
    """What the single and stilts runs predicted on the split that each reports: columns of `read_predictions`."""
    own = target_runs(runs, "single", "stilts")
    parts = [read_predictions(own[own["split"] == split], split) for split in own["split"].dropna().unique()]
    return pd.concat(parts) if parts else read_predictions(own[:0], "")


def transfer_intervals(
    runs: pd.DataFrame, scores: pd.DataFrame, predictions: pd.DataFrame, confidence: float = 0.95
) -> pd.DataFrame:
    """The intervals that the examples of each cell allow: one row per cell of `transfer_table`, columns OVER_EXAMPLES.

    examples: those that the paired runs were scored on; examples_low, examples_high: `over_examples` of the mean
    difference, the rows drawn jointly with and without the supporting task; both_low, both_high:
    `over_seeds_and_examples`, from two seeds on; examples_detectable: `minimum_detectable_effect` of these models on so
    many examples; examples_note: why there is no interval. scores: of `read_scores`, which names the metrics;
    predictions: of `reported_predictions`.
    """
    check_confidence(confidence)
    rows = []
    for target, of_target in deltas(runs).groupby("target", sort=False):
        metrics = list(scores.loc[(scores["task"] == target) & (scores["metric"] != "main"), "metric"].unique())
        own = predictions[predictions["run"].isin([*of_target["run"], *of_target["baseline_run"]])]
        drawn = drawn_scores(own, metrics)
        for cell, pairs in of_target.groupby(CELL, sort=False, dropna=False):
            row = _cell(pairs.dropna(subset="delta"), own, drawn, metrics, confidence)
            rows.append(dict(zip(CELL, cell, strict=True)) | row)
    return pd.DataFrame(rows, columns=[*CELL, *OVER_EXAMPLES, "examples_note"]).astype(WHOLE)


def _cell(
    found: pd.DataFrame, predictions: pd.DataFrame, drawn: pd.DataFrame, metrics: list, confidence: float
) -> dict:
    runs = [*found["run"], *found["baseline_run"]]
    examples = predictions.loc[predictions["run"].isin(runs), "row"].nunique()
    note = _why_not(runs, drawn, metrics)
    row = {"examples": examples, "examples_note": note}
    if note:
        return row
    difference = drawn.loc[found["run"]].to_numpy() - drawn.loc[found["baseline_run"]].to_numpy()
    low, high, note = over_examples(difference.mean(0), examples, confidence)
    row |= {"examples_low": low, "examples_high": high, "examples_note": note}
    if note:
        return row
    both = over_seeds_and_examples(found["delta"], difference, examples, confidence)
    spread = np.sqrt(examples) * difference.mean(0).std()
    least = minimum_detectable_effect(spread, examples, 1 - confidence)
    return row | {"both_low": both[0], "both_high": both[1], "examples_detectable": least}


def _why_not(runs: list[str], drawn: pd.DataFrame, metrics: list[str]) -> str:
    if not runs:
        return "no pair of runs is done"
    if unknown := set(metrics) - METRICS.keys():
        return f"predictions do not tell {', '.join(sorted(unknown))}"
    absent = len({*runs} - {*drawn.index})
    return f"predictions of {absent} of {len({*runs})} runs are not at hand" if absent else ""


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


def detectable_accuracy(discordant: float, examples: int, alpha: float = 0.05, power: float = POWER) -> float:
    """The difference in accuracy, in points, that two models need to be told apart on these examples.

    discordant: share of the examples that exactly one of the two gets right, above 0 up to 1. A difference d in it
    leaves per-example differences of -1, 0 and 1 with the variance `discordant - d²`. NaN where even all of the
    discordant examples would not be enough. Of simulated studies with just such a difference on 71 to 1,000 examples,
    `over_examples` found 77 to 80 %.
    """
    if not 0 < discordant <= 1:
        raise IntertaskError(f"discordant is a share of examples, above 0 and up to 1; found {discordant!r}.")
    standardised = minimum_detectable_effect(1, examples, alpha, power)
    least = standardised * np.sqrt(discordant / (1 + standardised**2))
    return float(100 * least) if least <= discordant else np.nan


def with_tests(table: pd.DataFrame, runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """A `transfer_table` with further columns of what its seeds allow.

    p_bh: `benjamini_hochberg` over the same family as Holm's; p_permutation: `paired_permutation`; p_smallest: below
    this no p_permutation of so many pairs can be; detectable: `minimum_detectable_effect` of the cell's n at
    alpha = 1 - confidence, points, with the standard deviation of the paired differences that all cells of the same
    encoder, limit and target have in common (pooled).
    """
    check_confidence(confidence)
    pairs = deltas(runs)
    table = table.assign(p_bh=benjamini_hochberg(table["p"])).merge(_permuted(pairs), how="left", on=CELL)
    spread = table[[*PANEL, "target"]].merge(pooled_spread(pairs), how="left", on=[*PANEL, "target"])["sd"]
    least = [minimum_detectable_effect(sd, n, 1 - confidence) for sd, n in zip(spread, table["n"], strict=True)]
    return table.assign(detectable=least, note=table.pop("note"))


def _permuted(pairs: pd.DataFrame) -> pd.DataFrame:
    """`paired_permutation` of every cell, those with as many pairs at once: p_permutation, p_smallest."""
    cells = pairs.dropna(subset="delta").groupby(CELL, sort=False, dropna=False)["delta"].agg(list)
    columns = ["p_permutation", "p_smallest"]
    parts = [pd.DataFrame(columns=columns, index=cells.index[:0], dtype="float64")]
    for _, own in cells.groupby(cells.map(len)):
        parts.append(pd.DataFrame(dict(zip(columns, paired_permutation(own.tolist()), strict=True)), own.index))
    return pd.concat(parts[1:] or parts).reset_index()


def pooled_spread(pairs: pd.DataFrame) -> pd.DataFrame:
    """Per encoder, limit and target the standard deviation of paired differences around their cell's mean, `sd`.

    Pooled over the cells, weighted by their degrees of freedom; missing where no cell has two pairs. pairs: `deltas`.
    """
    found = pairs.dropna(subset="delta")
    around = found["delta"] - found.groupby(CELL, dropna=False)["delta"].transform("mean")
    cells = found.assign(squares=around**2).groupby(CELL, sort=False, dropna=False)["squares"].agg(["sum", "count"])
    cells["count"] -= 1
    sums = cells.groupby([*PANEL, "target"], sort=False, dropna=False).sum().reset_index()
    return sums.assign(sd=np.sqrt(sums["sum"] / sums["count"].where(sums["count"] > 0)))[[*PANEL, "target", "sd"]]


def detectable_in_words(table: pd.DataFrame, intervals: pd.DataFrame, confidence: float = 0.95) -> str:
    """What the seeds, and the examples, of each target could have shown, as Markdown.

    table: of `with_tests`; intervals: of `transfer_intervals`, of whose cells the median is told.
    """
    several = len(table[PANEL].drop_duplicates()) > 1
    both = table.merge(intervals[[*CELL, "examples", "examples_detectable"]], on=CELL)
    lines = []
    for (encoder, limit, target), own in both.groupby([*PANEL, "target"], sort=False, dropna=False):
        seen = [
            f"with {n} seeds you could have seen differences of {least:.1f} points"
            for n, least in own.groupby("n", sort=False)["detectable"].first().dropna().items()
        ]
        examples, least = own[["examples", "examples_detectable"]].dropna().median()
        if pd.notna(least):
            seen.append(f"on {examples:.0f} examples, these models held fixed, of {least:.1f}")
        name = f"{target} ({panel_name(encoder, limit)})" if several else target
        lines.append(f"- **{name}**: {'; '.join(seen) or 'nothing can be said without two pairs that differ'}.")
    return (
        f"Seen: p < {1 - confidence:.2g} in {POWER:.0%} of studies like this one, before any correction for the number "
        "of cells. A smaller transfer may be there and stay unseen.\n\n" + "\n".join(lines)
    )


def optimism(runs: pd.DataFrame, scores: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """How much the dev rows that chose the checkpoint flatter: main score on them minus that on the rows held out.

    One row per encoder, limit and target of a study with `holdout`; none without. select, report: means over the runs;
    optimism: paired by run, in points, with Student's t over the n seeds: a seed divides the dev set anew, and what its
    runs share is counted once. scores: of `read_scores`.
    """
    held = scores[(scores["metric"] == "main") & scores["split"].isin(["validation_select", "validation_report"])]
    held = held[held["task"] == held["target"]].drop_duplicates(["run", "task", "split"])
    keys = [*PANEL, "target"]
    wide = held.pivot(index=[*keys, "seed", "run"], columns="split", values="score")
    wide = wide.reindex(columns=["validation_select", "validation_report"]).dropna().reset_index()
    wide["gap"] = wide["validation_select"] - wide["validation_report"]
    rows = []
    for key, own in wide.groupby(keys, sort=False, dropna=False):
        test = paired_t(own.groupby("seed", dropna=False)["gap"].mean(), confidence)
        means = {"select": own["validation_select"].mean(), "report": own["validation_report"].mean()}
        row = {"runs": len(own), "n": test.n} | means | {"optimism": test.mean, "low": test.low, "high": test.high}
        rows.append(dict(zip(keys, key, strict=True)) | row | {"note": test.note})
    columns = [*keys, "runs", "n", "select", "report", "optimism", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns).astype({"limit": "Int64"})


def optimism_in_words(table: pd.DataFrame) -> str:
    """What a table of `optimism` says, or that the study held nothing out."""
    if table.empty:
        return (
            "No run was scored on rows held out from the choice of its checkpoint, so nothing tells how much the dev "
            "scores flatter. `holdout` in the study divides the dev set."
        )
    sure = int((table["low"] > 0).sum())
    return (
        f"The rows that chose the checkpoint score {table['optimism'].mean():+.1f} points against those that did not "
        f"(mean over {len(table)} targets); for {sure} of {len(table)} the interval lies wholly above zero."
    )
