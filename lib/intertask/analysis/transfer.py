"""Transfer deltas paired by seed, and what they and their restarts come to, cell by cell."""

import pandas as pd

from intertask.analysis.statistics import EQUAL, holm, mean_table
from intertask.errors import IntertaskError, number_of

PAIR = ["encoder", "target", "limit", "seed"]
LIMITS = ["limit", "supporting_limit"]
LIMIT_TYPES = dict.fromkeys(LIMITS, "Int64")
CELL = ["encoder", *LIMITS, "supporting", "target"]
MODEL = [*CELL, "regime", "mixing"]
"""What is the same for all seeds of one score."""

PANEL = ["encoder", *LIMITS]
BASELINE = ["encoder", "limit"]
"""What a score after a supporting task has in common with the ones without, beside the target and the seed."""


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
        kind = one["stage"] if pd.isna(one["regime"]) else one["regime"]
        raise IntertaskError(
            f"Two different {kind} runs of {' and '.join(one[['supporting', 'target']].dropna())} with seed "
            f"{one['seed']} would count as one: parts of the study train them with different settings. "
            "Give these parts a study each."
        )


def deltas(runs: pd.DataFrame) -> pd.DataFrame:
    """Transfer by seed: score with the supporting task before (`stilts`) minus score of `single`, in points.

    One row per expected `stilts` run, paired with the single run of the same encoder, target, limit and seed; `delta`
    is missing where one of the two is. Columns: encoder, limit, supporting_limit, supporting, target, control,
    ready_made, seed, run, supporting_run, score, baseline_run, baseline, degenerate, delta. degenerate: one of the two
    learned nothing, see `learned_nothing`. Which runs count: `target_runs`.
    """
    targets = target_runs(runs, "single", "stilts")
    targets = targets.assign(nothing=learned_nothing(targets))
    single = targets.loc[targets["regime"] == "single", [*PAIR, "run", "score", "nothing"]]
    single = single.rename(columns={"run": "baseline_run", "score": "baseline", "nothing": "baseline_nothing"})
    own = [*CELL, "control", "ready_made", "seed", "run", "supporting_run", "score", "nothing"]
    stilts = targets.loc[targets["regime"] == "stilts", own]
    paired = stilts.merge(single, on=PAIR, how="left", validate="many_to_one")
    paired["degenerate"] = paired.pop("nothing") | paired.pop("baseline_nothing")
    return paired.assign(delta=(paired["score"] - paired["baseline"]).round(9))  # equal scores differ by 0, not 1e-14


def learned_nothing(runs: pd.DataFrame) -> pd.Series:
    """Whether a run does not beat the majority class, or predicts one thing for every row; missing: not known."""
    # R3 of a category, which is no score of a run, has neither
    said = runs.reindex(columns=["degenerate", "constant_predictions"]).astype("boolean")
    return said["degenerate"] | said["constant_predictions"]


def transfer_table(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per cell (encoder, limit, supporting_limit, supporting, target), in the study's order.

    n: seeds with both runs; n_expected: seeds that the study asks for; single, stilts: means over the paired seeds,
    0-100; degenerate: of these seeds, how many have a run that `learned_nothing`, with the supporting task or without,
    missing where that is not known of all; delta, low, high, p, note: `paired_t`; p_holm: Holm's correction over the
    family of all cells of this table that have a p, whose number is `family`; pseudo_replicates: several seeds share
    one supporting model, so the spread between supporting models is missing from the interval, missing where a table of
    scores does not say; control: the supporting task's labels were shuffled; ready_made: others trained the supporting
    model.
    """
    pairs = deltas(runs)
    if pairs.empty:
        raise IntertaskError(
            "No transfer to tabulate: the study has no target run with regime stilts. "
            "Give it supporting tasks and regimes: [single, stilts], or take this notebook out of the study's report."
        )
    found = pairs["delta"].notna()
    both = pairs[["baseline", "score"]].where(found).assign(degenerate=pairs["degenerate"].where(found, False))
    columns = {"single": ("baseline", "mean"), "stilts": ("score", "mean"), "control": ("control", "first")}
    columns |= {"ready_made": ("ready_made", "first")}
    columns |= {"degenerate": ("degenerate", lambda known: known.sum(skipna=False))}
    columns |= {"pseudo_replicates": ("supporting_run", shared_models), "paired": ("baseline_run", "count")}
    table = mean_table(pairs.assign(**both), CELL, "delta", confidence, **columns)
    alone = table.pop("paired") == 0
    table["note"] = table["note"].mask(alone, _why_unpaired(table, target_runs(runs, "single")))
    table = table.assign(p_holm=holm(table["p"]), family=int(table["p"].count()))
    last = {name: table.pop(name) for name in ("degenerate", "pseudo_replicates", "control", "ready_made", "note")}
    return table.assign(**last).astype({"degenerate": "Int64", "pseudo_replicates": "boolean"})


def _why_unpaired(table: pd.DataFrame, single: pd.DataFrame) -> pd.Series:
    """Per cell, why none of its runs has a counterpart without a supporting task."""
    by = [*BASELINE, "target"]
    seeds = single.groupby(by, dropna=False)["seed"].agg(there="size", seeded="count").reset_index()
    found = table[by].merge(seeds, on=by, how="left").set_index(table.index)
    why = found["seeded"].eq(0).map({True: "single has no seeds to pair by", False: "single has no seed in common"})
    return why.mask(found["there"].isna(), "no run of single to compare with")


def shared_models(supporting_runs: pd.Series) -> bool | None:
    """Whether several seeds start from one supporting model; missing where not all say which is theirs."""
    return None if supporting_runs.isna().any() else supporting_runs.nunique() < len(supporting_runs)


def restart_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Spread of the target scores over restarts: one row per cell, without supporting task or with one.

    n of n_expected runs found; mean, sd (ddof=1), min, median, max in 0-100; majority: mean over the runs of the
    majority-class score; degenerate: runs that do not beat it, missing where that is not known of all; control: the
    supporting task's labels were shuffled.
    """
    groups = target_runs(runs, "single", "stilts").groupby(["target", *CELL[:-1]], sort=False, dropna=False)
    scores = groups["score"].agg(
        n="count", n_expected="size", mean="mean", sd="std", min="min", median="median", max="max"
    )
    unknown = groups["degenerate"].count() < scores["n"]
    degenerate = groups["degenerate"].sum().astype("Int64").mask(unknown)
    more = {"majority": groups["majority"].mean(), "degenerate": degenerate, "control": groups["control"].first()}
    return scores.assign(**more).reset_index()


def replicates_in_words(table: pd.DataFrame) -> str:
    """Whether the seeds of a table are independent restarts of the supporting model, in a sentence.

    table: a `transfer_table`, or another with `pseudo_replicates`, of which none compares ready-made models.
    """
    shared, unknown = int(table["pseudo_replicates"].sum()), int(table["pseudo_replicates"].isna().sum())
    words = []
    if shared:
        words.append(
            f"In {shared} of {number_of(len(table), 'cell')} (†) several seeds start from one supporting model. They "
            "are pseudo-replicates: the spread between supporting models is missing, and the intervals are too narrow."
        )
    if ready_made := int(table["ready_made"].sum()) if "ready_made" in table else 0:
        words.append(
            f"In {ready_made} of {number_of(len(table), 'cell')} (‡) others trained the supporting model: with which "
            "settings, and chosen among how many, is not known here, and no interval holds the spread between such "
            "trainings."
        )
    if unknown:
        words.append(
            f"For {unknown} of {number_of(len(table), 'cell')} it is not said whether seeds share a supporting model."
        )
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
    untold = f", and of {number_of(unknown, 'more run')} it is not known" if unknown else ""
    cell = ["target", "encoder", "limit"]
    both = summary[~single].merge(summary.loc[single, [*cell, "sd"]], on=cell, suffixes=("", "_single"))
    both = both.dropna(subset=["sd", "sd_single"])
    steadier = int((both["sd_single"] - both["sd"] > EQUAL).sum())
    return (
        f"Degenerate runs: {alone} alone, {after} after a supporting task{untold}. The standard deviation over "
        f"restarts is smaller after the supporting task in {steadier} of {number_of(len(both), 'pair')}."
    )


def degenerate_in_words(table: pd.DataFrame) -> str:
    """How much of a `transfer_table` rests on runs that learned nothing, in sentences."""
    known = table[table["degenerate"].notna() & (table["n"] > 0)]
    some, all_of_them = known[known["degenerate"] > 0], known[known["degenerate"] == known["n"]]
    unknown = int((table["degenerate"].isna() & (table["n"] > 0)).sum())
    words = [
        f"For {unknown} of {number_of(len(table), 'cell')} it is not known whether their runs beat the majority class."
    ] * (unknown > 0)
    if len(some):
        words.append(
            f"In {len(some)} of {number_of(len(known), 'cell')} (°) some seeds have a degenerate run, with the "
            "supporting task or without: their difference is that between learning and not, and its interval does not "
            "hold what a run that learns would gain."
        )
    if len(all_of_them):
        names = ", ".join(f"{row.supporting} → {row.target}" for row in all_of_them.itertuples())
        words.append(f"Every seed has one in {len(all_of_them)}, which say nothing of transfer: {names}.")
    return " ".join(words) or (
        "No run behind these cells is degenerate." if len(known) else "No cell has a pair of runs."
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
    without = f"; {(~tested).sum()} have no interval" if not tested.all() else ""
    gains, losses = int((control["low"] > 0).sum()), int((control["high"] < 0).sum())
    words = (
        f"With shuffled labels, {gains} of {number_of(len(control), 'cell')} have an interval wholly above zero, "
        f"{losses} wholly below, and {int(tested.sum()) - gains - losses} hold zero{without}."
    )
    if tested.any():
        best = control.loc[control["delta"].idxmax()]
        words += f" The largest mean is {best['delta']:+.1f} points, on {best['target']}."
    if gains:
        return f"{words} Where the control gains, a gain with true labels is not due to the labels alone."
    if not tested.any():
        return f"{words} Nothing can be said before more seeds are in."
    return f"{words} The control shows no clear gain, so clear gains in the other rows need more than longer training."
