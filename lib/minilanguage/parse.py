"""The parse of a sentence of the mini language, in the terms of Universal Dependencies (version 2).

The words are few and their order is strict: one reading from left to right, without a guess, finds the one parse.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from minilanguage import lexicon
from minilanguage.lexicon import LEXICON, PERSONS

_NUMBER = {False: "Number=Sing", True: "Number=Plur"}
_FINITE = "Mood=Ind|Number={}|Person={}|Tense={}|VerbForm=Fin"
_PRONOUN = "Case=Nom|Number={}|Person={}|PronType=Prs"
_WORDS = {  # word: (part of speech, features)
    **dict.fromkeys(("a", "an"), ("DET", "Definite=Ind|PronType=Art")),
    "the": ("DET", "Definite=Def|PronType=Art"),
    **dict.fromkeys(("every", "all"), ("DET", "PronType=Tot")),
    "some": ("DET", "PronType=Ind"),
    "no": ("DET", "PronType=Neg"),
    **dict.fromkeys(("two", "three"), ("NUM", "NumForm=Word|NumType=Card")),
    **dict.fromkeys(("in", "by"), ("ADP", "_")),
    "was": ("AUX", _FINITE.format("Sing", 3, "Past")),
    "were": ("AUX", _FINITE.format("Plur", 3, "Past")),
    "is": ("AUX", _FINITE.format("Sing", 3, "Pres")),
    "are": ("AUX", _FINITE.format("Plur", 3, "Pres")),
    "will": ("AUX", "VerbForm=Fin"),
    "did": ("AUX", "Mood=Ind|Tense=Past|VerbForm=Fin"),
    "be": ("AUX", "VerbForm=Inf"),
    "being": ("AUX", "Tense=Pres|VerbForm=Part"),
    "not": ("PART", "Polarity=Neg"),
    "never": ("ADV", "Polarity=Neg"),
    **dict.fromkeys(("now", "yesterday", "tomorrow", "very", "really"), ("ADV", "_")),
    "where": ("ADV", "PronType=Int"),
    **dict.fromkeys(("and", "but", "so"), ("CCONJ", "_")),
    **dict.fromkeys(("because", "although", "while"), ("SCONJ", "_")),
    "that": ("PRON", "PronType=Rel"),
    **dict.fromkeys(("who", "what"), ("PRON", "PronType=Int")),
    "i": ("PRON", _PRONOUN.format("Sing", 1)),
    "we": ("PRON", _PRONOUN.format("Plur", 1)),
    "they": ("PRON", _PRONOUN.format("Plur", 3)),
    "he": ("PRON", "Case=Nom|Gender=Masc|Number=Sing|Person=3|PronType=Prs"),
    "she": ("PRON", "Case=Nom|Gender=Fem|Number=Sing|Person=3|PronType=Prs"),
    "himself": ("PRON", "Case=Acc|Gender=Masc|Number=Sing|Person=3|PronType=Prs|Reflex=Yes"),
    "herself": ("PRON", "Case=Acc|Gender=Fem|Number=Sing|Person=3|PronType=Prs|Reflex=Yes"),
    **dict.fromkeys(("someone", "something"), ("PRON", "Number=Sing|PronType=Ind")),
    "everybody": ("PRON", "Number=Sing|PronType=Tot"),
    "nobody": ("PRON", "Number=Sing|PronType=Neg"),
    **dict.fromkeys((".", "?", ","), ("PUNCT", "_")),
}
_NOMINAL = ("DET", "NUM", "NOUN", "PROPN", "PRON")
TIMES = ("now", "yesterday", "tomorrow")


def _forms(section: str) -> Iterable[str]:
    return (form for word in lexicon.listed_under(section) for form in lexicon.forms(word))


_VERBS = {
    **{form: "base" for verb in lexicon.frames() for form in lexicon.forms(verb)},
    **{lexicon.progressive(verb): "-ing" for verb in lexicon.frames()},
    **{lexicon.participle(verb): "past" for verb, (_, done_to) in lexicon.frames().items() if done_to != "none"},
    **dict.fromkeys([*LEXICON["reviews"]["likes"], *LEXICON["reviews"]["dislikes"]], "base"),
    "found": "past",
}
_KINDS = [noun for noun in _forms("kinds") if noun not in PERSONS]
_ADJECTIVES = {*_forms("properties"), *LEXICON["reviews"]["positive"], *LEXICON["reviews"]["negative"]}
_TOPICS = (*LEXICON["reviews"]["topics"], *LEXICON["conversions"])
_WORDS |= dict.fromkeys(_VERBS, ("VERB", "_"))
_WORDS |= dict.fromkeys(_ADJECTIVES - {"moving"}, ("ADJ", "Degree=Pos"))
_WORDS |= dict.fromkeys([*_KINDS, *_forms("places"), *LEXICON["reviews"]["topics"]], ("NOUN", _NUMBER[False]))
_WORDS |= dict.fromkeys(map(lexicon.plural, _KINDS), ("NOUN", _NUMBER[True]))
_WORDS |= dict.fromkeys(PERSONS, ("PROPN", _NUMBER[False]))


@dataclass
class Parse:
    """Per word its part of speech, features ("_" where none), head (1-based, 0 for the root) and relation."""

    words: list[str]
    upos: list[str] = field(init=False)
    feats: list[str] = field(init=False)
    head: list[int] = field(init=False)
    deprel: list[str] = field(init=False)

    def __post_init__(self):
        if unknown := [word for word in self.words if word not in _WORDS]:
            raise ValueError(f"no word of the mini language: {unknown[0]}")
        self.upos, self.feats = ([_WORDS[word][i] for word in self.words] for i in (0, 1))
        self.head, self.deprel = [0] * len(self.words), ["root"] * len(self.words)
        for i in range(1, len(self.words)):  # "the walk", "the film was moving", "found the film really moving"
            before = next(upos for upos in reversed(["", *self.upos[:i]]) if upos not in ("ADJ", "ADV"))
            if _VERBS.get(self.words[i]) == "base" and before == "DET":
                self.upos[i], self.feats[i] = "NOUN", _NUMBER[False]
            if self.words[i] == "moving" and self._is_praise(i):
                self.upos[i], self.feats[i] = "ADJ", "Degree=Pos"
        _Reader(self).sentence()

    def _is_praise(self, i: int) -> bool:
        """Whether "moving" is said of a film or the like, not of someone who moves."""
        before = next((j for j in range(i - 1, -1, -1) if self.upos[j] not in ("ADV", "PART", "AUX")), 0)
        return self.upos[before] == "NOUN" and self.words[before] in _TOPICS

    def children(self, i: int, *relations: str) -> list[int]:
        """The words (0-based) below word i, of the given relations or of any."""
        own = [j for j, head in enumerate(self.head) if head == i + 1]
        return [j for j in own if not relations or self.deprel[j].partition(":")[0] in relations]

    def span(self, i: int, without: tuple[str, ...] = ()) -> tuple[int, int]:
        """[start, end) of word i and all below it, leaving out its own children of the given relations."""
        inner = [self.span(j) for j in self.children(i) if self.deprel[j].partition(":")[0] not in without]
        return min([i, *(start for start, _ in inner)]), max([i + 1, *(end for _, end in inner)])

    @property
    def root(self) -> int:
        return self.head.index(0)


def parse(text: str) -> Parse:
    """The parse of one sentence, its words separated by blanks; raises ValueError where it is none of the language."""
    return Parse(text.split())


class _Reader:
    """Reads a sentence from left to right; each method reads one constituent and returns its head word (0-based)."""

    def __init__(self, tree: Parse):
        self.tree, self.at = tree, 0

    def word(self, ahead: int = 0) -> str:
        return self.tree.words[self.at + ahead] if self.at + ahead < len(self.tree.words) else ""

    def upos(self, ahead: int = 0) -> str:
        return self.tree.upos[self.at + ahead] if self.at + ahead < len(self.tree.words) else ""

    def take(self) -> int:
        self.at += 1
        return self.at - 1

    def attach(self, child: int, head: int, relation: str) -> int:
        self.tree.head[child], self.tree.deprel[child] = head + 1, relation
        return head

    def fail(self) -> int:
        raise ValueError(f"no sentence of the mini language: {' '.join(self.tree.words)} (at word {self.at + 1})")

    def sentence(self) -> None:
        root = last = self.linked_clause()
        while self.word() == "," or self.upos() in ("CCONJ", "SCONJ"):
            comma = self.take() if self.word() == "," else None
            subordinate = self.upos() == "SCONJ"
            clause = self.linked_clause()
            if comma is not None:
                self.attach(comma, clause, "punct")
            if self.tree.deprel[root] == "root" and self.tree.words[self.tree.span(root)[0]] == "although":
                root = last = self.attach(root, clause, "advcl")
            else:
                self.attach(clause, last if subordinate else root, "advcl" if subordinate else "conj")
                last = last if subordinate else clause
        if self.upos() == "PUNCT":
            self.attach(self.take(), root, "punct")
        if self.at < len(self.tree.words):
            self.fail()

    def linked_clause(self) -> int:
        link = self.take() if self.upos() in ("CCONJ", "SCONJ") else None
        clause = self.clause()
        if link is not None:
            self.attach(link, clause, "cc" if self.tree.upos[link] == "CCONJ" else "mark")
        return clause

    def clause(self) -> int:
        """A statement or a question: what stands before the predicate, the predicate, what follows it."""
        before: list[tuple[int, str]] = []
        if self.word() in TIMES:
            before.append((self.take(), "advmod"))
        if self.word() == "in":
            return self.inverted(before)
        if self.word() in ("where", "who", "what"):
            asked = self.take()
            before.append((asked, "advmod" if self.tree.words[asked] == "where" else self.asked_for()))
        auxiliaries = [self.take()] if self.upos() == "AUX" else []
        if not any(relation == "nsubj" for _, relation in before):
            before.append((self.noun_phrase(modified=not auxiliaries), "nsubj"))
        head = self.predicate(auxiliaries, before)
        self.modifiers(head)
        return head

    def asked_for(self) -> str:
        """Whether "who" or "what" is the subject ("who is chasing bob", "who is a doctor") or the object."""
        rest = [upos for upos in self.tree.upos[self.at :] if upos != "ADJ"]
        inverted = rest[0] == "AUX" and rest[1] in ("DET", "NUM", "PROPN", "PRON") and "VERB" in rest[2:4]
        return "obj" if inverted else "nsubj"

    def inverted(self, before: list[tuple[int, str]]) -> int:
        """ "in the barn was a horse": the place is the predicate."""
        head = self.place()
        self.attach(self.take(), head, "cop")
        before.append((self.noun_phrase(), "nsubj"))
        for child, relation in before:
            self.attach(child, head, relation)
        return head

    def predicate(self, auxiliaries: list[int], before: list[tuple[int, str]]) -> int:
        """The verb with its object, or the adjective, place or noun with its copula; attaches `before` to it."""
        while self.upos() in ("AUX", "PART") or self.word() == "never":
            if self.upos() == "AUX":
                auxiliaries.append(self.take())
            else:
                before.append((self.take(), "advmod"))
        passive = bool(auxiliaries) and self.tree.words[auxiliaries[-1]] == "being"
        if self.upos() == "VERB":
            head = self.verb(auxiliaries, passive, before)
        elif self.upos() in ("ADJ", "ADV") and self.word() not in TIMES:
            head = self.adjective()
        elif self.word() == "in":
            head = self.place()
        elif self.upos() in _NOMINAL:
            head = self.noun_phrase()
        else:  # "where is anna"
            (head,) = [child for child, relation in before if self.tree.words[child] == "where"] or [self.fail()]
            self.tree.head[head], before = 0, [pair for pair in before if pair[0] != head]
        if self.tree.upos[head] != "VERB" or not auxiliaries:
            auxiliaries, copulas = auxiliaries[:-1], auxiliaries[-1:]
        else:
            copulas = []
        before += [(i, "aux:pass" if self.tree.words[i] == "being" else "aux") for i in auxiliaries]
        before += [(i, "cop") for i in copulas]
        for child, relation in before:
            self.attach(child, head, "nsubj:pass" if passive and relation == "nsubj" else relation)
        return head

    def verb(self, auxiliaries: list[int], passive: bool, before: list[tuple[int, str]]) -> int:
        head = self.take()
        subject = next(child for child, relation in before if relation == "nsubj")
        self.tree.feats[head] = self.verb_features(head, auxiliaries, passive, subject)
        if self.word() == "that":
            mark = self.take()
            self.tree.upos[mark], self.tree.feats[mark] = "SCONJ", "_"
            clause = self.clause()
            self.attach(mark, clause, "mark")
            self.attach(clause, head, "ccomp")
        elif self.upos() in _NOMINAL:
            self.attach(self.noun_phrase(), head, "obj")
            if self.tree.words[head] == "found" and (self.upos() == "ADJ" or self.word() in ("very", "really")):
                self.attach(self.adjective(), head, "xcomp")
        return head

    def verb_features(self, verb: int, auxiliaries: list[int], passive: bool, subject: int) -> str:
        form = _VERBS[self.tree.words[verb]]
        if form == "-ing":
            return "Tense=Pres|VerbForm=Part"
        if passive:
            return "Tense=Past|VerbForm=Part|Voice=Pass"
        if auxiliaries:
            return "VerbForm=Inf"
        number = "Plur" if "Number=Plur" in self.tree.feats[subject] else "Sing"
        person = 1 if "Person=1" in self.tree.feats[subject] else 3
        return _FINITE.format(number, person, "Past" if form == "past" else "Pres")

    def adjective(self) -> int:
        degree = self.take() if self.upos() == "ADV" else None
        head = self.take()
        return head if degree is None else self.attach(degree, head, "advmod")

    def place(self) -> int:
        case = self.take()
        return self.attach(case, self.noun_phrase(), "case")

    def modifiers(self, head: int) -> None:
        while self.word() in ("in", "by", *TIMES):
            if self.word() in TIMES:
                self.attach(self.take(), head, "advmod")
            else:
                relation = "obl:agent" if self.word() == "by" else "obl"
                self.attach(self.place(), head, relation)

    def noun_phrase(self, modified: bool = False) -> int:
        """Determiners, adjectives, noun, relative clause; if `modified`, also "the tower in the castle"."""
        before = []
        while self.upos() in ("PART", "DET", "NUM", "ADJ"):
            before.append(self.take())
        if self.upos() not in ("NOUN", "PROPN", "PRON"):
            self.fail()
        head = self.take()
        relations = {"PART": "advmod", "DET": "det", "NUM": "nummod", "ADJ": "amod"}
        for child in before:
            self.attach(child, head, relations[self.tree.upos[child]])
        if self.upos() == "PROPN" and self.tree.upos[head] == "NOUN":  # "the village mary"
            self.attach(self.take(), head, "appos")
        if self.word() == "that":
            self.attach(self.relative(), head, "acl:relcl")
        elif self.upos() == "VERB" and self.word(1) == "by":  # "the car bought by the farmer"
            clause = self.take()
            self.tree.feats[clause] = "Tense=Past|VerbForm=Part|Voice=Pass"
            self.attach(clause, head, "acl")
            self.attach(self.place(), clause, "obl:agent")
        elif modified and self.word() in ("in", "by"):
            self.attach(self.place(), head, "nmod")
        return head

    def relative(self) -> int:
        before = [(self.take(), "nsubj")]
        self.tree.feats[before[0][0]] = "PronType=Rel"
        head = self.predicate([], before)
        if self.tree.upos[head] == "VERB" and self.word() == "in":
            self.attach(self.place(), head, "obl")
        return head
