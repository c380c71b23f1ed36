"""Correlations between tasks over models: which targets go together, and which probes go with which targets.

After Wang et al. 2019, Tables 4 and 8-10, and Pruksachatkun et al. 2020, Section 4.2 and Figures 3-5.
"""

from collections.abc import Iterable
from functools import cache
from itertools import permutations

import numpy as np
import pandas as pd
from scipy import stats

from intertask.analysis import averages
from intertask.analysis.averages import counted, plain
from intertask.analysis.statistics import check_choice, check_confidence, holm
from intertask.analysis.tables import panel_name
from intertask.analysis.transfer import BASELINE, target_runs
from intertask.errors import IntertaskError, did_you_mean, number_of

OBSERVATION = ["encoder", "regime", "mixing", "supporting", "limit", "supporting_limit", "seed"]
"""What makes one model before its target stage: an observation."""

METHODS = ("pearson", "spearman")
WNLI_RULES = ("trained", "majority", "floor")
AVERAGE = "average"
FEWEST, FEWEST_CLUSTERS = 3, 10
EXACT = 8  # observations up to which all orders are counted: with 3, Student's t would make 0 of a p of 1/3
CORRELATION_COLUMNS = ["panel", "encoder", "task_a", "task_b", "n", "clusters", "r", "low", "high", "p", "p_clusters"]
CORRELATION_COLUMNS += ["note"]


# From runs to observations


def measured(runs: pd.DataFrame, scores: pd.DataFrame, metrics: dict[str, str]) -> pd.DataFrame:
    """The runs on targets, alone (`single`) or after a supporting task (`stilts`), with the metric that is asked for.

    metrics: target, with or without `mini/`, to the metric that is its `score` here; the others keep their main score.
    scores: of `read_scores`. Substituted runs are left out: nothing was measured; and so are tasks learned alongside:
    there is no one model before the target. Refused: two runs of one observation on one target, a metric that no run of
    the target has, and a main score that is the mean of other metrics in some of its runs than in others, since one
    column would mix them.
    """
    own = target_runs(runs, "single", "stilts")
    if own.empty:
        raise IntertaskError(
            "Nothing to correlate: expected target runs with regime single or stilts, found none. "
            "Take this notebook out of the study's report."
        )
    place = ["run", "target", "split"]
    long = own[place].drop_duplicates().merge(scores[[*place, "metric", "score"]])
    counts = long.groupby(["target", "metric"])["run"].nunique()
    chosen = {target: metrics.get(target, metrics.get(plain(target), "main")) for target in own["target"].unique()}
    for target in counts.index.unique("target"):
        _check_metric(target, chosen[target], counts[target])
    picked = long[long["metric"] == long["target"].map(chosen)].drop_duplicates(["run", "target"])
    values = own[["run", "target"]].merge(picked, on=["run", "target"], how="left")["score"]
    return own.assign(score=values.to_numpy(), metric=own["target"].map(chosen))


def _check_metric(target: str, metric: str, counts: pd.Series) -> None:
    """counts: runs by metric."""
    if metric not in counts.index:
        raise IntertaskError(
            f"metrics: {target} has no {metric!r}.{did_you_mean(metric, counts.index)} "
            f"Without an entry for {target}, its main score is taken."
        )
    parts = counts.drop("main", errors="ignore")
    if metric == "main" and (parts < counts.max()).any():
        having = ", ".join(f"{name} ({number_of(n, 'run')})" for name, n in parts.items())
        raise IntertaskError(
            f"The main score of {target} would mix metrics: of {counts.max()} runs, not all have {having}. "
            f"Name one metric, as in metrics: {{{plain(target)}: {parts.idxmax()}}}."
        )


def observations(rows: pd.DataFrame, single: bool = True, controls: bool = True) -> pd.DataFrame:
    """One row per observation (the columns OBSERVATION), one column per target; scores 0-100, missing where missing.

    rows: of `measured`. single: whether models without a supporting task are observations, as in Wang et al. 2019;
    Pruksachatkun et al. 2020 leave them out. controls: whether models after shuffled labels are.
    """
    targets = rows["target"].unique()
    wanted = rows["score"].notna() & (single | rows["regime"].ne("single")) & (controls | ~rows["control"])
    wide = rows[wanted].set_index([*OBSERVATION, "target"])["score"].unstack(sort=False)
    wide = wide.reindex(columns=targets).round(9)  # equal up to rounding is equal; scores are points
    return wide.reset_index().rename_axis(columns=None)


def tasks_of(wide: pd.DataFrame) -> list[str]:
    """The columns of `observations` that hold scores."""
    return [name for name in wide.columns if name not in OBSERVATION]


def with_average(wide: pd.DataFrame, rows: pd.DataFrame, wnli: str = "floor") -> pd.DataFrame:
    """The observations with `average`, the mean of all targets' main scores.

    rows: of `measured` without metrics of their own, so that a task's metrics are averaged first; wnli: how WNLI enters
    the average, as in `averages.counted`. Missing where a target is missing.
    """
    targets = tasks_of(wide)
    main = wide[OBSERVATION].merge(observations(counted(rows, wnli)), on=OBSERVATION, how="left")
    return wide.assign(**{AVERAGE: main[targets].mean(axis="columns", skipna=False).round(9)})


def average_in_words(rows: pd.DataFrame, wnli: str) -> str:
    """How WNLI enters the average, and whether the majority that the rule needs is known; rows: of `measured`."""
    own = rows[(rows["target"].map(plain) == "wnli") & rows["score"].notna()]
    unknown = 0 if wnli == "trained" else int(own["majority"].isna().sum())
    then = {"floor": "counts with the score that its model reached", "majority": "is missing, and so is the average"}
    words = f" In {unknown} of {number_of(len(own), 'run')} the majority is not known; there WNLI {then.get(wnli)}."
    return averages.wnli_in_words(wnli, rows["target"]) + words * (unknown > 0)


def observed_tasks(wide: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """A row per column of scores: the metric that entered, and n of the n_observations that have it."""
    n = wide[tasks_of(wide)].count().rename_axis("task").rename("n").reset_index()
    metric = n["task"].map(dict(zip(rows["target"], rows["metric"], strict=True))).fillna("mean of the main scores")
    return n.assign(metric=metric, n_observations=len(wide))[["task", "metric", "n", "n_observations"]]


def panels(wide: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The observations by encoder and data limit, each with its name, and over all encoders where there are several.

    Limits are not pooled: more examples raise all scores together, whatever the tasks have in common. Where there are
    as many encoders as a correlation needs, one of which too little is known has no panel of its own.
    """
    by = [(panel_name(*key), own) for key, own in wide[~_silent(wide)].groupby(BASELINE, sort=False, dropna=False)]
    for limit, own in wide.groupby("limit", sort=False, dropna=False):
        if own["encoder"].nunique() > 1:
            by.append((panel_name("all encoders", limit), own))
    return by


def _silent(wide: pd.DataFrame) -> pd.Series:
    """Whether an observation's encoder has too few for a correlation, or only restarts of one model, beside others."""
    of_encoder = wide.groupby(BASELINE, sort=False, dropna=False)["supporting"]
    models = wide["supporting"].fillna("").groupby([wide[name] for name in BASELINE], dropna=False).transform("nunique")
    others = wide.groupby("limit", dropna=False)["encoder"].transform("nunique")
    return (of_encoder.transform("size").lt(FEWEST) | models.eq(1)) & others.ge(FEWEST)


def left_out_in_words(wide: pd.DataFrame) -> str:
    """How many encoders have no panel of their own in `panels`, and why; empty where all have one."""
    own, alone = (len(rows[BASELINE].drop_duplicates()) for rows in (wide, wide[_silent(wide)]))
    return (
        f"{alone} of {number_of(own, 'panel')} of one encoder are left out: they would hold fewer than {FEWEST} "
        "observations, or restarts of one model, which have nothing in common but their seeds. All encoders together "
        "hold them too."
    ) * (alone > 0)


# Correlations, their intervals and tests


def correlation_table(
    wide: pd.DataFrame, pairs: list[tuple[str, str]], method: str, confidence: float = 0.95
) -> pd.DataFrame:
    """One row per panel and pair of tasks, columns CORRELATION_COLUMNS.

    encoder: the panel's, missing where it is over several. r: Pearson's or Spearman's correlation over the n
    observations that have both tasks, from so many `clusters_of`; low, high: `cluster_intervals`. p: two-sided,
    Student's t on n - 2 degrees of freedom, Spearman's of up to EXACT observations by all their orders; it takes
    restarts of one supporting task as independent and is then too small: with 3 restarts of which .7 of the
    variance is between supporting tasks, 15-18 % of unrelated pairs have p < .05 (measured, 11-50 clusters).
    p_clusters: the same test on the means of the clusters, 4-7 % (measured). note: why r or its interval is
    missing: fewer than three observations, a score that does not vary, fewer than ten clusters.
    """
    check_choice("method", method, METHODS)
    check_confidence(confidence)
    tables = []
    for name, own in panels(wide) if pairs else ():
        encoder = own["encoder"].iloc[0] if own["encoder"].nunique() == 1 else None
        tables.append(_panel_table(own, pairs, method, confidence).assign(panel=name, encoder=encoder))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CORRELATION_COLUMNS)
    return table[CORRELATION_COLUMNS].astype({"encoder": "str"})


def _panel_table(wide: pd.DataFrame, pairs: list[tuple[str, str]], method: str, confidence: float) -> pd.DataFrame:
    values, clusters = wide[tasks_of(wide)], clusters_of(wide)
    table = pairwise_r(values, pairs, method)
    table["p_clusters"] = _p_of_means(values, clusters, pairs, method)
    undefined = np.where(table["n"] < FEWEST, "fewer than three observations", "a score does not vary")
    table = table.join(cluster_intervals(values, clusters, pairs, method, confidence))
    return table.assign(note=table["note"].where(table["r"].notna(), undefined))


def _p_of_means(values: pd.DataFrame, clusters: pd.Series, pairs: list[tuple[str, str]], method: str) -> np.ndarray:
    """p of each pair over the means of its clusters; pairs that the same rows have share these means."""
    alike, of = np.unique(_both(values, pairs), axis=1, return_inverse=True)
    p = np.empty(len(pairs))
    for pattern, there in enumerate(alike.T):
        places = np.flatnonzero(of == pattern)
        own = [pairs[place] for place in places]
        names = list(dict.fromkeys(name for pair in own for name in pair))
        p[places] = pairwise_r(values.loc[there, names].groupby(clusters).mean().round(9), own, method)["p"]
    return p


def _both(values: pd.DataFrame, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Whether each row has both tasks of each pair, shape (rows, pairs)."""
    first, second = _places(values, pairs)
    there = values.notna().to_numpy()
    return there[:, first] & there[:, second]


def clusters_of(wide: pd.DataFrame) -> pd.Series:
    """The number of each observation's cluster, from 0: what resembles each other, so that it counts once.

    The supporting task; over several encoders the encoder, which is what their observations differ in most.
    """
    several = wide["encoder"].nunique() > 1
    return wide.groupby("encoder" if several else "supporting", sort=False, dropna=False).ngroup()


def pairwise_r(values: pd.DataFrame, pairs: list[tuple[str, str]], method: str) -> pd.DataFrame:
    """task_a, task_b, n, r and p of each pair, over the rows that have both; r and p are missing where undefined."""
    table = pd.DataFrame(pairs, columns=["task_a", "task_b"])
    there = values.notna().to_numpy(dtype=int)
    table["n"] = (there.T @ there)[_places(values, pairs)]
    table["r"] = _r(values, pairs, method)
    table["p"] = p_of(table["r"], table["n"])
    if method == "spearman":
        few = table[(table["n"] <= EXACT) & table["r"].notna()]
        table.loc[few.index, "p"] = [_exact_p(row.r, values[[row.task_a, row.task_b]]) for row in few.itertuples()]
    return table


def _places(values: pd.DataFrame, pairs: list[tuple[str, str]]) -> tuple[np.ndarray, ...]:
    return tuple(values.columns.get_indexer(side) for side in zip(*pairs, strict=True))


def _r(values: pd.DataFrame, pairs: list[tuple[str, str]], method: str) -> pd.Series:
    return pd.Series(values.corr(method=method, min_periods=FEWEST).to_numpy()[_places(values, pairs)])


def _exact_p(r: float, both: pd.DataFrame) -> float:
    """Two-sided: the share of all orders of one column that are as close to the other, either way round; ties count."""
    ranks = both.dropna().rank().to_numpy()
    return float((_rank_orders(*map(tuple, np.sort(ranks, axis=0).T)) >= abs(r) - 1e-9).mean())


@cache
def _orders(n: int) -> np.ndarray:
    return np.array(list(permutations(range(n))))


def _rank_orders(first: tuple[float, ...], second: tuple[float, ...]) -> np.ndarray:
    """|r| of every order of the second ranks with the first."""
    x, y = (np.array(ranks) - np.mean(ranks) for ranks in (first, second))
    return np.abs(y[_orders(len(y))] @ x) / np.sqrt((x @ x) * (y @ y))


def p_of(r: pd.Series, n: pd.Series, given: int = 0) -> pd.Series:
    """Two-sided p of "there is no correlation", Student's t; given: variables that were held fixed."""
    freedom = (n - 2 - given).where(lambda freedom: freedom > 0)
    t = r.abs() * np.sqrt(freedom / (1 - r**2).clip(lower=1e-300))  # of r = 1 a p of 0, not 1 / 0
    return pd.Series(2 * stats.t.sf(t, freedom), index=r.index)


def cluster_intervals(
    values: pd.DataFrame, clusters: pd.Series, pairs: list[tuple[str, str]], method: str, confidence: float
) -> pd.DataFrame:
    """What would other supporting tasks, or encoders, like these show? clusters, low, high and note of each pair.

    Jackknife: the spread of the correlation without each cluster in turn, on Fisher's z, with Student's quantile on
    clusters - 1 degrees of freedom; clusters: those that have both tasks. Nothing is drawn, so the ends are always the
    same. Fewer than ten clusters give no interval, nor does a correlation that is undefined or 1 without one of them;
    note says so. Fisher's own interval does not stand in: it takes restarts of one supporting task as independent.

    Measured coverage of 95 % over 11, 20 and 50 clusters of one restart, or of three with .7 of the variance between
    clusters, of normal scores with r 0, .5 and .9: Pearson 93-96 %, Spearman 94-97 % (99 % where r is .9 over 11).
    """
    there = pd.DataFrame(_both(values, pairs), index=values.index).groupby(clusters).any()
    n, share = there.sum(), there / there.sum()
    z = _fisher_z(values, pairs, method)
    without = pd.DataFrame({name: _fisher_z(values[clusters != name], pairs, method) for name in there.index}).T
    mean = (share * without).sum(skipna=False)  # undefined without one cluster: then nothing is known of the spread
    error = np.sqrt((n - 1) * (share * (without - mean) ** 2).sum(skipna=False))
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * error.where(n >= FEWEST_CLUSTERS)
    few = n.astype(str) + " clusters, fewer than ten"
    why = "no interval: " + few.where(n < FEWEST_CLUSTERS, "without one cluster a score does not vary, or r is 1")
    note = why.where(half.isna(), "")
    return pd.DataFrame({"clusters": n, "low": np.tanh(z - half), "high": np.tanh(z + half), "note": note})


def _fisher_z(values: pd.DataFrame, pairs: list[tuple[str, str]], method: str) -> pd.Series:
    """Of each pair's correlation; missing where that is undefined or 1."""
    r = _r(values, pairs, method)
    return np.arctanh(r.where(r.abs() < 1 - 1e-9))


# Families of tests


def with_holm(table: pd.DataFrame, selves: Iterable[str] = ()) -> pd.DataFrame:
    """The correlations with Holm's correction in each panel; the average, which holds the tasks, is in no family.

    p_holm, p_clusters_holm: over the panel's distinct pairs, of which `family` have a p. p_holm_block: over the whole
    block that Pruksachatkun et al. 2020 test, targets x (targets and probes), of which `family_block` have one: each of
    the targets `selves` with itself (p = 0) and both copies of their pairs stand in it, 350 cells for 10 targets and 25
    probes.
    """
    parts = [_with_holm(own, set(selves)) for _, own in table.groupby("panel", sort=False)]
    return pd.concat(parts or [_with_holm(table, set())])


def _with_holm(table: pd.DataFrame, selves: set[str]) -> pd.DataFrame:
    tested = table["p"].notna() & ~table[["task_a", "task_b"]].eq(AVERAGE).any(axis="columns")
    p = table["p"].where(tested)
    copies = p[table[["task_a", "task_b"]].isin(selves).all(axis="columns")]
    known = selves.intersection(table.loc[tested, ["task_a", "task_b"]].to_numpy().ravel())
    block = pd.concat([p, copies, pd.Series(0.0, index=range(len(known)))], ignore_index=True)
    return table.assign(
        p_holm=holm(p),
        p_clusters_holm=holm(table["p_clusters"].where(tested)),
        p_holm_block=holm(block).to_numpy()[: len(table)],
        family=int(p.count()),
        family_block=int(block.count()),
    )


def needed_r(n: int, family: int, method: str, alpha: float = 0.05) -> float:
    """The smallest |r| that passes Holm's first step, p <= alpha / family, with n observations; missing if none does.

    .614 for 33 observations and a family of 350, .90 for 11.
    """
    if n < FEWEST or family < 1:
        return np.nan
    if method == "spearman" and n <= EXACT:
        orders = _rank_orders(tuple(range(n)), tuple(range(n)))
        return min((r for r in np.unique(orders) if (orders >= r - 1e-9).mean() <= alpha / family), default=np.nan)
    t = stats.t.isf(alpha / family / 2, n - 2)
    return float(t / np.sqrt(n - 2 + t**2))


def caption(table: pd.DataFrame, method: str, alpha: float = 0.05) -> str:
    """What stands above a matrix of one panel of `with_holm`: what it holds, and the family that was corrected over."""
    n, family = table["n"], int(table["family"].iloc[0])
    of = f"{n.max()}" if n.min() == n.max() else f"{n.min()} to {n.max()}"
    found = int((table["p_holm"] < alpha).sum())
    return (
        f"{table['panel'].iloc[0]}: {method.capitalize()}, n = {of}; {found} of a family of "
        f"{number_of(family, 'pair')} have Holm's p < {alpha:.2g}"
    )


def family_in_words(table: pd.DataFrame, method: str, alpha: float = 0.05) -> str:
    """The families of a table of `with_holm`, what is significant in them, and what could have been, as Markdown."""
    if table.empty:
        return "Nothing can be said yet: no run is done, or there are no two tasks."
    lines = []
    for panel, own in table.groupby("panel", sort=False):
        family, block, n = own["family"].iloc[0], own["family_block"].iloc[0], own["n"].max()
        if not family:
            lines.append(f"- **{panel}**: no pair has a correlation yet.")
            continue
        found = {name: int((own[name] < alpha).sum()) for name in ("p_holm", "p_holm_block", "p_clusters_holm")}
        apart = int(((own["p_holm"] < alpha) & (own["low"] * own["high"] > 0)).sum())
        pairs = number_of(family, "distinct pair")
        line = f"- **{panel}**: significant at {alpha:.2g} are {found['p_holm']} of a family of {pairs}"
        if block > family:
            line += f", {found['p_holm_block']} in the block of {block} cells that the paper tests"
        line += (
            f"; {found['p_clusters_holm']} on the means of clusters; {apart} with an interval that leaves out zero. "
            f"Holm's first step needs, with {number_of(n, 'observation')}, {_needed_in_words(n, family, method, alpha)}"
        )
        line += f" ({_needed_in_words(n, block, method, alpha)} in the block)" if block > family else ""
        clusters, of_means = own["clusters"].max(), int(own["p_clusters_holm"].count())
        needed = _needed_in_words(clusters, of_means, method, alpha)
        lines.append(f"{line}; with the means of {number_of(clusters, 'cluster')}, {needed}.")
    return "\n".join(lines)


def _needed_in_words(n: int, family: int, method: str, alpha: float) -> str:
    r = needed_r(n, family, method, alpha)
    return "more than there can be" if pd.isna(r) else f"|r| of {r:.3f} or more"
