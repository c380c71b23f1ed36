"""Sentences of many constructions with their parse: questions, relative clauses, coordination, tense and number."""

import zlib

import numpy as np

from minilanguage import lexicon
from minilanguage.grammar import BE, PLURAL, article, surface
from minilanguage.lexicon import LEXICON
from minilanguage.parse import parse
from minilanguage.sampling import COUNTRY, ERRANDS, HOME, SCENES, Domain, Rows, chance, pick
from minilanguage.sentences import opinion

TREE_COLUMNS = ["sent_id", "text", "words", "upos", "feats", "head", "deprel"]
DETERMINERS = ("a", "a", "a", "the", "the", "the", "some", "every", *PLURAL)
TREE_TENSES = ("past", "present")


def trees(rng: np.random.Generator) -> Rows:
    """Rows (sent_id, text, words, upos, feats, head, deprel), as a treebank of Universal Dependencies is read."""
    yield tree(construction(rng, pick(rng, (HOME, COUNTRY, SCENES, ERRANDS))))


def tree(said: str) -> tuple:
    """The row of a sentence."""
    text = " ".join(said.split())
    read = parse(text)
    return f"{zlib.crc32(text.encode()):08x}", text, read.words, read.upos, read.feats, read.head, read.deprel


def single_words(rng: np.random.Generator) -> Rows:
    """Rows as of `trees`, of sentences with one content word, as the probe of word content needs them."""
    words, said = pick(rng, CONTENT)
    word = surface(rng, pick(rng, words))
    who, plural = pick(rng, (("she", 0), ("he", 0), ("someone", 0), ("nobody", 0), ("everybody", 0), ("they", 1)))
    who, plural = ("they", 1) if "{plural}" in said else (who, plural)
    be = pick(rng, (BE["past"], BE["present"]))[plural]
    rest = said.format(word, a=article(word), plural=lexicon.plural(word), ing=lexicon.progressive(word))
    start = pick(rng, (f"{be} {who}", f"{who} {be}", f"{who} {be} not", f"{who} will be", f"{who} will not be"))
    yield tree(f"{start} {rest} {pick(rng, ('', 'now'))} {'?' if start.startswith(be) else '.'}")


CONTENT = (
    (lexicon.listed_under("properties"), "{0}"),
    (lexicon.listed_under("places"), "in the {0}"),
    ([word for word, (_, done_to) in lexicon.frames().items() if done_to == "none"], "{ing}"),
    ([word for word, (_, done_to) in lexicon.frames().items() if done_to == "person"], "{ing} someone"),
    (["chase", "eat", "buy", "sell"], "{ing} something"),
    ([w for w in lexicon.below("person") if w not in lexicon.PERSONS][1:], "{a} {0}"),
    ([w for root in ("animal", "food", "thing") for w in lexicon.below(root)[1:]], "{plural}"),
)
"""(words, what is said with one of them)."""


def construction(rng: np.random.Generator, d: Domain) -> str:
    """A sentence: one clause, two linked ones, a question or an opinion."""
    if chance(rng, 0.08):
        return f"{opinion(rng, chance(rng, 0.5), [*LEXICON['reviews']['topics'], *LEXICON['conversions']])} ."
    return pick(rng, CONSTRUCTIONS)(rng, d)


def simple(rng: np.random.Generator, d: Domain) -> str:
    return f"{drawn_clause(rng, d, chance(rng, 0.2), pick(rng, TREE_TENSES))} ."


def linked(rng: np.random.Generator, d: Domain) -> str:
    """Two clauses of one tense; see `coordinated` for those that "and" and "but" link."""
    link = pick(rng, ("and", "but", "and", "but", "because", "while", "although"))
    if link in ("and", "but"):
        return coordinated(rng, d, link)
    tense, denied = pick(rng, TREE_TENSES), chance(rng, 0.5)
    first, second = drawn_clause(rng, d, denied, tense), drawn_clause(rng, d, chance(rng, 0.3), tense)
    return f"although {first} , {second} ." if link == "although" else f"{first} {link} {second} ."


def coordinated(rng: np.random.Generator, d: Domain, link: str) -> str:
    """Clauses with "and" where both are affirmed or both denied, "but" where the second alone is denied.

    The second subject is, more often than not, a pronoun for the first one, which shows the clauses' order.
    """
    tense, denied = pick(rng, TREE_TENSES), link == "and" and chance(rng, 0.3)
    first = drawn_clause(rng, d, denied, tense)
    pronoun = pronoun_of(rng, first) if chance(rng, 0.7) else ""
    return f"{first} {link} {drawn_clause(rng, d, denied or link == 'but', tense, pronoun)} ."


def pronoun_of(rng: np.random.Generator, said: str) -> str:
    """The pronoun for the subject of a clause; "" for one animal, for which the language has none."""
    tree = parse(said)
    (subject,) = tree.children(tree.root, "nsubj")
    if "Number=Plur" in tree.feats[subject]:
        return "they"
    kinds = lexicon.lineage(tree.words[subject])
    if "woman" in kinds or "man" in kinds:
        return "she" if "woman" in kinds else "he"
    return pick(rng, ("she", "he")) if "person" in kinds else ""


def drawn_clause(rng: np.random.Generator, d: Domain, denied: bool, tense: str, pronoun: str = "") -> str:
    action = pick(rng, [*d.words["action"], "", *["found"] * (tense == "past")])
    word = pick(rng, agents(d, action))
    subject, plural = (pronoun, pronoun == "they") if pronoun else drawn_noun_phrase(rng, [word], d)
    adverb = {"past": "yesterday", "present": "now"}[tense] if chance(rng, 0.15) else ""
    said = f"{subject} {drawn_verb_phrase(rng, d, (word, action), tense, plural, denied)}"
    return f"{adverb} {said}" if chance(rng, 0.3) else f"{said} {adverb}"


def conjunctions(rng: np.random.Generator) -> Rows:
    """Rows (sentence, label): 1 where the conjunction fits (see `coordinated`), 0 where it is the other one."""
    link, label = pick(rng, ("and", "but")), pick(rng, (0, 1))
    fitting = link if label else {"and": "but", "but": "and"}[link]
    said = coordinated(rng, pick(rng, (HOME, COUNTRY, SCENES, ERRANDS)), fitting)
    yield " ".join(link if word in ("and", "but") else word for word in said.split()), label


def agents(d: Domain, action: str) -> list[str]:
    """Who may do the action."""
    kind = {"found": "person", "": "any"}.get(action) or lexicon.frames()[action][0]
    living = [w for w in d.words["object"] if {"person", "animal"} & set(lexicon.lineage(w))]
    return [w for w in living if kind in ("any", *lexicon.lineage(w))]


def drawn_noun_phrase(rng: np.random.Generator, kinds: list[str], d: Domain, deep: float = 0.35) -> tuple[str, bool]:
    """A noun phrase and whether it is plural; with the probability `deep` it has a relative clause, and so on."""
    word = surface(rng, pick(rng, kinds))
    if word in lexicon.PERSONS:
        return word, False
    determiner = pick(rng, DETERMINERS)
    plural = determiner in PLURAL or (determiner in ("the", "some") and chance(rng, 0.5))
    noun = lexicon.plural(word) if plural else word
    if chance(rng, 0.3) and fitting_properties(d, word):
        noun = f"{surface(rng, pick(rng, fitting_properties(d, word)))} {noun}"
    said = f"{article(noun) if determiner == 'a' else determiner} {noun}"
    return f"{said} that {relative(rng, d, word, plural)}" if chance(rng, deep) else said, plural


def fitting_properties(d: Domain, word: str) -> list[str]:
    """The properties that what the word stands for may have."""
    lifeless = word in (*lexicon.below("food"), *lexicon.below("thing"))
    return [w for w in d.words["property"] if not lifeless or w in ("big", "small", "old")]


def relative(rng: np.random.Generator, d: Domain, word: str, plural: bool) -> str:
    fitting = [action for action in d.words["action"] if word in agents(d, action)]
    action = pick(rng, fitting) if fitting and chance(rng, 0.7) else ""
    return drawn_verb_phrase(rng, d, (word, action), pick(rng, TREE_TENSES), plural, False)


def drawn_verb_phrase(
    rng: np.random.Generator, d: Domain, said: tuple[str, str], tense: str, plural: bool, denied: bool
) -> str:
    """Of (subject, action): a simple form or the progressive; without an action a property or a place."""
    subject, action = said
    be, place = BE[tense][plural], f"in the {pick(rng, d.words['place'])}"
    if not action:
        fitting = fitting_properties(d, subject) if chance(rng, 0.7) else []
        return f"{be} {'not' if denied else ''} {surface(rng, pick(rng, fitting)) if fitting else place}"
    done_to = "animal" if action == "found" else lexicon.frames()[action][1]
    objects = [w for w in d.words["object"] if done_to in lexicon.lineage(w)[1:] and w != subject]
    whom = drawn_noun_phrase(rng, objects, d)[0] if objects else ""
    return f"{_verb(rng, action, tense, plural, denied)} {whom} {place if chance(rng, 0.3) else ''}"


def _verb(rng: np.random.Generator, action: str, tense: str, plural: bool, denied: bool) -> str:
    """The verb with its auxiliary: "chased", "did not chase", "are chasing", as the words of the language allow."""
    if action == "found":
        return "never found" if denied else "found"
    if tense == "present" and plural and not denied and chance(rng, 0.8):
        return action
    if tense == "past" and denied and chance(rng, 0.5):
        return f"did not {action}"
    transitive = action != "eat" and lexicon.frames()[action][1] != "none"
    if tense == "past" and not denied and transitive and chance(rng, 0.7):
        return lexicon.participle(action)
    return f"{BE[tense][plural]} {'not' if denied else ''} {lexicon.progressive(action)}"


def drawn_question(rng: np.random.Generator, d: Domain) -> str:
    """A question: who does it, to whom or what, where, or whether it is so."""
    action, tense = pick(rng, d.words["action"]), pick(rng, TREE_TENSES)
    kind = lexicon.frames()[action][1]
    asked = pick(rng, ("who", "where", "where", "", *(["object"] if kind != "none" else [])))
    if asked == "who":
        return f"who {drawn_verb_phrase(rng, d, ('person', action), tense, False, False)} ?"
    subject, plural = drawn_noun_phrase(rng, agents(d, action), d, 0.0)
    word = {"object": "who" if kind == "person" else "what"}.get(asked, asked)
    auxiliary, verb = BE[tense][plural], lexicon.progressive(action)
    if tense == "past" and chance(rng, 0.5):
        auxiliary, verb = "did", action
    objects = [w for w in d.words["object"] if kind in lexicon.lineage(w)[1:] and w != subject]
    whom = drawn_noun_phrase(rng, objects, d, 0.1)[0] if objects and asked != "object" else ""
    place = f"in the {pick(rng, d.words['place'])}" if asked != "where" and chance(rng, 0.3) else ""
    return f"{word} {auxiliary} {subject} {verb} {whom} {place} ?"


CONSTRUCTIONS = (simple, simple, linked, linked, linked, drawn_question, drawn_question)
