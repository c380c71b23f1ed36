"""With which head training begins where `reuse_head` is said: by the names of the labels, never by their places."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.training import prepare, train
from intertask.training.model import HEADS, build_model, save_model
from intertask.views import run_view
from made_encoders import write
from made_task import ENTRY, write_fruit

BRIEFLY = {"num_train_epochs": 4, "per_device_train_batch_size": 8, "max_length": 16, "learning_rate": 2e-3}
AGAIN = BRIEFLY | {"num_train_epochs": 1, "learning_rate": 1e-12, "reuse_head": True, "head_seed": 9}


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that knows apples from plums, by the vector of its pooler, and the folder where it is stored."""
    folder = tmp_path_factory.mktemp("learned")
    run = Run(task="fruit", task_file=str(write_fruit(folder)), pooling="pooler", **BRIEFLY)
    result = train(run, prepare(run), "mini/bert")
    assert result.main.scores["validation"]["main"] > 90
    save_model(result.model, folder / "encoder")
    return result, folder


def relabelled(folder: Path, labels: list[str], name: str = "fruit") -> str:
    """The task file with the labels in that order, or called so, and under that name."""
    entries = yaml.safe_load((folder / "tasks.yaml").read_text())
    entries[name] = entries.pop("fruit") | {"labels": labels}
    path = folder / f"{name}_{'_'.join(labels)}.yaml"
    path.write_text(yaml.safe_dump(entries))
    return str(path)


def again(start: Path, task_file: str, **settings):
    """The result of a run that begins there, and learns next to nothing."""
    run = Run(task_file=task_file, encoder=str(start), **{"task": "fruit", "pooling": "pooler"} | AGAIN | settings)
    return train(run, prepare(run), start)


def published(model, folder: Path, labels: list[str]) -> Path:
    """The model as a checkpoint of transformers alone: its outputs in the other order, named as given."""
    from transformers import BertForSequenceClassification

    names = dict(enumerate(labels))
    config = type(model.encoder.config)(**model.encoder.config.to_dict() | {"id2label": names})
    whole = BertForSequenceClassification(config)
    whole.bert.load_state_dict(model.encoder.state_dict())
    linear = model.head(model.parts[0]).linear
    whole.classifier.load_state_dict({name: value.flip(0) for name, value in linear.state_dict().items()})
    whole.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


def test_a_checkpoint_whose_labels_are_permuted_scores_as_with_its_own_order(learned, tmp_path):
    result, folder = learned
    recorded = result.main.scores["validation"]["main"]
    task_file = str(folder / "tasks.yaml")
    found = again(published(result.model, tmp_path / "named", ["Plum", "Apple"]), task_file)
    assert found.main.scores["validation"]["main"] == recorded
    logits = [np.stack(one.main.predictions["logits"]) for one in (result, found)]
    assert np.allclose(*logits, atol=1e-5)
    assert run_view.heads(found) == (
        "fruit: its head begins as the encoder's own, of BertForSequenceClassification, its outputs put in the order "
        "apple, plum."
    )
    # by their places, as if the file named its labels so, it would say plum of every apple
    by_index = again(published(result.model, tmp_path / "by_index", ["apple", "plum"]), task_file)
    assert by_index.main.scores["validation"]["main"] == 100 - recorded < 50


def test_a_stored_head_is_put_in_the_order_of_the_labels(learned):
    result, folder = learned
    found = again(folder / "encoder", relabelled(folder, ["plum", "apple"]))
    assert found.main.scores["validation"] == result.main.scores["validation"]
    assert run_view.heads(found) == "fruit: its head begins as that of fruit, its outputs put in the order plum, apple."
    found = again(folder / "encoder", str(folder / "tasks.yaml"))
    assert run_view.heads(found) == "fruit: its head begins as that of fruit, whose labels have the same order."


def test_a_head_shared_by_tasks_with_other_labels_is_reused_by_position_and_said_so(learned, tmp_path):
    result, folder = learned
    shared = Run(**vars(result.run) | {"heads": "shared"})
    model = build_model(shared, {"fruit": result.main.task}, "mini/bert")
    save_model(model, tmp_path / "encoder")
    other = relabelled(folder, ["apple", "plum"], "berries")
    found = build_model_of(tmp_path / "encoder", other, task="berries", heads="shared")
    assert found.begins["berries"] == "its head begins as that of fruit, whose labels have the same order"
    rte = build_model_of(tmp_path / "encoder", "", task="mini/rte", heads="shared")
    words = "its head begins as that of fruit (apple, plum), by position: its own labels are entailment, not_entailment"
    assert rte.begins["mini/rte"] == words
    assert torch.equal(rte.head(rte.parts[0]).linear.weight, model.head(model.parts[0]).linear.weight)
    alone = build_model_of(tmp_path / "encoder", other, task="berries")
    assert alone.begins["berries"] == "its head is fresh: none that was trained with the encoder is for it"
    small = build_model_of(tmp_path / "encoder", other, task="berries", heads="shared", classifier="small")
    assert small.begins["berries"].endswith("the one that was trained with the encoder has another form")


def build_model_of(start, task_file: str, **settings):
    run = Run(task_file=task_file, encoder=str(start), **{"task": "fruit", "pooling": "pooler"} | AGAIN | settings)
    return build_model(run, prepare(run), start)


def test_a_stored_head_of_other_labels_or_without_names_is_refused(learned, tmp_path, refused):
    _, folder = learned
    entries = {"fruit": ENTRY | {"labels": ["apple", "pear"]}}
    own = tmp_path / "own"
    task_file = write_fruit(own)
    for split in ("train", "dev"):
        path = own / f"{split}.csv"
        path.write_text(path.read_text().replace(",plum", ",pear"))
    task_file.write_text(yaml.safe_dump(entries))
    words = "the labels of the head there, ['apple', 'plum'], found ['apple', 'pear']"
    refused(lambda: build_model_of(folder / "encoder", str(task_file)), "reuse_head, fruit: expected", words)
    nameless = tmp_path / "encoder"
    save_model(learned[0].model, nameless)
    save_file(load_file(nameless / HEADS), nameless / HEADS)  # as earlier versions did
    refused(lambda: build_model_of(nameless, str(folder / "tasks.yaml")), "names of their tasks", "--redo RUN")


@pytest.mark.parametrize("name", ["bert", "albert", "roberta", "xlm-roberta"])
def test_the_own_head_of_an_architecture_gives_the_logits_of_transformers(tmp_path, name):
    from transformers import AutoModelForSequenceClassification

    labels = {"id2label": {0: "plum", 1: "apple"}}
    folder = write(tmp_path / "encoder", name, "AutoModelForSequenceClassification", **labels, hidden_dropout_prob=0.3)
    model = build_model_of(folder, str(write_fruit(tmp_path)))
    (part,) = model.parts
    model.train(False)
    batch = model.batch(part, part.encoded["validation"], np.arange(8), None)
    theirs = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = {key: batch[key] for key in model.tokenizer.model_input_names}
    with torch.inference_mode():
        ours = model.logits(part, batch)
        expected = theirs(**inputs).logits[:, [1, 0]]
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)
    assert ours.std() > 1e-3


def test_only_runs_that_reuse_heads_have_another_identity():
    plain, reusing = (Run(task="mini/rte", reuse_head=reuse).identity() for reuse in (False, True))
    assert reusing == plain | {"reuse_head": True, "heads_reused_by": "the labels' names"}


def test_an_encoder_without_a_head_for_the_task_begins_afresh(tmp_path):
    three = {"id2label": {0: "a", 1: "b", 2: "c"}}
    for head, more in (("AutoModel", {}), ("AutoModelForSequenceClassification", three)):
        folder = write(tmp_path / head, "bert", head, **more)
        model = build_model_of(folder, str(write_fruit(tmp_path)))
        assert model.begins == {"fruit": "its head is fresh: the encoder comes with none for it"}


def test_a_checkpoint_that_lacks_its_head_is_refused(tmp_path):
    folder = write(tmp_path / "encoder", "bert", "AutoModelForSequenceClassification", id2label={0: "apple", 1: "plum"})
    weights = load_file(folder / "model.safetensors")
    save_file({n: w for n, w in weights.items() if "classifier" not in n}, folder / "model.safetensors")
    with pytest.raises(IntertaskError, match="weights of its BertForSequenceClassification for the 2 labels"):
        build_model_of(folder, str(write_fruit(tmp_path)))
