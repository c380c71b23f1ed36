"""A study while it is run, as frames, a sentence, a picture and the terminal's bar."""

import io
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from intertask.execution.driver import Driving
from intertask.files import now
from intertask.studies.claims import Attempt, machine
from intertask.views import countdown
from intertask.views.countdown import Countdown
from intertask.views.live import Running, State
from intertask.views.live_view import curves_under_way, stages_now, under_way, who_runs
from intertask.views.run_figures import MOST_CURVES, running_curves

LINES = [{"at": 1, "of": 8, "time": 1.0}, {"at": 2, "of": 8, "time": 3.0, "loss": 0.51234, "score": 61.25}]


def by(host: str, pid: int) -> Attempt:
    return Attempt(Path("a"), 1, host, machine(), pid, since=now())


RUNNING = {"rte.bert.s0-0a": Running(by("here", 7), LINES), "rte.bert.s1-0b": Running(by("there", 8), [])}
DRIVER = Driving("here", 6, "2026-01-02T03:04:05+00:00", 2, {}, alive=True)
STATE = State({"target": Counter(running=2, waiting=3)}, RUNNING, {}, DRIVER, 100.0)


def test_the_stages_are_a_table():
    row = {"stage": "target", "done": 0, "running": 2, "failed": 0, "blocked": 0, "waiting": 3}
    assert stages_now(STATE).to_dict("records") == [row]


def test_a_run_under_way_says_where_it_is_and_what_is_not_known_yet():
    assert under_way(STATE).to_numpy().tolist() == [
        ["rte.bert.s0-0a", "here", "2 of 8", 0.512, 61.2],
        ["rte.bert.s1-0b", "there", "not training yet", "–", "–"],
    ]


def test_the_curves_hold_the_evaluations():
    assert curves_under_way(STATE).to_numpy().tolist() == [["rte.bert.s0-0a", 0.25, 61.25]]


def test_who_runs_a_study_is_a_sentence():
    assert who_runs(STATE) == "About 1 min 40 s left, 2 at a time (process 6 on here, since 02 Jan 03:04 UTC)."
    alone = replace(STATE, driver=replace(DRIVER, workers=1))
    assert who_runs(alone).endswith("02 Jan 03:04 UTC). Another driver runs some of it too.")
    killed = replace(STATE, driver=replace(DRIVER, alive=False), left=None)
    assert who_runs(killed) == "Nothing runs it now: process 6 on here, since 02 Jan 03:04 UTC, was killed."
    assert who_runs(replace(STATE, driver=None)) == "Another study's driver runs some of it."
    assert who_runs(replace(STATE, driver=None, running={})) == "Nothing runs it now."
    assert who_runs(replace(STATE, stages={"target": Counter(done=3)})) == "Every run is finished."


def test_each_run_has_a_line_and_of_very_many_it_is_said(ax):
    many = {f"{place}-0a": RUNNING["rte.bert.s0-0a"] for place in range(MOST_CURVES + 3)}
    running_curves(curves_under_way(replace(STATE, running=many)), ax)
    assert len(ax.lines) == MOST_CURVES == len({line.get_marker() for line in ax.lines})
    assert ax.get_title() == f"{MOST_CURVES} of {MOST_CURVES + 3} runs" and ax.lines[-1].get_xdata() == [25.0]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def ledger(**kept):
    defaults = {"done": [], "failed": {}, "running": {}, "waiting": {}, "runs": kept.get("waiting", {})}
    return SimpleNamespace(**defaults | kept)


def test_the_bar_moves_while_a_run_trains_and_names_it(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr(countdown, "running_runs", lambda: RUNNING)
    with Countdown(lambda: {"a": 9.0, "rte.bert.s0-0a": 9.0, "c": 4.0}, 1) as said:
        waiting = {"c": SimpleNamespace(parents=["rte.bert.s0-0a"])}
        said.look(ledger(done=["a"], running={"rte.bert.s0-0a": None}, waiting=waiting))
        assert said.bar.n == 1.25
        # 1 step took 2 s: 6 take 12, and c 4
        assert re.fullmatch(r"1/3 runs \|.{10}\| 00:00, about 16 s left, rte.bert.s0 25%", str(said.bar))
        said.look(ledger(done=["a", "rte.bert.s0-0a", "c"]))
        assert re.fullmatch(r"3/3 runs \|#{10}\| 00:00", str(said.bar))


def test_as_runs_end_the_estimate_is_made_anew(monkeypatch, capsys):
    monkeypatch.setattr(countdown, "running_runs", dict)
    estimates = [{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 70.0}]
    with Countdown(lambda: estimates.pop(0), 1) as said:
        waiting = {"b": SimpleNamespace(parents=[])}
        said.due = 0.0
        said.ended(ledger(done=["a"], waiting=waiting), "a")
    assert capsys.readouterr().out == "[1/2] a; about 1 min 10 s left\n"
