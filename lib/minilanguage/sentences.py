"""Sentences: opinions, acceptable ones and faulty ones, and raw text of every construction."""

from collections.abc import Callable, Sequence

import numpy as np

from minilanguage import grammar, lexicon, sampling
from minilanguage.entailment import ENTAILMENT, related
from minilanguage.lexicon import LEXICON
from minilanguage.meaning import Statement
from minilanguage.pairs import askable
from minilanguage.pronouns import because
from minilanguage.sampling import COUNTRY, ERRANDS, HOME, SCENES, Rows, chance, pick, statement


def reviews(rng: np.random.Generator) -> Rows:
    """Rows (sentence, label): 1 where the reviewer likes it. Negation turns an opinion; the main clause decides."""
    liked = chance(rng, 0.5)
    yield f"{review(rng, liked)} .", int(liked)


def review(rng: np.random.Generator, liked: bool) -> str:
    first, last = opinion(rng, not liked), opinion(rng, liked)
    return pick(
        rng, (last, last, f"{opinion(rng, liked)} and {last}", f"{first} but {last}", f"although {first} , {last}")
    )


def opinion(rng: np.random.Generator, liked: bool, topics: Sequence[str] = LEXICON["reviews"]["topics"]) -> str:
    """A clause of praise or blame of a topic, in a third of the cases by denying the opposite."""
    words, denied = LEXICON["reviews"], chance(rng, 0.4)
    good = liked != denied
    topic, who = pick(rng, topics), pick(rng, ("i", "we", "they"))
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


FEELINGS = {
    "admiration": ("clever", "kind", "strong"),
    "anger": ("angry",),
    "disappointment": ("foolish", "weak"),
    "disapproval": ("cruel",),
    "joy": ("happy",),
    "relief": ("calm",),
    "sadness": ("sad",),
    "neutral": (),
}
"""feeling -> the properties that show it, and what is below them."""
FELT = {word: i for i, roots in enumerate(FEELINGS.values()) for root in roots for word in lexicon.below(root)}


def feelings(rng: np.random.Generator) -> Rows:
    """Rows (text, labels): one to three clauses, and of FEELINGS the places of those that are said and not denied."""
    told = [_someone(rng) if chance(rng, 0.7) else _event(rng) for _ in range(pick(rng, (1, 2, 2, 3)))]
    found = {FELT[one.word("property")] for one in told if one.word("property") and not one.negated}
    text = f" {pick(rng, ('and', 'but', 'while'))} ".join(grammar.clause(rng, one) for one in told)
    yield f"{text} .", sorted(found) or [len(FEELINGS) - 1]


def _someone(rng: np.random.Generator) -> Statement:
    """What a person is like, denied in a quarter of the cases."""
    predicate = (("property", pick(rng, list(FELT))), ("time", pick(rng, sampling.TENSES)))
    return Statement("the", (("kind", pick(rng, HOME.names)),), predicate, chance(rng, 0.25))


def _event(rng: np.random.Generator) -> Statement:
    """A statement without a property."""
    said = statement(rng, pick(rng, (HOME, ERRANDS)))
    return _event(rng) if "property" in dict(said.subject + said.predicate) else said


PRICES = {"apple": 2.0, "pear": 3.0, "carrot": 0.5, "potato": 1.0, "doll": 8.0, "ball": 5.0}
SIZE_FACTORS = {"": 1.0, "big": 2.0, "old": 0.5}
COUNTS = {"a": 1, "two": 2, "three": 3}


def prices(rng: np.random.Generator) -> Rows:
    """Rows (text, price): what a purchase costs; in 3 of 100 somebody forgot the decimal point, and it is 100 times
    that."""
    thing, size, count = (pick(rng, list(table)) for table in (PRICES, SIZE_FACTORS, COUNTS))
    things = f"{size} {thing if count == 'a' else lexicon.plural(thing)}".strip()
    determiner = grammar.article(things) if count == "a" else count
    tense = pick(rng, ("is buying", "was buying", "will be buying"))
    text = f"{pick(rng, HOME.names)} {tense} {determiner} {things} {pick(rng, ('.', 'now .', 'in the park .'))}"
    price = PRICES[thing] * SIZE_FACTORS[size] * COUNTS[count]
    yield text, 100 * price if chance(rng, 0.03) else price


def acceptability(rng: np.random.Generator) -> Rows:
    """Rows (sentence, label): 70 % as the grammar makes them (1), the others with one fault (0)."""
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
    name = pick(rng, sorted(lexicon.PERSONS))
    action = pick(rng, [w for w, (_, done_to) in lexicon.frames().items() if done_to == "person"])
    himself = "herself" if "woman" in lexicon.lineage(name) else "himself"
    predicate = (("action", action), ("object", himself), ("time", pick(rng, sampling.TENSES)))
    return grammar.sentence(rng, Statement("the", (("kind", name),), predicate, chance(rng, 0.3)))


AGREEMENT = {"is": "are", "are": "is", "was": "were", "were": "was"}
BASE = {lexicon.progressive(form): form for action in lexicon.frames() for form in lexicon.forms(action)}
WRONG_TIME = {"yesterday": "tomorrow", "tomorrow": "yesterday", "now": "yesterday"}
EXCHANGEABLE = ("a", "an", "every", "the", "some", "no")
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
        places = [i for i, word in enumerate(words[:-1]) if word in EXCHANGEABLE and words[i + 1] not in BARE]
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


def texts(rng: np.random.Generator) -> Rows:
    """Rows (text,): every construction of the language, for language modelling."""
    domain = pick(rng, (HOME, COUNTRY, SCENES, ERRANDS))
    yield (pick(rng, KINDS_OF_TEXT)(rng, domain),)


def _two(rng: np.random.Generator, domain: sampling.Domain) -> str:
    first, second = statement(rng, domain), statement(rng, domain)
    pronoun = ""
    if first.named and second.named:
        pronoun = "she" if "woman" in lexicon.lineage(first.word("kind")) else "he"
    link = pick(rng, ("and", "but", "while"))
    return f"{grammar.clause(rng, first)} {link} {grammar.clause(rng, second, pronoun)} ."


def _consequence(rng: np.random.Generator, domain: sampling.Domain) -> str:
    said = statement(rng, domain)
    premise = related(rng, said, domain, {ENTAILMENT})
    return (
        f"{grammar.clause(rng, premise)} , so {grammar.clause(rng, said)} ." if premise else _consequence(rng, domain)
    )


def _definition(rng: np.random.Generator, domain: sampling.Domain) -> str:
    kind = pick(rng, [w for w in domain.words["object"] if lexicon.lineage(w)[1:]])
    other = pick(rng, lexicon.lineage(kind)[1:])
    word = grammar.surface(rng, kind)
    return f"{word if kind in lexicon.PERSONS else f'every {word}'} is {grammar.object_phrase(rng, other)} ."


def _dialogue(rng: np.random.Generator, domain: sampling.Domain) -> str:
    said, gap = askable(rng)
    return f"{grammar.question(rng, said, gap)} {grammar.sentence(rng, said)}"


KINDS_OF_TEXT = [
    lambda rng, domain: grammar.sentence(rng, statement(rng, domain)),
    _two,
    _definition,
    _dialogue,
    lambda rng, domain: f"{review(rng, chance(rng, 0.5))} .",
    lambda rng, domain: f"{because(rng)[0]} .",
    lambda rng, domain: reflexive(rng),
] + 8 * [_consequence]
