"""Probes from trees on treebanks of a few words, with every answer worked out by hand."""

from collections import Counter

import numpy as np
import pytest

from intertask.probes import RULES, words
from intertask.probes.treebank import (
    coordination_inversion,
    dep,
    obj_number,
    odd_man_out,
    past_present,
    pos,
    sentence_length,
    subj_number,
    top_constituents,
    tree_depth,
    word_content,
)

NAMES = ["Ann", "Ben", "Cem", "Dan", "Eva", "Fay", "Gus", "Ida", "Jon", "Kim", "Lea", "Max"]


def answers(frame):
    return dict(zip(frame["source"], frame["label"], strict=True))


def chain(words, depth, name):
    """A sentence of so many words and so deep: a chain from the root, the rest hanging from the root; one full stop."""
    heads = [max(0, i - 1) if i <= depth else 1 for i in range(1, words)] + [1]
    forms = [f"{name}{i}" for i in range(1, words)] + ["."]
    return " ".join(
        f"{form}/{'PUNCT' if form == '.' else 'NOUN'}/{head}/{'dep' if head else 'root'}"
        for form, head in zip(forms, heads, strict=True)
    )


def test_sentence_length_in_sextiles_of_train(bank):
    lengths = [2, 3, 4, 5, 6, 7] * 4
    train = bank(*(chain(count, 1, f"t{i}") for i, count in enumerate(lengths)))
    dev = bank(*(chain(count, 1, f"d{i}") for i, count in enumerate([1, 2, 3, 4, 5, 6, 7, 20])))
    made = sentence_length({"train": train, "validation": dev})
    assert made["train"]["label"].value_counts().to_dict() == {str(label): 4 for label in range(1, 7)}
    assert all(label == str(len(source.split()) - 1) for source, label in answers(made["train"]).items())
    # Lengths 1 and 2 are bin 1, 7 and 20 bin 6; one of each stays.
    assert list(made["validation"]["label"]) == ["1", "2", "3", "4", "5", "6"]


def test_word_content_has_one_of_the_words_in_each_sentence(bank):
    def sentence(name, word, other=""):
        more = f" {other}/NOUN/2/obj" if other else ""
        return f"{name}/PROPN/2/nsubj {word}/VERB/0/root the/DET/2/det{more}"

    train = bank(
        *(sentence(name, "sees") for name in NAMES),
        *(sentence(name, "Hears") for name in NAMES),
        *(sentence(name, "rare") for name in NAMES[:9]),
        *(sentence(name.lower() + "a", "sees", "hears") for name in NAMES[:3]),
    )
    dev = bank(
        *(sentence(f"{name}b", "hears") for name in NAMES), *(sentence(f"{name}b", "sees") for name in NAMES[:5])
    )
    made = word_content({"train": train, "validation": dev})
    assert made["train"]["label"].value_counts().to_dict() == {"sees": 12, "hears": 12}
    assert made["validation"]["label"].value_counts().to_dict() == {"hears": 12, "sees": 5}
    assert all(label in source.lower().split() for frame in made.values() for source, label in answers(frame).items())


def test_word_content_takes_at_most_thirty_rows_of_a_class(bank):
    def bank_of(name):
        words = [("sees", 40), ("hears", 31), ("tells", 12)]
        return bank(*(f"{name}{i}/PROPN/2/nsubj {word}/VERB/0/root" for word, count in words for i in range(count)))

    made = word_content({"train": bank_of("x"), "validation": bank_of("y")})
    for frame in made.values():
        assert frame["label"].value_counts().to_dict() == {"sees": 30, "hears": 30, "tells": 12}


def test_tree_depth_is_matched_by_length(bank):
    train = [chain(9, 2, f"a{i}") for i in range(40)] + [chain(10, 3, f"b{i}") for i in range(35)]
    train += [chain(5, 2, f"c{i}") for i in range(30)]  # short ones are all flat, so they stay out
    dev = [chain(9, 2, f"d{i}") for i in range(3)] + [chain(9, 3, f"e{i}") for i in range(5)] + [chain(9, 7, "f")]
    made = tree_depth({"train": bank(*train), "validation": bank(*dev)})
    assert made["train"]["label"].value_counts().to_dict() == {"2": 35, "3": 35}
    assert {len(source.split()) for source in made["train"]["source"]} == {9, 10}
    assert made["validation"]["label"].value_counts().to_dict() == {"2": 3, "3": 3}
    assert all(
        (label == "2") == source.startswith(("a", "d"))
        for frame in made.values()
        for source, label in answers(frame).items()
    )


def test_tree_depth_leaves_punctuation_out(bank):
    deep = "{0}/NOUN/0/root a/NOUN/1/dep b/NOUN/2/dep ,/PUNCT/3/punct"
    flat = "{0}/NOUN/0/root a/NOUN/1/dep b/NOUN/1/dep ,/PUNCT/3/punct"
    train = [deep.format(name) for name in NAMES] + [flat.format(name + "q") for name in NAMES]
    made = tree_depth({"train": bank(*train)})
    assert {(label, "q" in source) for source, label in answers(made["train"]).items()} == {("3", False), ("2", True)}


def test_top_constituents(bank):
    transitive = "{}/PROPN/2/nsubj:pass sees/VERB/0/root the/DET/4/det cat/NOUN/2/obj ./PUNCT/2/punct"
    bare = "{}/VERB/0/root !/PUNCT/1/punct"
    rare = "{}/ADV/2/advmod go/VERB/0/root"
    texts = [form.format(name) for form in (transitive, bare) for name in NAMES] + [
        rare.format(f"{n}ly") for n in NAMES[:9]
    ]
    made = top_constituents({"train": bank(*texts), "validation": bank(rare.format("Now"), bare.format("Stop"))})
    assert made["train"]["label"].value_counts().to_dict() == {"nsubj root obj": 12, "root": 12, "other": 9}
    assert answers(made["validation"]) == {"Now go": "other", "Stop !": "root"}


def test_past_present(bank):
    made = past_present(
        {
            "train": bank(
                "He/PRON/2/nsubj went/VERB/0/root+<",
                "He/PRON/3/nsubj has/AUX/3/aux+> gone/VERB/0/root",
                "He/PRON/3/nsubj was/AUX/3/cop+< ill/ADJ/0/root",
                "He/PRON/2/nsubj goes/VERB/0/root+> since/SCONJ/4/mark came/VERB/2/advcl+<",
                "He/PRON/3/nsubj can/AUX/3/aux go/VERB/0/root",
                "Going/VERB/0/root",
            )
        }
    )
    past, present = {"He went", "He was ill"}, {"He has gone", "He goes since came"}
    assert answers(made["train"]) == dict.fromkeys(past, "past") | dict.fromkeys(present, "present")


@pytest.mark.parametrize("rule, relation", [(subj_number, "nsubj"), (obj_number, "obj")])
def test_number_of_subject_and_object(bank, rule, relation):
    made = rule(
        {
            "train": bank(
                f"cats/NOUN/2/{relation}+P go/VERB/0/root",
                f"cat/NOUN/2/{relation}+S goes/VERB/0/root",
                f"dogs/NOUN/2/{relation}:pass+P seen/VERB/0/root",
                f"dog/NOUN/2/{relation}+S that/PRON/4/{relation}+P bark/VERB/1/acl ran/VERB/0/root",
                f"dog/NOUN/5/{relation}+S that/PRON/3/{relation} barks/VERB/1/acl now/ADV/3/advmod ran/VERB/0/root",
                f"Ann/PROPN/2/{relation}+S goes/VERB/0/root",
                f"cat/NOUN/4/{relation}+S and/CCONJ/3/cc dog/NOUN/1/conj+S go/VERB/0/root",
                f"cat/NOUN/3/{relation}+S dog/NOUN/3/{relation}+S go/VERB/0/root",
                f"sheep/NOUN/2/{relation} go/VERB/0/root",
            )
        }
    )
    found = answers(made["train"])
    singular = {"cat goes", "dog that barks now ran"}
    assert found == dict.fromkeys({"cats go", "dogs seen"}, "plural") | dict.fromkeys(singular, "singular")


def test_odd_man_out_exchanges_words_of_one_kind(bank):
    kinds = {
        ("P", "the"): ["cats", "dogs", "hens", "pigs"],
        ("S", "a"): ["cat", "dog", "hen", "pig"],
        ("S", "an"): ["ape", "elk", "owl", "eel"],
    }
    tree = "{0}/PROPN/4/nsubj {1}/DET/3/det {2}/NOUN/4/obj+{3} {0}Sees/VERB/0/root now/ADV/4/advmod"
    trees = [
        tree.format(name + article, article, noun, number)
        for (number, article), nouns in kinds.items()
        for name, noun in zip(NAMES, nouns * 3, strict=True)
    ]
    frequent = [tree.format(f"{name}{i}", "a", "cow", "S") for name in NAMES for i in range(9)]
    frame = odd_man_out({"train": bank(*trees, *frequent)})["train"]
    assert frame["label"].value_counts().nunique() == 1 and 20 <= len(frame) <= 36
    for row in frame.itertuples():
        moved = [pair for pair in zip(row.sentence.split(), row.source.split(), strict=True) if pair[0] != pair[1]]
        assert len(moved) == (row.label == "changed")
        assert all(any(set(pair) <= set(nouns) for nouns in kinds.values()) for pair in moved)
        assert "cow" not in row.source  # no other noun is as frequent


def test_odd_man_out_leaves_the_words_of_a_class_as_frequent_as_they_were(bank):
    tree = "{}/PROPN/5/nsubj the/DET/4/det old/ADJ/4/amod {}/NOUN/5/obj+P Saw/VERB/0/root"
    nouns = ["cats", "dogs", "hens", "pigs"]
    frame = odd_man_out({"train": bank(*(tree.format(name + noun, noun) for name in NAMES for noun in nouns))})["train"]
    for _, rows in frame.groupby("label"):
        counts = [Counter(" ".join(rows[column]).split()) for column in ("sentence", "source")]
        assert counts[0] == counts[1]


def clauses(first, second, start="{0}/PRON/2/nsubj sees/VERB/0/root it/PRON/2/obj"):
    return f"{start} ,/PUNCT/7/punct {first}/CCONJ/7/cc {second}/PROPN/7/nsubj hears/VERB/2/conj ./PUNCT/2/punct"


@pytest.mark.parametrize("first_half", [True, False])
def test_coordination_inversion_swaps_two_clauses(bank, monkeypatch, first_half):
    monkeypatch.setattr(words, "halves", lambda count, _: (np.arange(count) < count // 2) == first_half)
    trees = {
        clauses("and", "Ann").format("He"): "Ann hears , and he sees it .",
        clauses("but", "she").format("I"): "She hears , but I sees it .",
        clauses("or", "she").format("it"): "she hears , or it sees it .",
        clauses("and", "she").format("BBC"): "She hears , and BBC sees it .",
        "Ben/PROPN/2/nsubj came/VERB/0/root and/CCONJ/5/cc we/PRON/5/nsubj left/VERB/2/conj": "We left and Ben came",
        "Yes/INTJ/3/discourse he/PRON/3/nsubj goes/VERB/0/root and/CCONJ/6/cc we/PRON/6/nsubj stay/VERB/3/conj"
        " now/ADV/6/advmod !/PUNCT/3/punct": "We stay now and yes he goes !",
    }
    out = [
        "He/PRON/2/nsubj came/VERB/0/root and/CCONJ/4/cc left/VERB/2/conj ./PUNCT/2/punct",  # one subject
        "And/CCONJ/3/cc he/PRON/3/nsubj came/VERB/0/root and/CCONJ/6/cc we/PRON/6/nsubj left/VERB/3/conj",
        "He/PRON/2/nsubj came/VERB/0/root and/CCONJ/5/cc we/PRON/5/nsubj left/VERB/2/conj now/ADV/2/advmod",
        'He/PRON/2/nsubj came/VERB/0/root "/PUNCT/2/punct and/CCONJ/6/cc we/PRON/6/nsubj left/VERB/2/conj',
        "He/PRON/2/nsubj came/VERB/0/root we/PRON/4/nsubj left/VERB/2/conj",  # no conjunction
        "He/PRON/2/nsubj came/VERB/0/root and/CCONJ/5/cc I/PRON/5/nsubj went/VERB/2/conj or/CCONJ/8/cc we/PRON/8/nsubj"
        " left/VERB/2/conj",
    ]
    made = coordination_inversion({"train": bank(*trees, *out)})["train"]
    assert set(made["source"]) == {" ".join(word.split("/")[0] for word in tree.split()) for tree in trees}
    assert made["label"].value_counts().to_dict() == {"original": 3, "inverted": 3}
    inverted = {" ".join(word.split("/")[0] for word in tree.split()): text for tree, text in trees.items()}
    for row in made.itertuples():
        assert row.sentence == (inverted[row.source] if row.label == "inverted" else row.source)


def test_places_of_words_with_blanks_are_those_in_the_text(bank):
    train = bank("a/NOUN/2/nsubj goes/VERB/0/root", file="t").assign(words=[["học sinh", "ngủ"]])
    (row,) = pos({"train": train})["train"].itertuples()
    assert row.text.split() == ["học", "sinh", "ngủ"]
    assert [target["span1"] for target in row.targets] == [[0, 2], [2, 3]]
    tree = bank("a/NOUN/2/nsubj goes/VERB/0/root now/ADV/2/advmod").assign(words=[["học sinh", "ngủ", "."]])
    (row,) = dep({"train": tree})["train"].itertuples()
    assert row.targets[1] == {"span1": [3, 4], "span2": [2, 3], "label": "advmod"}


def test_pos_and_dep_are_in_the_form_of_edge_probing(bank):
    train = bank("He/PRON/2/nsubj goes/VERB/0/root now/ADV/2/advmod:tmod", file="t")
    dev = bank("Now/ADV/2/advmod go/VERB/0/root to/ADP/4/case him/PRON/2/nsubj", "No/INTJ/0/root", file="d")
    made = pos({"train": train, "validation": dev})
    assert made["train"].reset_index().to_dict("records") == [
        {
            "file": "t",
            "row": 1,
            "text": "He goes now",
            "targets": [
                {"span1": [0, 1], "label": "PRON"},
                {"span1": [1, 2], "label": "VERB"},
                {"span1": [2, 3], "label": "ADV"},
            ],
            "source": "He goes now",
        }
    ]
    assert [[target["label"] for target in row] for row in made["validation"]["targets"]] == [["ADV", "VERB", "PRON"]]
    made = dep({"train": train, "validation": dev})
    assert made["train"]["targets"].iloc[0] == [
        {"span1": [0, 1], "span2": [1, 2], "label": "nsubj"},
        {"span1": [2, 3], "span2": [1, 2], "label": "advmod:tmod"},
    ]
    assert made["validation"]["targets"].to_list() == [[{"span1": [3, 4], "span2": [1, 2], "label": "nsubj"}]]


@pytest.mark.parametrize("name", ["pos", "dep"])
def test_one_class_of_words_is_refused(refused, bank, name):
    splits = {"train": bank("Go/VERB/0/root go/VERB/1/conj")}
    refused(lambda: RULES[name](splits), f"Rule {name}, split train", "two classes or more", "larger treebank")


@pytest.mark.parametrize(
    "name",
    [
        "word_content",
        "tree_depth",
        "top_constituents",
        "past_present",
        "subj_number",
        "odd_man_out",
        "coordination_inversion",
    ],
)
def test_too_small_a_treebank_is_refused(refused, bank, name):
    splits = {"train": bank("He/PRON/2/nsubj goes/VERB/0/root+> now/ADV/2/advmod")}
    refused(lambda: RULES[name](splits), f"Rule {name}, split train", "two classes or more", "Give the rule more text")


def test_what_is_no_treebank_is_refused(refused, plain):
    splits = {"train": plain("He goes .")}
    refused(lambda: past_present(splits), "Split train", "the columns of a treebank, among them words", "CoNLL-U")
