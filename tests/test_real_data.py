"""Real GLUE data through the whole of loading and training, with an encoder too small to learn anything."""

import pytest

from intertask.run import Run
from intertask.tasks.load import load_task
from intertask.training import prepare, train
from made_study import write_encoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(write_encoder(tmp_path_factory.mktemp("encoder")))


@pytest.mark.parametrize(
    "task, metrics, sizes, scored",
    [
        ("rte", {"accuracy", "main"}, {"validation": 277, "test": 300}, {"validation"}),
        ("mrpc", {"accuracy", "f1", "main"}, {"validation": 408, "test": 1725}, {"validation", "test"}),  # labelled
        ("stsb", {"pearson", "spearman", "main"}, {"validation": 1500, "test": 1379}, {"validation"}),
        ("cola", {"matthews_correlation", "main"}, {"validation": 1043, "test": 1063}, {"validation"}),
        ("cb", {"accuracy", "f1_macro", "main"}, {"validation": 56, "test": 250}, {"validation"}),
        ("boolq", {"accuracy", "main"}, {"validation": 1000, "test": 200}, {"validation"}),
        ("copa", {"accuracy", "main"}, {"validation": 100, "test": 500}, {"validation"}),
        ("socialiqa", {"accuracy", "main"}, {"validation": 1953}, {"validation"}),
        ("hellaswag", {"accuracy", "main"}, {"validation": 1000}, {"validation"}),
    ],
)
def test_a_task_trains_and_all_its_splits_are_predicted(task, metrics, sizes, scored, hub, encoder, monkeypatch):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    run = Run(task=task, encoder=encoder, limit=64, num_train_epochs=1, max_length=32)
    result = train(run, prepare(run, load_task(task)), encoder)
    assert set(result.scores) == scored and set(result.scores["validation"]) == metrics
    assert result.predictions.groupby("split").size().to_dict() == sizes
    unlabelled = result.predictions[~result.predictions.split.isin(scored)]
    assert unlabelled.label.isna().all() and unlabelled.prediction.notna().all()
    assert len(result.task.splits["train"]) == 64 and result.truncated["validation"] > 0


def test_majorities_are_those_that_the_papers_print(hub, encoder, monkeypatch):
    """WNLI's dev majority is 56.3 (Wang 2019, Table 2); RTE's follows from its label counts, 146 of 277."""
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    for task, majority in {"wnli": 100 * 40 / 71, "rte": 100 * 146 / 277}.items():
        run = Run(task=task, encoder=encoder, limit=16, num_train_epochs=1, max_length=16)
        result = train(run, prepare(run, load_task(task)), encoder)
        assert result.majority["validation"]["accuracy"] == pytest.approx(majority)
