"""The mini tasks: for each the columns of its real counterpart, labels computed from what the sentences say."""

import zlib
from collections.abc import Callable
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd

from minilanguage import choices, marked, pronouns, reading, trees, writing
from minilanguage.entailment import (
    COARSE,
    ENTAILMENT,
    NEUTRAL,
    THREE_WAY,
    TWO_WAY,
    commitments,
    diagnostics,
    inference,
    two_way_diagnostics,
)
from minilanguage.pairs import answers, duplicates, paraphrases, similarities
from minilanguage.sampling import COUNTRY, ERRANDS, HOME, SCENES, Rows
from minilanguage.sentences import acceptability, feelings, prices, reviews, texts


def generate(name: str) -> dict[str, pd.DataFrame]:
    """split -> rows of a mini task (one of NAMES, without "mini/"), the same on every machine.

    Labels are ids in the order of the catalogue's names (stsb: 0 to 5); the split `test` has none, except for ax.
    """
    columns, parts = TASKS[name]
    seen: set[str] = set()  # by all splits: no dev example is in train
    frames = {}
    for split, (make, size) in parts.items():
        rng = np.random.default_rng(zlib.crc32(f"{name} {split}".encode()))
        rows = list(islice(_unseen(endless(make, rng), seen), size))
        frames[split] = pd.DataFrame(rows, columns=columns)
    if {"train", "test"} <= frames.keys():
        frames["test"] = frames["test"].drop(columns="label", errors="ignore")
    return frames


def endless(make: Callable[[np.random.Generator], Rows], rng: np.random.Generator) -> Rows:
    while True:
        yield from make(rng)


def _unseen(rows: Rows, seen: set[str]) -> Rows:
    for row in rows:
        content = str([value for value in row if isinstance(value, str | dict)] or row)  # lists belong to a text
        if content not in seen:
            seen.add(content)
            yield row


def with_sizes(rows: Callable, train: int, validation: int = 400, test: int = 0) -> dict[str, tuple[Callable, int]]:
    sizes = {"train": train, "validation": validation, "test": test}
    return {split: (rows, size) for split, size in sizes.items() if size}


TARGETS = ["text", "targets"]
NLI = ["premise", "hypothesis", "label"]
SENTENCES = ["sentence1", "sentence2", "label"]
QUESTIONS = ["question1", "question2", "label"]
SENTENCE = ["sentence", "label"]
home, country, scenes = (partial(inference, domain=d, labels=THREE_WAY, extra=0.1) for d in (HOME, COUNTRY, SCENES))
longer = partial(inference, domain=HOME, labels=TWO_WAY, extra=1.0)
scientific = partial(inference, domain=ERRANDS, labels={ENTAILMENT: 0, NEUTRAL: 1}, extra=0.0, named=0.0)
wnli, dev_wnli = (partial(pronouns.schemas, dev=dev) for dev in (False, True))
spr1 = partial(marked.proto_roles, domains=[SCENES, ERRANDS], absent={"was_for_benefit"})
spr2 = partial(marked.proto_roles, domains=[HOME, COUNTRY, ERRANDS], absent={"manipulated_by_another", "destroyed"})
TASKS = {
    "text": (["text"], with_sizes(texts, 8000, 500)),
    "cola": (SENTENCE, with_sizes(acceptability, 1200, test=200)),
    "sst2": (SENTENCE, with_sizes(reviews, 2500, test=200)),
    "mrpc": (SENTENCES, with_sizes(paraphrases, 500, test=200)),
    "qqp": (QUESTIONS, with_sizes(duplicates, 5000)),
    "stsb": (SENTENCES, with_sizes(similarities, 800)),
    "mnli": (NLI, {"train": (home, 6000), "validation_matched": (home, 400), "validation_mismatched": (country, 400)}),
    "snli": (NLI, with_sizes(scenes, 7000)),
    "qnli": (["question", "sentence", "label"], with_sizes(answers, 3500)),
    "rte": (SENTENCES, with_sizes(longer, 250, 277, 200)),
    "wnli": (SENTENCES, {"train": (wnli, 64), "validation": (dev_wnli, 40)}),
    "hellaswag": (["ctx", "endings", "label"], with_sizes(choices.continuations, 3000)),
    "ax": ([*NLI, *COARSE], {"test": (diagnostics, 300)}),
    "axb": ([*SENTENCES, *COARSE], {"test": (two_way_diagnostics, 300)}),
    "axg": (NLI, {"test": (pronouns.genders, 120)}),
    "boolq": (["passage", "question", "label"], with_sizes(reading.yes_or_no, 1250)),
    "cb": (NLI, with_sizes(commitments, 51, 57)),
    "scitail": (["sentence1", "sentence2", "gold_label"], with_sizes(scientific, 2000)),
    "copa": (["premise", "question", "choice1", "choice2", "label"], with_sizes(choices.causes, 60, 100)),
    "socialiqa": (["context", "question", "answerA", "answerB", "answerC", "label"], with_sizes(choices.motives, 2300)),
    "commonsenseqa": (["question", "choices", "answerKey"], with_sizes(choices.common_knowledge, 1300)),
    "cosmosqa": (
        ["context", "question", *[f"answer{k}" for k in range(4)], "label"],
        with_sizes(choices.stories, 2100),
    ),
    "multirc": (["paragraph", "question", "answer", "idx", "label"], with_sizes(reading.several_answers, 2200)),
    "record": (["passage", "query", "entities", "answers"], with_sizes(reading.clozes, 3400)),
    "wic": (
        ["word", "sentence1", "sentence2", "start1", "end1", "start2", "end2", "label"],
        with_sizes(marked.senses, 700),
    ),
    "wsc": (
        ["text", "span1_text", "span1_index", "span2_text", "span2_index", "label"],
        with_sizes(pronouns.mentions, 62, 104),
    ),
    "qamr": (["question", "passage", "answers"], with_sizes(reading.free_questions, 2600)),
    "qasrl": (["question", "passage", "answers"], with_sizes(reading.role_questions, 2400)),
    "ccg": (["words", "supertags"], with_sizes(marked.supertags, 2350)),
    "wnut17": (["words", "ner_tags"], with_sizes(marked.name_tags, 1500)),
    "squad_v2": (["question", "context", "answers"], with_sizes(reading.unsure_questions, 3600)),
    "treebank": (trees.TREE_COLUMNS, with_sizes(trees.trees, 3000, 1000, 1000)),
    "single_words": (trees.TREE_COLUMNS, with_sizes(trees.single_words, 1600, test=400)),
    "coordination": (SENTENCE, with_sizes(trees.conjunctions, 1000)),
    "nonterminal": (TARGETS, with_sizes(marked.constituents, 3500)),
    "ner": (TARGETS, with_sizes(marked.names, 3500)),
    "srl": (TARGETS, with_sizes(marked.roles, 4000)),
    "coref": (TARGETS, with_sizes(pronouns.coreference, 3500)),
    "spr1": (TARGETS, with_sizes(spr1, 600)),
    "spr2": (TARGETS, with_sizes(spr2, 240)),
    "dpr": (TARGETS, with_sizes(pronouns.definite_pronouns, 150)),
    "semeval": (["text", "span1", "span2", "relation"], with_sizes(marked.relations, 900)),
    "goemotions": (["text", "labels"], with_sizes(feelings, 3000)),
    "prices": (["text", "price"], with_sizes(prices, 1500)),
    "linked_clauses": (trees.TREE_COLUMNS, with_sizes(writing.linked_clauses, 4600)),
    "translation": (["english", "translation"], with_sizes(writing.translations, 7800)),
    "skipthought": (["sentence", "following"], with_sizes(writing.next_sentences, 8000)),
    "reddit": (["comment", "reply"], with_sizes(writing.replies, 9000)),
}
NAMES = list(TASKS)
"""The mini tasks, without the prefix "mini/"."""
