"""Texts as token ids, laid one sequence after another."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import numpy as np

from intertask.cache import remembered
from intertask.encoders.word_tokenizer import WordTokenizer
from intertask.errors import refusal
from intertask.files import environment, file_digest, processors

LARGE = 5000
"""Sequences from which a split's token ids are kept for other runs: fewer are made anew in no time."""

SPECIAL = -1
"""The text number of a token that stands in none: [CLS], [SEP]."""

CHUNK = 1000
"""Texts that a thread tokenises, or sequences that it lays out, at a time: what is kept of them is a fraction of
what the tokenizer gives."""

WORDS = 2
"""Words of a text that the tokenizer gets for every token of max_length: a word gives one token or more, but for a few
that a tokenizer drops."""
_JUDGED_BY = 1000
"""Words of a text by which it is told whether a tokenizer knows its language."""

_INPUTS = ("input_ids", "token_type_ids")


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
    if isinstance(tokenizer, WordTokenizer):
        reader, state = tokenizer.reader(columns, max_length, overlap)
        make = partial(_in_chunks, reader, len(columns[0]))
    else:
        frame = _frame(tokenizer, len(columns))  # a call that also takes from the tokenizer what others had set
        make = partial(_framed, columns, tokenizer, frame, max_length, offsets, overlap)
        settings = [tokenizer.truncation_side, tokenizer.split_special_tokens, *tokenizer.model_input_names]
        state = [tokenizer.backend_tokenizer.to_str(), *settings, max_length, offsets, overlap]
    if len(columns[0]) < LARGE:
        read = make()
    else:
        read = remembered("tokens", [*state, *map(_digest, columns), file_digest(Path(__file__))], make)
    inputs = {name: read.pop(name) for name in _INPUTS if name in read}
    return Tokens(inputs, bounds(read.pop("lengths")), **read)


def unknown_share(texts: Sequence[Sequence[str]], tokenizer) -> float:
    """Of the tokens of the texts, columns as of `tokens`, the share 0 to 1 that stand for what is not known.

    Of each text the first words are looked at, _JUDGED_BY: one of megabytes tells no more than they do.
    """
    if tokenizer.unk_token_id is None:
        return 0.0
    import pyarrow

    column = pyarrow.array(chain(*texts), pyarrow.large_string())
    if not len(column):
        return 0.0
    tokenizer("")  # takes from it what others had set
    ids = _in_chunks(partial(_encode, column, tokenizer.backend_tokenizer, False, _JUDGED_BY), len(column))["input_ids"]
    return np.count_nonzero(ids == tokenizer.unk_token_id) / max(len(ids), 1)


@dataclass
class _Part:
    """A stretch of what a tokenizer makes of its texts: special tokens, or the tokens of a text, all of one type."""

    text: int  # its number, or SPECIAL
    ids: np.ndarray  # of special tokens
    type_id: int


def _frame(tokenizer, texts: int) -> list[_Part]:
    """Where the texts stand among special tokens, as the tokenizer lays out a word."""
    word = next(
        word for word in ("a", *tokenizer.get_vocab()) if tokenizer(word, add_special_tokens=False)["input_ids"]
    )
    (encoding,) = tokenizer(*[[word]] * texts).encodings
    laid = zip(encoding.sequence_ids, encoding.type_ids, encoding.ids, strict=True)
    return [
        _Part(SPECIAL if text is None else text, np.array([id_ for *_, id_ in part]), type_id)
        for (text, type_id), part in groupby(laid, key=lambda token: token[:2])
    ]


def _framed(
    columns: list, tokenizer, frame: list[_Part], max_length: int, offsets: bool, overlap: int | None
) -> dict[str, np.ndarray]:
    """The sequences of all examples: `lengths`, inputs, and what Tokens hold of them.

    Each distinct text of a column is tokenised once, alone and uncut: a tokenizer that cuts keeps what it cuts, and of
    a pair every piece of the one beside every piece of the other.
    """
    read, starts, sizes = [], [], []
    most = WORDS * max_length if overlap is None and tokenizer.truncation_side == "right" else None
    for column in columns:
        # its distinct texts and the number of each, however Arrow has it in memory
        distinct = (column.combine_chunks() if hasattr(column, "chunks") else column).dictionary_encode()
        encode = partial(_encode, distinct.dictionary, tokenizer.backend_tokenizer, offsets, most)
        read.append(_in_chunks(encode, len(distinct.dictionary)))
        starts.append(bounds(read[-1]["lengths"])[distinct.indices])
        sizes.append(read[-1]["lengths"][distinct.indices])
    room = max_length - sum(len(part.ids) for part in frame if part.text == SPECIAL)
    if overlap is None:
        kept = _longest_first(sizes, room)
        more = {"cut": np.any([keep < size for size, keep in zip(sizes, kept, strict=True)], axis=0)}
        if tokenizer.truncation_side == "left":
            starts = [start + size - keep for start, size, keep in zip(starts, sizes, kept, strict=True)]
    else:
        if ((sum(sizes) > room) & (room - sizes[0] <= overlap)).any():
            expected = "room for the longest question and a part of its passage"
            raise refusal("max_length", expected, f"{max_length} tokens", "Raise max_length.")
        starts, kept, more = _windows(starts, sizes, room, overlap)
    types = "token_type_ids" in tokenizer.model_input_names
    return _in_chunks(partial(_lay, frame, read, starts, kept, types), len(kept[0])) | more


def _longest_first(sizes: list[np.ndarray], room: int) -> list[np.ndarray]:
    """How many tokens stay of each text: the longer of two loses first, as the tokenizers of transformers cut."""
    if len(sizes) == 1:
        return [np.minimum(sizes[0], room)]
    first, second = sizes
    shorter = np.minimum(np.minimum(first, second), room // 2)
    longer = np.minimum(np.maximum(first, second), room - shorter)
    return [np.where(first <= second, shorter, longer), np.where(first <= second, longer, shorter)]


def _windows(
    starts: list[np.ndarray], sizes: list[np.ndarray], room: int, overlap: int
) -> tuple[list[np.ndarray], list[np.ndarray], dict[str, np.ndarray]]:
    """Where in both texts the windows begin, of how many tokens they are, and how many windows each example has."""
    room = room - sizes[0]
    step = np.maximum(room - overlap, 1)
    counts = 1 + np.maximum(-(-(sizes[1] - room) // step), 0)
    example = np.arange(len(counts)).repeat(counts)
    skipped = _counting(counts) * step[example]
    kept = [sizes[0][example], np.minimum(room[example], sizes[1][example] - skipped)]
    more = {"counts": counts, "cut": np.zeros(len(example), bool)}
    return [starts[0][example], starts[1][example] + skipped], kept, more


def _lay(
    frame: list[_Part], texts: list[dict], starts: list[np.ndarray], kept: list[np.ndarray], types: bool, part: slice
) -> dict[str, np.ndarray]:
    """Sequences of a part, laid one after another: special tokens, and of each text so many tokens from its start."""
    starts, kept = [start[part] for start in starts], [keep[part] for keep in kept]
    lengths = sum(len(one.ids) if one.text == SPECIAL else kept[one.text] for one in frame)
    total = lengths.sum()
    read = {"lengths": lengths, "input_ids": np.empty(total, np.int32)}
    if types:
        read["token_type_ids"] = np.empty(total, np.int32)
    if "offsets" in texts[0]:
        read |= {"offsets": np.zeros((total, 2), np.int32), "text": np.full(total, SPECIAL, np.int8)}
    at = bounds(lengths)[:-1]
    for one in frame:
        text = {"input_ids": one.ids} if one.text == SPECIAL else texts[one.text]
        counts = np.full(len(at), len(one.ids)) if one.text == SPECIAL else kept[one.text]
        begins = np.zeros_like(at) if one.text == SPECIAL else starts[one.text]
        places, sources = (start.repeat(counts) + _counting(counts) for start in (at, begins))
        read["input_ids"][places] = text["input_ids"][sources]
        if types:
            read["token_type_ids"][places] = one.type_id
        if "offsets" in text:
            read["offsets"][places] = text["offsets"][sources]
            read["text"][places] = one.text
        at = at + counts
    return read


def _counting(counts: np.ndarray) -> np.ndarray:
    """0, 1, … up to each count, one after another."""
    return np.arange(counts.sum()) - bounds(counts)[:-1].repeat(counts)


def _encode(column, backend, offsets: bool, most: int | None, part: slice) -> dict[str, np.ndarray]:
    """The token ids of the texts of a part alone, of no more than the first `most` words of each."""
    encode = backend.encode_batch if offsets else backend.encode_batch_fast  # the same ids, without their places
    encodings = encode([_head(text, most) for text in column[part].to_pylist()], add_special_tokens=False)
    lengths = np.array([len(encoding) for encoding in encodings])
    ids = np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), np.int32, lengths.sum())
    read = {"lengths": lengths, "input_ids": ids}
    if offsets:
        places = [np.array(encoding.offsets, np.int32).reshape(-1, 2) for encoding in encodings]
        read["offsets"] = np.concatenate(places)
    return read


def _in_chunks(read: Callable[[slice], dict[str, np.ndarray]], count: int) -> dict[str, np.ndarray]:
    """What is read of so many texts, CHUNK at a time, on all processors: also in a run that trains with one thread.

    The threads are ours, which end with the call. The tokenizer's own would hang in a process forked from this one.
    """
    with serial(), ThreadPoolExecutor(processors()) as threads:
        chunks = list(threads.map(read, [slice(first, first + CHUNK) for first in range(0, count, CHUNK)]))
    return {name: np.concatenate([chunk.pop(name) for chunk in chunks]) for name in list(chunks[0])}


def _head(text: str, most: int | None) -> str:
    """The text up to its first `most` words: what lies behind would be cut anyway."""
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


serial = partial(environment, TOKENIZERS_PARALLELISM="false")
"""Keeps the tokenizer to the thread that calls it."""
