"""Alongside or before: the matrix MTL - STILTs (Weller et al. 2022, Figure 1), and what each of the two was given."""

import numpy as np
import pandas as pd

from intertask.analysis.statistics import check_confidence, holm, mean_table, share_interval, two_sample_t
from intertask.analysis.transfer import CELL, learned_nothing, shared_models, target_runs
from intertask.errors import IntertaskError, number_of

EXPOSURES = {
    "target_examples": "examples_seen",
    "distinct_examples": "distinct_examples",
    "steps": "all_steps",
    "target_steps": "steps",
}
"""Ratio MTL / STILTs -> the column it is of; STILTs' `all_steps` are both stages', `steps` the target stage's."""


def pairwise(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs behind every cell that has both regimes: one row per cell, mixing variant, regime and seed.

    STILTs' rows are repeated for each variant. A task that is its own supporting task and the control with shuffled
    labels are left out: the first cannot be mixed with itself, the second is no task, as a ready-made model is none.
    """
    runs = target_runs(runs, "stilts", "mtl")
    runs = runs[~(runs["control"] | runs["ready_made"] | (runs["supporting"] == runs["target"]))]
    runs["all_steps"] = runs["steps"] + runs["supporting_steps"].where(runs["regime"] == "stilts", 0)
    stilts, mtl = (runs[runs["regime"] == regime] for regime in ("stilts", "mtl"))
    both = mtl[[*CELL, "mixing"]].drop_duplicates().merge(stilts[CELL].drop_duplicates(), on=CELL)
    return pd.concat([
        mtl.merge(both, on=[*CELL, "mixing"]),
        stilts.drop(columns="mixing").merge(both, on=CELL)[mtl.columns],
    ])  # fmt: skip


def regime_differences(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """MTL - STILTs: one row per mixing variant and cell (encoder, limits, supporting, target), in the study's order.

    mtl, stilts: mean scores, 0-100, over n_mtl and n_stilts seeds, of n_mtl_expected and n_stilts_expected; difference,
    low, high, p, note: `two_sample_t`, points; p_holm: Holm's correction over the `family` of all cells of the variant
    that have a p; p_paired: `paired_t` over the n_paired seeds that both have. target_size, supporting_size: examples
    as trained on; size_ratio: the second to the first. better: the method with the higher mean; heuristic:
    the method that the sizes choose; both are MTL, STILTs or neither, and missing where unknown. …_ratio: EXPOSURES
    of MTL to STILTs, ratios of means. pseudo_replicates: several of STILTs' seeds share a supporting model;
    missing where not all say which is theirs. degenerate: runs of both methods that `learned_nothing`, missing where
    that is not known of all.
    """
    rows, keys = pairwise(runs), ["mixing", *CELL]
    if rows.empty:
        raise IntertaskError(
            "Nothing to compare: no pair of tasks has both regimes. Give the study regimes: [single, stilts, mtl] and "
            "supporting tasks other than the targets, or take this notebook out of its report."
        )
    rows = rows.assign(cell=rows.groupby(keys, sort=False, dropna=False).ngroup())
    groups = rows.groupby(["regime", "cell"])
    both = groups["score"].agg(n="count", n_expected="size", mean="mean", sd="std")
    both = both.join(groups[[*EXPOSURES.values()]].mean())
    both["pseudo_replicates"] = groups["supporting_run"].agg(shared_models)
    both["degenerate"] = (
        learned_nothing(rows)
        .where(rows["score"].notna(), False)
        .groupby([rows["regime"], rows["cell"]])
        .agg(lambda known: known.sum(skipna=False))
    )
    mtl, stilts = both.loc["mtl"], both.loc["stilts"]
    table = rows.drop_duplicates("cell").set_index("cell")[keys]
    for name, own in (("mtl", mtl), ("stilts", stilts)):
        table[[f"n_{name}", f"n_{name}_expected"]] = own[["n", "n_expected"]]
    table = table.assign(mtl=mtl["mean"], stilts=stilts["mean"]).join(two_sample_t(mtl, stilts, confidence))
    note, paired, sizes = table.pop("note"), _paired_by_seed(rows, confidence), rows.groupby("cell")
    table["p_paired"], table["n_paired"] = paired["p"], paired["n"]
    table["target_size"], table["supporting_size"] = sizes["n_train"].max(), sizes["supporting_n_train"].max()
    table["pseudo_replicates"] = stilts["pseudo_replicates"]
    table["degenerate"] = (mtl["degenerate"] + stilts["degenerate"]).astype("Int64")
    for name, of in EXPOSURES.items():
        table[f"{name}_ratio"] = (mtl[of] / stilts[of]).astype("float64")
    table["size_ratio"] = (table["supporting_size"] / table["target_size"]).astype("float64")
    table["heuristic"], table["better"] = by_sign(table["size_ratio"] - 1), by_sign(table["difference"])
    by_variant = table.groupby("mixing", sort=False, dropna=False)["p"]
    table["p_holm"], table["family"] = by_variant.transform(holm), by_variant.transform("count")
    return table.assign(note=note).reset_index(drop=True).astype({"pseudo_replicates": "boolean"})


def _paired_by_seed(rows: pd.DataFrame, confidence: float) -> pd.DataFrame:
    mtl, stilts = (rows[rows["regime"] == regime] for regime in ("mtl", "stilts"))
    seeds = mtl.merge(stilts[["cell", "seed", "score"]], on=["cell", "seed"], how="left", suffixes=("", "_stilts"))
    seeds["difference"] = seeds["score"] - seeds["score_stilts"]
    return mean_table(seeds, ["cell"], "difference", confidence)


def variant_name(encoder: str, mixing: str | None) -> str:
    """An encoder with the way its tasks were mixed, where that is known."""
    return encoder if pd.isna(mixing) else f"{encoder}, {mixing}"


def by_sign(values: pd.Series) -> pd.Series:
    """MTL where positive, STILTs where negative, neither at zero, missing where missing."""
    names = np.select([values > 0, values < 0, values == 0], ["MTL", "STILTs", "neither"], default="")
    return pd.Series(names, index=values.index, dtype="str").where(values.notna())


def size_threshold(table: pd.DataFrame) -> float:
    """The ratio of supporting to target size that best parts cells where MTL is better (above) from the others.

    Best: right in most cells, significant or not. Candidates lie halfway (on a log scale) between the ratios that
    occur, and at 0 and infinity (one method always). Of equally good ones the nearest to equal sizes; NaN where no cell
    has sizes and a better method.
    """
    known = table[table["size_ratio"].notna() & table["better"].isin(["MTL", "STILTs"])]
    if known.empty:
        return np.nan
    ratios = np.unique(known["size_ratio"])
    candidates = np.array([0, *np.sqrt(ratios[1:] * ratios[:-1]), np.inf])
    right = np.array([((known["size_ratio"] > ratio) == (known["better"] == "MTL")).sum() for ratio in candidates])
    best = candidates[right == right.max()]
    return min(best, key=lambda ratio: max(ratio, 1 / ratio if ratio else np.inf))


def thresholds(table: pd.DataFrame) -> pd.Series:
    """For each cell the `size_threshold` of the cells with other targets: leave-one-target-out cross-validation."""
    chosen = {target: size_threshold(table[table["target"] != target]) for target in table["target"].unique()}
    return table["target"].map(chosen).astype("float64")


def choices(table: pd.DataFrame) -> dict[str, pd.Series]:
    """What each rule would use in each cell of one encoder and variant: MTL, STILTs, neither (it abstains), missing."""
    return {
        "size heuristic": table["heuristic"],
        "ratio threshold": by_sign(table["size_ratio"] - thresholds(table)),
        "always STILTs": pd.Series("STILTs", index=table.index, dtype="str"),
        "always MTL": pd.Series("MTL", index=table.index, dtype="str"),
    }


def rules(table: pd.DataFrame, alpha: float = 0.1, confidence: float = 0.95) -> pd.DataFrame:
    """How often each rule names the better method: one row per encoder, variant, set of cells and rule.

    cells: all with both scores; those with p < alpha; those with Holm's p < alpha. Of n cells the rule abstains in
    `abstains` (equal or unknown sizes, no threshold) and is right in `right` of the others: accuracy, percent, with
    Wilson's interval low, high, which takes cells as independent: they are not, they share tasks and runs. score: the
    mean over the n cells of what following the rule scores, 0-100; where it abstains, the mean of both methods.
    """
    _check_alpha(alpha)
    check_confidence(confidence)
    rows = []
    for (encoder, mixing), own in table.groupby(["encoder", "mixing"], sort=False, dropna=False):
        sets = {"all": own["better"].notna(), f"p < {alpha:g}": own["p"] < alpha}
        sets[f"p_holm < {alpha:g}"] = own["p_holm"] < alpha
        chosen = choices(own)
        for cells, members in sets.items():
            for rule, choice in chosen.items():
                row = {"encoder": encoder, "mixing": mixing, "cells": cells, "rule": rule}
                rows.append(row | _followed(own[members], choice[members], confidence))
    return pd.DataFrame(rows)


def _followed(cells: pd.DataFrame, choice: pd.Series, confidence: float) -> dict:
    decided = choice.isin(["MTL", "STILTs"])
    right, of = int((choice[decided] == cells.loc[decided, "better"]).sum()), int(decided.sum())
    accuracy, low, high = share_interval(right, of, confidence)
    counts = {"n": len(cells), "abstains": len(cells) - of, "right": right}
    return counts | {"accuracy": accuracy, "low": low, "high": high, "score": followed(cells, choice).mean()}


def followed(cells: pd.DataFrame, choice: pd.Series) -> pd.Series:
    """The mean score of the chosen method, cell by cell; where the choice is neither, the mean of both."""
    score = cells["mtl"].where(choice == "MTL", cells["stilts"])
    return score.where(choice.isin(["MTL", "STILTs"]), (cells["mtl"] + cells["stilts"]) / 2)


def misjudged(table: pd.DataFrame, alpha: float = 0.1) -> pd.DataFrame:
    """The significant cells (p < alpha) in which the sizes choose the worse method."""
    _check_alpha(alpha)
    decided = table["heuristic"].isin(["MTL", "STILTs"])
    return table[(table["p"] < alpha) & decided & (table["heuristic"] != table["better"])]


def budget(table: pd.DataFrame) -> pd.DataFrame:
    """What MTL was given, as a multiple of what STILTs was: one row per encoder, variant, side of the heuristic, ratio.

    supporting: larger, smaller or equal to the target in size; ratio: EXPOSURES, steps over both stages of STILTs,
    target_steps over its second alone; median, min and max over the n cells in which both are known. MTL's runs were
    as long as their number of examples and steps says, wherever in them the best checkpoint lay.
    """
    sides = table["heuristic"].map({"MTL": "larger", "STILTs": "smaller", "neither": "equal"})
    ratios = [f"{name}_ratio" for name in EXPOSURES]
    long = table.assign(supporting=sides.fillna("unknown")).melt(
        ["encoder", "mixing", "supporting"], ratios, var_name="ratio", value_name="multiple", ignore_index=False
    )
    long = long.sort_index(kind="stable")  # a variant's rows stay together, in the study's order
    groups = long.groupby(["encoder", "mixing", "supporting", "ratio"], sort=False, dropna=False)["multiple"]
    return groups.agg(["count", "median", "min", "max"]).rename(columns={"count": "n"}).reset_index()


def budget_in_words(table: pd.DataFrame) -> str:
    """How often MTL saw the target, as a multiple of STILTs, on either side of the heuristic, as Markdown."""
    spent = budget(table)
    lines = []
    seen = spent[spent["ratio"] == "target_examples_ratio"]
    for variant, own in seen.groupby(["encoder", "mixing"], sort=False, dropna=False):
        sides = "; ".join(
            f"{row.median:.2f} (median of {number_of(row.n, 'cell')}) where the supporting task is {row.supporting}"
            for row in own[own["n"] > 0].itertuples()
        )
        lines.append(
            f"- **{variant_name(*variant)}**: target examples in MTL / in STILTs: {sides or 'nothing known yet'}."
        )
    return "\n".join(lines)


def heuristic_in_words(table: pd.DataFrame, alpha: float = 0.1, confidence: float = 0.95) -> str:
    """How often the size heuristic is right for each variant, as Markdown, from a table of `regime_differences`."""
    lines = []
    for variant, own in table.groupby(["encoder", "mixing"], sort=False, dropna=False):
        judged = rules(own, alpha, confidence)
        heuristic = judged[judged["rule"] == "size heuristic"]
        said = "; ".join(_counted(row) for row in heuristic.iloc[[1, 2, 0]].itertuples())
        named = ", ".join(f"{row.supporting} → {row.target}" for row in misjudged(own, alpha).itertuples())
        lines.append(f"- **{variant_name(*variant)}**: {said}. Significant and wrong: {named or 'none'}.")
    return "\n".join(lines)


def _counted(row) -> str:
    cells = "cells" if row.cells == "all" else f"cells with {row.cells}"
    abstains = f" (it abstains in {row.abstains} more)" if row.abstains else ""
    if row.n == row.abstains:
        return f"nothing to judge among {cells}{abstains}"
    share = f"{row.accuracy:.0f} % [{row.low:.0f}, {row.high:.0f}]"
    return f"right in {row.right} of {row.n - row.abstains} {cells}, {share}{abstains}"


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise IntertaskError(f"alpha is the p value below which a cell is significant, such as 0.1; found {alpha!r}.")
