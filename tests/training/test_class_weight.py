"""Weights of labels in the loss: scikit-learn's, what they do to a rare label, and those that are of no label."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from intertask.errors import IntertaskError
from intertask.formats.classification import Classification
from intertask.run import Run
from intertask.studies.check import examined
from intertask.studies.graph import expand
from intertask.studies.study import Study
from intertask.tasks.load import load_task
from intertask.tasks.schema import TaskEntry
from intertask.training import prepare, train

FEW = {"max_steps": 12, "max_length": 32, "learning_rate": 1e-3, "per_device_train_batch_size": 8, "limit": 96}


def form() -> Classification:
    fields = {
        "format": "classification",
        "mini": "rte",
        "inputs": ["a"],
        "label": "l",
        "labels": ["no", "maybe", "yes"],
    }
    return Classification(TaskEntry(name="t", **fields))


@pytest.mark.parametrize("labels", [[0] * 14 + [1] * 5 + [2], [0, 0, 2]])
def test_balanced_is_what_scikit_learn_calls_so(labels):
    weighed = form()
    weighed.weigh("balanced", pd.DataFrame({"label": labels}))
    there = np.unique(labels)
    expected = compute_class_weight("balanced", classes=there, y=labels)
    assert weighed.weights[there].tolist() == pytest.approx(expected)
    assert sum(weighed.weights[labels]).item() == pytest.approx(len(labels))  # the mean is 1


def test_the_loss_by_hand_and_its_parts_add_up():
    logits, labels = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])), torch.tensor([0, 2])
    weighed = form()
    assert weighed.loss(logits, {"labels": labels}).item() == pytest.approx(-(np.log(0.5) + np.log(0.6)) / 2)
    weighed.weigh({"yes": 3.0}, pd.DataFrame({"label": [0]}))
    assert weighed.weights.tolist() == [1, 1, 3]
    loss = weighed.loss(logits, {"labels": labels})
    assert loss.item() == pytest.approx(-(np.log(0.5) + 3 * np.log(0.6)) / 2)
    parts = [weighed.loss(logits[i : i + 1], {"labels": labels[i : i + 1]}) for i in range(2)]
    assert loss.item() == pytest.approx(sum(parts).item() / 2)


def predicted(**settings) -> float:
    """The share of dev examples of mini/cola that are called unacceptable, 30 % of which are."""
    run = Run(task="mini/cola", **FEW | settings)
    return (
        train(run, prepare(run), "mini/bert").main.predictions.query("split == 'validation'")["prediction"] == 0
    ).mean()


def test_a_label_that_weighs_more_is_predicted_more_and_another_run():
    assert predicted(class_weight={"unacceptable": 20}) == 1 and predicted(class_weight={"acceptable": 20}) == 0
    ids = {Run(task="mini/cola", class_weight=given).id() for given in (None, "balanced", {"acceptable": 2})}
    assert len(ids) == 3 and Run(task="mini/cola").id() in ids


def test_each_classification_of_a_mixture_is_weighed_by_the_rows_it_trains_on():
    beside = [{"task": "mini/stsb", "limit": 24}, {"task": "mini/rte", "limit": 24}]
    run = Run(task="mini/cola", alongside=beside, class_weight="balanced", **FEW | {"max_steps": 2})
    result = train(run, tasks := prepare(run), "mini/bert")
    for part in (result.model.parts[0], result.model.parts[2]):
        labels = tasks[part.name].splits["train"]["label"]
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels)
        assert part.format.weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    "task, given, words",
    [
        ("mini/cola", {"acceptible": 2}, "labels of mini/cola, found 'acceptible'. Did you mean 'acceptable'?"),
        ("mini/stsb", "balanced", "a classification, one label of several, found none in mini/stsb"),
        ("mini/goemotions", "balanced", "a classification, one label of several, found none"),
    ],
)
def test_weights_of_labels_that_are_not_there_are_refused_by_run_and_check(task, given, words):
    run = Run(task=task, class_weight=given)
    with pytest.raises(IntertaskError, match="class_weight: expected") as caught:
        train(run, {task: load_task(task)}, "mini/bert")
    assert words in str(caught.value)
    content = {"title": "T", "encoders": ["mini/bert"], "targets": [task], "regimes": ["single"], "seeds": 1}
    study = Study(**content, train={"class_weight": given})
    runs = {name: one for name, one in expand("s", study).runs.items() if one.task == task}
    assert any(words in problem for problem in examined(study, runs).problems)


@pytest.mark.parametrize("given", ["even", {"acceptable": 0}, {"acceptable": -1}, 2])
def test_weights_that_are_none_are_refused(given):
    with pytest.raises(IntertaskError, match="class_weight"):
        Run.checked({"task": "mini/cola", "class_weight": given})
