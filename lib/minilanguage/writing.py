"""Texts to write: the next sentence, a reply, a translation; and the clauses between which a marker stands."""

import numpy as np

from minilanguage import grammar, lexicon
from minilanguage.entailment import ENTAILMENT, related
from minilanguage.lexicon import LEXICON
from minilanguage.pairs import askable
from minilanguage.parse import Parse, parse
from minilanguage.pronouns import PROFESSIONS, deed
from minilanguage.reading import affirmed, implied
from minilanguage.sampling import COUNTRY, ERRANDS, HOME, SCENES, Domain, Rows, chance, pick, several, statement
from minilanguage.sentences import opinion
from minilanguage.trees import construction, coordinated, tree

DOMAINS = (HOME, COUNTRY, SCENES, ERRANDS)


def next_sentences(rng: np.random.Generator) -> Rows:
    """Rows (sentence, following): what somebody does, and what follows from it, said of him or her in other words."""
    told = affirmed(rng, pick(rng, DOMAINS))
    follows = implied(rng, told)
    if follows:
        pronoun = "she" if "woman" in lexicon.lineage(told.word("kind")) else "he"
        yield grammar.sentence(rng, told), f"{grammar.clause(rng, follows, pronoun)} ."


def replies(rng: np.random.Generator) -> Rows:
    """Rows (comment, reply): a question and its answer, or an opinion and another one of the same kind on its topic."""
    if chance(rng, 0.5):
        said, gap = askable(rng)
        yield grammar.question(rng, said, gap), grammar.sentence(rng, said)
    else:
        topic, liked = [pick(rng, LEXICON["reviews"]["topics"])], chance(rng, 0.5)
        comment, reply = (f"{opinion(rng, liked, topic)} ." for _ in range(2))
        if comment != reply:
            yield comment, reply


def translations(rng: np.random.Generator) -> Rows:
    """Rows (english, translation): a sentence, and the same by rule in a second made-up language: see `translated`."""
    english = " ".join(construction(rng, pick(rng, DOMAINS)).split())
    yield english, translated(parse(english))


def translated(said: Parse) -> str:
    """The sentence in a language without articles, in which a word follows what depends on it.

    Behind a noun stand only its prepositions and what describes it, behind a verb its auxiliaries and the clauses
    linked to it. A word is the English one backwards with an ending for its part of speech; names and marks stay.
    """
    mark = [said.words[-1]] if said.upos[-1] == "PUNCT" else []
    return " ".join([*_in_order(said, said.root), *mark])


BEHIND = ("case", "amod", "acl", "nummod", "aux", "cop", "conj", "advcl")
ENDINGS = {"NOUN": "o", "ADJ": "a", "VERB": "i", "AUX": "is", "ADV": "e", "PRON": "u"}


def _in_order(said: Parse, i: int) -> list[str]:
    behind = [j for relation in BEHIND for j in said.children(i, relation)]
    before = [j for j in said.children(i) if j not in behind and said.upos[j] != "PUNCT" and "Art" not in said.feats[j]]
    parts = [*(_in_order(said, j) for j in before), [_foreign(said, i)], *(_in_order(said, j) for j in behind)]
    return [word for part in parts for word in part]


def _foreign(said: Parse, i: int) -> str:
    word, upos = said.words[i], said.upos[i]
    return word if upos == "PROPN" else word[::-1] + ENDINGS.get(upos, "")


def linked_clauses(rng: np.random.Generator) -> Rows:
    """Rows as of `trees.trees`, of clauses that "and", "but", "because" or "so" links, each as often as the others.

    "and" and "but" as in `trees.coordinated`; "because" gives the reason of a deed, "so" what follows from what is so.
    """
    for marker in ("and", "but", "because", "so"):
        yield tree(f"{_linked(rng, marker, pick(rng, DOMAINS))} .")


def _linked(rng: np.random.Generator, marker: str, domain: Domain) -> str:
    if marker == "because":
        return _with_reason(rng)
    if marker != "so":
        return coordinated(rng, domain, marker).removesuffix(" .")
    premise = None
    while premise is None:
        said = statement(rng, domain)
        premise = related(rng, said, domain, {ENTAILMENT})
    return f"{grammar.clause(rng, premise)} , so {grammar.clause(rng, said)}"


def _with_reason(rng: np.random.Generator) -> str:
    gender, pronoun = pick(rng, (("woman", "she"), ("man", "he")))
    one, other = several(rng, [*lexicon.CHILDREN[gender], *(f"the {who}" for who in PROFESSIONS)], 2)
    verb, _, why = deed(rng)
    place = f"in the {pick(rng, lexicon.listed_under('places'))}" if chance(rng, 0.5) else ""
    return f"{one} was {verb} {other} {place} because {pronoun} was {why}"
