"""Encoders by name: saved and read back, random parts by seed, and refusals."""

import pytest
import torch

from intertask import hub
from intertask.encoders.mini import PRETRAINING
from intertask.encoders.pretrained import (
    encoder_bytes,
    encoder_fingerprint,
    load_encoder,
    load_tokenizer,
    longest,
    save_encoder,
)
from intertask.errors import IntertaskError
from intertask.tasks.catalogue import catalogue
from made_study import write_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder"))


def weights(encoder) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in encoder.parameters()])


def test_what_is_saved_is_read_back_bit_by_bit(folder, tmp_path):
    encoder, tokenizer = load_encoder(folder)
    save_encoder(encoder, tokenizer, tmp_path)
    again, tokenizer_again = load_encoder(tmp_path)
    assert torch.equal(weights(encoder), weights(again))
    text = ["the dog sleeps .", "Zürich, 3 o'clock"]
    assert tokenizer(text)["input_ids"] == tokenizer_again(text)["input_ids"]
    assert not list(tmp_path.glob("*.bin"))


def test_a_random_pooler_comes_only_where_it_is_asked_for_and_from_the_seed(folder):
    poolers = [load_encoder(folder, "pooler", seed)[0].pooler for seed in (1, 1, 2)]
    assert torch.equal(poolers[0].dense.weight, poolers[1].dense.weight)
    assert not torch.equal(poolers[0].dense.weight, poolers[2].dense.weight)
    assert load_encoder(folder, "first")[0].pooler is None


def test_an_encoder_without_a_pooler_says_so(tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    _, tokenizer = load_encoder("mini/bert")
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=16, n_layers=1, n_heads=1, hidden_dim=16)
    save_encoder(DistilBertModel(config), tokenizer, tmp_path)
    with pytest.raises(IntertaskError, match=r"\(distilbert\) has no pooler. Use first, mean or last"):
        load_encoder(tmp_path, "pooler")
    assert load_encoder(tmp_path, "mean")


@pytest.mark.parametrize("name", ["mini/bert", "mini/gpt"])
def test_the_mini_encoders_are_random_by_seed_and_know_their_language(name):
    first, again, other = (weights(load_encoder(name, seed=seed)[0]) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert 4 * len(first) == pytest.approx(encoder_bytes(name), rel=0.2)
    assert PRETRAINING[name]["task"] in catalogue() and longest(load_encoder(name)[0]) == 128
    tokenizer = load_encoder(name)[1]
    from minilanguage import words

    plain = [word for word in words() if word.isalpha()]
    assert tokenizer.tokenize(" ".join(plain)) == plain
    assert tokenizer.decode(tokenizer("zebras?")["input_ids"]).count("[UNK]") == 0


def test_the_segments_of_mini_bert():
    assert load_encoder("mini/bert")[1]("a", "b")["token_type_ids"] == [0, 0, 0, 1, 1]


def test_the_fingerprint_follows_the_weights(folder, tmp_path):
    encoder, tokenizer = load_encoder(folder)
    save_encoder(encoder, tokenizer, tmp_path)
    before = encoder_fingerprint(str(tmp_path))
    with torch.no_grad():
        encoder.embeddings.word_embeddings.weight[0] += 1
    save_encoder(encoder, tokenizer, tmp_path)
    assert encoder_fingerprint(str(tmp_path)) != before
    assert encoder_bytes(str(tmp_path)) == (tmp_path / "model.safetensors").stat().st_size


def test_an_encoder_that_is_not_there(tmp_path, monkeypatch, folder):
    with pytest.raises(IntertaskError, match="no encoder mini/brt. Did you mean 'mini/bert'"):
        load_encoder("mini/brt")
    mirror = tmp_path / "mirror"
    (mirror / "somebody" / "bert-tiny").mkdir(parents=True)
    monkeypatch.setenv("INTERTASK_HUB", str(mirror))
    with pytest.raises(IntertaskError, match="local clone of 'somebody/bert-tny'.*Did you mean 'somebody/bert-tiny'"):
        load_encoder("somebody/bert-tny")
    with pytest.raises(IntertaskError, match="expected config.json in .*bert-tiny, found nothing"):
        load_encoder("somebody/bert-tiny")


def test_a_tokenizer_that_the_library_cannot_read(tmp_path):
    from transformers import CanineConfig, CanineTokenizer

    CanineConfig().save_pretrained(tmp_path)
    CanineTokenizer().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(IntertaskError, match="expected a tokenizer of the tokenizers library, found CanineTokenizer"):
        load_tokenizer(tmp_path)


def test_a_revision_is_taken_from_the_mirror_if_it_is_there_and_never_another(tmp_path, monkeypatch, refused):
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path))
    write_encoder(tmp_path / "owner" / "name")
    words = "a local clone of 'owner/name@v1'", f"no folder {tmp_path}/owner/name@v1"
    refused(lambda: load_encoder("owner/name@v1"), *words)
    refused(lambda: load_encoder("owner/name@"), "a revision behind the @, found none")
    pinned = write_encoder(tmp_path / "owner" / "name@v1", seed=1)
    assert torch.equal(*(weights(load_encoder(name)[0]) for name in ("owner/name@v1", pinned)))
    assert encoder_fingerprint("owner/name@v1") == encoder_fingerprint(str(pinned)) != encoder_fingerprint("owner/name")
    monkeypatch.chdir(tmp_path / "owner")
    assert load_encoder("name@v1")[0] and load_tokenizer(tmp_path / "owner" / "name@v1")  # folders, with an @ in them


def test_the_hub_is_asked_for_the_revision(monkeypatch, folder):
    asked = []
    monkeypatch.setattr(hub, "_download", lambda *wanted: asked.append(wanted) or folder)
    load_tokenizer("owner/name@refs/pr/3")
    load_tokenizer("owner/name")
    assert {(repo, revision) for repo, _, _, revision, _ in asked} == {
        ("owner/name", "refs/pr/3"),
        ("owner/name", "main"),
    }


def test_pickled_weights_are_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(
        IntertaskError, match="expected weights as .safetensors in .*pytorch_model.bin.*intertask encoder convert"
    ):
        load_encoder(tmp_path)
