"""What each pretraining or intermediate task gives every target: Wang et al. 2019, Tables 2 and 3."""

import pandas as pd

from intertask.analysis.averages import counted, plain
from intertask.analysis.read import read_runs
from intertask.analysis.statistics import check_choice, holm, mean_table
from intertask.analysis.tables import of_expected
from intertask.analysis.transfer import PANEL, target_runs
from intertask.errors import IntertaskError, number_of

WITHOUT, ITSELF, OF_TARGETS, OTHERS, SETS = "without", "itself", "targets", "other tasks", "sets of tasks"
GROUPS = (WITHOUT, ITSELF, OF_TARGETS, OTHERS, SETS)
"""Blocks of the table: no supporting task, a target after itself, tasks that are targets too, all others, mixtures."""

SINGLE, SAME = "single", "each target after itself"
ROW = ["group", "row"]
BESIDE = ["average", "difference", "low", "high"]


def models(runs: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """The runs on targets with regime `single`, `stilts` or `same_task`, each under its `group` and `row` of the table.

    settings: the study's, of `read_settings`. Scores of WNLI are as `averages.counted` has them by the study's rule, of
    a table by the paper's; `ruled` where that changed one. A target after itself is a row of its own task and, with the
    other targets', of SAME: Wang et al.'s Single-Task, which is no model trained end to end.
    """
    own = target_runs(counted(runs, settings.get("wnli", "floor")), "single", "stilts", "same_task")
    if own["supporting"].isna().all():
        raise IntertaskError(
            "Nothing to tabulate: the study has no target run with regime stilts. Give it supporting tasks and "
            "regimes: [single, stilts], or take this notebook out of the study's report."
        )
    groups = {name: SETS if _is_set(name, settings) else OTHERS for name in own["supporting"].dropna().unique()}
    groups |= {task: OF_TARGETS for task in own["target"].unique() if task in groups}
    alone, same = own["supporting"].isna(), own["regime"].eq("same_task")
    own["row"] = own["supporting"].mask(alone, SINGLE).mask(same, SAME)
    own["group"] = own["supporting"].map(groups).mask(alone, WITHOUT).mask(same, ITSELF)
    panels = own.loc[~alone, PANEL].drop_duplicates()  # in each of which the runs without a supporting task stand too
    single = own[alone & ~same].drop(columns="supporting_limit").merge(panels, on=["encoder", "limit"], how="left")
    diagonal = own[own["supporting"].eq(own["target"]) & ~own["control"]].assign(group=ITSELF, row=SAME)
    own = pd.concat([single, own[~alone | same], *([] if same.any() else [diagonal])])
    return own.sort_values("group", key=lambda names: names.map(GROUPS.index), kind="stable", ignore_index=True)


def _is_set(name: str, settings: dict) -> bool:
    """Whether a supporting task is a mixture of several: as the study says, in a table as the paper calls them."""
    if not settings:
        return name.startswith("MTL ")
    said = [one for part in [settings, *settings.get("parts", [])] for one in part.get("supporting", [])]
    return any(isinstance(one, dict) and one.get("name") == name and len(one.get("tasks", [])) > 1 for one in said)


def by_row(own: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One panel of `models` as the paper prints it: a row per supporting task, the mean, a column per target.

    Each cell is text: the mean over seeds of each metric of the target, two of them as 77.7/85.6; (n of n_expected)
    where runs are missing; * where the rule for WNLI changed what enters the average. `average`: the mean over targets
    of their main scores, over the seeds for which none is missing; `runs`: those of each target.
    """
    measured = scores[scores["metric"] != "main"] if scores["metric"].ne("main").any() else scores
    texts = own.groupby([*ROW, "target"], sort=False).apply(_cell, scores=measured, include_groups=False)
    wide = texts.unstack("target").reindex(columns=own["target"].unique()).fillna("")
    expected = own.groupby([*ROW, "target"], sort=False)["run"].size().groupby(ROW).max()
    average = (
        row_averages(own).groupby(ROW)["average"].agg(["mean", "count", "size"]).apply(lambda one: _mean(*one), axis=1)
    )
    order = pd.MultiIndex.from_frame(own[ROW].drop_duplicates())
    table = wide.reindex(order)
    table.insert(0, "average", average.reindex(order))
    return table.assign(runs=expected.reindex(order)).rename_axis(columns=None)


def _cell(runs: pd.DataFrame, scores: pd.DataFrame) -> str:
    done = runs[runs["done"]]
    own = scores.merge(done[["run", "split", "task"]].drop_duplicates(), on=["run", "split", "task"])
    means = own.groupby("metric", sort=False)["score"].mean()
    if means.empty:
        return ""
    return "/".join(f"{mean:.1f}" for mean in means) + "*" * bool(runs["ruled"].any()) + _missing(len(done), len(runs))


def _mean(mean: float, n: int, n_expected: int) -> str:
    return "" if pd.isna(mean) else f"{mean:.1f}" + _missing(int(n), int(n_expected))


def _missing(n: int, n_expected: int) -> str:
    return "" if n == n_expected else f" ({of_expected(n, n_expected)})"


def row_averages(own: pd.DataFrame) -> pd.DataFrame:
    """The mean main score over all targets of a panel by row and seed: missing where one of the targets is missing."""
    targets = own.groupby("encoder")["target"].nunique()
    found = own.groupby([*PANEL, *ROW, "seed"], sort=False, dropna=False)["score"].agg(["mean", "count"]).reset_index()
    whole = found["count"] == found["encoder"].map(targets)
    return found.assign(average=found["mean"].where(whole)).drop(columns=["mean", "count"])


def paired(own: pd.DataFrame) -> pd.DataFrame:
    """Each row's average less that of `single` with the same seed, in points: one line per panel, row and seed."""
    found = row_averages(own)
    single = found.loc[found["row"] == SINGLE, [*PANEL, "seed", "average"]].rename(columns={"average": "baseline"})
    pairs = found[found["row"] != SINGLE].merge(single, on=[*PANEL, "seed"], how="left")
    pairs["difference"] = (pairs["average"] - pairs["baseline"]).round(9)
    return pairs.assign(average=pairs["average"].where(pairs["difference"].notna()))


def row_differences(pairs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """What `paired` comes to over seeds: one line per panel and row of the table.

    n of n_expected seeds have both averages; average: over these seeds, 0-100; difference in points; low, high, p:
    Student's t over the seeds, p_holm corrected over all lines; beats: whether the interval lies above zero, missing
    where there is none; note: why there is no interval.
    """
    table = mean_table(pairs, [*PANEL, *ROW], "difference", confidence, average=("average", "mean"))
    beats = table["low"].gt(0).astype("boolean").mask(table["low"].isna())
    note = table["note"].where(table["n"] > 0, "a target is missing, or single is")
    return table.assign(p_holm=holm(table["p"]), beats=beats, note=note)[
        [*PANEL, *ROW, "n", "n_expected", "average", "difference", "low", "high", "p", "p_holm", "beats", "note"]
    ]


def printed(table: str, encoder: str) -> pd.DataFrame:
    """`row_differences` of one encoder of a table of scores; without lines where no table is named.

    Raises IntertaskError for an encoder that the table has not.
    """
    if not table:
        return pd.DataFrame(columns=[*ROW, *BESIDE])
    runs = read_runs(table)
    check_choice("paper_encoder", encoder, runs["encoder"].unique())
    return row_differences(paired(models(runs[runs["encoder"] == encoder], {})))


def beside(table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The lines of `row_differences` that a table of the paper has too, with its average and difference.

    paper: of `printed`. A mini task stands for the task that it is named after.
    """
    theirs = paper.assign(row=paper["row"].map(plain))[["row", "average", "difference"]]
    theirs = theirs.rename(columns={"average": "paper_average", "difference": "paper_difference"})
    ours = table[[*PANEL, *ROW, "n", *BESIDE]].assign(name=table["row"].map(plain))
    return ours.merge(theirs, left_on="name", right_on="row", suffixes=("", "_theirs")).drop(
        columns=["name", "row_theirs"]
    )


def in_words(table: pd.DataFrame) -> str:
    """How many rows of `row_differences` beat `single`, and which."""
    tested = table[table["beats"].notna()]
    if tested.empty:
        return "No row has an interval: a second seed, or the missing runs, would give one."
    best, worse = tested[tested["beats"].astype(bool)], tested[tested["high"] < 0]
    named = ", ".join(dict.fromkeys(best["row"])) or "none"
    return (
        f"Of {number_of(len(tested), 'row')} with an interval, {len(best)} lie above `{SINGLE}` ({named}), "
        f"{len(worse)} below it; after Holm's correction {int((tested['p_holm'] < 0.05).sum())} of these differences "
        "are left at 0.05."
    )
