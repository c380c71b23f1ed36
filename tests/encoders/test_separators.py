"""Start, delimiter and extract tokens: where they are set, once, and that places in the text stay right."""

import numpy as np
import pytest
from transformers import GPT2Tokenizer

from intertask.encoders.pretrained import load_encoder, save_encoder
from intertask.encoders.separators import add_separators
from intertask.formats.tokens import SPECIAL, tokens
from made_encoders import LEFT_TO_RIGHT, build_tokenizer


@pytest.mark.parametrize("name", LEFT_TO_RIGHT)
def test_they_are_added_once(name):
    tokenizer = build_tokenizer(name)
    before = len(tokenizer)
    for _ in range(2):
        add_separators(tokenizer)
        assert len(tokenizer) == before + (2 if name == "llama" else 3)
        first, *_, last = tokenizer("a").tokens()
        assert (first, last) == ("<s>" if name == "llama" else "<start>", "<extract>")


def test_they_are_added_once_though_the_post_processor_is_made_anew():
    """As by transformers for a tokenizer whose configuration names add_bos_token."""
    tokenizer = build_tokenizer("llama")
    add_separators(tokenizer)
    tokenizer.update_post_processor()
    assert "<extract>" not in tokenizer("a", "b").tokens()
    size = len(tokenizer)
    add_separators(tokenizer)
    assert len(tokenizer) == size and tokenizer("a", "b").tokens()[-1] == "<extract>"


def test_padding_that_was_stored_is_no_end_of_a_pair():
    tokenizer = build_tokenizer("llama")
    tokenizer.backend_tokenizer.enable_padding(length=16, pad_token="</s>", pad_id=2)
    add_separators(tokenizer)
    assert tokenizer("a", "b").tokens()[-1] == "<extract>"


def test_tokens_that_part_and_end_a_pair_are_enough():
    tokenizer = build_tokenizer("roberta")
    before = tokenizer.backend_tokenizer.to_str()
    add_separators(tokenizer)
    assert tokenizer.backend_tokenizer.to_str() == before


def test_the_blank_before_a_word_is_no_part_of_its_place():
    vocabulary = {token: i for i, token in enumerate(["<|endoftext|>", "Ġ", "a", "b", "Ġb"])}
    tokenizer = GPT2Tokenizer(vocab=vocabulary, merges=[("Ġ", "b")])
    add_separators(tokenizer)
    read = tokens([["a b"], ["b"]], tokenizer, 16, offsets=True)
    assert tokenizer.convert_ids_to_tokens(read.inputs["input_ids"]) == [
        "<start>",
        "a",
        "Ġb",
        "<delimiter>",
        "b",
        "<extract>",
    ]
    assert read.text.tolist() == [SPECIAL, 0, 0, SPECIAL, 1, SPECIAL]
    assert read.offsets[np.array([1, 2, 4])].tolist() == [[0, 1], [2, 3], [0, 1]]


def test_the_left_to_right_mini_encoder_has_them_from_the_start(tmp_path):
    encoder, tokenizer = load_encoder("mini/gpt")
    assert tokenizer("the dog", "zz").tokens() == ["<start>", "the", "dog", "<delimiter>", "z", "##z", "<extract>"]
    assert len(tokenizer) == encoder.get_input_embeddings().num_embeddings
    save_encoder(encoder, tokenizer, tmp_path)
    again, same = load_encoder(tmp_path)
    assert same("a", "b")["input_ids"] == tokenizer("a", "b")["input_ids"] and len(same) == len(tokenizer)
    assert again.get_input_embeddings().num_embeddings == len(tokenizer)
