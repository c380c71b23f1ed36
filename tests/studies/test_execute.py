"""A whole tiny study, executed, repeated, killed, resumed and raced: real processes, real signals."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
import yaml

from intertask.files import project_root
from intertask.run import Run
from intertask.training.record import Record
from intertask.training.train import Outcome
from made_study import STUDY, command, succeed, wait_for, write_study

PAPERMILL = str(Path(sys.executable).with_name("papermill"))


def records(results) -> dict:
    return {path.parent.name: json.loads(path.read_text()) for path in results.glob("runs/*/run.json")}


def scores(results) -> dict:
    """Scores and every logit: what must be the same however a study came to its end."""
    found = {run: own(record)["scores"] for run, record in records(results).items()}
    logits = {run: predictions(results, run, record).logits for run, record in records(results).items()}
    return {run: (found[run], [tuple(values) for values in logits[run]]) for run in found}


def own(record) -> dict:
    """What a record says of its only task."""
    return record["tasks"][record["task"]]


def predictions(results, run, record) -> pd.DataFrame:
    return pd.read_parquet(results / "runs" / run / "predictions" / f"{record['task']}.parquet")


def states(results) -> dict:
    """What must not change when nothing is to do."""
    files = [path for path in results.glob("runs/*/*") if not path.parent.name.startswith(".")]
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


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
    assert "the plum number" in text and "image/png" in text and "Recorded in" in text
    assert not [o for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]


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
    arguments = [PAPERMILL, str(notebook), str(tmp_path / "out.ipynb"), "-p", "sead", "3"]
    process = subprocess.run(arguments, capture_output=True, text=True)
    assert process.returncode != 0
    assert "There is no parameter 'sead'. Did you mean 'seed'?" in process.stderr


def test_a_killed_driver_takes_its_processes_along_and_the_study_is_resumed(finished, tiny, tmp_path):
    driver = command("run", tiny, results=tmp_path)
    wait_for(lambda: records(tmp_path) and kernels(driver))
    family = kin(driver)
    done = states(tmp_path)
    driver.kill()
    driver.communicate()
    wait_for(lambda: not [process for process in family if alive(process)], seconds=10)
    assert 0 < len(records(tmp_path)) < 6
    succeed("run", tiny, results=tmp_path)
    assert scores(tmp_path) == scores(finished)
    assert {path: state for path, state in states(tmp_path).items() if path in done} == done
    assert not list((tmp_path / "runs" / ".staging").iterdir())


def kin(driver) -> list[psutil.Process]:
    try:
        return [p for p in psutil.Process(driver.pid).children(recursive=True) if alive(p)]
    except psutil.NoSuchProcess:
        return []


def alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it may end between two questions
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def fork_server(driver) -> psutil.Process:
    """The warm process: runs and their kernels are forked from it."""
    return wait_for(lambda: _warm(driver))[0]


def _warm(driver) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):  # whoever ends meanwhile is no reason not to ask again
        return [p for p in psutil.Process(driver.pid).children() if "forkserver" in " ".join(p.cmdline())]
    return []


def kernels(driver) -> list[psutil.Process]:
    """Warm kernels: the children of the workers."""
    with suppress(psutil.NoSuchProcess):
        return [kernel for worker in fork_server(driver).children() for kernel in worker.children()]
    return []


def computing(process: psutil.Process) -> bool:
    """Whether a kernel is beyond its start, which takes an ordinary one half a second."""
    with suppress(psutil.NoSuchProcess):
        return process.cpu_times().user > 1
    return False


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """One run of a few seconds."""
    train = STUDY["train"] | {"num_train_epochs": 200}
    return write_study(tmp_path_factory.mktemp("slow"), regimes=["single"], supporting=[], seeds=1, train=train)


@pytest.mark.parametrize("kernel", ["warm", "plain"])
def test_a_killed_kernel_fails_its_run_and_the_study_is_resumed(slow, tmp_path, kernel):
    options = ["--plain-kernels"] if kernel == "plain" else []
    driver = command("run", slow, *options, results=tmp_path)
    kernel = wait_for(lambda: [p for p in kernels(driver) if computing(p)])[0]
    kernel.send_signal(signal.SIGKILL)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2
    assert "1 of 1 runs failed; repeat the command to retry" in output and "DeadKernelError" in output
    failure = next(tmp_path.glob("runs/.failed/*/failure.json"))
    assert json.loads(failure.read_text())["cell"] is not None
    assert (failure.parent / "notebook.ipynb").is_file() and not records(tmp_path)
    assert "DeadKernelError" in succeed("status", slow, results=tmp_path)
    succeed("run", slow, results=tmp_path)
    assert len(records(tmp_path)) == 1
    assert not list(tmp_path.glob("runs/.failed/*"))


def test_a_killed_worker_takes_its_kernel_along(slow, tmp_path):
    driver = command("run", slow, results=tmp_path)
    kernel = wait_for(lambda: [p for p in kernels(driver) if computing(p)])[0]
    kernel.parent().kill()
    assert "its process ended with code -9" in driver.communicate(timeout=300)[0]
    wait_for(lambda: not alive(kernel), seconds=10)
    assert not records(tmp_path)


def test_without_its_warm_process_a_study_goes_on(finished, tiny, tmp_path):
    driver = command("run", tiny, results=tmp_path)
    wait_for(lambda: records(tmp_path) and kernels(driver))
    lost = fork_server(driver)
    carried = kin(driver)
    lost.kill()
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 0, output
    assert scores(tmp_path) == scores(finished)
    assert not [process for process in carried if alive(process)]


def test_plain_kernels_give_the_same_scores(finished, tiny, tmp_path):
    succeed("run", tiny, "--plain-kernels", results=tmp_path)
    assert scores(tmp_path) == scores(finished)


def test_many_at_once_are_none_lost_and_none_hung(finished, tiny, tmp_path):
    succeed("run", tiny, "--workers", 8, results=tmp_path)
    assert scores(tmp_path) == scores(finished)


def test_two_drivers_execute_each_run_once_and_give_the_same_scores(finished, tiny, tmp_path):
    drivers = [command("run", tiny, results=tmp_path) for _ in range(2)]
    outputs = [driver.communicate(timeout=300)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    assert scores(tmp_path) == scores(finished)
    claims = list((tmp_path / "runs" / ".claims").iterdir())
    assert len(claims) == 6 and {len(claim.read_text().splitlines()) for claim in claims} == {1}


def test_a_failing_run_names_its_cell_and_the_others_go_on(tmp_path):
    study = write_study(tmp_path, regimes=["single"], supporting=[], targets=["fruit", "ripeness"], seeds=1)
    content = yaml.safe_load(study.read_text())
    content["target"] = {"learning_rate": 1e30, "warmup_steps": 0, "max_grad_norm": 1e30}
    content["targets"], content["limits"] = ["fruit"], [None]
    study.write_text(yaml.safe_dump(content))
    driver = command("run", study, results=tmp_path)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2
    assert "1 of 1 runs failed" in output and "IntertaskError: The loss became" in output and "cell " in output
    assert not records(tmp_path)
    failed = nbformat.read(next(tmp_path.glob("runs/.failed/*/notebook.ipynb")), as_version=4)
    assert "The loss became" in json.dumps(failed.cells)


def test_what_starts_from_a_failed_run_is_not_started(tmp_path):
    study = write_study(tmp_path, regimes=["stilts"], seeds=1, intermediate={"learning_rate": 1e30, "warmup_steps": 0})
    output = command("run", study, results=tmp_path).communicate(timeout=300)[0]
    assert "2 of 2 runs failed" in output and "not started: its parent ripeness" in output


def test_a_run_past_its_time_is_stopped(slow, tmp_path):
    driver = command("run", slow, "--timeout", 0.02, results=tmp_path)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2 and "wall-clock limit of a run (--timeout)" in output
    assert not records(tmp_path)


def test_a_changed_record_is_refused(finished, tiny, tmp_path):
    shutil.copytree(finished, tmp_path / "results")
    path = next((tmp_path / "results").glob("runs/fruit*/run.json"))
    record = json.loads(path.read_text())
    record["identity"]["learning_rate"] = 0.5
    path.write_text(json.dumps(record))
    driver = command("run", tiny, results=tmp_path / "results")
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2
    assert "expected parameters whose hash is" in output and "delete it" in output


def test_a_moved_and_read_only_folder_is_read(finished, tiny, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(finished, moved)
    with read_only(moved):
        with pytest.raises(OSError):
            (moved / "probe").touch()
        assert succeed("scores", tiny, results=moved) == succeed("scores", tiny, results=finished)
        assert "target       4 of 4 runs finished" in succeed("status", tiny, results=moved)


@contextmanager
def read_only(folder):
    """A folder that nobody can write to: by its mode, or, as root, who may write anyway, by a read-only mount."""
    if os.getuid():
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
        yield
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    yield
    subprocess.run(["umount", folder], check=True)


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
    driver = command("run", tiny, results=small_disk)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2 and "Expected at least 200 MB free" in output and "Finished runs are safe" in output


def test_a_disk_that_fills_up_leaves_nothing_half_written(finished, tiny, tmp_path):
    def nearly_full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    shutil.copytree(finished, tmp_path / "results")
    lost = next((tmp_path / "results").glob("runs/fruit*"))
    shutil.rmtree(lost)
    before = states(tmp_path / "results")
    driver = command("run", tiny, results=tmp_path / "results", preexec_fn=nearly_full)
    output = driver.communicate(timeout=300)[0]
    assert driver.returncode == 2 and "File too large" in output
    assert not lost.exists() and states(tmp_path / "results") == before
    succeed("run", tiny, results=tmp_path / "results")
    assert scores(tmp_path / "results") == scores(finished)


def test_the_record_documents_every_field(finished):
    written = set(next(iter(records(finished).values())))
    assert written == set(Record.model_fields)
    kept = {name: field for name, field in Outcome.model_fields.items() if not field.exclude}
    assert set(own(next(iter(records(finished).values())))) == set(kept)
    fields = [*Record.model_fields.values(), *kept.values()]
    assert all(field.description for field in fields)
    for run, record in records(finished).items():  # a parameter that is not in the identity has its default
        parameters = yaml.safe_load((finished / "runs" / run / "parameters.yaml").read_text())
        aside = {"task_file", "keep_encoder", "encoder", "parent"} | set(record["identity"])
        assert all(parameters[name] == field.default for name, field in Run.model_fields.items() if name not in aside)
