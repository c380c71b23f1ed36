"""Language modelling from both sides: what is predicted from which state, scores by hand, which encoders can."""

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.encoders.pretrained import load_encoder
from intertask.encoders.word_tokenizer import WordTokenizer
from intertask.formats import find_format
from intertask.formats.bidirectional_language_modelling import DirectionsHead
from intertask.run import Run
from intertask.studies.ready import check_texts, prepared_encoder
from intertask.tasks.catalogue import find_entry
from intertask.tasks.load import load_task
from intertask.training import prepare, train
from intertask.training.model import build_model
from intertask.views import run_view
from made_words import padded

TEXTS = pd.DataFrame({"text": ["a b a c", "b"]})
UNKNOWN, A, B, C, END = range(5)  # the most frequent first, of equals the first in the alphabet


@pytest.fixture
def form():
    form = find_format("bidirectional_language_modelling")(find_entry("mini/text_words"))
    form.learn(TEXTS)
    return form


def read(form, texts: list[str], max_length: int = 9):
    encoded = form.encode(pd.DataFrame({"text": texts}), WordTokenizer(), max_length)
    return encoded, form.collate(encoded, np.arange(len(texts)), WordTokenizer(), None)


def test_each_word_is_predicted_from_both_sides(form):
    """Forwards the next one, then backwards the one before; around a text its end, around a cut one what was cut."""
    _, batch = read(form, ["a b zebra", "c"])
    assert batch["labels"].tolist() == [B, UNKNOWN, END, END] + [END, A, B, END]
    _, batch = read(form, ["a b a c"], max_length=2)
    assert batch["input_ids"].shape[1] == 2 and batch["labels"].tolist() == [B, A] + [END, A]


def test_the_forward_half_says_what_follows_and_the_backward_half_what_precedes(form):
    _, batch = read(form, ["a b", "c"])
    states = torch.zeros(2, 2, 8)  # two of each direction, and as wide something else beside them
    states[..., 0], states[..., 2], states[..., 4:] = 1.0, 2.0, 9.0
    head = DirectionsHead(2, 5)
    torch.nn.init.zeros_(head.linear.bias), torch.nn.init.zeros_(head.linear.weight)
    head.linear.weight.data[B, 0] = 1.0
    ahead, back = head(states, batch).chunk(2)
    assert torch.equal(ahead, torch.eye(5)[[B] * 3]) and torch.equal(back, 2 * torch.eye(5)[[B] * 3])


def test_the_perplexity_is_that_of_all_words_in_both_directions(form):
    """A head that gives a half to a, a quarter to b, a twelfth to each other; the labels are b, end, end, a."""
    encoded, batch = read(form, ["a b"])
    head = DirectionsHead(1, 5).eval()
    torch.nn.init.zeros_(head.linear.weight)
    head.linear.bias.data = torch.tensor([1 / 12, 1 / 2, 1 / 4, 1 / 12, 1 / 12]).log()
    rows = form.predictions(head(torch.zeros(1, 2, 2), batch).detach().numpy(), encoded, np.array([0]), batch)
    found = form.score(rows)
    assert found["perplexity"] == pytest.approx((4 * 12 * 12 * 2) ** 0.25, abs=1e-4)
    assert found["token_accuracy"] == 25 and found["main"] == pytest.approx(100 * (1 - found["perplexity"] / 250))


def test_what_a_model_does_not_beat_is_how_often_words_are_in_train(form):
    """Of a, b, a, c, end, b, end, each counted once more: a 3, b 3, c 2, end 3, unknown 1, of 12."""
    rows = pd.DataFrame({"label": [A, C, UNKNOWN], "prediction": -1})
    assert form.floor(rows)["perplexity"] == pytest.approx((4 * 6 * 12) ** (1 / 3), abs=1e-4)
    assert form.floor(rows)["token_accuracy"] == pytest.approx(100 / 3, abs=1e-4)


@pytest.mark.parametrize("encoder", ["mini/elmo", "mini/bilm"])
def test_no_state_has_seen_what_it_predicts(encoder):
    run = Run(task="mini/text_words", encoder=encoder, limit=8)
    model = build_model(run, prepare(run), run.encoder)
    model.train(False)
    head = model.heads["task:mini/text_words"].train()

    def logits(word: str) -> torch.Tensor:
        ids, mask = padded([["the", "old", word, "is", "red"]])
        states = model.encoder(ids, mask).last_hidden_state
        return head(states, {"attention_mask": mask}).chunk(2)

    (ahead, back), (ahead_too, back_too) = logits("apple"), logits("plum")
    torch.testing.assert_close(ahead[:2], ahead_too[:2], atol=1e-6, rtol=0)
    torch.testing.assert_close(back[3:], back_too[3:], atol=1e-6, rtol=0)
    assert not torch.isclose(ahead[2:], ahead_too[2:]).all(1).any()
    assert not torch.isclose(back[:3], back_too[:3]).all(1).any()


@pytest.mark.parametrize("encoder", ["mini/bilstm", "mini/elmo_bilstm", "mini/bert", "mini/gpt"])
def test_an_encoder_without_a_model_per_direction_is_refused_in_check_and_in_training(refused, encoder):
    run = Run(task="mini/text_words", encoder=encoder, limit=8)
    task, *without = load_task("mini/text_words"), *prepared_encoder(run, encoder, weights=False)
    for check in (lambda: check_texts(run, task, *without), lambda: train(run, prepare(run), encoder)):
        refused(check, "with a model per direction, whose states have not seen", f"found {encoder}", "mini/elmo")


def trained(**settings):
    run = Run(task="mini/text_words", encoder="mini/bilm", limit=200, learning_rate=1e-2, **settings)
    return train(run, prepare(run), run.encoder)


def test_it_learns():
    result = trained()
    assert result.main.scores["validation"]["perplexity"] < result.main.majority["validation"]["perplexity"]
    words = result.main.task.splits["validation"]["text"].map(lambda text: len(WordTokenizer().words(text)))
    assert len(result.main.predictions) == 2 * words.sum() and not result.main.degenerate
    missed = run_view.mistakes(result, 3)
    assert missed["label"].map(str.isalpha).any() and missed["times"].is_monotonic_decreasing


def test_of_a_frozen_encoder_the_head_alone_learns():
    result = trained(tuning="frozen", num_train_epochs=1)
    fresh, _ = load_encoder("mini/bilm")
    for name, weights in result.model.encoder.state_dict().items():
        assert torch.equal(weights, fresh.state_dict()[name]), name
    assert len(result.model.parts[0].encoded["train"].features) == result.model.parts[0].encoded["train"].starts[-1]
