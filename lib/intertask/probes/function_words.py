"""Acceptability of function words (Kim et al. 2019, *SEM), from plain English words.

In the originals, people judged the sentences; here a rule changes them, so some changed ones are acceptable after all.
The rules change what is seldom acceptable, and draw both classes alike: see `exchanged_halves`.
"""

import re
from typing import Any

import numpy as np

from intertask.probes.words import Slot, Splits, exchanged_halves, is_word, replaced, sentences

HALVES = ("acceptable", "unacceptable")
ARGUMENTS = {"who", "what", "which"}
ADJUNCTS = {"when", "where", "why", "how"}
_VOWEL_SOUND = re.compile(
    r"(?!U[A-Z]|(?i:uni(?![nm])|us[aeiu]|u[.k]|ut[ei]|eu|one\b|once|ewe))(?i:[aeiou]|hon[eo]|hour|heir|8|11\b|18\b)"
)


def whwords(splits: Splits) -> Splits:
    """A wh-word is replaced by another in half of the sentences: acceptable, unacceptable.

    who, what and which, which stand for an argument, are exchanged with when, where, why and how, which do not: the
    sentence then lacks an argument or has one too many. Left out are wh-words before `to` and `about`, where most fit,
    and those that no word follows. The two sentences of a pair exchange their words, a first word against a first
    word, so each class shows the same ones.
    """
    return exchanged_halves("whwords", sentences(splits), _wh_slot, HALVES)


def _wh_slot(row: Any, random: np.random.Generator) -> Slot | None:
    words = [word.lower() for word in row.words]
    places = [
        i
        for i, (word, after) in enumerate(zip(words, words[1:], strict=False))
        if word in ARGUMENTS | ADJUNCTS and is_word(after) and after not in {"to", "about", *ARGUMENTS, *ADJUNCTS}
    ]
    if not places:
        return None
    place = int(random.choice(places))
    is_argument = words[place] in ARGUMENTS
    return Slot(place, (place == 0, is_argument), (place == 0, not is_argument))


def definiteness(splits: Splits) -> Splits:
    """Every article turns from definite to indefinite and back in half of the sentences: acceptable, unacceptable.

    Sentences have two articles or more, since one alone mostly allows both; one at the very beginning, where `The` is
    far more frequent, stays and does not count. A sentence with n times `the` and m times `a` is paired with one that
    has m and n, so the articles' counts tell nothing; `a` and `an` follow the next word.
    """
    return exchanged_halves("definiteness", sentences(splits), _article_slot, HALVES, _articles_turned)


def _article_slot(row: Any, random: np.random.Generator) -> Slot | None:
    places = [i for i in range(len(row.words)) if _is_article(row.words, i)]
    definite = sum(row.words[i] == "the" for i in places)
    counts = (definite, len(places) - definite)
    return Slot(places[0], counts, counts[::-1]) if len(places) > 1 else None


def _is_article(words: list[str], i: int) -> bool:
    return 0 < i < len(words) - 1 and words[i] in {"the", "a", "an"} and is_word(words[i + 1])


def _articles_turned(words: list[str], place: int, word: str) -> list[str]:
    turned = words
    for i in range(len(words)):
        if _is_article(words, i):
            indefinite = "an" if _VOWEL_SOUND.match(words[i + 1]) else "a"
            turned = replaced(turned, i, indefinite if words[i] == "the" else "the")
    return turned


def coordination(splits: Splits) -> Splits:
    """`or` and `but` are exchanged between two sentences, in half of the pairs: acceptable, unacceptable.

    `and` is left alone, being acceptable nearly everywhere, and so is a conjunction that begins or ends the sentence.
    A conjunction after a comma is exchanged with another after a comma; each class shows each of them equally often.
    """
    return exchanged_halves("coordination", sentences(splits), _conjunction_slot, HALVES)


def _conjunction_slot(row: Any, random: np.random.Generator) -> Slot | None:
    words = row.words
    places = [i for i in range(1, len(words) - 1) if words[i] in {"or", "but"} and is_word(words[i + 1])]
    if not places:
        return None
    place = int(random.choice(places))
    after_comma = words[place - 1] == ","
    return Slot(place, (after_comma, words[place] == "or"), (after_comma, words[place] == "but"))
