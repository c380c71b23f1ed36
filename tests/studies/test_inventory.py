"""Which studies there are, and what a finished run is."""

import json

import pytest
from typer.testing import CliRunner

from intertask.cli import app
from intertask.views import inventory
from made_store import write_failure, write_run


def said(code: int, *arguments) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture
def results(finished, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(finished))
    return finished


def test_the_version_is_said():
    assert said(0, "--version").startswith("intertask ")


def test_every_study_is_listed_with_what_became_of_it(results):
    output = said(0, "studies")
    assert "tiny 6 of 6 runs finished; begun 20" in output and "weller2022/pairwise never run" in output
    assert "tasks/" not in output


def test_a_run_is_found_by_its_beginning_and_shown(results):
    path = next(results.glob("runs/fruit*/run.json"))
    record = json.JSONDecoder().raw_decode(path.read_text())[0]
    output = said(0, "show", record["id"][:-2])
    assert said(0, "show", f"{path.parent}/") == output
    score = record["tasks"]["fruit"]["scores"]["validation"]["accuracy"]
    assert record["id"] in output and f"accuracy {score:.1f}" in output
    settings = output.partition(" parameters that were set ")[2]
    assert " num_train_epochs: 2 " in settings
    assert "_seed: " not in settings  # they follow the run's
    files = ["notebook.ipynb", "curve.csv", "predictions/fruit.parquet"]  # the last stage keeps no encoder
    assert output.partition(" files ")[2].split() == [str(path.parent / name) for name in files]


def test_a_run_is_shown_with_what_its_sweep_decided_and_what_it_took(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    write_run(tmp_path, "one.s0", "mini/rte", 0, 60.0, settings={"learning_rate": 0.0005})
    output = said(0, "show", "one.s0")
    assert "on cpu in float32, 24 steps" in output and "parameters that were set learning_rate: 0.0005" in output


def test_what_names_no_run_or_several_is_refused(results):
    assert "Did you mean 'fruit" in said(2, "show", "friut.bert.s0")
    assert "give more of one" in said(2, "show", "fruit")


def test_a_run_that_failed_is_said_to_have(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    write_failure(tmp_path, "fruit.bert.s0-0123456789ab", "the loss became NaN")
    assert "found that it failed (cell 4: the loss became NaN)" in said(2, "show", "fruit.bert.s0")


def test_names_are_completed(results):
    assert "weller2022/pairwise" in [name for name in inventory.known_studies() if name.startswith("weller2022/p")]
