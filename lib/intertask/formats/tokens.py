"""Texts as token ids, laid one sequence after another."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from intertask.cache import remembered
from intertask.encoders.word_tokenizer import WordTokenizer
from intertask.errors import IntertaskError
from intertask.files import file_digest, processors

LARGE = 5000
"""Sequences from which a split's token ids are kept for other runs: fewer are made anew in no time."""

SPECIAL = -1
"""The text number of a token that stands in none: [CLS], [SEP]."""

CHUNK = 1000
"""Sequences that a thread tokenises at a time: what is kept of them is a fraction of what the tokenizer gives."""

WORDS = 2
"""Words of a text that the tokenizer gets for every token of max_length: a word gives one token or more, but for a few
that a tokenizer drops."""

_IDS = {"input_ids": "ids", "token_type_ids": "type_ids"}


@dataclass
class Tokens:
    """Sequence i of `inputs[name]` begins at starts[i]."""

    inputs: dict[str, np.ndarray]  # int32; input_ids (tokens, characters) where a token is a word, of its characters
    starts: np.ndarray  # one more than there are sequences
    cut: np.ndarray  # which sequences lost tokens to max_length
    cut_words: np.ndarray | None = None  # of each sequence, how many words lost characters; None: it is not read so
    offsets: np.ndarray | None = None  # (tokens, 2): [start, end) of each token, in characters of its text
    text: np.ndarray | None = None  # of each token, the number of its text, or SPECIAL
    counts: np.ndarray | None = None  # how many sequences each example has; None: one


def tokens(
    texts: Sequence[Sequence[str]], tokenizer, max_length: int, offsets: bool = False, overlap: int | None = None
) -> Tokens:
    """The sequences of one text or two each; those longer than max_length lose tokens of the longer text first.

    `offsets`: with the place of each token in its text. `overlap`: a sequence that is too long becomes several windows
    of its second text, neighbours with that many tokens in common, instead of losing any.
    """
    import pyarrow

    columns = [pyarrow.array(text, pyarrow.large_string()) for text in texts]
    try:
        if isinstance(tokenizer, WordTokenizer):
            read, state = tokenizer.reader(columns, max_length, overlap)
        else:
            read, state = _reader(columns, tokenizer, max_length, offsets, overlap)
        if len(columns[0]) < LARGE:
            return _read_all(read, len(columns[0]))
        key = [*state, *map(_digest, columns), file_digest(Path(__file__)).hex()]
        return Tokens(**remembered("tokens", key, lambda: vars(_read_all(read, len(columns[0])))))
    except BaseException as error:  # a panic of the tokenizer, which is no Exception
        if "runcation" not in str(error) and "stride" not in str(error):
            raise
        raise IntertaskError(
            f"max_length: expected room for the longest question and a part of its passage, found {max_length} tokens. "
            "Raise max_length."
        ) from None


def unknown_share(texts: Sequence[Sequence[str]], tokenizer) -> float:
    """Of the tokens of the texts, columns as of `tokens`, the share 0 to 1 that stand for what is not known."""
    if tokenizer.unk_token_id is None:
        return 0.0
    column = [text for column in texts for text in column]
    tokenizer.backend_tokenizer.no_truncation()  # as an earlier call may have left it
    with serial():
        encodings = tokenizer.backend_tokenizer.encode_batch(column, add_special_tokens=False)
    ids = list(chain.from_iterable(encoding.ids for encoding in encodings))
    return ids.count(tokenizer.unk_token_id) / max(len(ids), 1)


def _reader(
    columns: list, tokenizer, max_length: int, offsets: bool, overlap: int | None
) -> tuple[Callable[[slice], dict[str, np.ndarray]], list]:
    """What reads a part of the sequences, and what that depends on beside their texts."""
    truncation = "longest_first" if overlap is None else "only_second"
    settings = {"truncation": truncation, "max_length": max_length, "stride": overlap or 0}
    # a call that has the tokenizer truncate, and tells the names of what it gives
    names = list(tokenizer(*[[""]] * len(columns), return_attention_mask=False, **settings))
    # windows want the whole text, truncation on the left its last words
    most = WORDS * max_length if overlap is None and tokenizer.truncation_side == "right" else None
    read = partial(_read, columns, tokenizer.backend_tokenizer, names, offsets, overlap is not None, most)
    return read, [tokenizer.backend_tokenizer.to_str(), tokenizer.split_special_tokens, names, offsets]


def _read_all(read: Callable[[slice], dict[str, np.ndarray]], count: int) -> Tokens:
    """All sequences, CHUNK at a time, on all processors: also in a run that trains with one thread.

    The threads are ours, which end with the call. The tokenizer's own would hang in a process forked from this one.
    """
    with serial(), ThreadPoolExecutor(processors()) as threads:
        parts = [slice(first, first + CHUNK) for first in range(0, count, CHUNK)]
        chunks = list(threads.map(read, parts))
    whole = {name: np.concatenate([chunk.pop(name) for chunk in chunks]) for name in list(chunks[0])}
    inputs = {name: whole.pop(name) for name in _IDS if name in whole}
    return Tokens(inputs, bounds(whole.pop("lengths")), **whole)


def _read(
    columns: list, backend, names: list[str], offsets: bool, windows: bool, most: int | None, part: slice
) -> dict[str, np.ndarray]:
    """The sequences of a part, of no more than the first `most` words of each text.

    Their inputs, and `lengths` beside what Tokens hold of them.
    """
    texts = [[_head(text, most) for text in column[part].to_pylist()] for column in columns]
    encode = backend.encode_batch if offsets else backend.encode_batch_fast  # the same ids, without their places
    encodings = encode(list(zip(*texts, strict=True)) if len(texts) > 1 else texts[0])
    read = {}
    if windows:
        read["counts"] = np.array([1 + len(encoding.overflowing) for encoding in encodings])
        encodings = [window for encoding in encodings for window in (encoding, *encoding.overflowing)]
    read["lengths"] = np.array([len(encoding) for encoding in encodings])
    read["cut"] = np.array([not windows and bool(encoding.overflowing) for encoding in encodings])
    for name in names:
        ids = chain.from_iterable(getattr(encoding, _IDS[name]) for encoding in encodings)
        read[name] = np.fromiter(ids, np.int32, read["lengths"].sum())
    if offsets:
        places = [np.array(encoding.offsets, np.int32).reshape(-1, 2) for encoding in encodings]
        numbers = chain.from_iterable(encoding.sequence_ids for encoding in encodings)
        read["offsets"] = np.concatenate(places)
        read["text"] = np.fromiter((SPECIAL if k is None else k for k in numbers), np.int8, read["lengths"].sum())
    return read


def _head(text: str, most: int | None) -> str:
    """The text up to its first `most` words: what lies behind would be cut anyway.

    The tokenizer keeps all that it cuts, and of a pair every piece of the one beside every piece of the other.
    """
    if most is None or len(text) <= most:
        return text
    words = text.split(None, most)
    return text[: len(text) - len(words[most])] if len(words) > most else text


def bounds(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Where the parts that hold so many each begin, one after another; and where the last ends."""
    return np.concatenate([[0], np.cumsum(counts)])


def text_digest(texts: Sequence[str]) -> list[str]:
    """Hashes of a column of texts."""
    import pyarrow

    return _digest(pyarrow.array(texts, pyarrow.large_string()))


def _digest(column) -> list[str]:
    """Hashes of the texts, which for equal texts are the same however Arrow has them in memory."""
    lengths, letters = hashlib.sha256(), hashlib.sha256()
    for chunk in filter(len, getattr(column, "chunks", [column])):
        _, ends, text = chunk.buffers()
        ends = np.frombuffer(ends, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        lengths.update(np.diff(ends))
        letters.update(memoryview(text or b"")[ends[0] : ends[-1]])
    return [lengths.hexdigest(), letters.hexdigest()]


@contextmanager
def serial() -> Iterator[None]:
    """Keeps the tokenizer to the thread that calls it."""
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        yield
    finally:
        del os.environ["TOKENIZERS_PARALLELISM"]
        if before is not None:
            os.environ["TOKENIZERS_PARALLELISM"] = before
