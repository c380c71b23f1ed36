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


UNSURE = QA | {"unanswerable": True}
NO_ANSWER = {"spans": [np.zeros((0, 1, 2), np.int32)], "label": [[""]]}


def test_no_answer_lies_at_the_first_token_of_every_window(encoder):
    qa = form(UNSURE)
    batch = qa.collate(qa.encode(questions(**NO_ANSWER), encoder[1], 9), np.array([0]), encoder[1], None)
    assert batch["passage"].nonzero().tolist() == [[w, at] for w in range(4) for at in (0, 4, 5, 6, 7)]
    assert batch["bounds"].nonzero().tolist() == [[w, 0, side] for w in range(4) for side in (0, 1)]
    logits = torch.zeros(4, 9, 2).masked_fill(~batch["passage"].unsqueeze(2), -torch.inf)
    assert qa.loss(logits, batch).item() == pytest.approx(np.log(20 / 4))
    answered = qa.collate(qa.encode(questions(), encoder[1], 16), np.array([0]), encoder[1], None)
    assert answered["bounds"][0].nonzero().tolist() == [[5, 0], [6, 1]]


def test_no_answer_is_given_where_it_scores_higher_than_the_best(encoder):
    """The answer "d e" scores 2; no answer 1, then 3, in its best window; from the first token on there is none."""
    qa = form(UNSURE)
    encoded = qa.encode(questions(), encoder[1], 9)
    logits = np.full((4, 9, 2), -np.inf, np.float32)
    logits[:, 4:8] = 0
    logits[2, 5, 0] = logits[2, 6, 1] = 1
    logits[:, 0] = [[0, 0], [0.5, 0.5], [0, 0], [-4, 0]]
    said = qa.predictions(logits, encoded, np.array([0]), None).iloc[0]
    assert said[["prediction", "answer", "no_answer"]].tolist() == ["d e", "d e", -1]
    logits[1, 0] = [3, 0]  # with a 1 behind it 4, if that were an answer
    logits[1, 6, 1] = 1
    said = qa.predictions(logits, encoded, np.array([0]), None).iloc[0]
    assert said[["prediction", "answer", "no_answer"]].tolist() == ["", "d e", 1]
    assert qa.shown(said["prediction"]) == qa.shown([""]) == "no answer"


def test_the_majority_may_be_no_answer():
    qa = form(UNSURE)
    rows = pd.DataFrame({"label": [[""], ["p", "q"], [""], ["c"]], "prediction": ["", "", "x", "c"]})
    assert qa.floor(rows)["exact_match"] == 50 and qa.score(rows)["exact_match"] == 50
    assert qa.balance(rows, []) == {"% without an answer": "50.0", "answers each": "1.5", "words in an answer": "1.0"}
    assert qa.error(rows).tolist() == [0, 1, 1, 0]


SQUAD_EVALUATE = {
    "best_exact_match": 400 / 6, "best_exact_match_threshold": -2.0,
    "best_token_f1": 700 / 9, "best_token_f1_threshold": -1.0,
    "answerable_exact_match": 100 / 3, "answerable_token_f1": 500 / 9,
    "unanswerable_exact_match": 200 / 3, "unanswerable_token_f1": 200 / 3,
}  # fmt: skip
"""What `squad_evaluate` of transformers 5.17.0, which follows SQuAD 2.0's script, says of the questions below."""


def test_thresholds_are_those_of_the_script():
    """Where none is answered 3 of 6 are right. Answered from the lowest score of no answer upwards, questions add 1, 0,
    -1, 0, -1 and -1 by equality, so that one is to be answered; by overlap 1, 2/3, -1, 4/5, -1 and -1: two."""
    labels = [["red dog"], ["the big cat"], [""], ["one two three"], [""], [""]]
    answers = ["a red dog", "cat", "x", "two three", "y", "z"]
    no_answer = [-2.0, -1.0, 2.0, 1.0, -0.5, 3.0]
    predictions = [text if score <= 0 else "" for text, score in zip(answers, no_answer, strict=True)]
    rows = pd.DataFrame({"label": labels, "prediction": predictions, "answer": answers, "no_answer": no_answer})
    assert form(UNSURE).details(rows) == pytest.approx(SQUAD_EVALUATE)
    assert form(UNSURE).score(rows) == pytest.approx({"exact_match": 50, "token_f1": 550 / 9, "main": 500 / 9})


def test_where_none_should_be_answered_the_threshold_lies_below_all():
    rows = pd.DataFrame(
        {"label": [[""], [""]], "prediction": ["x", ""], "answer": ["x", "y"], "no_answer": [-1.0, 2.0]}
    )
    found = form(UNSURE).details(rows)
    assert found["best_exact_match"] == 100 and found["best_exact_match_threshold"] < -1
    assert "answerable_exact_match" not in found


def test_accepted_answers_of_which_nothing_is_left_do_not_count_beside_others():
    frame = pd.DataFrame({"answers": [["the", "a dog"], ["The."], [], None, "", {"text": [], "answer_start": []}]})
    frame.index = pd.MultiIndex.from_product([["f"], range(1, 7)])
    assert form(UNSURE).label_names(frame).tolist() == [["a dog"], ["The."], [""], [""], [""], [""]]
    assert form(QA).label_names(frame).tolist()[:3] == [["the", "a dog"], ["The."], []]


def test_no_answer_needs_an_encoder_that_reads_from_both_sides():
    from transformers import GPT2Config, GPT2Model

    encoder = GPT2Model(
        GPT2Config(vocab_size=8, n_positions=32, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    )
    with pytest.raises(IntertaskError, match="unanswerable: expected an encoder that reads from both sides"):
        form(UNSURE).head(encoder, "first")
    assert form(QA).head(encoder, "first").linear.out_features == 2
