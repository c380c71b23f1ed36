"""A run that is scored on a further task by a map of its labels: probabilities are added, the rows keep their own."""

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import softmax

from intertask.errors import IntertaskError
from intertask.formats.classification import Classification
from intertask.run import Run
from intertask.studies.check import examined
from intertask.studies.graph import expand
from intertask.studies.study import Study, load_study
from intertask.tasks.catalogue import find_entry
from intertask.tasks.load import load_task, with_further
from intertask.training import prepare, record, train
from intertask.training.train import predict
from intertask.views import run_view
from made_task import write_fruit

TWO = {"entailment": "entailment", "neutral": "not_entailment", "contradiction": "not_entailment"}
MAPPED = {"task": "mini/rte", "labels": TWO}


def test_probabilities_of_labels_that_are_one_are_added_by_hand():
    probabilities = np.array([[0.4, 0.3, 0.3], [0.7, 0.2, 0.1], [0.6, 0.0, 0.4]])
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities) + [[3.0], [-40.0], [0.0]]  # of a softmax no constant counts
    rows = pd.DataFrame({"row": [0, 1, 2], "label": [0, 0, 1], "prediction": 0, "logits": list(logits)})
    two = Classification(find_entry("mini/rte"))
    told = two.merged(rows, [0, 1, 1])
    assert told["prediction"].tolist() == [1, 0, 0]  # .6 against .4, though no single label beats .4
    assert np.allclose(np.exp(np.stack(told["logits"])), [[0.4, 0.6], [0.7, 0.3], [0.6, 0.4]])
    assert two.score(told) == {"accuracy": pytest.approx(100 / 3), "main": pytest.approx(100 / 3)}
    assert told[["row", "label"]].equals(rows[["row", "label"]])
    three = Classification(find_entry("mini/mnli")).merged(told, [2, 0])  # which has one label more
    assert np.stack(three["logits"])[:, 1].tolist() == [-np.inf] * 3 and three["prediction"].tolist() == [0, 2, 2]


@pytest.mark.parametrize("task", ["mini/mnli", "mini/snli"])
def test_a_run_is_scored_on_a_further_task_by_a_map(task, tmp_path, monkeypatch):
    run = Run(task=task, limit=64, max_steps=4, max_length=64, learning_rate=1e-3, evaluate_on=[MAPPED])
    tasks = prepare(run)
    result = train(run, tasks, "mini/bert")
    dev = load_task("mini/rte").splits["validation"]
    monkeypatch.setenv("INTERTASK_STAGING", str(tmp_path))
    record.save(result, run)
    stored = pd.read_parquet(tmp_path / "predictions" / f"{task}.parquet").query("split == 'mini/rte'")
    assert stored["label"].tolist() == dev["label"].tolist() and len(stored) == 277

    (part,) = result.model.parts
    of_three = np.stack(predict(result.model, part, part.encoded["mini/rte"], 64)["logits"])
    entailment, neutral, contradiction = softmax(of_three, axis=1).T
    by_hand = np.stack([entailment, neutral + contradiction], axis=1)
    assert np.allclose(np.exp(np.stack(stored["logits"])), by_hand, atol=1e-6)
    assert stored["prediction"].tolist() == by_hand.argmax(1).tolist()
    accuracy = 100 * (by_hand.argmax(1) == dev["label"]).mean()
    assert result.main.scores["mini/rte"] == {"accuracy": pytest.approx(accuracy), "main": pytest.approx(accuracy)}
    majority = 100 * dev["label"].value_counts(normalize=True).max()
    assert result.main.majority["mini/rte"]["main"] == pytest.approx(majority)

    assert run_view.score_table(result).index.unique("split")[-1] == "mini/rte (zero-shot)"
    shown = run_view.splits(tasks[task])
    assert shown.loc["mini/rte", "% not_entailment"] == f"{100 * dev['label'].mean():.1f}"
    assert shown.loc["mini/rte", "% neutral"] == "–" and "mini/rte" not in run_view.rare_labels(tasks)


def test_names_alone_are_what_they_were_and_a_map_is_of_the_identity():
    names, same, mapped = (Run(task="mini/mnli", evaluate_on=[one]) for one in ("mini/ax", {"task": "mini/ax"}, MAPPED))
    assert names.identity() == same.identity() and names.identity()["evaluate_on"] == ["mini/ax"]
    found = mapped.identity()
    assert found["evaluate_on"] == [MAPPED] and found["data"].keys() == {"mini/mnli", "mini/rte"}
    assert Run(**mapped.model_dump(mode="json")) == mapped


@pytest.mark.parametrize(
    "labels, words",
    [
        (
            {"entailment": "entailment", "neutral": "not_entailment"},
            "one for each label of mini/mnli, ['entailment', 'neutral', 'contradiction'], found none for contradiction."
            " Say which of entailment, not_entailment it is.",
        ),
        (TWO | {"neutrall": "entailment"}, "labels of mini/mnli, found 'neutrall'. Did you mean 'neutral'?"),
        (
            TWO | {"neutral": "not_entailmnt"},
            "labels of mini/rte, found 'not_entailmnt'. Did you mean 'not_entailment'?",
        ),
    ],
)
def test_a_map_that_does_not_fit_is_refused(labels, words, refused):
    task = load_task("mini/mnli")
    refused(lambda: with_further(task, "mini/rte", labels), "evaluate_on, mini/rte, labels: expected", words)


def test_check_refuses_a_map_and_says_which_label_none_will_get():
    def verdict(labels):
        content = {"title": "T", "encoders": ["mini/bert"], "targets": ["mini/mnli"], "regimes": ["single"], "seeds": 1}
        study = Study(**content, evaluate_on={"mini/mnli": [{"task": "mini/rte", "labels": labels}]})
        return examined(study, {i: run for i, run in expand("s", study).runs.items() if run.task == "mini/mnli"})

    assert verdict(TWO).problems == [] and not [one for one in verdict(TWO).remarks if "mini/rte" in one]
    never = verdict(dict.fromkeys(TWO, "entailment"))
    assert never.problems == []
    words = "evaluate_on, mini/rte: no label of mini/mnli stands for not_entailment, which none will get."
    assert words in never.remarks
    (problem,) = verdict({"entailment": "entailment"}).problems
    assert "found none for neutral, contradiction" in problem


def test_on_the_mini_suite_the_tasks_of_a_map_are_replaced_and_its_labels_stay(tmp_path):
    further, own = [{"task": "rte", "labels": TWO}], {"encoders": ["mini/bert"]}
    content = {"title": "T", "encoders": ["someone/bert"], "supporting": ["mnli", "snli"], "targets": ["rte"]}
    content |= {"seeds": 1, "evaluate_on": {"mnli": ["ax", *further], "snli": further}, "mini": own}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    _, study = load_study(str(path), mini=True)
    found = study.model_dump(mode="json")["evaluate_on"]
    assert found == {"mini/mnli": ["mini/ax", MAPPED], "mini/snli": [MAPPED]}
    path.write_text(yaml.safe_dump(content | {"evaluate_on": {"mnli": ["rte", *further]}}))
    with pytest.raises(IntertaskError, match="evaluate_on names rte twice"):
        load_study(str(path))


def test_a_further_task_is_scored_by_its_own_metrics(tmp_path):
    path = write_fruit(tmp_path)
    (tmp_path / "stone.csv").write_text("words,kind\na plum,stone\nan apple,pome\nthe plum,stone\n")
    stone = {"files": {"test": "stone.csv"}, "format": "classification", "inputs": ["words"], "label": "kind"}
    stone |= {"labels": ["stone", "pome"], "metrics": ["matthews_correlation"]}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"stone": stone}))
    further = {"task": "stone", "labels": {"apple": "pome", "plum": "stone"}}
    run = Run(task="fruit", task_file=str(path), max_steps=1, max_length=16, evaluate_on=[further])
    outcome = train(run, prepare(run), "mini/bert").main
    assert outcome.scores["stone"].keys() == outcome.majority["stone"].keys() == {"matthews_correlation", "main"}
    assert outcome.predictions.query("split == 'stone'")["label"].tolist() == [0, 1, 0]
