"""The coarse categories of a diagnostic set over many models (Wang et al. 2019, Tables 11 and 12).

A category is a target, and R3 x100 on it a score: so a table over runs, or over a paper's figures, is one of transfer.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from intertask.analysis.diagnostics import categories, confusions, mean_r3, sentence_sets, summed_by_set
from intertask.analysis.statistics import example_interval, matthews
from intertask.analysis.tables import category_label, row_label
from intertask.analysis.transfer import BASELINE, CELL, PAIR, transfer_table
from intertask.errors import number_of
from intertask.papers.data_size import POINT, size_table
from intertask.papers.mixtures import cell_text

INTERVALS = {"sentence sets": ("sets_low", "sets_high"), "seeds": ("low", "high")}
"""What an interval is over -> its columns."""


class Tally(NamedTuple):
    """What every run answered: by category, confusion matrices of the sentence sets, shape (sets, runs, K, K)."""

    runs: list[str]
    counts: dict[str, np.ndarray]


def printed_r3(runs: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of `read_runs` whose score is R3 x100 in a category, their target; none in a study that trains.

    scores: of `read_scores`; the metric is `r3`.
    """
    own = runs.merge(scores.loc[scores["metric"] == "r3", ["run", "target"]].drop_duplicates())
    return own.assign(target=[category_label(target, "") for target in own["target"]])


def tally(predictions: pd.DataFrame, rows: pd.DataFrame, entry) -> Tally:
    """Counts all runs' answers by coarse category, in the order of the entry's tags, then over `all rows`.

    predictions: of `read_predictions`; rows, entry: the diagnostic task's. Raises IntertaskError where a run predicted
    other rows than these.
    """
    counts = confusions(predictions, rows) if len(predictions) else np.zeros((len(rows), 0, 1, 1), dtype=int)
    sets = sentence_sets(rows, entry.inputs)
    masks = {coarse: mask for (coarse, fine), mask in categories(rows, entry.tags).items() if fine == ""}
    masks[""] = masks.pop("")  # to the end
    of_sets = {category_label(name, ""): summed_by_set(counts[mask], sets[mask]) for name, mask in masks.items()}
    return Tally(predictions["run"].unique().tolist(), of_sets)


def observed(runs: pd.DataFrame, answers: Tally) -> pd.DataFrame:
    """The target runs of `diagnosed` once per category: `target` is the category, score R3 x100 in it.

    An undefined R3 counts as 0, as in `breakdown`; a run without predictions has no score. `encoder` names the task
    that it was trained on too, so that only models of one task are compared.
    """
    own = runs[runs["stage"] == "target"]
    own = own.assign(encoder=own["encoder"] + ": " + own["task"])
    parts = []
    for name, counts in answers.counts.items():
        scores = dict(zip(answers.runs, 100 * np.nan_to_num(matthews(counts.sum(0))), strict=True))
        parts.append(own.assign(target=name, score=own["run"].map(scores)))
    return pd.concat(parts, ignore_index=True).astype({"score": "float64"})


def source_in_words(runs: pd.DataFrame, answers: Tally | None) -> str:
    """How many models, seeds and rows stand behind the table, or that it is a printed one, in a sentence."""
    models = number_of(len(runs.drop_duplicates([name for name in POINT if name != "target"])), "model")
    scored = runs.loc[runs["score"].notna(), "run"].nunique()
    if answers is None:
        return f"{models} of a table of figures: no predictions, so nothing is known of the examples behind them."
    sets = ", ".join(f"{len(counts)} of {name}" for name, counts in answers.counts.items())
    absent = runs["run"].nunique() - scored
    has = number_of(scored, "run", "with predictions")
    return f"{models}; {has}, {absent} without. Independent sets of sentences: {sets}."


def model_table(runs: pd.DataFrame, answers: Tally | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """One row per model and category, R3 x100: mean over the n of n_expected seeds, and its two intervals.

    low, high: Student's t over the seeds, the rows held fixed; sets_low, sets_high: `example_interval` over the `sets`
    of sentences, the models held fixed; each is missing without what it is over. model: how the supporting task was
    used, in words. runs: of `observed` or `printed_r3`; answers: where there are predictions.
    """
    table = size_table(runs, confidence).drop(columns=["n_train", "supporting_n_train"])
    scored = runs[runs["score"].notna() & ~runs["substituted"]]
    found = _over_sets(scored, ["run"], POINT, answers, confidence)
    table = table.merge(found.astype(table.dtypes[POINT]), on=POINT, how="left")
    return table.assign(model=[_supported_model(row) for row in table.itertuples()])


def _supported_model(row) -> str:
    mixing = "" if pd.isna(row.mixing) else f", {row.mixing}"
    return row_label(row.supporting, row.supporting_limit, row.regime) + mixing


def differences(runs: pd.DataFrame, answers: Tally | None = None, confidence: float = 0.95) -> pd.DataFrame:
    """The `transfer_table` of R3 x100: after a supporting task minus without one, by model and category, by seed.

    sets_low, sets_high: of the same difference over the `sets` of sentences, the paired models held fixed. `over` says
    what low and high are over: the seeds, or, where these give no interval, the sentence sets, or nothing. Empty where
    no model has a supporting task before it. runs, answers: as of `model_table`.
    """
    if not (runs["regime"].eq("stilts") & ~runs["substituted"]).any():
        return pd.DataFrame(columns=[*CELL, "delta", "low", "high", "p_holm", "over", "control"])
    table = transfer_table(runs, confidence)
    known = runs[runs["score"].notna() & ~runs["substituted"]]
    single = known.loc[known["regime"] == "single", [*PAIR, "run"]]
    pairs = known[known["regime"] == "stilts"].merge(single, on=PAIR, suffixes=("", "_single"))
    found = _over_sets(pairs, ["run", "run_single"], CELL, answers, confidence)
    table = table.merge(found.astype(table.dtypes[CELL]), on=CELL, how="left")
    without = table["low"].isna() & table["sets_low"].notna()
    table["over"] = np.select([table["low"].notna(), without], ["seeds", "sentence sets"], default="")
    low, high = (table[name].mask(without, table[f"sets_{name}"]) for name in ("low", "high"))
    return table.assign(low=low, high=high, note=table.pop("note").mask(without, ""))


def _over_sets(
    seeds: pd.DataFrame, roles: list[str], key: list[str], answers: Tally | None, confidence: float
) -> pd.DataFrame:
    """The intervals over sentence sets, one row per key, of the mean R3 of the seeds' runs in the first role, less that
    of those in the second, where there is one."""
    places = {run: place for place, run in enumerate(answers.runs)} if answers else {}
    rows = []
    for cell, own in seeds.groupby(key, sort=False, dropna=False) if answers else ():
        members = np.array([own[role].map(places) for role in roles])
        counts = answers.counts[own["target"].iloc[0]][:, members]
        low, high = example_interval(counts, lambda drawn: mean_r3(drawn) @ [1, -1][: len(roles)], confidence)
        rows.append(dict(zip(key, cell, strict=True)) | {"sets": len(counts), "sets_low": low, "sets_high": high})
    found = pd.DataFrame(rows, columns=[*key, "sets", "sets_low", "sets_high"])
    return found.astype({"sets": "Int64", "sets_low": "float64", "sets_high": "float64"})


def leaders(table: pd.DataFrame, over: str) -> pd.DataFrame:
    """The best and the next best model of each encoder, data limit and category, from a `model_table`.

    clear: the best one's interval over `over` (one of INTERVALS) leaves out the next one's mean, and lies above it.
    """
    rows = []
    for cell, own in table[table["mean"].notna()].groupby([*BASELINE, "target"], sort=False, dropna=False):
        if len(own) > 1:
            best, following = (own.loc[place] for place in own["mean"].nlargest(2).index)
            row = {"model": best["model"], "mean": best["mean"], "low": best[INTERVALS[over][0]]}
            row |= {"next": following["model"], "next_mean": following["mean"]}
            rows.append(dict(zip([*BASELINE, "target"], cell, strict=True)) | row)
    found = pd.DataFrame(rows, columns=[*BASELINE, "target", "model", "mean", "low", "next", "next_mean"])
    return found.assign(clear=found["low"] > found["next_mean"]).astype({"limit": "Int64"})


def by_model(table: pd.DataFrame, over: str) -> pd.DataFrame:
    """A `model_table` as the paper prints it: a row per model, a column per category, cells "R3 [low, high] (seeds)".

    over: one of INTERVALS; `*`: the best of its encoder and column, where that is clear (`leaders`).
    """
    keys = [*BASELINE, "target", "model"]
    best = leaders(table, over)
    clear = best.loc[best["clear"], keys].assign(mark="*")
    marked = table.merge(clear.astype(table.dtypes[keys]), on=keys, how="left").fillna({"mark": ""})
    low, high = (marked[name] for name in INTERVALS[over])
    marked = marked.assign(low=low, high=high)
    cells = [cell_text(cell) + cell.mark for cell in marked.itertuples()]
    names = [limited_encoder(*row) for row in marked[BASELINE].itertuples(index=False)]
    named = marked.assign(cell=cells, encoder=names)
    rows = ["encoder", "model"]
    wide = named.pivot(index=rows, columns="target", values="cell")
    wide = wide.reindex(index=pd.MultiIndex.from_frame(named[rows].drop_duplicates()), columns=named["target"].unique())
    return wide.fillna("").reset_index().rename_axis(columns=None)


def limited_encoder(encoder: str, limit: int | None) -> str:
    """The encoder, and its training examples where they are limited."""
    return encoder if pd.isna(limit) else f"{encoder}, {limit} training examples"


def leaders_in_words(table: pd.DataFrame) -> str:
    """Which model is best in each category and whether that is more than chance, as a Markdown list by encoder."""
    sets, seeds = (leaders(table, over) for over in INTERVALS)
    lines = []
    for (encoder, limit), own in sets.groupby(BASELINE, sort=False, dropna=False):
        said = [_leader_in_words(row, seeds.loc[row.Index]) for row in own.itertuples()]
        lines.append(f"- **{limited_encoder(encoder, limit)}**: {'; '.join(said)}.")
    return "\n".join(lines) or "No two models have a score yet, so none is best."


def _leader_in_words(row, seeds: pd.Series) -> str:
    known = {name: one for name, one in zip(INTERVALS, (row, seeds), strict=True) if pd.notna(one.low)}
    clear = [name for name, one in known.items() if one.clear]
    verdict = f"clear over the {' and the '.join(clear)}" if clear else "not clear" if known else "no interval"
    return f"{row.target}: {row.model} ({row.mean:.1f}), next {row.next} ({row.next_mean:.1f}), {verdict}"


def differences_in_words(table: pd.DataFrame, confidence: float = 0.95) -> str:
    """How many `differences` are beyond the noise, in which direction and by which interval, in sentences.

    Controls with shuffled labels are left out.
    """
    found = table[table["delta"].notna() & ~table["control"].eq(True)]
    if found.empty:
        return "No model with a supporting task has its counterpart without one, so there is no difference to test."
    gains, losses = int((found["delta"] > 0).sum()), int((found["delta"] < 0).sum())
    words = [f"{number_of(len(found), 'difference')}: {_directions(gains, losses)}."]
    for over, own in found[found["over"] != ""].groupby("over", sort=False):
        gains, losses = int((own["low"] > 0).sum()), int((own["high"] < 0).sum())
        words.append(
            f"By the interval over the {over}, {_directions(gains, losses)} of {len(own)} are beyond the noise."
        )
    if family := int(found["p_holm"].count() and found["family"].iloc[0]):
        left = int((found["p_holm"] < 1 - confidence).sum())
        words.append(f"After Holm's correction over {number_of(family, 'cell')} with a p, {left} are left.")
    if found["over"].eq("sentence sets").any():
        words.append("Over the sentence sets means for these very models: another restart may give another difference.")
    if unsure := int((found["over"] == "").sum()):
        words.append(
            f"{unsure} have no interval: without restarts or predictions a difference cannot be told from noise."
        )
    return " ".join(words)


def _directions(gains: int, losses: int) -> str:
    return f"{number_of(gains, 'gain')} and {losses} loss{'es' * (losses != 1)}"
