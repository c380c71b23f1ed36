"""The mini suite: a small synthetic language, with a counterpart of every task, made in seconds."""

from minilanguage.lexicon import words
from minilanguage.suite import NAMES, generate

__all__ = ["NAMES", "generate", "words"]
