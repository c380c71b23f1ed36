"""Score against training examples of the target or of the supporting task.

After Phang et al. 2018, Table 2, Pruksachatkun et al. 2020, Figure 6, and Weller et al. 2022, Figure 2.
"""

import numpy as np
import pandas as pd

from intertask.analysis.averages import counted, task_average
from intertask.analysis.figures import signed
from intertask.analysis.regimes import pairwise, regime_differences
from intertask.analysis.statistics import holm, mean_table
from intertask.analysis.tables import of_expected
from intertask.analysis.transfer import CELL, each_once, refuse_mixtures, target_runs
from intertask.errors import IntertaskError, number_of

SIZE_COLUMNS = {"target": "n_train", "supporting": "supporting_n_train"}
"""The parameter `x` -> the column on the axis."""

VARIED = {"target": "limit", "supporting": "supporting_limit"}
"""The parameter `x` -> the column that varies along a line."""

LINES = {
    "target": ["regime", "mixing", "supporting", "supporting_limit"],
    "supporting": ["regime", "mixing", "supporting", "limit"],
}
"""The parameter `x` -> what is the same along a line."""

POINT = ["encoder", "target", "regime", "mixing", "supporting", "limit", "supporting_limit"]
OVER_TARGETS = "average over the targets"
FEW_SIZES = 3


def _all_targets(runs: pd.DataFrame) -> pd.DataFrame:
    targets = target_runs(runs)
    if targets.empty:
        raise IntertaskError("Expected runs of stage target, found none. Take this notebook out of the study's report.")
    return targets


def seed_averages(runs: pd.DataFrame, wnli: str = "trained") -> pd.DataFrame:
    """The average over all targets in the place of the target runs: one row per model and seed, `target` is AVERAGE.

    score: `task_average` over all targets of the study but those of a part named `probes`, 0-100, missing where one of
    them is: it failed, was not run yet, or is left out of the study; supporting_n_train as in `runs`, n_train missing.
    A substituted run counts with the score that stands in, as in the papers' averages. wnli: of `counted`. Raises
    IntertaskError where a seed has two different runs for one target. After Wang et al. 2019, Figure 2, and
    Pruksachatkun et al. 2020, Figure 6.
    """
    targets = each_once(counted(runs[_averaged(runs)], wnli))
    refuse_mixtures(targets)
    models = [*(name for name in POINT if name != "target"), "seed"]
    groups = targets.groupby(models, sort=False, dropna=False)
    wide = targets.assign(model=groups.ngroup()).pivot(index="model", columns="target", values="score")
    scores = [task_average(own, wide.columns) for own in wide.to_dict("records")]
    sizes = groups["supporting_n_train"].max().astype("float64").to_numpy()
    first = targets.drop_duplicates(models)
    return first.assign(target=OVER_TARGETS, score=scores, substituted=False, n_train=np.nan, supporting_n_train=sizes)


def _averaged(runs: pd.DataFrame) -> pd.Series:
    return (runs["stage"] == "target") & (runs["part"] != "probes")


def size_table(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per point: encoder, target, regime, mixing, supporting, limit and supporting_limit, in the study's order.

    n_train, supporting_n_train: examples as trained on, means over the n of n_expected seeds that are done; mean, low,
    high: of the score, 0-100, Student's t over these seeds; missing interval with fewer than two.
    """
    targets = _all_targets(runs).astype(dict.fromkeys(SIZE_COLUMNS.values(), "float64"))
    sizes = {size: (size, "mean") for size in SIZE_COLUMNS.values()}
    table = mean_table(targets.rename(columns={"score": "mean"}), POINT, "mean", confidence, **sizes)
    return table[[*POINT, *sizes, "n", "n_expected", "mean", "low", "high"]]


def sized(points: pd.DataFrame, x: str) -> pd.DataFrame:
    """The points of a `size_table` that a figure over the sizes `x` can show.

    Left out: those with a score whose size is unknown, as in a paper's table that does not print it. A model without a
    supporting task has none to be unknown.
    """
    has_none = points["supporting"].isna() if x == "supporting" else False
    return points[points[SIZE_COLUMNS[x]].notna() | points["mean"].isna() | has_none]


def slopes(runs: pd.DataFrame, x: str, confidence: float = 0.95) -> pd.DataFrame:
    """Points of score per doubling of the data: one row per encoder, target and line with two or more known sizes.

    A seed's slope is that of least squares of its scores on log2 of the sizes `x` as trained on, and counts only where
    every size of the line is there. sizes, smallest, largest: of the line; slope, low, high, p, note: `paired_t` over
    the n of n_expected seeds; p_holm: Holm's correction over the `family` of all rows that have a p.
    """
    key = ["encoder", "target", *LINES[x]]
    targets = _all_targets(runs).astype({SIZE_COLUMNS[x]: "float64"})
    # no limit is a place too, which nunique would not count
    targets = targets.assign(size=targets[SIZE_COLUMNS[x]], place=targets[VARIED[x]].fillna(-1))
    lines = targets.groupby(key, sort=False, dropna=False)
    sizes = lines.agg(
        sizes=("size", "nunique"),
        smallest=("size", "min"),
        largest=("size", "max"),
        known=("size", "count"),
        rows=("size", "size"),
        scored=("score", "count"),
    )
    by_seed = _seed_slopes(targets.assign(expected=lines["place"].transform("nunique")), key)
    table = mean_table(by_seed, key, "slope", confidence, expected=("expected", "first"))
    # out: lines whose sizes turned out to be one, and those that have scores but not their sizes
    table = sizes.reset_index().merge(table, on=key)
    table = table.query("expected > 1 and (sizes > 1 or scored <= known < rows)").reset_index(drop=True)
    note = table["note"].str.replace("differences", "slopes")
    table = table[[*key, "sizes", "smallest", "largest", "slope", "n", "n_expected", "low", "high", "p"]]
    table = table.assign(p_holm=holm(table["p"]), family=int(table["p"].count()), note=note)
    return table.astype({"smallest": "Int64", "largest": "Int64"})


def _seed_slopes(targets: pd.DataFrame, line: list[str]) -> pd.DataFrame:
    """One row per line and seed, with its slope; missing where one of the expected points is, or all sizes are one."""
    targets = targets.assign(x=np.log2(targets["size"]), y=targets["score"])
    key = [*line, "seed"]
    means = targets.groupby(key, sort=False, dropna=False)[["x", "y"]].transform("mean")
    x, y = targets["x"] - means["x"], targets["y"] - means["y"]
    sums = targets.assign(xy=x * y, xx=x * x).groupby(key, sort=False, dropna=False)
    table = sums.agg(xy=("xy", "sum"), xx=("xx", "sum"), known=("xy", "count"), expected=("expected", "first"))
    complete = (table["known"] == table["expected"]) & (table["xx"] > 0)
    return table.assign(slope=(table["xy"] / table["xx"].where(complete))).reset_index()


def slopes_in_words(table: pd.DataFrame, x: str) -> str:
    """Each line of `slopes` with its slope and interval, as a Markdown list."""
    if table.empty:
        return f"No line has two sizes of the {x} task, so there is no trend: the study's `{VARIED[x]}s` sets sizes."
    return "\n".join(f"- {_slope_in_words(row, [*LINES[x], 'encoder'])}" for row in table.to_dict("records"))


def trends_in_words(table: pd.DataFrame, confidence: float = 0.95) -> str:
    """How many lines of `slopes` clearly rise or fall, and how many rest on few sizes, in sentences."""
    if table.empty:
        return ""
    up, down, unknown = table["low"] > 0, table["high"] < 0, table["low"].isna()
    holm_left = int((table["p_holm"] < 1 - confidence).sum())
    few = int((table["sizes"] <= FEW_SIZES).sum())
    return (
        f"The slope is above zero in {(table['slope'] > 0).sum()} of {number_of(len(table), 'line')}. Lines that "
        f"clearly rise, the interval leaving out zero: {up.sum()} of {len(table)}; that clearly fall: "
        f"{down.sum()}; that may do either: {(~up & ~down & ~unknown).sum()}; without an interval: {unknown.sum()}. "
        f"Clear after Holm's correction too: {holm_left} of the {table['family'].iloc[0]} with a p. {few} of "
        f"{number_of(len(table), 'line')} rest on {FEW_SIZES} sizes or fewer, from which nobody can tell whether a "
        "line is straight, levels off or turns."
    )


def _slope_in_words(row: dict, line: list[str]) -> str:
    name = f"**{line_name(row, line)}**" + ("" if row["target"] == OVER_TARGETS else f" on {row['target']}")
    if row["n"] == 0:
        return f"{name}: no seed has every size yet."
    interval = row["note"] if pd.isna(row["low"]) else f"{signed(row['low'])} to {signed(row['high'])}"
    return (
        f"{name}: {signed(row['slope'])} points per doubling ({interval}; seeds: "
        f"{of_expected(row['n'], row['n_expected'])}; {number_of(row['sizes'], 'size')}, {row['smallest']:,} to "
        f"{row['largest']:,})"
    )


def averages_in_words(runs: pd.DataFrame, points: pd.DataFrame) -> str:
    """What the averages of the `runs` are over, and which `points`, of a `size_table` of them, no figure shows."""
    targets = runs.loc[_averaged(runs), "target"].unique()
    words = [f"Every average is over these targets ({len(targets)}): {', '.join(targets)}."]
    if absent := int(points["mean"].isna().sum()):
        words.append(
            f"{absent} of {number_of(len(points), 'point')} have none: no seed has all targets, because runs are "
            "missing or the study leaves a target out."
        )
    if unsized := len(points) - len(sized(points, "supporting")):
        words.append(
            f"{unsized} of {number_of(len(points), 'average')} come after a supporting task of unknown size: they are "
            "not drawn."
        )
    return " ".join(words)


def size_differences(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """MTL - STILTs in every cell and variant, as `regime_differences` has it; an empty frame without both regimes.

    n: the smaller number of seeds that are done.
    """
    if pairwise(runs).empty:
        return pd.DataFrame(columns=[*CELL, "mixing", "target_size", "size_ratio", "n", "difference", "low", "high"])
    table = regime_differences(runs, confidence)
    return table.assign(n=table[["n_mtl", "n_stilts"]].min(axis="columns"))


def size_differences_in_words(table: pd.DataFrame) -> str:
    """Whether MTL is better below and above equal sizes, in a sentence: the size heuristic says only above."""
    known = table[table["difference"].notna() & table["size_ratio"].notna()]
    if known.empty:
        return "The study has no pair with runs of both mtl and stilts yet, so there is nothing to compare."
    sides = {"smaller than": known["size_ratio"] < 1, "as large as": known["size_ratio"] == 1}
    sides |= {"larger than": known["size_ratio"] > 1}
    lines = [
        f"- supporting task **{side}** the target: MTL is ahead in {int((known.loc[own, 'difference'] > 0).sum())} of "
        f"{number_of(int(own.sum()), 'comparison')}, surely in {int((known.loc[own, 'low'] > 0).sum())}; "
        f"STILTs surely in {int((known.loc[own, 'high'] < 0).sum())}"
        for side, own in sides.items()
    ]
    return "\n".join(lines) + "\n\nSurely: the interval leaves out zero."


def line_name(row, line: list[str]) -> str:
    """A line in words: `stilts after mini/mnli, target limit 400`; what is missing or varies along it is left out."""
    words = [f"{row['encoder']}: {row['regime']}" if "encoder" in line else row["regime"]]
    if "supporting" in line and pd.notna(row["supporting"]):
        before = "after" if row["regime"] == "stilts" else "with"
        words[0] += f" {before} {row['supporting']}"
    named = {"mixing": "", "supporting_limit": "supporting limit ", "limit": "target limit "}
    words += [f"{name}{row[key]}" for key, name in named.items() if key in line and pd.notna(row[key])]
    return ", ".join(words)
