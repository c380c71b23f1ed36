"""The mini tasks: for each the columns of its real counterpart, labels computed from what the sentences say."""

import zlib
from itertools import islice

import numpy as np
import pandas as pd

from intertask.tasks.mini.choices import continuations
from intertask.tasks.mini.inference import COARSE, THREE_WAY, TWO_WAY, diagnostics, inference
from intertask.tasks.mini.pairs import answers, duplicates, paraphrases, similarities
from intertask.tasks.mini.pronouns import schemas
from intertask.tasks.mini.sampling import COUNTRY, HOME, SCENES, Rows
from intertask.tasks.mini.sentences import acceptability, reviews, texts


def generate(name: str) -> dict[str, pd.DataFrame]:
    """split -> rows of a mini task (one of NAMES, without "mini/"), the same on every machine.

    Labels are ids in the order of the catalogue's names (stsb: 0 to 5); the split `test` has none, except for ax.
    """
    columns, splits = TASKS[name]
    seen: set[tuple] = set()
    frames = {}
    for split, (make, size) in splits.items():
        rng = np.random.default_rng(zlib.crc32(f"{name} {split}".encode()))
        rows = list(islice(_unseen(make(rng), seen), size))
        frames[split] = pd.DataFrame(rows, columns=columns)
    if "test" in frames and name != "ax":
        frames["test"] = frames["test"].drop(columns="label")
    return frames


def _unseen(rows: Rows, seen: set[tuple]) -> Rows:
    for row in rows:
        texts = tuple(value for value in row if isinstance(value, str))
        if texts not in seen:
            seen.add(texts)
            yield row


PAIR = ["premise", "hypothesis", "label"]
SENTENCES = ["sentence1", "sentence2", "label"]
QUESTIONS = ["question1", "question2", "label"]
SENTENCE = ["sentence", "label"]
home, country, scenes = (inference(d, THREE_WAY, 0.1) for d in (HOME, COUNTRY, SCENES))
longer = inference(HOME, TWO_WAY, 1.0)
TASKS = {
    "text": (["text"], {"train": (texts, 8000), "validation": (texts, 500)}),
    "cola": (
        SENTENCE,
        {"train": (acceptability, 1200), "validation": (acceptability, 400), "test": (acceptability, 200)},
    ),
    "sst2": (SENTENCE, {"train": (reviews, 2500), "validation": (reviews, 400), "test": (reviews, 200)}),
    "mrpc": (SENTENCES, {"train": (paraphrases, 500), "validation": (paraphrases, 400), "test": (paraphrases, 200)}),
    "qqp": (QUESTIONS, {"train": (duplicates, 5000), "validation": (duplicates, 400)}),
    "stsb": (SENTENCES, {"train": (similarities, 800), "validation": (similarities, 400)}),
    "mnli": (PAIR, {"train": (home, 6000), "validation_matched": (home, 400), "validation_mismatched": (country, 400)}),
    "snli": (PAIR, {"train": (scenes, 7000), "validation": (scenes, 400)}),
    "qnli": (["question", "sentence", "label"], {"train": (answers, 3500), "validation": (answers, 400)}),
    "rte": (SENTENCES, {"train": (longer, 250), "validation": (longer, 277), "test": (longer, 200)}),
    "wnli": (SENTENCES, {"train": (schemas(dev=False), 64), "validation": (schemas(dev=True), 40)}),
    "hellaswag": (
        ["ctx", "endings", "label"],
        {"train": (continuations, 3000), "validation": (continuations, 400)},
    ),
    "ax": ([*PAIR, *COARSE], {"test": (diagnostics, 300)}),
}
NAMES = list(TASKS)
"""The mini tasks, without the prefix "mini/"."""
