"""What the papers found for a pair of tasks, side by side, and whether what they print follows from what they print."""

from collections.abc import Iterable
from fnmatch import fnmatch
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from intertask.analysis.averages import plain, task_average
from intertask.analysis.read import read_runs
from intertask.analysis.score_tables import find_table
from intertask.analysis.statistics import share_interval
from intertask.analysis.tables import panel_name
from intertask.analysis.transfer import LIMITS, transfer_table
from intertask.errors import IntertaskError, number_of

GLUE = ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli")


def effects(studies: Iterable[str], confidence: float = 0.95) -> pd.DataFrame:
    """The `transfer_table` of several studies or tables, one below the other, with the column `source`.

    `setting`: the encoder with its data limits, in words; where two studies have the same, with the study. A study
    without transfer is left out.
    """
    found = []
    for name in dict.fromkeys(studies):
        runs = read_runs(name)
        if ((runs["regime"] == "stilts") & ~runs["substituted"]).any():
            found.append(transfer_table(runs, confidence).assign(source=name))
    if not found:
        raise IntertaskError(
            "Expected scores after a supporting task (regime stilts) in one of the tables, found none."
        )
    table = pd.concat(found, ignore_index=True)
    table["setting"] = [panel_name(*row) for row in table[["encoder", *LIMITS]].itertuples(index=False)]
    shared = table.groupby("setting")["source"].transform("nunique") > 1
    return table.assign(setting=table["setting"].mask(shared, table["setting"] + ", " + table["source"]))


def found(table: pd.DataFrame, supporting: str, target: str) -> pd.DataFrame:
    """The rows of `effects` on a supporting task and a target, names or patterns such as `senteval/*`.

    A mini task counts as the task that it stands for.
    """
    own = [
        fnmatch(plain(row.supporting), supporting) and fnmatch(plain(row.target), target) for row in table.itertuples()
    ]
    columns = ["encoder", "setting", "supporting", "target", "single", "stilts", "delta", "low", "high", "n"]
    return table.loc[own, columns].reset_index(drop=True)


def shared_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """The deltas of the pairs of tasks that two settings or more have: rows (supporting, target), a column per setting.

    table: of `effects`, without controls. Missing where a setting lacks the pair.
    """
    own = table[~table["control"] & table["delta"].notna()]
    own = own.assign(supporting=own["supporting"].map(plain), target=own["target"].map(plain))
    wide = own.pivot(index=["supporting", "target"], columns="setting", values="delta")
    wide = wide.reindex(columns=own["setting"].unique())
    return wide[wide.notna().sum(axis="columns") > 1].dropna(axis="columns", how="all")


def agreement(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Of every two settings of `effects`: on how many `shared_pairs` deltas have one sign, and how they order them.

    same_source: both settings are of one study or table. n: pairs that both have and where neither delta is zero;
    same_sign of them, agree in percent with Wilson's interval low, high; chance: the percentage to expect if the signs
    were independent; spearman over these pairs, missing below three and where one side does not vary. Pairs share tasks
    and runs: they are not independent, the interval is too narrow.
    """
    pairs, source = shared_pairs(table), table.drop_duplicates("setting").set_index("setting")["source"]
    rows = []
    for one, other in combinations(pairs.columns, 2):
        both = pairs[[one, other]].dropna()
        both = both[(both != 0).all(axis="columns")]
        up = (both > 0).to_numpy()
        same, share = int((up[:, 0] == up[:, 1]).sum()), up.mean(0) if len(both) else np.full(2, np.nan)
        agree, low, high = share_interval(same, len(both), confidence)
        ordered = len(both) > 2 and (both.nunique() > 1).all()
        rows.append(
            {"one": one, "other": other, "same_source": source[one] == source[other]}
            | {"n": len(both), "same_sign": same}
            | {"agree": agree, "low": low, "high": high}
            | {"chance": 100 * float(share.prod() + (1 - share).prod())}
            | {"spearman": stats.spearmanr(both[one], both[other]).statistic if ordered else np.nan}
        )
    columns = ["one", "other", "same_source", "n", "same_sign", "agree", "low", "high", "chance", "spearman"]
    return pd.DataFrame(rows, columns=columns).query("n > 0").reset_index(drop=True)


def agreement_in_words(table: pd.DataFrame) -> str:
    """What an `agreement` comes to, as Markdown: how often signs agree between and within sources, and by chance."""
    if table.empty:
        return "No two settings share a pair of tasks, so there is nothing to compare."
    lines = []
    for same, own in table.groupby("same_source"):
        n, agree, chance = own["n"].sum(), own["same_sign"].sum(), (own["n"] * own["chance"]).sum()
        above, below = (own["low"] > own["chance"]).sum(), (own["high"] < own["chance"]).sum()
        lines.append(
            f"- **{'within one source' if same else 'between two sources'}**: the signs of {agree} of {n} shared "
            f"deltas agree, {100 * agree / n:.0f} %; independent signs would in {chance / n:.0f} %. Of "
            f"{number_of(len(own), 'pair')} of settings the interval lies above chance in {above}, below in {below}."
        )
    return "\n".join(lines) + "\n\nDeltas of zero have no sign and are left out."


def published(name: str) -> pd.DataFrame:
    """One of the papers' tables as it was printed, with the columns that only this table has."""
    path = find_table(f"published/{name}")
    if not path:
        raise IntertaskError(f"There is no table {name} in results/published of the project.")
    return pd.read_csv(path, keep_default_na=False, na_values="")


def averages() -> pd.DataFrame:
    """Every printed average beside the mean of the row's own cells: columns source, table, row, average, split,
    limit, printed, recomputed, difference, n.

    A task's metrics are averaged first; Wang's WNLI counts at least as the majority. Missing where a cell is.
    """
    rows = [*_glue_averages("wang2019_glue", floor=True), *_glue_averages("phang2018_glue")]
    rows += _glue_averages("phang2018_submission")
    figure = published("pruksachatkun2020_transfer").query("part == 'targets'")
    for supporting, own in figure.groupby(figure["supporting"].fillna("none"), sort=False):
        value = "score" if supporting == "none" else "delta"
        cells, mean = own[own["target"] != "average"], own.loc[own["target"] == "average", value].item()
        rows.append(
            _average("pruksachatkun2020_transfer", 2, supporting, "average", mean, cells[value].mean(), len(cells))
        )
    return pd.DataFrame(rows).astype({"limit": "Int64"})


def _glue_averages(name: str, floor: bool = False) -> list[dict]:
    """floor: whether WNLI counts at least as its majority, the one majority that the table then holds."""
    table = published(name)
    rows = []
    keys = [key for key in ("table", "row", "encoder", "limit", "split") if key in table]
    for _, own in table.groupby(keys, sort=False, dropna=False):
        first = own.iloc[0]
        scores = own[own["target"].isin(GLUE)].groupby("target")["score"].mean()
        for line in own[~own["target"].isin(GLUE)].itertuples():
            tasks = [task for task in GLUE if line.target == "average" or task not in ("mnli", "qqp")]
            mean = task_average(scores, tasks, own["majority"].max() if floor else None)
            place = {"split": first["split"], "limit": first.get("limit")}
            rows.append(_average(name, first["table"], first["row"], line.target, line.score, mean, len(tasks)) | place)
    return rows


def _average(name: str, table: int, row: str, average: str, printed: float, recomputed: float, n: int) -> dict:
    place = {"source": name, "table": table, "row": row, "average": average}
    return place | {"printed": printed, "recomputed": recomputed, "difference": printed - recomputed, "n": n}


def follows(table: pd.DataFrame) -> pd.Series:
    """Whether each of the `averages` follows from its cells: both are rounded, which makes differences of up to .1."""
    return table["difference"].abs() <= 0.1 + 1e-9


def averages_in_short(table: pd.DataFrame) -> pd.DataFrame:
    """How many printed averages follow from their cells, by table and kind of average: columns rows, follow,
    largest, at.

    follow: those of which `follows` says so; largest: the largest difference, printed - recomputed, and at: its row.
    """
    rows = []
    for key, own in table.groupby(["source", "table", "average"], sort=False):
        worst = own.loc[own["difference"].abs().round(9).idxmax()]  # of equal ones the first
        row = dict(zip(("source", "table", "average"), key, strict=True))
        row |= {"rows": len(own), "follow": int(follows(own).sum())}
        rows.append(row | {"largest": worst["difference"], "at": worst["row"]})
    return pd.DataFrame(rows)
