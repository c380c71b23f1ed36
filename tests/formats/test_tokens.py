"""Texts to token ids: the tokenizer's own, in chunks and threads; those of a large split are made once."""

import copy
import multiprocessing
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from intertask.formats import tokens as module
from intertask.formats.tokens import LARGE, SPECIAL, tokens
from made_encoders import build_tokenizer

FIRST = ["a dog is here .", "a", "", "the dogs", "a a a a a a a a"]
SECOND = ["it is", "", "a", "a dog is here .", "the"]


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", ["mini/bert", "gpt2", "llama", "roberta", "xlnet"])
def test_sequences_are_those_that_the_tokenizer_gives(encoder, short_chunks, name, side):
    """Of one text and of two, shorter and longer than fits, down to the special tokens alone."""
    tokenizer = copy.deepcopy(encoder[1]) if name == "mini/bert" else build_tokenizer(name)
    tokenizer.truncation_side = side
    for texts in ([FIRST], [FIRST, SECOND]):
        least = max(4, tokenizer.num_special_tokens_to_add(len(texts) == 2))
        for most in (least, least + 1, 8, 9, 20):
            read = tokens([pd.Series(text) for text in texts], tokenizer, most, offsets=True)
            batch = tokenizer(*texts, truncation="longest_first", max_length=most, return_offsets_mapping=True)
            for input_name, ids in read.inputs.items():
                assert ids.tolist() == sum(batch[input_name], []) and ids.dtype == np.int32
            assert {*read.inputs, "attention_mask", "offset_mapping"} == set(batch)
            assert read.starts.tolist() == np.cumsum([0, *map(len, batch["input_ids"])]).tolist()
            uncut = tokenizer(*texts)["input_ids"]
            assert read.cut.tolist() == [len(ids) > most for ids in uncut]
            assert read.offsets.tolist() == [list(place) for one in batch["offset_mapping"] for place in one]
            numbers = [SPECIAL if number is None else number for i in range(5) for number in batch.sequence_ids(i)]
            assert read.text.tolist() == numbers and read.counts is None
            without = tokens(texts, tokenizer, most)
            assert without.offsets is None and np.array_equal(without.inputs["input_ids"], read.inputs["input_ids"])


@pytest.mark.parametrize("name", ["mini/bert", "roberta", "xlnet"])
def test_windows_are_those_that_the_tokenizer_gives(encoder, short_chunks, name):
    tokenizer = copy.deepcopy(encoder[1]) if name == "mini/bert" else build_tokenizer(name)
    questions, passages = ["a", "", "a b", "a"] * 2, ["a", "a b a b a", "", "b a a b", "b", "", "a " * 9, "a b a"]
    for most in (9, 10, 14):
        settings = {"truncation": "only_second", "max_length": most, "return_overflowing_tokens": True}
        direct = tokenizer(questions, passages, stride=1, **settings)
        read = tokens([questions, passages], tokenizer, most, offsets=True, overlap=1)
        assert read.inputs["input_ids"].tolist() == sum(direct["input_ids"], [])
        assert np.diff(read.starts).tolist() == [len(ids) for ids in direct["input_ids"]]
        assert np.arange(8).repeat(read.counts).tolist() == direct["overflow_to_sample_mapping"]
        assert len(read.cut) == len(read.starts) - 1 and not read.cut.any()


def test_a_text_that_stands_in_many_pairs_is_tokenised_once(encoder, monkeypatch):
    seen = []
    encode = module._encode
    monkeypatch.setattr(
        module, "_encode", lambda column, *more: seen.extend(column.to_pylist()) or encode(column, *more)
    )
    tokens([["a dog"] * 3 + ["a"], ["the"] * 4], encoder[1], 8)
    assert seen == ["a dog", "a", "the"]


def test_texts_are_tokenised_where_nobody_says_which_processors_a_process_has(encoder, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    assert len(tokens([FIRST], encoder[1], 8).starts) == len(FIRST) + 1


def test_windows_are_counted_across_chunks(encoder, short_chunks):
    passages = ["a", "a a a a a", "a", "a a a a", "a"]
    read = tokens([["a"] * 5, passages], encoder[1], 7, overlap=1)  # [CLS] a [SEP] 1 2 3 [SEP]
    # five words are 1 2 3 and 3 4 5; four are 1 2 3 and 3 4
    assert read.counts.tolist() == [1, 2, 1, 2, 1] and not read.cut.any()
    assert np.diff(read.starts).tolist() == [5, 7, 7, 5, 7, 6, 5]


@pytest.fixture
def makings(monkeypatch):
    """How many sequences were tokenised, call by call."""
    counts = []
    make = module._framed
    monkeypatch.setattr(
        module, "_framed", lambda columns, *more: counts.append(len(columns[0])) or make(columns, *more)
    )
    return counts


def test_the_tokens_of_a_large_split_are_made_once(encoder, makings):
    tokenizer = encoder[1]
    texts = [f"a dog {i % 7 * 'a '}." for i in range(LARGE + 3)]
    made = tokens([texts, texts], tokenizer, 7)
    column = pd.Series(["left out", *texts], index=np.arange(LARGE + 4)[::-1], name="other")[1:]
    kept = tokens([column, column.astype(object)], tokenizer, 7)  # the same texts, otherwise in memory
    assert makings == [LARGE + 3]
    assert np.array_equal(kept.starts, made.starts) and np.array_equal(kept.cut, made.cut) and made.cut.any()
    assert list(kept.inputs) == list(made.inputs)
    for name, ids in made.inputs.items():
        assert np.array_equal(kept.inputs[name], ids) and kept.inputs[name].dtype == np.int32


def test_equal_texts_have_equal_hashes_and_others_have_not():
    texts = ["ab", "", "c", "é"]
    whole = pa.array(texts, pa.large_string())
    parts = pa.chunked_array([whole[:1], whole[1:1], whole[1:]])
    longer = pa.array(["x", *texts, "y"], pa.large_string())
    assert module._digest(whole) == module._digest(parts) == module._digest(longer[1:5])
    others = [["a", "b", "c", "é"], ["ab", "c", "", "é"], texts[:3], [*texts, ""], [""]]
    hashes = [module._digest(pa.array(other, pa.large_string())) for other in others]
    assert module._digest(whole) not in hashes and len(set(map(tuple, hashes))) == len(others)


def test_whatever_changes_the_tokens_makes_them_anew(encoder, makings, monkeypatch):
    tokenizer = encoder[1]
    texts = ["a dog is here ."] * LARGE
    before = tokens([texts], tokenizer, 7).inputs["input_ids"][:7].tolist()
    assert tokens([texts], tokenizer, 6).starts[-1] == 6 * LARGE
    assert tokens([texts[1:] + ["a"]], tokenizer, 7).starts[-1] == 7 * LARGE - 4
    assert tokens([texts, texts], tokenizer, 7).starts[-1] == 7 * LARGE
    assert tokens([texts], tokenizer, 7, offsets=True).offsets is not None
    monkeypatch.setattr(tokenizer, "truncation_side", "left")
    left = tokens([texts], tokenizer, 7).inputs["input_ids"][:7].tolist()
    assert left == tokenizer(texts[0], truncation=True, max_length=7)["input_ids"] and left[-2] != before[-2]
    assert makings == [LARGE] * 6


@pytest.mark.parametrize("setting", [None, "true", "false"])
def test_a_setting_of_the_users_is_left_as_it_was(encoder, monkeypatch, setting):
    if setting is None:
        monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    else:
        monkeypatch.setenv("TOKENIZERS_PARALLELISM", setting)
    tokens([FIRST], encoder[1], 8)
    assert os.environ.get("TOKENIZERS_PARALLELISM") == setting


def test_a_forked_process_tokenises_after_its_parent_has(encoder, short_chunks, monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")  # the tokenizer's own threads would hang in the child
    tokens([FIRST], encoder[1], 8)
    child = multiprocessing.get_context("fork").Process(target=tokens, args=([FIRST], encoder[1], 8))
    child.start()
    child.join(60)
    code = child.exitcode
    child.kill()
    assert code == 0


def test_of_a_long_text_the_tokenizer_gets_as_much_as_can_be_left_of_it(encoder, monkeypatch):
    assert module._head("a b  c d", 2) == "a b  " and module._head("a b", 2) == "a b" == module._head("a b", None)
    seen = []
    whole = module._head
    monkeypatch.setattr(module, "_head", lambda text, most: seen.append(whole(text, most)) or seen[-1])
    long = ["xyz " * 50]  # three tokens a word
    read = tokens([long, long], encoder[1], 8)
    assert max(len(text.split()) for text in seen) == 16 and read.cut.tolist() == [True]
    direct = encoder[1](long, long, truncation="longest_first", max_length=8)
    assert read.inputs["input_ids"].tolist() == direct["input_ids"][0]
