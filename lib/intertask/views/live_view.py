"""A study while it is run, as frames and a sentence: what the Lab shows of `views.live`."""

from datetime import datetime

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from intertask.views.countdown import duration
from intertask.views.live import STATES, State
from intertask.views.run_figures import running_curves


def who_runs(state: State) -> str:
    """Who runs the study, and how long it will take."""
    if not state.unfinished:
        return "Every run is finished."
    driver = state.driver
    if not driver:
        return "Another study's driver runs some of it." if state.running else "Nothing runs it now."
    who = f"process {driver.pid} on {driver.host}, since {datetime.fromisoformat(driver.since):%d %b %H:%M} UTC"
    if not driver.alive:
        return f"Nothing runs it now: {who}, was killed."
    others = " Another driver runs some of it too." if len(state.running) > driver.workers else ""
    return f"About {duration(state.left)} left, {driver.workers} at a time ({who}).{others}"


def stages_now(state: State) -> pd.DataFrame:
    """A row per stage: of its runs, how many are in which of STATES."""
    rows = [{"stage": stage} | {one: counts[one] for one in STATES} for stage, counts in state.stages.items()]
    return pd.DataFrame(rows, columns=["stage", *STATES])


def under_way(state: State) -> pd.DataFrame:
    """A row per run under way: where, at which step, and the loss and dev score (0-100) of its last evaluation."""
    rows = []
    for run_id, one in state.running.items():
        told = {name: value for line in one.lines for name, value in line.items()}
        rows.append((run_id, one.by.host, one.steps.removeprefix("step "), told.get("loss"), told.get("score")))
    frame = pd.DataFrame(rows, columns=["run", "host", "step", "train loss", "dev score"])
    numbers = {"train loss": 3, "dev score": 1}
    return frame.astype(dict.fromkeys(numbers, float)).round(numbers).astype(object).where(frame.notna(), "–")


def curves_under_way(state: State) -> pd.DataFrame:
    """A row per evaluation of a run under way: run, share of its training (0-1), dev score (0-100)."""
    rows = [
        (run_id, line["at"] / line["of"], line["score"])
        for run_id, one in state.running.items()
        for line in one.lines
        if "score" in line
    ]
    return pd.DataFrame(rows, columns=["run", "share", "score"])


def figure_under_way(state: State) -> Figure | None:
    """`curves_under_way`, drawn; None before any run under way was evaluated."""
    if (curves := curves_under_way(state)).empty:
        return None
    figure, ax = plt.subplots(figsize=(6, 2.5))
    running_curves(curves, ax)
    plt.close(figure)
    return figure
