"""GLUE with and without supporting tasks as Phang et al. 2018 print it (Tables 1, 2 and 4), and STILTs at equal cost.

A row of a table is `single`, a supporting task, or `best of each`; a column is a target or an average.
"""

import html

import numpy as np
import pandas as pd
from scipy import stats

from intertask.analysis.averages import counted, plain, task_average
from intertask.analysis.statistics import DECIMALS, EQUAL, RESAMPLES, check_choice, check_confidence
from intertask.analysis.tables import of_expected, panel_name, row_label
from intertask.analysis.transfer import CELL, LIMIT_TYPES, MODEL, each_once, target_runs
from intertask.errors import IntertaskError, number_of
from intertask.studies.store import CHOOSING

BEST = "best of each"
AVERAGES = {"Avg": (), "A.Ex": ("mnli", "qqp")}
"""Column -> the tasks that its average leaves out: the paper's A.Ex does without two of its supporting tasks."""

RESTARTS = ("best", "mean")
UNITS = 10  # independent units below which a bootstrap says more than it knows


def selected(runs: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The runs with `chosen_by`, their main score on the dev rows that choices are made on.

    With `holdout` or `report_on: test` these are other rows than those that are reported. scores: of `read_scores`.
    """
    main = scores[(scores["metric"] == "main") & scores["split"].isin(CHOOSING)]
    main = main.drop_duplicates(["run", "task"]).set_index(["run", "task"])["score"]
    found = main.reindex(pd.MultiIndex.from_frame(runs[["run", "task"]])).to_numpy()
    return runs.assign(chosen_by=np.where(np.isnan(found), runs["score"], found))


def cell_table(runs: pd.DataFrame, wnli: str = "trained", restarts: str = "best") -> pd.DataFrame:
    """One row per cell (encoder, limits, supporting, target, regime, mixing), scores 0-100.

    row: the supporting task, and how it was used, in words; n of n_expected restarts are done; score, chosen_by,
    majority: of the restart that is best by dev score, or means over the restarts; below: the score does not exceed the
    majority's; substituted: the supporting task is the target, and the single runs stand in; ruled: WNLI as its rule
    counts it (`counted`).

    runs: of `selected`; restarts: one of RESTARTS.
    """
    check_choice("restarts", restarts, RESTARTS)
    targets = each_once(counted(runs, wnli))
    if targets.empty:
        raise IntertaskError("Expected runs of stage target, found none. Take this notebook out of the study's report.")
    several = targets["mixing"].nunique() > 1
    cells = targets.groupby(MODEL, sort=False, dropna=False)
    table = pd.DataFrame(
        [dict(zip(MODEL, cell, strict=True)) | _best_cell(own, restarts, several) for cell, own in cells]
    )
    return table.astype(LIMIT_TYPES)


def _best_cell(own: pd.DataFrame, restarts: str, several: bool) -> dict:
    done = own[own["score"].notna()]
    if restarts == "best" and len(done):
        done = done.loc[[done["chosen_by"].idxmax()]]
    score, majority = done["score"].mean(), done["majority"].mean()
    return {
        "row": row_label(*own[["supporting", "supporting_limit", "regime"]].iloc[0])
        + (f", {own['mixing'].iloc[0]}" if several and pd.notna(own["mixing"].iloc[0]) else ""),
        "n": int(own["score"].notna().sum()),
        "n_expected": len(own),
        "score": score,
        "chosen_by": done["chosen_by"].mean(),
        "majority": majority,
        "below": bool(score <= majority),
        "substituted": bool(own["substituted"].any()),
        "ruled": bool(done["ruled"].any()),
        "control": bool(own["control"].iloc[0]),
    }


def with_best(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a row `best of each` per encoder and limit: each target's best cell by `chosen_by`, single too.

    `chosen` names the cell. Missing where one of the cells is: the best of fewer is another number. Controls are none.
    """
    rows = []
    for _, own in table[~table["control"]].groupby(["encoder", "limit", "target"], sort=False, dropna=False):
        complete = own["score"].notna().all()
        best = own.loc[own["chosen_by"].idxmax()] if complete else own.iloc[0]
        row = best.to_dict() | {"row": BEST, "chosen": best["row"], "supporting": None, "substituted": False}
        if not complete:
            gone = dict.fromkeys(["score", "chosen_by", "majority"], np.nan)
            row |= gone | {"chosen": "", "n": 0, "n_expected": 1, "below": False, "ruled": False}
        rows.append(row)
    best = pd.DataFrame(rows).astype({**LIMIT_TYPES, "supporting": "str"})
    return pd.concat([table.assign(chosen=""), best], ignore_index=True)


def with_averages(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the cells of `AVERAGES`: means over the targets of the encoder and limit, whose number is `n`.

    An average of which a cell is missing or not in the study is missing.
    """
    averages = []
    for (encoder, limit), panel in table.groupby(["encoder", "limit"], sort=False, dropna=False):
        for row, own in panel.groupby("row", sort=False):
            scores = own.set_index("target")["score"]
            for name, left_out in AVERAGES.items():
                targets = [target for target in panel["target"].unique() if plain(target) not in left_out]
                cell = {"encoder": encoder, "limit": limit, "row": row, "target": name, "chosen": ""}
                counts = {"n": len(targets), "n_expected": len(targets), "score": task_average(scores, targets)}
                averages.append(cell | counts | dict.fromkeys(["below", "substituted", "ruled", "control"], False))
    return pd.concat([table, pd.DataFrame(averages).astype({"limit": "Int64"})], ignore_index=True)


def glue_table(panel: pd.DataFrame, order: list[str]) -> dict[str, str]:
    """One encoder and limit of `with_averages` as a table like the paper's, for `display(…, raw=True)`.

    In HTML and, with the same signs, in plain text: (n) restarts, or targets in an average; `=` and struck through
    where the single runs stand in; `↓` not above the majority; `*` WNLI by its rule; bold, the best of its column.
    order: the study's targets.
    """
    best = panel.groupby("target")["score"].transform("max")
    texts = [_cell_text(cell) for cell in panel.itertuples()]
    marked = [_cell_html(cell, text, top) for cell, text, top in zip(panel.itertuples(), texts, best, strict=True)]
    plain_text, marked_up = _by_target(panel, texts, order), _by_target(panel, marked, order)
    marked_up = marked_up.rename(index=html.escape, columns=html.escape)
    marked_up.columns.name = html.escape(plain_text.columns.name)
    return {"text/plain": plain_text.to_string(), "text/html": marked_up.to_html(escape=False, border=0)}


def _cell_text(cell) -> str:
    seeds = of_expected(cell.n, cell.n_expected)
    if pd.isna(cell.score):
        return "missing" if cell.target in AVERAGES or cell.row == BEST else f"missing ({seeds})"
    marks = "=" * cell.substituted + "↓" * (cell.below and not cell.ruled) + "*" * cell.ruled
    return f"{cell.score:.1f}{marks} ({seeds})"


def _cell_html(cell, text: str, best: float) -> str:
    if cell.substituted and pd.notna(cell.score):
        return f"<s>{text}</s>"
    return f"<b>{text}</b>" if cell.score == best else text


def _by_target(panel: pd.DataFrame, texts: list[str], order: list[str]) -> pd.DataFrame:
    """Rows by columns, the averages first; a dash where the study has no such cell."""
    targets = [target for target in panel["target"].unique() if target not in AVERAGES]
    names = [*AVERAGES, *sorted(targets, key=lambda target: order.index(target) if target in order else len(order))]
    frame = panel.assign(text=texts).pivot(index="row", columns="target", values="text")
    frame = frame.reindex(index=panel["row"].unique(), columns=names).fillna("–").rename_axis(index=None)
    return frame.rename_axis(columns=panel_name(panel["encoder"].iloc[0], panel["limit"].iloc[0]))


def equal_cost(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """For each cell of `stilts`, what the same compute buys without: the expected best of k restarts of `single`.

    One row per cell in the study's order. k: steps of the supporting and the target stage over those of a single run,
    means over the runs that are done; n, n_single: of these; single: their mean, the expected best of one; best_of_k:
    `expected_best`; stilts: mean; gain: stilts - best_of_k, in points. low, high: percentile bootstrap over the
    restarts, from UNITS independent ones of each on; note: why there is none, or why best_of_k is too low.

    runs: of `selected`. Substituted cells are left out.
    """
    check_confidence(confidence)
    targets = target_runs(runs, "single", "stilts")
    stilts = targets[targets["regime"] == "stilts"].groupby(CELL, sort=False, dropna=False)
    single = targets[targets["regime"] == "single"].groupby(["encoder", "limit", "target"], dropna=False)
    # as texts: one missing limit does not equal another
    alone = {tuple(map(str, key)): own[own["score"].notna()] for key, own in single}
    rows = []
    for cell, own in stilts:
        key = dict(zip(CELL, cell, strict=True))
        without = alone.get(tuple(str(key[name]) for name in ("encoder", "limit", "target")), targets[:0])
        rows.append(key | _at_equal_cost(own[own["score"].notna()], without, confidence))
    columns = [*CELL, "n", "n_single", "k", "single", "best_of_k", "stilts", "gain", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns).astype(LIMIT_TYPES)


def _at_equal_cost(after: pd.DataFrame, alone: pd.DataFrame, confidence: float) -> dict:
    steps = after["steps"] + after["supporting_steps"]
    k = float(steps.mean() / alone["steps"].mean()) if len(after) and len(alone) and steps.notna().any() else np.nan
    best = expected_best(alone["score"], k, alone["chosen_by"]) if k > 0 else np.nan
    note = _why_no_interval(after, alone, k)
    low, high = (np.nan, np.nan) if note else _gain_interval(alone, after["score"].to_numpy(), k, confidence)
    return {
        "n": len(after),
        "n_single": len(alone),
        "k": k,
        "single": alone["score"].mean(),
        "best_of_k": best,
        "stilts": after["score"].mean(),
        "gain": round(after["score"].mean() - best, DECIMALS),
        "low": low,
        "high": high,
        "note": note,
    }


def _why_no_interval(after: pd.DataFrame, alone: pd.DataFrame, k: float) -> str:
    if not len(after) or not len(alone):
        return "runs are missing"
    if np.isnan(k):
        return "the runs do not say how many steps they took"
    if k > len(alone):
        return f"k is above the {number_of(len(alone), 'restart')}: best_of_k cannot exceed the best of them"
    if min(len(alone), len(after)) < UNITS:
        return f"an interval needs {UNITS} restarts of each"
    models = after["supporting_run"].nunique()
    return f"only {number_of(models, 'supporting model')}: an interval needs {UNITS}" if models < UNITS else ""


def _gain_interval(single: pd.DataFrame, stilts: np.ndarray, k: float, confidence: float) -> tuple[float, float]:
    """Percentile bootstrap of mean(stilts) - best of k, both sets of restarts drawn anew; the same every time."""
    ranked = ranked_scores(single["score"], single["chosen_by"])
    weights = rank_weights(len(ranked), k)
    interval = stats.bootstrap(
        (np.arange(len(ranked)), np.arange(len(stilts))),
        lambda alone, after, axis=-1: stilts[after].mean(-1) - ranked[np.sort(alone, -1)] @ weights,
        n_resamples=RESAMPLES, vectorized=True, confidence_level=confidence, method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(interval.low), float(interval.high)


def expected_best(scores, k: float, chosen_by=None) -> float:
    """Expected score of the best of k independent draws from the scores that were found (Dodge et al. 2019, Section 3).

    E = sum over v of v (P(V <= v)^k - P(V < v)^k), with k > 0, not necessarily whole. scores: (n,), missing ones left
    out; NaN with none. chosen_by: (n,), what the best is chosen by where that is not the score itself. The draws are
    with replacement from n scores, so the estimate is at most the largest, and too low for k near n or above it.
    """
    if not k > 0:
        raise IntertaskError(f"expected_best: expected k, the number of draws, above 0; found {k!r}.")
    ranked = ranked_scores(scores, chosen_by)
    return float(ranked @ rank_weights(len(ranked), k)) if len(ranked) else np.nan


def ranked_scores(scores, chosen_by=None) -> np.ndarray:
    """The scores that are not missing, last choice first; shape (n,). Ties in `chosen_by` share their mean."""
    frame = pd.DataFrame({"score": np.asarray(scores, dtype=float)})
    frame["by"] = frame["score"] if chosen_by is None else np.asarray(chosen_by, dtype=float)
    ties = frame.dropna().sort_values("by").groupby("by")["score"]
    return ties.transform("mean").to_numpy()


def rank_weights(n: int, k: float) -> np.ndarray:
    """How probable it is, for each of n ranks from the last up, that it is the best of k draws; shape (n,)."""
    return np.diff((np.arange(n + 1) / n) ** k)


def cost_in_words(table: pd.DataFrame) -> str:
    """How often STILTs beats one restart, and how often what its compute buys, in a sentence."""
    known = table[table["gain"].notna()]
    if known.empty:
        return "Nothing can be said yet: no cell has runs of both regimes that say how many steps they took."
    once = int((known["stilts"] - known["single"] > EQUAL).sum())
    tested, sure = int(known["low"].notna().sum()), int((known["low"] > 0).sum())
    intervals = f"of {tested} with an interval, {sure} lie wholly above zero" if tested else "none has an interval"
    few = int((known["k"] > known["n_single"]).sum())
    cells = number_of(few, "cell")
    flattered = f" In {cells} k is above the number of restarts, which flatters the supporting task." if few else ""
    return (
        f"Of {number_of(len(known), 'cell')}, the mean after the supporting task is above the mean of single restarts "
        f"in {once}, and above the expected best of as many as cost the same in {int((known['gain'] > 0).sum())}; "
        f"{intervals}.{flattered}"
    )
