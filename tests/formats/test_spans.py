"""Spans and tags from characters to tokens to scores, on sentences short enough to count."""

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.errors import IntertaskError
from intertask.formats import FORMATS
from intertask.formats.span_classification import AttentivePool
from intertask.tasks.schema import TaskEntry

SPANS = {"format": "span_classification", "inputs": ["a"], "spans": ["s", "t"], "label": "label"}
TAGS = {"format": "tagging", "inputs": ["a"], "label": "label"}


def form(**entry):
    fields = {"name": "t", "mini": "rte", "labels": ["x", "y", "z"], **SPANS, **entry}
    return FORMATS[fields["format"]](TaskEntry(**fields))


def tag_form():
    return form(**TAGS, spans=[])


def rows(*examples) -> pd.DataFrame:
    """Frame of (text, or texts, of the inputs; spans; labels) with row numbers 5, 6 …"""
    made = [{"a": texts, "spans": np.array(spans, np.int32), "label": labels} for texts, spans, labels in examples]
    return pd.DataFrame(made, index=range(5, 5 + len(made)))


# [CLS] x ##y ##z is a q ##w [SEP]: characters 0-3, 4-6, 7-8, 9-11 are tokens 1-3, 4, 5, 6-7
TEXT = "xyz is a qw"
WORDS = [[[0, 3]], [[4, 6]], [[7, 8]], [[9, 11]]]
TWO = (TEXT, [[[0, 3], [9, 11]], [[4, 8], [1, 2]]], [[0], [1, 2]])
ONE = ("is a dog", [[[0, 2], [5, 8]]], [[]])


def test_characters_become_tokens_of_all_that_they_touch(encoder):
    encoded = form().encode(rows(TWO, ONE), encoder[1], 16)
    assert encoder[1].convert_ids_to_tokens(encoded.inputs["input_ids"][:9]) == [
        *("[CLS]", "x", "##y", "##z", "is", "a", "q", "##w", "[SEP]")
    ]
    assert encoded.spans.tolist() == [[[1, 4], [6, 8]], [[4, 6], [2, 3]], [[1, 2], [3, 4]]]
    assert encoded.targets.tolist() == [0, 2, 3] and encoded.cut_spans.sum() == encoded.truncated == 0


def test_a_word_of_which_the_tokenizer_makes_nothing_is_not_its_neighbour(encoder):
    targets = [[[0, 2], [5, 6]]] * 10 + [[[3, 4], [5, 6]]]  # of "is", of a joiner that is dropped, of "a"
    encoded = form().encode(rows(("is \u200d a", targets, [[0]] * 11)), encoder[1], 16)
    assert encoder[1].convert_ids_to_tokens(encoded.inputs["input_ids"]) == ["[CLS]", "is", "a", "[SEP]"]
    assert encoded.spans[[0, 10]].tolist() == [[[1, 2], [2, 3]], [[0, 1], [2, 3]]]
    assert encoded.cut_spans.sum() == 1


def test_with_two_inputs_each_span_lies_in_its_own(encoder):
    frame = rows(("is a", [[[3, 4], [3, 6]]], [[1]])).assign(b="is dog")
    # [CLS] is a [SEP] is dog [SEP]
    encoded = form(inputs=["a", "b"]).encode(frame, encoder[1], 16)
    assert encoder[1].convert_ids_to_tokens([encoded.inputs["input_ids"][5]]) == ["dog"]
    assert encoded.spans.tolist() == [[[2, 3], [5, 6]]]


def test_a_batch_holds_the_targets_of_its_examples_in_order(encoder):
    made = form()
    encoded = made.encode(rows(TWO, ONE), encoder[1], 16)
    batch = made.collate(encoded, np.array([1, 0]), encoder[1], None)
    assert batch["sequence"].tolist() == [0, 1, 1]
    assert batch["spans"].tolist() == [[[1, 2], [3, 4]], [[1, 4], [6, 8]], [[4, 6], [2, 3]]]
    assert batch["labels"].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 1]]


def test_cut_spans_are_counted_and_too_many_refused(encoder):
    long = (TEXT, WORDS, [[0]] * 4)
    tagger = tag_form()
    # 8 tokens leave [CLS] x ##y ##z is a q [SEP]: "qw" loses its second token
    many = rows(*[("is a dog", [[[0, 2]]], [[0]])] * 20, long)
    encoded = tagger.encode(many, encoder[1], 8)
    assert encoded.cut_spans.sum() == 1 and encoded.truncated == 1
    assert encoded.spans[-1].tolist() == [[6, 7]]
    # 5 tokens leave [CLS] x ##y ##z [SEP]: nothing is left of three words, which fall back on the last token
    with pytest.raises(
        IntertaskError, match="at most 5% of the spans of t lose tokens, found 3 of 24 at 5 tokens. Raise"
    ):
        tagger.encode(many, encoder[1], 5)


def test_the_labels_of_a_target_are_the_same_in_whatever_order_a_row_names_them():
    names = pd.DataFrame({"label": [[["z", "x"], ["y", "y"], []]]})
    assert form().numbered(names, {"x": 0, "y": 1, "z": 2}).tolist() == [[[0, 2], [1], []]]


@pytest.mark.parametrize(("target", "found"), [(["y", "z"], "y, z"), ([], "none")])
def test_accuracy_alone_wants_one_label_for_each_target(target, found):
    names = pd.DataFrame({"label": [[["x"]], [["x"], target]]}, index=pd.MultiIndex.from_product([["f"], [1, 2]]))
    ids = {"x": 0, "y": 1, "z": 2}
    with pytest.raises(IntertaskError, match=f"f, row 2, .* for each target, for accuracy alone, found {found}"):
        form(metrics=["accuracy"]).numbered(names, ids)
    assert len(form(metrics=["accuracy", "f1_micro"]).numbered(names, ids)) == 2


def test_attentive_pooling_by_hand():
    pool = AttentivePool(1)
    with torch.no_grad():
        pool.project.weight.copy_(torch.eye(256)[:, :1])  # the token's one number, then zeros
        pool.project.bias.zero_()
        pool.score.weight.copy_(torch.eye(256)[:1] * np.log(2))
        pool.score.bias.fill_(3.0)  # shifts all scores, changes nothing
    hidden = torch.tensor([[[7.0], [1.0], [2.0], [9.0]], [[5.0], [0.0], [0.0], [0.0]]])
    pooled = pool(hidden, torch.tensor([0, 1]), torch.tensor([[1, 3], [0, 1]]))
    # weights 2^1 and 2^2: (2 · 1 + 4 · 2) / 6; a span of one token is that token
    assert pooled[:, 0].tolist() == pytest.approx([10 / 6, 5.0]) and pooled[:, 1:].abs().max() == 0


def test_each_span_has_weights_of_its_own_and_only_its_tokens_matter(encoder):
    made = form()
    torch.manual_seed(0)
    head = made.head(encoder[0], "first").eval()
    assert len({id(pool.project.weight) for pool in head.pools}) == 2
    batch = made.collate(made.encode(rows(TWO), encoder[1], 16), np.array([0]), encoder[1], None)
    hidden = torch.randn(1, 9, 128)
    before = head(hidden, batch)
    assert before.shape == (2, 3)
    hidden[0, 5] += 1  # the token "a": outside the first target's spans, inside the second's
    after = head(hidden, batch)
    torch.testing.assert_close(after[0], before[0])
    assert not torch.allclose(after[1], before[1])


def test_loss_is_the_mean_over_targets_and_labels():
    logits = torch.tensor([[0.0, 0.0], [torch.inf, -torch.inf]]).clamp(-100, 100)
    loss = form(labels=["x", "y"]).loss(logits, {"labels": torch.tensor([[1.0, 0.0], [1.0, 0.0]])})
    assert loss.item() == pytest.approx(np.log(2) / 2)


def test_f1_micro_decides_every_label_and_accuracy_takes_the_likeliest():
    logits = np.array([[1.0, 0.0, -1.0], [-2.0, -3.0, -1.0]])
    assert form().predict(logits) == [[0, 1], []]
    assert form(metrics=["accuracy"]).predict(logits) == [[0], [2]]


def test_f1_micro_by_hand_with_and_without_the_labels_that_do_not_count():
    table = pd.DataFrame({"label": [[0], [1, 2], []], "prediction": [[0, 1], [1], [2]]})
    # right: 0 and 1; predicted 4, asked 3: 2 · 2 / 7
    assert form().score(table)["f1_micro"] == pytest.approx(100 * 4 / 7)
    # without y: asked [0], [2]; predicted [0], [], [2]; right 1: 2 · 1 / 4
    assert form(unscored_labels=["y"]).score(table)["f1_micro"] == pytest.approx(50)
    # without x and y by pattern: right 0
    assert form(unscored_labels=["[xy]"]).score(table)["f1_micro"] == 0


def test_the_majority_is_the_most_frequent_set_of_labels_that_count():
    labels = pd.Series([[0], [], [0], [1, 2], []])
    assert form().majority(labels).tolist() == [[0]] * 5
    assert form(unscored_labels=["x"]).majority(labels).tolist() == [[1, 2]] * 5
    assert form(unscored_labels=["*"]).majority(labels).tolist() == [[]] * 5


def test_predictions_stand_beside_their_examples_rows(encoder):
    made = form()
    encoded = made.encode(rows(TWO, ONE), encoder[1], 16)
    table = made.predictions(np.array([[-1.0] * 3, [1.0] * 3, [1.0, -1.0, -1.0]]), encoded, np.array([1, 0]), None)
    assert table["row"].tolist() == [6, 5, 5]
    assert table["label"].tolist() == [[], [0], [1, 2]] and table["prediction"].tolist() == [[], [0, 1, 2], [0]]


def test_a_tag_is_read_off_the_first_sub_word(encoder):
    tagger = tag_form()
    encoded = tagger.encode(rows((TEXT, WORDS, [[0], [1], [2], [0]])), encoder[1], 16)
    batch = tagger.collate(encoded, np.array([0]), encoder[1], None)
    assert batch["labels"].tolist() == [0, 1, 2, 0]
    head = tagger.head(encoder[0], "first").eval()
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(3, 128))
    hidden = torch.arange(9.0)[None, :, None].expand(1, 9, 128)
    assert head(hidden, batch)[:, 0].tolist() == [1, 4, 5, 6]
    table = tagger.predictions(np.eye(4)[:, :3], encoded, np.array([0]), batch)
    assert table["label"].tolist() == [0, 1, 2, 0] and table["prediction"].tolist() == [0, 1, 2, 0]
    assert tagger.score(table) == {"accuracy": 100.0, "main": 100.0}


def test_shuffled_labels_move_between_targets_and_keep_their_counts():
    frame = rows(*[(TEXT, WORDS, [[0], [1], [2], [0]])] * 20)
    shuffled = tag_form().shuffled(frame, np.random.default_rng(1))
    flat = [tag for row in shuffled["label"] for tag in row]
    assert shuffled["label"].map(len).eq(4).all() and sorted(flat) == [[0]] * 40 + [[1]] * 20 + [[2]] * 20
    assert shuffled["label"].tolist() != frame["label"].tolist() and shuffled["a"].equals(frame["a"])
