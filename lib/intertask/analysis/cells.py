"""The cells of a matrix, one encoder and limit at a time, and what stands behind one of them, for `lab.explore`."""

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from intertask.analysis.regimes import pairwise, regime_differences
from intertask.analysis.statistics import check_choice, holm, paired_permutation, two_sample_t
from intertask.analysis.tables import panel_name
from intertask.analysis.transfer import CELL, PANEL, deltas, transfer_table
from intertask.files import project_root
from intertask.studies import store
from intertask.studies.status import kept_studies
from intertask.views.drawing import signed

CELL_COLUMNS = [*CELL, "control", "ready_made", "n", "n_expected", "delta", "low", "high", "p", "p_holm", "family"]
CELL_COLUMNS += ["before", "after", "degenerate", "pseudo_replicates", "note"]
ORDERS = ("as given", "by size", "clustered")


def explorable() -> list[str]:
    """The studies that were run, and the papers' tables, by their names."""
    tables = {f"published/{path.stem}" for path in (project_root() / "results" / "published").glob("*.csv")}
    return [*kept_studies(), *sorted(tables)]


def regime_pairs(runs: pd.DataFrame) -> list[str]:
    """The differences of regimes that a study allows, as `stilts - single`; a way of mixing belongs to the name."""
    names = _variants(runs[runs["supporting"].notna() & (runs["stage"] == "target")]).unique()
    alone = (runs["regime"] == "single").any()
    against = [f"{name} - stilts" for name in names if name.split(", ")[0] == "mtl" and "stilts" in names]
    return [f"{name} - single" for name in sorted(names, key="stilts".__ne__) if alone] + against


def _variants(runs: pd.DataFrame) -> pd.Series:
    return runs["regime"].where(runs["mixing"].isna(), runs["regime"] + ", " + runs["mixing"])


def limit_name(limit: int | None, supporting_limit: int | None) -> str:
    """How much data the target, and its supporting task, had, in words."""
    return panel_name("", limit, supporting_limit).removeprefix(", ")


def matrix_panels(runs: pd.DataFrame) -> pd.DataFrame:
    """The encoders and limits that have a matrix of their own: columns encoder, limit, supporting_limit and `data`."""
    found = runs.loc[runs["supporting"].notna() & (runs["stage"] == "target"), PANEL].drop_duplicates()
    names = [limit_name(*row) for row in found[PANEL[1:]].itertuples(index=False)]
    return found.assign(data=pd.Series(names, found.index, dtype="str"))


def with_metric(runs: pd.DataFrame, scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The runs with a metric of the reported split as their `score`; it is missing where a task has no such metric."""
    if metric == "main":
        return runs
    keys = ["run", "task", "split"]
    own = scores.loc[scores["metric"] == metric, [*keys, "score"]].drop_duplicates(keys)
    return runs.drop(columns="score").merge(own, on=keys, how="left", validate="many_to_one")


def cells_table(runs: pd.DataFrame, pair: str, confidence: float = 0.95) -> pd.DataFrame:
    """The matrix of a pair of `regime_pairs`: one row per cell, columns CELL_COLUMNS, in the study's order.

    Against `single` as `transfer_table`, paired by seed; against `stilts` as `regime_differences`, of two samples,
    where n is the smaller one. before, after: the two means, 0-100; Holm's family are all cells of the table.
    """
    after, before = _parted(runs, pair)
    if before == "single":
        table = transfer_table(_as_stilts(runs, after), confidence)
        return table.rename(columns={"single": "before", "stilts": "after"})[CELL_COLUMNS]
    table = regime_differences(_of_variant(runs, after), confidence)
    smaller = {"n": table[["n_mtl", "n_stilts"]].min(axis=1)}
    smaller["n_expected"] = table[["n_mtl_expected", "n_stilts_expected"]].min(axis=1)
    named = {"difference": "delta", "stilts": "before", "mtl": "after"}
    return table.rename(columns=named).assign(control=False, ready_made=False, **smaller)[CELL_COLUMNS]


def _parted(runs: pd.DataFrame, pair: str) -> tuple[str, str]:
    check_choice("pair", pair, regime_pairs(runs))
    after, _, before = pair.rpartition(" - ")
    return after, before


def _of_variant(runs: pd.DataFrame, variant: str) -> pd.DataFrame:
    return runs[runs["regime"].isin(["single", "stilts"]) | (_variants(runs) == variant)]


def _as_stilts(runs: pd.DataFrame, variant: str) -> pd.DataFrame:
    """The runs of single and of the variant, which stands where `stilts` would."""
    own = _variants(runs) == variant
    return runs[own | (runs["regime"] == "single")].assign(regime=lambda kept: kept["regime"].mask(own, "stilts"))


def restart_pairs(runs: pd.DataFrame, pair: str) -> pd.DataFrame:
    """The restarts behind `cells_table`: a row per cell and seed: CELL, seed, before, after, delta and both runs.

    before, after: scores, 0-100, missing where a run is not done; before_run, after_run: their ids.
    """
    after, before = _parted(runs, pair)
    columns = [*CELL, "seed", "before", "after", "delta", "before_run", "after_run"]
    if before == "single":
        names = {"baseline": "before", "score": "after", "baseline_run": "before_run", "run": "after_run"}
        return deltas(_as_stilts(runs, after)).rename(columns=names)[columns]
    rows = pairwise(_of_variant(runs, after))
    keys = [*CELL, "seed"]
    mtl, stilts = (
        rows.loc[rows["regime"] == regime, [*keys, "score", "run"]].rename(
            columns={"score": name, "run": f"{name}_run"}
        )
        for regime, name in (("mtl", "after"), ("stilts", "before"))
    )
    both = mtl.merge(stilts, on=keys, how="outer")
    return both.assign(delta=(both["after"] - both["before"]).round(9))[columns]


def of_cell(frame: pd.DataFrame, cell: pd.Series) -> pd.DataFrame:
    """The rows of a frame with columns CELL that belong to one cell."""
    same = [frame[name].isna() if pd.isna(cell[name]) else frame[name] == cell[name] for name in CELL]
    return frame[np.logical_and.reduce([one.fillna(False).to_numpy(dtype=bool) for one in same])]


def cell_tests(cell: pd.Series, pairs: pd.DataFrame) -> pd.DataFrame:
    """One row: what the restarts of a cell say, with the test that changes signs, `paired_permutation`."""
    found = pairs["delta"].dropna()
    permuted = paired_permutation(found) if len(found) else (np.nan, np.nan)
    names = ["delta", "low", "high", "n", "n_expected", "p", "p_holm", "family"]
    row = cell[names].to_dict() | dict(zip(["p_permutation", "p_smallest"], permuted, strict=True))
    return pd.DataFrame([row | ({"note": cell["note"]} if cell["note"] else {})])


def cell_budgets(runs: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """What each run of a cell was given: one row per run, columns when, seed, score, steps, examples and run."""
    roles = pairs.melt(["seed"], ["before_run", "after_run"], "when", "run").dropna(subset="run")
    names = ["score", "steps", "examples_seen", "supporting_steps", "supporting_n_train", "best_step", "seconds"]
    own = runs.drop_duplicates("run").set_index("run").reindex(columns=names)
    return roles.assign(when=roles["when"].str.removesuffix("_run")).join(own, on="run").reset_index(drop=True)


def cell_curves(budgets: pd.DataFrame, target: str) -> pd.DataFrame:
    """The dev scores while the runs of `cell_budgets` trained: columns when, seed, examples, main; none of a table."""
    parts = [pd.DataFrame(columns=["when", "seed", "examples", "main"])]
    for row in budgets.itertuples():
        path = store.folder_of(row.run) / "curve.csv"
        if path.is_file():
            curve = pd.read_csv(path)
            curve = curve[curve["task"] == target] if "task" in curve else curve
            parts.append(curve.assign(when=row.when, seed=row.seed)[parts[0].columns])
    return pd.concat(parts[1:] or parts, ignore_index=True)


def cell_contrast(first: pd.DataFrame, second: pd.DataFrame, pairs: tuple, confidence: float = 0.95) -> pd.DataFrame:
    """The cells that two tables of `cells_table` have in common, first minus second, columns CELL_COLUMNS.

    pairs: the `restart_pairs` of both. delta, low, high, p: `two_sample_t` of the differences by seed; n: the smaller
    of the two; before: the second's delta, after: the first's.
    """
    keys = ["supporting", "target"]
    both = first.merge(second[[*keys, "delta", "n", "n_expected"]], on=keys, suffixes=("", "_second"))
    samples = []
    for table, own in ((first, pairs[0]), (second, pairs[1])):
        own = own.merge(table[CELL], on=CELL)
        found = own.groupby(keys, sort=False)["delta"].agg(n="count", mean="mean", sd="std").reset_index()
        samples.append(both[keys].merge(found, on=keys, how="left")[["n", "mean", "sd"]])
    tests = two_sample_t(*samples, confidence)
    least = {name: both[[name, f"{name}_second"]].min(axis=1) for name in ("n", "n_expected")}
    both = both.assign(before=both["delta_second"], after=both["delta"], **least)
    unknown = dict.fromkeys(["degenerate", "pseudo_replicates"], pd.NA)  # each side's own
    both = both.assign(delta=both["after"] - both["before"], **unknown, **tests[["low", "high", "p", "note"]])
    return both.assign(p_holm=holm(both["p"]), family=int(both["p"].count()))[CELL_COLUMNS]


def ordered(table: pd.DataFrame, runs: pd.DataFrame, order: str) -> tuple[list[str], list[str]]:
    """The names of a matrix's rows and columns in one of ORDERS; controls come last among the rows.

    by size: the most training data first, unknown sizes last; clustered: neighbours have similar differences.
    """
    check_choice("order", order, ORDERS)
    rows, columns = list(table["supporting"].unique()), list(table["target"].unique())
    if order == "by size":
        rows = _by_size(rows, runs.groupby("supporting")["supporting_n_train"].max())
        columns = _by_size(columns, runs.groupby("target")["n_train"].max())
    if order == "clustered":
        wide = table.pivot(index="supporting", columns="target", values="delta").reindex(rows)[columns]
        rows, columns = _clustered(wide), _clustered(wide.T)
    control = set(table.loc[table["control"], "supporting"])
    return sorted(rows, key=control.__contains__), columns


def _by_size(names: list[str], sizes: pd.Series) -> list[str]:
    known = sizes.reindex(names).astype("float64")
    return list(known.sort_values(ascending=False, kind="stable", na_position="last").index)


def _clustered(wide: pd.DataFrame) -> list[str]:
    """By average linkage of the mean distance over what two lines both have; without any, as far as the farthest."""
    if len(wide) < 3:
        return list(wide.index)
    values = wide.to_numpy(dtype=float)
    apart = np.ma.masked_invalid(np.abs(values[:, None] - values[None])).mean(axis=2)
    distances = np.ma.filled(apart, np.ma.filled(apart.max(), 0.0)).astype(float)
    np.fill_diagonal(distances, 0)
    return list(wide.index[leaves_list(linkage(squareform(distances), "average", optimal_ordering=True))])


def colour_ends(table: pd.DataFrame, quantile: bool = False) -> float:
    """The |delta| at the ends of the colours, at least 1 point: the largest, or the 95 % quantile."""
    sizes = table["delta"].abs().dropna()
    return max(1.0, float(sizes.quantile(0.95) if quantile else sizes.max())) if len(sizes) else 1.0


def cell_in_words(cell, confidence: float) -> str:
    """A row of `cells_table`, as a named tuple, in a line: delta, interval, n, p after Holm."""
    name = f"{cell.supporting}{' (ready-made)' * cell.ready_made} → {cell.target}: "
    if pd.isna(cell.delta):
        return f"{name}missing, n 0 of {cell.n_expected}"
    known = pd.notna(cell.low)
    interval = f"{confidence:.0%} interval {signed(cell.low)} to {signed(cell.high)}" if known else "no interval"
    p = f"p after Holm {cell.p_holm:.2g}" if pd.notna(cell.p_holm) else f"no p: {cell.note}"
    return f"{name}{signed(cell.delta)} points, {interval}, n {cell.n} of {cell.n_expected}, {p}"
