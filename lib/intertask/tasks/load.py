"""Tasks read into memory: `load_task` reads, checks and returns a task's splits."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from intertask.cache import remembered
from intertask.errors import IntertaskError, refusal
from intertask.files import file_digest
from intertask.tasks import checks, structured
from intertask.tasks.catalogue import find_entry
from intertask.tasks.data_files import read_files, with_rows
from intertask.tasks.schema import TARGETS, TaskEntry
from intertask.tasks.sources import Source, check_splits, fingerprint, locate, our_splits

_MUST_HAVE_LABELS = {"train", "validation"}


@dataclass(frozen=True)
class Task:
    """A task in memory.

    entry: its entry, with the label names filled in.
    splits: split -> one row per example with the entry's inputs (str), tags (str) and, where the format has them,
        choices: list of str
        spans: int32 array (targets, spans, 2), [start, end) in characters; of tagging the words, of extractive_qa
            the answers in the passage
        group: number of the examples that are scored as one
        label: int64 id, or float64 for a regression; of span_classification and tagging for each target a list of
            ids; of extractive_qa and cloze the list of accepted answers. No such column where the split is unlabelled.
        The index counts rows from 0.
    overlap: of the dev examples, how many are in the training data of the tasks that are trained before or alongside.
    """

    entry: TaskEntry
    splits: dict[str, pd.DataFrame]
    overlap: dict[str, int] = field(default_factory=dict)


def load_task(name: str, task_file: str = "") -> Task:
    """The task `name` of the catalogue or of the user's `task_file`; raises IntertaskError on anything amiss."""
    entry = find_entry(name, task_file)
    source = Source({}) if entry.mini else locate(entry)
    # What the entry, its files and our code determine; file names count for nothing but how they end.
    kinds = {split: [path.suffix for path in paths] for split, paths in source.files.items()}
    key = [entry.content(), entry.unused, fingerprint(entry), kinds, source.card_labels, _code()]
    labels, splits = remembered("tasks", key, lambda: _checked(entry, source))
    return Task(entry.model_copy(update={"labels": labels}), splits)


def _code() -> list[str]:
    return [file_digest(path).hex() for path in sorted(Path(__file__).parent.rglob("*.py"))]


def _checked(entry: TaskEntry, source: Source) -> tuple[list[str] | None, dict[str, pd.DataFrame]]:
    """The label names and the splits of a Task."""
    raw = _raw_splits(entry, source)
    checks.check_against_card(entry, source.card_labels)
    used = {split: _used(entry, split, frame) for split, frame in raw.items()}
    entry = _with_labels(entry, source.card_labels, used)
    checks.check_f1(entry)
    return entry.labels, {split: _encoded(entry, split, frame) for split, frame in used.items()}


def check_trainable(task: Task) -> None:
    """Refuses a task without a train split, and one that this version can read and not train."""
    name = task.entry.name
    if "train" not in task.splits:
        raise IntertaskError(f"Task {name} has no train split (found {', '.join(task.splits)}): it can only be scored.")
    if task.entry.format == "sequence_to_sequence":
        raise IntertaskError(f"Task {name} is sequence_to_sequence, which this version can read and not train.")


def load_as(task: Task, name: str, task_file: str = "") -> pd.DataFrame:
    """The rows of another classification, `scored_rows(name)`, with the inputs and the label ids of this task.

    Without labels, as the GLUE diagnostic set on the Hub, they can be predicted and not scored. Raises IntertaskError
    if its labels or the number of its inputs differ.
    """
    other = load_task(name, task_file)
    mine, theirs = task.entry.labels or [], other.entry.labels or []
    if task.entry.format != "classification" or sorted(mine) != sorted(theirs):
        expected = f"a classification with the labels of {task.entry.name}, {mine}"
        raise refusal(f"evaluate_on, {name}", expected, f"{other.entry.format} with {theirs}", "Name another task.")
    if len(task.entry.inputs) != len(other.entry.inputs):
        expected = f"as many inputs as {task.entry.name}, {task.entry.inputs}"
        raise refusal(f"evaluate_on, {name}", expected, f"{other.entry.inputs}", "Name another task.")
    rows = scored_rows(other)
    inputs = dict(zip(other.entry.inputs, task.entry.inputs, strict=True))
    rows = rows.rename(columns=inputs)
    return rows.assign(label=[mine.index(theirs[i]) for i in rows["label"]]) if "label" in rows else rows


def scored_rows(task: Task) -> pd.DataFrame:
    """The rows on which another task's model is scored: the validation or else the test split."""
    rows = next((task.splits[split] for split in ("validation", "test") if split in task.splits), None)
    if rows is None:
        found = ", ".join(task.splits)
        raise refusal(f"evaluate_on, {task.entry.name}", "a validation or test split", found, "Name another task.")
    return rows


def _raw_splits(entry: TaskEntry, source: Source) -> dict[str, pd.DataFrame]:
    """Our split -> frame as in the source or as derived from it, with index (file, row)."""
    if entry.mini:
        import minilanguage

        made = our_splits(entry, minilanguage.generate(entry.mini))
        raw = {split: with_rows([frame], [f"{entry.name} ({split})"]) for split, frame in made.items()}
    else:
        raw = {split: read_files(paths, entry.columns_in(split)) for split, paths in source.files.items()}
    if entry.derive:
        from intertask.probes import find_rule

        raw = find_rule(entry.derive)(raw)
        check_splits(entry, raw, raw)
    return raw


def _used(entry: TaskEntry, split: str, raw: pd.DataFrame) -> pd.DataFrame:
    """What is read of the rows that are used, labels still as names; no column `label` where the split has none."""
    checks.check_columns(raw, entry, split in _MUST_HAVE_LABELS)
    if entry.format == "tagging":
        raw = raw.assign(**{entry.inputs[0]: structured.words_of(raw[entry.inputs[0]])})
    labels = _names(entry, raw) if entry.label and entry.label_column in raw else None
    if labels is not None and split not in _MUST_HAVE_LABELS and _all_hidden(labels, entry):
        labels = None
    if labels is not None and entry.drop_label is not None:
        raw = raw[labels.to_numpy() != str(entry.drop_label)]
        labels = labels.loc[raw.index]
    checks.check_rows(raw)
    texts = {column: _text(raw[column], entry) for column in entry.inputs}
    tags = {tag: raw[tag].fillna("").astype("str") for tag in entry.tags}
    frame = pd.DataFrame(texts | _structure(entry, raw, labels) | tags, index=raw.index)
    return frame if labels is None else frame.assign(label=labels)


def _text(column: pd.Series, entry: TaskEntry) -> pd.Series:
    return checks.check_text(column.map(" ".join) if entry.format == "tagging" else column)


def _names(entry: TaskEntry, raw: pd.DataFrame) -> pd.Series:
    """The labels as names: one per row or, where a row has several targets or answers, lists of them."""
    match entry.format:
        case "span_classification":
            return structured.span_labels(raw, entry)
        case "tagging":
            return structured.tags_of(raw[entry.label], raw[entry.inputs[0]])
        case "extractive_qa" | "cloze":
            return structured.answers_of(raw[entry.label])
        case "sequence_to_sequence":
            return checks.check_text(raw[entry.label])
        case _:
            return checks.label_texts(raw[entry.label])


def _all_hidden(labels: pd.Series, entry: TaskEntry) -> bool:
    if labels.dtype == object:
        return not any(name for row in labels for name in row)
    return checks.is_unlabelled(labels, entry)


def _structure(entry: TaskEntry, raw: pd.DataFrame, labels: pd.Series | None) -> dict[str, pd.Series]:
    """The columns `choices`, `spans` and `group` of the formats that have them."""
    made = {}
    if entry.choices:
        made["choices"] = checks.choice_lists(raw, entry)
    if entry.spans:
        made["spans"] = structured.spans_of(raw, entry)
    if entry.group:
        made["group"] = structured.groups_of(raw, entry)
    if entry.format == "tagging":
        made["spans"] = structured.word_spans(raw[entry.inputs[0]])
    if labels is not None and entry.format == "extractive_qa":
        made["spans"] = structured.answer_spans(raw, entry)
    if labels is not None and entry.format == "span_classification":
        structured.check_targets(made["spans"], labels)
    if labels is not None and entry.format == "cloze":
        structured.check_answers(made["choices"], labels)
    return made


def _with_labels(entry: TaskEntry, card_labels: list[str] | None, splits: dict[str, pd.DataFrame]) -> TaskEntry:
    """The entry with its label names: its own, else the card's, else those found in train; of targets, in any split."""
    names = entry.labels or card_labels
    if names is None and entry.format == "multiple_choice":
        names = [str(place) for place in range(max(frame["choices"].map(len).max() for frame in splits.values()))]
    if names is None and entry.format == "classification":
        names = checks.infer_labels(splits["train"]["label"].rename(entry.label))
    if names is None and entry.format in TARGETS:
        labelled = [frame["label"] for frame in splits.values() if "label" in frame]
        names = sorted({name for labels in labelled for row in labels for target in row for name in target})
    return entry if names is None else entry.model_copy(update={"labels": names})


def _encoded(entry: TaskEntry, split: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with labels as numbers, its rows counted from 0."""
    if "label" not in frame:
        return frame.reset_index(drop=True)
    names = frame["label"].rename(entry.label)
    match entry.format:
        case "span_classification" | "tagging":
            labels = structured.encode_targets(names, entry.labels)
        case "extractive_qa" | "cloze" | "sequence_to_sequence":
            labels = names
        case "regression":
            labels = checks.numeric_labels(names, entry.label_range)
        case _:
            labels = checks.encode_labels(names, entry.labels)
    if split == "train" and (entry.one_label or entry.format == "regression"):
        checks.check_variety(labels, entry.labels)
    if entry.format == "multiple_choice":
        checks.check_choices(labels.rename(entry.label), frame["choices"])
    columns = [name for name in frame if name not in ("label", *entry.tags)]
    return frame.assign(label=labels)[[*columns, "label", *entry.tags]].reset_index(drop=True)
