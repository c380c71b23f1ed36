"""Reading: questions about a passage, names that are missing, answers within a sentence."""

from dataclasses import replace
from itertools import combinations, count

import numpy as np

from minilanguage import grammar, lexicon, sampling
from minilanguage.entailment import CONTRADICTION, ENTAILMENT, NEUTRAL, related, unrelated
from minilanguage.meaning import Statement, relation
from minilanguage.pairs import answered
from minilanguage.parse import parse
from minilanguage.sampling import COUNTRY, ERRANDS, HOME, SCENES, Domain, Rows, chance, pick, several, statement


def affirmed(rng: np.random.Generator, d: Domain) -> Statement:
    return replace(statement(rng, d, 1.0), negated=False)


def yes_or_no(rng: np.random.Generator) -> Rows:
    """Rows (passage, question, label): 1 where the passage says yes, 0 where it says no; every question has both."""
    asked = affirmed(rng, COUNTRY)
    question = grammar.question(rng, asked, "")
    told = [related(rng, asked, COUNTRY, {wanted}) for wanted in (CONTRADICTION, ENTAILMENT)]
    for label, fact in enumerate(told if None not in told else []):
        other = unrelated(rng, COUNTRY, not fact.negated, asked, fact)  # so that a denial tells nothing by itself
        yield passage(rng, [fact, other]), question, label


def passage(rng: np.random.Generator, told: list[Statement]) -> str:
    """The statements as sentences, in random order."""
    return " ".join(grammar.sentence(rng, told[i]) for i in rng.permutation(len(told)))


def consistent(told: list[Statement]) -> bool:
    return all(relation(one, other) != CONTRADICTION for one, other in combinations(told, 2))


def implied(rng: np.random.Generator, told: Statement) -> Statement | None:
    """Something else that follows of the same subject: a word is more general, or the place is left out."""
    atoms = told.predicate
    general = [
        tuple((role, above if role == r else word) for role, word in atoms)
        for r, old in atoms
        for above in lexicon.lineage(old)[1:]
    ]
    if told.word("place") and len(atoms) > 2:
        general.append(tuple(atom for atom in atoms if atom[0] != "place"))
    return replace(told, predicate=pick(rng, general)) if general and not told.negated else None


def about(said: Statement, name: str, role: str = "kind") -> Statement:
    """The same, but of `name` (role kind), or done to `name` (role object)."""
    if role == "kind":
        return replace(said, subject=(("kind", name),), quantifier="the")
    return replace(said, predicate=tuple((r, name if r == role else w) for r, w in said.predicate))


def several_answers(rng: np.random.Generator) -> Rows:
    """Rows (paragraph, question, answer, idx, label): questions on a paragraph, each name right (1) or not.

    A name is an answer where the paragraph implies what is asked.
    """
    asked_so_far = 0
    for number in count():
        told: list[Statement | None] = [None]
        while None in told or not consistent(told):
            asked = affirmed(rng, HOME)
            names = several(rng, [name for name in HOME.names if name != asked.word("object")], 3)
            wanted = [{ENTAILMENT} if chance(rng, 0.35) else {NEUTRAL, CONTRADICTION} for _ in names]
            told = [related(rng, about(asked, *pair), HOME, w) for *pair, w in zip(names, wanted, strict=True)]
        text = passage(rng, told)
        other = implied(rng, pick(rng, told))
        questions = [asked, other] if other and other.named and other.predicate != asked.predicate else [asked]
        for question in questions:
            said = grammar.question(rng, question, "kind")
            for k, name in enumerate(names):
                right = any(relation(fact, about(question, name)) == ENTAILMENT for fact in told)
                idx = {"paragraph": number, "question": asked_so_far, "answer": 3 * asked_so_far + k}
                yield text, said, name, idx, int(right)
            asked_so_far += 1


def clozes(rng: np.random.Generator) -> Rows:
    """Rows (passage, query, entities, answers): the one name with which the query follows from the passage.

    Everybody does something to one and suffers something from one, so that no name stands out.
    """
    said = affirmed(rng, SCENES)
    names = several(rng, SCENES.names, pick(rng, (3, 4)))
    if said.word("object") not in lexicon.PERSONS:
        return
    told = [_recast(rng, said, *pair) for pair in zip(names, [*names[1:], names[0]], strict=True)]
    query, text = implied(rng, told[0]), passage(rng, told)
    if query:
        role = pick(rng, [role for role in ("kind", "object") if query.word(role) in lexicon.PERSONS])
        filled = {name: about(query, name, role) for name in sorted(names, key=text.index)}
        right = [name for name, s in filled.items() if any(relation(fact, s) == ENTAILMENT for fact in told)]
        words = ["@placeholder" if w == right[0] else w for w in grammar.sentence(rng, query).split()]
        if len(right) == 1:
            yield text, " ".join(words), list(filled), right


def _recast(rng: np.random.Generator, said: Statement, one: str, other: str) -> Statement:
    """The same, or nearly the same, done by one to the other."""
    recast = about(about(said, one), other, "object")
    recast = sampling.other_place(rng, recast, SCENES) if chance(rng, 0.3) else recast
    action = pick(rng, lexicon.below(lexicon.lineage(said.word("action"))[-1]))
    return about(recast, action, "action") if chance(rng, 0.5) else recast


def free_questions(rng: np.random.Generator) -> Rows:
    """Rows (question, passage, answers): who, whom, what or where; of two clauses one holds the answer."""
    gap = pick(rng, GAPS)
    told, other = _with(rng, HOME, gap), affirmed(rng, HOME)
    asked = implied(rng, told) if chance(rng, 0.5) else told
    if asked and told.word(gap) == asked.word(gap) != "" and not answered(other, asked, gap):
        yield from _answer(rng, grammar.question(rng, asked, gap), gap, told, other)


def unsure_questions(rng: np.random.Generator) -> Rows:
    """Rows (question, context, answers): as `free_questions`, a third of which neither of the two clauses answers."""
    gap = pick(rng, GAPS)
    asked, other = _with(rng, HOME, gap), affirmed(rng, HOME)
    told = asked if chance(rng, 2 / 3) else affirmed(rng, HOME)
    question = grammar.question(rng, asked, gap)
    if answered(other, asked, gap) or told.subject == other.subject:
        return
    if told is asked:
        yield from _answer(rng, question, gap, told, other)
    elif not answered(told, asked, gap):
        text = f"{grammar.clause(rng, told)} {pick(rng, ('and', 'but'))} {grammar.clause(rng, other)} ."
        yield question, text, []


GAPS = ("kind", "object", "place")
"""What is asked for: who does it, to whom or what, where."""


def _with(rng: np.random.Generator, d: Domain, gap: str) -> Statement:
    """An affirmative statement that fills the gap."""
    said = affirmed(rng, d)
    return said if said.word(gap) else _with(rng, d, gap)


def role_questions(rng: np.random.Generator) -> Rows:
    """Rows (question, passage, answers) as in QA-SRL: about a verb's roles, the others "someone" or "something"."""
    gap = pick(rng, GAPS)
    told, other = _with(rng, pick(rng, (SCENES, ERRANDS)), gap), affirmed(rng, pick(rng, (SCENES, ERRANDS)))
    if len({told.word("action"), other.word("action"), ""}) == 3:
        yield from _answer(rng, _role_question(told, gap), gap, told, other)


def _role_question(s: Statement, gap: str) -> str:
    person = "person" in lexicon.lineage(s.word("object"))
    be = {"past": ["was", ""], "present": ["is", ""], "future": ["will", "be"]}[lexicon.lineage(s.word("time"))[-1]]
    whom = ("someone" if person else "something") if s.word("object") else ""
    verb = f"{be[1]} {lexicon.progressive(s.word('action'))}"
    asked = {
        "kind": f"who {be[0]} {verb} {whom} ?",
        "object": f"{'who' if person else 'what'} {be[0]} someone {verb} ?",
        "place": f"where {be[0]} someone {verb} {whom} ?",
    }
    return " ".join(asked[gap].split())


def _answer(rng: np.random.Generator, question: str, gap: str, told: Statement, other: Statement) -> Rows:
    """The row of a question that `told` answers and `other` does not, if the answer occurs once."""
    clauses = [grammar.clause(rng, told), grammar.clause(rng, other)]
    answer = filler(clauses[0], gap)
    text = f" {pick(rng, ('and', 'but'))} ".join(clauses[:: pick(rng, (1, -1))]) + " ."
    if f" {text}".count(f" {answer} ") == 1 and told.subject != other.subject and not answer.startswith("some"):
        yield question, text, [answer]


def filler(clause: str, gap: str) -> str:
    """What fills the gap (one of GAPS) in a clause, in its words."""
    tree = parse(clause)
    passive, case = "being" in tree.words, {"kind": "by", "place": "in"}.get(gap)
    if case and (gap == "place" or passive):
        at = next(tree.head[i] - 1 for i, word in enumerate(tree.words) if word == case)
    else:
        (at,) = tree.children(tree.root, "nsubj" if gap == "kind" or passive else "obj")
    start = min([at, *tree.children(at, "det", "nummod", "amod")])
    return " ".join(tree.words[start : at + 1])
