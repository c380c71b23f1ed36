"""What is published is read back through each tracker's own API, from a store of its own on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from intertask.errors import IntertaskError
from intertask.files import write
from intertask.studies import claims
from intertask.use.publish import MARK, publish_study
from made_store import write_index, write_run
from made_study import succeed

CURVE = "step,epoch,train_loss,examples,task,p,accuracy,main\n8,1.0,0.75,250,mini/rte,1.0,50.5,50.5\n"
CURVE += "24,2.0,0.5,500,mini/rte,1.0,{0},{0}\n"
SCORES = {"one.s0": 57.400722, "two.s1": 61.123457}
LATER = {"three.s2": 48.25}
TRACKERS = ["trackio", "wandb", "mlflow", "tensorboard"]


def finish(results: Path, scores: dict[str, float], **fields) -> None:
    """Runs whose learning rate a sweep decided, and whose parent is one of several."""
    fields = {"settings": {"learning_rate": 0.0005}, "parent": "before.s0"} | fields
    for seed, (run, score) in enumerate(scores.items()):
        write_run(results, run, "mini/rte", seed, score, **fields)
        write(results / "runs" / run / "curve.csv", CURVE.format(score))
        write(
            results / "runs" / run / "parameters.yaml",
            f"task: mini/rte\nlearning_rate: 2.0e-05\nlimit: null\nprecision: auto\nseed: {seed}\n",
        )
        write(results / "runs" / run / "notebook.ipynb", "{}")


@pytest.fixture
def results(tmp_path, monkeypatch):
    for name, value in {
        "INTERTASK_RESULTS": tmp_path / "results",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "TRACKIO_DIR": tmp_path / "trackio",
        "WANDB_DIR": tmp_path,
        "WANDB_MODE": "offline",
    }.items():
        monkeypatch.setenv(name, str(value))
    roles = [
        {"run": run, "stage": "target", "task": "mini/rte", "target": "mini/rte", "regime": "single", "seed": 0}
        for run in [*SCORES, *LATER]
    ]
    write_index(tmp_path / "results", "a/demo", roles)
    finish(tmp_path / "results", SCORES)
    return tmp_path / "results"


def published(to: str, study: str = "a/demo") -> str:
    """In a process of its own: trackers keep threads, and read their places once."""
    return succeed("publish", study, "--to", to, results=Path(os.environ["INTERTASK_RESULTS"]))


def read_trackio(results: Path) -> dict[str, tuple[dict, dict]]:
    code = (
        "import json, sys, trackio; from trackio.sqlite_storage import SQLiteStorage as store\n"
        "runs = [(run.name, run.config, store.get_logs('a-demo', run.name)) for run in trackio.Api().runs('a-demo')]\n"
        "print(json.dumps(runs))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {}
    for name, config, logs in json.loads(process.stdout.splitlines()[-1]):
        assert name not in found
        series: dict = {}
        for row in logs:
            for metric in row.keys() - {"step", "timestamp"}:
                series.setdefault(metric, []).append((row["step"], row[metric]))
        found[name] = (config, series)
    return found


def read_mlflow(results: Path) -> dict[str, tuple[dict, dict]]:
    from mlflow import MlflowClient

    client, found = MlflowClient(), {}
    (experiment,) = [one for one in client.search_experiments() if one.name == "a/demo"]
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    for run in runs:
        if run is not parent:
            assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id and run.info.run_name not in found
            assert run.info.status == "FINISHED"
            names = run.data.metrics
            series = {
                name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
                for name in names
            }
            found[run.info.run_name] = (run.data.params | {"notebook": run.data.tags["notebook"]}, series)
    return found


def read_tensorboard(results: Path) -> dict[str, tuple[dict, dict]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    from tensorboard.util.tensor_util import make_ndarray

    found = {}
    for folder in (results / "a/demo/tensorboard").iterdir():
        assert len([*folder.glob("events.*")]) == 1
        events = EventAccumulator(str(folder))
        events.Reload()
        series = {
            tag: [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(tag)]
            for tag in events.PluginTagToContent("scalars")
        }
        (start,) = [
            data
            for name, content in events.PluginTagToContent("hparams").items()
            if name.endswith("session_start_info") and (data := HParamsPluginData.FromString(content))
        ]
        values = {key: value.string_value for key, value in start.session_start_info.hparams.items()}
        (notebook,) = events.Tensors("notebook/text_summary")
        found[folder.name] = (values | {"notebook": make_ndarray(notebook.tensor_proto)[0].decode()}, series)
    return found


def wandb_records(path: Path) -> Iterator[Any]:
    """The messages of a file that wandb keeps offline: a log of LevelDB in blocks of 32 KiB, behind seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, begun = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        begun += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield Record.FromString(begun)
            begun = b""


def read_wandb(results: Path) -> dict[str, tuple[dict, dict]]:
    found = {}
    for path in (results.parent / "wandb").glob("offline-run-*/run-*.wandb"):
        records = [*wandb_records(path)]
        (run,) = [record.run for record in records if record.HasField("run")]
        assert run.project == "a-demo" and run.run_group == "a/demo" and run.display_name not in found
        assert not any(record.HasField("environment") for record in records) and records[-1].HasField("exit")
        series: dict = {}
        for history in (record.history for record in records if record.HasField("history")):
            for item in history.item:
                name = item.key or "".join(item.nested_key)
                series.setdefault(name, []).append((history.step.num, json.loads(item.value_json)))
        parameters = {item.key: json.loads(item.value_json) for item in run.config.update}
        found[run.display_name] = (parameters, series)
    return found


def unfinished_in_mlflow(results: Path, run: str) -> None:
    """As a process that is killed leaves it."""
    from mlflow import MlflowClient

    client = MlflowClient()
    number = client.get_experiment_by_name("a/demo").experiment_id
    (found,) = [one for one in client.search_runs([number]) if one.info.run_name == run]
    client.update_run(found.info.run_id, status="RUNNING")


def unfinished_in_wandb(results: Path, run: str) -> None:
    (mark,) = (results.parent / "wandb").glob(f"offline-run-*-{run}-*/{MARK}")
    mark.unlink()


def unfinished_in_tensorboard(results: Path, run: str) -> None:
    folder = results / "a/demo/tensorboard"
    (folder / run).rename(folder / f".{run}.0123abcd")


UNFINISHED = {"mlflow": unfinished_in_mlflow, "tensorboard": unfinished_in_tensorboard, "wandb": unfinished_in_wandb}
READ = {"trackio": read_trackio, "wandb": read_wandb, "mlflow": read_mlflow, "tensorboard": read_tensorboard}


def holds(results: Path, found: dict, scores: dict[str, float]) -> None:
    assert found.keys() == scores.keys()
    for run, (parameters, series) in found.items():
        assert parameters["record/precision"] == "float32" and parameters["record/parent"] == "before.s0"
        assert parameters["task"] == parameters["study/target"] == "mini/rte"
        assert str(parameters["learning_rate"]) == "0.0005" and parameters["study/regime"] == "single"
        assert parameters["notebook"] == (results / "runs" / run / "notebook.ipynb").as_uri()
        assert sorted(series["mini/rte/accuracy"]) == [(8, 50.5), (24, scores[run])]
        assert sorted(series["mini/rte/train_loss"]) == [(8, 0.75), (24, 0.5)]
        assert series["mini/rte/validation/main"] == [(24, scores[run])]


@pytest.mark.parametrize("to", TRACKERS)
def test_what_is_read_back_is_what_was_recorded_and_nothing_is_doubled(to, results):
    assert "2 runs written, there before 0, not finished 1" in published(to)
    holds(results, READ[to](results), SCORES)
    assert "0 runs written, there before 2" in published(to)
    holds(results, READ[to](results), SCORES)
    if to in UNFINISHED:
        UNFINISHED[to](results, "one.s0")
        assert "1 run written, there before 1" in published(to)
        holds(results, READ[to](results), SCORES)
    finish(results, LATER)
    finish(results, {"one.s0": 43.5}, finished="2026-01-02T00:00:00+00:00")  # made anew
    assert "2 runs written, there before 1, not finished 0" in published(to)
    holds(results, READ[to](results), SCORES | LATER | {"one.s0": 43.5})


def test_a_run_of_two_studies_stands_in_the_books_of_both(results):
    """In wandb, which keeps all that is offline in one folder."""
    role = {"run": "one.s0", "stage": "target", "task": "mini/rte", "target": "mini/rte", "regime": "single", "seed": 0}
    write_index(results, "b", [role])
    for of_both, of_one in [(("2 runs", 0), ("1 run", 0)), (("0 runs", 2), ("0 runs", 1))]:
        assert "{} written, there before {}".format(*of_both) in published("wandb")
        assert "{} written, there before {}".format(*of_one) in published("wandb", "b")


def test_a_run_that_somebody_logged_in_the_project_stays_and_stands_in_nobodys_way(results):
    code = "import trackio; trackio.init('a-demo', name='theirs'); trackio.log({'x': 1.0}); trackio.finish()"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert "2 runs written" in published("trackio") and "0 runs written" in published("trackio")
    found = read_trackio(results)
    assert found.keys() == {"theirs", *SCORES} and found["theirs"][1] == {"x": [(0, 1.0)]}


def test_a_tracker_that_cannot_be_reached_is_said_and_loses_nothing(results, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        IntertaskError,
        match="(?s)--to mlflow: expected that the tracker can be reached.*127.0.0.1.*the same command goes on",
    ):
        publish_study("a/demo", "mlflow")


def test_where_one_process_writes_another_does_not(results, refused):
    with claims.claim(results / ".tensorboard"):
        expected = "--to tensorboard: expected one that writes at a time, found process"
        refused(lambda: publish_study("a/demo", "tensorboard"), expected, "Wait until it has ended")
    publish_study("a/demo", "tensorboard", lambda _: None)


def test_an_experiment_that_was_deleted_is_named_with_what_brings_it_back(results, refused):
    import mlflow

    number = mlflow.MlflowClient().create_experiment("a/demo")
    mlflow.MlflowClient().delete_experiment(number)
    refused(lambda: publish_study("a/demo", "mlflow"), "experiment a/demo", f"restore --experiment-id {number}`")


@pytest.mark.parametrize("to", ["trackio", "wandb"])
def test_two_studies_that_would_be_one_project_are_refused(to, results, refused):
    write_index(results, "a-demo", [])
    refused(
        lambda: publish_study("a/demo", to), "a/demo: expected a study whose project has a name of its own", "`a-demo`"
    )


@pytest.mark.parametrize("to", TRACKERS)
def test_a_tracker_that_is_not_installed_is_refused_with_its_install_line(to, results, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard" if to == "tensorboard" else to, None)
    with pytest.raises(IntertaskError, match=rf"that it is not installed.*pip install 'intertask\[{to}\]'"):
        publish_study("a/demo", to)


def test_a_study_of_which_nothing_is_finished_is_refused(results):
    write_index(results, "empty", [])
    with pytest.raises(IntertaskError, match="empty: expected a study with finished runs, found none"):
        publish_study("empty", "tensorboard")
