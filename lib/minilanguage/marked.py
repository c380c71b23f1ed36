"""Words and spans of words: senses, tags, and the tasks of edge probing (constituents, names, roles, relations).

The edge probing form is a text and its targets, [{"span1": [start, end), "span2", "label"}], in words.
"""

import numpy as np

from minilanguage import grammar, lexicon
from minilanguage.grammar import article, surface
from minilanguage.lexicon import LEXICON
from minilanguage.meaning import Statement
from minilanguage.parse import TIMES, Parse, parse
from minilanguage.pronouns import PROFESSIONS
from minilanguage.sampling import COUNTRY, ERRANDS, HOME, SCENES, Domain, Rows, chance, pick, statement
from minilanguage.sentences import opinion
from minilanguage.trees import CONSTRUCTIONS

PLACES = lexicon.listed_under("places")
TOPICS, GOOD, BAD = (LEXICON["reviews"][key] for key in ("topics", "positive", "negative"))


# Senses


def senses(rng: np.random.Generator) -> Rows:
    """Rows (word, sentence1, sentence2, start1, end1, start2, end2, label): 1 where the word has one sense in both.

    A walk is a thing or what one does, a plot or a dog may be moving, one finds a film dull or finds a dog.
    """
    word, readings = pick(rng, list(SENSES)), [pick(rng, (0, 1)) for _ in range(2)]
    said = [" ".join(SENSES[word][reading](rng, word).split()) for reading in readings]
    starts = [f" {text}".index(f" {word} ") for text in said]
    places = [at for start in starts for at in (start, start + len(word))]
    yield word, *said, *places, int(readings[0] == readings[1])


def _thing(rng: np.random.Generator, word: str) -> str:
    return f"{opinion(rng, chance(rng, 0.5), [word])} ."


def _deed(rng: np.random.Generator, word: str) -> str:
    start = pick(rng, (f"{_someone(rng)} will", f"{_someone(rng)} did not", f"will {_someone(rng)}", "they", "we"))
    done_to = lexicon.frames()[word][1]
    whom = {"none": "", "animal": f"a {pick(rng, ('dog', 'bird', 'horse'))}"}.get(done_to, _someone(rng))
    return f"{start} {word} {whom} {_somewhere(rng)} {'?' if start.startswith('will') else '.'}"


def _someone(rng: np.random.Generator) -> str:
    return pick(rng, (pick(rng, HOME.names), f"the {pick(rng, PROFESSIONS)}"))


def _somewhere(rng: np.random.Generator) -> str:
    return pick(rng, ("", f"in the {pick(rng, PLACES)}"))


def _finding(rng: np.random.Generator, word: str) -> str:
    return f"{_someone(rng)} {word} the {pick(rng, TOPICS)} {pick(rng, GOOD + BAD)} ."


def _meeting(rng: np.random.Generator, word: str) -> str:
    return f"{_someone(rng)} {word} the {pick(rng, COUNTRY.words['kind'])} {_somewhere(rng)} ."


SENSES = dict.fromkeys(LEXICON["conversions"], (_thing, _deed)) | {
    "found": (_finding, _meeting),
    "moving": (
        lambda rng, word: f"the {pick(rng, TOPICS)} was {pick(rng, ('', 'very', 'really', 'never', 'not'))} {word} .",
        lambda rng, word: f"{_someone(rng)} was {pick(rng, ('', 'not'))} {word} {_somewhere(rng)} .",
    ),
}
"""word -> what makes a sentence with each of its two senses."""


# Tags


def supertags(rng: np.random.Generator) -> Rows:
    """Rows (words, supertags): for each word a category of combinatory categorial grammar: what it takes and gives."""
    tree = parse(" ".join(pick(rng, CONSTRUCTIONS)(rng, HOME).split()))
    yield tree.words, [category(tree, i) for i in range(len(tree.words))]


MODIFIER = r"(S\NP)\(S\NP)"
CATEGORIES = {
    **dict.fromkeys(("DET", "NUM"), "NP/N"),
    **{"NOUN": "N", "PROPN": "NP", "PRON": "NP", "CCONJ": "conj", "PART": MODIFIER, "PUNCT": "."},
}


def category(tree: Parse, i: int) -> str:
    """The category of word i (0-based), in the style of CCGbank, as far as the parse tells."""
    word, upos, above = tree.words[i], tree.upos[i], tree.head[i] - 1
    if upos == "VERB":
        verb = rf"S[{_form(tree, i)}]\NP"
        return f"({verb})/NP" if tree.children(i, "obj") else verb
    if upos == "AUX":
        return _auxiliary(tree, i)
    if upos == "SCONJ":
        return "(S/S)/S[dcl]" if i == 0 else f"({MODIFIER})/S[dcl]"
    if upos == "ADP":
        return "PP/NP" if tree.children(above, "cop") else f"({MODIFIER})/NP"
    if upos == "ADJ":
        return "N/N" if tree.deprel[i] == "amod" else r"S[adj]\NP"
    if upos == "ADV":
        before = {"where": "S[wq]/S[q]", "never": r"(S\NP)/(S\NP)"}
        return MODIFIER if word in TIMES and i > above else before.get(word, "S/S")
    if word in ("who", "what"):
        return "S[wq]/(S[q]/NP)" if tree.deprel[i] == "obj" else r"S[wq]/(S[dcl]\NP)"
    return r"(NP\NP)/(S[dcl]\NP)" if word == "that" else CATEGORIES[upos]


def _form(tree: Parse, i: int) -> str:
    """The feature of a predicate: ng (chasing), b (chase), dcl (chased), adj, or "" for a place or a noun."""
    forms = {"Tense=Pres|VerbForm=Part": "ng", "VerbForm=Inf": "b", "Degree=Pos": "adj"}
    return forms.get(tree.feats[i], "dcl" if tree.upos[i] == "VERB" else "")


def _auxiliary(tree: Parse, i: int) -> str:
    head = tree.head[i] - 1
    form = _form(tree, head)
    taken = rf"(S[{form}]\NP)" if form else "PP" if tree.children(head, "case") else "NP"
    asked = any(subject > i for subject in tree.children(head, "nsubj"))
    return f"(S[q]/{taken})/NP" if asked else rf"(S[dcl]\NP)/{taken}"


# Edge probing


def target(label: str | list[str], *spans: tuple[int, int]) -> dict:
    return {**{f"span{k}": list(span) for k, span in enumerate(spans, start=1)}, "label": label}


def constituents(rng: np.random.Generator) -> Rows:
    """Rows (text, targets): spans and the phrases that they are."""
    text = " ".join(pick(rng, CONSTRUCTIONS)(rng, COUNTRY).split())
    yield text, [target(label, span) for span, label in sorted(phrases(parse(text)))]


CLAUSE = ("nsubj", "cop", "aux", "advmod", "mark", "cc", "conj", "advcl", "punct", "obl")


def phrases(tree: Parse) -> set[tuple[tuple[int, int], str]]:
    """(span, label) of every phrase, by the labels of the Penn Treebank."""
    found = set()
    for i, upos in enumerate(tree.upos):
        word, clause = tree.words[i], tree.deprel[i] in ("root", "conj", "advcl", "acl:relcl")
        if word in ("who", "what", "that", "where"):
            found.add(((i, i + 1), "WHADVP" if word == "where" else "WHNP"))
        elif upos in ("NOUN", "PROPN", "PRON"):
            found.add((tree.span(i, (*CLAUSE, "case")), "NP"))
            if tree.children(i, "case"):
                found.add((tree.span(i, CLAUSE), "PP"))
        elif upos == "ADJ" and clause:
            found.add(((i, i + 1), "ADJP"))
        elif word in TIMES:
            found.add(((i, i + 1), "ADVP"))
        if clause:
            found |= _clauses(tree, i)
    return found


def _clauses(tree: Parse, i: int) -> set[tuple[tuple[int, int], str]]:
    """The verb phrase, the clause and what links it to another, of a clause with the predicate i."""
    own = tree.span(i, ("mark", "cc", "conj", "punct"))
    (subject,) = tree.children(i, "nsubj")
    parts = sorted([i, *tree.children(i, "aux", "cop"), *(j for j in tree.children(i, "advmod") if j > subject)])
    if tree.words[-1] == "?":
        return {(own, "SBARQ" if tree.words[0] in ("who", "what", "where") else "SQ")}
    found = {((parts[0], own[1]), "VP"), *([(tree.span(i, ("punct",)), "S")] if tree.children(i, "conj") else [])}
    if tree.deprel[i] != "acl:relcl":
        found.add((own, "S"))
    if tree.deprel[i] == "acl:relcl" or tree.children(i, "mark"):
        found.add((tree.span(i, ("conj", "punct")), "SBAR"))
    return found


def roles(rng: np.random.Generator) -> Rows:
    """Rows (text, targets): a verb and one of its arguments, labelled as in PropBank."""
    domain = pick(rng, (SCENES, ERRANDS))
    built = pick(rng, CONSTRUCTIONS)(rng, domain) if chance(rng, 0.5) else _told(rng, domain)
    text = " ".join(built.split())
    tree = parse(text)
    targets = [
        target(*argument) for i, upos in enumerate(tree.upos) if upos == "VERB" for argument in arguments(tree, i)
    ]
    if targets:
        yield text, targets


def _told(rng: np.random.Generator, d: Domain) -> str:
    link = pick(rng, ("and", "but"))
    return f"{grammar.clause(rng, statement(rng, d))} {link} {grammar.clause(rng, statement(rng, d))} ."


MODIFIERS = {
    **dict.fromkeys((*TIMES, "while"), "ARGM-TMP"),
    **dict.fromkeys(("not", "never"), "ARGM-NEG"),
    **{"where": "ARGM-LOC", "will": "ARGM-MOD", "because": "ARGM-CAU", "although": "ARGM-ADV"},
}


def arguments(tree: Parse, verb: int) -> list[tuple[str, tuple[int, int], tuple[int, int]]]:
    """(role, span of the verb, span of the argument) for each argument of a verb."""
    relations = {"nsubj": "ARG0", "nsubj:pass": "ARG1", "obj": "ARG1", "obl:agent": "ARG0", "obl": "ARGM-LOC"}
    found = []
    for i in tree.children(verb):
        mark = tree.children(i, "mark")
        role = relations.get(tree.deprel[i]) or MODIFIERS.get(tree.words[mark[0] if mark else i])
        if role and tree.words[i] == "that":
            noun = tree.head[verb] - 1
            found += [(f"R-{role}", (i, i + 1)), (role, tree.span(noun, (*CLAUSE, "case", "acl")))]
        elif role:
            found.append((role, tree.span(i, ("punct",))))
    return [(role, (verb, verb + 1), span) for role, span in found]


def names(rng: np.random.Generator) -> Rows:
    """Rows (text, targets): names, numbers and days. A name may be that of a person, a place, a film or a car."""
    link = (pick(rng, ("and", "but", "while")), "")
    pieces = [*_named_clause(rng), *([link, *_named_clause(rng)] if chance(rng, 0.5) else []), (".", "")]
    yield marked(pieces)


def name_tags(rng: np.random.Generator) -> Rows:
    """Rows (words, ner_tags): names by what they name, in IOB2; a person may have two, and a film one of two words."""
    kinds = {"PERSON": "person", "GPE": "location", "FAC": "location"}
    kinds |= {"PRODUCT": "product", "WORK_OF_ART": "creative-work"}
    for text, targets in names(rng):
        label = {found["span1"][0]: kinds.get(found["label"]) for found in targets}
        words, tags = [], []
        for place, word in enumerate(text.split()):
            kind = label.get(place)
            own = [word, pick(rng, HOME.names)] if kind in ("person", "creative-work") and chance(rng, 0.5) else [word]
            words += own
            tags += [f"{part}-{kind}" if kind else "O" for part in "BI"[: len(own)]]
        yield words, tags


def _named_clause(rng: np.random.Generator) -> list[tuple[str, str]]:
    """Pieces of a clause with their labels: who did what to whom, where and when."""
    who, whom, work, car, place = (pick(rng, HOME.names) for _ in range(5))
    profession, vehicle = pick(rng, PROFESSIONS), pick(rng, lexicon.below("vehicle"))
    verb, trade = pick(rng, ("helping", "harming", "kicking")), pick(rng, ("buying", "selling"))
    subjects = [
        [(who, "PERSON"), ("was", "")],
        [(f"the {profession}", ""), (who, "PERSON"), ("was", "")],
        [(pick(rng, ("two", "three")), "CARDINAL"), (f"{lexicon.plural(profession)} were", "")],
    ]
    deeds = [
        [(verb, ""), (whom, "PERSON")],
        [(f"{trade} the {vehicle}", ""), (car, "PRODUCT")],
        [(trade, ""), (pick(rng, ("two", "three")), "CARDINAL"), (lexicon.plural(pick(rng, lexicon.below("toy"))), "")],
    ]
    places = [
        [(f"in the {pick(rng, ('castle', 'school', 'tower', 'library'))}", ""), (place, "FAC")],
        [(f"in {pick(rng, ('', 'the village'))}", ""), (place, "GPE")],
    ]
    said = pick(rng, subjects) + pick(rng, deeds)
    if chance(rng, 0.3):
        said = [(f"{pick(rng, ('i', 'we', 'they'))} found the {pick(rng, TOPICS)}", ""), (work, "WORK_OF_ART")]
        said.append((pick(rng, GOOD + BAD), ""))
    elif chance(rng, 0.7):
        said += pick(rng, places)
    return said + [("yesterday", "DATE")] * chance(rng, 0.3)


def marked(pieces: list[tuple[str, str]]) -> tuple[str, list[dict]]:
    """The text of the pieces, and a target for each that has a label."""
    words: list[str] = []
    targets = []
    for said, label in pieces:
        start = len(words)
        words += said.split()
        targets += [target(label, (start, len(words)))] if label else []
    return " ".join(words), targets


def proto_roles(rng: np.random.Generator, domains: list[Domain], absent: set[str]) -> Rows:
    """Rows (text, targets): a verb, one of its arguments, and the properties that it has in what happens.

    They are some of those of Reisinger et al. 2015 and White et al. 2016, less the `absent` ones.
    """

    said = statement(rng, pick(rng, domains))
    if said.word("action"):
        tree = parse(grammar.sentence(rng, said))
        found = [found for found in arguments(tree, tree.root) if found[0] in ("ARG0", "ARG1")]
        labels = [[x for x in properties(said, role) if x not in absent] for role, *_ in found]
        targets = [target(label, *spans) for label, (_, *spans) in zip(labels, found, strict=True)]
        yield " ".join(tree.words), targets


DOERS = {(verb, "ARG0") for verb in ("move", "help", "harm", "chase", "eat", "buy", "sell")}
PROPERTIES = {
    "instigation": DOERS,
    "volition": DOERS | {("rest", "ARG0")},
    "change_of_location": {("move", "ARG0"), ("chase", "ARG0"), ("chase", "ARG1")},
    "stationary": {("rest", "ARG0")},
    "makes_physical_contact": {("harm", "ARG0"), ("harm", "ARG1"), ("eat", "ARG0"), ("eat", "ARG1")},
    "change_of_state": {("harm", "ARG1"), ("eat", "ARG1")},
    "destroyed": {("eat", "ARG1")},
    "changes_possession": {("buy", "ARG1"), ("sell", "ARG1")},
    "was_for_benefit": {("help", "ARG1"), ("eat", "ARG0"), ("buy", "ARG0"), ("sell", "ARG0")},
    "manipulated_by_another": {("harm", "ARG1"), ("eat", "ARG1"), ("buy", "ARG1"), ("sell", "ARG1")},
}
"""property -> the (verb, role) that have it where the event happens."""


def properties(s: Statement, role: str) -> list[str]:
    """The proto-role properties of an argument (ARG0 or ARG1) of a statement's action, sorted.

    Where nothing happens, or not yet, an argument is only sentient, and exists.
    """
    action, filler = s.word("action"), s.word("kind" if role == "ARG0" else "object")
    sentient = bool({"person", "animal"} & set(lexicon.lineage(filler)))
    happens = not s.negated and lexicon.lineage(s.word("time"))[-1] != "future"
    known = [name for name, held in PROPERTIES.items() if (lexicon.lineage(action)[-1], role) in held]
    found = known if happens else []
    found = found + ["awareness"] * (sentient and happens and action != "sleep")
    return sorted(found + ["sentient"] * sentient + ["existed_after"] * ("destroyed" not in found))


def relations(rng: np.random.Generator) -> Rows:
    """Rows (text, span1, span2, relation): how two nouns are related, as in SemEval-2010 Task 8, or Other."""
    relation, things, beside, link = pick(rng, RELATIONS)
    one, other = surface(rng, pick(rng, things)), surface(rng, pick(rng, beside))
    turned, be, quality = chance(rng, 0.5), pick(rng, ("is", "was")), pick(rng, ("big", "small", "old"))
    if link == "in":
        place, thing = f"in the {other}", f"{article(one)} {one}"
        text = f"{place} {be} {thing}" if turned else f"the {one} {place} {be} {quality}"
    else:
        text = f"the {other} {link} the {one}" if turned else f"the {one} {link} by the {other} {be} {quality}"
    direction = "" if relation == "Other" else "(e2,e1)" if turned else "(e1,e2)"
    if chance(rng, 0.5):
        text += f" {pick(rng, ('and', 'but'))} {grammar.clause(rng, statement(rng, HOME))}"
    first, second = sorted(text.split().index(word) for word in (one, other))
    yield f"{text} .", [first, first + 1], [second, second + 1], relation + direction


_LIVING = [*PROFESSIONS, *lexicon.below("animal")[1:]]
_WARES = [*lexicon.below("food")[1:], *lexicon.below("toy")]
_VEHICLES = lexicon.below("vehicle")
RELATIONS = [
    *[
        ("Component-Whole", lexicon.CHILDREN[whole], [whole], "in")
        for whole in ("house", "school", "castle", "village")
    ],
    *[("Content-Container", _WARES, [*PLACES, *_VEHICLES], "in")] * 4,
    *[("Entity-Destination", [*_WARES, *_VEHICLES], PROFESSIONS, "bought")] * 4,
    *[("Entity-Origin", [*_WARES, *_VEHICLES], PROFESSIONS, "sold")] * 4,
    ("Other", _LIVING, PLACES, "in"),
    *[("Other", lexicon.below("animal")[1:], _LIVING, "chased")],
    *[("Other", PROFESSIONS, PROFESSIONS, verb) for verb in ("helped", "kicked")],
]
"""(relation, what the first noun may be, what the second, the word that links them)."""
