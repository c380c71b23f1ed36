"""What a mini sentence says, as symbols, and what follows from it.

A statement is a quantifier over two descriptions: what the subject is, and what it does. A description is a tuple of
atoms (role, word), all of which hold. The conventions that make every label certain:

- Numbers mean "at least"; whatever can be a subject exists: "every happy dog runs" implies "some happy dog runs".
- At one time an individual does one of several actions that exclude each other, in one place, in one state. Past,
  present and future say nothing about each other; "yesterday" is some of the past.
- A proper name denotes one person. "the dog" is the one protagonist of the scene, of whom every "the" speaks; whether
  that is a named person is left open.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from minilanguage import lexicon

Description = tuple[tuple[str, str], ...]
PROTAGONIST = (("scene", "it"),)
COUNT = {"the": 1, "some": 1, "every": 1, "two": 2, "three": 3}
LABELS = ("entailment", "neutral", "contradiction")

_remembered = lru_cache(2**16)  # statements are drawn until one fits: the same few meet again and again


@dataclass(frozen=True)
class Statement:
    """`quantifier` (the, some, every, two, three) of `subject` does or is `predicate`; `negated`: of the whole."""

    quantifier: str
    subject: Description
    predicate: Description
    negated: bool = False

    def word(self, role: str) -> str:
        """The subject's word for `kind`; the predicate's for any other role; "" where there is none."""
        return dict(self.subject if role == "kind" else self.predicate).get(role, "")

    @property
    def named(self) -> bool:
        return self.word("kind") in lexicon.PERSONS


class Claim(NamedTuple):
    """`count` (universal: all, and with a negative scope, all but fewer than `count`) of `restrictor` do `scope`."""

    universal: bool
    positive: bool
    count: int
    restrictor: Description
    scope: Description
    inhabited: bool


@_remembered
def implies(known: Description, asked: Description) -> bool:
    """True where whatever fits the first description fits the second."""
    return all(any(role == r and word in lexicon.lineage(w) for r, w in known) for role, word in asked)


@_remembered
def exclusive(one: Description, other: Description) -> bool:
    """True where nothing fits both descriptions at one time."""
    return _same_time(one, other) and any(
        r == q and lexicon.excludes(v, w) for r, v in one for q, w in other if r != "object"
    )


@_remembered
def relation(premise: Statement, hypothesis: Statement) -> str:
    """Entailment where the premise and the denied hypothesis clash, contradiction where the two clash, else neutral."""
    if _clash(_claim(premise), _denial(hypothesis)):
        return "entailment"
    return "contradiction" if _clash(_claim(premise), _claim(hypothesis)) else "neutral"


def equivalent(one: Statement, other: Statement) -> bool:
    return relation(one, other) == relation(other, one) == "entailment"


def _same_time(one: Description, other: Description) -> bool:
    v, w = dict(one).get("time"), dict(other).get("time")
    return v is None or w is None or v in lexicon.lineage(w) or w in lexicon.lineage(v)


def _claim(s: Statement) -> Claim:
    if s.quantifier == "the" and not s.named:  # the one individual of the scene is described by the whole sentence
        return Claim(True, not s.negated, 1, PROTAGONIST, s.subject + s.predicate, True)
    universal = s.quantifier == "the" or (s.quantifier == "every") != s.negated
    return Claim(universal, not s.negated, COUNT[s.quantifier], s.subject, s.predicate, True)


def _denial(s: Statement) -> Claim:
    claim = _claim(replace(s, negated=not s.negated))
    return claim._replace(inhabited=claim.count == 1)  # "fewer than two dogs run" leaves open whether one does not


def _clash(a: Claim, b: Claim) -> bool:
    """True where the two cannot both hold."""
    if a.universal and b.universal:
        # there is one of whom the one holds, and it may contradict the other
        return any(x.inhabited and _clash(x._replace(universal=False, count=1), y) for x, y in ((a, b), (b, a)))
    if not a.universal and not b.universal:
        return False  # each may be about somebody else
    some, all_ = (b, a) if a.universal else (a, b)
    witness = some.restrictor + (some.scope if some.positive else ())
    if not implies(witness, all_.restrictor):
        return False
    if not all_.positive:
        # fewer than all_.count do it, and these are as many
        return some.count >= all_.count and implies(witness, all_.scope)
    # of the witness all_.scope holds too, which may exclude what it does or imply what it does not do
    return exclusive(witness, all_.scope) if some.positive else implies(witness + all_.scope, some.scope)
