"""The BiLSTM encoder: what it gives, what of it trains, and that it comes back as it was saved."""

import pytest
import torch
from torch import nn
from transformers import AutoModel

from intertask.encoders.bilstm import BilstmConfig, BilstmModel
from intertask.encoders.elmo import ElmoConfig
from intertask.encoders.pretrained import load_encoder, save_encoder
from intertask.encoders.word_tokenizer import WordTokenizer
from intertask.run import Run
from intertask.training import prepare, train
from made_words import padded

WORDS = {"projection_size": 6, "character_size": 4, "filters": [[1, 4], [3, 5]], "num_highways": 1}
SENTENCES = [["a", "red", "plum"], ["no"], ["the", "old", "apple", "is", "red"]]


KINDS = {
    "bilstm": {"words": WORDS},
    "bilm": {"words": WORDS, "separate_directions": True},
    "elmo_bilstm": {"elmo": ElmoConfig(**WORDS, cell_size=9).sizes},
}


def made(kind: str) -> BilstmModel:
    torch.manual_seed(0)
    return BilstmModel(BilstmConfig(cell_size=7, **KINDS[kind])).eval()


@pytest.fixture
def encoder():
    return made("bilstm")


@pytest.fixture(params=KINDS)
def each(request):
    return made(request.param)


def test_a_head_reads_the_top_layer_and_the_words(encoder):
    ids, mask = padded(SENTENCES)
    found = encoder(ids, mask).last_hidden_state
    assert found.shape == (3, 5, 2 * 7 + 6) and encoder.config.hidden_size == 20
    assert torch.equal(found[..., 14:], encoder.words(ids) * mask[..., None])
    alone = encoder.lstm(encoder.words(ids[2:]))[0]
    torch.testing.assert_close(found[2:, :, :14], alone)


def test_on_elmo_the_words_are_its_mixed_layers():
    """And a head that mixes itself gets each of them beside the same top layer."""
    encoder, (ids, mask) = made("elmo_bilstm"), padded(SENTENCES)
    with torch.no_grad():
        encoder.mix.weights.copy_(torch.tensor([0.0, 1.0, 2.0])), encoder.mix.scale.fill_(1.5)
    found = encoder(ids, mask, output_hidden_states=True)
    layers = encoder.words(ids, mask, output_hidden_states=True).hidden_states
    shares = torch.tensor([1, torch.e, torch.e**2]) / (1 + torch.e + torch.e**2)
    words = 1.5 * sum(share * layer for share, layer in zip(shares, layers, strict=True))
    assert found.last_hidden_state.shape == (3, 5, encoder.config.hidden_size) == (3, 5, 2 * 7 + 2 * 6)
    torch.testing.assert_close(found.last_hidden_state[..., 14:], words)
    torch.testing.assert_close(found.last_hidden_state[2:, :, :14], encoder.lstm(words[2:])[0])
    assert len(found.hidden_states) == encoder.config.mixed_layers == 3
    for one, layer in zip(found.hidden_states, layers, strict=True):
        assert torch.equal(one[..., 14:], layer) and torch.equal(one[..., :14], found.last_hidden_state[..., :14])


def test_separate_directions_are_torchs_one_way_lstms_and_have_never_seen_what_comes():
    encoder, (ids, mask) = made("bilm"), padded(SENTENCES[2:])
    words, found = encoder.words(ids), encoder(ids, mask, output_hidden_states=True)
    sides = [(encoder.lstm.forwards, words), (encoder.lstm.backwards, words.flip(1))]
    both = []
    for layers, given in sides:
        theirs = nn.LSTM(6, 7, 2, batch_first=True)
        state = {name.replace("l0", f"l{k}"): w for k, one in enumerate(layers) for name, w in one.state_dict().items()}
        theirs.load_state_dict(state)
        both.append(theirs(given)[0])
    expected = torch.cat([both[0], both[1].flip(1)], dim=-1)
    torch.testing.assert_close(found.last_hidden_state, torch.cat([expected, words], dim=-1))
    assert torch.equal(found.hidden_states[-1], found.last_hidden_state) and len(found.hidden_states) == 2
    other = encoder(padded([["the", "old", "plum", "is", "red"]])[0], mask).last_hidden_state  # another third word
    same = torch.isclose(found.last_hidden_state, other, atol=1e-6)[0]
    assert same[:2, :7].all() and not same[2:, :7].any() and same[3:, 7:14].all() and not same[:3, 7:14].any()


def test_padding_and_the_other_sentences_change_nothing(each):
    together = each(*padded(SENTENCES)).last_hidden_state
    for row, words in enumerate(SENTENCES):
        torch.testing.assert_close(together[row, : len(words)], each(*padded([words])).last_hidden_state[0])
        assert not together[row, len(words) :].any()


def test_the_words_are_never_trained(each):
    encoder = each
    before = {name: weights.clone() for name, weights in encoder.state_dict().items()}
    encoder.train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1.0)
    encoder(*padded(SENTENCES)).last_hidden_state.square().sum().backward()
    optimizer.step()
    changed = {name.split(".")[0] for name, weights in encoder.state_dict().items() if not weights.equal(before[name])}
    assert changed == {"lstm", *(["mix"] if encoder.mix else [])}


def test_each_word_is_computed_once_until_the_weights_change(encoder, monkeypatch):
    counts, vectors = [], encoder.words._vectors
    monkeypatch.setattr(encoder.words, "_vectors", lambda words: counts.append(len(words)) or vectors(words))
    with torch.inference_mode():
        encoder(*padded(SENTENCES))
    assert counts == [9]  # eight words, and what stands behind a sentence
    states = encoder(*padded([["plum", "a", "pear"]])).last_hidden_state
    assert counts == [9, 1]
    states.sum().backward()
    with torch.no_grad():
        encoder.words.projection.bias += 1
    ids, mask = padded([["plum", "a"]])
    torch.testing.assert_close(encoder(ids, mask).last_hidden_state[..., 14:], states[:, :2, 14:] + 1)
    assert counts == [9, 1, 2]


def test_what_is_saved_is_what_this_library_and_automodel_load(each, tmp_path):
    save_encoder(each, WordTokenizer(), tmp_path)
    batch = padded(SENTENCES)
    expected = each(*batch, output_hidden_states=True).hidden_states
    for loaded in (AutoModel.from_pretrained(tmp_path), load_encoder(tmp_path)[0].eval()):
        for one, other in zip(loaded(*batch, output_hidden_states=True).hidden_states, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def test_a_mix_is_for_encoders_that_offer_layers(refused):
    for setting in ({"scalar_mix": True}, {"layer": 0}):
        run = Run(task="mini/sst2", encoder="mini/bilstm", classifier="small", **setting)
        refused(lambda run=run: train(run, prepare(run), run.encoder), "which offers its top layer alone")
