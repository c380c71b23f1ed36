"""What may surprise in a task that is sound: said before training, and not refused."""

import math
from collections.abc import Iterator

import pandas as pd

from intertask.tasks.load import Task
from intertask.views.overview import shortened

SMALL = 50  # examples of a dev set, below which one of them weighs two points of accuracy and more
RARE = 10  # training examples of a label
SELDOM = 0.05  # of the training examples, where labels are few
FEW_LABELS = 10
MOST_NAMES = 8


def findings(task: Task) -> list[str]:
    """One sentence for each; empty where there is nothing to say."""
    found = (_sizes, _empty, _constant, _lists_as_text, _uneven, _absent, _alike, _rare, _repeated, _shared)
    return [sentence for find in found for sentence in find(task)]


def label_findings(task: Task) -> list[str]:
    """Those of labels that a split lacks, or of which train has few: a subset drawn from it may have fewer still."""
    return [*_absent(task), *_rare(task)]


def _sizes(task: Task) -> Iterator[str]:
    dev = len(task.splits.get("validation", []))
    if 0 < dev < SMALL:
        yield f"validation has {dev} examples: one of them is {100 / dev:.1f} points of accuracy."
    for split, size in task.entry.sizes.items():
        if split in task.splits and len(task.splits[split]) != size:
            yield f"{split} has {len(task.splits[split])} examples; the entry's `sizes` says {size}."
    if not task.form.trainable:
        yield f"this version reads {task.entry.format} and cannot train it."


def _empty(task: Task) -> Iterator[str]:
    for split, frame in task.splits.items():
        texts = {column: frame[column].str.strip() == "" for column in task.entry.inputs}
        if "choices" in frame:
            texts["choices"] = frame["choices"].map(lambda choices: not all(map(str.strip, choices))).astype(bool)
        for column, empty in texts.items():
            if empty.any():
                at = empty.to_numpy().argmax() + 1
                yield f"{split}: {_of(empty.sum(), frame)} have an empty text in {column}, the first: number {at}."


def _constant(task: Task) -> Iterator[str]:
    for split, frame in task.splits.items():
        for column in task.entry.inputs:
            if len(frame) > 1 and frame[column].nunique() == 1:
                yield f"{split}: every {column} is the same, '{shortened(frame[column].iloc[0])}'."


def _lists_as_text(task: Task) -> Iterator[str]:
    for split, frame in task.splits.items():
        for column in task.entry.inputs:
            if (frame[column].str.startswith("[") & frame[column].str.endswith("]")).all():
                yield f"{split}: every {column} looks like a list written as text; a list wants JSONL or Parquet."


def _uneven(task: Task) -> Iterator[str]:
    for split, frame in task.splits.items():
        counts = frame["choices"].map(len) if "choices" in frame else pd.Series(dtype=int)
        if counts.nunique() > 1:
            yield f"{split}: {counts.min()} to {counts.max()} choices; those that an example lacks are never chosen."


def _absent(task: Task) -> Iterator[str]:
    for split, frame in task.splits.items():
        if task.entry.labels and "label" in frame:
            present = set(task.form.ids(frame["label"]))
            absent = [name for i, name in enumerate(task.entry.labels) if i not in present]
            if absent:
                yield f"{split} lacks {len(absent)} of {len(task.entry.labels)} labels: {_names(absent)}."


def _alike(task: Task) -> Iterator[str]:
    """Labels that differ in capitals alone: one, perhaps, in two spellings."""
    names = task.entry.labels or []
    spellings = [[other for other in names if other.casefold() == name.casefold()] for name in names]
    if twice := next((alike for alike in spellings if len(alike) > 1), None):
        yield f"labels that differ in capitals alone: {', '.join(twice)}; are they one?"


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
    return f"{count} of {len(frame)} examples ({100 * count / len(frame):.1f} %)"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
