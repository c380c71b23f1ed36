"""What the rules share: sentences that are distinct across splits, pairs of sentences that exchange a word, and rows
whose classes have equal size.

A *sentence* is a row with `words` (list of str, none with a blank inside) and `source` (the words joined by blanks).
"""

import itertools
import re
import sys
import zlib
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name

Splits = dict[str, pd.DataFrame]
"""Our split -> frame with the index (file, row)."""

NEWDOC = "# newdoc"
"""The column of a treebank, of truth values, for rules alone: whether a document begins with the sentence."""


class Slot(NamedTuple):
    """A place in a sentence whose word can be exchanged: with a slot of the kind `partner` in another sentence."""

    place: int
    kind: Hashable
    partner: Hashable


def generator(rule: str, split: str) -> np.random.Generator:
    """The random numbers of one rule on one split; they depend on these two names alone."""
    return np.random.default_rng(zlib.crc32(f"{rule} {split}".encode()))  # hash() differs from process to process


def is_word(token: str) -> bool:
    """True for a token with a letter or a digit in it; the others are punctuation and symbols."""
    return any(character.isalnum() for character in token)


def sentences(splits: Splits) -> Splits:
    """The distinct sentences of each split: `words` and `source`, beside the columns of a frame with one in a row.

    Read from the column `words` (a list, as of a treebank), else `sentence` (one in a row), else `text` (several in a
    row, see `split_text`). A sentence that occurs twice, whatever its capitals, stays once, and one that two splits
    share leaves train, so that dev and test do not depend on how much of train is at hand.
    """
    seen: set[str] = set()
    distinct = {}
    for split in sorted(splits, key="train".__eq__):  # train last, as False comes before True
        frame = _with_words(splits[split], split)
        if frame.empty:
            raise refusal(place_of(split, splits[split]), "a sentence or more", "none", "Give the rule text.")
        keys = _keys(frame, "source")
        distinct[split] = frame[~(keys.isin(seen) | keys.duplicated())]
        if distinct[split].empty:
            found = "all of its sentences in the others"
            remedy = "Give each split text of its own."
            raise refusal(place_of(split, splits[split]), "a sentence that is its own", found, remedy)
        seen.update(keys)
    return {split: distinct[split] for split in splits}


def in_order(splits: Splits) -> Splits:
    """All sentences of each split as they follow each other, one that occurs again too, with `document`, its number.

    A document ends with its file, at an empty row and at a heading (see `split_text`); in a treebank at `# newdoc`.
    """
    return {split: _with_words(frame, split) for split, frame in splits.items()}


def _with_words(raw: pd.DataFrame, split: str) -> pd.DataFrame:
    column = next((name for name in ("words", "sentence", "text") if name in raw), None)
    if column is None:
        found = f"{list(raw.columns)}"
        raise refusal(place_of(split, raw), "a column words, sentence or text", found, "Rename a column.")
    for where, value in raw[column].items():
        texts = value if column == "words" and isinstance(value, list | np.ndarray) else [value]
        if not all(isinstance(text, str) for text in texts) or (texts is not value and column == "words"):
            expected = "a list of words" if column == "words" else "text"
            raise refusal(f"{row_name(where)}, column '{column}'", expected, f"{value!r:.80}", "Mend or drop the row.")
    document = _documents(raw, column)
    if column == "text":
        found = raw["text"].map(split_text)
        raw = pd.DataFrame({"words": [*itertools.chain(*found)]}, index=raw.index.repeat(found.map(len)))
        words, document = raw["words"], document.repeat(found.map(len))
    elif column == "sentence":
        words = raw["sentence"].map(split_tokens)
    else:
        words = raw["words"].map(list)
    return raw.assign(words=words, source=words.map(" ".join), document=document)[words.map(len) > 0]


def _documents(raw: pd.DataFrame, column: str) -> pd.Series:
    """The number of the document in which each row stands; a row that ends one has the next one's."""
    files = raw.index.get_level_values(0)
    if NEWDOC in raw:
        begins = raw[NEWDOC].astype(bool)
    else:
        begins = raw[column].map(lambda value: isinstance(value, str) and (not value.strip() or is_heading(value)))
    return (begins | (files != files.to_series().shift().to_numpy())).cumsum()


def place_of(split: str, frame: pd.DataFrame) -> str:
    """A split, with the first of its files, for a refusal."""
    return f"Split {split}, {frame.index.levels[0][0]}"


def split_tokens(text: str) -> list[str]:
    """The words of a text that are separated by blanks; punctuation at the edge of a word is a word of its own.

    A full stop is that only at the end of the text, since inside it may belong to an abbreviation.
    """
    text = re.sub(r"(?<=\w)([,;:!?)\]\"”]+)(?=\s|$)", r" \1", text)
    text = re.sub(r"(?<!\S)([\"“(\[]+)(?=\w)", r"\1 ", text)
    text = re.sub(r"(?<=\w)(\.+)([\"”)]*)\s*$", r" \1 \2", text)
    return [sys.intern(word) for word in text.split()]


def split_text(text: str) -> list[list[str]]:
    """The sentences of a text, as words; a heading (" = Title = ", as in WikiText) and an empty line give none.

    A sentence ends with a mark (. ! ?) that stands alone or ends the text, outside quotation marks or before the
    closing one, where no small letter follows.
    """
    if is_heading(text):
        return []
    words = split_tokens(text)
    found: list[list[str]] = [[]]
    quoted = False
    for word, after in itertools.zip_longest(words, words[1:], fillvalue=""):
        ended = word in _ENDS or (quoted and word == '"' and found[-1][-1] in _ENDS)
        quoted ^= word == '"'
        found[-1].append(word)
        if ended and not quoted and not after[:1].islower():
            found.append([])
    return [sentence for sentence in found if sentence]


_ENDS = {".", "!", "?"}


def is_heading(text: str) -> bool:
    return bool(re.fullmatch(r"\s*=.*=\s*", text))


def changed_halves(
    rule: str,
    splits: Splits,
    change: Callable[[Any, np.random.Generator], str | None],
    labels: tuple[str, str],
    most: int | None = None,
) -> Splits:
    """A task whose sentences are untouched or changed by `change(row, generator)`; `labels` name the two.

    Which half is changed is drawn only among the sentences that can be changed (`change` gives a text, not None), so
    that what the change needs is there in both classes. Of each class `most` rows stay at the most.
    """
    made = {}
    for split, frame in sentences(splits).items():
        random = generator(rule, split)
        frame = frame.assign(changed=[change(row, random) for row in frame.itertuples()]).dropna(subset="changed")
        chosen = halves(len(frame), random)
        sentence = frame["changed"].where(chosen, frame["source"])
        made[split] = frame.assign(sentence=sentence, label=np.where(chosen, labels[1], labels[0]))
    return finish(rule, made, most=most)


def replaced(words: list[str], place: int, word: str) -> list[str]:
    """The words with another one at a place, with the capitals of the one that stood there."""
    old = words[place]
    if old.isupper() and len(old) > 1:
        word = word.upper()
    elif old[:1].isupper():
        word = word[:1].upper() + word[1:]
    return [*words[:place], word, *words[place + 1 :]]


def exchanged_halves(
    rule: str,
    frames: Splits,
    slot_of: Callable[[Any, np.random.Generator], Slot | None],
    labels: tuple[str, str],
    change: Callable[[list[str], int, str], list[str]] = replaced,
) -> Splits:
    """A task whose sentences stand in pairs; half the pairs stay as they are, in the others the two exchange a word.

    So both classes have the same eligible sentences, and neither the words nor their frequencies tell them apart.
    `change(words, place, word)` gives the changed words; a pair that it leaves alike is dropped.
    """
    made = {}
    for split, frame in frames.items():
        random = generator(rule, split)
        rows = list(frame.itertuples())
        slots = [slot_of(row, random) for row in rows]
        pairs = [new for pair in _pairs(slots, random) if (new := _exchanged(rows, slots, pair, change))]
        texts = {
            i: (text, labels[1]) if chosen else (rows[i].source, labels[0])
            for pair, chosen in zip(pairs, halves(len(pairs), random), strict=True)
            for i, text in pair
        }
        order = sorted(texts)
        sentence, label = [texts[i][0] for i in order], [texts[i][1] for i in order]
        made[split] = frame.iloc[order].assign(sentence=sentence, label=label)
    return finish(rule, made)


def _exchanged(
    rows: list[Any], slots: list[Slot], pair: tuple[int, int], change: Callable[[list[str], int, str], list[str]]
) -> list[tuple[int, str]] | None:
    """The two sentences, by number, with their words exchanged; None where that changes nothing."""
    new = []
    for here, other in (pair, pair[::-1]):
        word = rows[other].words[slots[other].place].lower()
        new.append((here, " ".join(change(rows[here].words, slots[here].place, word))))
    return new if all(text != rows[i].source for i, text in new) else None


def _pairs(slots: list[Slot | None], random: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Pairs of sentences, by number, each of which has the kind of slot that the other wants; drawn at random."""
    by_kind: dict[Hashable, list[int]] = {}
    partner = {}
    for i in random.permutation(len(slots)).tolist():
        if slots[i] is not None:
            by_kind.setdefault(slots[i].kind, []).append(i)
            partner[slots[i].kind] = slots[i].partner
    while by_kind:
        kind, ours = by_kind.popitem()
        theirs = ours[1::2] if partner[kind] == kind else by_kind.pop(partner[kind], [])
        yield from zip(ours[::2] if partner[kind] == kind else ours, theirs, strict=False)


def halves(count: int, random: np.random.Generator) -> np.ndarray:
    """A mask (count,) that is True for a half drawn at random, or for one less than the others."""
    return random.permutation(count) < count // 2


def labelled(rule: str, frames: Splits, label_of: Callable[[Any], str | None], enough: int = 0) -> Splits:
    """A task whose sentences stay as they are; `label_of(row)` names the class, or gives None to leave one out."""
    made = {}
    for split, frame in frames.items():
        labels = [label_of(row) for row in frame.itertuples()]
        made[split] = frame.assign(sentence=frame["source"], label=labels).dropna(subset="label")
    return finish(rule, made, enough)


def finish(rule: str, made: Splits, enough: int = 0, most: int | None = None) -> Splits:
    """The rows of a classification: apart across splits, classes of train, equal in size as by `balanced`.

    The columns are `sentence`, `following` (of pairs), `label` and `source`. Refuses a split with fewer than two
    classes.
    """
    known = set(made["train"]["label"])
    rows = {}
    for split, frame in apart(made).items():
        frame = balanced(frame[frame["label"].isin(known)], generator(f"balance {rule}", split), enough, most)
        if frame["label"].nunique() < 2:
            found = ", ".join(f"{label} ({count})" for label, count in frame["label"].value_counts().items())
            remedy = "Give the rule more text, or leave this task out."
            raise refusal(f"Rule {rule}, split {split}", "rows of two classes or more", found or "no rows", remedy)
        rows[split] = frame[[name for name in ("sentence", "following", "label", "source") if name in frame]]
    return rows


def apart(made: Splits) -> Splits:
    """Drops what a change has made alike: the same text twice in a split, and in train one of another split."""
    elsewhere: set[str] = set()
    apart = {}
    for split in sorted(made, key="train".__eq__):
        frame = made[split]
        texts = _keys(frame, "sentence", *(["following"] if "following" in frame else []))
        sources = _keys(frame, "source")
        apart[split] = frame[~(texts.duplicated() | texts.isin(elsewhere) | sources.isin(elsewhere))]
        elsewhere.update(itertools.chain(texts, sources))
    return {split: apart[split] for split in made}


def _keys(frame: pd.DataFrame, *columns: str) -> pd.Series:
    """By what texts are compared: without their capitals."""
    keys = ["\n".join(texts).casefold() for texts in zip(*(frame[column] for column in columns), strict=True)]
    return pd.Series(keys, index=frame.index, dtype=object)


def balanced(
    frame: pd.DataFrame, random: np.random.Generator, enough: int = 0, most: int | None = None
) -> pd.DataFrame:
    """The frame with as many rows of every label as the rarest one has, or `enough` where a label has that many.

    Of each label `most` rows stay at the most.
    """
    labels = frame["label"].to_numpy()
    names, counts = np.unique(labels, return_counts=True)
    size = max(counts.min(initial=len(labels)), enough)
    kept = [random.permutation(np.flatnonzero(labels == name))[:size][:most] for name in names]
    return frame.iloc[np.sort(np.concatenate(kept))] if kept else frame
