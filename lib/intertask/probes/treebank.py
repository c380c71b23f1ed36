"""Probes from trees: the tasks of SentEval (Conneau et al. 2018, ACL) built by rule, parts of speech and relations.

They need the columns of a CoNLL-U file (see `tasks/conllu.py`). The text given is the words joined by blanks. What
SentEval reads from constituents is read from dependencies here. SentEval also keeps the words that carry tense and
number apart across splits, for which treebanks are too small.
"""

from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd

from intertask.errors import refusal
from intertask.probes.words import (
    Slot,
    Splits,
    balanced,
    changed_halves,
    exchanged_halves,
    finish,
    generator,
    labelled,
    place_of,
    sentences,
)

BINS = 6
MOST_DEPTHS = 7
SEQUENCES = 19
CONTENT_WORDS = 1000
ENOUGH = 30
"""Rows that a class may have, in a task of many classes, where the rarest has fewer."""

_COLUMNS = ("words", "upos", "feats", "head", "deprel")


def _parsed(splits: Splits) -> Splits:
    """The distinct sentences of each split; refuses frames that are no treebank."""
    check_parsed(splits)
    return sentences(splits)


def check_parsed(splits: Splits) -> None:
    """Refuses frames that are no treebank."""
    for split, frame in splits.items():
        if missing := [column for column in _COLUMNS if column not in frame]:
            remedy = "Give the rule CoNLL-U files."
            raise refusal(place_of(split, frame), f"the columns of a treebank, among them {missing[0]}", "none", remedy)


def sentence_length(splits: Splits) -> Splits:
    """How many words has the sentence (SentLen)? Bins "1" (short) to "6", as many rows of each in a split.

    The bins are the sextiles of train, counted in syntactic words, punctuation among them; a treebank with few lengths
    has fewer bins. SentEval has fixed bins, which few sentences of other corpora would fill.
    """
    frames = _parsed(splits)
    lengths = frames["train"]["words"].map(len)
    # lower: an edge is a length that occurs
    tops = np.unique(np.quantile(lengths, np.arange(1, BINS) / BINS, method="lower"))
    return labelled("sentence_length", frames, lambda row: str(1 + np.searchsorted(tops, len(row.words))))


def word_content(splits: Splits) -> Splits:
    """Which of these words does the sentence hold (WC)? One class per word, exactly one of them in a sentence.

    The words (lower case, in letters) are in train in 10 sentences or more, and there mostly nouns, verbs, adjectives
    or names; of more than 1,000 the rarest. A class has 5 rows of train or more, and at most 30 in any split.
    """
    frames = _parsed(splits)
    targets = _content_words(frames["train"])

    def one_of(row: Any) -> str | None:
        held = targets & {word.lower() for word in row.words}
        return held.pop() if len(held) == 1 else None

    rows = Counter(map(one_of, frames["train"].itertuples()))
    targets_left = {word for word in targets if rows[word] >= 5}
    return labelled("word_content", frames, lambda row: word if (word := one_of(row)) in targets_left else None, ENOUGH)


def _content_words(train: pd.DataFrame) -> set[str]:
    uses = Counter(
        (word.lower(), tag) for row in train.itertuples() for word, tag in zip(row.words, row.upos, strict=True)
    )
    total, content = Counter(), Counter()
    for (word, tag), count in uses.items():
        total[word] += count
        content[word] += count if tag in {"NOUN", "VERB", "ADJ", "PROPN"} else 0
    held = Counter(word for words in train["words"] for word in {word.lower() for word in words})
    chosen = [
        word for word, count in held.items() if count >= 10 and word.isalpha() and content[word] >= 0.9 * total[word]
    ]
    return set(sorted(chosen, key=lambda word: (held[word], word))[:CONTENT_WORDS])


def tree_depth(splits: Splits) -> Splits:
    """How deep is the tree (TreeDepth)? Words on the longest way from the root down, punctuation left out.

    The classes are up to 7 successive depths: as many as have 30 rows each in train, and those that leave most rows.
    Depth grows with length, so every depth gets as many sentences as the others of the same length (in steps of three
    words): length tells next to nothing.
    """
    frames = {
        split: frame.assign(
            sentence=frame["source"],
            depth=[_depth(row) for row in frame.itertuples()],
            stratum=frame["words"].map(len) // 3,
        )
        for split, frame in _parsed(splits).items()
    }
    depths = _depths_at_hand(frames["train"])
    made = {split: _matched(frame, depths, generator("tree_depth", split)) for split, frame in frames.items()}
    return finish("tree_depth", made)


def _depths_at_hand(train: pd.DataFrame) -> range:
    random = generator("tree_depth", "depths")
    best = range(0)
    for count in range(MOST_DEPTHS, 1, -1):
        windows = [range(low, low + count) for low in range(1, train["depth"].max() - count + 2)]
        sizes = {window: len(_matched(train, window, random)) for window in windows}
        best = max(sizes, key=sizes.__getitem__, default=best)
        if sizes.get(best, 0) >= ENOUGH * count:
            break
    return best


def _matched(frame: pd.DataFrame, depths: range, random: np.random.Generator) -> pd.DataFrame:
    """The rows of these depths, in each stratum of lengths as many of every depth."""
    frame = frame[frame["depth"].isin(depths)]
    frame = frame.assign(label=frame["depth"].astype(str))
    strata = [group for _, group in frame.groupby("stratum") if group["label"].nunique() == len(depths)]
    return pd.concat([frame.iloc[:0], *(balanced(group, random) for group in strata)]).sort_index()


def top_constituents(splits: Splits) -> Splits:
    """The relations of the root's dependents in order, the root among them (TopConst): "nsubj root obj", … or "other".

    The 19 sequences that are most frequent in train, with 10 sentences or more, and "other"; subtypes of relations and
    punctuation are left out. At most 30 rows per class, or as many as the rarest class has.
    """
    frames = _parsed(splits)
    counts = Counter(map(_top, frames["train"].itertuples()))
    frequent = {sequence for sequence, count in counts.most_common(SEQUENCES) if count >= 10}
    return labelled("top_constituents", frames, lambda row: top if (top := _top(row)) in frequent else "other", ENOUGH)


def past_present(splits: Splits) -> Splits:
    """The tense of the main clause's finite verb (Tense): past, present.

    That is the root where it is finite, else its first finite auxiliary or copula ("has gone" is present, "was ill"
    past). Sentences without one, or with a modal, are left out.
    """
    return labelled("past_present", _parsed(splits), _tense)


def subj_number(splits: Splits) -> Splits:
    """The number of the main clause's subject (SubjNum): singular, plural. The subject is one noun, uncoordinated."""
    return labelled("subj_number", _parsed(splits), lambda row: _number(row, "nsubj"))


def obj_number(splits: Splits) -> Splits:
    """The number of the main clause's direct object (ObjNum): singular, plural. It is one noun, uncoordinated."""
    return labelled("obj_number", _parsed(splits), lambda row: _number(row, "obj"))


def odd_man_out(splits: Splits) -> Splits:
    """A noun or verb is replaced in half of the sentences (SOMO): original, changed.

    Two sentences of a split, of five words or more, exchange their words, so both classes hold the same words equally
    often. The two words have the same part of speech and features and a frequency in train between the same powers of
    two, and both begin with a vowel or neither, for the sake of `a` and `an`. Words with capitals are left alone.
    """
    frames = _parsed(splits)
    counts = Counter(word for words in frames["train"]["words"] for word in words)

    def slot_of(row: Any, random: np.random.Generator) -> Slot | None:
        tagged = list(zip(row.words, row.upos, strict=True))
        places = [
            i for i, (word, upos) in enumerate(tagged) if upos in {"NOUN", "VERB"} and word.isalpha() and word.islower()
        ]
        if not places or len(row.words) < 5:
            return None
        place = int(random.choice(places))
        word = row.words[place]
        kind = (row.upos[place], row.feats[place], word[0] in "aeiou", (1 + counts[word]).bit_length())
        return Slot(place, kind, kind)

    return exchanged_halves("odd_man_out", frames, slot_of, ("original", "changed"))


def coordination_inversion(splits: Splits) -> Splits:
    """Two coordinate clauses change places in half of the sentences (CoordInv): original, inverted.

    The sentence is two clauses, each with a subject of its own, a conjunction between them and a last mark; it has no
    other punctuation than commas. Conjunction, the comma before it and the last mark stay where they are, and so does
    the capital at the beginning: only the order differs.
    """
    return changed_halves("coordination_inversion", _parsed(splits), _clauses_swapped, ("original", "inverted"))


def _clauses_swapped(row: Any, random: np.random.Generator) -> str | None:
    clauses = _clauses(row)
    if clauses is None:
        return None
    first, between, second, last = ([row.words[i] for i in part] for part in clauses)
    if first[0][0].isupper():
        if row.upos[0] != "PROPN" and first[0] != "I" and not (first[0].isupper() and len(first[0]) > 1):
            first[0] = first[0][0].lower() + first[0][1:]
        second[0] = second[0][0].upper() + second[0][1:]
    return " ".join([*second, *between, *first, *last])


def _clauses(row: Any) -> tuple[range, range, range, range] | None:
    """The places of the first clause, of comma and conjunction, of the second clause and of the last mark."""
    root = row.head.index(0)
    others = [i for i in dependents(row, root) if relation_of(row, i) == "conj"]
    if len(others) != 1 or not _has_subject(row, root) or not _has_subject(row, others[0]):
        return None
    second = span(row, others[0])
    start = next((i for i in dependents(row, others[0]) if relation_of(row, i) == "cc"), second[0])
    end = len(row.words) - (row.upos[-1] == "PUNCT")
    comma = start - (row.words[start - 1] == ",")
    marks = {word for word, upos in zip(row.words[:end], row.upos, strict=False) if upos == "PUNCT"} - {","}
    apart = relation_of(row, start) == "cc" and second[-1] + 1 == end and second[0] >= comma
    if marks or not apart or comma < 2 or end - start < 3 or relation_of(row, 0) == "cc":
        return None
    return range(comma), range(comma, start + 1), range(start + 1, end), range(end, len(row.words))


def _has_subject(row: Any, head: int) -> bool:
    return any(relation_of(row, i).endswith("subj") for i in dependents(row, head))


def pos(splits: Splits) -> Splits:
    """The part of speech of every word, in the form of edge probing (Tenney et al. 2019): `text` and `targets`.

    A target has `span1`, the word's place in `text.split()`, and `label`, its universal part of speech. Classes are as
    frequent as in the treebank, as in edge probing; those that train does not have are left out of the other splits.
    """
    return _targets("pos", splits, _pos_targets)


def dep(splits: Splits) -> Splits:
    """The relation of every word to its head, in the form of edge probing (Tenney et al. 2019): `text` and `targets`.

    `span1` is the dependent, `span2` the head, `label` the relation with its subtype; the root, which has no head,
    makes no target. Classes as of `pos`.
    """
    return _targets("dep", splits, _dep_targets)


def _targets(rule: str, splits: Splits, targets_of: Callable[[Any], list[dict[str, Any]]]) -> Splits:
    frames = _parsed(splits)
    targets = {split: [targets_of(row) for row in frame.itertuples()] for split, frame in frames.items()}
    known = {target["label"] for row in targets["train"] for target in row}
    if len(known) < 2:
        found = ", ".join(sorted(known)) or "none"
        raise refusal(f"Rule {rule}, split train", "two classes or more", found, "Give it a larger treebank.")
    made = {}
    for split, frame in frames.items():
        kept = [[target for target in row if target["label"] in known] for row in targets[split]]
        rows = frame.assign(text=frame["source"], targets=kept)
        made[split] = rows.loc[[bool(row) for row in kept], ["text", "targets", "source"]]
    return made


def _pos_targets(row: Any) -> list[dict[str, Any]]:
    return [{"span1": place, "label": upos} for place, upos in zip(_places(row), row.upos, strict=True)]


def _dep_targets(row: Any) -> list[dict[str, Any]]:
    places = _places(row)
    arcs = zip(places, row.head, row.deprel, strict=True)
    return [{"span1": place, "span2": places[head - 1], "label": name} for place, head, name in arcs if head]


def _places(row: Any) -> list[list[int]]:
    """[start, end) of each word in what blanks part of the text: a word may hold blanks itself, as in Vietnamese."""
    ends = list(accumulate(len(word.split()) for word in row.words))
    return [list(place) for place in zip([0, *ends], ends, strict=False)]


def dependents(row: Any, head: int) -> list[int]:
    return [i for i, above in enumerate(row.head) if above == head + 1]


def relation_of(row: Any, i: int) -> str:
    return row.deprel[i].partition(":")[0]


def span(row: Any, head: int) -> list[int]:
    """The places of a word and all that depends on it, in order."""
    return sorted([head, *(place for i in dependents(row, head) for place in span(row, i))])


def _depth(row: Any) -> int:
    # the root also where it is a mark: every sentence has a depth
    return max(1 + _steps_to_root(row, i) for i in range(len(row.words)) if row.upos[i] != "PUNCT" or not row.head[i])


def _steps_to_root(row: Any, i: int) -> int:
    return 1 + _steps_to_root(row, row.head[i] - 1) if row.head[i] else 0


def _top(row: Any) -> str:
    root = row.head.index(0)
    names = {root: "root", **{i: relation_of(row, i) for i in dependents(row, root)}}
    return " ".join(names[i] for i in sorted(names) if names[i] != "punct")


def _tense(row: Any) -> str | None:
    root = row.head.index(0)
    helpers = [i for i in dependents(row, root) if relation_of(row, i) in {"aux", "cop"}]
    finite = next((i for i in (root, *helpers) if _feature(row, i, "VerbForm") == "Fin"), None)
    tense = None if finite is None else _feature(row, finite, "Tense")
    return {"Past": "past", "Pres": "present"}.get(tense)


def _number(row: Any, name: str) -> str | None:
    found = [i for i in dependents(row, row.head.index(0)) if relation_of(row, i) == name]
    if len(found) != 1 or row.upos[found[0]] != "NOUN":
        return None
    if any(relation_of(row, i) == "conj" for i in dependents(row, found[0])):
        return None
    return {"Sing": "singular", "Plur": "plural"}.get(_feature(row, found[0], "Number"))


def _feature(row: Any, i: int, name: str) -> str | None:
    return dict(part.split("=", 1) for part in row.feats[i].split("|") if "=" in part).get(name)
