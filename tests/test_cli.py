"""The command: what it says before anything starts."""

import errno
import io
import json
import os
import signal
import sys
from datetime import datetime
from types import SimpleNamespace

import pandas as pd
import pytest
import typer
import yaml
from typer.testing import CliRunner

from intertask import cli
from intertask.cli import app
from made_store import make_store
from made_study import write_study


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "study")


def changed(study, **changes):
    study.write_text(yaml.safe_dump(yaml.safe_load(study.read_text()) | changes))
    return study


def said(code: int, *arguments) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_check_of_a_sound_study(study):
    assert "tiny is sound: 6 runs, 6 to do" in said(0, "check", study)


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_unknown_task_is_refused_before_training(command, study, tmp_path):
    changed(study, targets=["friut"])
    assert "Unknown task 'friut'" in said(2, command, study) and "Did you mean 'fruit'" in said(2, command, study)
    assert not (tmp_path / "results").exists()


def test_an_encoder_that_is_not_there_is_refused(study, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path / "mirror"))
    changed(study, encoders=["someone/bert"])
    assert "a local clone of 'someone/bert' (the Hub is not asked)" in said(2, "run", study)


@pytest.mark.parametrize("command", ["check", "run"])
def test_every_problem_of_the_data_is_named_at_once(command, study, tmp_path):
    folder = study.parent
    frame = pd.read_csv(folder / "train.csv")
    frame.loc[4, "fruit"] = "peach"
    frame.to_csv(folder / "train.csv", index=False)
    frame = pd.read_csv(folder / "dev_ripeness.csv")
    frame.drop(columns="ripeness").to_csv(folder / "dev_ripeness.csv", index=False)
    output = said(2, command, changed(study, report=["transfer_matricks"]))
    assert "train.csv, row 5" in output and "'peach'" in output
    assert "dev_ripeness.csv" in output and "ripeness" in output
    assert "no notebook transfer_matricks" in output and "Did you mean 'transfer_matrix'" in output
    assert not (tmp_path / "results").exists()


def test_a_dry_run_shows_the_graph_and_starts_nothing(study, tmp_path):
    output = said(0, "run", study, "--dry-run")
    assert "fruit after ripeness" in output and "6 trainings, 0 done, 6 to do" in output
    assert "worker" in output and " (a guess" in output and "MB of disk" in output
    assert "all examples: 1 run fruit" in said(0, "run", changed(study, seeds=1), "--dry-run")
    assert not (tmp_path / "results").exists()


def test_a_dry_run_of_what_is_not_at_hand_prints_the_papers_counts_and_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path))
    output = said(0, "run", "weller2022/pairwise", "--dry-run")
    assert "MTL of two tasks: 180 here, 360 in the paper. 9 x 8 x 5 cells are read from 36 x 5 runs" in output
    assert "Not everything is at hand" in output and "distilbert/distilroberta-base" in output


def test_a_study_of_a_paper_is_planned_on_the_mini_suite(tmp_path):
    output = said(0, "run", "weller2022/pairwise", "--mini", "--quick", "--dry-run")
    assert "mtl, dynamic, mini/bert" in output and "mini/mnli, " in output and "in the paper" not in output
    assert "--quick: expected --mini with it" in said(2, "run", "weller2022/pairwise", "--quick", "--dry-run")


def test_a_study_that_was_never_run_has_no_status(study):
    assert "No study 'tiny' in the results folder" in said(2, "status", study)


def test_a_changed_mirror_is_read_anew(tmp_path, monkeypatch):
    """The same path, other rows: another fingerprint, other runs, and the new rows."""
    from intertask.run import Run
    from intertask.tasks.load import load_task

    clone = tmp_path / "nyu-mll" / "glue"
    (clone / "rte").mkdir(parents=True)
    files = [{"split": split, "path": f"rte/{split}.parquet"} for split in ("train", "validation")]
    header = {"configs": [{"config_name": "rte", "data_files": files}]}
    (clone / "README.md").write_text(f"---\n{json.dumps(header)}\n---\n")
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path))
    seen = []
    for version in ("old", "new"):
        rows = {"sentence1": [version] * 4, "sentence2": ["b"] * 4, "label": [0, 1, 0, 1], "idx": range(4)}
        for split in ("train", "validation"):
            pd.DataFrame(rows).to_parquet(clone / "rte" / f"{split}.parquet")
        seen.append((Run(task="rte").id(), load_task("rte").splits["train"].sentence1[0]))
    assert [text for _, text in seen] == ["old", "new"] and seen[0][0] != seen[1][0]


def test_the_catalogue_is_listed_and_written(tmp_path):
    output = said(0, "tasks", "--format", "regression")
    assert "stsb 5,749 1,500 1,379" in output and "pearson, spearman Hub nyu-mll/glue, stsb" in output
    assert "mini/stsb 800 400 yes" in output and "mini/rte" not in output
    assert "no format regresion. Did you mean 'regression'?" in said(2, "tasks", "--format", "regresion")
    said(0, "tasks", "--csv", tmp_path / "tasks.csv")
    table = pd.read_csv(tmp_path / "tasks.csv").set_index("name")
    assert table.loc["rte", ["format", "train", "source"]].tolist() == ["classification", 2490, "Hub nyu-mll/glue, rte"]


def test_a_task_file_is_checked(study, tmp_path):
    output = said(0, "task", "check", study.parent / "tasks.yaml")
    assert "# fruit: classification, scored by accuracy" in output and "% plum 50.0 50.0 –" in output
    assert "# ripeness: regression, scored by pearson and spearman" in output and "highest 5.00 5.00" in output
    assert output.count("validation has 32 examples: one of them is 3.1 points of accuracy.") == 2
    assert "fruit" not in said(0, "task", "check", study.parent / "tasks.yaml", "ripeness").split("- text")[0]
    assert "expected a readable YAML file" in said(2, "task", "check", tmp_path / "none.yaml")


def test_a_limit_above_the_data_is_said_and_threads_above_the_machine_are_refused(study):
    changed(study, limits=[5, 500])
    assert "limit 500 of fruit takes all of its 64 training examples." in said(0, "check", study)
    assert "limit 5 of" not in said(0, "check", study)
    output = said(0, "check", changed(study, train={"limit_stratified": True}, supporting_limits=[5]))
    assert "limit_stratified: ripeness (regression) has no single" in output and "limit_stratified: fruit" not in output
    found = said(2, "check", changed(study, threads=10_000))
    assert "threads: expected at most the" in found and "found 10000" in found


@pytest.mark.parametrize("name", ["train", "test", "validation_report"])
def test_a_further_task_that_has_the_name_of_a_split_is_refused(study, name):
    tasks = yaml.safe_load((study.parent / "tasks.yaml").read_text())
    further = tasks["fruit"] | {"files": {"test": "dev.csv"}}
    (study.parent / "tasks.yaml").write_text(yaml.safe_dump(tasks | {name: further, "other": further}))
    assert "is sound" in said(0, "check", changed(study, evaluate_on={"fruit": ["other"]}))
    found = said(2, "check", changed(study, evaluate_on={"fruit": [name]}))
    assert f"evaluate_on: expected a task whose name is none of a split, as {name} is of fruit" in found


def test_what_data_holds_does_not_steer_the_terminal(study):
    frame = pd.read_csv(study.parent / "train.csv")
    frame.loc[0, "text"] = "an \x1b[31mapple\x1b]0;x\x07"
    frame.to_csv(study.parent / "train.csv", index=False)
    found = said(0, "task", "check", study.parent / "tasks.yaml", "fruit")
    assert "an \\x1b[31mapple\\x1b]0;x\\x07" in found and "\x1b" not in found


@pytest.mark.parametrize("place", ["missing/scores.csv", ".", "file/scores.csv"])
@pytest.mark.parametrize("command", [["scores", "demo"], ["tasks"]], ids=lambda command: command[0])
def test_where_no_csv_can_be_written_nothing_is_computed(command, place, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(cli, "csv_text", lambda *_, **__: pytest.fail("computed"))
    output = said(2, *command, "--csv", tmp_path / place)
    expected = "a file whose name ends in .csv, in a folder that is there and can be written to"
    assert f"--csv: expected {expected}, found {tmp_path}" in output


def test_a_deleted_working_folder_is_refused_in_words(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "working directory: expected a folder, found that it was deleted" in said(2, "tasks")


def test_a_place_said_relatively_is_the_same_for_runs_which_are_executed_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERTASK_HUB", "mirror")
    monkeypatch.setenv("INTERTASK_CACHE", "~/cache")
    said(2, "check", "nothing")
    assert os.environ["INTERTASK_HUB"] == str(tmp_path / "mirror")
    assert os.environ["INTERTASK_CACHE"] == os.path.expanduser("~/cache")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EISDIR, errno.ELOOP])
def test_a_place_that_cannot_be_written_is_named_and_other_faults_are_shown(code, study, monkeypatch):
    def fail(*_):
        raise OSError(code, os.strerror(code), "/some/place")

    monkeypatch.setattr(cli, "_load", fail)
    assert f"/some/place: expected a place to read and to write, found {os.strerror(code)}." in said(2, "check", study)
    code = errno.EIO
    with pytest.raises(OSError):
        CliRunner().invoke(app, ["check", str(study)], catch_exceptions=False)


@pytest.mark.parametrize("arguments", [["scores", "fruit"], ["tasks"], ["status", "–"], ["--help"]])
def test_a_terminal_without_all_characters_is_written_to(arguments, tmp_path, monkeypatch):
    """What is read by programs is written as in a file."""
    make_store(tmp_path / "results", lambda *_: 60.0, name="fruit", targets=("mini/rte",), supporting=("a–b",), seeds=1)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), "ascii"))
    with pytest.raises(SystemExit):
        app(arguments)
    sys.stdout.flush()
    output = sys.stdout.buffer.getvalue()
    assert ("a–b".encode() in output) == (arguments[0] == "scores") != output.isascii()


def test_help_keeps_what_stands_in_brackets_and_flows(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert "owner/name[@revision]" in CliRunner().invoke(app, ["encoder", "convert", "--help"]).output
    told = CliRunner().invoke(app, ["run", "--help"]).output.split("Ends with")[1].split("Arguments")[0]
    lines = [line for line in told.splitlines()[:-2] if line.strip()]
    assert len(lines) == 4 and all(len(line.rstrip()) > 60 for line in lines)


def test_the_end_of_the_time_is_read_in_three_ways(monkeypatch, refused):
    """At 17:30 of 2026-11-27, when the monotonic clock says 100."""
    here = datetime(2026, 11, 27, 17, 30).astimezone()
    monkeypatch.setattr(cli, "datetime", type("At", (datetime,), {"now": classmethod(lambda cls: here)}))
    monkeypatch.setattr(cli.time, "monotonic", lambda: 100.0)
    assert cli._deadline("") == float("inf")
    assert cli._deadline("17:31") == 160 and cli._deadline("17:30") == 100 + 24 * 3600
    assert cli._deadline("2026-11-27T18:30") == 3700
    assert cli._deadline(str(int(here.timestamp()) + 5)) == 105
    for text in ("2026-11-27T17:30", "2001-01-01", "25:00", "soon", "17", "9" * 30, "1e999"):
        refused(lambda text=text: cli._deadline(text), "--until: expected a time to come", f"found {text}")


def test_a_signal_that_comes_when_the_last_run_ends_stops_nothing(capsys):
    progress = SimpleNamespace(done=["a"], failed={}, stopped=signal.SIGTERM, too_long=[])
    cli._say_end("it", 1, progress, {})
    assert capsys.readouterr().err == ""
    with pytest.raises(typer.Exit) as ended:
        cli._say_end("it", 2, progress, {})
    assert ended.value.exit_code == 143 and "1 of 2 runs left to do" in capsys.readouterr().err
