"""Transfer deltas paired by seed, their intervals and tests, and the summaries that the papers print."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from intertask.errors import IntertaskError

RESAMPLES = 2000
PAIR = ["encoder", "target", "limit", "seed"]
LIMITS = ["limit", "supporting_limit"]
WHOLE = dict.fromkeys(LIMITS, "Int64")
CELL = ["encoder", *LIMITS, "supporting", "target"]
GLUE = ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli")
MODEL = [*CELL, "regime", "mixing"]
"""What is the same for all seeds of one score."""


def each_once(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of stage target, each once for what it stands for, in however many parts of the study it serves."""
    return runs[runs["stage"] == "target"].drop_duplicates([*MODEL, "run"])


def target_runs(runs: pd.DataFrame, *regimes: str) -> pd.DataFrame:
    """`each_once` of these regimes, or of all, without substituted runs, which measured nothing.

    Raises IntertaskError where one seed has two different runs, of which a mean would mix settings.
    """
    own = each_once(runs[~runs["substituted"] & (runs["regime"].isin(regimes) | (not regimes))])
    refuse_mixtures(own)
    return own


def refuse_mixtures(runs: pd.DataFrame) -> None:
    """Raises IntertaskError where one seed of a cell has two different runs, of which a mean would mix settings."""
    twice = runs[runs.duplicated([*MODEL, "seed"])]
    if len(twice):
        one = twice.iloc[0]
        raise IntertaskError(
            f"Two different {one['regime']} runs of {' and '.join(one[['supporting', 'target']].dropna())} with seed "
            f"{one['seed']} would be averaged: parts of the study train them with different settings. "
            "Give these parts a study each."
        )


def deltas(runs: pd.DataFrame) -> pd.DataFrame:
    """Transfer by seed: score with the supporting task before (`stilts`) minus score of `single`, in points.

    One row per expected `stilts` run, paired with the single run of the same encoder, target, limit and seed; `delta`
    is missing where one of the two is. Columns: encoder, limit, supporting_limit, supporting, target, control, seed,
    run, supporting_run, score, baseline_run, baseline, delta. Which runs count: `target_runs`.
    """
    targets = target_runs(runs, "single", "stilts")
    single = targets.loc[targets["regime"] == "single", [*PAIR, "run", "score"]]
    single = single.rename(columns={"run": "baseline_run", "score": "baseline"})
    stilts = targets.loc[targets["regime"] == "stilts", [*CELL, "control", "seed", "run", "supporting_run", "score"]]
    paired = stilts.merge(single, on=PAIR, how="left", validate="many_to_one")
    return paired.assign(delta=(paired["score"] - paired["baseline"]).round(9))  # equal scores differ by 0, not 1e-14


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


def transfer_table(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per cell (encoder, limit, supporting_limit, supporting, target), in the study's order.

    n: seeds with both runs; n_expected: seeds that the study asks for; single, stilts: means over the paired seeds,
    0-100; delta, low, high, p, note: `paired_t`; p_holm: Holm's correction over the family of all cells of this table
    that have a p, whose number is `family`; pseudo_replicates: several seeds share one supporting model, so the spread
    between supporting models is missing from the interval, missing where a table of scores does not say; control: the
    supporting task's labels were shuffled.
    """
    pairs = deltas(runs)
    if pairs.empty:
        raise IntertaskError(
            "No transfer to tabulate: the study has no target run with regime stilts. "
            "Give it supporting tasks and regimes: [single, stilts], or take this notebook out of the study's report."
        )
    both = pairs[["baseline", "score"]].where(pairs["delta"].notna())
    cells = pairs.assign(**both).groupby(CELL, sort=False, dropna=False)
    table = cells.agg(
        n=("delta", "count"),
        n_expected=("delta", "size"),
        single=("baseline", "mean"),
        stilts=("score", "mean"),
        delta=("delta", "mean"),
        sd=("delta", "std"),
        models=("supporting_run", "nunique"),
        named=("supporting_run", "count"),
        control=("control", "first"),
    ).reset_index()
    low, high, p = student(table["delta"], table["sd"], table["n"], confidence)
    table = table.assign(low=low, high=high, p=p, p_holm=holm(pd.Series(p)), family=np.isfinite(p).sum())
    known = table["named"] == table["n_expected"]
    table["pseudo_replicates"] = (table["models"] < table["n_expected"]).astype("boolean").where(known)
    table["note"] = [why_no_interval(*cell) for cell in zip(table["n"], table["low"], strict=True)]
    return table.drop(columns=["sd", "models", "named"]).astype(WHOLE)


def restart_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Spread of the target scores over restarts: one row per cell, without supporting task or with one.

    n of n_expected runs found; mean, sd (ddof=1), min, median, max in 0-100; majority: mean over the runs of the
    majority-class score; degenerate: runs that do not beat it, missing where that is not known of all; control: the
    supporting task's labels were shuffled.
    """
    groups = target_runs(runs, "single", "stilts").groupby(["target", *CELL[:-1]], sort=False, dropna=False)
    table = groups.agg(
        n=("score", "count"),
        n_expected=("run", "size"),
        mean=("score", "mean"),
        sd=("score", "std"),
        min=("score", "min"),
        median=("score", "median"),
        max=("score", "max"),
        majority=("majority", "mean"),
        degenerate=("degenerate", "sum"),
        told=("degenerate", "count"),
        control=("control", "first"),
    ).reset_index()
    degenerate = table["degenerate"].astype("Int64").mask(table.pop("told") < table["n"])
    return table.assign(degenerate=degenerate)


def task_average(scores: dict[str, float], tasks: Iterable[str], wnli_majority: float | None = None) -> float:
    """The mean of the main scores of `tasks`, 0-100; WNLI counts at least `wnli_majority`, where that is given.

    scores: by task. A missing task makes the average missing (NaN): a mean over fewer tasks is another number.
    """
    own = {task: scores.get(task, np.nan) for task in tasks}
    for task in own:
        if wnli_majority is not None and plain(task) == "wnli":
            own[task] = np.maximum(own[task], wnli_majority)
    return float(np.mean(list(own.values()))) if own else np.nan


def plain(task: str) -> str:
    """A task's name without the suite's: `mini/rte` is `rte`, so that rules which name tasks hold for both."""
    return task.removeprefix("mini/")


def counted(runs: pd.DataFrame, wnli: str = "trained") -> pd.DataFrame:
    """The runs with WNLI's scores as a study's rule counts them; `ruled`: where the rule changed a score.

    wnli: `trained`, the score of the run; `majority`, always the majority class's (Phang et al. 2018); `floor`, the
    larger of the two (Wang et al. 2019). A run that is not done stays missing.
    """
    own = runs["target"].map(plain, na_action="ignore") == "wnli"
    floor = runs["majority"] if wnli == "majority" else runs["score"].clip(lower=runs["majority"])
    score = runs["score"].mask(own & runs["score"].notna(), floor) if wnli != "trained" else runs["score"]
    return runs.assign(score=score, ruled=score.ne(runs["score"]) & score.notna())


def wnli_in_words(rule: str, targets: Iterable[str]) -> str:
    """A study's rule for WNLI in a sentence, or that WNLI is none of its targets."""
    rules = {
        "trained": "WNLI counts with the score that its model reached.",
        "majority": "WNLI counts with the majority class's score, whatever its model reached (Phang et al. 2018).",
        "floor": "WNLI counts at least with the majority class's score (Wang et al. 2019).",
    }
    return rules[rule] if "wnli" in map(plain, targets) else "WNLI is none of the targets."


def expected_best(scores, k: float, chosen_by=None) -> float:
    """Expected score of the best of k independent draws from the scores that were found (Dodge et al. 2019, Section 3).

    E = sum over v of v (P(V <= v)^k - P(V < v)^k), with k > 0, not necessarily whole. scores: (n,), missing ones left
    out; NaN with none. chosen_by: (n,), what the best is chosen by where that is not the score itself. The draws are
    with replacement from n scores, so the estimate is at most the largest, and too low for k near n or above it.
    """
    if not k > 0:
        raise IntertaskError(f"expected_best: expected k, the number of draws, above 0; found {k!r}.")
    ranked = ranked_scores(scores, chosen_by)
    return float(ranked @ rank_weights(len(ranked), k)) if len(ranked) else np.nan


def ranked_scores(scores, chosen_by=None) -> np.ndarray:
    """The scores that are not missing, last choice first; shape (n,). Ties in `chosen_by` share their mean."""
    frame = pd.DataFrame({"score": np.asarray(scores, dtype=float)})
    frame["by"] = frame["score"] if chosen_by is None else np.asarray(chosen_by, dtype=float)
    ties = frame.dropna().sort_values("by").groupby("by")["score"]
    return ties.transform("mean").to_numpy()


def rank_weights(n: int, k: float) -> np.ndarray:
    """How probable it is, for each of n ranks from the last up, that it is the best of k draws; shape (n,)."""
    return np.diff((np.arange(n + 1) / n) ** k)


def replicates_in_words(table: pd.DataFrame) -> str:
    """Whether the seeds of a `transfer_table` are independent restarts of the supporting model, in a sentence."""
    shared, unknown = int(table["pseudo_replicates"].sum()), int(table["pseudo_replicates"].isna().sum())
    words = []
    if shared:
        words.append(
            f"In {shared} of {len(table)} cells (†) several seeds start from one supporting model. They are "
            "pseudo-replicates: the spread between supporting models is missing, and the intervals are too narrow."
        )
    if unknown:
        words.append(f"For {unknown} of {len(table)} cells it is not said whether seeds share a supporting model.")
    return " ".join(words) or (
        "Every seed has a supporting model of its own, so the intervals hold the spread of both trainings."
    )


def restarts_in_words(summary: pd.DataFrame) -> str:
    """What a `restart_summary` says of degenerate runs and of the spread, without and with a supporting task.

    The control with shuffled labels is left out.
    """
    summary = summary[~summary["control"]]
    if summary.empty:
        return "The study has no runs of the regimes single and stilts, so there are no restarts to compare."
    single = summary["supporting"].isna()
    known = summary[summary["degenerate"].notna()]
    counts = known.groupby(single)[["degenerate", "n"]].sum().reindex([True, False], fill_value=0)
    alone, after = (f"{row.degenerate} of {row.n}" for row in counts.itertuples())
    unknown = int(summary.loc[summary["degenerate"].isna(), "n"].sum())
    untold = f", and of {unknown} more runs it is not known" if unknown else ""
    cell = ["target", "encoder", "limit"]
    both = summary[~single].merge(summary.loc[single, [*cell, "sd"]], on=cell, suffixes=("", "_single"))
    both = both.dropna(subset=["sd", "sd_single"])
    steadier = int((both["sd"] < both["sd_single"]).sum())
    return (
        f"Degenerate runs: {alone} alone, {after} after a supporting task{untold}. The standard deviation over "
        f"restarts is smaller after the supporting task in {steadier} of {len(both)} pairs."
    )


def control_in_words(table: pd.DataFrame) -> str:
    """What the shuffled-label control shows, in sentences made from a `transfer_table`."""
    control = table[table["control"]]
    if control.empty:
        return (
            "This study has no control with shuffled labels: a gain above may come from more training on any text, "
            "not from what the supporting task teaches."
        )
    tested = control["p"].notna()
    gains, losses = int((control["low"] > 0).sum()), int((control["high"] < 0).sum())
    words = (
        f"With shuffled labels, {gains} of {len(control)} cells have an interval wholly above zero, {losses} wholly "
        f"below, and {int(tested.sum()) - gains - losses} hold zero; {int((~tested).sum())} have no interval."
    )
    if tested.any():
        best = control.loc[control["delta"].idxmax()]
        words += f" The largest mean is {best['delta']:+.1f} points, on {best['target']}."
    if gains:
        return f"{words} Where the control gains, a gain with true labels is not due to the labels alone."
    if not tested.any():
        return f"{words} Nothing can be said before more seeds are in."
    return f"{words} The control shows no clear gain, so clear gains in the other rows need more than longer training."
