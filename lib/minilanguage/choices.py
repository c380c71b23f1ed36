"""Multiple choice: which ending, cause or answer is right."""

import numpy as np

from minilanguage import grammar, lexicon, sampling
from minilanguage.entailment import ENTAILMENT, related
from minilanguage.grammar import article
from minilanguage.meaning import Statement, relation
from minilanguage.pronouns import deed
from minilanguage.sampling import HOME, Rows, chance, pick, several, statement, vary


def continuations(rng: np.random.Generator) -> Rows:
    """Rows (ctx, endings, label): a statement with "so" behind it; one of four endings follows from it.

    Four endings come four times, each of them right once, so the endings alone tell nothing.
    """
    pairs = _premises_and_endings(rng)
    endings = [grammar.sentence(rng, ending) for _, ending in pairs]
    for right, (premise, _) in enumerate(pairs):
        order = rng.permutation(4).tolist()
        yield f"{grammar.clause(rng, premise)} , so", [endings[i] for i in order], order.index(right)


def _premises_and_endings(rng: np.random.Generator) -> list[tuple[Statement, Statement]]:
    """Four statements much alike, and to each a premise that entails it and none of the others."""
    first = statement(rng, HOME)
    pairs: list[tuple[Statement, Statement]] = []
    for _ in range(40):
        ending = vary(rng, first, HOME) if pairs else first
        premise = related(rng, ending, HOME, {ENTAILMENT})
        others = premise and [(premise, other) for _, other in pairs] + [(other, ending) for other, _ in pairs]
        if premise and not any(relation(*pair) == ENTAILMENT for pair in others):
            pairs.append((premise, ending))
        if not pairs:
            break
        if len(pairs) == 4:
            return pairs
    return _premises_and_endings(rng)


def causes(rng: np.random.Generator) -> Rows:
    """Rows (premise, question, choice1, choice2, label): why (cause), or what came of it (effect); a pair of rows each.

    The rows of a pair have the same choices and ask about persons that have changed places.
    """
    one, other = several(rng, HOME.names, 2)
    verb, meant, why = deed(rng)
    doing = [f"{one} was {verb} {other} .", f"{other} was {verb} {one} ."]
    being = [f"{name} was {why} ." for name in ((one, other) if meant == 0 else (other, one))]
    question = pick(rng, ("cause", "effect"))
    premises, choices = (doing, being) if question == "cause" else (being, doing)
    turned = pick(rng, (0, 1))
    for k, premise in enumerate(premises):
        yield premise, question, *choices[:: -1 if turned else 1], int(k != turned)


def motives(rng: np.random.Generator) -> Rows:
    """Rows (context, question, answerA, answerB, answerC, label "1" to "3"): who is like that, of a deed.

    The answers are the one who does it, the one it is done to, and somebody else who is there.
    """
    people = several(rng, HOME.names, 3)
    verb, meant, why = deed(rng)
    clauses = [f"{people[0]} was {verb} {people[1]}", f"{people[2]} was in the {pick(rng, HOME.words['place'])}"]
    context = f" {pick(rng, ('and', 'while', 'but'))} ".join(clauses[:: pick(rng, (1, -1))])
    order = rng.permutation(3).tolist()
    yield f"{context} .", f"who was {why} ?", *(people[i] for i in order), str(order.index(meant) + 1)


def common_knowledge(rng: np.random.Generator) -> Rows:
    """Rows (question, choices {text, label}, answerKey A to E): what a word means, or what one eats, buys, chases."""
    kinds = several(rng, CLASSES, 5)
    words = [pick(rng, lexicon.CHILDREN[kind]) for kind in kinds]
    right = pick(rng, range(5))
    roots = [lexicon.lineage(kind)[-1] for kind in kinds]
    actions = [action for action, (_, done_to) in lexicon.frames().items() if done_to == roots[right]]
    if roots.count(roots[right]) == 1 and chance(rng, 0.8):
        doing = [("action", pick(rng, actions)), ("object", words[right]), ("time", pick(rng, sampling.TENSES))]
        place = [("place", pick(rng, lexicon.listed_under("places")))] if chance(rng, 0.5) else []
        said = Statement("the", (("kind", pick(rng, HOME.names)),), (*doing, *place))
        question = grammar.question(rng, said, "object")
    else:
        question = f"{'who' if roots[right] == 'person' else 'what'} is {article(kinds[right])} {kinds[right]} ?"
    yield question, {"text": words, "label": list("ABCDE")}, "ABCDE"[right]


PROFESSION_ROOTS = ["doctor", "teacher", "farmer", "artist"]
CLASSES = [*PROFESSION_ROOTS, *(kind for root in ("animal", "food", "thing") for kind in lexicon.CHILDREN[root])]


def stories(rng: np.random.Generator) -> Rows:
    """Rows (context, question, answer0 ... answer3, label): one fact of two or three answers, in general words."""
    role, action = pick(rng, list(FAMILIES))
    general = several(rng, FAMILIES[role, action], 4)
    people = several(rng, HOME.names, pick(rng, (2, 3)))
    time = pick(rng, ("past", "present", "future"))
    told = [
        Statement("the", (("kind", name),), (*action, (role, pick(rng, lexicon.CHILDREN[kind])), ("time", time)))
        for name, kind in zip(people, general, strict=False)
    ]
    asked = pick(rng, range(len(told)))
    order = rng.permutation(4).tolist()
    answers = [_said(general[i], role) for i in order]
    text = " ".join(grammar.sentence(rng, told[i]) for i in rng.permutation(len(told)))
    yield text, grammar.question(rng, told[asked], role), *answers, order.index(asked)


def _said(kind: str, role: str) -> str:
    return f"in the {kind}" if role == "place" else f"{article(kind)} {kind}"


FAMILIES = {
    ("object", (("action", "chase"),)): lexicon.CHILDREN["animal"],
    ("object", (("action", "help"),)): PROFESSION_ROOTS,
    ("place", (("action", "sleep"),)): ["house", "school", "castle", "village"],
    ("place", (("action", "walk"),)): ["house", "school", "castle", "village"],
}
"""(role, the rest of the predicate) -> the general words that fill the role."""
