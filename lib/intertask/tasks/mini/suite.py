"""The mini tasks: for each the columns of its real counterpart, labels computed from what the sentences say."""

import zlib
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pandas as pd

from intertask.tasks.mini import grammar, lexicon, sampling
from intertask.tasks.mini.meaning import LABELS, Statement, equivalent, implies, relation
from intertask.tasks.mini.sampling import chance, pick, statement, vary

Rows = Iterator[tuple]
LEXICON = lexicon.LEXICON
HOME, COUNTRY, SCENES, ERRANDS = (sampling.domain(name) for name in ("home", "country", "scenes", "errands"))
ENTAILMENT, NEUTRAL, CONTRADICTION = LABELS


def generate(name: str) -> dict[str, pd.DataFrame]:
    """split -> rows of a mini task (one of NAMES, without "mini/"), the same on every machine.

    Labels are ids in the order of the catalogue's names (stsb: 0 to 5); the split `test` has none, except for ax.
    """
    columns, splits = TASKS[name]
    seen: set[tuple] = set()
    frames = {}
    for split, (make, size) in splits.items():
        rng = np.random.default_rng(zlib.crc32(f"{name} {split}".encode()))
        rows = list(islice(_unseen(make(rng), seen), size))
        frames[split] = pd.DataFrame(rows, columns=columns)
    if "test" in frames and name != "ax":
        frames["test"] = frames["test"].drop(columns="label")
    return frames


def _unseen(rows: Rows, seen: set[tuple]) -> Rows:
    for row in rows:
        texts = tuple(value for value in row if isinstance(value, str))
        if texts not in seen:
            seen.add(texts)
            yield row


# Natural language inference


def inference(domain: sampling.Domain, labels: dict[str, int], extra: float) -> Callable[[np.random.Generator], Rows]:
    """Rows (premise, hypothesis, label). Every hypothesis comes once with each label, so it tells nothing by itself.

    `extra` is the share of premises with a second clause, which has nothing to do with the hypothesis.
    """

    def rows(rng: np.random.Generator) -> Rows:
        while True:
            hypothesis = statement(rng, domain)
            asked = grammar.sentence(rng, hypothesis)
            wanted = [{r for r in LABELS if labels[r] == label} for label in sorted(set(labels.values()))]
            premises = [_premise(rng, hypothesis, domain, relations) for relations in wanted]
            for label, premise in enumerate(premises if None not in premises else []):
                said = _two_clauses(rng, premise) if chance(rng, extra) else grammar.clause(rng, premise)
                yield f"{said} .", asked, label

    return rows


def _premise(
    rng: np.random.Generator, hypothesis: Statement, domain: sampling.Domain, wanted: set[str]
) -> Statement | None:
    """A statement one change away that stands in a wanted relation to the hypothesis, if there is one."""
    for _ in range(99):
        premise = vary(rng, hypothesis, domain)
        if relation(premise, hypothesis) in wanted:
            return premise
    return None


def _two_clauses(rng: np.random.Generator, premise: Statement) -> str:
    """The premise and a clause of which no hypothesis speaks, in either order."""
    clauses = [grammar.clause(rng, premise), grammar.clause(rng, statement(rng, ERRANDS))]
    if chance(rng, 0.5):
        clauses.reverse()
    return f" {pick(rng, ('and', 'while', 'but'))} ".join(clauses)


THREE_WAY = {ENTAILMENT: 0, NEUTRAL: 1, CONTRADICTION: 2}
TWO_WAY = {ENTAILMENT: 0, NEUTRAL: 1, CONTRADICTION: 1}


# Paraphrase, similarity, questions


def paraphrases(rng: np.random.Generator) -> Rows:
    """Rows (sentence1, sentence2, label): 68 % say the same in other words, the others differ by one small change."""
    while True:
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
    while True:
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
    while True:
        label = int(chance(rng, 0.37))
        yield *(_same_question if label else _other_question)(rng), label


def _same_question(rng: np.random.Generator) -> tuple[str, str]:
    said, gap = _askable(rng)
    one, other = grammar.question(rng, said, gap), grammar.question(rng, said, gap)
    return (one, other) if one != other else _same_question(rng)


def _other_question(rng: np.random.Generator) -> tuple[str, str]:
    said, gap = _askable(rng)
    other = vary(rng, said, HOME)
    other_gap = pick(rng, (gap, *_gaps(other)))
    if other_gap in _gaps(other) and (gap, _known(said, gap)) != (other_gap, _known(other, other_gap)):
        return grammar.question(rng, said, gap), grammar.question(rng, other, other_gap)
    return _other_question(rng)


def answers(rng: np.random.Generator) -> Rows:
    """Rows (question, sentence, label): 0 where the sentence answers the question, 1 where it does not."""
    while True:
        said, gap = _askable(rng)
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


def _askable(rng: np.random.Generator) -> tuple[Statement, str]:
    said = statement(rng, HOME, named=0.8)
    said = said if not said.negated else Statement(said.quantifier, said.subject, said.predicate)
    return said, pick(rng, _gaps(said))


def _gaps(s: Statement) -> list[str]:
    """What can be asked about the statement: "" (whether it is so), kind (who), object, place."""
    return ["", "kind", *(role for role in ("object", "place") if s.word(role))] if s.named and not s.negated else [""]


def _known(s: Statement, gap: str) -> Statement:
    subject = () if gap == "kind" else s.subject
    return Statement(s.quantifier, subject, tuple(atom for atom in s.predicate if atom[0] != gap), s.negated)


# One sentence: sentiment, acceptability


def reviews(rng: np.random.Generator) -> Rows:
    """Rows (sentence, label): 1 where the reviewer likes it. Negation turns an opinion; the main clause decides."""
    while True:
        liked = chance(rng, 0.5)
        yield f"{review(rng, liked)} .", int(liked)


def review(rng: np.random.Generator, liked: bool) -> str:
    first, last = opinion(rng, not liked), opinion(rng, liked)
    return pick(
        rng, (last, last, f"{opinion(rng, liked)} and {last}", f"{first} but {last}", f"although {first} , {last}")
    )


def opinion(rng: np.random.Generator, liked: bool) -> str:
    """A clause of praise or blame, in a third of the cases by denying the opposite."""
    words, denied = LEXICON["reviews"], chance(rng, 0.4)
    good = liked != denied
    topic, who = pick(rng, words["topics"]), pick(rng, ("i", "we", "they"))
    adjective = pick(rng, words["positive" if good else "negative"])
    if chance(rng, 0.4):
        adjective = f"{pick(rng, words['intensifiers'])} {adjective}"
    verb = pick(rng, words["likes" if good else "dislikes"])
    if denied:
        choices = (
            f"the {topic} was {pick(rng, ('not', 'never'))} {adjective}",
            f"{who} never found the {topic} {adjective}",
            f"nobody found the {topic} {adjective}",
            f"{who} did not {verb} the {topic}",
        )
    else:
        choices = (
            f"the {topic} was {adjective}",
            f"{who} found the {topic} {adjective}",
            f"everybody found the {topic} {adjective}",
            f"{who} {verb} the {topic}",
        )
    return pick(rng, choices)


def acceptability(rng: np.random.Generator) -> Rows:
    """Rows (sentence, label): 70 % as the grammar makes them (1), the others with one fault (0)."""
    while True:
        label = int(chance(rng, 0.7))
        yield (_acceptable if label else _faulty)(rng), label


def _acceptable(rng: np.random.Generator) -> str:
    return _plain(rng) if chance(rng, 0.8) else reflexive(rng)


def _faulty(rng: np.random.Generator) -> str:
    good = _acceptable(rng)
    text = pick(rng, FAULTS)(rng, good.split())
    return text if text and text != good else _faulty(rng)


def _plain(rng: np.random.Generator) -> str:
    return grammar.sentence(rng, statement(rng, pick(rng, (HOME, COUNTRY))))


def reflexive(rng: np.random.Generator) -> str:
    name = pick(rng, sorted(lexicon.NAMES))
    action = pick(rng, [w for w, (_, done_to) in lexicon.frames().items() if done_to == "person"])
    himself = "herself" if "woman" in lexicon.lineage(name) else "himself"
    predicate = (("action", action), ("object", himself), ("time", pick(rng, sampling.TENSES)))
    return grammar.sentence(rng, Statement("the", (("kind", name),), predicate, chance(rng, 0.3)))


AGREEMENT = {"is": "are", "are": "is", "was": "were", "were": "was"}
BASE = {lexicon.progressive(form): form for action in lexicon.frames() for form in lexicon.forms(action)}
WRONG_TIME = {"yesterday": "tomorrow", "tomorrow": "yesterday", "now": "yesterday"}
DETERMINERS = ("a", "an", "every", "the", "some", "no")
BARE = {form for word in (*lexicon.below("food"), "school", "hospital") for form in lexicon.forms(word)}  # fine without


def _replaced(table: dict[str, str]) -> Callable[[np.random.Generator, list[str]], str]:
    """A fault: one of the words in the table gives way to its wrong form."""

    def fault(rng: np.random.Generator, words: list[str]) -> str:
        places = [i for i, word in enumerate(words) if word in table]
        return _edited(words, pick(rng, places), 1, lambda old: [table[old[0]]]) if places else ""

    return fault


def _edited(words: list[str], at: int, width: int, edit: Callable[[list[str]], list[str]]) -> str:
    return " ".join(words[:at] + edit(words[at : at + width]) + words[at + width :])


def _at_determiner(
    width: int, edit: Callable[[list[str]], list[str]]
) -> Callable[[np.random.Generator, list[str]], str]:
    """A fault at a determiner."""

    def fault(rng: np.random.Generator, words: list[str]) -> str:
        places = [i for i, word in enumerate(words[:-1]) if word in DETERMINERS and words[i + 1] not in BARE]
        return _edited(words, pick(rng, places), width, edit) if places else ""

    return fault


def no_copula(rng: np.random.Generator, words: list[str]) -> str:
    return " ".join(word for word in words if word not in ("is", "are", "was", "were"))


FAULTS = (
    _replaced(AGREEMENT),
    _replaced(BASE),
    _replaced(WRONG_TIME),
    _replaced({"himself": "herself", "herself": "himself"}),
    _at_determiner(1, lambda old: []),
    _at_determiner(1, lambda old: ["the", *old]),
    _at_determiner(2, lambda old: old[::-1]),
    no_copula,
)


# Choices


def continuations(rng: np.random.Generator) -> Rows:
    """Rows (ctx, endings, label): a statement with "so" behind it; one of four endings follows from it."""
    while True:
        right = statement(rng, HOME)
        premise = _premise(rng, right, HOME, {ENTAILMENT})
        if premise is None:
            continue
        endings = [grammar.sentence(rng, right)]
        while len(endings) < 4:
            wrong = vary(rng, premise, HOME)
            if relation(premise, wrong) != ENTAILMENT and (said := grammar.sentence(rng, wrong)) not in endings:
                endings.append(said)
        order = rng.permutation(4).tolist()
        yield f"{grammar.clause(rng, premise)} , so", [endings[i] for i in order], order.index(0)


# Pronouns, diagnostics, raw text


def schemas(dev: bool) -> Callable[[np.random.Generator], Rows]:
    """Rows (sentence1, sentence2, label): who "she" is. Dev asks for the other one: labels opposite."""

    def rows(_: np.random.Generator) -> Rows:
        rng = np.random.default_rng(0)  # one for both splits, so that they share their sentences
        seen: set[str] = set()
        while True:
            said, (name, other), reason = because(rng)
            if said in seen:
                continue
            right = (len(seen) % 2 == 1) != dev
            seen.add(said)
            yield f"{said} .", f"{name if right else other} {reason} .", int(right)

    return rows


def because(rng: np.random.Generator) -> tuple[str, tuple[str, str], str]:
    """("anna was helping ella because she was weak", (the one meant, the other), "was weak")."""
    gender = pick(rng, ("woman", "man"))
    names = [pick(rng, lexicon.CHILDREN[gender])]
    names.append(pick(rng, [w for w in lexicon.CHILDREN[gender] if w != names[0]]))
    verb = pick(rng, list(LEXICON["reasons"]))
    meant = pick(rng, ("subject", "object"))
    reason = f"was {pick(rng, LEXICON['reasons'][verb][meant])}"
    pronoun = "she" if gender == "woman" else "he"
    said = f"{names[0]} was {lexicon.progressive(verb)} {names[1]} because {pronoun} {reason}"
    return said, tuple(names if meant == "subject" else names[::-1]), reason


def diagnostics(rng: np.random.Generator) -> Rows:
    """Rows (premise, hypothesis, label, and the fine category of each coarse one or ""), each about one phenomenon."""
    while True:
        for label in LABELS:
            yield _diagnostic(rng, label)


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


def texts(rng: np.random.Generator) -> Rows:
    """Rows (text,): every construction of the language, for language modelling."""
    while True:
        domain = pick(rng, (HOME, COUNTRY, SCENES, ERRANDS))
        yield (pick(rng, TEXTS)(rng, domain),)


def _two(rng: np.random.Generator, domain: sampling.Domain) -> str:
    first, second = statement(rng, domain), statement(rng, domain)
    pronoun = ""
    if first.named and second.named:
        pronoun = "she" if "woman" in lexicon.lineage(first.word("kind")) else "he"
    link = pick(rng, ("and", "but", "while"))
    return f"{grammar.clause(rng, first)} {link} {grammar.clause(rng, second, pronoun)} ."


def _consequence(rng: np.random.Generator, domain: sampling.Domain) -> str:
    said = statement(rng, domain)
    premise = _premise(rng, said, domain, {ENTAILMENT})
    return (
        f"{grammar.clause(rng, premise)} , so {grammar.clause(rng, said)} ." if premise else _consequence(rng, domain)
    )


def _definition(rng: np.random.Generator, domain: sampling.Domain) -> str:
    kind = pick(rng, [w for w in domain.words["object"] if lexicon.lineage(w)[1:]])
    other = pick(rng, lexicon.lineage(kind)[1:])
    word = grammar.surface(rng, kind)
    return f"{word if kind in lexicon.NAMES else f'every {word}'} is {grammar.object_phrase(rng, other)} ."


def _dialogue(rng: np.random.Generator, domain: sampling.Domain) -> str:
    said, gap = _askable(rng)
    return f"{grammar.question(rng, said, gap)} {grammar.sentence(rng, said)}"


TEXTS = [
    lambda rng, domain: grammar.sentence(rng, statement(rng, domain)),
    _two,
    _definition,
    _dialogue,
    lambda rng, domain: f"{review(rng, chance(rng, 0.5))} .",
    lambda rng, domain: f"{because(rng)[0]} .",
    lambda rng, domain: reflexive(rng),
] + 8 * [_consequence]

PAIR = ["premise", "hypothesis", "label"]
SENTENCES = ["sentence1", "sentence2", "label"]
QUESTIONS = ["question1", "question2", "label"]
SENTENCE = ["sentence", "label"]
home, country, scenes = (inference(d, THREE_WAY, 0.1) for d in (HOME, COUNTRY, SCENES))
longer = inference(HOME, TWO_WAY, 1.0)
TASKS = {
    "text": (["text"], {"train": (texts, 8000), "validation": (texts, 500)}),
    "cola": (
        SENTENCE,
        {"train": (acceptability, 1200), "validation": (acceptability, 400), "test": (acceptability, 200)},
    ),
    "sst2": (SENTENCE, {"train": (reviews, 2500), "validation": (reviews, 400), "test": (reviews, 200)}),
    "mrpc": (SENTENCES, {"train": (paraphrases, 500), "validation": (paraphrases, 400), "test": (paraphrases, 200)}),
    "qqp": (QUESTIONS, {"train": (duplicates, 5000), "validation": (duplicates, 400)}),
    "stsb": (SENTENCES, {"train": (similarities, 800), "validation": (similarities, 400)}),
    "mnli": (PAIR, {"train": (home, 6000), "validation_matched": (home, 400), "validation_mismatched": (country, 400)}),
    "snli": (PAIR, {"train": (scenes, 7000), "validation": (scenes, 400)}),
    "qnli": (["question", "sentence", "label"], {"train": (answers, 3500), "validation": (answers, 400)}),
    "rte": (SENTENCES, {"train": (longer, 250), "validation": (longer, 277), "test": (longer, 200)}),
    "wnli": (SENTENCES, {"train": (schemas(dev=False), 64), "validation": (schemas(dev=True), 40)}),
    "hellaswag": (
        ["ctx", "endings", "label"],
        {"train": (continuations, 3000), "validation": (continuations, 400)},
    ),
    "ax": ([*PAIR, *COARSE], {"test": (diagnostics, 300)}),
}
NAMES = list(TASKS)
"""The mini tasks, without the prefix "mini/"."""
