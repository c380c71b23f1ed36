"""Score against training examples of the target or of the supporting task.

After Phang et al. 2018, Table 2, Pruksachatkun et al. 2020, Figure 6, and Weller et al. 2022, Figure 2.
"""

import pandas as pd

from intertask.analysis.regimes import compare, pairwise
from intertask.analysis.statistics import CELL, WHOLE, paired_t
from intertask.errors import IntertaskError

SIZES = {"target": "n_train", "supporting": "supporting_n_train"}
"""The parameter `x` -> the column on the axis."""

LINES = {
    "target": ["regime", "mixing", "supporting", "supporting_limit"],
    "supporting": ["regime", "mixing", "supporting", "limit"],
}
"""The parameter `x` -> what is the same along a line."""

POINT = ["encoder", "target", "regime", "mixing", "supporting", "limit", "supporting_limit"]


def check_axis(x: str) -> None:
    if x not in SIZES:
        raise IntertaskError(f"x: expected one of {', '.join(SIZES)}; found {x!r}.")


def _targets(runs: pd.DataFrame) -> pd.DataFrame:
    """The target runs of all regimes that were trained for their place, each once."""
    targets = runs[(runs["stage"] == "target") & ~runs["substituted"]]
    if targets.empty:
        raise IntertaskError("Expected runs of stage target, found none. Take data_size out of the study's report.")
    return targets.drop_duplicates([*POINT, "run"])


def size_table(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per point: encoder, target, regime, mixing, supporting, limit and supporting_limit, in the study's order.

    n_train, supporting_n_train: examples as trained on, means over the n of n_expected seeds that are done; mean, low,
    high: of the score, 0-100, Student's t over these seeds; missing interval with fewer than two.
    """
    rows = []
    for key, own in _targets(runs).groupby(POINT, sort=False, dropna=False):
        test = paired_t(own["score"], confidence)
        sizes = {name: own[name].astype("float64").mean() for name in SIZES.values()}
        row = sizes | {"n": test.n, "n_expected": len(own), "mean": test.mean, "low": test.low, "high": test.high}
        rows.append(dict(zip(POINT, key, strict=True)) | row)
    return pd.DataFrame(rows).astype(WHOLE)


def size_differences(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """MTL - STILTs in every cell and variant, as `regimes.compare` has it; an empty frame without both regimes.

    n: the smaller number of seeds that are done.
    """
    if pairwise(runs).empty:
        return pd.DataFrame(columns=[*CELL, "mixing", "target_size", "size_ratio", "n", "difference", "low", "high"])
    table = compare(runs, confidence)
    return table.assign(n=table[["n_mtl", "n_stilts"]].min(axis="columns"))


def differences_in_words(table: pd.DataFrame) -> str:
    """Whether MTL is better below and above equal sizes, in a sentence: the size heuristic says only above."""
    known = table[table["difference"].notna() & table["size_ratio"].notna()]
    if known.empty:
        return "The study has no pair with runs of both mtl and stilts yet, so there is nothing to compare."
    sides = {"smaller than": known["size_ratio"] < 1, "as large as": known["size_ratio"] == 1}
    sides |= {"larger than": known["size_ratio"] > 1}
    lines = [
        f"- supporting task **{side}** the target: MTL is ahead in {int((known.loc[own, 'difference'] > 0).sum())} of "
        f"{int(own.sum())} comparisons, surely in {int((known.loc[own, 'low'] > 0).sum())}; "
        f"STILTs surely in {int((known.loc[own, 'high'] < 0).sum())}"
        for side, own in sides.items()
    ]
    return "\n".join(lines) + "\n\nSurely: the interval leaves out zero."
