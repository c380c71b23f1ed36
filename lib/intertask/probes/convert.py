"""Rules that turn published files into a task's rows where no key of an entry can say how.

Each takes and returns split -> frame with the index (file, row); a row made keeps the place of the row that it came
from. Spans are [start, end) in the words of `text.split()`.
"""

import re
from collections import Counter
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pandas as pd

from intertask.errors import refusal, row_name
from intertask.probes.words import Splits, generator


def glue_diagnostic(splits: Splits) -> Splits:
    """The columns of the GLUE diagnostic file under plain names: `Lexical Semantics` becomes `lexical_semantics`."""
    plain = {split: frame.columns.str.lower().str.replace(r"\W", "_", regex=True) for split, frame in splits.items()}
    return {split: frame.set_axis(plain[split], axis="columns") for split, frame in splits.items()}


def wsc(splits: Splits) -> Splits:
    """SuperGLUE's WSC with `span1`, the noun phrase, and `span2`, the pronoun, from their text and first word's number.

    A span has as many words as its text, and stands where they read the same, punctuation at the edges, possessive 's
    and case aside. Of such places the nearest to the number counts, for one validation row's number is off by one.
    Where the text stands nowhere, as in two test rows whose phrase is scattered, the number counts alone. No row is
    left out.
    """
    return {split: _wsc_spans(frame) for split, frame in splits.items()}


def _wsc_spans(frame: pd.DataFrame) -> pd.DataFrame:
    spans = {}
    for span in ("span1", "span2"):
        given = _columns(frame, "text", f"{span}_text", f"{span}_index").itertuples(index=False, name=None)
        spans[span] = [
            _find(text.split(), phrase, near) or [near, near + len(phrase.split())] for text, phrase, near in given
        ]
    return frame.filter(["text", "label"]).assign(**spans)


def dpr(splits: Splits) -> Splits:
    """Definite pronoun resolution as two `targets` a sentence: the pronoun, each candidate, and `entailed` or not.

    Rahman and Ng 2012 in the form of edge probing (Tenney et al. 2019). The files do not say where the pronoun stands:
    of several places it is the first, and so for the candidates. A sentence in which one of the three stands nowhere as
    whole words is left out: one of 1,316 training sentences and none of 564 for testing. Validation is 15 % of
    train, drawn by twins, since the files come without one.
    """
    return _with_validation({split: _dpr_targets(frame) for split, frame in splits.items()})


def _dpr_targets(frame: pd.DataFrame) -> pd.DataFrame:
    rows = {}
    read = _columns(frame, "sentence", "pronoun", "candidates", "label")
    for where, text, pronoun, candidates, right in read.itertuples(name=None):
        words = text.split()
        pronoun, *candidates = [_find(words, phrase) for phrase in (pronoun, *candidates)]
        if pronoun and all(candidates):
            labels = ["entailed" if place == right else "not-entailed" for place in range(len(candidates))]
            targets = [
                {"span1": pronoun, "span2": candidate, "label": label}
                for candidate, label in zip(candidates, labels, strict=True)
            ]
            rows[where] = {"text": text, "targets": targets}
    return _frame(list(rows), list(rows.values()))


def semeval(splits: Splits) -> Splits:
    """SemEval 2010 task 8 with `span1` and `span2` for what stands between <e1> and </e1>, <e2> and </e2>.

    The marks become blanks, so that punctuation behind an entity is a word of its own; every sentence has both marks.
    Validation is 15 % of train, drawn: the share that edge probing holds out (Tenney et al. 2019 drew other rows). The
    rows come in an order, so the last of them would not do.
    """
    return _with_validation({split: _marked(frame) for split, frame in splits.items()})


def _marked(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for where, sentence, relation in _columns(frame, "sentence", "relation").itertuples(name=None):
        marked = re.fullmatch(r"(.*)<e1>(.*\S.*)</e1>(.*)<e2>(.*\S.*)</e2>(.*)", sentence, re.DOTALL)
        if not marked:
            found = repr(sentence)[:80]
            raise refusal(row_name(where), "<e1>…</e1> and then <e2>…</e2>, once each", found, "Fetch the file again.")
        parts = [part.split() for part in marked.groups()]
        ends = list(accumulate(map(len, parts)))
        text = " ".join(chain(*parts))
        rows.append({"text": text, "span1": ends[:2], "span2": ends[2:4], "relation": relation})
    return pd.DataFrame(rows, frame.index)


def qamr(splits: Splits) -> Splits:
    """QAMR's questions with their sentence as `passage` and the asker's answer as `answers`, in SQuAD's form.

    Answers are numbers of words. Where they leave words out (in 148 of the first 6,000 dev rows), the answer is all
    from the first to the last. The validators' answers are not read. No row is left out.
    """
    sentences = dict(_columns(splits["sentences"], "sentence_id", "sentence").to_numpy())
    return {split: _qamr_rows(frame, sentences) for split, frame in splits.items() if split != "sentences"}


def _qamr_rows(frame: pd.DataFrame, sentences: dict[str, str]) -> pd.DataFrame:
    rows = []
    read = _columns(frame, "sentence_id", "question", "answer")
    for where, sentence, question, answer in read.itertuples(name=None):
        if sentence not in sentences:
            remedy = "Fetch wiki-sentences.tsv again; sentences of the Penn Treebank are not in it."
            raise refusal(row_name(where), "the id of a sentence in wiki-sentences.tsv", f"'{sentence}'", remedy)
        if not re.fullmatch(r"\d+( \d+)*", answer):
            raise refusal(row_name(where), "the numbers of the answer's words", f"'{answer}'", "Fetch the file again.")
        words = sentences[sentence].split()
        numbers = [int(number) for number in answer.split()]
        answers = _squad(words, [(min(numbers), max(numbers) + 1)])
        rows.append({"question": question, "passage": " ".join(words), "answers": answers})
    return pd.DataFrame(rows, frame.index)


def qasrl(splits: Splits) -> Splits:
    """QA-SRL Bank 2.0: a row for each question, `answers` in SQuAD's form, those that most annotators gave first.

    FitzGerald et al. 2018. A question that no annotator could answer is left out.
    """
    return {split: _qasrl_rows(frame) for split, frame in splits.items()}


def _qasrl_rows(frame: pd.DataFrame) -> pd.DataFrame:
    places, rows = [], []
    for where, words, verbs in _columns(frame, "sentenceTokens", "verbEntries").itertuples(name=None):
        for question in chain(*(verb["questionLabels"].values() for verb in verbs.values())):
            judged = [judgment["spans"] for judgment in question["answerJudgments"] if judgment["isValid"]]
            spans = [span for span, _ in Counter(map(tuple, chain(*judged))).most_common()]
            if spans:
                text = {"question": question["questionString"], "passage": " ".join(words)}
                rows.append({**text, "answers": _squad(words, spans)})
                places.append(where)
    return _frame(places, rows)


def function_words(splits: Splits) -> Splits:
    """The acceptability sets of Kim et al. 2019 cut as their first fold says (`folds`: the metadata file).

    The ten folds are for cross validation; Pruksachatkun et al. 2020 took the first alone.
    """
    folds = {number: folds["fold1"] for number, folds in _columns(splits["folds"], "pair-id", "misc").to_numpy()}
    data = _columns(splits["data"], "context", "hypothesis", "label", "pair-id")
    parts = {"train": "train", "dev": "validation", "test": "test"}
    return _cut(data.drop(columns="pair-id"), data["pair-id"].map(folds), parts)


def senteval(splits: Splits) -> Splits:
    """A SentEval file, all splits in one, cut as its first column `part` says: tr, va or te."""
    rows = splits["all"]
    parts = _columns(rows, "part")["part"]
    return _cut(rows.drop(columns="part"), parts, {"tr": "train", "va": "validation", "te": "test"})


def from_english(splits: Splits) -> Splits:
    """WMT's pairs as on the Hub, a struct by language: `english`, and `translation` into the one other language."""
    return {split: _translated(frame) for split, frame in splits.items()}


def _translated(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for where, pair in _columns(frame, "translation")["translation"].items():
        others = sorted({*pair} - {"en"}) if isinstance(pair, dict) else []
        if len(others) != 1 or "en" not in pair:
            found = f"{pair!r:.80}"
            raise refusal(row_name(where), "a struct of a text in `en` and one in another language", found, "Mend it.")
        rows.append({"english": pair["en"], "translation": pair[others[0]]})
    return pd.DataFrame(rows, frame.index)


def _columns(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """These columns alone; a missing one is refused."""
    if missing := [name for name in names if name not in frame]:
        found = f"{', '.join(map(str, frame))} (no '{missing[0]}')"
        remedy = "Fetch the files as the entry says, or take out `derive`."
        raise refusal(frame.index[0][0], f"the columns {', '.join(names)}", found, remedy)
    return frame[list(names)]


def _find(words: list[str], wanted: str, near: int = 0) -> list[int] | None:
    """The run of words that reads as `wanted`, of several the nearest to number `near`; None if there is none."""
    wanted = " ".join(wanted.split())
    length = len(wanted.split())
    runs = [[start, start + length] for start in range(len(words) - length + 1)]
    alike = [run for run in runs if _bare(" ".join(words[slice(*run)])) == _bare(wanted)]
    return min(alike, key=lambda run: abs(run[0] - near), default=None)


def _bare(text: str) -> str:
    return re.sub(r"^\W+|(['’]s)?\W*$", "", text.lower())


def _squad(words: list[str], spans: list[tuple[int, int]]) -> dict[str, list]:
    """Answers as {text, answer_start}, the start in characters of the words joined by blanks."""
    starts = [len(" ".join(words[:start])) + (start > 0) for start, _ in spans]
    return {"text": [" ".join(words[start:end]) for start, end in spans], "answer_start": starts}


def _frame(places: list[tuple[str, int]], rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, pd.MultiIndex.from_tuples(places, names=["file", "row"]))


def _cut(rows: pd.DataFrame, parts: pd.Series, names: dict[str, str]) -> Splits:
    """Split -> its rows, where `parts` says for each row which of `names` it belongs to."""
    fault = ~parts.isin(list(names))
    if fault.any():
        found = repr(parts[fault].iloc[0])
        remedy = "Fetch the files again, both from one version."
        raise refusal(row_name(parts.index[fault.argmax()]), f"one of {', '.join(names)}", found, remedy)
    return {split: rows[parts == part] for part, split in names.items()}


def _with_validation(splits: Splits) -> Splits:
    """15 % of train as validation, drawn two successive rows at a time: those of Winograd's schemas are twins."""
    train = splits.get("train")
    if train is None:
        return splits
    twins = np.arange(len(train)) // 2
    drawn = generator("validation", "train").permutation(len(train) // 2)[: round(0.15 * len(train) / 2)]
    held = np.isin(twins, drawn)
    return {**splits, "train": train[~held], "validation": train[held]}
