"""Reading: questions about a passage, names that are missing, answers within a sentence."""

from dataclasses import replace
from itertools import combinations, count

import numpy as np

from intertask.tasks.mini import grammar, lexicon
from intertask.tasks.mini.inference import CONTRADICTION, ENTAILMENT, NEUTRAL, related, unrelated
from intertask.tasks.mini.meaning import Statement, relation
from intertask.tasks.mini.pairs import answered
from intertask.tasks.mini.parse import parse
from intertask.tasks.mini.sampling import COUNTRY, ERRANDS, HOME, SCENES, Domain, Rows, chance, pick, statement, vary


def affirmed(rng: np.random.Generator, d: Domain, named: float = 1.0) -> Statement:
    return replace(statement(rng, d, named), negated=False)


def yes_or_no(rng: np.random.Generator) -> Rows:
    """Rows (passage, question, label): 1 where the passage says yes, 0 where it says no; every question has both."""
    while True:
        asked = affirmed(rng, COUNTRY, 0.7)
        question = grammar.question(rng, asked, "")
        told = [related(rng, asked, COUNTRY, {wanted}) for wanted in (CONTRADICTION, ENTAILMENT)]
        for label, fact in enumerate(told if None not in told else []):
            yield passage(rng, [fact, unrelated(rng, asked, fact)]), question, label


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
            names = [str(n) for n in rng.permutation([n for n in HOME.names if n != asked.word("object")])[:3]]
            wanted = [{ENTAILMENT} if chance(rng, 0.55) else {NEUTRAL, CONTRADICTION} for _ in names]
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
    """Rows (passage, query, entities, answers): the one name with which the query follows from the passage."""
    while True:
        said = affirmed(rng, SCENES)
        if said.word("object") not in lexicon.NAMES:
            continue
        told, query = [said, *(_of_others(rng, said) for _ in range(2))], implied(rng, said)
        if query is None or not all(fact.named for fact in told) or not consistent(told):
            continue
        text = passage(rng, told)
        entities = list(dict.fromkeys(word for word in text.split() if word in lexicon.NAMES))
        role = pick(rng, [role for role in ("kind", "object") if query.word(role) in lexicon.NAMES])
        filled = {name: about(query, name, role) for name in entities}
        right = [name for name, s in filled.items() if any(relation(fact, s) == ENTAILMENT for fact in told)]
        if len(right) == 1 and len(entities) > 2:
            words = ["@placeholder" if w == right[0] else w for w in grammar.sentence(rng, query).split()]
            yield text, " ".join(words), entities, right


def _of_others(rng: np.random.Generator, said: Statement) -> Statement:
    """The same, or nearly the same, done by someone else to someone else."""
    one, other = (str(name) for name in rng.permutation(SCENES.names)[:2])
    recast = about(about(said, one), other, "object")
    return recast if chance(rng, 0.5) else vary(rng, recast, SCENES)


def free_questions(rng: np.random.Generator) -> Rows:
    """Rows (question, sentence, answers): who, whom, what or where; of two clauses one holds the answer."""
    while True:
        told, other = affirmed(rng, HOME), affirmed(rng, HOME)
        gap = pick(rng, [gap for gap in ("kind", "object", "place") if told.word(gap)])
        asked = implied(rng, told) if chance(rng, 0.5) else told
        if asked is None or asked.word(gap) != told.word(gap) or answered(other, asked, gap):
            continue
        yield from _answer(rng, grammar.question(rng, asked, gap), gap, told, other)


def role_questions(rng: np.random.Generator) -> Rows:
    """Rows (question, sentence, answers) as in QA-SRL: about a verb's roles, the others "someone" or "something"."""
    while True:
        told, other = affirmed(rng, pick(rng, (SCENES, ERRANDS))), affirmed(rng, pick(rng, (SCENES, ERRANDS)))
        if told.word("action") and other.word("action") and told.word("action") != other.word("action"):
            gap = pick(rng, [gap for gap in ("kind", "object", "place") if told.word(gap)])
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
    sentence = f" {pick(rng, ('and', 'but'))} ".join(clauses[:: pick(rng, (1, -1))]) + " ."
    if f" {sentence}".count(f" {answer} ") == 1 and told.subject != other.subject and not answer.startswith("some"):
        yield question, sentence, [answer]


def filler(clause: str, gap: str) -> str:
    """What fills the gap (kind: who does it, object: to whom or what, place: where) in a clause, in its words."""
    tree = parse(clause)
    passive, case = "being" in tree.words, {"kind": "by", "place": "in"}.get(gap)
    if case and (gap == "place" or passive):
        at = next(tree.head[i] - 1 for i, word in enumerate(tree.words) if word == case)
    else:
        (at,) = tree.children(tree.root, "nsubj" if gap == "kind" or passive else "obj")
    start = min([at, *tree.children(at, "det", "nummod", "amod")])
    return " ".join(tree.words[start : at + 1])
