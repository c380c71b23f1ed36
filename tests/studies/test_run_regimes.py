"""Every regime, choice and budget once, from the command to the report, on tasks of a few dozen sentences."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from intertask.analysis.read import read_runs
from intertask.files import project_root
from intertask.report import build_report
from made_notebook import execute_notebook
from made_study import own, records, succeed, write_study

STUDY = {
    "supporting": ["ripeness"],
    "targets": ["fruit", "ripeness"],
    "regimes": ["single", "stilts", "mtl", "mtl_all", "mtl_finetune"],
    "intermediate_choice": "best",
    "same_task": "substitute",
    "sweep": {"learning_rate": [1e-2, 1e-7]},
    "mixing": [
        {"name": "dynamic", "sampling": "dynamic_softmax", "batch_schedule": "heterogeneous"},
        {"name": "matched steps", "budget": "steps", "regimes": ["mtl"], "loss_scaling": "power_0.5"},
        {"name": "matched examples", "budget": "target_examples", "regimes": ["mtl"], "sampling": "uniform"},
    ],
    "report": [{"notebook": "size_heuristic", "alpha": 0.05}, "all_tasks", "transfer_matrix"],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("regimes")
    settings = {"num_train_epochs": 2, "per_device_train_batch_size": 8, "max_length": 16}
    path = write_study(folder, **STUDY, train=settings | {"heads": "shared", "reuse_head": True})
    train = pd.read_csv(folder / "train_ripeness.csv")
    train.loc[:2, "text"] = pd.read_csv(folder / "dev.csv")["text"][:3].str.upper()  # dev examples of fruit: a leak
    train.to_csv(folder / "train_ripeness.csv", index=False)
    return str(path)


@pytest.fixture(scope="module")
def results(study, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    succeed("run", study, results=folder)
    return folder


@pytest.fixture(scope="module")
def runs(results) -> pd.DataFrame:
    return read_runs("tiny", results)


def dev(record) -> float:
    return own(record)["scores"]["validation"]["main"]


def test_every_run_is_done(runs):
    assert runs["done"].all()
    counts = runs[runs["stage"] == "target"].value_counts(["regime", "mixing"], dropna=False).to_dict()
    assert {key[0]: n for key, n in counts.items() if key[0] in ("single", "stilts")} == {"single": 4, "stilts": 4}
    assert counts[("mtl", "dynamic")] == counts[("mtl", "matched steps")] == counts[("mtl", "matched examples")] == 2
    assert (counts[("mtl_all", "dynamic")], counts[("mtl_finetune", "dynamic")]) == (4, 2)


def test_the_best_of_the_sweep_set_the_learning_rate(results, runs):
    known = records(results)
    swept = {
        row.run: dev(known[row.run]) for row in runs[(runs.stage == "sweep") & (runs.task == "fruit")].itertuples()
    }
    best = known[max(swept, key=swept.get)]["identity"]["learning_rate"]
    single = runs[(runs["regime"] == "single") & (runs["stage"] == "target") & (runs["target"] == "fruit")]
    assert best == 1e-2 and all(known[run]["settings"] == {"learning_rate": best} for run in single["run"])


def test_restarts_start_from_the_best_supporting_run(results, runs):
    known = records(results)
    before = runs[runs["stage"].eq("intermediate") & runs["mixing"].isna()]
    scores = {run: dev(known[run]) for run in before["run"]}
    after = runs[runs["regime"].eq("stilts") & (runs["target"] == "fruit")]
    assert len(scores) == 2 and set(after["supporting_run"]) == {max(scores, key=scores.get)}
    assert (after["supporting_n_train"] == 64).all() and (after["supporting_steps"] == 16).all()


def test_what_was_seen_is_recorded(results, runs):
    seen = runs[runs["regime"] == "mtl"].set_index("mixing")
    assert (seen.loc["matched steps", "steps"] == 32).all()  # of two stages of 16
    assert (seen.loc["matched examples", "examples_seen"] == 128).all()
    assert (seen["distinct_examples"] == 64).all() and (seen["supporting_n_train"] == 64).all()
    record = records(results)[seen["run"].iloc[0]]
    assert list(record["tasks"]) == ["fruit", "ripeness"]
    assert record["tasks"]["fruit"]["overlap"] == {"ripeness": 3}  # and this one's dev examples are not in fruit's
    assert record["tasks"]["ripeness"]["overlap"] == {"fruit": 0}


def test_a_run_before_is_met_by_its_child(results, runs):
    after = runs[(runs["regime"] == "stilts") & (runs["target"] == "fruit")].iloc[0]
    assert records(results)[after["run"]]["tasks"]["fruit"]["overlap"] == {"ripeness": 3}


def test_a_substituted_run_is_the_single_one(runs):
    own = runs[runs["substituted"]]
    single = runs[(runs["regime"] == "single") & (runs["stage"] == "target") & (runs["target"] == "ripeness")]
    assert set(own["target"]) == {"ripeness"} and set(own["run"]) == set(single["run"])


def test_the_report_is_built(results, monkeypatch, forked_kernels):
    monkeypatch.setenv("INTERTASK_RESULTS", str(results))
    report = build_report("tiny")
    names = {"index", "size_heuristic", "all_tasks", "transfer_matrix"}
    assert {path.stem for path in report.glob("*.html")} == names
    assert "alpha = 0.05" in (report / "size_heuristic.ipynb").read_text()


def test_a_mixture_repeats_by_hand(results, runs, tmp_path, monkeypatch):
    run = runs.loc[runs["mixing"].eq("dynamic") & runs["regime"].eq("mtl"), "run"].iloc[0]
    monkeypatch.setenv("INTERTASK_RESULTS", str(results))
    parameters = yaml.safe_load((results / "runs" / run / "parameters.yaml").read_text())
    notebook = project_root() / "notebooks" / "experiments" / "train.ipynb"
    execute_notebook(notebook, tmp_path / "out.ipynb", parameters)
    assert f"Every score equals that of {run}" in (tmp_path / "out.ipynb").read_text()
