"""Averages over targets, and how WNLI enters them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd


def task_average(scores: dict[str, float], tasks: Iterable[str], wnli_majority: float | None = None) -> float:
    """The mean of the main scores of `tasks`, 0-100; WNLI counts at least `wnli_majority`, where that is given.

    scores: by task. A missing task makes the average missing (NaN): a mean over fewer tasks is another number.
    """
    own = {task: scores.get(task, np.nan) for task in tasks}
    for task in own:
        if wnli_majority is not None and plain(task) == "wnli":
            own[task] = np.maximum(own[task], wnli_majority)
    return float(np.mean(list(own.values()))) if own else np.nan


def plain(task: str) -> str:
    """A task's name without the suite's: `mini/rte` is `rte`, so that rules which name tasks hold for both."""
    return task.removeprefix("mini/")


def counted(runs: pd.DataFrame, wnli: str = "trained") -> pd.DataFrame:
    """The runs with WNLI's scores as a study's rule counts them; `ruled`: where the rule changed a score.

    wnli: `trained`, the score of the run; `majority`, always the majority class's (Phang et al. 2018); `floor`, the
    larger of the two (Wang et al. 2019). A run that is not done stays missing.
    """
    own = runs["target"].map(plain, na_action="ignore") == "wnli"
    floor = runs["majority"] if wnli == "majority" else runs["score"].clip(lower=runs["majority"])
    score = runs["score"].mask(own & runs["score"].notna(), floor) if wnli != "trained" else runs["score"]
    return runs.assign(score=score, ruled=score.ne(runs["score"]) & score.notna())


def wnli_in_words(rule: str, targets: Iterable[str]) -> str:
    """A study's rule for WNLI in a sentence, or that WNLI is none of its targets."""
    rules = {
        "trained": "WNLI counts with the score that its model reached.",
        "majority": "WNLI counts with the majority class's score, whatever its model reached (Phang et al. 2018).",
        "floor": "WNLI counts at least with the majority class's score (Wang et al. 2019).",
    }
    return rules[rule] if "wnli" in map(plain, targets) else "WNLI is none of the targets."
