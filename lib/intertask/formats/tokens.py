"""Texts as token ids, laid one sequence after another."""

import json
from dataclasses import dataclass
from itertools import chain

import numpy as np

from intertask.cache import remembered
from intertask.errors import IntertaskError

LARGE = 5000
"""Sequences from which a split's token ids are kept for other runs: fewer are made anew in no time."""

SPECIAL = -1
"""The text number of a token that stands in none: [CLS], [SEP]."""


@dataclass
class Tokens:
    """Sequence i of `inputs[name]` begins at starts[i]."""

    inputs: dict[str, np.ndarray]  # int32
    starts: np.ndarray  # one more than there are sequences
    cut: np.ndarray  # which sequences lost tokens to max_length
    offsets: np.ndarray | None = None  # (tokens, 2): [start, end) of each token, in characters of its text
    text: np.ndarray | None = None  # of each token, the number of its text, or SPECIAL
    example: np.ndarray | None = None  # of each window, the number of its example


def tokens(
    texts: list[list[str]], tokenizer, max_length: int, offsets: bool = False, overlap: int | None = None
) -> Tokens:
    """The sequences of one text or two each; those longer than max_length lose tokens of the longer text first.

    `offsets`: with the place of each token in its text. `overlap`: a sequence that is too long becomes several windows
    of its second text, neighbours with that many tokens in common, instead of losing any.
    """

    def make() -> Tokens:
        windows = {} if overlap is None else {"return_overflowing_tokens": True, "stride": overlap}
        truncation = "longest_first" if overlap is None else "only_second"
        batch = tokenizer(*texts, truncation=truncation, max_length=max_length, return_attention_mask=False, **windows)
        example = batch.pop("overflow_to_sample_mapping", None)
        starts = np.cumsum([0, *map(len, batch["input_ids"])])
        inputs = {name: np.fromiter(chain.from_iterable(ids), np.int32, starts[-1]) for name, ids in batch.items()}
        cut = np.array([overlap is None and bool(encoding.overflowing) for encoding in batch.encodings])
        places = _places(batch.encodings) if offsets else (None, None)
        return Tokens(inputs, starts, cut, *places, None if example is None else np.array(example))

    if len(texts[0]) < LARGE:
        return _readable(make, max_length)
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state |= {"truncation": None, "padding": None}  # what its last call left there
    key = [state, max_length, offsets, overlap, texts]
    return remembered("tokens", key, lambda: _readable(make, max_length))


def _places(encodings) -> tuple[np.ndarray, np.ndarray]:
    """`offsets` and `text` of Tokens."""
    offsets = np.concatenate([np.array(encoding.offsets, np.int32) for encoding in encodings])
    numbers = chain.from_iterable(encoding.sequence_ids for encoding in encodings)
    return offsets, np.fromiter((SPECIAL if k is None else k for k in numbers), np.int8, len(offsets))


def _readable(make, max_length: int) -> Tokens:
    """Refuses windows into which the first text does not fit."""
    try:
        return make()
    except BaseException as error:  # a panic of the tokenizer, which is no Exception
        if "runcation" not in str(error) and "stride" not in str(error):
            raise
        raise IntertaskError(
            f"max_length: expected room for the longest question and a part of its passage, found {max_length} tokens. "
            "Raise max_length."
        ) from None
