"""Probes by encoder: scores with what is uncertain about them, over the examples and over the seeds."""

import pandas as pd

from intertask.analysis.resampling import drawn_scores
from intertask.analysis.statistics import over_examples, paired_t
from intertask.analysis.tables import row_label
from intertask.analysis.transfer import target_runs
from intertask.errors import number_of

PROBING_COLUMNS = ["probe", "model", "n", "n_expected", "examples", "score", "low", "high", "seeds_low", "seeds_high"]
PROBING_COLUMNS += ["majority", "degenerate"]


def probed(runs: pd.DataFrame) -> pd.DataFrame:
    """The target runs, done or not, with the columns `probe` and `model`: all but the seed, in words."""
    targets = target_runs(runs)
    return targets.assign(probe=targets["target"], model=[_probed_model(role) for role in targets.itertuples()])


def _probed_model(role) -> str:
    name = role.encoder
    if pd.notna(role.supporting) or role.regime not in ("single", "stilts"):
        how = row_label(role.supporting, role.supporting_limit, role.regime)
        name += f", after {how}" if role.regime == "stilts" else f", {how}"
    name += "" if pd.isna(role.mixing) else f", {role.mixing}"
    return name if pd.isna(role.limit) else f"{name}, {role.limit} examples"


def scored(runs: pd.DataFrame, records: dict[str, dict], split: str) -> pd.DataFrame:
    """The runs with `score` and `majority`, the main score and its counterpart, of a split of theirs, else missing; and
    `metrics`, the names of those that the main score is the mean of.

    records: of `read_records`. A run of a table of scores has none, and the scores of the split that it reports.
    """
    rows = []
    for role in runs.itertuples():
        scores, majority = {}, {}
        if role.run in records:
            own = records[role.run]["tasks"][records[role.run]["task"]]
            scores, majority = (own[kind].get(split, {}) for kind in ("scores", "majority"))
        elif role.split == split:
            scores, majority = {"main": role.score}, {"main": role.majority}
        rows.append((scores.get("main"), majority.get("main"), [name for name in scores if name != "main"]))
    found = pd.DataFrame(rows, index=runs.index, columns=["score", "majority", "metrics"])
    return runs.assign(**found.astype({"score": "float64", "majority": "float64"}))


def probing_table(runs: pd.DataFrame, predictions: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per probe and model in the study's order, columns PROBING_COLUMNS, scores 0–100.

    n of n_expected seeds are done; examples: rows that are scored. Two intervals: low, high is `over_examples`, the
    models held fixed; seeds_low, seeds_high is Student's t over the seeds, the examples held fixed. degenerate: runs
    that do not beat the majority, missing where that is not known.

    runs: of `scored`, predictions: of `read_predictions`, both for one split.
    """
    rows = []
    for (probe, model), own in runs.groupby(["probe", "model"], sort=False):
        seeds = paired_t(own["score"], confidence)
        done = own[own["score"].notna()]
        found = predictions[predictions["run"].isin(done["run"])]
        examples = found["row"].nunique()
        drawn = drawn_scores(found, done["metrics"].iloc[0] if len(done) else [])
        low, high, _ = over_examples(drawn.mean(), examples, confidence)
        known = done["majority"].notna().all()
        degenerate = (done["score"] <= done["majority"]).sum() if known else pd.NA
        sizes, over_seeds = (seeds.n, len(own), examples), (seeds.low, seeds.high)
        more = done["majority"].mean(), degenerate
        rows.append((probe, model, *sizes, seeds.mean, low, high, *over_seeds, *more))
    return pd.DataFrame(rows, columns=PROBING_COLUMNS).astype({"degenerate": "Int64"})


def best_on_dev(candidates: pd.DataFrame, reported: pd.DataFrame, beginning: str) -> pd.DataFrame:
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
        done = own[own["score"].notna()]
        above, unsure = (done["low"] > done["majority"]).sum(), done["low"].isna().sum()
        without = f"; {unsure} have no interval" if unsure else ""
        lines.append(f"- **{model}**: above the majority on {above} of {number_of(len(done), 'probe')}{without}.")
    return "\n".join(lines) or "No run is done yet, so there is nothing to say."
