"""How sure a difference is: over seeds, over tasks, over examples, over seeds and examples; and what could be seen.

Each interval answers its own question, which its docstring names with the coverage measured on simulated studies of
known truth (`tests/benchmarks/coverage.py`).
"""

import numpy as np
import pandas as pd

from intertask.analysis.resampling import BY_COUNTS, drawn_scores
from intertask.analysis.statistics import (
    POWER,
    benjamini_hochberg,
    check_confidence,
    mean_table,
    minimum_detectable_effect,
    over_examples,
    over_seeds_and_examples,
    paired_permutation,
)
from intertask.analysis.tables import panel_name
from intertask.analysis.transfer import BASELINE, CELL, LIMIT_TYPES, deltas
from intertask.errors import number_of
from intertask.studies.store import CHOOSING

OVER_EXAMPLES = ["examples", "examples_low", "examples_high", "both_low", "both_high", "examples_detectable"]
OVER_EXAMPLES += ["examples_note"]


def over_targets(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Is the mean transfer over targets like these above zero? One row per encoder, limits and supporting task.

    Student's t over the means of the n of n_expected targets that have one, from a `transfer_table`: delta, low, high,
    p, and `note` where there is no interval. The targets stand for all that could have been chosen; seeds and examples
    enter only through their means.

    Measured coverage of 95 % over 4, 6, 8 and 10 targets: 96, 95, 95 and 95 % of normal transfers; 88, 88, 90 and 91 %
    where most targets gain nothing and a few much. A percentile bootstrap over the targets held 74 to 92 % of either.
    """
    return mean_table(table, CELL[:-1], "delta", confidence, "targets")


def transfer_intervals(
    runs: pd.DataFrame, scores: pd.DataFrame, predictions: pd.DataFrame, confidence: float = 0.95
) -> pd.DataFrame:
    """The intervals that the examples of each cell allow: one row per cell of `transfer_table`, columns OVER_EXAMPLES.

    examples: those that the paired runs were scored on; examples_low, examples_high: `over_examples` of the mean
    difference, the rows drawn jointly with and without the supporting task; both_low, both_high:
    `over_seeds_and_examples`, from two seeds on; examples_detectable: `minimum_detectable_effect` of these models on so
    many examples; examples_note: why there is no interval. scores: of `read_scores`, which names the metrics;
    predictions: of `read_predictions`, on the split that each run reports.
    """
    check_confidence(confidence)
    rows = []
    for target, of_target in deltas(runs).groupby("target", sort=False):
        metrics = list(scores.loc[(scores["task"] == target) & (scores["metric"] != "main"), "metric"].unique())
        own = predictions[predictions["run"].isin([*of_target["run"], *of_target["baseline_run"]])]
        drawn = drawn_scores(own, metrics)
        for cell, pairs in of_target.groupby(CELL, sort=False, dropna=False):
            row = _intervals_of(pairs.dropna(subset="delta"), own, drawn, metrics, confidence)
            rows.append(dict(zip(CELL, cell, strict=True)) | row)
    return pd.DataFrame(rows, columns=[*CELL, *OVER_EXAMPLES]).astype(LIMIT_TYPES)


def _intervals_of(
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
    spread = np.sqrt(examples) * difference.mean(0).std()  # of one example, from that of a mean over so many
    least = minimum_detectable_effect(spread, examples, 1 - confidence)
    return row | {"both_low": both[0], "both_high": both[1], "examples_detectable": least}


def _why_not(runs: list[str], drawn: pd.DataFrame, metrics: list[str]) -> str:
    if not runs:
        return "no pair of runs is done"
    if unknown := set(metrics) - BY_COUNTS.keys():
        return f"predictions do not tell {', '.join(sorted(unknown))}"
    absent = len({*runs} - {*drawn.index})
    return f"predictions of {absent} of {number_of(len({*runs}), 'run')} are not at hand" if absent else ""


def with_tests(table: pd.DataFrame, runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """A `transfer_table` with further columns of what its seeds allow.

    p_bh: `benjamini_hochberg` over the same family as Holm's; p_permutation: `paired_permutation`; p_smallest: below
    this no p_permutation of so many pairs can be; detectable: `minimum_detectable_effect` of the cell's n at
    alpha = 1 - confidence, points, with the standard deviation of the paired differences that all cells of the same
    encoder, limit and target have in common (pooled).
    """
    check_confidence(confidence)
    pairs = deltas(runs)
    cells = pairs.dropna(subset="delta").groupby(CELL, sort=False, dropna=False)["delta"].agg(list)
    tests = pd.DataFrame(cells.map(paired_permutation).tolist(), cells.index, ["p_permutation", "p_smallest"], float)
    table = table.assign(p_bh=benjamini_hochberg(table["p"])).merge(tests.reset_index(), how="left", on=CELL)
    spread = table[[*BASELINE, "target"]].merge(pooled_spread(pairs), how="left", on=[*BASELINE, "target"])["sd"]
    least = [minimum_detectable_effect(sd, n, 1 - confidence) for sd, n in zip(spread, table["n"], strict=True)]
    return table.assign(detectable=least, note=table.pop("note"))


def pooled_spread(pairs: pd.DataFrame) -> pd.DataFrame:
    """Per encoder, limit and target the standard deviation of paired differences around their cell's mean, `sd`.

    Pooled over the cells, weighted by their degrees of freedom, but for those in which every pair has a run that
    learned nothing: these agree whatever a run that learns would do. Missing where no cell has two pairs. pairs:
    `deltas`.
    """
    found = pairs.dropna(subset="delta")
    nothing = found["degenerate"].fillna(False).groupby([found[name] for name in CELL], dropna=False).transform("all")
    found = found[~nothing.astype(bool)]
    around = found["delta"] - found.groupby(CELL, dropna=False)["delta"].transform("mean")
    cells = found.assign(squares=around**2).groupby(CELL, sort=False, dropna=False)["squares"].agg(["sum", "count"])
    cells["count"] -= 1  # one degree of freedom each went into the mean
    sums = cells.groupby([*BASELINE, "target"], sort=False, dropna=False).sum().reset_index()
    return sums.assign(sd=np.sqrt(sums["sum"] / sums["count"].where(sums["count"] > 0)))[[*BASELINE, "target", "sd"]]


def detectable_in_words(table: pd.DataFrame, intervals: pd.DataFrame, confidence: float = 0.95) -> str:
    """What the seeds, and the examples, of each target could have shown, as Markdown.

    table: of `with_tests`; intervals: of `transfer_intervals`, of whose cells the median is told.
    """
    several = len(table[BASELINE].drop_duplicates()) > 1
    both = table.merge(intervals[[*CELL, "examples", "examples_detectable"]], on=CELL)
    lines = []
    for (encoder, limit, target), own in both.groupby([*BASELINE, "target"], sort=False, dropna=False):
        by_seeds = own.groupby("n", sort=False)["detectable"].first().dropna().items()
        differences = "you could have seen differences of"
        seen = [f"with {number_of(n, 'seed')} {differences} {least:.1f} points" for n, least in by_seeds]
        examples, least = own[["examples", "examples_detectable"]].dropna().median()
        if pd.notna(least):
            also = f"of {least:.1f}" if seen else f"{differences} {least:.1f} points"
            seen.append(f"on {number_of(round(examples), 'example')}, these models held fixed, {also}")
        name = f"{target} ({panel_name(encoder, limit)})" if several else target
        nothing = "nothing can be said without two pairs that differ, of runs that learned"
        lines.append(f"- **{name}**: {'; '.join(seen) or nothing}.")
    return (
        f"Seen: p < {1 - confidence:.2g} in {POWER:.0%} of studies like this one, before any correction for the number "
        "of cells. A smaller transfer may be there and stay unseen.\n\n" + "\n".join(lines)
    )


def optimism(runs: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """How much the dev rows that chose the checkpoint flatter: main score on them minus that on the reported ones.

    One row per encoder, limit and target of a study with `holdout` or `report_on: test`; none of another. select,
    report: means over the runs; optimism: paired by run, in points, with Student's t (95 %) over the n seeds: with
    `holdout` a seed divides the dev set anew, and what its runs share is counted once. scores: of `read_scores`.
    """
    others = runs.loc[(runs["stage"] == "target") & ~runs["split"].isin(CHOOSING), ["run", "task", "split"]]
    main = scores[(scores["metric"] == "main") & (scores["task"] == scores["target"])]
    main = main.drop_duplicates(["run", "task", "split"]).merge(
        others.drop_duplicates(), on=["run", "task"], suffixes=("", "_reported")
    )
    held = main.assign(role=main["split"].map(dict.fromkeys(CHOOSING, "select")))
    held["role"] = held["role"].mask(held["split"] == held["split_reported"], "report")
    keys = [*BASELINE, "target"]
    wide = held.dropna(subset="role").pivot(index=[*keys, "seed", "run"], columns="role", values="score")
    wide = wide.reindex(columns=["select", "report"]).dropna().reset_index()
    wide["optimism"] = wide["select"] - wide["report"]
    means = {name: (name, "mean") for name in ("select", "report")}
    over_runs = wide.groupby(keys, sort=False, dropna=False).agg(runs=("run", "size"), **means)
    by_seed = wide.groupby([*keys, "seed"], sort=False, dropna=False)["optimism"].mean().reset_index()
    table = over_runs.reset_index().merge(mean_table(by_seed, keys, "optimism", 0.95), on=keys)
    return table[[*keys, "runs", "n", "select", "report", "optimism", "low", "high", "note"]].astype({"limit": "Int64"})


def optimism_in_words(table: pd.DataFrame) -> str:
    """What a table of `optimism` says, or that the study held nothing out."""
    if table.empty:
        return (
            "No run was scored on rows held out from the choice of its checkpoint, so nothing tells how much the dev "
            "scores flatter. `holdout` in the study divides the dev set, and `report_on: test` reports another."
        )
    sure = int((table["low"] > 0).sum())
    return (
        f"The rows that chose the checkpoint score {table['optimism'].mean():+.1f} points against those that did not "
        f"(mean over {number_of(len(table), 'row', 'of the table')}); for {sure} of {len(table)} the interval lies "
        "wholly above zero."
    )
