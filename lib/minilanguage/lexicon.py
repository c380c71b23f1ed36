"""The words of the mini language and what they imply: reads lexicon.yaml."""

from collections import defaultdict
from functools import cache
from pathlib import Path

import yaml

LEXICON = yaml.safe_load(Path(__file__).with_name("lexicon.yaml").read_text(encoding="utf-8"))
DIVISIONS = [line for section in LEXICON["divisions"].values() for entry in section for line in entry.items()]

PARENT = {below: above for above, words in DIVISIONS for below in words}
SIBLINGS = {word: [other for other in words if other != word] for _, words in DIVISIONS for word in words}
CHILDREN = defaultdict(list)
for _above, _words in DIVISIONS:
    CHILDREN[_above] += _words
PERSONS = frozenset(CHILDREN["woman"] + CHILDREN["man"])


@cache
def lineage(word: str) -> tuple[str, ...]:
    """The word and every word above it, nearest first: poodle, dog, animal."""
    above = PARENT.get(word, "any")
    return (word,) if above == "any" else (word, *lineage(above))


@cache
def excludes(word: str, other: str) -> bool:
    """True where nothing can be both: poodle and cat, happy and sad (but not woman and doctor)."""
    return any(b in SIBLINGS.get(a, ()) for a in lineage(word) for b in lineage(other))


@cache
def below(root: str) -> tuple[str, ...]:
    """The word and every word below it; of "any" and "none", nothing."""
    return () if root in ("any", "none") else (root, *(w for child in CHILDREN.get(root, ()) for w in below(child)))


def listed_under(name: str) -> list[str]:
    """All concepts of a section of the divisions: kinds, actions, properties, places or times."""
    return list(dict.fromkeys(w for entry in LEXICON["divisions"][name] for line in entry.values() for w in line))


@cache
def frames() -> dict[str, tuple[str, str]]:
    """action -> (kind of its subject, kind of its object), "any" and "none" included."""
    return {
        word: (frame["subject"], frame["object"])
        for frame in LEXICON["frames"]
        for root in frame["actions"]
        for word in below(root)
    }


def forms(word: str) -> list[str]:
    """The concept's own word and its synonyms."""
    return [word, *LEXICON["synonyms"].get(word, ())]


def plural(noun: str) -> str:
    return LEXICON["irregular_plurals"].get(noun) or _with_s(noun)


def progressive(verb: str) -> str:
    """running, chasing."""
    return LEXICON["irregular_forms"].get(verb, [verb.removesuffix("e") + "ing"])[0]


def participle(verb: str) -> str:
    """helped, eaten."""
    return LEXICON["irregular_forms"].get(verb, [0, verb.removesuffix("e") + "ed"])[1]


def words() -> list[str]:
    """The whole surface vocabulary, sorted: every token of every mini task is one of them."""
    concepts = {name: listed_under(name) for name in LEXICON["divisions"]}
    surface = {name: [form for word in concepts[name] for form in forms(word)] for name in concepts}
    inflected = [f(form) for verb in frames() for form in forms(verb) for f in (progressive, str)]
    inflected += [participle(form) for verb, (_, whom) in frames().items() if whom != "none" for form in forms(verb)]
    plurals = [plural(noun) for noun in surface["kinds"]]
    reviews = [word for group in LEXICON["reviews"].values() for word in group]
    listed = [*LEXICON["function_words"], *inflected, *plurals, *reviews]
    return sorted({*listed, *(form for group in surface.values() for form in group)})


def _with_s(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "sh", "ch", "x")) else "s")
