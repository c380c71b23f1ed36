"""The BiLSTM encoder: what it gives, what of it trains, and that it comes back as it was saved."""

import pytest
import torch
from transformers import AutoModel

from intertask.encoders.bilstm import BilstmConfig, BilstmModel
from made_words import padded

WORDS = {"projection_size": 6, "character_size": 4, "filters": [[1, 4], [3, 5]], "num_highways": 1}
SENTENCES = [["a", "red", "plum"], ["no"], ["the", "old", "apple", "is", "red"]]


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return BilstmModel(BilstmConfig(cell_size=7, words=WORDS)).eval()


def test_a_head_reads_the_top_layer_and_the_words(encoder):
    ids, mask = padded(SENTENCES)
    found = encoder(ids, mask).last_hidden_state
    assert found.shape == (3, 5, 2 * 7 + 6) and encoder.config.hidden_size == 20
    assert torch.equal(found[..., 14:], encoder.words(ids) * mask[..., None])
    alone = encoder.lstm(encoder.words(ids[2:]))[0]
    torch.testing.assert_close(found[2:, :, :14], alone)


def test_padding_and_the_other_sentences_change_nothing(encoder):
    together = encoder(*padded(SENTENCES)).last_hidden_state
    for row, words in enumerate(SENTENCES):
        torch.testing.assert_close(together[row, : len(words)], encoder(*padded([words])).last_hidden_state[0])


def test_the_words_are_never_trained(encoder):
    before = {name: weights.clone() for name, weights in encoder.state_dict().items()}
    encoder.train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1.0)
    encoder(*padded(SENTENCES)).last_hidden_state.square().sum().backward()
    optimizer.step()
    changed = {name.split(".")[0] for name, weights in encoder.state_dict().items() if not weights.equal(before[name])}
    assert changed == {"lstm"}


def test_what_is_saved_is_what_automodel_loads(encoder, tmp_path):
    encoder.save_pretrained(tmp_path)
    loaded, batch = AutoModel.from_pretrained(tmp_path), padded(SENTENCES)
    torch.testing.assert_close(loaded(*batch).last_hidden_state, encoder(*batch).last_hidden_state, rtol=0, atol=1e-7)
