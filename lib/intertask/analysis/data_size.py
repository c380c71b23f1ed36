"""Score against training examples of the target or of the supporting task.

After Phang et al. 2018, Table 2, Pruksachatkun et al. 2020, Figure 6, and Weller et al. 2022, Figure 2.
"""

import numpy as np
import pandas as pd
from scipy import stats

from intertask.analysis.statistics import check_confidence, paired_t
from intertask.errors import IntertaskError

SIZES = {"target": "n_train", "supporting": "supporting_n_train"}
"""The parameter `x` -> the column on the axis."""

LINES = {
    "target": ["regime", "mixing", "supporting", "supporting_limit"],
    "supporting": ["regime", "mixing", "supporting", "limit"],
}
"""The parameter `x` -> what is the same along a line."""

POINT = ["encoder", "target", "regime", "mixing", "supporting", "limit", "supporting_limit"]
PAIR = ["encoder", "target", "supporting", "limit", "supporting_limit"]


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
    return pd.DataFrame(rows).astype({"limit": "Int64", "supporting_limit": "Int64"})


def size_differences(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """MTL - STILTs, in points, of the same encoder, target, supporting task and limits, for each variant of `mtl`.

    proportion: supporting / target examples as trained on; n: the smaller number of seeds that are done; difference of
    the means; low, high: Student's t for two independent samples of equal variance, as Weller et al. test; missing with
    fewer than two seeds of either, or where no seeds differ. Empty without both regimes.
    """
    check_confidence(confidence)
    targets = _targets(runs)
    after = dict(_scores(targets[targets["regime"] == "stilts"], PAIR))
    rows = []
    for key, own in _scores(targets[targets["regime"] == "mtl"], [*PAIR, "mixing"]):
        if key[: len(PAIR)] in after:
            rows.append(_difference(own, after[key[: len(PAIR)]], confidence))
    columns = [*PAIR, "mixing", *SIZES.values(), "proportion", "n", "mtl", "stilts", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"limit": "Int64", "supporting_limit": "Int64"})


def _scores(runs: pd.DataFrame, columns: list[str]):
    """The groups with keys that can be looked up: a missing value equals itself."""
    for key, own in runs.groupby(columns, sort=False, dropna=False):
        yield tuple(None if pd.isna(value) else value for value in key), own


def _difference(beside: pd.DataFrame, after: pd.DataFrame, confidence: float) -> dict:
    mtl, stilts = beside["score"].dropna(), after["score"].dropna()
    sizes = {name: beside[name].astype("float64").mean() for name in SIZES.values()}
    low, high = _student(mtl, stilts, confidence)
    return {name: beside[name].iloc[0] for name in (*PAIR, "mixing")} | sizes | {
        "proportion": sizes["supporting_n_train"] / sizes["n_train"],
        "n": min(len(mtl), len(stilts)),
        "mtl": mtl.mean(),
        "stilts": stilts.mean(),
        "difference": mtl.mean() - stilts.mean(),
        "low": low,
        "high": high,
    }  # fmt: skip


def _student(a: pd.Series, b: pd.Series, confidence: float) -> tuple[float, float]:
    if min(len(a), len(b)) < 2 or (np.ptp(a) < 1e-9 and np.ptp(b) < 1e-9):
        return np.nan, np.nan
    interval = stats.ttest_ind(a.to_numpy(), b.to_numpy()).confidence_interval(confidence)
    return float(interval.low), float(interval.high)


def differences_in_words(table: pd.DataFrame) -> str:
    """Whether MTL is better below and above equal sizes, in a sentence: the size heuristic says only above."""
    known = table[table["difference"].notna() & table["proportion"].notna()]
    if known.empty:
        return "The study has no pair with runs of both mtl and stilts yet, so there is nothing to compare."
    sides = {"smaller than": known["proportion"] < 1, "as large as": known["proportion"] == 1}
    sides |= {"larger than": known["proportion"] > 1}
    lines = [
        f"- supporting task **{side}** the target: MTL is ahead in {int((known.loc[own, 'difference'] > 0).sum())} of "
        f"{int(own.sum())} comparisons, surely in {int((known.loc[own, 'low'] > 0).sum())}; "
        f"STILTs surely in {int((known.loc[own, 'high'] < 0).sum())}"
        for side, own in sides.items()
    ]
    return "\n".join(lines) + "\n\nSurely: the interval leaves out zero."
