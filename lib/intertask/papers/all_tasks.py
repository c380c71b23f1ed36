"""One supporting task or all of them: Weller et al. 2022, Tables 1 and 2."""

import pandas as pd

from intertask.analysis.regimes import followed
from intertask.analysis.statistics import mean_table
from intertask.analysis.tables import of_expected
from intertask.analysis.transfer import BASELINE, CELL, PANEL, target_runs
from intertask.errors import IntertaskError

METHOD = ["method", "mixing"]


def all_tasks(runs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The score of each way to use the supporting tasks, by target: one row per panel, method, mixing variant, target.

    A panel is an encoder with its limits. Methods: `single`; `STILTs, average` and `MTL, average` over the supporting
    tasks; `size heuristic, average`: in each cell the method that the sizes choose, both methods' mean where they are
    equal; `oracle`: the best supporting task with the better method, chosen on the very scores that are shown, so it is
    too high; `all tasks`: one run on everything. score: 0-100, a mean over n of n_expected: runs for `single` and `all
    tasks`, otherwise cells (for the oracle, cells times two methods), each itself a mean over seeds. A score is missing
    where n is 0. Mixing is missing where nothing is mixed; table: from `regime_differences`.
    """
    per_pair = _pairwise(table)
    panels = per_pair[PANEL].drop_duplicates()
    alone = _means(target_runs(runs, "single"), BASELINE, "score", "single").merge(panels, on=BASELINE)
    together = _means(target_runs(runs, "mtl_all"), PANEL, "score", "all tasks").merge(panels, on=PANEL)
    means = pd.concat([alone, per_pair, together])
    return means[[*PANEL, *METHOD, "target", "score", "n", "n_expected"]].reset_index(drop=True)


def _pairwise(table: pd.DataFrame) -> pd.DataFrame:
    first = table.drop_duplicates(CELL)  # STILTs has the same runs in every variant
    chosen = table.assign(chosen=followed(table, table["heuristic"].fillna("neither")))
    long = table.melt([*PANEL, "mixing", "target"], ["mtl", "stilts"], value_name="score")
    return pd.concat([
        _means(first.assign(mixing=None), PANEL, "stilts", "STILTs, average"),
        _means(table, PANEL, "mtl", "MTL, average"),
        _means(chosen, PANEL, "chosen", "size heuristic, average"),
        _means(long, PANEL, "score", "oracle", best="max"),
    ])  # fmt: skip


def _means(frame: pd.DataFrame, panel: list[str], column: str, method: str, best: str = "mean") -> pd.DataFrame:
    keys = [*panel, "mixing", "target"]
    groups = frame.astype({"mixing": "str"}).groupby(keys, sort=False, dropna=False)[column]
    means = groups.agg([best, "count", "size"]).reset_index()
    return means.rename(columns={best: "score", "count": "n", "size": "n_expected"}).assign(method=method)


def method_label(method: str, mixing: str | None) -> str:
    """A method with its mixing variant, where it has one."""
    return method if pd.isna(mixing) else f"{method} ({mixing})"


def by_method(scores: pd.DataFrame) -> pd.DataFrame:
    """One panel of `all_tasks` as the paper prints it: a row per method, a column per target and their mean.

    Each cell is text: the score, with (n), or (n of n_expected) where some are missing; empty where none is there. The
    mean is over as many targets as its own brackets say, `incomplete` of them themselves without some of their runs or
    cells: rows with different brackets are not comparable.
    """
    labels = [method_label(*row) for row in scores[METHOD].itertuples(index=False)]
    scores = scores.assign(label=labels)
    cells = [_scored(row.score, row.n, row.n_expected) for row in scores.itertuples()]
    wide = scores.assign(cell=cells).pivot(index="label", columns="target", values="cell")
    wide = wide.reindex(index=scores["label"].unique(), columns=scores["target"].unique()).fillna("")
    n_targets = scores["target"].nunique()
    mean = [_mean_scored(own, n_targets) for _, own in scores.groupby("label", sort=False)]
    return wide.assign(**{"mean over targets": mean}).rename_axis(index="method", columns=None)


def _mean_scored(own: pd.DataFrame, n_targets: int) -> str:
    incomplete = int((own["score"].notna() & (own["n"] < own["n_expected"])).sum())
    mean = _scored(own["score"].mean(), own["score"].count(), n_targets)
    return f"{mean[:-1]}, {incomplete} incomplete)" if incomplete else mean


def _scored(score: float, n: int, n_expected: int) -> str:
    if n == 0:
        return ""
    return f"{score:.1f} ({of_expected(n, n_expected)})"


def against(scores: pd.DataFrame) -> pd.DataFrame:
    """Each method's score minus a baseline's, by panel and target: against `single`, and each mixture of all tasks.

    scores: from `all_tasks`. Columns: the panel's, baseline, method (both with their mixing variant), target and
    difference, in points, missing where one of the two is.
    """
    scores = scores.assign(label=[method_label(*row) for row in scores[METHOD].itertuples(index=False)])
    baselines = scores[scores["method"].isin(["single", "all tasks"])]
    if baselines.empty:
        raise IntertaskError("Nothing to compare with: give the study regimes: [single, stilts, mtl, mtl_all].")
    keys = [*PANEL, "target"]
    theirs = baselines[[*keys, "label", "score"]].rename(columns={"label": "baseline", "score": "baseline_score"})
    both = theirs.merge(scores.drop(columns="method").rename(columns={"label": "method"}), on=keys)
    both = both[both["method"] != both["baseline"]]
    return both.assign(difference=both["score"] - both["baseline_score"])[
        [*PANEL, "baseline", "method", "target", "difference"]
    ]


def mean_differences(differences: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """The mean over targets of each method's difference: one row per panel, baseline and method, from `against`.

    n of n_expected targets have both; low, high, p: Student's t over the targets, so "in general" means for tasks like
    these; the spread over seeds enters only through the targets' scores. note: why there is no interval.
    """
    return mean_table(differences, [*PANEL, "baseline", "method"], "difference", confidence, "targets")
