"""What follows what: sentences in their order, one and the next, two clauses and the marker between them."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from intertask.errors import refusal
from intertask.probes.treebank import check_parsed, dependents, relation_of, span
from intertask.probes.words import Splits, apart, finish, in_order, is_word, place_of

DISSENT = ("and", "but", "because", "if", "when", "before", "though", "so")
"""The markers of DisSent that Wang et al. 2019 kept, of the fifteen of Nie et al. 2019."""

COORDINATING, SUBORDINATING = {"and", "but", "so"}, {"because", "if", "when", "before", "though", "so"}
LINKS = {"cc", "mark", "advmod"}
NEEDED = ("nsubj", "advcl", "mark", "conj", "cc")


def sentences_of_text(splits: Splits) -> Splits:
    """Every sentence in its order as a row of `text`, for language modelling by sentences; one may occur again."""
    return {split: frame[["source"]].set_axis(["text"], axis="columns") for split, frame in in_order(splits).items()}


def skipthought(splits: Splits) -> Splits:
    """A sentence and the next one of its document (Kiros et al. 2015): the columns `sentence` and `following`.

    Of any text whose rows stand in their order; `words.in_order` says where a document ends. A pair stays once, and
    one that two splits share leaves train.
    """
    made = {}
    for split, frame in in_order(splits).items():
        after = frame[["source", "document"]].shift(-1)
        follows = frame["document"] == after["document"]
        pairs = pd.DataFrame({"sentence": frame["source"], "following": after["source"]})[follows]
        if pairs.empty:
            remedy = "Give the rule texts of several sentences; an empty row or a heading ends one."
            raise refusal(place_of(split, splits[split]), "two sentences that follow each other", "none", remedy)
        made[split] = pairs.assign(source=pairs["sentence"] + " " + pairs["following"])
    return {split: frame.drop(columns="source") for split, frame in apart(made).items()}


def dissent(splits: Splits) -> Splits:
    """Which of eight markers linked the two clauses (DisSent, Nie et al. 2019): `sentence`, `following`, `label`.

    Of a parsed treebank of English, in relations of Universal Dependencies. Both clauses have a subject (nsubj):

    - and, but, so, where they are `cc`: the conjuncts. Of the two that is the head of `cc` the second one where it
      stands behind `cc`, as in version 2 of the relations, and the first where it stands before, as in version 1.
    - because, if, when, before, though, so, where they are `mark` or `advmod` of an `advcl`: its governor and that.
    - any but when, where it links the root and is the first word: the sentence before in the document, and the rest.

    The first clause is the governor's, wherever it stands. A clause is the unbroken run of words around its head, with
    its subject in it, that depend on it, without the other clause, its own `cc` and `mark` and the marks at its edges;
    it ends with a full stop, and begins with a capital where the sentence does. Classes are as frequent as in the text.
    """
    check_parsed(splits)
    frames = in_order(splits)
    _check_relations(frames["train"])
    made = {split: _marked_pairs(frame) for split, frame in frames.items()}
    return finish("dissent", made, enough=sys.maxsize)


def _check_relations(train: pd.DataFrame) -> None:
    """Refuses a treebank in which one of the relations between clauses never occurs."""
    found = Counter(name.partition(":")[0] for names in train["deprel"] for name in names)
    if missing := [name for name in NEEDED if name not in found]:
        known = ", ".join(f"{name or '_'} ({count:,})" for name, count in found.most_common(12))
        expected = f"the relations {', '.join(NEEDED)} of Universal Dependencies"
        remedy = "Give the rule a treebank of whole sentences in these relations."
        raise refusal(place_of("train", train), expected, f"no {' and no '.join(missing)} among {known}", remedy)


def _marked_pairs(frame: pd.DataFrame) -> pd.DataFrame:
    places, rows, before = [], [], None
    for row in frame.itertuples():
        same = before is not None and before.document == row.document
        for marker, first, second, source in _pairs(row, before if same else None):
            places.append(row.Index)
            rows.append({"sentence": first, "following": second, "label": marker, "source": source})
        before = row
    index = pd.MultiIndex.from_tuples(places, names=["file", "row"]) if places else frame.index[:0]
    return pd.DataFrame(rows, index, columns=["sentence", "following", "label", "source"])


def _pairs(row: Any, before: Any | None) -> Iterator[tuple[str, str, str, str]]:
    """The marker, the two clauses and what they were taken from, for each marker in the sentence that links two."""
    for i, word in enumerate(row.words):
        if word.lower() in DISSENT and (heads := _linked(row, i)):
            clauses = [_clause(row, head, i, other) for head, other in zip(heads, heads[::-1], strict=True)]
            if all(clauses):
                yield word.lower(), *(_said(row, clause) for clause in clauses), row.source
        elif word.lower() in DISSENT and before is not None and _links_back(row, i, before):
            rest = _stripped(row, range(i + 1, len(row.words)))
            first = _said(before, _stripped(before, range(len(before.words))))
            yield word.lower(), first, _said(row, rest), f"{before.source} {row.source}"


def _linked(row: Any, i: int) -> tuple[int, int] | None:
    """The heads of the two clauses that the marker at place i links, the governor's first; None where it links none."""
    marker, head = row.words[i].lower(), row.head[i] - 1
    if head < 0:
        return None
    pair = None
    if marker in COORDINATING and relation_of(row, i) == "cc":
        if i < head:
            pair = (row.head[head] - 1, head) if relation_of(row, head) == "conj" else None
        else:
            pair = next(((head, j) for j in dependents(row, head) if j > i and relation_of(row, j) == "conj"), None)
    elif marker in SUBORDINATING and relation_of(row, i) in ("mark", "advmod") and relation_of(row, head) == "advcl":
        pair = row.head[head] - 1, head
    return pair if pair and pair[0] >= 0 else None  # a fragment's root may bear such a relation


def _clause(row: Any, head: int, marker: int, other: int) -> list[int]:
    """The places of the clause around `head`, in order; none where its subject is not among them."""
    links = [marker, *(i for i in dependents(row, head) if relation_of(row, i) in ("cc", "mark"))]
    own = {*span(row, head)} - {place for link in links for place in span(row, link)}
    if other in own:
        own -= {*span(row, other)}
    start = end = head
    while start - 1 in own:
        start -= 1
    while end + 1 in own:
        end += 1
    clause = _stripped(row, range(start, end + 1))
    return clause if any(i in clause for i in _subjects(row, head)) else []


def _links_back(row: Any, i: int, before: Any) -> bool:
    """Whether the marker at place i links the whole sentence, whose first word it is, to the one before."""
    first = next(place for place, word in enumerate(row.words) if is_word(word))
    root = row.head.index(0)
    linking = i == first and row.head[i] - 1 == root and relation_of(row, i) in LINKS and row.words[i].lower() != "when"
    return linking and bool(_subjects(row, root)) and bool(_subjects(before, before.head.index(0)))


def _subjects(row: Any, head: int) -> list[int]:
    return [i for i in dependents(row, head) if relation_of(row, i).startswith("nsubj")]  # version 1: nsubjpass


def _stripped(row: Any, places: range) -> list[int]:
    """The places without the marks at both edges."""
    words = [i for i in places if is_word(row.words[i])]
    return list(range(words[0], words[-1] + 1)) if words else []


def _said(row: Any, places: list[int]) -> str:
    words = [row.words[i] for i in places]
    if next(word for word in row.words if is_word(word))[:1].isupper():
        words[0] = words[0][:1].upper() + words[0][1:]
    return " ".join([*words, "."])
