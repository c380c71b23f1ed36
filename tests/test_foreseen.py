"""Refusals of a report before anything trains: by the notebooks themselves, of a study of which no run is there."""

import json
import os
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from intertask.foreseen import foreseen
from intertask.studies import check
from intertask.studies.graph import Graph, expand
from intertask.studies.study import Study, load_study

CONTENT = {"title": "T", "encoders": ["mini/bert"], "supporting": ["mini/mnli"], "targets": ["mini/rte"], "seeds": 1}


def graph_of(report, regimes=("single", "stilts"), **changes) -> Graph:
    return expand("s", Study(**CONTENT | {"regimes": list(regimes), "report": [report]} | changes))


@pytest.mark.parametrize(
    "place, regimes, report, message",
    [
        (
            "analysis/transfer.py transfer_table",
            ["single"],
            "transfer_matrix",
            "No transfer to tabulate: .* Give it supporting tasks and regimes",
        ),
        ("papers/mixtures.py mixed", ["single"], "mixing", "Expected runs of regime mtl_all, found none"),
        (
            "analysis/regimes.py regime_differences",
            ["single", "mtl"],
            "size_heuristic",
            "Nothing to compare: no pair of tasks has both regimes",
        ),
        (
            "analysis/regimes.py regime_differences",
            ["single", "stilts"],
            "all_tasks",
            "Nothing to compare: no pair of tasks has both regimes",
        ),
        (
            "analysis/diagnostics.py scored_on",
            ["single"],
            "diagnostic_breakdown",
            "No diagnostic to break down: expected evaluate_on in the study",
        ),
        (
            "papers/probing_correlations.py split_tasks",
            ["single"],
            "probing_correlations",
            "Expected targets and probes, found no probes: mini/rte",
        ),
        (
            "analysis/correlations.py measured",
            ["mtl_all"],
            "target_correlations",
            "Nothing to correlate: expected target runs with regime single or stilts",
        ),
        (
            "analysis/statistics.py check_confidence",
            ["single", "stilts"],
            {"notebook": "transfer_matrix", "confidence": 95.0},
            "confidence is a share .* 95.0",
        ),
        (
            "analysis/statistics.py check_choice",
            ["single"],
            {"notebook": "target_correlations", "method": "kendall"},
            "method: expected one of .*'kendall'",
        ),
        (
            "papers/printed_correlations.py published_correlations",
            ["single"],
            {"notebook": "target_correlations", "published": "none"},
            "published: there is no table 'none'",
        ),
        (
            "analysis/statistics.py check_choice",
            ["single"],
            {"notebook": "data_size", "x": "tokens"},
            "x: expected one of target, supporting; found 'tokens'",
        ),
        (
            "analysis/statistics.py check_choice",
            ["single"],
            {"notebook": "best_of_each", "restarts": "worst"},
            "restarts: expected one of best, mean",
        ),
        (
            "parameters.py check_values",
            ["single"],
            {"notebook": "restarts", "study": 3},
            "study: expected str, found 3",
        ),
    ],
)
def test_what_the_report_would_refuse_after_all_training_is_refused_before(reached, place, regimes, report, message):
    graph = graph_of(report, regimes, supporting=CONTENT["supporting"] if regimes != ["single"] else [])
    (found,) = foreseen(graph)
    assert re.search(message, found) and place in reached
    assert found.startswith(f"report, {graph.study.report[0].notebook}: ")


def test_a_file_that_a_parameter_names_is_read_again_when_it_is_another(tmp_path):
    path = tmp_path / "printed.csv"
    graph = graph_of({"notebook": "target_correlations", "published": str(path)})
    path.write_text("task_a,task_b,pearson\na,b,0.5\n")
    assert foreseen(graph) == []
    path.write_text("task_a,task_b\na,b\n")
    assert "has no column pearson" in foreseen(graph)[0]


@pytest.mark.parametrize("name", ["demo", "diagnostic_mini", "weller2022/size", "wang2019/mixing"])
def test_sound_studies_are_foreseen_to_have_a_report(name):
    assert foreseen(expand(*load_study(name, mini=True, quick=True))) == []


def test_nothing_is_written_or_left_and_the_second_time_nothing_is_read(tmp_path, monkeypatch):
    style, graph = dict(plt.rcParams), graph_of({"notebook": "learning_curves", "export": str(tmp_path / "tables")})
    before = os.environ["INTERTASK_RESULTS"]
    assert foreseen(graph) == [] and os.environ["INTERTASK_RESULTS"] == before
    assert not (tmp_path / "tables").exists() and not Path(before).exists()
    assert not plt.get_fignums() and dict(plt.rcParams) == style
    monkeypatch.setattr("intertask.foreseen._read_planned", lambda *_: pytest.fail("read again"))
    assert foreseen(graph) == []


def test_a_refusal_names_the_results_that_are_meant(tmp_path):
    (found,) = foreseen(graph_of({"notebook": "literature", "tables": ["none"]}))
    assert f"No study 'published/none' in the results folder {tmp_path / 'results'}" in found


def test_what_fails_for_want_of_runs_is_no_refusal(monkeypatch, tmp_path):
    cells = ['study: str = "demo"', "from intertask.analysis.read import read_runs\nruns = read_runs(study)"]
    cells += ["1 / int(runs['done'].sum())", "raise AssertionError"]
    (tmp_path / "own.ipynb").write_text(json.dumps({"cells": [{"cell_type": "code", "source": [c]} for c in cells]}))
    monkeypatch.setattr(check, "analysis_notebook", lambda name: tmp_path / f"{name}.ipynb")
    assert foreseen(graph_of("own")) == []


@pytest.fixture
def own_notebook(tmp_path, monkeypatch):
    def write(source: str) -> Graph:
        cells = [{"cell_type": "code", "source": text} for text in ('study: str = "demo"', source)]
        path = tmp_path / "own.ipynb"
        path.write_text(json.dumps({"cells": cells}) if source else '{"cells": [')
        monkeypatch.setattr(check, "analysis_notebook", lambda name: path)
        return graph_of("own")

    return write


def test_a_notebook_that_is_cut_off_is_refused_with_its_file(own_notebook, refused):
    graph = own_notebook("")
    refused(lambda: check.notebook_parameters(graph.study.report[0]), "own.ipynb: expected a notebook", "Save it again")
    refused(lambda: foreseen(graph), "own.ipynb: expected a notebook")


def test_what_is_ipythons_is_no_fault_and_what_python_cannot_read_is(own_notebook):
    assert not foreseen(own_notebook("%matplotlib inline\n!false\nraise SystemExit"))
    (found,) = foreseen(own_notebook("table = (1,\nprint(table"))
    assert "report, own: its code: expected what Python reads" in found and "was never closed" in found
