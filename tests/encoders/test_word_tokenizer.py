"""Texts as words and their characters: places, cuts, pairs."""

import random

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.encoders.characters import character_ids
from intertask.encoders.word_tokenizer import WordTokenizer
from intertask.errors import IntertaskError
from intertask.formats.tokens import tokens
from intertask.run import Run
from intertask.training import prepare, train
from intertask.views.preview import token_lengths

SMALL = {"encoder": "mini/bilstm", "classifier": "small", "max_length": 8, "num_train_epochs": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't go, it's 3.5%", ["Don", "'t", "go", ",", "it", "'s", "3.5", "%"]),
        ("a|b  [c] & é", ["a", "|", "b", "[", "c", "]", "&", "é"]),
        ("x\x07y xy", ["x\x07y", "xy"]),
        ("  ", []),
    ],
)
def test_words_are_moses_and_stand_where_they_say(text, words):
    found = WordTokenizer().words(text)
    assert [text[start:end] for _, (start, end) in found] == words
    assert [word for word, _ in found] == [word.replace("\x07", "") for word in words]


def test_words_of_any_text_stand_where_they_say():
    tokenizer = WordTokenizer()
    draw, signs = random.Random(0), "ab .,'\"-&|[]()<>%$\x07\x1f\n\t\u00a0\u3000é中\u0301\u200b`@#/01"
    for _ in range(500):
        text = "".join(draw.choices(signs, k=draw.randint(0, 25)))
        for word, (start, end) in tokenizer.words(text):
            assert "".join(sign for sign in text[start:end] if sign > "\x1f") == word


def test_a_text_is_its_first_words_as_characters():
    found = tokens([pd.Series(["a red plum", "no"])], WordTokenizer(), max_length=2)
    assert found.starts.tolist() == [0, 2, 3] and found.cut.tolist() == [True, False]
    assert torch.equal(torch.from_numpy(found.inputs["input_ids"]).long(), character_ids(["a", "red", "no"]))
    assert found.offsets.tolist() == [[0, 1], [2, 5], [0, 2]]


def test_words_longer_than_what_is_read_are_counted(tmp_path):
    """48 bytes, of which é takes two; a word behind max_length is not read at all."""
    texts = pd.Series([f"{'a' * 48} {'b' * 49} {'é' * 25} {'é' * 24}", f"no no no no {'c' * 60}"])
    assert tokens([texts], WordTokenizer(), max_length=4).cut_words.tolist() == [2, 0]
    (tmp_path / "t.csv").write_text(f"text,kind\n{texts[0]},a\n{texts[1]},b\n")
    files = "files: {train: t.csv, validation: t.csv}"
    (tmp_path / "t.yaml").write_text(f"t: {{{files}, format: classification, inputs: [text], label: kind}}")
    run = Run(task="t", task_file=str(tmp_path / "t.yaml"), **SMALL | {"max_length": 4})
    task = prepare(run)["t"]
    assert train(run, {"t": task}, run.encoder).main.cut_words == {"train": 2, "validation": 2}
    assert token_lengths(task, WordTokenizer(), 4)["words cut"].tolist() == [2, 2]


def test_a_text_without_words_is_refused():
    with pytest.raises(IntertaskError, match=r"Text 2: expected a word or more, found '\\u3000'"):
        tokens([pd.Series(["a", "\u3000"])], WordTokenizer(), max_length=4)


def test_two_texts_together_are_refused():
    with pytest.raises(IntertaskError, match="expected an encoder that reads two texts together"):
        tokens([pd.Series(["a"]), pd.Series(["b"])], WordTokenizer(), max_length=4)


def test_both_orders_are_for_encoders_that_read_two_texts_together(refused):
    run = Run(task="mini/mrpc", encoder="mini/bilstm", pooling="mean", both_orders=True)
    refused(lambda: train(run, prepare(run), run.encoder), "both_orders: expected an encoder that reads two texts")
    refused(
        lambda: Run.checked({"task": "a", "both_orders": True, "classifier": "small"}), "expected classifier: linear"
    )


@pytest.mark.parametrize("tuning", ["full", "frozen"])
def test_a_pair_is_read_as_two_texts(tuning):
    run = Run(task="mini/rte", limit=40, tuning=tuning, **SMALL)
    result = train(run, prepare(run), run.encoder)
    encoded = result.model.parts[0].encoded["train"]
    assert len(encoded.starts) - 1 == 80 and set(encoded.counts) == {2}
    assert np.isfinite(list(result.main.scores["validation"].values())).all()
