"""Random statements of a domain, and small changes of a statement."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minilanguage import lexicon
from minilanguage.meaning import Statement, exclusive, implies

Rows = Iterator[tuple]
"""What a generator of a task yields, which is begun again and again: the values of the task's columns."""
ARTICLES = ("some", "some", "every", "every", "two", "three")
TENSES = ("past", "present", "present", "present", "future")


def pick(rng: np.random.Generator, choices: Sequence) -> Any:
    # rng.choice would make an array of them first: slow, and tuples come out as rows
    return choices[int(rng.random() * len(choices))]


def several(rng: np.random.Generator, choices: Sequence[str], count: int) -> list[str]:
    """So many different ones, in random order."""
    return [choices[i] for i in rng.permutation(len(choices))[:count]]


def chance(rng: np.random.Generator, probability: float) -> bool:
    return rng.random() < probability


@dataclass(frozen=True)
class Domain:
    """What a task speaks about: `words[role]` fill the role; names are kinds too; `the`: one scene, told by "the"."""

    words: dict[str, list[str]]
    names: list[str]
    the: bool


def domain(name: str) -> Domain:
    roots = lexicon.LEXICON["domains"][name]
    words = {
        role: [w for root in roots[section] for w in lexicon.below(root)]
        for role, section in (("kind", "kinds"), ("action", "actions"), ("property", "properties"), ("place", "places"))
    }
    kinds = [w for w in words["kind"] if w not in lexicon.PERSONS]
    words["object"] = (
        ["person", "animal"] + words["kind"] + [w for root in ("food", "thing") for w in lexicon.below(root)]
    )
    words["kind"] = ["person", "animal", *kinds]
    return Domain(words, [w for w in words["object"] if w in lexicon.PERSONS], name == "scenes")


HOME, COUNTRY, SCENES, ERRANDS = (domain(name) for name in ("home", "country", "scenes", "errands"))


def statement(rng: np.random.Generator, d: Domain, named: float = 0.7) -> Statement:
    """A random statement; its subject is a name with the probability `named`."""
    if chance(rng, named):
        quantifier, subject = "the", (("kind", pick(rng, d.names)),)
    else:
        quantifier, subject = "the" if d.the else pick(rng, ARTICLES), (("kind", pick(rng, d.words["kind"])),)
        if chance(rng, 0.3):
            subject += (("property", pick(rng, d.words["property"])),)
    predicate = _core(rng, d, subject[0][1]) + (("time", pick(rng, TENSES)),)
    if chance(rng, 0.3) and "place" not in dict(predicate):
        predicate += (("place", pick(rng, d.words["place"])),)
    negated = not d.the and quantifier not in ("two", "three") and chance(rng, 0.25)
    made = Statement(quantifier, subject, predicate, negated)
    return made if valid(made) else statement(rng, d, named)


def _core(rng: np.random.Generator, d: Domain, kind: str) -> tuple[tuple[str, str], ...]:
    """What the predicate is about: an action with its object, a property, a place, or (of a name) a profession."""
    draw = rng.random()
    if draw < 0.2:
        return (("property", pick(rng, d.words["property"])),)
    if draw < 0.3:
        return (("place", pick(rng, d.words["place"])),)
    professions = [w for w in d.words["kind"] if "person" in lexicon.lineage(w) and w not in ("person", "woman", "man")]
    if draw < 0.35 and kind in lexicon.PERSONS:
        return (("kind", pick(rng, professions)),)
    action = pick(rng, d.words["action"])
    objects = [w for w in lexicon.below(lexicon.frames()[action][1]) if w in d.words["object"]]
    if chance(rng, 0.7):
        objects = [w for w in objects if w in lexicon.PERSONS] or objects
    return (("action", action), ("object", pick(rng, objects))) if objects else (("action", action),)


def valid(s: Statement) -> bool:
    """False where the subject cannot do the action, or the sentence is true or false by its words alone."""
    action, kind = s.word("action"), s.word("kind")
    able = not action or lexicon.frames()[action][0] in ("any", *lexicon.lineage(kind))
    plain = not any(implies(s.subject, (atom,)) or exclusive(s.subject, (atom,)) for atom in s.predicate)
    # "all women are a singer" is no English
    countable = "kind" not in dict(s.predicate) or s.quantifier in ("the", "some")
    return able and plain and countable and s.word("object") != kind


# Changes: each takes a statement and gives another, or the same one where it does not apply.


def _near(rng: np.random.Generator, word: str, others: list[str]) -> str:
    """A word just above, just below or beside the given one, or any other that fills its place."""
    above = [w for w in lexicon.lineage(word)[1:2]]
    groups = [above, lexicon.CHILDREN.get(word, []), lexicon.SIBLINGS.get(word, []), others]
    group = pick(rng, groups)
    allowed = [w for w in group if w in others]
    return pick(rng, allowed) if allowed else word


def _swap_word(description: tuple, role: str, new: str) -> tuple:
    return tuple((r, new if r == role else w) for r, w in description)


def other_subject(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    new = _near(rng, s.word("kind"), d.names if s.named and chance(rng, 0.5) else d.words["kind"] + d.names)
    if new in lexicon.PERSONS:
        return replace(s, subject=(("kind", new),), quantifier="the")
    quantifier = pick(rng, ARTICLES[:4]) if s.named and not d.the else s.quantifier
    return replace(s, subject=_swap_word(s.subject, "kind", new), quantifier=quantifier)


def other_word(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    """Another action, object, property, place or profession."""
    role, word = pick(rng, [atom for atom in s.predicate if atom[0] != "time"])
    frame = lexicon.frames().get(s.word("action"))
    pool = d.words[role]
    if role == "action":
        pool = [w for w in pool if lexicon.frames()[w][1] == frame[1]]
    elif role == "object":
        pool = [w for w in lexicon.below(frame[1]) if w in pool]
    return replace(s, predicate=_swap_word(s.predicate, role, _near(rng, word, pool)))


def other_property(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    """Another property of the subject, or one more, or none."""
    if s.named:
        return s
    old = dict(s.subject).get("property")
    if old and chance(rng, 0.5):
        return replace(s, subject=s.subject[:1])
    new = _near(rng, old, d.words["property"]) if old else pick(rng, d.words["property"])
    return replace(s, subject=(*s.subject[:1], ("property", new)))


def other_place(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    """One more place, or none."""
    if not s.word("place"):
        return replace(s, predicate=(*s.predicate, ("place", pick(rng, d.words["place"]))))
    rest = tuple(atom for atom in s.predicate if atom[0] != "place")
    return replace(s, predicate=rest) if len(rest) > 1 else s


def other_time(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    """Another tense, or the same with its adverb or without."""
    tense = lexicon.lineage(s.word("time"))[-1]
    same = [w for w in lexicon.below(tense) if w != s.word("time")]
    return replace(s, predicate=_swap_word(s.predicate, "time", pick(rng, same if chance(rng, 0.7) else TENSES)))


def other_quantifier(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    """Another quantifier, "no" among them."""
    if s.quantifier == "the":
        return s
    return replace(s, quantifier=pick(rng, ARTICLES), negated=chance(rng, 0.3))


def negation(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    return s if d.the else replace(s, negated=not s.negated)


def swapped(rng: np.random.Generator, s: Statement, d: Domain) -> Statement:
    """The two persons change places: who did it, and to whom."""
    done_to = s.word("object")
    if not (s.named and done_to in lexicon.PERSONS):
        return s
    return replace(s, subject=(("kind", done_to),), predicate=_swap_word(s.predicate, "object", s.word("kind")))


CHANGES: list[Callable] = [other_subject] * 2 + [other_word] * 6 + [other_place] * 2
CHANGES += [other_property, other_time, other_quantifier, negation, swapped]


def vary(rng: np.random.Generator, s: Statement, d: Domain, changes: int = 1) -> Statement:
    """The statement after so many random changes, each of which applies and leaves a valid statement."""
    for _ in range(changes):
        new = s
        while new == s or not valid(new) or (new.negated and new.quantifier in ("two", "three")):
            new = pick(rng, CHANGES)(rng, s, d)
        s = new
    return s
