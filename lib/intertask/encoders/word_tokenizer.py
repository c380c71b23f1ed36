"""Texts as words, each as its characters: what the encoders read that know no vocabulary (Wang et al. 2019, B)."""

import json
import re
from collections.abc import Callable
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from intertask.errors import refusal

_BETWEEN = re.compile(r"[\s\0-\x1f]*")


def reads_words(config) -> bool:
    """Whether an encoder of this configuration reads words by their characters, one text at a time."""
    return config.model_type in ("bilstm", "elmo")


class WordTokenizer:
    """The words of English by Moses' rules, one text at a time; a word's ids are its characters.

    What the lab asks of a tokenizer of transformers, as far as there is such a thing: no special token, no vocabulary.
    """

    model_input_names = ("input_ids", "attention_mask")
    pad_token_id = 0
    cls_token_id = mask_token_id = unk_token_id = None

    def reader(self, columns: list, max_length: int, overlap: int | None) -> tuple[Callable[[slice], dict], list]:
        """What reads a part of the texts, see `formats.tokens`, and what that depends on beside them."""
        if len(columns) > 1 or overlap is not None:
            expected, remedy = "an encoder that reads two texts together", "Name an encoder such as mini/bert."
            raise refusal("This task", expected, "one that reads one text at a time", remedy)
        return partial(self._read, columns[0], max_length), ["moses", version("sacremoses"), max_length]

    def _read(self, column, max_length: int, part: slice) -> dict[str, np.ndarray]:
        from intertask.encoders.characters import LETTERS, character_ids  # here: with torch

        read = [self.words(text) for text in column[part].to_pylist()]
        if not all(read):
            place = part.start + read.index([])
            remedy = "Drop the row: these encoders read words."
            raise refusal(f"Text {place + 1}", "a word or more", repr(column[place].as_py()), remedy)
        kept = [words[:max_length] for words in read]
        distinct = {word: number for number, word in enumerate(dict.fromkeys(word for one in kept for word, _ in one))}
        characters = character_ids(list(distinct)).numpy().astype(np.int16)
        cut = {word for word in distinct if len(word.encode()) > LETTERS}
        places = [place for one in kept for _, place in one]
        return {
            "lengths": np.array([len(words) for words in kept]),
            "cut": np.array([len(words) > max_length for words in read]),
            "cut_words": np.array([sum(word in cut for word, _ in words) for words in kept]),
            "input_ids": characters[[distinct[word] for one in kept for word, _ in one]],
            "offsets": np.array(places, np.int32).reshape(-1, 2),
            "text": np.zeros(len(places), np.int8),
        }

    def words(self, text: str) -> list[tuple[str, tuple[int, int]]]:
        """The words of a text, each with its place [start, end) there."""
        found, end = [], 0
        for word in self._moses.tokenize(text, escape=False):
            start = _BETWEEN.match(text, end).end()
            if text.startswith(word, start):
                end = start + len(word)
            else:  # Moses leaves out control signs, also within a word
                end = re.compile(r"[\0-\x1f]*".join(map(re.escape, word))).match(text, start).end()
            found.append((word, (start, end)))
        return found

    @cached_property
    def _moses(self):
        from sacremoses import MosesTokenizer

        return MosesTokenizer("en")

    def get_vocab(self) -> dict[str, int]:
        return {}

    def __len__(self) -> int:
        return 0

    def save_pretrained(self, folder: Path) -> None:
        said = {"tokenizer_class": type(self).__name__}
        Path(folder, "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
