"""Pairs of sentences and of clauses, from texts and treebanks of a few words, with every answer worked out by hand."""

import pandas as pd
import pytest

from intertask.probes import RULES
from intertask.probes.discourse import DISSENT, dissent, skipthought

RAIN = "it/PRON/{0}/nsubj rains/VERB/{1}/{2}"
"""A clause with two words, the heads of both and the relation of its verb given."""

V2 = f"We/PRON/2/nsubj stay/VERB/0/root and/CCONJ/5/cc {RAIN.format(5, 2, 'conj')} ./PUNCT/2/punct"
V1 = f"We/PRON/2/nsubj stay/VERB/0/root and/CCONJ/2/cc {RAIN.format(5, 2, 'conj')} ./PUNCT/2/punct"
BECAUSE = f"We/PRON/2/nsubj stay/VERB/0/root ,/PUNCT/2/punct because/SCONJ/6/mark {RAIN.format(6, 2, 'advcl')}"
IF = f"If/SCONJ/3/mark {RAIN.format(3, 6, 'advcl')} ,/PUNCT/3/punct we/PRON/6/nsubj stay/VERB/0/root ./PUNCT/6/punct"


def pairs(frame):
    return list(frame[["label", "sentence", "following"]].itertuples(index=False, name=None))


def test_skipthought_pairs_end_with_the_document(plain):
    texts = [" = One = ", " A b . C d ? ", " E f . ", "", " G h . ", " = = Two = = ", " I j . K l . "]
    one, other = plain(*texts, column="text", file="a"), plain("M n . O p .", column="text", file="b")
    train = pd.concat([one, other])
    made = skipthought({"train": train, "validation": plain("Q r .", "S t .", "", "U v .", "W x .")})
    assert made["train"].to_numpy().tolist() == [
        *(["A b .", "C d ?"], ["C d ?", "E f ."]),
        *(["I j .", "K l ."], ["M n .", "O p ."]),
    ]
    assert made["train"].index.tolist() == [("a", 2), ("a", 2), ("a", 7), ("b", 1)]
    assert made["validation"].to_numpy().tolist() == [["Q r .", "S t ."], ["U v .", "W x ."]]


def test_skipthought_of_a_treebank_ends_at_newdoc(bank):
    train = bank(*(f"{name}/NOUN/0/root" for name in "abcd")).assign(**{"# newdoc": [True, False, True, False]})
    assert skipthought({"train": train})["train"].to_numpy().tolist() == [["a", "b"], ["c", "d"]]


def test_skipthought_keeps_a_pair_once_and_what_splits_share_out_of_train(plain):
    train = plain("A .", "B .", "A .", "b .", "C .")
    made = skipthought({"train": train, "validation": plain("B .", "A .")})
    assert made["train"].to_numpy().tolist() == [["A .", "B ."], ["b .", "C ."]]


def test_texts_without_neighbours_are_refused(plain, refused):
    lone = plain("A b .", "", "C d .", " = E = ", file="lone.txt")
    refused(lambda: skipthought({"train": lone}), "Split train, lone.txt", "two sentences that follow", "an empty row")


@pytest.mark.parametrize("parse, label, first, second", [
    (V2, "and", "We stay .", "It rains ."),
    (V1, "and", "We stay .", "It rains ."),
    (V2.replace("and/", "but/"), "but", "We stay .", "It rains ."),
    (V1.replace("and/", "So/"), "so", "We stay .", "It rains ."),
    (BECAUSE, "because", "We stay .", "It rains ."),
    (BECAUSE.replace("because/SCONJ", "so/ADV").replace("mark", "advmod"), "so", "We stay .", "It rains ."),
    (BECAUSE.replace("because", "before"), "before", "We stay .", "It rains ."),
    (BECAUSE.replace("because", "though"), "though", "We stay .", "It rains ."),
    (IF, "if", "We stay .", "It rains ."),
    (IF.replace("If/SCONJ/3/mark", "When/ADV/3/advmod"), "when", "We stay .", "It rains ."),
    (IF.replace("If", "if"), "if", "we stay .", "it rains ."),
])  # fmt: skip
def test_marker_between_two_clauses(bank, parse, label, first, second):
    other = BECAUSE.replace("rains", "snows") if label != "because" else IF.replace("rains", "snows")
    made = dissent({"train": bank(parse, other, *RELATIONS)})["train"]
    assert (label, first, second) in pairs(made) and len(made) == 2


RELATIONS = ("and/CCONJ/2/cc one/NUM/3/conj off/ADP/0/root of/ADP/5/mark x/X/3/advcl y/X/3/nsubj",)
"""A sentence that has every relation and no pair of clauses, for treebanks of one or two of these trees."""


@pytest.mark.parametrize("parse", [
    V2.replace("We/PRON/2/nsubj", "We/PRON/2/obj"),  # the first clause has no subject
    V2.replace("it/PRON/5/nsubj", "it/PRON/5/obj"),  # nor the second
    V2.replace("5/cc", "5/advmod"),
    V2.replace("conj", "parataxis"),
    V1.replace("2/conj", "2/parataxis"),
    BECAUSE.replace("advcl", "ccomp"),
    BECAUSE.replace("mark", "case"),
    BECAUSE.replace("because", "while"),
    f"because/SCONJ/3/mark {RAIN.format(3, 0, 'advcl')}",  # a fragment
    # the subject stands beyond the other clause
    f"We/PRON/5/nsubj because/SCONJ/4/mark {RAIN.format(4, 5, 'advcl')} stay/VERB/0/root",
])  # fmt: skip
def test_what_links_no_two_clauses_makes_no_pair(bank, parse):
    made = dissent({"train": bank(parse, BECAUSE.replace("rains", "snows"), IF.replace("rains", "pours"), *RELATIONS)})
    assert pairs(made["train"]) == [("because", "We stay .", "It snows ."), ("if", "We stay .", "It pours .")]


def test_clause_is_what_stands_together(bank):
    """The first clause leaves out the second and its own marker; quotation marks at its edges go, those inside stay."""
    said = (
        'He/PRON/2/nsubj said/VERB/0/root that/SCONJ/6/mark "/PUNCT/6/punct we/PRON/6/nsubj stay/VERB/2/ccomp '
        'there/ADV/6/advmod -/PUNCT/6/punct because/SCONJ/11/mark it/PRON/11/nsubj rains/VERB/6/advcl "/PUNCT/6/punct'
    )
    made = dissent({"train": bank(said, IF, *RELATIONS)})["train"]
    assert pairs(made)[0] == ("because", "We stay there .", "It rains .")
    assert made["source"].iloc[0] == 'He said that " we stay there - because it rains "'


def test_of_several_conjuncts_version_1_takes_the_next_and_version_2_its_own(bank):
    """a sings , b plays and c rests: the conjunction links the first clause and the last in both."""
    three = "a/X/2/nsubj sings/VERB/0/root b/X/4/nsubj plays/VERB/2/conj and/CCONJ/{}/cc c/X/7/nsubj rests/VERB/2/conj"
    for head in (2, 7):
        made = dissent({"train": bank(three.format(head), IF, *RELATIONS)})["train"]
        assert pairs(made)[0][0] == "and" and pairs(made)[0][2] == "c rests ."


BUT = "But/CCONJ/3/cc it/PRON/3/nsubj rains/VERB/0/root ./PUNCT/3/punct"
STAY = "We/PRON/2/nsubj stay/VERB/0/root !/PUNCT/2/punct"


@pytest.mark.parametrize("trees, newdoc, label", [
    ([STAY, BUT], False, "but"),
    ([STAY, BUT.replace("But", "Because").replace("cc", "mark")], False, "because"),
    ([STAY, BUT], True, None),  # of another document
    ([STAY.replace("nsubj", "obj"), BUT], False, None),
    ([STAY, BUT.replace("nsubj", "obj")], False, None),
    ([STAY, BUT.replace("But", "When").replace("cc", "advmod")], False, None),
    ([STAY, BUT.replace("3/cc", "2/cc")], False, None),  # it links a word, not the sentence
    ([STAY, BUT.replace("3/cc", "3/discourse")], False, None),
    ([STAY, "Oh/INTJ/4/discourse " + BUT.replace("/3/", "/4/")], False, None),
])  # fmt: skip
def test_first_word_links_the_sentence_to_the_one_before(bank, trees, newdoc, label):
    train = bank(IF.replace("rains", "pours"), BECAUSE.replace("rains", "snows"), *trees, *RELATIONS)
    train["# newdoc"] = [True, False, True, newdoc, True]
    made = dissent({"train": train})["train"]
    assert pairs(made)[2:] == ([(label, "We stay .", "It rains .")] if label else [])
    assert not label or made["source"].iloc[2].startswith("We stay ! B")


def test_classes_are_as_frequent_as_in_the_treebank(bank):
    train = bank(*(V2.replace("rains", f"rains{i}") for i in range(5)), IF, *RELATIONS)
    made = dissent({"train": train})["train"]
    assert made["label"].value_counts().to_dict() == {"and": 5, "if": 1}
    assert {*made["label"]} <= {*DISSENT} and RULES["dissent"] is dissent


def test_treebank_without_the_relations_is_refused(bank, plain, refused):
    old = bank("We/PRON/2/SBJ stay/VERB/0/ROOT and/CCONJ/2/COORD it/PRON/5/SBJ rains/VERB/3/CONJ", file="old.conllu")
    parts = ["Split train, old.conllu", "nsubj, advcl, mark, conj, cc", "no nsubj and no advcl", "SBJ (2)", "whole"]
    refused(lambda: dissent({"train": old}), *parts)
    refused(lambda: dissent({"train": bank(V2, *RELATIONS)}), "Rule dissent, split train", "two classes", "and (1)")
    refused(lambda: dissent({"train": plain("We stay .")}), "the columns of a treebank", "CoNLL-U")
