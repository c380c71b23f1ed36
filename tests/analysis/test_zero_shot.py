"""Zero-shot scores of intermediate models beside those of runs that were trained on the target."""

from pathlib import Path

import pandas as pd
import pytest

from intertask.analysis.read import read_records, read_runs, read_settings
from intertask.analysis.zero_shot import zero_shot_in_words, zero_shot_table
from made_notebook import execute_notebook
from made_store import SHUFFLED, make_store, rewrite_index, run_id, write_predictions, write_run

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "analysis" / "zero_shot.ipynb"
TWO = {"entailment": "entailment", "neutral": "not_entailment", "contradiction": "not_entailment"}
TOLD = {"mini/mnli": [60.0, 62.0, 64.0], f"mini/mnli{SHUFFLED}": [52.0, 48.0, None]}
"""Of the restarts on each supporting task, what they score on mini/rte; the last one of the control is not done."""


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_store(tmp_path, lambda target, task, seed: 55 + 10 * (task == "mini/mnli") + seed, seeds=3)
    further = ["mini/ax", {"task": "mini/rte", "labels": TWO}]
    rewrite_index(tmp_path, "demo", evaluate_on={"mini/mnli": further}, task_file="")
    for task, scores in TOLD.items():
        for seed, score in enumerate(scores):
            folder = tmp_path / "runs" / run_id(task, seed)
            (folder / "run.json").unlink()
            if score is not None:
                found = {"validation": {"accuracy": 80.0, "main": 80.0}, "mini/rte": {"accuracy": score, "main": score}}
                floor = {split: {"accuracy": 53.0, "main": 53.0} for split in found}
                write_run(tmp_path, folder.name, "mini/mnli", seed, 80.0, scores=found, majority=floor)
                answers = [0, 0] if task.endswith(SHUFFLED) and seed else [0, 1]
                write_predictions(tmp_path, folder.name, "mini/rte", [0, 1], answers)
    return tmp_path


def test_the_table_by_hand(store):
    runs = read_runs("demo")
    table = zero_shot_table(runs, read_records(runs), read_settings("demo"))
    assert table["target"].unique().tolist() == ["mini/rte"], "no other target has a map"
    shown = table.set_index(["regime", table["supporting"].fillna("")])
    keys = ["n", "n_expected", "majority", "examples", "constant", "score"]
    control = f"mini/mnli{SHUFFLED}"
    assert shown.loc[("zero-shot", "mini/mnli"), keys].tolist() == [3, 3, 53, 0, 0, 62]
    assert shown.loc[("zero-shot", control), keys].tolist() == [2, 3, 53, 0, 1, 50]
    assert shown.loc[("single", ""), keys].tolist() == [3, 3, 50, 250, 0, 56]
    assert shown.loc[("stilts", "mini/mnli"), keys].tolist() == [3, 3, 50, 250, 0, 66]
    half = 4.302653 * 2 / 3**0.5  # Student's t with two degrees of freedom, a standard deviation of 2
    assert shown.loc[("zero-shot", "mini/mnli"), ["low", "high"]].tolist() == pytest.approx([62 - half, 62 + half])
    assert zero_shot_in_words(table).splitlines() == [
        "- **mini/mnli → mini/rte**, mini/bert: 62.0, n 3 of 3; the majority has 53.0; the interval over restarts, "
        "57.0 to 67.0, is wholly above that.",
        f"- **{control} → mini/rte**, mini/bert: 50.0, n 2 of 3; the majority has 53.0; the interval over restarts, "
        "24.6 to 75.4, holds that; 1 give every row one answer.",
    ]


def test_what_saw_the_target_or_is_not_done_is_no_zero_shot_score(store):
    runs = read_runs("demo")
    records, settings = read_records(runs), read_settings("demo")
    for record in records.values():
        if record["task"] == "mini/mnli":
            record["tasks"]["mini/rte"] = {}  # a mixture with the target in it
    table = zero_shot_table(runs, records, settings)
    assert table.loc[table["regime"] == "zero-shot", ["supporting", "n"]].values.tolist() == [
        [f"mini/mnli{SHUFFLED}", 0]
    ]
    assert zero_shot_in_words(table).endswith("mini/bert: missing, n 0 of 1.")


def test_a_study_without_a_map_has_an_empty_table(store):
    table = zero_shot_table(read_runs("demo"), {}, {"evaluate_on": {"mini/mnli": ["mini/ax"]}})
    assert isinstance(table, pd.DataFrame) and table.empty
    assert "No intermediate model is scored on a target by a map" in zero_shot_in_words(table)


def test_the_notebook(store):
    execute_notebook(NOTEBOOK, store / "executed.ipynb", {"study": "demo"})
    text = (store / "executed.ipynb").read_text()
    assert '"stderr"' not in text and "neutral is not_entailment" in text
    assert "is wholly above that" in text and ">zero-shot</td>" in text
