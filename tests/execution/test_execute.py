"""A whole tiny study, executed and repeated, by hand too, on full disks and in folders that were moved."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from papermill.exceptions import PapermillExecutionError

from intertask.files import project_root
from intertask.run import Run
from intertask.studies.claims import machine
from intertask.training.record import Record
from intertask.training.train import Outcome
from made_driver import command, drive
from made_notebook import execute_notebook
from made_study import HANGING, own, predictions, read_only, records, scores, states, succeed

PAPERMILL = str(Path(sys.executable).with_name("papermill"))


def test_every_run_leaves_a_whole_folder(finished):
    assert len(records(finished)) == 6
    for folder in finished.glob("runs/*-*"):
        names = {path.name for path in folder.iterdir()} - {"encoder"}
        assert names == {"notebook.ipynb", "parameters.yaml", "run.json", "predictions", "curve.csv"}
    assert sum((folder / "encoder" / "model.safetensors").is_file() for folder in finished.glob("runs/*-*")) == 2
    assert not list((finished / "runs" / ".staging").iterdir())


def test_its_scores_are_worth_comparing(finished):
    assert len({own(record)["scores"]["validation"]["main"] for record in records(finished).values()}) > 3


def test_its_report_is_built_from_what_lies_there(finished, tiny):
    index = Path(succeed("report", tiny, results=finished).splitlines()[-1])
    assert index.is_file() and "Nothing is" in index.read_text()
    assert {path.name for path in index.parent.iterdir()} >= {"transfer_matrix.html", "restarts.html", "restarts.ipynb"}


def test_its_scores_come_out_as_a_tidy_table(finished, tiny, tmp_path):
    succeed("scores", tiny, "--csv", tmp_path / "scores.csv", results=finished)
    table = pd.read_csv(tmp_path / "scores.csv")
    assert list(table.columns) == (
        [
            "study",
            "run",
            "encoder",
            "part",
            "regime",
            "mixing",
            "supporting",
            "control",
            "ready_made",
            "target",
            "limit",
            "supporting_limit",
            "seed",
            "task",
            "split",
            "metric",
            "score",
        ]
    )
    # 6 runs, of which 4 have accuracy and main, 2 (ripeness) pearson, spearman and main
    assert len(table) == 4 * 2 + 2 * 3
    record = records(finished)[table.run[0]]
    assert table.score[0] == own(record)["scores"][table.split[0]][table.metric[0]]
    assert table.regime.fillna("none").value_counts().to_dict() == {"none": 6, "single": 4, "stilts": 4}


def test_the_executed_notebook_shows_data_training_and_result(finished):
    path = next(finished.glob("runs/fruit*/notebook.ipynb"))
    notebook = nbformat.read(path, as_version=4)
    text = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "the plum number" in text and "image/png" in text and "Recorded as" in text
    assert not [o for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert "widget-view" not in text  # a bar that nobody watched stands there at 0% for ever
    record = next(one for run, one in records(finished).items() if run == path.parent.name)
    score = own(record)["scores"][own(record)["reported"]]["main"]
    assert f"main {score:.1f} on {own(record)['reported']}" in notebook.cells[1].outputs[0].data["text/plain"]
    assert f"enters the pool as {path.parent.name}" in text and ".staging" not in text
    tagged = [one for one in notebook.cells if {*one.metadata.tags} & {"parameters", "injected-parameters"}]
    assert len(tagged) == 2 and all(one.metadata.jupyter.source_hidden for one in tagged)


def test_predictions_give_the_recorded_score(finished):
    for run, record in records(finished).items():
        if record["task"] == "fruit":
            rows = predictions(finished, run, record).query("split == 'validation'")
            assert 100 * (rows.label == rows.prediction).mean() == own(record)["scores"]["validation"]["accuracy"]


def test_again_trains_nothing(finished, tiny):
    before = states(finished)
    assert "6 finished before" in succeed("run", tiny, results=finished)
    assert states(finished) == before


def test_a_run_repeats_by_hand_with_plain_papermill(finished, tmp_path):
    run = next(i for i, record in records(finished).items() if record["parent"])
    folder = finished / "runs" / run
    arguments = [PAPERMILL, folder / "notebook.ipynb", tmp_path / "out.ipynb", "-f", folder / "parameters.yaml"]
    environment = os.environ | {"INTERTASK_RESULTS": str(finished)}
    subprocess.run([*map(str, arguments)], check=True, env=environment, capture_output=True)
    assert own(json.loads((finished / "by_hand" / run / "run.json").read_text()))["scores"] == scores(finished)[run][0]
    assert f"Every score equals that of {run}" in (tmp_path / "out.ipynb").read_text()
    shutil.rmtree(finished / "by_hand")


def test_a_misspelt_parameter_stops_the_notebook_before_training(tmp_path):
    notebook = project_root() / "notebooks" / "experiments" / "train.ipynb"
    with pytest.raises(PapermillExecutionError, match="There is no parameter 'sead'. Did you mean 'seed'?"):
        execute_notebook(notebook, tmp_path / "out.ipynb", {"sead": 3})


def test_a_changed_record_and_a_damaged_parent_are_made_anew(finished, tiny, tmp_path):
    """A run to do reads its parent's encoder, which is held against its digest then, and not when it is listed."""
    results = tmp_path / "results"
    shutil.copytree(finished, results)
    runs = {record["parent"]: run for run, record in records(results).items() if record["parent"]}
    parent, child = next(iter(runs.items()))
    flip(results / "runs" / parent / "encoder" / "model.safetensors")
    killed = json.dumps({"machine": machine(), "pid": 2**22 + 1})  # a process that there cannot be
    (results / "runs" / ".claims" / f"{child}.2").write_text(killed + "\n")
    (left := results / "runs" / ".staging" / f"{child}.2").mkdir()
    assert "6 finished before" in succeed("run", tiny, results=results)
    assert not left.exists()  # with nothing to do, what a killed run has left is removed
    path = results / "runs" / child / "run.json"
    path.write_text(path.read_text().replace('"main": ', '"main": 1'))
    output = succeed("run", tiny, results=results)
    assert "4 finished before" in output and "left out; the next `intertask run`" in output
    assert f"{parent}/encoder/model.safetensors: expected the " in output
    assert f"{child}/run.json: expected what Intertask wrote there" in output
    assert scores(results) == scores(finished)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def test_a_moved_and_read_only_folder_is_read(finished, tiny, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    with read_only(moved):
        with pytest.raises(OSError):
            (moved / "probe").touch()
        assert succeed("scores", tiny, results=moved) == succeed("scores", tiny, results=finished)
        assert "target       4 of 4 runs finished" in succeed("status", tiny, results=moved)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs more rights than this user has")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_no_run_starts_on_a_full_disk(tiny, small_disk):
    driver = drive("run", tiny, results=small_disk)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 2 and "Expected at least 200 MB free" in output and "Finished runs are safe" in output


def test_a_disk_that_fills_up_leaves_nothing_half_written(finished, tiny, tmp_path):
    def nearly_full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    shutil.copytree(finished, tmp_path / "results")
    lost = next((tmp_path / "results").glob("runs/fruit*"))
    shutil.rmtree(lost)
    before = states(tmp_path / "results")
    driver = command("run", tiny, results=tmp_path / "results", preexec_fn=nearly_full)
    output = driver.communicate(timeout=HANGING)[0]
    assert driver.returncode == 1 and "File too large" in output
    assert not lost.exists() and states(tmp_path / "results") == before


def test_the_record_documents_every_field(finished):
    written = set(next(iter(records(finished).values())))
    assert written == {*Record.model_fields, "sha256"}
    kept = {name: field for name, field in Outcome.model_fields.items() if not field.exclude}
    assert set(own(next(iter(records(finished).values())))) == set(kept)
    fields = [*Record.model_fields.values(), *kept.values()]
    assert all(field.description for field in fields)
    for run, record in records(finished).items():  # a parameter that is not in the identity has its default
        parameters = yaml.safe_load((finished / "runs" / run / "parameters.yaml").read_text())
        aside = {"task_file", "keep_encoder", "encoder", "parent"} | set(record["identity"])
        assert all(parameters[name] == field.default for name, field in Run.model_fields.items() if name not in aside)
