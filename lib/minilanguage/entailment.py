"""Pairs of which one may follow from the other: natural language inference and the diagnostic sets."""

from dataclasses import replace

import numpy as np

from minilanguage import grammar, sampling
from minilanguage.meaning import LABELS, Statement, relation
from minilanguage.sampling import COUNTRY, ERRANDS, HOME, Rows, chance, pick, statement, vary

ENTAILMENT, NEUTRAL, CONTRADICTION = LABELS
THREE_WAY = {ENTAILMENT: 0, NEUTRAL: 1, CONTRADICTION: 2}
TWO_WAY = {ENTAILMENT: 0, NEUTRAL: 1, CONTRADICTION: 1}


def inference(
    rng: np.random.Generator, domain: sampling.Domain, labels: dict[str, int], extra: float, named: float = 0.7
) -> Rows:
    """Rows (premise, hypothesis, label). Every hypothesis comes once with each label, so it tells nothing by itself.

    `extra` is the share of premises with a second clause, which has nothing to do with the hypothesis, `named` that of
    hypotheses about a name.
    """
    hypothesis = statement(rng, domain, named)
    asked = grammar.sentence(rng, hypothesis)
    wanted = [{r for r in LABELS if labels.get(r) == label} for label in sorted(set(labels.values()))]
    premises = [related(rng, hypothesis, domain, relations) for relations in wanted]
    for label, premise in enumerate(premises if None not in premises else []):
        said = two_clauses(rng, premise) if chance(rng, extra) else grammar.clause(rng, premise)
        yield f"{said} .", asked, label


def related(
    rng: np.random.Generator, hypothesis: Statement, domain: sampling.Domain, wanted: set[str]
) -> Statement | None:
    """A statement one change away that stands in a wanted relation to the hypothesis, if there is one."""
    for _ in range(99):
        premise = vary(rng, hypothesis, domain)
        if relation(premise, hypothesis) in wanted:
            return premise
    return None


def two_clauses(rng: np.random.Generator, premise: Statement) -> str:
    """The premise and a clause of which no hypothesis speaks, in either order."""
    clauses = [grammar.clause(rng, premise), grammar.clause(rng, statement(rng, ERRANDS))]
    if chance(rng, 0.5):
        clauses.reverse()
    return f" {pick(rng, ('and', 'while', 'but'))} ".join(clauses)


def commitments(rng: np.random.Generator) -> Rows:
    """Rows (premise, hypothesis, label): 0 where the premise takes the hypothesis for true, 1 for false, 2 for open.

    What someone finds, loves or does not love to be so is so; what is asked is open.
    """
    said = statement(rng, COUNTRY, 1.0)
    said, other = replace(said, negated=chance(rng, 0.5)), unrelated(rng, ERRANDS, chance(rng, 0.5), said)
    hypothesis, denied = grammar.sentence(rng, said), replace(said, negated=not said.negated)
    asked = [replace(one, negated=False) for one in (other, other, said)]
    for label, (open_, fact) in enumerate(zip(asked, (said, denied, other), strict=True)):
        premise = f"{grammar.question(rng, open_, '')} {pick(rng, FACTIVE)} that {grammar.clause(rng, fact)} ."
        yield premise, hypothesis, label


FACTIVE = [f"{who} {verb}" for who in ("i", "we", "they") for verb in ("found", "love", "hate", "did not love")]
FACTIVE += ["everybody found"]


def unrelated(rng: np.random.Generator, domain: sampling.Domain, negated: bool, *known: Statement) -> Statement:
    """A statement about a name that has nothing to do with the known ones."""
    while True:
        said = replace(statement(rng, domain, 1.0), negated=negated)
        if all(relation(said, other) == relation(other, said) == NEUTRAL for other in known):
            return said


def diagnostics(rng: np.random.Generator) -> Rows:
    """Rows (premise, hypothesis, label, and the fine category of each coarse one or ""), each about one phenomenon."""
    for label in LABELS:
        yield _diagnostic(rng, label)


def two_way_diagnostics(rng: np.random.Generator) -> Rows:
    """Rows as of `diagnostics`, with the label 0 (entailment) or 1."""
    for label in (ENTAILMENT, pick(rng, (NEUTRAL, CONTRADICTION))):
        premise, hypothesis, _, *tags = _diagnostic(rng, label)
        yield premise, hypothesis, TWO_WAY[label], *tags


def _diagnostic(rng: np.random.Generator, label: str) -> tuple:
    while True:
        change = pick(rng, list(PHENOMENA))
        premise = statement(rng, HOME)
        hypothesis = change(rng, premise, HOME)
        if hypothesis != premise and sampling.valid(hypothesis) and relation(premise, hypothesis) == label:
            break
    tags = dict.fromkeys(COARSE, "") | PHENOMENA[change]
    if not tags["logic"] and premise.quantifier != "the":
        tags["logic"] = MONOTONE[premise.negated]
    return grammar.sentence(rng, premise), grammar.sentence(rng, hypothesis), THREE_WAY[label], *tags.values()


COARSE = ["lexical_semantics", "predicate_argument_structure", "logic", "knowledge"]
MONOTONE = {False: "upward monotone", True: "downward monotone"}
PHENOMENA = {
    sampling.other_subject: {"lexical_semantics": "lexical entailment", "knowledge": "world knowledge"},
    sampling.other_word: {"lexical_semantics": "lexical entailment"},
    sampling.other_property: {"predicate_argument_structure": "restrictivity"},
    sampling.other_place: {"predicate_argument_structure": "prepositional phrases"},
    sampling.other_time: {"logic": "temporal"},
    sampling.other_quantifier: {"lexical_semantics": "quantifiers"},
    sampling.negation: {"logic": "negation"},
    sampling.swapped: {"predicate_argument_structure": "core args"},
}
