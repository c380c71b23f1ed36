"""A decoder on ten pairs: what is read of them, by hand its scores, what it learns and writes, saved and loaded."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.encoders.pretrained import load_encoder
from intertask.errors import IntertaskError
from intertask.formats.decoder import NO_TOKEN, Decoder
from intertask.formats.sequence_to_sequence import SequenceToSequence
from intertask.metrics import points
from intertask.run import Run
from intertask.studies.store import progress_file
from intertask.tasks.load import load_task
from intertask.tasks.schema import TaskEntry
from intertask.training import prepare, train
from intertask.training.model import build_model, save_model
from intertask.training.record import save
from intertask.views import preview, run_view
from intertask.views.overview import task_page
from made_task import write_pairs

ENTRY = {"format": "sequence_to_sequence", "inputs": ["source"], "label": "target", "mini": "rte"}


def form(**more) -> SequenceToSequence:
    return SequenceToSequence(TaskEntry(name="t", **ENTRY, **more))


def frame(*targets: str) -> pd.DataFrame:
    return pd.DataFrame({"source": ["a dog"] * len(targets), "label": [[target] for target in targets]})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return str(write_pairs(tmp_path_factory.mktemp("pairs")))


def trained(pairs, **parameters):
    settings = {"learning_rate": 2e-3, "num_train_epochs": 70, "per_device_train_batch_size": 10, "dropout": 0.0}
    settings |= {"task": "pieces", "eval_steps": 35, "max_length": 32}
    run = Run(task_file=pairs, **{**settings, **parameters})
    return train(run, prepare(run), run.encoder)


@pytest.fixture(scope="module")
def result(pairs):
    return trained(pairs)


def test_ten_pairs_are_learned_by_heart_and_written(result):
    scores = result.main.scores["validation"]
    assert scores["token_accuracy"] > 99 and scores["bleu"] == 100 and 1 <= scores["perplexity"] < 1.05
    assert scores["main"] == pytest.approx(100 * (1 - scores["perplexity"] / 250))
    table = result.main.predictions
    assert table["prediction"].tolist() == [text for (text,) in table["label"]]
    assert result.main.selection == "best checkpoint on validation, by perplexity"
    assert result.curve["perplexity"].is_monotonic_decreasing


def test_what_it_writes_is_shown_beside_what_is_right(result):
    table = run_view.written(result, 3)
    right = ["der Hund sieht, den Baum", "der Hund sieht, den Turm", "der Kater sieht, den Baum"]
    assert table["to write"].tolist() == table["written"].tolist() == right and list(table)[0] == "source"
    assert "beats the word frequencies' " in run_view.verdict(result) and len(run_view.mistakes(result, 3)) == 0
    assert run_view.predictions(result).axes[0].get_ylabel() == "examples"
    assert run_view.score_table(result).loc[("pieces", "validation", "perplexity"), "majority"] > 10
    page = task_page(result.main.task, preview.majority(result.main.task), [])
    assert "Score of writing each word as often as train does" in page and "           target " in page
    lengths = preview.token_lengths(result.main.task, result.model.tokenizer, 6)
    assert lengths.loc["train", "examples cut"] == 10


@pytest.mark.parametrize("encoder", ["mini/bilstm", "mini/gpt"])
@pytest.mark.parametrize("task", ["pairs", "pieces"])
def test_other_encoders_frozen_or_not_attended_to_or_not(pairs, encoder, task):
    tuning = "frozen" if task == "pairs" else "full"
    one = trained(pairs, encoder=encoder, task=task, tuning=tuning, learning_rate=5e-3, num_train_epochs=16)
    scores = one.main.scores["validation"]
    assert scores["perplexity"] < one.main.majority["validation"]["perplexity"] and not one.main.degenerate
    assert one.main.scores["test"].keys() == scores.keys()


def test_a_limit_of_the_data_leaves_the_vocabulary_and_what_is_beaten_as_they_are(pairs):
    """Else the perplexities of two limits would be of different words."""
    few, all_of_them = (build_model(run, prepare(run), "mini/bilstm").parts[0].format for run in of_limits(pairs))
    assert few.learned == all_of_them.learned and (few.frequencies == all_of_them.frequencies).all()


def of_limits(pairs):
    return (Run(task="pairs", task_file=pairs, encoder="mini/bilstm", limit=limit) for limit in (2, None))


def test_it_is_no_target_of_what_compares_labels(pairs):
    run = Run(task="pairs", task_file=pairs, evaluate_on=["mini/ax"])
    with pytest.raises(IntertaskError, match="evaluate_on, mini/ax: expected a classification with the labels of pair"):
        prepare(run)


def test_decoders_train_together_on_a_mix_of_layers_and_are_selected_by_the_mean(pairs):
    one = trained(pairs, alongside=["pieces"], task="pairs", selection="average", scalar_mix=True, num_train_epochs=2)
    best = one.curve.groupby("step")["main"].mean()
    assert {outcome.best_step for outcome in one.tasks.values()} == {best.idxmax()}
    assert one.main.selection.startswith("checkpoint with the best average on validation, by perplexity")
    assert [part.format.learned for part in one.model.parts][0] != one.model.parts[1].format.learned


def test_scores_by_hand():
    """Of 3 + 1 tokens the first text's have probabilities 1/2, 1/4, 1/4; the second's one 1/2."""
    rows = frame("the dog", "a").assign(
        prediction=["the dog", "b"], tokens=[3, 1], right=[2, 0], log_likelihood=[-5 * math.log(2), -math.log(2)]
    )
    scores = form().score(rows)
    assert scores["perplexity"] == pytest.approx(2 ** (6 / 4), abs=1e-5) and scores["token_accuracy"] == 50
    assert scores["main"] == pytest.approx(100 * (1 - 2**1.5 / 250), abs=1e-5)
    both = form(metrics=["perplexity", "token_accuracy"]).score(rows)
    assert both["main"] == pytest.approx((points(2**1.5) + 50) / 2, abs=1e-5)


def test_bleu_is_that_of_sacrebleu():
    from sacrebleu.metrics import BLEU

    labels = ["the cat sat on the old mat .", "a dog barks at the tall tree", "it is raining again today"]
    written = ["the cat sat on a old mat .", "a dog barks at the tree", "it is raining today again"]
    rows = frame(*labels).assign(prediction=written, tokens=1, right=1, log_likelihood=0.0)
    assert form().score(rows)["bleu"] == round(BLEU().corpus_score(written, [labels]).score, 6) > 20


def test_what_every_model_beats_knows_how_often_each_token_is_in_train():
    """Train: a 2, b 1, end 2, unknown 0, and each once more: 3, 2, 3 and 1 of 9. Of equals the first counts."""
    one = form()
    one.learn(frame("a a", "b"))
    scores = one.floor(frame("a c", "b"))
    nats = -(math.log(3 / 9) + math.log(1 / 9) + math.log(3 / 9) + math.log(2 / 9) + math.log(3 / 9))
    assert scores["perplexity"] == pytest.approx(math.exp(nats / 5), abs=1e-5) and scores["token_accuracy"] == 20


def test_sides_that_are_too_long_are_cut_and_counted(encoder):
    one = form()
    one.learn(frame("a b c d e"))
    rows = frame("a b c d", "a b c d e").assign(source=["a " * 9, "a"])
    encoded = one.encode(rows, encoder[1], 5)
    end = one.vocabulary.end
    assert [ids.tolist() for ids in encoded.written] == [[1, 2, 3, 4, end], [1, 2, 3, 4, 5]]
    assert encoded.cut.tolist() == [True, True] and encoded.truncated == 2
    assert one.encode(rows, encoder[1], 16).truncated == 0
    batch = one.collate(one.encode(rows, encoder[1], 16), np.array([0, 1]), encoder[1], None)
    assert batch["labels"].tolist() == [[1, 2, 3, 4, end, NO_TOKEN], [1, 2, 3, 4, 5, end]]


def test_padding_changes_nothing_and_loss_and_scores_are_one(encoder):
    torch.manual_seed(0)
    for attention in (False, True):
        one = form(attention=attention)
        one.learn(frame("a b c d e"))
        head = one.head(encoder[0], "first", 0.0)
        encoded = one.encode(frame("a b", "e d c b a").assign(source=["a dog is", "a"]), encoder[1], 16)
        found = []
        for index in ([0], [0, 1]):
            batch = one.collate(encoded, np.array(index), encoder[1], None)
            states = torch.randn(1, 5, 128, generator=torch.Generator().manual_seed(1)).repeat(len(index), 1, 1)
            found.append(one.predictions(head.eval()(states, batch).detach().numpy(), encoded, np.array(index), batch))
        pd.testing.assert_frame_equal(found[0], found[1].head(1))
        loss = one.loss(head.train()(states, batch), batch)
        assert loss.item() == pytest.approx(-found[1]["log_likelihood"].sum() / found[1]["tokens"].sum(), rel=1e-5)


def counting(end: int, longest: int) -> Decoder:
    """One that writes 0 after the beginning, and after each word the next, `end` behind the last."""
    config = SimpleNamespace(hidden_size=2 * (end + 1), model_type="bilstm")
    head = Decoder(SimpleNamespace(config=config), end, longest, attention=False, dropout=0.0).eval()

    def step(before, state, states, mask):
        return torch.nn.functional.one_hot((before + 1) % (end + 1), end + 1).float(), state

    head._step = step
    return head


@pytest.mark.parametrize("attention", [False, True])
def test_ten_texts_are_told_apart_by_the_states_they_follow(attention):
    torch.manual_seed(0)
    config = SimpleNamespace(hidden_size=32, model_type="bilstm")
    head = Decoder(SimpleNamespace(config=config), 12, 9, attention, 0.0)
    states, labels = torch.randn(10, 4, 32), torch.randint(0, 12, (10, 6))
    labels[:, -1] = 12
    batch = {"labels": labels, "attention_mask": torch.ones(10, 4)}
    optimizer = torch.optim.Adam(head.parameters(), lr=2e-2)
    for _ in range(80):
        torch.nn.functional.cross_entropy(head(states, batch).flatten(0, 1), labels.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
    given = head.eval()(states, batch)
    assert given[..., 1].mean() > 0.99 and torch.equal(given[..., 2].long(), labels)


def test_writing_stops_at_the_end_mark_and_at_the_longest():
    states, mask = torch.zeros(2, 3, 10), torch.ones(2, 3, dtype=torch.bool)
    assert counting(4, 99).write(states, mask).tolist() == [[0, 1, 2, 3, 4]] * 2
    assert counting(4, 2).write(states, mask).tolist() == [[0, 1]] * 2


def test_it_begins_with_the_first_state_or_with_the_largest():
    encoder, _ = load_encoder("mini/bert")
    states = torch.randn(1, 3, 128)
    mask = torch.tensor([[True, True, False]])
    (first, cell), _ = Decoder(encoder, 4, 9, False)._start(states, mask), None
    assert torch.equal(first[0], states[:, 0]) and not cell.any()
    words = load_encoder("mini/bilstm")[0]
    states = torch.randn(1, 3, words.config.hidden_size)
    largest, _ = Decoder(words, 4, 9, False)._start(states, mask)
    assert torch.equal(largest[0], states[:, :2].amax(1))


def test_saved_and_loaded_it_writes_the_same_by_the_same_vocabulary(result, pairs, tmp_path, monkeypatch):
    save_model(result.model, tmp_path / "encoder")
    run = result.run.model_copy(update={"reuse_head": True})
    tasks, other = prepare(run), prepare(run)
    other["pieces"].splits["train"]["label"] = [["x y z"]] * 10
    again = build_model(run, other, tmp_path / "encoder")
    (own,), (theirs,) = result.model.parts, again.parts
    fresh = build_model(run.model_copy(update={"reuse_head": False}), other, "mini/bert").parts[0]
    assert theirs.format.learned == own.format.learned != fresh.format.learned
    again = build_model(run, tasks, tmp_path / "encoder")
    (theirs,) = again.parts
    for name, weights in result.model.heads.state_dict().items():
        assert torch.equal(weights, again.heads.state_dict()[name])
    batch = own.format.collate(own.encoded["validation"], np.arange(10), again.tokenizer, None)
    for model in (result.model, again):
        model.train(False)
    torch.testing.assert_close(again.logits(theirs, batch), result.model.logits(own, batch))
    monkeypatch.setenv("INTERTASK_STAGING", str(tmp_path))
    progress_file(tmp_path).touch()
    save(result, result.run)
    assert progress_file(tmp_path).is_file()  # the run is still under way; its record does not name it
    assert progress_file(tmp_path).name not in (tmp_path / "run.json").read_text()
    assert (tmp_path / "learned" / "pieces.json").read_text() == own.format.learned


@pytest.mark.parametrize(
    "change, message",
    [
        ({"target": ""}, r"pairs.csv, row 2, column 'target': expected a text with a word or more, found ''"),
        ({"source": "\u200b "}, r"row 2, column 'source': expected a text with a word or more, found '\\u200b '"),
    ],
)
def test_a_side_without_a_text_is_refused_with_its_row(tmp_path, change, message):
    path = write_pairs(tmp_path)
    rows = pd.read_csv(tmp_path / "pairs.csv")
    rows.loc[1, list(change)] = list(change.values())
    rows.to_csv(tmp_path / "pairs.csv", index=False)
    with pytest.raises(IntertaskError, match=message):
        load_task("pairs", str(path))


def test_a_side_that_is_null_is_refused_and_labels_that_are_all_hidden_are_none(tmp_path):
    path = write_pairs(tmp_path)
    rows = [{"source": "a", "target": "b"}, {"source": "c", "target": None}]
    pd.DataFrame(rows).to_json(tmp_path / "null.jsonl", orient="records", lines=True)
    pd.DataFrame(rows[1:]).to_json(tmp_path / "hidden.jsonl", orient="records", lines=True)
    text = path.read_text().replace("test: pairs.csv", "test: hidden.jsonl")
    path.write_text(text)
    assert "label" not in load_task("pairs", str(path)).splits["test"]
    path.write_text(text.replace("train: pairs.csv", "train: null.jsonl"))
    with pytest.raises(IntertaskError, match="null.jsonl, row 2, column 'target': .*found null"):
        load_task("pairs", str(path))


@pytest.mark.parametrize(
    "keys, message",
    [
        ("vocabulary_size: 99", "vocabulary_size: expected 11 types, as many as train has, or fewer, found 99"),
        ("vocabulary: bpe, vocabulary_size: 9", "expected 256, as many as there are bytes, or more, found 9"),
        ("vocabulary: bpe, vocabulary_size: 9999", "expected 295 types, as many as train has, or fewer, found 9,999"),
        ("vocabulary: letters", "key 'vocabulary': expected '', 'words' or 'bpe', found 'letters'"),
    ],
)
def test_a_vocabulary_that_train_has_not_is_refused_with_both_numbers(tmp_path, keys, message):
    path = write_pairs(tmp_path)
    path.write_text(path.read_text().replace("label: target", f"label: target, {keys}", 1))
    with pytest.raises(IntertaskError, match=message):
        load_task("pairs", str(path))


def test_as_many_types_as_train_has_may_be_asked_for(tmp_path):
    path = write_pairs(tmp_path)
    path.write_text(path.read_text().replace("label: target", "label: target, vocabulary_size: 5", 1))
    task = load_task("pairs", str(path))
    task.form.learn(task.splits["train"])


def test_two_texts_and_a_set_without_train_are_refused(tmp_path):
    path = write_pairs(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("[source]", "[source, target]", 1).replace("label: target", "label: source", 1))
    with pytest.raises(IntertaskError, match="expected 1 input for sequence_to_sequence"):
        load_task("pairs", str(path))
    path.write_text(text.replace("train: pairs.csv, validation: pairs.csv, ", ""))
    with pytest.raises(IntertaskError, match="expected a train split, of which the vocabulary is learned, found test"):
        load_task("pairs", str(path))
