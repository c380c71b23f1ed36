"""The mini suite: labels that follow from the sentences' meaning, splits as promised, the same rows everywhere."""

import os
import subprocess
import sys
from itertools import islice

import numpy as np
import pandas as pd
import pytest

from minilanguage import NAMES, choices, entailment, generate, grammar, lexicon, pairs, sampling, suite, words
from minilanguage.meaning import Statement, relation

SIZES = {
    "text": {"train": 8000, "validation": 500},
    "cola": {"train": 1200, "validation": 400, "test": 200},
    "sst2": {"train": 2500, "validation": 400, "test": 200},
    "mrpc": {"train": 500, "validation": 400, "test": 200},
    "qqp": {"train": 5000, "validation": 400},
    "stsb": {"train": 800, "validation": 400},
    "mnli": {"train": 6000, "validation_matched": 400, "validation_mismatched": 400},
    "snli": {"train": 7000, "validation": 400},
    "qnli": {"train": 3500, "validation": 400},
    "rte": {"train": 250, "validation": 277, "test": 200},
    "wnli": {"train": 64, "validation": 40},
    "hellaswag": {"train": 3000, "validation": 400},
    "ax": {"test": 300},
    "axb": {"test": 300},
    "axg": {"test": 120},
    "boolq": {"train": 1250, "validation": 400},
    "cb": {"train": 51, "validation": 57},
    "scitail": {"train": 2000, "validation": 400},
    "copa": {"train": 60, "validation": 100},
    "socialiqa": {"train": 2300, "validation": 400},
    "commonsenseqa": {"train": 1300, "validation": 400},
    "cosmosqa": {"train": 2100, "validation": 400},
    "multirc": {"train": 2200, "validation": 400},
    "record": {"train": 3400, "validation": 400},
    "wic": {"train": 700, "validation": 400},
    "wsc": {"train": 62, "validation": 104},
    "qamr": {"train": 2600, "validation": 400},
    "qasrl": {"train": 2400, "validation": 400},
    "ccg": {"train": 2350, "validation": 400},
    "wnut17": {"train": 1500, "validation": 400},
    "squad_v2": {"train": 3600, "validation": 400},
    "goemotions": {"train": 3000, "validation": 400},
    "prices": {"train": 1500, "validation": 400},
    "treebank": {"train": 3000, "validation": 1000, "test": 1000},
    "single_words": {"train": 1600, "validation": 400, "test": 400},
    "coordination": {"train": 1000, "validation": 400},
    "nonterminal": {"train": 3500, "validation": 400},
    "ner": {"train": 3500, "validation": 400},
    "srl": {"train": 4000, "validation": 400},
    "coref": {"train": 3500, "validation": 400},
    "spr1": {"train": 600, "validation": 400},
    "spr2": {"train": 240, "validation": 400},
    "dpr": {"train": 150, "validation": 400},
    "semeval": {"train": 900, "validation": 400},
    "linked_clauses": {"train": 4600, "validation": 400},
    "translation": {"train": 7800, "validation": 400},
    "skipthought": {"train": 8000, "validation": 400},
    "reddit": {"train": 9000, "validation": 400},
}
NO_TEXT = {"sent_id", "relation", "answerKey", "label", "translation", *entailment.COARSE}


@pytest.fixture(scope="module")
def tasks() -> dict[str, dict[str, pd.DataFrame]]:
    return {name: generate(name) for name in NAMES}


def tasks_columns(name: str) -> list[str]:
    return suite.TASKS[name][0]


def text_columns(frame: pd.DataFrame) -> list[str]:
    return [c for c in frame if c not in NO_TEXT and isinstance(frame[c].iloc[0], str)]


# Meaning


def said(quantifier: str, subject: str, predicate: str, negated: bool = False) -> Statement:
    """said("every", "dog happy", "action:run place:park") in the present unless the predicate names a time."""
    kind, *qualities = subject.split()
    parts = [tuple(part.split(":")) for part in predicate.split()]
    time = () if "time:" in predicate else (("time", "present"),)
    return Statement(quantifier, (("kind", kind), *(("property", q) for q in qualities)), (*parts, *time), negated)


RUNS, MOVES, RESTS, HAPPY, SAD = "action:run", "action:move", "action:rest", "property:happy", "property:sad"
PAIRS = [
    # entailment: specific to general, and the other way round under negation
    ("entailment", said("the", "anna", RUNS), said("the", "anna", MOVES)),
    ("entailment", said("the", "anna", "action:run place:kitchen"), said("the", "anna", "place:house")),
    ("entailment", said("the", "anna", "action:chase object:poodle"), said("the", "anna", "action:chase object:dog")),
    ("entailment", said("the", "anna", RUNS), said("some", "woman", RUNS)),
    ("entailment", said("the", "anna", MOVES, True), said("the", "anna", RUNS, True)),
    ("entailment", said("the", "anna", RUNS), said("the", "anna", RESTS, True)),
    ("entailment", said("the", "anna", "action:run time:yesterday"), said("the", "anna", "action:run time:past")),
    ("entailment", said("every", "dog", RUNS), said("every", "poodle", MOVES)),
    ("entailment", said("every", "dog", RUNS), said("every", "dog happy", RUNS)),
    ("entailment", said("every", "dog", RUNS), said("some", "dog", RUNS)),
    ("entailment", said("every", "woman", RUNS), said("the", "anna", RUNS)),
    ("entailment", said("some", "poodle happy", RUNS), said("some", "dog", MOVES)),
    ("entailment", said("some", "dog", MOVES, True), said("some", "poodle", RUNS, True)),
    ("entailment", said("some", "dog", RUNS, True), said("every", "dog", RUNS, True)),
    ("entailment", said("every", "poodle", MOVES, True), said("every", "dog", RUNS, True)),
    ("entailment", said("three", "poodle", RUNS), said("two", "dog", MOVES)),
    ("entailment", said("two", "dog", RUNS), said("some", "dog", RUNS)),
    # neutral
    ("neutral", said("the", "anna", MOVES), said("the", "anna", RUNS)),
    ("neutral", said("the", "anna", RUNS), said("the", "ella", RUNS)),
    ("neutral", said("the", "anna", RUNS, True), said("the", "anna", MOVES, True)),
    ("neutral", said("the", "anna", RUNS, True), said("the", "anna", "action:walk", True)),
    ("neutral", said("the", "anna", RUNS), said("the", "anna", "action:rest time:past")),
    ("neutral", said("the", "anna", HAPPY), said("the", "anna", "property:big")),
    ("neutral", said("the", "anna", "action:help object:bob"), said("the", "bob", "action:help object:anna")),
    ("neutral", said("the", "anna", "action:help object:bob"), said("the", "anna", "action:help object:tom")),
    ("neutral", said("every", "poodle", RUNS), said("every", "dog", RUNS)),
    ("neutral", said("every", "dog happy", RUNS), said("every", "dog", RUNS)),
    ("neutral", said("some", "dog", RUNS), said("some", "poodle", RUNS)),
    ("neutral", said("some", "dog", HAPPY), said("some", "dog", SAD)),
    ("neutral", said("some", "poodle", RUNS, True), said("some", "dog", RUNS, True)),
    ("neutral", said("two", "dog", RUNS), said("three", "dog", RUNS)),
    ("neutral", said("some", "woman", RUNS), said("the", "anna", RUNS)),
    # contradiction
    ("contradiction", said("the", "anna", RUNS), said("the", "anna", RUNS, True)),
    ("contradiction", said("the", "anna", RUNS), said("the", "anna", MOVES, True)),
    ("contradiction", said("the", "anna", RUNS), said("the", "anna", "action:walk")),
    ("contradiction", said("the", "anna", HAPPY), said("the", "anna", SAD)),
    ("contradiction", said("the", "anna", "place:house"), said("the", "anna", "place:park")),
    ("contradiction", said("the", "anna", "kind:doctor"), said("the", "anna", "kind:teacher")),
    ("contradiction", said("every", "dog", HAPPY), said("some", "poodle", SAD)),
    ("contradiction", said("every", "dog", RUNS), said("every", "dog", RUNS, True)),
    ("contradiction", said("every", "dog", RUNS), said("every", "poodle", RESTS)),
    ("contradiction", said("some", "poodle", RUNS), said("some", "dog", MOVES, True)),
    ("contradiction", said("some", "dog", MOVES, True), said("two", "poodle", RUNS)),
    ("contradiction", said("every", "woman", HAPPY), said("the", "anna", HAPPY, True)),
]


@pytest.mark.parametrize(("label", "premise", "hypothesis"), PAIRS)
def test_hand_written_pairs(label: str, premise: Statement, hypothesis: Statement) -> None:
    assert relation(premise, hypothesis) == label


def test_the_scene_has_one_protagonist() -> None:
    dog, animal = said("the", "dog", RUNS), said("the", "animal", MOVES)
    assert relation(dog, animal) == "entailment"
    assert relation(animal, dog) == "neutral"
    assert relation(dog, said("the", "horse", RUNS)) == "contradiction"
    assert relation(dog, said("the", "anna", RESTS)) == "neutral"


def random_statements(domain: sampling.Domain, n: int = 1500) -> list[Statement]:
    rng = np.random.default_rng(1)
    return [sampling.statement(rng, domain) for _ in range(n)]


@pytest.mark.parametrize("domain", [sampling.HOME, sampling.COUNTRY, sampling.SCENES, sampling.ERRANDS])
def test_relations_are_consistent(domain: sampling.Domain) -> None:
    rng = np.random.default_rng(2)
    for one in random_statements(domain):
        other = sampling.vary(rng, one, domain, 2)
        there, back = relation(one, other), relation(other, one)
        assert relation(one, one) == "entailment"
        assert (there == "contradiction") == (back == "contradiction"), (one, other)
        if not domain.the and one.quantifier not in ("two", "three"):
            denied = Statement(one.quantifier, one.subject, one.predicate, not one.negated)
            assert relation(one, denied) == "contradiction", one


def test_entailment_is_transitive() -> None:
    rng, seen = np.random.default_rng(3), 0
    for first in random_statements(sampling.HOME, 4000):
        second = sampling.vary(rng, first, sampling.HOME)
        third = sampling.vary(rng, second, sampling.HOME)
        if relation(first, second) == relation(second, third) == "entailment":
            seen += 1
            assert relation(first, third) == "entailment", (first, second, third)
    assert seen > 20


def test_grammar() -> None:
    class Plain:  # draws that choose the first word and no variation
        def __init__(self, value: float) -> None:
            self.value = value

        def random(self) -> float:
            return self.value

    last, first = Plain(0.99), Plain(0.0)
    assert (
        grammar.sentence(last, said("the", "anna", "action:run place:park", True))
        == "anna is not running in the park ."
    )
    assert grammar.sentence(last, said("two", "dog", RUNS)) == "two dogs are running ."
    assert grammar.sentence(last, said("every", "woman", "property:sad time:future")) == "all women will be sad ."
    assert grammar.sentence(first, said("some", "owl", "action:run time:yesterday")) == "yesterday an owl was running ."
    assert grammar.sentence(last, said("some", "owl", RUNS, True)) == "no owl is running ."
    assert grammar.sentence(first, said("the", "anna", "action:chase object:bob")) == "bob is being chased by anna ."
    assert grammar.question(last, said("the", "anna", "action:run place:park"), "place") == "where is anna running ?"
    assert grammar.question(last, said("the", "anna", "action:buy object:car"), "object") == "what is anna buying ?"
    assert grammar.question(last, said("the", "anna", RUNS), "kind") == "who is running ?"


# Tasks


@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_words(tasks: dict, name: str) -> None:
    frames, vocabulary = tasks[name], {*words(), "@placeholder", "cause", "effect"}
    assert {split: len(frame) for split, frame in frames.items()} == SIZES[name]
    for frame in frames.values():
        for column in text_columns(frame):
            assert {word for text in frame[column] for word in text.split()} <= vocabulary


@pytest.mark.parametrize("name", [name for name in NAMES if "label" in tasks_columns(name)])
def test_test_splits_have_no_labels(tasks: dict, name: str) -> None:
    labelled = {split for split, frame in tasks[name].items() if "label" in frame}
    assert labelled == ({"test"} if set(tasks[name]) == {"test"} else set(tasks[name]) - {"test"})


@pytest.mark.parametrize("name", NAMES)
def test_no_duplicates(tasks: dict, name: str) -> None:
    rows = pd.concat([frame[text_columns(frame) or list(frame)].map(str) for frame in tasks[name].values()])
    if name != "commonsenseqa":  # one question with other choices is another row
        assert not rows.duplicated().any()


@pytest.mark.parametrize(
    ("name", "share"),
    {
        "cola": 0.7,
        "sst2": 0.5,
        "mrpc": 0.68,
        "qqp": 0.37,
        "mnli": 1 / 3,
        "snli": 1 / 3,
        "qnli": 0.5,
        "rte": 0.5,
        "hellaswag": 0.25,
        "boolq": 0.5,
        "cb": 1 / 3,
        "multirc": 0.42,
        "copa": 0.5,
        "cosmosqa": 0.25,
        "wic": 0.5,
        "wsc": 0.5,
        "coordination": 0.5,
    }.items(),
)
def test_label_balance(tasks: dict, name: str, share: float) -> None:
    assert tasks[name]["train"].label.eq(1).mean() == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("name", ["mnli", "snli", "rte", "scitail", "cb", "boolq"])
def test_a_hypothesis_tells_nothing(tasks: dict, name: str) -> None:
    frame = tasks[name]["train"].rename(columns={"gold_label": "label"})
    labels = frame.groupby(text_columns(frame)[1]).label.nunique()
    assert (labels == frame.label.nunique()).mean() > 0.97


def test_a_context_has_four_endings_of_known_words(tasks: dict) -> None:
    for frame in tasks["hellaswag"].values():
        assert frame.endings.map(lambda endings: len(set(endings))).eq(4).all()
        assert {word for endings in frame.endings for text in endings for word in text.split()} <= set(words())


def test_one_ending_follows_and_the_others_do_not(monkeypatch) -> None:
    said = []  # what the grammar was asked to say; it says the place in this list

    def note(rng: np.random.Generator, statement: sampling.Statement) -> str:
        said.append(statement)
        return str(len(said) - 1)

    monkeypatch.setattr(choices.grammar, "sentence", note)
    monkeypatch.setattr(choices.grammar, "clause", note)
    right_in_turn = []
    for context, endings, label in islice(suite.endless(choices.continuations, np.random.default_rng(0)), 40):
        premise = said[int(context.removesuffix(" , so"))]
        assert [relation(premise, said[int(ending)]) == "entailment" for ending in endings].index(True) == label
        assert sum(relation(premise, said[int(ending)]) == "entailment" for ending in endings) == 1
        right_in_turn.append(endings[label])
    for k in range(0, 40, 4):  # four rows share their endings, each of which is right once
        assert len(set(right_in_turn[k : k + 4])) == 4


def test_wnli_dev_is_adversarial(tasks: dict) -> None:
    both = tasks["wnli"]["train"].merge(tasks["wnli"]["validation"], on="sentence1", suffixes=("", "_dev"))
    assert len(both) >= 40
    assert (both.label != both.label_dev).all()


def test_similarity_by_hand() -> None:
    one = said("the", "anna", "action:run place:park")
    assert pairs.similarity(one, one) == 5.0
    # quantifier, polarity, subject, time and place agree, action half: 5.5 of 6
    assert pairs.similarity(one, said("the", "anna", "action:move place:park")) == round(5 * 5.5 / 6, 2)


def test_diagnostics_are_tagged(tasks: dict) -> None:
    frame = tasks["ax"]["test"]
    assert (frame[entailment.COARSE] != "").any().all()
    assert (frame[entailment.COARSE] != "").any(axis=1).all()
    assert frame.label.value_counts().between(95, 105).all()


def test_same_rows_under_another_hash_seed(tasks: dict) -> None:
    code = "from minilanguage import generate; print(generate('rte')['train'].to_csv())"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == tasks["rte"]["train"].to_csv().strip()


def test_words_are_sorted_and_unique() -> None:
    assert words() == sorted(set(words()))
    assert {"is", "no", "anna", "women", "eaten"} <= set(words())
    assert lexicon.lineage("poodle") == ("poodle", "dog", "animal")
