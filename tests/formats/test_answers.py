"""Extractive question answering and cloze: windows, bounds, gaps, and SQuAD's scores by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.errors import IntertaskError
from intertask.formats import FORMATS
from intertask.metrics import best_overlap, exact_match, normalized
from intertask.tasks.schema import TaskEntry

QA = {"format": "extractive_qa", "inputs": ["question", "passage"], "label": "answers"}
CLOZE = {"format": "cloze", "inputs": ["passage", "query"], "choices": ["choices"], "label": "answers"}


def form(entry: dict):
    return FORMATS[entry["format"]](TaskEntry(name="t", mini="rte", **entry))


def questions(**more) -> pd.DataFrame:
    """[CLS] is a [SEP] a b c d e f g [SEP]: the answer "b c" is tokens 5 and 6."""
    answers = {"spans": [np.array([[[2, 5]]])], "label": [["b c"]]} | more
    return pd.DataFrame({"question": ["is a"], "passage": ["a b c d e f g"]} | answers, index=[3])


def test_normalisation_is_squads():
    assert normalized("The  U.S. an' a Dog!") == "us dog"
    assert normalized("theatre") == "theatre"


def test_overlap_by_hand():
    assert best_overlap(["the red dog"], "red cat") == pytest.approx(0.5)  # one word of two and two
    assert best_overlap(["cat", "a red dog"], "the red dog") == 1
    assert best_overlap(["a"], "the") == 1 and best_overlap(["a"], "x") == 0  # nothing is left of articles
    assert best_overlap(["x x y"], "x x x") == pytest.approx(2 * 2 / 6)
    assert exact_match([["The dog", "cat"], ["x"]], ["dog.", "y"]) == 0.5


def test_a_short_passage_is_one_window_with_the_answers_bounds(encoder):
    qa = form(QA)
    batch = qa.collate(qa.encode(questions(), encoder[1], 16), np.array([0]), encoder[1], None)
    assert batch["passage"].tolist() == [[False] * 4 + [True] * 7 + [False]]
    assert batch["bounds"][0, :, 0].nonzero().tolist() == [[5]] and batch["bounds"][0, :, 1].nonzero().tolist() == [[6]]


def test_a_long_passage_becomes_overlapping_windows(encoder):
    """At 9 tokens a window holds 4 of the passage, 3 in common: a-d, b-e, c-f, d-g; "b c" lies in the first two."""
    qa = form(QA)
    encoded = qa.encode(questions(), encoder[1], 9)
    batch = qa.collate(encoded, np.array([0]), encoder[1], None)
    read = [encoder[1].decode(ids[mask]) for ids, mask in zip(batch["input_ids"], batch["passage"], strict=True)]
    assert read == ["a b c d", "b c d e", "c d e f", "d e f g"]
    assert batch["bounds"].any(1).tolist() == [[True, True]] * 2 + [[False, False]] * 2
    assert batch["example"].tolist() == [0] * 4 and encoded.counts.tolist() == [4]


def test_the_softmax_runs_over_all_windows_of_an_example(encoder):
    qa = form(QA)
    batch = qa.collate(qa.encode(questions(), encoder[1], 9), np.array([0]), encoder[1], None)
    logits = torch.zeros(4, 9, 2).masked_fill(~batch["passage"].unsqueeze(2), -torch.inf).requires_grad_()
    # 16 tokens of the passage in all windows, 2 of them right for either bound
    assert qa.loss(logits, batch).item() == pytest.approx(np.log(8))
    qa.loss(logits, batch).backward()
    assert logits.grad.isfinite().all()


def test_an_answer_in_no_window_teaches_nothing(encoder):
    qa = form(QA)
    whole = questions(spans=[np.array([[[0, 13]]])], label=[["a b c d e f g"]])
    batch = qa.collate(qa.encode(whole, encoder[1], 9), np.array([0]), encoder[1], None)
    logits = torch.zeros(4, 9, 2, requires_grad=True)
    loss = qa.loss(logits.masked_fill(~batch["passage"].unsqueeze(2), -torch.inf), batch)
    loss.backward()
    assert loss.item() == 0 and logits.grad.abs().max() == 0


def test_the_best_bounds_of_all_windows_become_text(encoder):
    qa = form(QA)
    encoded = qa.encode(questions(), encoder[1], 9)
    logits = np.full((4, 9, 2), -np.inf, np.float32)
    logits[:, 4:8] = 0
    logits[2, 5, 0] = logits[2, 6, 1] = 1  # "d e"
    logits[3, 7, 0] = logits[3, 4, 1] = 5  # "g" … "d": in the wrong order, so each only with another bound
    table = qa.predictions(logits, encoded, np.array([0]), None)
    # a start at "g" with its own end: 5 + 0; an end at "d" with its own start: 0 + 5; "d e": 1 + 1; of equals the first
    assert (
        table["prediction"].tolist() == ["d"] and table["row"].tolist() == [3] and table["label"].tolist() == [["b c"]]
    )
    logits[3, :, :] = np.where(np.isneginf(logits[3]), -np.inf, 0)
    assert qa.predictions(logits, encoded, np.array([0]), None)["prediction"].tolist() == ["d e"]


def test_an_answer_is_no_longer_than_thirty_tokens(encoder):
    qa = form(QA)
    frame = pd.DataFrame({"question": ["a"], "passage": [" ".join(["a"] * 40)]})
    encoded = qa.encode(frame, encoder[1], 64)
    logits = np.zeros((1, 44, 2), np.float32)
    logits[0, 3, 0] = logits[0, 33, 1] = 2  # 31 tokens: too far apart
    logits[0, 32, 1] = 1  # 30 tokens
    assert len(qa.predict(logits, encoded, [0])[0].split()) == 30


def test_a_question_that_leaves_no_room_is_refused(encoder):
    with pytest.raises(IntertaskError, match="room for the longest question"):
        form(QA).encode(questions().assign(question="a a a a a a a a"), encoder[1], 8)


def test_the_majority_is_the_most_frequent_answer():
    labels = pd.Series([["b", "a"], ["a"], ["c"]])
    assert form(QA).majority(labels).tolist() == ["a"] * 3


def clozes() -> pd.DataFrame:
    frame = pd.DataFrame({"passage": ["a dog", "a"], "query": ["is @placeholder", "@placeholder is"]}, index=[1, 4])
    return frame.assign(choices=[["dog", "a", "b"], ["a", "c"]], label=[["a", "b"], ["c"]])


def test_every_choice_fills_the_gap(encoder):
    cloze = form(CLOZE)
    encoded = cloze.encode(clozes(), encoder[1], 16)
    batch = cloze.collate(encoded, np.array([1, 0]), encoder[1], None)
    read = encoder[1].batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert read == ["a a is", "a c is", "a dog is dog", "a dog is a", "a dog is b"]
    assert batch["present"].tolist() == [[True, True, False], [True, True, True]]
    assert batch["right"].tolist() == [[False, True, False], [False, True, True]]


def test_all_right_choices_count_as_one(encoder):
    cloze = form(CLOZE)
    batch = cloze.collate(cloze.encode(clozes(), encoder[1], 16), np.array([1, 0]), encoder[1], None)
    logits = torch.tensor([[0.0, 0.0, -torch.inf], [0.0, 0.0, 0.0]], requires_grad=True)
    loss = cloze.loss(logits, batch)
    assert loss.item() == pytest.approx((np.log(2) + np.log(3 / 2)) / 2)
    loss.backward()
    assert logits.grad.isfinite().all()
    assert cloze.head(encoder[0], "first")(torch.zeros(5, 128), batch).shape == (2, 3)


def test_the_chosen_text_is_scored(encoder):
    cloze = form(CLOZE)
    encoded = cloze.encode(clozes(), encoder[1], 16)
    table = cloze.predictions(np.array([[0.0, 2.0, -np.inf], [1.0, 0.0, 0.0]]), encoded, np.array([1, 0]), None)
    assert table["prediction"].tolist() == ["c", "dog"] and table["label"].tolist() == [["c"], ["a", "b"]]
    assert cloze.score(table) == {"exact_match": 50.0, "token_f1": 50.0, "main": 50.0}


@pytest.mark.parametrize("entry, frame, moved", [(QA, questions(), "question"), (CLOZE, clozes(), "query")])
def test_the_control_moves_questions_and_leaves_answers_in_their_passages(entry, frame, moved):
    many = pd.concat([frame] * 10, ignore_index=True)
    many[moved] = [f"q{i}" for i in range(len(many))]
    shuffled = form(entry).shuffled(many, np.random.default_rng(0))
    assert sorted(shuffled[moved]) == sorted(many[moved]) and not shuffled[moved].equals(many[moved])
    assert shuffled.drop(columns=moved).equals(many.drop(columns=moved))
