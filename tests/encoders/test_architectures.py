"""Every architecture: loaded, read in padded batches, trained, checkpointed, adapted, saved and read back."""

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.encoders.lora import merged, with_lora
from intertask.encoders.pretrained import checkpoint_gradients, load_encoder, longest, reads_ahead, save_encoder
from intertask.errors import IntertaskError
from intertask.formats import FORMATS
from intertask.tasks.schema import TaskEntry
from made_encoders import ARCHITECTURES, BOTH_WAYS, LEFT_TO_RIGHT, write

TEXTS = pd.DataFrame({"a": ["abcdefgh", "ab", "cab"], "b": ["gab", "b", "hedge"], "label": [0, 1, 2]})
ENTRY = {"inputs": ["a", "b"], "label": "label", "labels": ["x", "y", "z"]}
ADAPTED = {"albert": 6, "openai-gpt": 8, "gpt2": 8, "llama": 14, "qwen2": 14, "modernbert": 8, "deberta-v2": 16}
"""Linear layers in the blocks; BERT and those built like it have 2 times 6."""

NO_CHECKPOINTS = ("albert", "openai-gpt")

every = pytest.mark.parametrize("name", ARCHITECTURES)
last_first_mean = pytest.mark.parametrize("pooling", ["last", "first", "mean"])


def classification():
    return FORMATS["classification"](TaskEntry(name="t", mini="rte", format="classification", **ENTRY))


def read(encoder, batch):
    return encoder(**{name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask") if name in batch})


def batch_of(tokenizer, index=(0, 1, 2), max_length=32):
    form = classification()
    return form.collate(form.encode(TEXTS, tokenizer, max_length), np.array(index), tokenizer, None)


def gradients(encoder, tokenizer, pooling="last"):
    """Of the encoder's parameters, by name, after one batch of a classification; those that it has not are missing."""
    form, batch = classification(), batch_of(tokenizer)
    torch.manual_seed(0)
    head = form.head(encoder, pooling, dropout=0.0)
    form.loss(head(head.reads(read(encoder, batch), batch), batch), batch).backward()
    found = {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}
    encoder.zero_grad()
    return found


def still(encoder):
    """Without dropout but in training mode, which gradient checkpointing asks for."""
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "dropout_prob", "attention_dropout", "hidden_dropout_prob"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return encoder.train()


@every
def test_it_learns_and_is_saved_and_read_back_with_equal_outputs(folder_of, tmp_path, name):
    encoder, tokenizer = load_encoder(folder_of(name))
    found = gradients(encoder, tokenizer)
    assert all(torch.isfinite(gradient).all() for gradient in found.values())
    rows = encoder.get_input_embeddings().weight
    assert any(torch.equal(rows, p) for p in encoder.parameters()) and len(rows) == len(tokenizer)
    save_encoder(encoder, tokenizer, tmp_path)
    again, same = load_encoder(tmp_path)
    batch = batch_of(tokenizer)
    assert same.get_vocab() == tokenizer.get_vocab()
    assert torch.equal(batch["input_ids"], batch_of(same)["input_ids"])
    with torch.no_grad():
        outputs = [read(one.eval(), batch).last_hidden_state for one in (encoder, again)]
    assert torch.equal(*outputs)


@every
@last_first_mean
def test_padding_changes_nothing(folder_of, name, pooling):
    encoder, tokenizer = load_encoder(folder_of(name))
    if pooling == "first" and name in LEFT_TO_RIGHT:
        with pytest.raises(IntertaskError, match="pooling: first, but .* reads from left to right.*Use last or mean"):
            classification().head(encoder, pooling)
        return
    head = classification().head(encoder, pooling)
    vectors = []
    for index in ([1], [0, 1, 2]):
        batch = batch_of(tokenizer, index)
        with torch.no_grad():
            vectors.append(head.reads(read(encoder.eval(), batch), batch)[index.index(1)])
    torch.testing.assert_close(*vectors, atol=1e-5, rtol=1e-4)


@every
def test_a_pair_is_parted_and_ends_with_a_token_of_its_own_even_when_cut(folder_of, name):
    _, tokenizer = load_encoder(folder_of(name))
    first, parting, last = ("[CLS]", "[SEP]", "[SEP]") if name in BOTH_WAYS else ("<start>", "<delimiter>", "<extract>")
    for max_length in (32, 9):
        encoded = classification().encode(TEXTS[:1], tokenizer, max_length)
        tokens = tokenizer.convert_ids_to_tokens(encoded.inputs["input_ids"])
        assert len(tokens) <= max_length and encoded.truncated == (max_length == 9)
        assert tokens[0] == ("<s>" if name == "llama" else first) and tokens[-1] == last
        assert parting in tokens[1:-1] and tokens.count("<delimiter>") == (name in LEFT_TO_RIGHT)


@every
def test_who_reads_ahead(folder_of, name):
    assert reads_ahead(load_encoder(folder_of(name))[0]) == (name in BOTH_WAYS)


@every
def test_its_positions_are_enough_for_the_longest_text_and_no_more(folder_of, name):
    encoder, tokenizer = load_encoder(folder_of(name))
    assert longest(encoder) == 64
    assert torch.isfinite(encoder(input_ids=torch.full((1, 64), 5)).last_hidden_state).all()


@every
def test_gradient_checkpointing_gives_the_same_gradients(folder_of, name):
    encoder, tokenizer = load_encoder(folder_of(name))
    plain = gradients(still(encoder), tokenizer)
    if name in NO_CHECKPOINTS:
        with pytest.raises(IntertaskError, match="gradient_checkpointing: transformers offers none for"):
            checkpoint_gradients(encoder)
        return
    checkpoint_gradients(encoder)
    assert encoder.is_activation_checkpointing
    torch.testing.assert_close(gradients(encoder, tokenizer), plain)


@every
def test_adapters_alone_learn_and_merged_they_read_the_same(folder_of, tmp_path, name):
    encoder, tokenizer = load_encoder(folder_of(name), seed=3)
    encoder = still(with_lora(encoder, r=2, alpha=4, seed=3))
    assert {n for n, p in encoder.named_parameters() if p.requires_grad} == {
        n for n, _ in encoder.named_parameters() if "lora_" in n
    }
    assert sum("lora_A" in n for n, _ in encoder.named_parameters()) == ADAPTED.get(name, 12)
    found = gradients(encoder, tokenizer)
    assert found and all("lora_" in n for n in found)
    if name not in NO_CHECKPOINTS:
        checkpoint_gradients(encoder)
        torch.testing.assert_close(gradients(encoder, tokenizer), found)
    with torch.no_grad():
        for n, p in encoder.named_parameters():
            if "lora_" in n:
                p.normal_(std=0.1)
    save_encoder(merged(encoder), tokenizer, tmp_path)
    again, _ = load_encoder(tmp_path)
    batch = batch_of(tokenizer)
    with torch.no_grad():
        outputs = [read(one.eval(), batch).last_hidden_state for one in (encoder, again)]
        before = read(load_encoder(folder_of(name), seed=3)[0].eval(), batch).last_hidden_state
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=0)
    assert not torch.allclose(outputs[0], before, atol=1e-2)


def test_adapters_are_drawn_by_their_seed_and_change_nothing_yet(folder_of):
    drawn = []
    for seed in (1, 1, 2):
        encoder, tokenizer = load_encoder(folder_of("gpt2"))
        batch = batch_of(tokenizer)
        before = read(encoder.eval(), batch).last_hidden_state
        adapted = with_lora(encoder, 2, 4, seed)
        assert torch.equal(read(adapted, batch).last_hidden_state, before)
        drawn.append(torch.cat([p.flatten() for n, p in adapted.named_parameters() if "lora_A" in n]))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_new_tokens_start_random_by_seed(folder_of, name):
    rows = [load_encoder(folder_of(name), seed=seed)[0].get_input_embeddings().weight for seed in (1, 1, 2)]
    assert torch.equal(rows[0], rows[1]) and not torch.equal(rows[0][-1], rows[2][-1])
    assert torch.equal(rows[0][:20], rows[2][:20])
    assert rows[0][-1].std().item() == pytest.approx(0.02, rel=0.5)


def test_weights_stored_in_half_precision_are_trained_in_single(tmp_path, folder_of):
    encoder, tokenizer = load_encoder(folder_of("qwen2"))
    save_encoder(encoder.to(torch.bfloat16), tokenizer, tmp_path)
    assert load_encoder(tmp_path)[0].dtype == torch.float32
    assert load_encoder(tmp_path, random_weights=True)[0].dtype == torch.float32


def test_segments_reach_only_those_who_know_them(folder_of):
    inputs = {name: load_encoder(folder_of(name))[1].model_input_names for name in ARCHITECTURES}
    assert [name for name in ARCHITECTURES if "token_type_ids" in inputs[name]] == ["bert", "albert", "electra"]


def test_a_sequence_to_sequence_model_is_refused(tmp_path, folder_of):
    from transformers import T5Config

    write(tmp_path, "bert")
    T5Config(d_model=8).save_pretrained(tmp_path)
    with pytest.raises(
        IntertaskError, match=r"an encoder or a decoder alone, found a sequence-to-sequence model \(t5\)"
    ):
        load_encoder(tmp_path)
