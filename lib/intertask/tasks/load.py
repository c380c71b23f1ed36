"""Tasks read into memory: `load_task` reads, checks and returns a task's splits."""

from dataclasses import dataclass

import pandas as pd

from intertask.cache import remembered
from intertask.tasks import checks
from intertask.tasks.catalogue import find_entry
from intertask.tasks.read import read_files, with_rows
from intertask.tasks.schema import TaskEntry
from intertask.tasks.sources import fingerprint, locate, our_splits

_MUST_HAVE_LABELS = {"train", "validation"}


@dataclass(frozen=True)
class Task:
    """A task in memory.

    entry: its entry, with the label names filled in.
    splits: split -> one row per example with the entry's inputs (str), `choices` (list of str, where the entry has
        any), `label` (int64 id, or float64 for a regression; no such column where the split is unlabelled) and tags
        (str); the index counts rows from 0.
    """

    entry: TaskEntry
    splits: dict[str, pd.DataFrame]


def load_task(name: str, task_file: str = "") -> Task:
    """The task `name` of the catalogue or of the user's `task_file`; raises IntertaskError on anything amiss."""
    entry = find_entry(name, task_file)
    raw, card_labels = _raw_splits(entry)
    checks.check_against_card(entry, card_labels)
    used = {split: _used(entry, split, frame) for split, frame in raw.items()}
    entry = _with_labels(entry, card_labels, used)
    checks.check_f1(entry)
    return Task(entry, {split: _encoded(entry, split, frame) for split, frame in used.items()})


def _raw_splits(entry: TaskEntry) -> tuple[dict[str, pd.DataFrame], list[str] | None]:
    """Our split -> frame as in the source, with index (file, row), and the card's label names."""
    if not entry.mini:
        source = locate(entry)
        return {split: read_files(paths) for split, paths in source.files.items()}, source.card_labels
    made = our_splits(entry, remembered("mini", [entry.mini, fingerprint(entry)], lambda: _mini(entry.mini)))
    return {split: with_rows([frame], [f"{entry.name} ({split})"]) for split, frame in made.items()}, None


def _mini(name: str) -> dict[str, pd.DataFrame]:
    from intertask.tasks import mini

    return mini.generate(name)


def _used(entry: TaskEntry, split: str, raw: pd.DataFrame) -> pd.DataFrame:
    """The columns and rows that are used: inputs, tags and, where the split is labelled, `label` as text."""
    must_have_labels = split in _MUST_HAVE_LABELS
    checks.check_columns(raw, entry, must_have_labels)
    frame = raw[[*entry.inputs, *entry.tags]]
    if entry.choices:
        frame = frame.assign(choices=checks.choice_lists(raw, entry))
    if entry.label and entry.label in raw:
        texts = checks.label_texts(raw[entry.label])
        if must_have_labels or not checks.is_unlabelled(texts, entry):
            kept = [text != str(entry.drop_label) or entry.drop_label is None for text in texts]
            frame = frame.assign(label=texts)[kept]
    checks.check_rows(frame)
    return frame.assign(
        **{column: checks.check_text(frame[column]) for column in entry.inputs},
        **{tag: frame[tag].fillna("").astype("str") for tag in entry.tags},
    )


def _with_labels(entry: TaskEntry, card_labels: list[str] | None, splits: dict[str, pd.DataFrame]) -> TaskEntry:
    """The entry with its label names: its own, else the card's, else those found in train."""
    if entry.format == "multiple_choice":
        most = max(frame["choices"].map(len).max() for frame in splits.values())
        return entry.model_copy(update={"labels": entry.labels or [str(place) for place in range(most)]})
    if entry.format != "classification":
        return entry
    names = entry.labels or card_labels or checks.infer_labels(splits["train"]["label"].rename(entry.label))
    return entry.model_copy(update={"labels": names})


def _encoded(entry: TaskEntry, split: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with labels as numbers, its rows counted from 0."""
    if "label" not in frame:
        return frame.reset_index(drop=True)
    texts = frame["label"].rename(entry.label)
    if entry.labels:
        labels = checks.encode_labels(texts, entry.labels)
    else:
        labels = checks.numeric_labels(texts, entry.label_range)
    if split == "train":
        checks.check_variety(labels, entry.labels)
    if entry.choices:
        checks.check_choices(labels.rename(entry.label), frame["choices"])
    columns = [*entry.inputs, *(["choices"] if entry.choices else []), "label", *entry.tags]
    return frame.assign(label=labels)[columns].reset_index(drop=True)
