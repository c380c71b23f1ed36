"""Probes by encoder: scores with what is uncertain about them, over the examples and over the seeds."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from intertask.analysis.plots import supporting_label
from intertask.analysis.statistics import paired_t
from intertask.errors import IntertaskError

RESAMPLES = 2000
COLUMNS = ["probe", "model", "n", "n_expected", "examples", "score", "low", "high", "seeds_low", "seeds_high"]
COLUMNS += ["majority", "degenerate"]


def probed(runs: pd.DataFrame) -> pd.DataFrame:
    """The target runs, done or not, with the columns `probe` and `model`: the encoder, and what it was trained on."""
    targets = runs[runs["stage"] == "target"]
    after = targets["supporting"].map(lambda task: "" if pd.isna(task) else f", after {supporting_label(task)}")
    limit = targets["limit"].map(lambda limit: "" if pd.isna(limit) else f", {limit} examples")
    return targets.assign(probe=targets["target"], model=targets["encoder"] + after.astype("str") + limit.astype("str"))


def scored(runs: pd.DataFrame, records: dict[str, dict], split: str) -> pd.DataFrame:
    """The runs with `score` and `majority`, the main score and its counterpart, of a split of theirs; else missing.

    records: of `read_records`.
    """
    of_run = {kind: {run: record[kind].get(split, {}).get("main") for run, record in records.items()}
              for kind in ("scores", "majority")}  # fmt: skip
    score, majority = (runs["run"].map(of_run[kind]).astype("float64") for kind in ("scores", "majority"))
    return runs.assign(score=score, majority=majority)


def probing_table(runs: pd.DataFrame, predictions: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per probe and model in the study's order, columns COLUMNS, scores 0–100.

    n of n_expected seeds are done; examples: rows that are scored. Two intervals: low, high is a percentile bootstrap
    over the examples, the models held fixed, and is missing where the score is no share of right decisions (accuracy
    and micro_f1 are); seeds_low, seeds_high is Student's t over the seeds, the examples held fixed. degenerate: runs
    that do not beat the majority.

    runs: of `scored`, predictions: of `read_predictions`, both for one split.
    """
    if not 0 < confidence < 1:
        raise IntertaskError(f"confidence is a share between 0 and 1, such as 0.95; found {confidence!r}.")
    by_run = dict(iter(predictions.groupby("run", sort=False)))
    rows = []
    for (probe, model), own in runs.groupby(["probe", "model"], sort=False):
        seeds = paired_t(own["score"], confidence)
        done = own[own["score"].notna()]
        right, counted = decisions(by_run[run] for run in done["run"] if run in by_run)
        low, high = example_interval(right, counted, seeds.mean, confidence)
        rows.append(
            dict(zip(COLUMNS, (probe, model, seeds.n, len(own), len(right), seeds.mean, low, high), strict=False))
            | {"seeds_low": seeds.low, "seeds_high": seeds.high, "majority": done["majority"].mean()}
            | {"degenerate": int((done["score"] <= done["majority"]).sum())}
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def decisions(runs: Iterable[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Of each example, summed over the runs, what was right and out of how much: the score is 100 times their ratio.

    Accuracy counts predictions; micro_f1, whose labels are lists, twice what is right out of all said and all asked.
    """
    sums = []
    for rows in runs:
        if rows["label"].map(np.ndim).max() > 0:
            right = [2 * len({*gold} & {*given}) for gold, given in zip(rows["label"], rows["prediction"], strict=True)]
            counted = rows["label"].map(len) + rows["prediction"].map(len)
        else:
            right, counted = (rows["label"] == rows["prediction"]).astype(int), 1
        sums.append(rows.assign(right=right, counted=counted).groupby("row")[["right", "counted"]].sum())
    total = sum(sums[1:], sums[0]) if sums else pd.DataFrame({"right": [], "counted": []})
    return total["right"].to_numpy(float), total["counted"].to_numpy(float)


def example_interval(right: np.ndarray, counted: np.ndarray, score: float, confidence: float) -> tuple[float, float]:
    """Percentile bootstrap over examples of 100 · right / counted; missing (NaN) where that is not the score.

    The same for the same arguments: the draws have a fixed seed.
    """
    if (
        len(right) < 2
        or not np.isclose(100 * right.sum() / counted.sum(), score, atol=0.5)
        or np.ptp(right / counted) == 0
    ):
        return np.nan, np.nan
    interval = stats.bootstrap(
        (right, counted), lambda a, b, axis: 100 * a.sum(axis) / b.sum(axis), paired=True, vectorized=True, batch=100,
        n_resamples=RESAMPLES, confidence_level=confidence, method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(interval.low), float(interval.high)


def chosen(candidates: pd.DataFrame, reported: pd.DataFrame, beginning: str) -> pd.DataFrame:
    """For each probe the model, of those whose name begins so, that is best in one table, with its row in the other.

    To choose on the dev set and report on another: the best of several on the rows that chose it is flattered. The
    column `chosen_by` is the score that it was chosen by.
    """
    own = candidates[candidates["model"].str.startswith(beginning) & candidates["score"].notna()]
    best = own.loc[own.groupby("probe", sort=False)["score"].idxmax(), ["probe", "model", "score"]]
    return best.rename(columns={"score": "chosen_by"}).merge(reported, on=["probe", "model"])


def probing_in_words(table: pd.DataFrame) -> str:
    """Of how many probes each model's interval over the examples lies wholly above the majority, as Markdown."""
    lines = []
    for model, own in table.groupby("model", sort=False):
        known, unsure = own[own["low"] > own["majority"]], own[own["low"].isna() & own["score"].notna()]
        without = f"; {len(unsure)} have no interval" if len(unsure) else ""
        lines.append(
            f"- **{model}**: above the majority on {len(known)} of {own['score'].notna().sum()} probes{without}."
        )
    return "\n".join(lines) or "No run is done yet, so there is nothing to say."
