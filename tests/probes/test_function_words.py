"""Function words: every changed sentence is the one worked out by hand, and both classes show the same words."""

from collections import Counter

import pytest

from intertask.probes.function_words import coordination, definiteness, whwords
from intertask.probes.words import Splits

NAMES = ["Ann", "Ben", "Cem", "Dan", "Eva", "Fay", "Gus", "Ida", "Jon", "Kim", "Lea", "Max"]


def check(made: Splits, changed: dict[str, set[str]]) -> None:
    train = made["train"]
    assert set(train["source"]) <= set(changed)
    for row in train.itertuples():
        assert row.sentence in (changed[row.source] if row.label == "unacceptable" else {row.source})


def test_whwords_exchange_arguments_and_adjuncts(plain):
    arguments = {
        f"{name} knows what he did .": {f"{name} knows when he did .", f"{name} knows why he did ."} for name in NAMES
    }
    adjuncts = {f"{name} asks when we go .": {f"{name} asks what we go ."} for name in NAMES[:6]}
    adjuncts |= {f"{name} asks why we go .": {f"{name} asks what we go ."} for name in NAMES[6:]}
    forms = ["{} knows how .", "{} knows how to cook .", "{} , what about us ?", "{} asked when , then left ."]
    out = [form.format(name) for form in forms for name in NAMES]
    made = whwords({"train": plain(*arguments, *adjuncts, *out)})
    check(made, arguments | adjuncts)
    assert made["train"]["label"].value_counts().to_dict() == {"acceptable": 12, "unacceptable": 12}
    shown = made["train"].groupby("label")["sentence"].agg(lambda texts: Counter(" ".join(texts).split()))
    sources = made["train"].groupby("label")["source"].agg(lambda texts: Counter(" ".join(texts).split()))
    assert shown["unacceptable"] == sources["unacceptable"] and shown["acceptable"]["what"] == 6


def test_whwords_keep_the_capital_of_the_first_word(plain):
    questions = {f"What did {name} do ?": {f"When did {name} do ?"} for name in NAMES}
    others = {f"When did {name} go ?": {f"What did {name} go ?"} for name in NAMES}
    within = {f"{name} sees who came .": set() for name in NAMES}
    made = whwords({"train": plain(*questions, *others, *within)})
    check(made, questions | others)


def test_definiteness_turns_every_article(plain):
    both = {f"{name} saw the hour and a dog .": {f"{name} saw an hour and the dog ."} for name in NAMES}
    two = {f"{name} saw the unit in the U.S. .": {f"{name} saw a unit in a U.S. ."} for name in NAMES[:3]}
    mirror = {f"{name} ate an egg with a fork .": {f"{name} ate the egg with the fork ."} for name in NAMES[:5]}
    forms = ["the {} saw a dog .", "{} saw the dog .", "{} is the , a , the !"]
    out = [form.format(name) for form in forms for name in NAMES]
    made = definiteness({"train": plain(*both, *two, *mirror, *out)})
    check(made, both | two | mirror)
    # Twelve of the mirrored kind with itself, and three of each of the two that mirror one another.
    assert made["train"]["label"].value_counts().to_dict() in (
        {"acceptable": 8, "unacceptable": 8},
        {"acceptable": 9, "unacceptable": 9},
    )
    assert sum(" with " in source for source in made["train"]["source"]) <= 3


@pytest.mark.parametrize(
    "word, article",
    [
        ("apple", "an"), ("unit", "a"), ("uninvited", "an"), ("user", "a"), ("uncle", "an"), ("hour", "an"),
        ("house", "a"), ("European", "a"), ("one", "a"), ("onion", "an"), ("US", "a"), ("8th", "an"), ("honest", "an"),
    ],
)  # fmt: skip
def test_indefinite_article_follows_the_sound(plain, word, article):
    texts = [f"{name} {verb} the {word} to the {word} ." for name in NAMES for verb in ("sent", "gave")]
    mirror = [f"{name} {verb} a cat to a cat ." for name in NAMES for verb in ("sent", "gave")]
    made = definiteness({"train": plain(*texts, *mirror)})["train"]
    changed = made[(made["label"] == "unacceptable") & made["source"].isin(texts)]
    assert (
        len(changed) == 12
        and changed["sentence"].str.contains(f"{article} {word} to {article} {word} ", regex=False).all()
    )


def test_coordination_exchanges_or_and_but(plain):
    bare = {f"{name} eats or drinks now .": {f"{name} eats but drinks now ."} for name in NAMES}
    bare |= {f"{name} came but left .": {f"{name} came or left ."} for name in NAMES}
    comma = {f"{name} tried , but failed .": {f"{name} tried , or failed ."} for name in NAMES}
    out = ["But he left .", "Or so he said .", "He left but .", "He and I left .", "Ten or ( eleven ) left ."]
    made = coordination({"train": plain(*bare, *comma, *out)})
    check(made, bare)  # no `or` after a comma is there for those with one
    assert made["train"]["label"].value_counts().to_dict() == {"acceptable": 12, "unacceptable": 12}


def test_they_run_on_a_treebank_too(bank):
    trees = [
        f"{name}/PROPN/2/nsubj {verb}/VERB/0/root {cc}/CCONJ/4/cc left/VERB/2/conj"
        for name in NAMES
        for verb, cc in (("came", "but"), ("went", "or"))
    ]
    made = coordination({"train": bank(*trees)})["train"]
    assert made["label"].value_counts().to_dict() == {"acceptable": 12, "unacceptable": 12}


def test_text_without_function_words_is_refused(refused, plain):
    for rule in (whwords, definiteness, coordination):
        refused(lambda rule=rule: rule({"train": plain("We go home now .")}), f"Rule {rule.__name__}", "no rows")
