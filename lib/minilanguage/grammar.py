"""Statements as English: word order, agreement, tense, passives, questions."""

from dataclasses import replace

import numpy as np

from minilanguage import lexicon
from minilanguage.meaning import Statement
from minilanguage.sampling import chance, pick

PLURAL = ("two", "three", "all")
ADVERBS = ("yesterday", "now", "tomorrow")
FUTURE = ("future", "tomorrow")
BE = {"past": ("was", "were"), "present": ("is", "are")}


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def surface(rng: np.random.Generator, word: str) -> str:
    """The word or one of its synonyms."""
    forms = lexicon.forms(word)
    return forms[0] if len(forms) == 1 else pick(rng, forms)


def noun_phrase(rng: np.random.Generator, description: tuple, determiner: str) -> str:
    """The subject in words: determiner, property and noun; the property may follow ("a dog that is happy")."""
    word, quality = surface(rng, description[0][1]), surface(rng, description[1][1]) if description[1:] else ""
    if word in lexicon.PERSONS:
        return word
    plural = determiner in PLURAL
    noun = lexicon.plural(word) if plural else word
    before = f"{quality} {noun}" if quality else noun
    if quality and chance(rng, 0.3):
        before = f"{noun} that {BE['present'][plural]} {quality}"
    return f"{article(before) if determiner == 'a' else determiner} {before}"


def object_phrase(rng: np.random.Generator, word: str) -> str:
    if word in lexicon.PERSONS or word.endswith("self"):
        return word
    if word in ("person", "food", "thing"):
        return "someone" if word == "person" else "something"
    noun = surface(rng, word)
    return f"{article(noun)} {noun}"


def determiner(rng: np.random.Generator, s: Statement) -> tuple[str, bool]:
    """The word for the quantifier, and whether the verb phrase carries the negation ("no dog runs": it does not)."""
    if s.quantifier == "every":
        if s.negated and chance(rng, 0.5):
            return pick(rng, ("a", "some")), True
        return "not every" if s.negated else pick(rng, ("every", "all")), False
    if s.quantifier == "some":
        return "no" if s.negated else pick(rng, ("a", "some")), False
    return s.quantifier, s.negated


def verb_phrase(rng: np.random.Generator, s: Statement, plural: bool, passive: bool = False) -> tuple[str, str]:
    """(auxiliary, the rest) of the verb phrase: ("was", "chasing a dog in the park"), ("will", "be happy")."""
    tense, said = lexicon.lineage(s.word("time"))[-1], dict(s.predicate)
    action = surface(rng, said["action"]) if "action" in said else ""
    parts = [f"being {lexicon.participle(action)}" if passive else action and lexicon.progressive(action)]
    if passive:
        parts.append(f"by {noun_phrase(rng, s.subject, determiner(rng, s)[0])}")
    elif "object" in said:
        parts.append(object_phrase(rng, said["object"]))
    if "property" in said:
        parts.append(surface(rng, said["property"]))
    if "kind" in said:
        parts.append(object_phrase(rng, said["kind"]))
    if "place" in said:
        parts.append(f"in the {surface(rng, said['place'])}")
    return ("will", _join("be", *parts)) if tense == "future" else (BE[tense][plural], _join(*parts))


def clause(rng: np.random.Generator, s: Statement, pronoun: str = "") -> str:
    """The statement as a clause, worded at random among what means the same; the subject may be a given pronoun."""
    fit = not pronoun and s.word("object") in lexicon.PERSONS and not s.negated and s.word("time") not in FUTURE
    passive = fit and chance(rng, 0.2)
    word, negated = determiner(rng, s)
    subject = s.word("object") if passive else pronoun or noun_phrase(rng, s.subject, word)
    auxiliary, rest = verb_phrase(rng, s, not passive and word in PLURAL, passive)
    adverb = s.word("time") if s.word("time") in ADVERBS else ""
    order = (subject, auxiliary, "not" if negated else "", rest)
    return _join(adverb, *order) if chance(rng, 0.2) else _join(*order, adverb)


def sentence(rng: np.random.Generator, s: Statement) -> str:
    return f"{clause(rng, s)} ."


def question(rng: np.random.Generator, s: Statement, gap: str) -> str:
    """Asks for the `gap` (kind: who, object: whom or what, place: where) or, with gap "", whether it is so."""
    word, negated = determiner(rng, s)
    known = replace(s, predicate=tuple(atom for atom in s.predicate if atom[0] != gap))
    auxiliary, rest = verb_phrase(rng, s if gap == "kind" else known, word in PLURAL and gap != "kind")
    rest = _join("not" if negated else "", rest, s.word("time") if s.word("time") in ADVERBS else "")
    if gap == "kind":
        return _join("who", auxiliary, rest, "?")
    asked = {"place": "where", "object": "who" if "person" in lexicon.lineage(s.word("object")) else "what"}.get(
        gap, ""
    )
    return _join(asked, auxiliary, noun_phrase(rng, s.subject, word), rest, "?")


def _join(*parts: str) -> str:
    return " ".join(" ".join(parts).split())
