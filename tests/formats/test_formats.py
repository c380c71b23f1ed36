"""Rows to tensors, heads and losses of every format, on sentences short enough to count."""

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.errors import IntertaskError
from intertask.formats import FORMATS
from intertask.formats.causal_language_modelling import language_modelling_loss
from intertask.formats.heads import pool_states, rate
from intertask.formats.masked_language_modelling import CHOSEN, MASKED, RANDOM
from intertask.run import Run
from intertask.tasks.catalogue import catalogue
from intertask.tasks.schema import TaskEntry, parse_entry
from intertask.training import prepare, train

ENTRIES = {
    "classification": {"labels": ["no", "maybe", "yes"], "label": "label", "inputs": ["a", "b"]},
    "regression": {"label_range": (0, 5), "label": "label", "inputs": ["a", "b"]},
    "masked_language_modelling": {"inputs": ["a"]},
    "causal_language_modelling": {"inputs": ["a"]},
}


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
    assert encoded.rows.index.tolist() == [7, 8, 9] and encoded.truncated == 1
    assert encoded.lengths.tolist() == [6, 5, 7]


def test_padding_does_not_change_what_is_computed(encoder):
    form, (model, tokenizer) = made("classification"), encoder
    encoded = form.encode(rows(), tokenizer, 16)
    for pooling in ("first", "last", "pooler", "mean"):
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
    found = {name: pool_states(Outputs, mask, name).item() for name in ("first", "last", "pooler", "mean")}
    assert found == {"first": 1.0, "last": 3.0, "pooler": 9.0, "mean": 2.0}


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


def test_an_outlier_counts_by_its_size_in_ranges_and_may_lie_outside():
    entry = {"label": "label", "inputs": ["a"], "label_range": (0, 5), "outliers": True}
    form = FORMATS["regression"](TaskEntry(name="r", format="regression", mini="rte", **entry))
    # an error of half a range: its square by 2; one of ten ranges: 10 - 1/2
    loss = form.loss(torch.tensor([[0.5], [0.0]]), {"labels": torch.tensor([0.0, 50.0])})
    assert loss.item() == pytest.approx((0.5**2 / 2 + 9.5) / 2)
    assert form.written(pd.Series([-3.0, 50.0]), "r", names=False) == ["-3.000", "50.000"]
    frame = pd.DataFrame({"label": ["50", "-3"]}, index=pd.MultiIndex.from_tuples([("f", 1), ("f", 2)]))
    assert form.numbered(frame, {}).tolist() == [50, -3]
    with pytest.raises(IntertaskError, match="f, row 1.*a number from 0 to 5, found '50'.*`outliers: true`"):
        made("regression").numbered(frame, {})


def test_a_regression_with_outliers_is_learned():
    run = Run(task="mini/prices", num_train_epochs=1, max_length=32, learning_rate=1e-3)
    assert train(run, prepare(run), "mini/bert").main.scores["validation"]["spearman"] > 50


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


def left_to_right(encoder):
    """mini/bert with the mask of a decoder: every token sees itself and those before it."""
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig.from_dict(encoder[0].config.to_dict() | {"is_decoder": True})).eval()


def test_causal_language_modelling_predicts_every_next_token(encoder):
    form, tokenizer = made("causal_language_modelling"), encoder[1]
    frame = pd.DataFrame({"a": ["a dog is", "a"]})
    encoded = form.encode(frame, tokenizer, 16)
    batch = form.collate(encoded, np.array([0, 1]), tokenizer, None)
    names = tokenizer.convert_ids_to_tokens(batch["labels"].tolist())
    assert names == ["a", "dog", "is", "[SEP]", "a", "[SEP]"]
    model = left_to_right(encoder)
    head = form.head(model, "first")
    inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    logits = head(head.reads(model(**inputs), batch), batch)
    assert logits.shape == (6, len(tokenizer)) and not list(head.parameters())
    states = model(**inputs).last_hidden_state
    torch.testing.assert_close(logits[4], model.get_input_embeddings().weight @ states[1, 0])


def test_an_encoder_that_reads_ahead_is_no_causal_language_model(encoder):
    with pytest.raises(IntertaskError, match="reads from left to right, found BertModel"):
        made("causal_language_modelling").head(encoder[0], "first")


def test_the_auxiliary_loss_is_that_of_the_same_texts_as_a_language_model(encoder):
    form, tokenizer, model = made("causal_language_modelling"), encoder[1], left_to_right(encoder)
    encoded = form.encode(pd.DataFrame({"a": ["a dog is", "a", ""]}), tokenizer, 16)
    batch = form.collate(encoded, np.array([0, 1, 2]), tokenizer, None)
    outputs = model(**{name: batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")})
    head = form.head(model, "first")
    hidden = outputs.last_hidden_state
    loss = language_modelling_loss(model, hidden, batch["input_ids"], batch["attention_mask"])
    torch.testing.assert_close(loss, form.loss(head(head.reads(outputs, batch), batch), batch))
    one = language_modelling_loss(model, hidden[:, :1], batch["input_ids"][:, :1], batch["attention_mask"][:, :1])
    assert one.item() == 0 and one.requires_grad  # texts of one token


def pairs(name: str, both_orders: bool, symmetric: bool = True):
    return FORMATS[name](
        TaskEntry(name=name, format=name, mini="rte", symmetric=symmetric, **ENTRIES[name]), both_orders
    )


@pytest.mark.parametrize("name", ["classification", "regression"])
def test_both_orders_are_read_and_their_vectors_added(encoder, name):
    model, tokenizer = encoder
    form, one = pairs(name, True), pairs(name, False)
    encoded = form.encode(rows(), tokenizer, 16)
    assert len(encoded) == 3 and encoded.counts.tolist() == [2, 2, 2] and encoded.lengths.tolist() == [6, 5, 8]
    batch = form.collate(encoded, np.array([2, 0]), tokenizer, None)
    forth, back = (
        one.encode(rows(), tokenizer, 16),
        one.encode(rows().rename(columns={"a": "b", "b": "a"}), tokenizer, 16),
    )
    texts = tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert texts == ["a a a a a", "a a a a a", "a dog a", "a a dog"] and batch["labels"].tolist() == [1, 0]
    head = form.head(model, "mean").eval()
    inputs = ("input_ids", "token_type_ids", "attention_mask")
    logits = head(head.reads(model(**{key: batch[key] for key in inputs}), batch), batch)
    vectors = []
    for order in forth, back:
        single = one.collate(order, np.array([2, 0]), tokenizer, None)
        vectors.append(pool_states(model(**{key: single[key] for key in inputs}), single["attention_mask"], "mean"))
    torch.testing.assert_close(logits, head.linear(sum(vectors)))
    table = form.predictions(logits.detach().numpy(), encoded, np.array([2, 0]), batch)
    assert table["row"].tolist() == [9, 7] and table["label"].tolist() == [1, 0]


def test_both_orders_of_an_example_that_lost_tokens_count_once(encoder):
    assert pairs("classification", True).encode(rows(), encoder[1], 7).truncated == 1


def test_symmetric_entries():
    found = {name for name, entry in catalogue().items() if entry.symmetric}
    glue = {"mrpc", "qqp", "stsb"}
    assert found == glue | {f"mini/{name}" for name in glue}
    pair = {"mini": "t", "format": "classification", "inputs": ["a", "b"], "label": "l", "symmetric": True}
    assert parse_entry("t", pair, "f").symmetric
    with pytest.raises(IntertaskError, match="expected two inputs beside symmetric, found \\['a'\\]"):
        parse_entry("t", pair | {"inputs": ["a"]}, "f")
    with pytest.raises(IntertaskError, match="expected symmetric for classification and regression"):
        parse_entry("t", pair | {"format": "extractive_qa"}, "f")


def test_only_symmetric_pairs_are_read_in_both_orders(encoder):
    assert pairs("classification", True, symmetric=False).encode(rows(), encoder[1], 16).counts is None
    assert pairs("classification", False).encode(rows(), encoder[1], 16).counts is None


HEADED = ENTRIES | {
    "multiple_choice": {"inputs": ["a"], "choices": ["b", "c"], "label": "label"},
    "span_classification": {"inputs": ["a"], "spans": ["s"], "label": "label", "labels": ["x", "y"]},
    "tagging": {"inputs": ["a"], "label": "label", "labels": ["x", "y"]},
    "extractive_qa": {"inputs": ["a", "b"], "label": "label"},
}
OWN = {"span_classification": [0.3], "masked_language_modelling": [], "causal_language_modelling": []}


@pytest.mark.parametrize("name", HEADED)
def test_the_dropout_of_a_head(encoder, name):
    form = FORMATS[name](TaskEntry(name=name, format=name, mini="rte", **HEADED[name]))
    model = left_to_right(encoder) if name == "causal_language_modelling" else encoder[0]
    for given, expected in (None, OWN.get(name, [0.1])), (0.25, [0.25] * len(OWN.get(name, [0.1]))):
        head = form.head(model, "first", dropout=given)
        assert [layer.p for layer in head.modules() if isinstance(layer, torch.nn.Dropout)] == expected


def test_dropout_has_many_names():
    from types import SimpleNamespace as Some

    of = {"hidden_dropout_prob": 0.2, "resid_pdrop": 0.3, "dropout": 0.4, "attention_dropout": 0.5}
    found = [rate(Some(config=Some(**{name: value})), None) for name, value in of.items()]
    assert found == [0.2, 0.3, 0.4, 0.1]
    assert rate(Some(config=Some(**of)), None) == 0.2 and rate(Some(config=Some(**of)), 0.0) == 0.0


def test_inputs_after_the_first_are_read_as_one_text(encoder):
    form = FORMATS["classification"](
        TaskEntry(
            name="t", mini="rte", format="classification", inputs=["a", "b", "c"], label="label", labels=["x", "y"]
        )
    )
    frame = pd.DataFrame({"a": ["a dog"], "b": ["is"], "c": ["a a"], "label": [1]})
    assert encoder[1].decode(form.encode(frame, encoder[1], 16).inputs["input_ids"]) == "[CLS] a dog [SEP] is a a [SEP]"


def test_examples_of_a_group_are_scored_as_one(encoder):
    entry = {"inputs": ["a"], "label": "label", "labels": ["no", "yes"], "metrics": ["f1", "question_exact_match"]}
    form = FORMATS["classification"](TaskEntry(name="t", mini="rte", format="classification", group=["q"], **entry))
    frame = pd.DataFrame({"a": ["a"] * 5, "group": [0, 0, 1, 1, 2], "label": [0, 1, 1, 1, 0]})
    assert form.encode(frame, encoder[1], 16).rows["group"].tolist() == [0, 0, 1, 1, 2]
    table = pd.DataFrame({"label": [0, 1, 1, 1, 0], "prediction": [0, 1, 1, 0, 0], "group": [0, 0, 1, 1, 2]})
    # yes: 2 of 3 found, none wrongly: F1 2 · 2 / 5; of three questions the second has a wrong option
    assert form.score(table) == {"f1": 80.0, "question_exact_match": 66.666667, "main": 73.333334}


def test_of_labels_that_are_as_frequent_the_lowest_is_the_majority():
    assert made("classification").majority(pd.Series([10, 2, 10, 2, 7])).tolist() == [2] * 5
    entry = {"labels": [str(i) for i in range(11)], "label": "label", "inputs": ["a"], "spans": ["s"]}
    spans = FORMATS["span_classification"](TaskEntry(name="t", mini="rte", format="span_classification", **entry))
    assert spans.majority(pd.Series([[10], [2], [10], [2]])).tolist() == [[2]] * 4
    assert spans.majority(pd.Series([[2, 10], [2], [], []])).tolist() == [[2]] * 4


def test_shuffled_labels_keep_texts_and_counts():
    train = pd.DataFrame({"a": [f"t{i}" for i in range(100)], "label": [0] * 80 + [1] * 20})
    one, same, other = (made("classification").shuffled(train, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one["a"].equals(train["a"]) and one["label"].sum() == 20
    assert not one["label"].equals(train["label"]) and one.equals(same) and not one.equals(other)
