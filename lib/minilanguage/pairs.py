"""Pairs that say or ask the same, or nearly: paraphrases, similar sentences, duplicate questions, answers."""

import numpy as np

from minilanguage import grammar, lexicon
from minilanguage.entailment import ENTAILMENT, NEUTRAL
from minilanguage.meaning import Statement, equivalent, implies, relation
from minilanguage.sampling import HOME, Rows, chance, pick, statement, vary


def paraphrases(rng: np.random.Generator) -> Rows:
    """Rows (sentence1, sentence2, label): 68 % say the same in other words, the others differ by one small change."""
    label = int(chance(rng, 0.68))
    yield *(_same if label else _other)(rng), label


def _same(rng: np.random.Generator) -> tuple[str, str]:
    """Two wordings of one statement."""
    said = statement(rng, HOME)
    one, other = grammar.sentence(rng, said), grammar.sentence(rng, said)
    return (one, other) if one != other else _same(rng)


def _other(rng: np.random.Generator) -> tuple[str, str]:
    said = statement(rng, HOME)
    changed = vary(rng, said, HOME)
    return _other(rng) if equivalent(said, changed) else (grammar.sentence(rng, said), grammar.sentence(rng, changed))


def similarities(rng: np.random.Generator) -> Rows:
    """Rows (sentence1, sentence2, 0 to 5)."""
    said = statement(rng, HOME)
    changes = pick(rng, (0, 1, 2, 4, 8, 16))
    other = vary(rng, said, HOME, changes)
    yield grammar.sentence(rng, said), grammar.sentence(rng, other), similarity(said, other)


def similarity(one: Statement, other: Statement) -> float:
    """5 times the mean agreement of the components that either has: 1 the same, 0.5 one implies the other, else 0."""
    a, b = _components(one), _components(other)
    agreement = [_agreement(a.get(role), b.get(role)) for role in sorted({*a, *b})]
    return round(5 * sum(agreement) / len(agreement), 2)


def _components(s: Statement) -> dict[str, str]:
    subject = {f"subject {role}": word for role, word in s.subject}
    return {"quantifier": s.quantifier, "polarity": str(s.negated), **subject, **dict(s.predicate)}


def _agreement(one: str | None, other: str | None) -> float:
    if one is None or other is None:
        return 0.0
    return 1.0 if one == other else 0.5 * (one in lexicon.lineage(other) or other in lexicon.lineage(one))


def duplicates(rng: np.random.Generator) -> Rows:
    """Rows (question1, question2, label): 37 % ask the same in other words, the others something a little different."""
    label = int(chance(rng, 0.37))
    yield *(_same_question if label else _other_question)(rng), label


def _same_question(rng: np.random.Generator) -> tuple[str, str]:
    said, gap = askable(rng)
    one, other = grammar.question(rng, said, gap), grammar.question(rng, said, gap)
    return (one, other) if one != other else _same_question(rng)


def _other_question(rng: np.random.Generator) -> tuple[str, str]:
    said, gap = askable(rng)
    other = vary(rng, said, HOME)
    other_gap = pick(rng, (gap, *_gaps(other)))
    if other_gap in _gaps(other) and (gap, _known(said, gap)) != (other_gap, _known(other, other_gap)):
        return grammar.question(rng, said, gap), grammar.question(rng, other, other_gap)
    return _other_question(rng)


def answers(rng: np.random.Generator) -> Rows:
    """Rows (question, sentence, label): 0 where the sentence answers the question, 1 where it does not."""
    said, gap = askable(rng)
    asked = grammar.question(rng, said, gap)
    for label in (0, 1):
        told = vary(rng, said, HOME, pick(rng, (1, 2, 2, 3)))
        while answered(told, said, gap) == label:
            told = vary(rng, said, HOME, pick(rng, (1, 2, 2, 3)))
        yield asked, grammar.sentence(rng, told), label


def answered(told: Statement, asked: Statement, gap: str) -> bool:
    """True where `told` says what fills the `gap` of `asked` (gap "": whether it is so)."""
    if not gap:
        return relation(told, asked) != NEUTRAL
    if gap == "kind":
        return told.named and not told.negated and implies(told.predicate, asked.predicate)
    return bool(told.word(gap)) and relation(told, _known(asked, gap)) == ENTAILMENT


def askable(rng: np.random.Generator) -> tuple[Statement, str]:
    said = statement(rng, HOME, named=0.8)
    said = said if not said.negated else Statement(said.quantifier, said.subject, said.predicate)
    return said, pick(rng, _gaps(said))


def _gaps(s: Statement) -> list[str]:
    """What can be asked about the statement: "" (whether it is so), kind (who), object, place."""
    return ["", "kind", *(role for role in ("object", "place") if s.word(role))] if s.named and not s.negated else [""]


def _known(s: Statement, gap: str) -> Statement:
    subject = () if gap == "kind" else s.subject
    return Statement(s.quantifier, subject, tuple(atom for atom in s.predicate if atom[0] != gap), s.negated)
