"""What a study's transfer comes to, in words: the first that its report says. Nothing is picked: what counts is ruled.

A difference is clear where p, after Holm's correction over all cells of the study, is below CLEAR.
"""

from typing import NamedTuple

import pandas as pd

from intertask.analysis.inference import over_targets, with_tests
from intertask.analysis.statistics import POWER
from intertask.analysis.tables import panel_name
from intertask.analysis.transfer import (
    CELL,
    PANEL,
    control_in_words,
    degenerate_in_words,
    deltas,
    each_once,
    replicates_in_words,
    transfer_table,
)
from intertask.errors import IntertaskError, number_of
from intertask.views.drawing import signed

CLEAR = 0.05


class Answer(NamedTuple):
    """first: what was found at all; tasks: a sentence per supporting task; limits: what the answer rests on."""

    first: str
    tasks: list[str]
    limits: list[str]


def answer(runs: pd.DataFrame) -> Answer:
    """Which supporting task helps which target, by how much and how surely; plain text, points, p two-sided.

    Compares `stilts` with `single`, of `read_runs`. Says so where there is nothing to compare, or nothing to test.
    """
    try:
        if deltas(runs).empty:
            return Answer(_nothing_to_compare(runs), [], [])
        table = with_tests(transfer_table(runs), runs)
    except IntertaskError as error:  # of runs that no mean may mix
        return Answer(f"No finding can be said in words. {error}", [], [])
    own = table[~table["control"]]
    if own.empty:
        return Answer("The study has no supporting task with true labels.", [], [control_in_words(table)])
    first = _tested_in_words(own, int(table["family"].iloc[0]))
    tasks = _tasks_in_words(own) if own["n"].any() else []
    return Answer(first, tasks, _limits_in_words(runs, table, own))


def _nothing_to_compare(runs: pd.DataFrame) -> str:
    regimes = ", ".join(each_once(runs)["regime"].dropna().unique()) or "none"
    return (
        "No target is trained after a stop on a supporting task (regime stilts), so no transfer can be told here. "
        f"Regimes of this study: {regimes}."
    )


def _tested_in_words(own: pd.DataFrame, family: int) -> str:
    """How many pairs are clear, of how many; of none that is tested, why, and where the differences lie."""
    known, tested = own["delta"].dropna(), int(own["p"].count())
    why = ", ".join(f"{note} ({count})" for note, count in own.loc[own["p"].isna(), "note"].value_counts().items())
    pairs = number_of(len(own), "pair", "of a supporting task and a target")
    if not tested:
        words = f"Whether a supporting task helps cannot be said: of {pairs} none can be tested: {why}."
        if known.empty:
            return words
        above = int((known > 0).sum())
        return f"{words} Without a test: {number_of(len(known), 'difference')}, {above} above zero, {_between(known)}."
    clear = own["p_holm"] < CLEAR
    gains, losses = int((clear & (own["delta"] > 0)).sum()), int((clear & (own["delta"] < 0)).sum())
    level = f"p < {CLEAR:.2g} after Holm's correction over {number_of(family, 'test')}"
    left = own.loc[~clear & own["p"].notna(), "delta"]
    words = f"Of {pairs}: clear gains {gains}, clear losses {losses} ({level}), left open {len(left)}"
    words += f", {_between(left)}." if len(left) else "."
    return f"{words} Not tested: {why}." if why else words


def _between(values: pd.Series) -> str:
    least, most = signed(values.min()), signed(values.max())
    return f"from {least} to {most} points" if least != most else f"{least} points"


def _tasks_in_words(own: pd.DataFrame) -> list[str]:
    """Per encoder, limits and supporting task: the mean over its targets, and every target that is clear."""
    several = len(own[PANEL].drop_duplicates()) > 1
    keys = CELL[:-1]
    means = over_targets(own).set_index(keys)
    sentences = []
    for mean, (key, cells) in zip(means.itertuples(), own.groupby(keys, sort=False, dropna=False), strict=True):
        *panel, supporting = key
        name = f"{supporting} ({panel_name(*panel)})" if several else supporting
        sentences.append(f"{name}: {'; '.join([_mean_in_words(mean), *_clear_in_words(cells)])}.")
    return sentences


def _mean_in_words(mean) -> str:
    if not mean.n:
        return "no pair of runs is done"
    targets = f"{mean.n} of {number_of(mean.n_expected, 'target')}"
    interval = f" {_interval(mean)}" if pd.notna(mean.low) else ", without an interval"
    return f"on average over {targets} {signed(mean.delta)} points{interval}"


def _clear_in_words(cells: pd.DataFrame) -> list[str]:
    clear = cells[cells["p_holm"] < CLEAR]
    parts = {"gains": clear[clear["delta"] > 0], "losses": clear[clear["delta"] < 0]}
    said = [f"clear {what} on {', '.join(map(_cell, own.itertuples()))}" for what, own in parts.items() if len(own)]
    return said or ["on none clear"] * bool(cells["p"].count())


def _cell(cell) -> str:
    nothing = "" if pd.isna(cell.degenerate) or not cell.degenerate else f", {cell.degenerate} of them degenerate"
    return f"{cell.target} {signed(cell.delta)} {_interval(cell)} (n = {cell.n}{nothing}, p = {cell.p_holm:.2g})"


def _interval(row) -> str:
    return f"[{signed(row.low)}, {signed(row.high)}]"


def _limits_in_words(runs: pd.DataFrame, table: pd.DataFrame, own: pd.DataFrame) -> list[str]:
    said = [control_in_words(table), _unseen_in_words(own)]
    if own["n"].any():
        said.append("The interval of an average takes the targets as drawn from tasks like these; it is not corrected.")
    if own["p"].notna().any():
        said.append(replicates_in_words(table))
    said.append(degenerate_in_words(table))
    if short := int((table["n"] < table["n_expected"]).sum()):
        said.append(
            f"In {short} of {number_of(len(table), 'pair')} runs are missing; they count nowhere, and never as zero."
        )
    if others := [one for one in each_once(runs)["regime"].dropna().unique() if one not in ("single", "stilts")]:
        said.append(f"All this is of stilts against single. Not in these words: {', '.join(others)}; see the analyses.")
    return said


def _unseen_in_words(own: pd.DataFrame) -> str:
    """The least and the largest of what the cells' tests could have found."""
    known = own.dropna(subset="detectable").sort_values("detectable", kind="stable")
    if known.empty:
        return "What could not have been seen cannot be told without two pairs that differ, of runs that learned."
    least, most = known.iloc[0], known.iloc[-1]
    sizes = [f"{one['detectable']:.1f} points on {one['target']}" for one in (least, most)]
    below = " to ".join(dict.fromkeys(sizes))  # from the target that tells most to the one that tells least
    return (
        f"What may be missed: more than {1 - POWER:.0%} of studies with as many seeds would not find a true difference "
        f"below {below}, before any correction. What is left open is not shown to be zero."
    )
