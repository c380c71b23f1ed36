"""A task at a glance: sizes, labels, examples and lengths, as frames that notebooks and the command show alike."""

import textwrap
from collections.abc import Iterator
from itertools import count

import numpy as np
import pandas as pd

from intertask.tasks.load import Task

LONGEST = 200  # characters of a text that a table shows
MOST_LABELS = 12  # in a table of shares or a confusion matrix
PERCENTILES = {"median": 50, "90 %": 90, "99 %": 99, "longest": 100}
WIDTH = 100  # characters of a line on a terminal
FIRST_EXAMPLES = "The first examples"

_BASELINE = {
    False: "Majority score (0-100; in regression, of the mean; of several labels, of the best answer for all)",
    True: "Score of writing each word as often as train does (0-100; perplexity as it is)",
}


def splits(task: Task) -> pd.DataFrame:
    """Examples per split, targets where an example has several, and how the labels are distributed."""
    labelled = [frame for frame in task.splits.values() if "label" in frame]
    most, rows = list(range(len(task.entry.labels or []))), {}
    if labelled and len(most) > MOST_LABELS:
        most = task.form.ids(labelled[0]["label"]).value_counts().index[:MOST_LABELS].tolist()
    for split, frame in task.splits.items():
        form = task.form_of(split)
        own = most if split not in task.told else range(len(form.entry.labels))
        rows[split] = {"examples": len(frame), **(form.balance(frame, own) if "label" in frame else {})}
    return pd.DataFrame.from_dict(rows, orient="index").fillna("–")


def examples(task: Task, number: int) -> pd.DataFrame:
    """The first examples, of train if there is one, with their labels' names; of several spans to label, the first.

    A tagged text is shown as word/tag, in the place of its words.
    """
    rows, form = next(iter(task.splits.values())).head(number), task.form
    if "label" not in rows:
        return shown_texts(task, rows, pd.Series(0, rows.index))
    first = task.entry.inputs[0]
    spans = rows["spans"] if "spans" in rows else [None] * len(rows)
    tagged = [form.tagged(*row) for row in zip(rows[first], spans, rows["label"], strict=True)]
    if None not in tagged:
        return rows[task.entry.inputs].assign(**{first: list(map(shortened, tagged))})
    shown = [label[0] if label else [] for label in rows["label"]] if form.several_targets else rows["label"]
    return shown_texts(task, rows, pd.Series(0, rows.index)).assign(label=list(map(form.shown, shown)))


def shown_texts(task: Task, rows: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """The inputs, and choices, as they are shown; the spans of each row's target, or its answer, between brackets."""
    shown = rows[task.entry.inputs]
    if "spans" in rows:
        places = zip(shown.to_numpy().tolist(), rows["spans"], target, strict=True)
        marked = [_marked(task, row, spans[at] if at < len(spans) else spans[:0, 0]) for row, spans, at in places]
        shown = pd.DataFrame(marked, columns=shown.columns, index=shown.index)
    else:
        shown = shown.map(shortened)
    if "choices" in rows:
        pairs = [zip(task.entry.labels or count(1), choices, strict=False) for choices in rows["choices"]]
        shown = shown.assign(choices=[shortened(" ".join(f"({name}) {text}" for name, text in row)) for row in pairs])
    return shown


def _marked(task: Task, row: list[str], spans: np.ndarray) -> list[str]:
    """The texts with a target's spans between brackets, numbered where there are two; the last is put in first."""
    around = [0] * len(row)
    for k, (start, end) in sorted(enumerate(spans), key=lambda item: -item[1][0]):
        at = task.form.text_of_span(k)
        number = k + 1 if len(spans) > 1 else ""
        row[at] = f"{row[at][:start]}[{row[at][start:end]}]{number}{row[at][end:]}"
        around[at] = int(start)
    return [shortened(text, place) for text, place in zip(row, around, strict=True)]


def shortened(text: str, around: int = 0) -> str:
    """At most LONGEST characters of a text, among them the one at `around`."""
    start = max(0, min(around - LONGEST // 2, len(text) - LONGEST))
    before, after = "… " if start else "", " …" if start + LONGEST < len(text) else ""
    return before + text[start : start + LONGEST] + after


def lengths(task: Task) -> pd.DataFrame:
    """Words, separated by blanks, in each text column of each split, of texts to write too; of choices, in the longest
    of an example."""
    rows = {}
    for split, frame in task.splits.items():
        counts = {column: frame[column].str.split().str.len() for column in task.entry.inputs}
        if "choices" in frame:
            counts["choices"] = frame["choices"].map(lambda choices: max(len(choice.split()) for choice in choices))
        if task.form.writes and "label" in frame:
            counts[task.entry.label] = frame["label"].str[0].str.split().str.len()
        rows |= {(split, column): percentiles(words) for column, words in counts.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def percentiles(counts) -> dict[str, int]:
    values = np.percentile(counts, list(PERCENTILES.values()), method="higher")
    return dict(zip(PERCENTILES, map(int, values), strict=True))


def task_sections(task: Task, majority: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of a task under their titles: splits, three examples, lengths in words, majority scores."""
    return {
        "Examples and labels": splits(task).T,
        FIRST_EXAMPLES: examples(task, 3).reset_index(drop=True),
        "Lengths in words": lengths(task),
        _BASELINE[task.form.writes]: majority,
    }


def task_page(task: Task, majority: pd.DataFrame, notes: list[str]) -> str:
    """What the command prints of a task: its tables, and notes."""
    entry, sections = task.entry, {}
    for title, table in task_sections(task, majority).items():
        sections[title] = "\n".join(_lines(table)) if title == FIRST_EXAMPLES else table.to_string()
    if majority.empty:
        sections[_BASELINE[task.form.writes]] = "No labels."
    found = [textwrap.fill(note, WIDTH, initial_indent="- ", subsequent_indent="  ") for note in notes]
    sections["To know before training"] = "\n".join(found) or "Nothing unusual."
    head = f"# {entry.name}: {entry.format}, scored by {' and '.join(entry.metrics)}\n"
    return head + "".join(f"\n{title}\n{body}\n" for title, body in sections.items())


def _lines(frame: pd.DataFrame) -> Iterator[str]:
    """A frame with long texts, a line or more for every cell."""
    for _, row in frame.iterrows():
        for place, (column, text) in enumerate(row.items()):
            lead = "  " if place else "- "
            yield textwrap.fill(f"{column}: {text}", WIDTH, initial_indent=lead, subsequent_indent="    ")
