"""The mini suite: a small synthetic language, with a counterpart of every task, made in seconds."""

from intertask.tasks.mini.lexicon import words
from intertask.tasks.mini.suite import NAMES, generate

__all__ = ["NAMES", "generate", "words"]
