"""Tasks from plain words: is their order, or the end of the sentence, as it was?"""

from typing import Any

import numpy as np
import pandas as pd

from intertask.probes.words import Splits, changed_halves, finish, generator, is_word, sentences

MOST_LINES, REAL = 330_000, 300_000
SHORTEST, FARTHEST = 3, 5


def bigram_shift(splits: Splits) -> Splits:
    """Two neighbouring words are swapped in half of the sentences (Conneau et al. 2018, BShift): original, inverted.

    Only words are swapped, no punctuation, never the first one and never equal ones: a capital or a comma out of
    place tells nothing. Sentences have five words or more.
    """
    return changed_halves("bigram_shift", splits, _neighbours_swapped, ("original", "inverted"))


def _neighbours_swapped(row: Any, random: np.random.Generator) -> str | None:
    words = row.words
    free = [
        i
        for i in range(1, len(words) - 1)
        if is_word(words[i]) and is_word(words[i + 1]) and words[i].lower() != words[i + 1].lower()
    ]
    if not free or sum(map(is_word, words)) < 5:
        return None
    i = int(random.choice(free))
    return " ".join([*words[:i], words[i + 1], words[i], *words[i + 2 :]])


def real_fake(splits: Splits) -> Splits:
    """Two to four pairs of words are swapped in half of the sentences (Phang et al. 2018, Real/Fake): real, fake.

    The paper leaves open what a pair is. Here the 2 to 4 pairs are of distinct places, drawn at random among the
    words: no punctuation, so that the last mark stays, and not the first word, so that its capital does. The result
    differs from the source. Sentences have 5 to 60 words. Of a split with more than 330,000 lines that many are drawn,
    and at most 600,000 sentences stay, as many as in the paper.
    """
    drawn = {split: _drawn(frame, generator("real_fake lines", split)) for split, frame in splits.items()}
    return changed_halves("real_fake", drawn, _pairs_swapped, ("real", "fake"), most=REAL)


def _drawn(frame: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    return frame if len(frame) <= MOST_LINES else frame.iloc[np.sort(random.permutation(len(frame))[:MOST_LINES])]


def _pairs_swapped(row: Any, random: np.random.Generator) -> str | None:
    free = [i for i, word in enumerate(row.words) if i and is_word(word)]
    if not 4 <= len(free) < 60:
        return None
    pairs = int(random.integers(2, min(4, len(free) // 2) + 1))
    places = random.permutation(free)[: 2 * pairs]
    words = list(row.words)
    for one, other in places.reshape(pairs, 2):
        words[one], words[other] = words[other], words[one]
    return " ".join(words) if words != row.words else None


def eos(splits: Splits) -> Splits:
    """Where does the sentence end? Two successive sentences (Kim et al. 2019): acceptable, unacceptable.

    As in the original, both are stripped of punctuation and capitals, `sentence` is the text up to the end of the
    sentence and `following` the next one; in half of them the end is moved, here by one to five words to either side.
    No sentence stands in two rows, and each part has three words or more. For every pair whose end is moved there is an
    untouched one whose first part is as long, so that lengths tell next to nothing. A moved end can by chance be an
    end too.
    """
    made = {}
    for split, frame in sentences(splits).items():
        random = generator("eos", split)
        bare = [_bare(words) for words in frame["words"]]
        files = frame.index.get_level_values(0)
        rows, i = [], 0
        while i + 1 < len(frame):
            end = _moved_end(bare[i], bare[i + 1], random) if files[i] == files[i + 1] else None
            if end is not None:
                rows.append((i, len(bare[i]), end))
            i += 1 if end is None else 2
        made[split] = _cut(frame, bare, _equal_lengths([rows[n] for n in random.permutation(len(rows))]))
    return finish("eos", made)


def _bare(words: list[str]) -> list[str]:
    return ["".join(filter(str.isalnum, word)).lower() for word in words if is_word(word)]


def _moved_end(first: list[str], second: list[str], random: np.random.Generator) -> int | None:
    """Another end than that of the first sentence, in words of the two together; None where they are too short."""
    farthest = min(len(first) - SHORTEST, len(second) - SHORTEST, FARTHEST)
    if farthest < 1:
        return None
    return len(first) + int(random.integers(1, farthest + 1)) * int(random.choice([-1, 1]))


def _equal_lengths(rows: list[tuple[int, int, int]]) -> list[tuple[int, int, bool]]:
    """Of rows (number, end, moved end) pairs (number, end, moved?): a moved end and an untouched one that are equal."""
    waiting: dict[tuple[bool, int], list[int]] = {}
    found, used = [], set()
    for number, *ends in rows:
        for moved in (False, True):
            others = [other for other in waiting.get((not moved, ends[moved]), []) if other not in used]
            if others:
                found += [(number, ends[moved], moved), (others[0], ends[moved], not moved)]
                used |= {number, others[0]}
                break
        else:
            for moved in (False, True):
                waiting.setdefault((moved, ends[moved]), []).append(number)
    return sorted(found)


def _cut(frame: pd.DataFrame, bare: list[list[str]], rows: list[tuple[int, int, bool]]) -> pd.DataFrame:
    texts = [bare[i] + bare[i + 1] for i, _, _ in rows]
    source = frame["source"].to_list()
    return frame.iloc[[i for i, _, _ in rows]].assign(
        sentence=[" ".join(words[:end]) for words, (_, end, _) in zip(texts, rows, strict=True)],
        following=[" ".join(words[end:]) for words, (_, end, _) in zip(texts, rows, strict=True)],
        label=["unacceptable" if moved else "acceptable" for _, _, moved in rows],
        source=[f"{source[i]} {source[i + 1]}" for i, _, _ in rows],
    )
