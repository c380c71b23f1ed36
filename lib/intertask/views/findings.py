"""What may surprise in a task that is sound: said before training, and not refused."""

import fnmatch
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype

from intertask.errors import number_of
from intertask.formats.columns import shows
from intertask.formats.extractive_qa import LONGEST_ANSWER
from intertask.metrics import begun_spans
from intertask.tasks.load import Task
from intertask.views.listing import SPLIT_ORDER
from intertask.views.overview import shortened
from intertask.written import NOTHING

SMALL = 50  # examples of a dev set, below which one of them weighs two points of accuracy and more
RARE = 10  # training examples of a label
SELDOM = 0.05  # of the training examples, where labels are few
FEW_LABELS = 10
FAR_FROM_MOST = 10  # interquartile ranges beyond the quartiles
MOST_NAMES = 8
NONE = {*NOTHING, "?", "_"}
QUOTED = r"""".+"|'.+'|`.+`|“.+”|«.+»"""


def findings(task: Task) -> list[str]:
    """One sentence for each; empty where there is nothing to say."""
    of_texts = (_empty, _constant, _same_inputs, _signs_of_a_writer, _uneven, _places, _one_word, _begun_inside)
    of_splits = _of_splits(task, *of_texts, _unlabelled, _absent, _numbers, _too_long)
    others = (_outliers, _of_most, _alike, _odd_names, _rare, _repeated, _shared)
    return [*_sizes(task), *of_splits, *(sentence for find in others for sentence in find(task))]


def label_findings(task: Task) -> list[str]:
    """Those of labels that a split lacks, or of which train has few: a subset drawn from it may have fewer still."""
    return [*_of_splits(task, _absent), *_rare(task)]


def _of_splits(task: Task, *finders: Callable[[Task, str, pd.DataFrame], Iterator[str]]) -> Iterator[str]:
    return (one for find in finders for split, frame in task.splits.items() for one in find(task, split, frame))


def _sizes(task: Task) -> Iterator[str]:
    dev = len(task.splits.get("validation", []))
    if 0 < dev < SMALL:
        yield f"validation has {number_of(dev, 'example')}: one of them is {100 / dev:.1f} points of accuracy."
    if task.entry.files and (others := [split for split in task.splits if split not in SPLIT_ORDER]):
        yield f"{', '.join(others)}: neither train, validation nor test, and scored beside them as a split of its own."
    for split, size in task.entry.sizes.items():
        if split in task.splits and len(task.splits[split]) != size:
            yield f"{split} has {number_of(len(task.splits[split]), 'example')}; the entry's `sizes` says {size}."


def _empty(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    texts = {column: ~frame[column].map(shows).astype(bool) for column in task.entry.inputs}
    if "choices" in frame:
        texts["choices"] = frame["choices"].map(lambda choices: not all(map(shows, choices))).astype(bool)
    for column, empty in texts.items():
        if empty.any():
            count = _of(empty.sum(), frame)
            yield f"{split}: {count} have an empty text in {column}, the first: number {_first(empty)}."


def _constant(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    for column in task.entry.inputs:
        if len(frame) > 1 and frame[column].nunique() == 1:
            yield f"{split}: every {column} is the same, '{shortened(frame[column].iloc[0])}'."


def _same_inputs(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    for one, other in combinations(task.entry.inputs, 2):
        same = (frame[one] == frame[other]).sum()
        if same > SELDOM * len(frame):
            yield f"{split}: {_of(same, frame)} have the same text in {one} and {other}."


def _signs_of_a_writer(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    """What a writer of files may have put around or before characters of a text."""
    for column in task.entry.inputs:
        texts = frame[column].str.strip()
        if (texts.str.startswith("[") & texts.str.endswith("]")).all():
            yield f"{split}: every {column} looks like a list written as text; a list wants JSONL or Parquet."
        if len(frame) > 1 and texts.str.fullmatch(QUOTED).all():
            yield f"{split}: every {column} has quotation marks around it; are they a writer's?"
        escaped = texts.str.contains(r'\\"')
        if escaped.any() and not texts.str.contains(r'(?:^|[^\\])"').any():
            yield f'{split}: {_of(escaped.sum(), frame)} have \\" in {column}, and none " alone; is it a writer\'s?'


def _uneven(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    counts = frame["choices"].map(len) if "choices" in frame else pd.Series(dtype=int)
    if counts.nunique() > 1:
        yield f"{split}: {counts.min()} to {counts.max()} choices; those that an example lacks are never chosen."
    if (same := counts > frame["choices"].map(lambda one: len(set(one))) if len(counts) else counts).any():
        yield f"{split}: {_of(same.sum(), frame)} have a choice twice, the first: number {_first(same)}."


def _places(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    """Spans given in characters that begin or end within a word, as where counts begin at 1 or are those of bytes."""
    if task.entry.span_unit == "characters":
        targets = [(row, target) for row, spans in enumerate(frame["spans"]) for target in spans]
        within = sum(_within_words(task, frame, *one) for one in targets)
        if within > SELDOM * len(targets):
            of = number_of(len(targets), "target")
            yield f"{split}: {within} of {of} have a span that begins or ends within a word."


def _within_words(task: Task, frame: pd.DataFrame, row: int, target: np.ndarray) -> bool:
    texts = [frame[task.entry.inputs[task.form.text_of_span(k)]].iloc[row] for k in range(len(target))]
    edges = [(text, int(place)) for text, span in zip(texts, target, strict=True) for place in span]
    return any(text[max(place - 1, 0) : place + 1].isalnum() and 0 < place < len(text) for text, place in edges)


def _one_word(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    if task.entry.format == "tagging" and len(frame) > 1 and (frame["spans"].map(len) == 1).all():
        yield f"{split}: every example is one word; in a .conll a blank line ends a sentence."


def _begun_inside(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    """Tags I and E before which nothing of their span stands: in IOB2 and BIOES a slip, in IOB1 the custom."""
    if "span_f1" in task.entry.metrics and "label" in frame:
        tags = task.form.labels(frame)
        begun = begun_spans(tags, frame.index.repeat(frame["spans"].map(len)), task.entry.labels)[:, 0] >= 0
        inside = sum(task.entry.labels[i][0] in "IE" for i in tags[begun])
        if inside:
            of = number_of(begun.sum(), "span")
            yield f"{split}: {inside} of {of} begin with I- or E-, and are read as begun there."


def _unlabelled(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    if task.entry.label and "label" not in frame:
        yield f"{split} has no labels, or the same mark everywhere: it is predicted and not scored."


def _numbers(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    """Of labels that are numbers: those that never vary, and a -1 or -100 below all others, which may be a mark."""
    if "label" in frame and is_float_dtype(frame["label"]):
        labels = frame["label"]
        if len(labels) > 1 and labels.nunique() == 1:
            yield f"{split}: every label is {labels.iloc[0]:g}; no correlation can be told."
        for mark in (-1, -100):
            marked = labels == mark
            if marked.any() and (labels[~marked] >= 0).all():
                yield f"{split}: {_of(marked.sum(), frame)} have the label {mark}; does it stand for none?"


def _too_long(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    """Answers that no prediction is as long as."""
    if task.entry.format == "extractive_qa" and "label" in frame:
        long = (
            frame["label"].map(lambda answers: min((len(one.split()) for one in answers), default=0)) > LONGEST_ANSWER
        )
        if long.any():
            of = _of(long.sum(), frame)
            yield f"{split}: {of} have no answer of {LONGEST_ANSWER} words or fewer; no prediction has more tokens."


def _of_most(task: Task) -> Iterator[str]:
    """The metric f1 where most examples have its label: it is the rarer one, as a rule, that is to be found."""
    if task.entry.files and "f1" in task.entry.metrics and "label" in task.splits.get("train", ()):
        share = task.form.shares(task.splits["train"]["label"]).get(1, 0.0)
        if share > 0.5:
            name = task.entry.labels[1]
            yield f"f1 is that of '{name}', the second of the labels, which {100 * share:.0f} % of train have."


def _outliers(task: Task) -> Iterator[str]:
    """Labels that are numbers and lie far from the others: by them alone a squared error would go."""
    labels = task.splits.get("train", pd.DataFrame()).get("label")
    if labels is not None and is_float_dtype(labels) and not task.entry.outliers:
        low, high = labels.quantile([0.25, 0.75])
        if far := int(
            ((labels < low - FAR_FROM_MOST * (high - low)) | (labels > high + FAR_FROM_MOST * (high - low))).sum()
        ) * (high > low):
            of = _of(far, task.splits["train"])
            yield f"train: {of} have a label far from most, of which half are {low:g} to {high:g}; see `outliers`."


def _absent(task: Task, split: str, frame: pd.DataFrame) -> Iterator[str]:
    form = task.form_of(split)
    if (labels := form.entry.labels) and "label" in frame:
        present = set(form.ids(frame["label"]))
        absent = [name for i, name in enumerate(labels) if i not in present]
        if absent:
            yield f"{split} lacks {len(absent)} of {number_of(len(labels), 'label')}: {_names(absent)}."


def _alike(task: Task) -> Iterator[str]:
    """Labels that are one, perhaps, in two spellings."""
    for what, key in {"differ in capitals alone": str.casefold, "look or count alike": _looks}.items():
        alike: dict[str, list[str]] = {}
        for name in task.entry.labels or []:
            alike.setdefault(key(name), []).append(name)
        if twice := next((names for names in alike.values() if len(names) > 1), None):
            shown = twice if key is str.casefold else map(ascii, twice)
            yield f"labels that {what}: {', '.join(shown)}; are they one?"
            return


def _looks(name: str) -> str:
    """A label as it looks, or the number that it says."""
    seen = "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if shows(sign))
    return f"{float(seen)}" if re.fullmatch(r"[+-]?\d{1,15}(\.\d*)?(e\d)?", seen) else seen


def _odd_names(task: Task) -> Iterator[str]:
    """Names of labels that may be marks for none, hold a writer's signs, or are several; patterns of no name."""
    names = task.entry.labels or []
    kinds = {
        "labels that may stand for none": [ascii(name) for name in names if name.casefold() in NONE or not shows(name)],
        "labels with quotation marks around them": [name for name in names if re.fullmatch(QUOTED, name)],
        "labels made of others, which are several of one example": [
            name
            for name in names
            if len(parts := re.split(r"\s*[|,;/+&]\s*", name)) > 1 and {*parts} <= {*names} - {name}
        ],
    }
    kinds["unscored_labels that fit no label"] = [
        one for one in task.entry.unscored_labels if not fnmatch.filter(names, one)
    ]
    for what, odd in kinds.items():
        if odd:
            yield f"{what}: {_names(odd)}."


def _rare(task: Task) -> Iterator[str]:
    if task.entry.labels and "label" in task.splits.get("train", ()):
        counts = task.form.ids(task.splits["train"]["label"]).value_counts()
        fewest = math.ceil(max(RARE, SELDOM * counts.sum() if len(task.entry.labels) <= FEW_LABELS else 0))
        rare = [f"{task.entry.labels[i]} ({count})" for i, count in counts[counts < fewest].items()]
        if rare:
            yield f"labels with fewer than {fewest} examples in train: {_names(rare)}."


def _repeated(task: Task) -> Iterator[str]:
    """Examples of train that are there before, and how many of them with another label."""
    if "train" not in task.splits:
        return
    frame = task.splits["train"]
    first: dict[tuple, int] = {}
    again = [(place, first.setdefault(key, place)) for place, key in enumerate(_keys(task, frame))]
    again = [(place, before) for place, before in again if place != before]
    if again:
        labels = frame["label"].tolist() if "label" in frame else [None] * len(frame)
        other = sum(labels[place] != labels[before] for place, before in again)
        text = _example(task, frame, again[0][0])
        count = _of(len(again), frame)
        yield f"train: {count} repeat an earlier one, {other} of them with another label; the first: {text}"


def _shared(task: Task) -> Iterator[str]:
    """Examples of the other splits that train holds as well."""
    seen = set(_keys(task, task.splits["train"])) if "train" in task.splits else set()
    for split, frame in task.splits.items():
        shared = [place for place, key in enumerate(_keys(task, frame)) if key in seen] if split != "train" else []
        if shared:
            text = _example(task, frame, shared[0])
            yield f"{split}: {_of(len(shared), frame)} are in train as well, the first: {text}"


def _keys(task: Task, frame: pd.DataFrame) -> Iterator[tuple]:
    """What makes an example: its texts, and its choices or the spans that it asks about."""
    columns = [frame[column] for column in task.entry.inputs]
    if "choices" in frame:
        columns.append(frame["choices"].map(tuple))
    if task.form.several_targets:
        columns.append(frame["spans"].map(lambda spans: spans.tobytes()))
    return zip(*columns, strict=True)


def _example(task: Task, frame: pd.DataFrame, place: int) -> str:
    return " | ".join(f"'{shortened(frame[column].iloc[place])}'" for column in task.entry.inputs)


def _of(count: int, frame: pd.DataFrame) -> str:
    return f"{count} of {number_of(len(frame), 'example')} ({100 * count / len(frame):.1f} %)"


def _first(rows: pd.Series) -> int:
    return int(rows.to_numpy().argmax()) + 1


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
