"""A stopover that a table does not mention: what it does here, and the gaps between printed scores beside it."""

import numpy as np
import pandas as pd

from intertask.analysis.averages import plain
from intertask.analysis.statistics import mean_table
from intertask.analysis.tables import panel_name
from intertask.analysis.transfer import LIMITS, PANEL, deltas, target_runs
from intertask.errors import number_of
from intertask.papers.literature import published
from intertask.views.drawing import signed

NO_STOPOVER, UNTOLD = "none", "not told"
"""Stopovers of a printed score: that there was none, and that its source does not say."""

ALL, LEFT_OPEN, NOT_ALL = "all of it", "left open", "not all of it"
"""How much of a gap a stopover could be: its whole interval reaches the gap, a part of it, or none."""


def scores_by_stopover(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Mean scores without and with each stopover: a row per target, encoder, limits and stopover, or NO_STOPOVER.

    n of n_expected seeds are there; score: 0-100; score_low, score_high: Student's t over them; control, ready_made: as
    of `read_runs`.
    """
    own = target_runs(runs, "single", "stilts").assign(stopover=lambda frame: frame["supporting"].fillna(NO_STOPOVER))
    kinds = {name: (name, "first") for name in ("control", "ready_made")}
    keys = ["target", "encoder", *LIMITS, "stopover"]
    table = mean_table(own, keys, "score", confidence, **kinds).sort_values("target", key=_places, kind="stable")
    table = table.rename(columns={"low": "score_low", "high": "score_high"})
    return table.drop(columns=["p", "note"]).reset_index(drop=True)


def _places(names: pd.Series) -> pd.Series:
    return names.map({name: place for place, name in enumerate(names.unique())})


def beyond_control(runs: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """What a stopover does beyond one whose labels were shuffled, paired by seed: a row per cell and control.

    difference: of the two scores, in points; low, high: `paired_t`; n of n_expected seeds have both. Empty without a
    control.
    """
    pairs, keys = deltas(runs), [*PANEL, "target", "seed"]
    control = pairs.loc[pairs["control"], [*keys, "supporting", "score"]]
    control = control.rename(columns={"supporting": "beside", "score": "beside_score"})
    both = pairs[~pairs["control"]].merge(control, on=keys)
    both["difference"] = (both["score"] - both["beside_score"]).round(9)
    return mean_table(both, [*PANEL, "supporting", "beside", "target"], "difference", confidence).drop(columns="p")


def printed_scores() -> pd.DataFrame:
    """Rows of target, metric, encoder, stopover (NO_STOPOVER, a task, UNTOLD), score, statistic and source_note."""
    table = published("hidden_stilts")
    stopover = table["supporting"].where(table["regime"] == "stilts", table["regime"].map({"single": NO_STOPOVER}))
    table = table.assign(stopover=stopover.fillna(UNTOLD), source_note=table["source"])
    columns = ["target", "metric", "encoder", "stopover", "score", "statistic", "source_note"]
    return table[columns].sort_values("target", key=_places, kind="stable").reset_index(drop=True)


def printed_gains(table: pd.DataFrame) -> pd.DataFrame:
    """Of encoders that are printed without and with a stopover: target, encoder, stopover, without, with, gain."""
    keys = ["target", "metric", "encoder"]
    alone = table.loc[table["stopover"] == NO_STOPOVER, [*keys, "score"]].rename(columns={"score": "without"})
    after = table[~table["stopover"].isin([NO_STOPOVER, UNTOLD])].rename(columns={"score": "with"})
    both = alone.merge(after[[*keys, "stopover", "with"]], on=keys)
    both["gain"] = (both["with"] - both["without"]).round(9)
    return both[["target", "encoder", "stopover", "without", "with", "gain"]]


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Gaps between `printed_scores` of two encoders that a stopover of the higher one could widen.

    Its stopover is named or not told, and the lower one's is NO_STOPOVER or not told: columns target, metric, higher,
    higher_stopover, lower, lower_stopover, gap.
    """
    higher, lower = table[table["stopover"] != NO_STOPOVER], table[table["stopover"].isin([NO_STOPOVER, UNTOLD])]
    own = ["target", "metric", "encoder", "stopover", "score"]
    both = higher[own].merge(lower[own], on=["target", "metric"], suffixes=("", "_lower"))
    both = both[(both["encoder"] != both["encoder_lower"]) & (both["score"] > both["score_lower"])]
    both = both.assign(gap=(both["score"] - both["score_lower"]).round(9))
    names = {"encoder": "higher", "stopover": "higher_stopover", "encoder_lower": "lower"}
    names |= {"stopover_lower": "lower_stopover"}
    both = both.rename(columns=names)[["target", "metric", *names.values(), "gap"]]
    return both.sort_values("target", key=_places, kind="stable").reset_index(drop=True)


def beside_gaps(between: pd.DataFrame, table: pd.DataFrame, stopover: str) -> pd.DataFrame:
    """Each of the `gaps` beside what a stopover did here on its target: a row per gap and cell of `transfer_table`.

    stopover: which is meant where none is told; a mini task counts as the task that it stands for. gain, low, high, n:
    of the cell, in points; share: the gain as a percentage of the gap; could_be: how much of the gap the stopover could
    be, by the interval: all of it, LEFT_OPEN or NOT_ALL; missing where there is none.
    """
    own = table[~table["control"]].assign(task=table["target"].map(plain), meant=table["supporting"].map(plain))
    own = own.rename(columns={"encoder": "measured_on", "delta": "gain"})
    own = own[["task", "meant", "measured_on", *LIMITS, "supporting", "gain", "low", "high", "n"]]
    told = between.assign(meant=between["higher_stopover"].replace(UNTOLD, stopover))
    both = told.merge(own, left_on=["target", "meant"], right_on=["task", "meant"]).drop(columns=["task", "meant"])
    could_be = np.select([both["low"] >= both["gap"], both["high"] >= both["gap"]], [ALL, LEFT_OPEN], NOT_ALL)
    could_be = pd.Series(could_be, both.index, dtype="str").mask(both["high"].isna())
    return both.assign(share=100 * both["gain"] / both["gap"], could_be=could_be)


def gaps_in_words(beside: pd.DataFrame) -> str:
    """How much of the gaps a stopover could be, by what it did here, in Markdown; a line per cell."""
    if beside.empty:
        return "No printed gap is on a target and after a stopover of this study."
    lines = []
    cells = ["supporting", "target", "measured_on", *LIMITS]
    for (supporting, target, *panel), own in beside.groupby(cells, sort=False, dropna=False):
        name, cell = f"**{supporting} → {target}**, {panel_name(*panel)}", own.iloc[0]
        counts = own["could_be"].value_counts()
        sizes = dict.fromkeys([f"{own['gap'].min():.1f}", f"{own['gap'].max():.1f}"])
        between = f"{number_of(len(own), 'gap')} of {' to '.join(sizes)} points"
        if counts.empty:
            lines.append(f"- {name}: {between}; the gain here has no interval.")
            continue
        interval = f"[{signed(cell['low'])}, {signed(cell['high'])}]"
        sure = "above zero" if cell["low"] > 0 else "below zero" if cell["high"] < 0 else "which holds zero"
        lines.append(
            f"- {name}: the stopover does {signed(cell['gain'])} points here {interval}, {sure}. Of "
            f"{between} it could account for {counts.get(ALL, 0)} in full, and not for {counts.get(NOT_ALL, 0)}; left "
            f"open are {counts.get(LEFT_OPEN, 0)}."
        )
    return "\n".join(lines)


def known_in_words(runs: pd.DataFrame, known: dict[str, str]) -> str:
    """What is known of how the study's encoders were trained themselves, in Markdown: a stopover may be in there."""
    encoders = runs["encoder"].dropna().unique()
    lines = [f"- **{name}**: {known[name]}." for name in encoders if name in known]
    if silent := [name for name in encoders if name not in known]:
        lines.append(f"- Nothing is noted here of {', '.join(silent)}.")
    if strange := [name for name in known if name not in encoders]:
        lines.append(f"- What is noted of {', '.join(strange)} is of no encoder of this study.")
    return "\n".join(lines)
