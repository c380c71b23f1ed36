"""Statements as English: word order, agreement, tense, passives, questions."""

import numpy as np

from intertask.tasks.mini import lexicon
from intertask.tasks.mini.meaning import Statement
from intertask.tasks.mini.sampling import chance, pick

PLURAL = ("two", "three", "all")
BE = {"past": ("was", "were"), "present": ("is", "are")}
DO = {"past": ("did", "did"), "present": ("does", "do")}


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def surface(rng: np.random.Generator, word: str) -> str:
    """The word or one of its synonyms."""
    forms = lexicon.forms(word)
    return forms[0] if len(forms) == 1 else pick(rng, forms)


def noun_phrase(rng: np.random.Generator, description: tuple, determiner: str) -> str:
    """The subject in words: determiner, property and noun; the property may follow ("a dog that is happy")."""
    word, quality = surface(rng, description[0][1]), surface(rng, description[1][1]) if description[1:] else ""
    if word in lexicon.NAMES:
        return word
    plural = determiner in PLURAL
    noun = lexicon.plural(word) if plural else word
    before = f"{quality} {noun}" if quality else noun
    if quality and chance(rng, 0.3):
        before = f"{noun} that {BE['present'][plural]} {quality}"
    return f"{article(before) if determiner == 'a' else determiner} {before}"


def object_phrase(rng: np.random.Generator, word: str) -> str:
    if word in lexicon.NAMES or word.endswith("self"):
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


def verb_phrase(rng, s: Statement, plural: bool, negated: bool, ask: bool = False, passive: bool = False) -> tuple[str, str]:
    """(auxiliary, the rest) of the verb phrase, both in the right tense and number; asking needs an auxiliary."""
    tense = lexicon.lineage(s.word("time"))[-1]
    action = surface(rng, s.word("action")) if s.word("action") else ""
    complement = _complement(rng, s, passive)
    if not action or passive:
        content = f"{lexicon.participle(action)} {complement}" if passive else complement
        return ("will", f"be {content}") if tense == "future" else (BE[tense][plural], content)
    if tense == "future":
        return "will", f"{action} {complement}"
    if ask or negated:
        return DO[tense][plural], f"{action} {complement}"
    verb = lexicon.past(action) if tense == "past" else action if plural else lexicon.third_person(action)
    return "", f"{verb} {complement}"


def _complement(rng: np.random.Generator, s: Statement, passive: bool) -> str:
    """What follows the verb: object or agent, property or profession, place."""
    parts = []
    predicate = dict(s.predicate)
    if passive:
        parts.append(f"by {noun_phrase(rng, s.subject, determiner(rng, s)[0])}")
    elif predicate.get("object"):
        parts.append(object_phrase(rng, predicate["object"]))
    if "property" in predicate:
        parts.append(surface(rng, predicate["property"]))
    if "kind" in predicate:
        parts.append(object_phrase(rng, predicate["kind"]))
    if "place" in predicate:
        parts.append(f"in the {surface(rng, predicate['place'])}")
    return " ".join(parts)


def clause(rng: np.random.Generator, s: Statement, pronoun: str = "") -> str:
    """The statement as a clause, worded at random among what means the same; the subject may be a given pronoun."""
    passive = not pronoun and s.word("object") in lexicon.NAMES and not s.negated and chance(rng, 0.3)
    word, negated = determiner(rng, s)
    subject = s.word("object") if passive else pronoun or noun_phrase(rng, s.subject, word)
    auxiliary, rest = verb_phrase(rng, s, not passive and word in PLURAL, negated, passive=passive)
    denial = "not" if negated else ""
    adverb = s.word("time") if s.word("time") in ("yesterday", "now", "tomorrow") else ""
    order = (adverb, subject, auxiliary, denial, rest) if chance(rng, 0.3) else (subject, auxiliary, denial, rest, adverb)
    return _join(*order)


def sentence(rng: np.random.Generator, s: Statement) -> str:
    return _join(clause(rng, s), ".")


def question(rng: np.random.Generator, s: Statement, gap: str) -> str:
    """Asks for the `gap` (kind: who, object: whom or what, place: where) or, with gap "", whether it is so."""
    word, negated = determiner(rng, s)
    known = Statement(s.quantifier, s.subject, tuple(a for a in s.predicate if a[0] != gap), s.negated)
    adverb = s.word("time") if s.word("time") in ("yesterday", "now", "tomorrow") else ""
    denial = "not" if negated else ""
    if gap == "kind":
        auxiliary, rest = verb_phrase(rng, s, False, negated)
        return _join("who", auxiliary, denial, rest, adverb, "?")
    auxiliary, rest = verb_phrase(rng, known, word in PLURAL, negated, ask=True)
    asked = {"": "", "place": "where", "object": "who" if "person" in lexicon.lineage(s.word("object")) else "what"}[gap]
    return _join(asked, auxiliary, noun_phrase(rng, s.subject, word), denial, rest, adverb, "?")


def _join(*parts: str) -> str:
    return " ".join(" ".join(parts).split())
