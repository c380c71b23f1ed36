"""What a model can write: words or pieces of words, learned from the training texts (Wang et al. 2019, appendix B)."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from itertools import chain

import numpy as np
import pandas as pd
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from intertask.cache import remembered
from intertask.encoders.word_tokenizer import WordTokenizer
from intertask.errors import refusal
from intertask.formats.base import Format
from intertask.formats.tokens import LARGE, serial, text_digest
from intertask.metrics import OF_TOKENS, bleu, perplexity, points

MOST_TYPES = 20_000
"""Types of a vocabulary, where no number is asked for: as many as the training texts have, and no more than these."""

UNKNOWN = "[UNK]"


class Vocabulary:
    """The types that can be written, ids from 0 on, and behind them the mark `end`, before which a text begins too.

    `words`: the most frequent words by Moses' rules, of equals the first in the alphabet; every other is UNKNOWN, id 0.
    `bpe`: pieces of bytes (Sennrich et al. 2016), of which any text is made.
    """

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self.of_words = isinstance(tokenizer.model, models.WordLevel)
        self.end = tokenizer.get_vocab_size()

    def __len__(self) -> int:
        """How many ids there are, `end` among them."""
        return self.end + 1

    @property
    def types(self) -> int:
        """How many words or pieces it knows."""
        return self.end - self.of_words  # without UNKNOWN

    @classmethod
    def learned(cls, texts: Sequence[str], kind: str = "words", most: int = MOST_TYPES) -> "Vocabulary":
        """That of the texts, in which each type occurs; `kind`: words or bpe, `most`: types, UNKNOWN left out."""
        key = [text_digest(texts), kind, most, version("sacremoses")]
        return cls.read(remembered("vocabularies", key, lambda: _learned(texts, kind, most).to_str()))

    @classmethod
    def read(cls, written: str) -> "Vocabulary":
        """The one of which `written` gave the text."""
        return cls(Tokenizer.from_str(written))

    def written(self) -> str:
        """As JSON of the tokenizers library."""
        return self._tokenizer.to_str()

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Of each text its words or pieces, without `end`."""
        given = [_words(text) for text in texts] if self.of_words else list(texts)
        with serial():
            found = self._tokenizer.encode_batch(given, is_pretokenized=self.of_words, add_special_tokens=False)
        return [one.ids for one in found]

    def laid_out(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of each text and of its end, one text after another, and how many are each's.

        Those of many texts are kept for other runs.
        """
        if len(texts) < LARGE:
            return self._laid_out(texts)
        key = [text_digest(texts), hashlib.sha256(self.written().encode()).hexdigest(), version("sacremoses")]
        return remembered("written", key, lambda: self._laid_out(texts))

    def _laid_out(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        found = [[*ids, self.end] for ids in self.ids(texts)]
        return np.fromiter(chain.from_iterable(found), np.int32), np.array([*map(len, found)])

    def text(self, ids: Sequence[int]) -> str:
        """What the ids up to the first `end` say; what Moses' rules took apart is put together."""
        own = list(ids)[: list(ids).index(self.end)] if self.end in ids else list(ids)
        if not self.of_words:
            return self._tokenizer.decode(own)
        return self._detokenizer.detokenize([self._tokenizer.id_to_token(one) or "" for one in own])

    @cached_property
    def _detokenizer(self):
        from sacremoses import MosesDetokenizer

        return MosesDetokenizer("en")


def _learned(texts: Sequence[str], kind: str, most: int) -> Tokenizer:
    if kind == "words":
        counts = Counter(word for text in texts for word in _words(text) if word != UNKNOWN)
        words = [UNKNOWN, *sorted(counts, key=lambda word: (-counts[word], word))[:most]]
        return Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=most, show_progress=False, initial_alphabet=alphabet)
    with serial():
        tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _words(text: str) -> list[str]:
    return [word for word, _ in _TOKENIZER.words(text)]


_TOKENIZER = WordTokenizer()


class VocabularyFormat(Format):
    """Of a model that writes: the vocabulary of its `output_texts` is learned from train and stored with the run.

    Its predictions say of each example how many `tokens` there are to write, each after the right ones before it, how
    many of them are the likeliest, `right`, and the sum of their log-probabilities, `log_likelihood`; all of a split
    count alike. Every metric of the format is scored, and `main` is the mean of those that the entry names.
    """

    metrics = OF_TOKENS[:2]
    default_metrics = ("perplexity",)
    keys = ("vocabulary", "vocabulary_size")
    keeps_logits = False
    baseline = "the word frequencies'"

    vocabulary: Vocabulary
    frequencies: np.ndarray  # (ids,), of each in train the log-probability, all counted once more than they occur
    longest: int  # tokens of a text to write in train, its end among them
    most: int | None = None  # how many of a text to write are read, its end among them; None: all

    def output_texts(self, rows: pd.DataFrame) -> list[str]:
        """The text that each row wants written."""
        raise NotImplementedError

    def learn(self, train, known=""):
        """Also how often each token is in train, by which a model that has learned nothing else would write."""
        texts = self.output_texts(train)
        self.vocabulary = Vocabulary.read(known) if known else self._learned(texts)
        ids, lengths = self.vocabulary.laid_out(texts)
        counts = 1 + np.bincount(ids, minlength=len(self.vocabulary))
        self.frequencies = np.log(counts / counts.sum())
        self.longest = int(lengths.max())

    @property
    def learned(self):
        return self.vocabulary.written()

    def _learned(self, texts: list[str]) -> Vocabulary:
        return Vocabulary.learned(texts, self.entry.vocabulary or "words", self.entry.vocabulary_size or MOST_TYPES)

    def ended(self, texts: list[str]) -> list[np.ndarray]:
        """The ids of each text and of its end, `most` of them."""
        ids, lengths = self.vocabulary.laid_out(texts)
        return [own[: self.most] for own in np.split(ids, np.cumsum(lengths)[:-1])]

    def found_labels(self, splits):
        """Labels have no names; refuses a `vocabulary_size` that train has not, and a task without train."""
        if "train" not in splits:
            expected, remedy = "a train split, of which the vocabulary is learned", "Add it."
            raise refusal(f"Task '{self.entry.name}'", expected, ", ".join(splits), remedy)
        asked = self.entry.vocabulary_size
        if asked and (found := self._learned(self.output_texts(splits["train"])).types) != asked:
            least = f"{found:,}, as many as there are bytes, or more"
            expected = f"{found:,} types, as many as train has, or fewer" if found < asked else least
            remedy = f"Mend it, or leave it out: at most {MOST_TYPES:,} then."
            raise refusal(f"Task '{self.entry.name}', vocabulary_size", expected, f"{asked:,}", remedy)
        return None

    def score(self, rows):
        tokens = rows["tokens"].sum()
        found = {
            "perplexity": perplexity(tokens, rows["log_likelihood"].sum()),
            "token_accuracy": 100 * rows["right"].sum() / tokens,
        }
        if "bleu" in self.metrics:
            found["bleu"] = 100 * bleu(self.output_texts(rows), rows["prediction"])
        counted = [points(found[name]) if name == "perplexity" else found[name] for name in self.entry.metrics]
        return {name: round(float(value), 6) for name, value in (found | {"main": np.mean(counted)}).items()}

    def floor(self, rows):
        """Of a model that knows how often each token is in train, and nothing else."""
        found = self.ended(self.output_texts(rows))
        counts = {
            "tokens": [*map(len, found)],
            "right": [(ids == self.frequencies.argmax()).sum() for ids in found],
            "log_likelihood": [self.frequencies[ids].sum() for ids in found],
        }
        return self.score(rows.assign(prediction=self.majority(rows["label"]), **counts))
