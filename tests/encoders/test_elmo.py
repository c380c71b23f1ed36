"""ELMo against what its original implementation gave, and against torch's own LSTM."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModel

from intertask.encoders.characters import (
    MAX_CHARACTERS,
    character_ids,
    with_boundaries,
)
from intertask.encoders.elmo import BothWays, ElmoConfig, ElmoModel
from intertask.encoders.elmo_files import BY_NAME
from intertask.encoders.pretrained import encoder_fingerprint, load_encoder
from intertask.encoders.word_tokenizer import WordTokenizer
from made_words import padded

SMALL = {"projection_size": 6, "cell_size": 10, "character_size": 4, "filters": [[1, 4], [3, 5]], "num_highways": 1}


@pytest.fixture(scope="module")
def published(shared):
    """A small model in the published files' format, and their folder."""
    folder = shared / "original" / "elmo"
    return load_encoder(folder)[0].eval(), folder


@pytest.fixture
def small():
    torch.manual_seed(0)
    return ElmoModel(ElmoConfig(**SMALL)).eval()


def original(folder, number: int) -> dict[str, np.ndarray]:
    import h5py

    with h5py.File(folder / f"lm_embeddings_{number}.hdf5") as file:
        return {name: np.concatenate([*file[name][...]], axis=1) for name in file}


def test_the_vectors_of_words_are_those_of_the_original(published):
    import h5py

    model, folder = published
    words = (folder / "vocab_test.txt").read_text().split("\n")
    ids = character_ids(words)
    marks, _ = with_boundaries(torch.zeros(1, 0, MAX_CHARACTERS).long(), torch.zeros(1, 0).long())
    for word, mark in zip(("<S>", "</S>"), marks[0], strict=True):
        ids[words.index(word)] = mark
    with h5py.File(folder / "elmo_token_embeddings.hdf5") as file, torch.inference_mode():
        np.testing.assert_allclose(model.words(ids), file["embedding"], atol=1e-5)


def test_the_states_of_sentences_are_those_of_the_original(published):
    """Which kept its state from batch to batch: the first is the same without."""
    model, folder = published
    lists = json.loads((folder / "sentences.json").read_text())
    expected, state = [original(folder, number) for number in range(3)], None
    for place in range(10):
        sentences = [sentence[place].split() for sentence in lists]
        ids, mask = padded(sentences)
        with torch.inference_mode():
            found = model(ids, mask, state=state)
            alone = model(ids, mask)
        state = found["state"]
        for number, words in enumerate(sentences):
            top, without = (one.last_hidden_state[number, : len(words)] for one in (found, alone))
            np.testing.assert_allclose(top, expected[number][str(place)], atol=1e-5)
            assert np.allclose(without, expected[number][str(place)], atol=1e-5) == (place == 0)


def test_without_clip_and_projection_it_is_torchs_lstm():
    torch.manual_seed(0)
    layer, theirs = BothWays(5, 5, None), nn.LSTM(5, 5, batch_first=True, bidirectional=True)
    with torch.no_grad():
        layer.projection.copy_(torch.eye(5))
        for way, end in enumerate(("", "_reverse")):
            getattr(theirs, f"weight_ih_l0{end}").copy_(layer.reading[way].T)
            getattr(theirs, f"weight_hh_l0{end}").copy_(layer.recurrence[way].T)
            getattr(theirs, f"bias_ih_l0{end}").copy_(layer.bias[way, 0])
            getattr(theirs, f"bias_hh_l0{end}").zero_()
    x, lengths = torch.randn(3, 7, 5), torch.tensor([7, 2, 5])
    found, (h, c) = layer(torch.stack([x, x]), lengths)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, (last, cells) = theirs(packed)
    expected, _ = nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    for row, length in enumerate(lengths):
        ours = torch.cat([*found[:, row, :length]], dim=-1)
        torch.testing.assert_close(ours, expected[row, :length])
    torch.testing.assert_close(h, last)
    torch.testing.assert_close(c, cells)


def test_padding_and_the_other_sentences_change_nothing(small):
    sentences = [["a", "red", "plum"], ["no"], ["the", "old", "apple", "is", "red"]]
    with torch.inference_mode():
        together = small(*padded(sentences), output_hidden_states=True)
        for row, words in enumerate(sentences):
            alone = small(*padded([words]), output_hidden_states=True)
            for ours, theirs in zip(together.hidden_states, alone.hidden_states, strict=True):
                torch.testing.assert_close(ours[row, : len(words)], theirs[0])
                assert not ours[row, len(words) :].any()


def test_what_is_saved_is_what_automodel_loads(small, tmp_path):
    small.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    batch = padded([["a", "red", "plum"]])
    with torch.inference_mode():
        assert torch.equal(loaded(*batch).last_hidden_state, small(*batch).last_hidden_state)


def test_a_word_is_its_letters_up_to_the_longest():
    (short, long, cut) = character_ids(["ab", "é" * 24, "é" * 40])
    assert short[:4].tolist() == [259, 98, 99, 260] and set(short[4:].tolist()) == {261}
    assert long[1:3].tolist() == [196, 170]  # the two bytes of é
    assert torch.equal(long, cut)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_published_files_are_encoders_by_name(name, shared, monkeypatch):
    monkeypatch.setenv("INTERTASK_CORPORA", str(shared / "original"))
    (model, tokenizer), (other, _) = (load_encoder(name, seed=seed) for seed in (0, 1))
    published = load_encoder(str(shared / "original" / "elmo"))[0]
    assert model.config.model_type == name.split("_")[-1].replace("bilm", "bilstm")
    assert isinstance(tokenizer, WordTokenizer)
    read = (published if name == "elmo_bilstm" else published.words).state_dict()
    for weights, same in model.words.state_dict().items():
        assert torch.equal(same, read[weights])
    ids, mask = padded([["a", "red", "plum"]])
    with torch.inference_mode():
        one, two = (each.eval()(ids, mask).last_hidden_state for each in (model, other))
    assert torch.equal(one, two) == (name == "elmo") and one.shape[-1] == model.config.hidden_size
    same = encoder_fingerprint(name) == encoder_fingerprint(str(shared / "original" / "elmo"))
    assert same == (name == "elmo")


def test_an_untrained_elmo_has_the_sizes_and_none_of_the_weights(shared):
    folder = shared / "original" / "elmo"
    drawn, read = (load_encoder(folder, random_weights=random)[0].state_dict() for random in (True, False))
    assert {name: one.shape for name, one in drawn.items()} == {name: one.shape for name, one in read.items()}
    assert not any(torch.equal(one, read[name]) for name, one in drawn.items())


def test_without_the_published_files_one_is_told_where_they_are(refused, monkeypatch, tmp_path):
    monkeypatch.delenv("INTERTASK_CORPORA", raising=False)
    refused(lambda: load_encoder("elmo"), "INTERTASK_CORPORA not set", "Fetch an ELMo that AllenNLP published")
    monkeypatch.setenv("INTERTASK_CORPORA", str(tmp_path))
    refused(lambda: load_encoder("bilstm"), f"found none in {tmp_path / 'elmo'}")


@pytest.fixture
def copied(shared, tmp_path):
    """The published files, to be spoiled."""
    for name in ("options.json", "lm_weights.hdf5"):
        shutil.copyfile(shared / "original" / "elmo" / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ('"projection_dim": 16', '"projection_dim": 8', ["words.projection.weight of shape (8, 124)", "(16, 124)"]),
        ('"relu"', '"tanh"', ["a network as ELMo's", "another activation"]),
        ('"proj_clip": 3', '"proj_clip": 2', ["another proj_clip"]),
        ('"lstm"', '"gru"', ["ELMo's options (lstm, char_cnn)", "KeyError"]),
        ("{", "", ["ELMo's options", "JSONDecodeError"]),
    ],
)
def test_options_that_do_not_fit_are_refused(refused, copied, old, new, parts):
    text = (copied / "options.json").read_text()
    (copied / "options.json").write_text(text.replace(old, new, 1))
    refused(lambda: load_encoder(str(copied)), *parts)


def test_weights_that_are_none_are_refused(refused, copied):
    (copied / "lm_weights.hdf5").write_bytes(b"no HDF5")
    refused(lambda: load_encoder(str(copied)), "lm_weights.hdf5: expected the weights of an ELMo (HDF5)")
