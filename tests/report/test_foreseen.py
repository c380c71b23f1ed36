"""Refusals of a report before anything trains: by the notebooks themselves, of a study of which no run is there."""

import json
import os
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from intertask.report.foreseen import foreseen
from intertask.studies.graph import Graph, expand
from intertask.studies.study import Study, load_study

CONTENT = {"title": "T", "encoders": ["mini/bert"], "supporting": ["mini/mnli"], "targets": ["mini/rte"], "seeds": 1}


def graph_of(report, regimes=("single", "stilts"), **changes) -> Graph:
    return expand("s", Study(**CONTENT | {"regimes": list(regimes), "report": [report]} | changes))


@pytest.mark.parametrize(
    "regimes, report, message",
    [
        (["single"], "transfer_matrix", "No transfer to tabulate: .* Give it supporting tasks and regimes"),
        (["single"], "mixing", "Expected runs of regime mtl_all, found none"),
        (["single", "mtl"], "size_heuristic", "Nothing to compare: no pair of tasks has both regimes"),
        (["single", "stilts"], "all_tasks", "Nothing to compare: no pair of tasks has both regimes"),
        (["single"], "diagnostic_breakdown", "No diagnostic to break down: expected evaluate_on in the study"),
        (["single"], "probing_correlations", "Expected targets and probes, found no probes: mini/rte"),
        (["mtl_all"], "target_correlations", "Nothing to correlate: expected target runs with regime single or stilts"),
        (["single", "stilts"], {"notebook": "transfer_matrix", "confidence": 95.0}, "confidence is a share .* 95.0"),
        (["single"], {"notebook": "target_correlations", "method": "kendall"}, "method: expected one of .*'kendall'"),
        (["single"], {"notebook": "target_correlations", "published": "none"}, "published: there is no table 'none'"),
        (["single"], {"notebook": "data_size", "x": "tokens"}, "x: expected one of target, supporting; found 'tokens'"),
        (["single"], {"notebook": "best_of_each", "restarts": "worst"}, "restarts: expected one of best, mean"),
        (["single"], {"notebook": "restarts", "study": 3}, "study: expected str, found 3"),
    ],
)
def test_what_the_report_would_refuse_after_all_training_is_refused_before(regimes, report, message):
    graph = graph_of(report, regimes, supporting=CONTENT["supporting"] if regimes != ["single"] else [])
    (found,) = foreseen(graph)
    assert re.search(message, found)
    assert found.startswith(f"report, {graph.study.report[0].notebook}: ")


@pytest.mark.parametrize("name", ["demo", "diagnostic_mini", "weller2022/size", "wang2019/mixing"])
def test_sound_studies_are_foreseen_to_have_a_report(name):
    assert foreseen(expand(*load_study(name, mini=True, quick=True))) == []


def test_nothing_is_written_or_left_and_the_second_time_nothing_is_read(tmp_path, monkeypatch):
    style, graph = dict(plt.rcParams), graph_of({"notebook": "learning_curves", "export": str(tmp_path / "tables")})
    before = os.environ["INTERTASK_RESULTS"]
    assert foreseen(graph) == [] and os.environ["INTERTASK_RESULTS"] == before
    assert not (tmp_path / "tables").exists() and not Path(before).exists()
    assert not plt.get_fignums() and dict(plt.rcParams) == style
    monkeypatch.setattr("intertask.report.foreseen._read_planned", lambda *_: pytest.fail("read again"))
    assert foreseen(graph) == []


def test_a_refusal_names_the_results_that_are_meant(tmp_path):
    (found,) = foreseen(graph_of({"notebook": "literature", "tables": ["none"]}))
    assert f"No study 'published/none' in the results folder {tmp_path / 'results'}" in found


def test_what_fails_for_want_of_runs_is_no_refusal(monkeypatch, tmp_path):
    cells = ['study: str = "demo"', "from intertask.analysis.read import read_runs\nruns = read_runs(study)"]
    cells += ["1 / int(runs['done'].sum())", "raise AssertionError"]
    (tmp_path / "own.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": [c]} for c in cells]}))
    monkeypatch.setattr("intertask.report.foreseen.analysis_notebook", lambda name: tmp_path / f"{name}.ipynb")
    assert foreseen(graph_of("own")) == []
