"""Rows to tensors, heads and losses of every format, on sentences short enough to count."""

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.encoders import load_encoder
from intertask.formats import FORMATS
from intertask.formats.base import pool
from intertask.formats.masked_language_modelling import CHOSEN, MASKED, RANDOM
from intertask.formats.tokens import LARGE
from intertask.tasks.schema import TaskEntry

ENTRIES = {
    "classification": {"labels": ["no", "maybe", "yes"], "label": "label", "inputs": ["a", "b"]},
    "regression": {"label_range": (0, 5), "label": "label", "inputs": ["a", "b"]},
    "masked_language_modelling": {"inputs": ["a"]},
}


@pytest.fixture(scope="module")
def encoder():
    model, tokenizer = load_encoder("mini/bert")
    return model.eval(), tokenizer


def made(name: str):
    return FORMATS[name](TaskEntry(name=name, format=name, mini="rte", **ENTRIES[name]))


def rows(count: int = 3) -> pd.DataFrame:
    texts = [("a dog", "a"), ("a", "a"), ("a a a", "a a")][:count]
    return pd.DataFrame(texts, columns=["a", "b"], index=[7, 8, 9][:count]).assign(label=[0, 2, 1][:count])


def test_a_pair_becomes_padded_ids_with_segments_and_mask(encoder):
    form, tokenizer = made("classification"), encoder[1]
    batch = form.collate(form.encode(rows(), tokenizer, 16), [1, 2], tokenizer, None)
    cls, sep, a = tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", "a"])
    assert batch["input_ids"].tolist() == [[cls, a, sep, a, sep, 0, 0, 0], [cls, a, a, a, sep, a, a, sep]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1]]
    assert batch["attention_mask"].sum(1).tolist() == [5, 8]
    assert batch["labels"].tolist() == [2, 1]


def test_rows_keep_their_numbers_and_truncation_is_counted(encoder):
    encoded = made("classification").encode(rows(), encoder[1], 7)
    assert encoded.rows.tolist() == [7, 8, 9] and encoded.truncated == 1
    assert encoded.lengths.tolist() == [6, 5, 7]


def test_padding_does_not_change_what_is_computed(encoder):
    form, (model, tokenizer) = made("classification"), encoder
    encoded = form.encode(rows(), tokenizer, 16)
    for pooling in ("first", "pooler", "mean"):
        head = form.head(model, pooling).eval()
        outputs = []
        for index in ([1], [1, 2]):
            batch = form.collate(encoded, index, tokenizer, None)
            inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
            outputs.append(head(head.reads(model(**inputs), batch), batch)[0])
        torch.testing.assert_close(*outputs)


def test_pooling_by_hand():
    class Outputs:
        last_hidden_state = torch.tensor([[[1.0], [3.0], [50.0]]])
        pooler_output = torch.tensor([[9.0]])

    mask = torch.tensor([[1, 1, 0]])
    assert [pool(Outputs, mask, name).item() for name in ("first", "pooler", "mean")] == [1.0, 9.0, 2.0]


def test_classification_loss_and_predictions_by_hand():
    form = made("classification")
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]))
    assert form.loss(logits, {"labels": torch.tensor([0, 2])}).item() == pytest.approx(-(np.log(0.5) + np.log(0.6)) / 2)
    assert form.predict(logits.numpy()).tolist() == [0, 2]
    assert form.majority(pd.Series([2, 1, 2])).tolist() == [2, 2, 2]


def test_regression_is_scaled_for_the_loss_and_back_for_the_prediction():
    form = made("regression")
    logits = torch.tensor([[0.5], [1.0]])
    assert form.loss(logits, {"labels": torch.tensor([2.5, 0.0])}).item() == pytest.approx((0 + 1) / 2)
    assert form.predict(logits.numpy()).tolist() == [2.5, 5.0]
    assert form.majority(pd.Series([1.0, 2.0])).tolist() == [1.5, 1.5]


def test_masking_takes_the_papers_shares_and_never_a_special_token(encoder):
    form, tokenizer = made("masked_language_modelling"), encoder[1]
    frame = pd.DataFrame({"a": ["a dog is here ."] * 4000})
    encoded = form.encode(frame, tokenizer, 16)
    batch = form.collate(encoded, np.arange(4000), tokenizer, np.random.default_rng(0))
    original = torch.tensor(encoded.inputs["input_ids"], dtype=torch.long).reshape(4000, -1)
    chosen, ids = batch["chosen"], batch["input_ids"]
    assert torch.equal(original[chosen], batch["labels"])
    assert torch.equal(original[~chosen], ids[~chosen])
    assert not np.isin(batch["labels"], tokenizer.all_special_ids).any()
    assert chosen[:, 1:-1].float().mean().item() == pytest.approx(CHOSEN, abs=0.01)
    masked = (ids[chosen] == tokenizer.mask_token_id).float().mean().item()
    kept = (ids[chosen] == batch["labels"]).float().mean().item()
    assert masked == pytest.approx(MASKED, abs=0.02) and kept == pytest.approx(1 - MASKED - RANDOM, abs=0.02)


def test_a_batch_of_one_short_sentence_has_something_to_predict(encoder):
    form, (model, tokenizer) = made("masked_language_modelling"), encoder
    encoded = form.encode(pd.DataFrame({"a": ["a"]}), tokenizer, 16)
    for seed in range(20):
        batch = form.collate(encoded, [0], tokenizer, np.random.default_rng(seed))
        assert len(batch["labels"]) == 1
        inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
        head = form.head(model, "first")
        assert head(head.reads(model(**inputs), batch), batch).shape == (1, len(tokenizer))


def test_the_tokens_of_a_large_split_are_made_once(encoder, monkeypatch, tmp_path):
    monkeypatch.setenv("INTERTASK_CACHE", str(tmp_path))
    form, tokenizer = made("classification"), encoder[1]
    large = pd.DataFrame({"a": ["a dog is here ."] * LARGE, "b": ["it is"] * LARGE, "label": [0, 1] * (LARGE // 2)})
    first = form.encode(large, tokenizer, 7)
    monkeypatch.setattr(type(tokenizer), "__call__", None)  # asked again, it would fail
    again = form.encode(large, tokenizer, 7)
    assert again.truncated == first.truncated == LARGE and np.array_equal(again.starts, first.starts)
    assert all(np.array_equal(again.inputs[name], ids) for name, ids in first.inputs.items())
    with pytest.raises(TypeError):
        form.encode(large, tokenizer, 8)
