"""Real GLUE data through the whole of loading and training, with an encoder too small to learn anything."""

import pytest
import yaml

from intertask.run import Run
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
        ("wic", {"accuracy", "main"}, {"validation": 638, "test": 1400}, {"validation"}),
        ("wsc", {"accuracy", "main"}, {"validation": 104, "test": 146}, {"validation"}),
        ("edge/semeval", {"f1_micro", "main"}, {"validation": 1200, "test": 2717}, {"validation", "test"}),
        ("multirc", {"f1", "question_exact_match", "main"}, {"validation": 4848, "test": 2243}, {"validation"}),
        ("ud/eos", {"accuracy", "main"}, {"validation": 660, "test": 658}, {"validation", "test"}),
    ],
)
def test_a_task_trains_and_all_its_splits_are_predicted(
    task, metrics, sizes, scored, hub, shared, encoder, monkeypatch
):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    monkeypatch.setenv("INTERTASK_CORPORA", str(shared / "original"))
    spans = "f1_micro" in metrics or task in ("wic", "wsc")  # of which at most 5 % may be cut
    run = Run(task=task, encoder=encoder, limit=64, num_train_epochs=1, max_length=256 if spans else 16)
    result = train(run, prepare(run), encoder)
    assert set(result.main.scores) == scored and set(result.main.scores["validation"]) == metrics
    assert result.main.predictions.groupby("split").size().to_dict() == sizes
    unlabelled = result.main.predictions[~result.main.predictions.split.isin(scored)]
    assert unlabelled.label.isna().all() and unlabelled.prediction.notna().all()
    assert len(result.main.task.splits["train"]) == 64 and (spans or result.main.truncated["validation"] > 0)


def test_majorities_are_those_that_the_papers_print(hub, encoder, monkeypatch):
    """WNLI's dev majority is 56.3 (Wang 2019, Table 2); RTE's follows from its label counts, 146 of 277."""
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    for task, majority in {"wnli": 100 * 40 / 71, "rte": 100 * 146 / 277}.items():
        run = Run(task=task, encoder=encoder, limit=16, num_train_epochs=1, max_length=16)
        result = train(run, prepare(run), encoder)
        assert result.main.majority["validation"]["accuracy"] == pytest.approx(majority)


def test_words_of_a_treebank_are_tagged_and_questions_of_a_corpus_answered_without_a_rule_of_ones_own(
    hub, shared, encoder, tmp_path, monkeypatch
):
    """UD English EWT as a tagging task in five lines, and QAMR's dev questions, in place of train too."""
    treebank = shared / "original" / "ud_ewt"
    qamr = shared / "original" / "qamr"
    columns = ["sentence_id", "targets", "worker", "number", "target", "question", "answer", "one", "two"]
    entries = {
        "tags": {
            "files": {name: str(treebank / f"en_ewt-ud-{part}.conllu")
                      for name, part in (("train", "train.subset"), ("validation", "dev"))},
            "format": "tagging", "inputs": ["words"], "label": "upos",
            "unused": ["sent_id", "text", "feats", "head", "deprel"],
        },
        "questions": {
            "files": {**dict.fromkeys(("train", "validation"), str(qamr / "filtered" / "dev.first6000.tsv")),
                      "sentences": str(qamr / "wiki-sentences.tsv")},
            "columns": {"train": columns, "validation": columns, "sentences": ["sentence_id", "sentence"]},
            "derive": "qamr", "format": "extractive_qa", "inputs": ["question", "passage"], "label": "answers",
        },
    }  # fmt: skip
    path = tmp_path / "tasks.yaml"
    path.write_text(yaml.safe_dump(entries))
    for task, predicted in (("tags", 25147), ("questions", 6000)):
        run = Run(task=task, task_file=str(path), encoder=encoder, limit=64, num_train_epochs=1, max_length=160)
        result = train(run, prepare(run), encoder)
        found = result.main.predictions
        assert len(found) == predicted and found[["label", "prediction"]].notna().all(axis=None)
