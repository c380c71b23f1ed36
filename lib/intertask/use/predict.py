"""Predictions of a finished run on any file: each of its rows by name with probabilities, and its scores if labelled.

The file is read twice: first all of it is checked, then it is predicted. Both times a part of it is in memory.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
from tqdm import tqdm

from intertask.errors import number_of, refusal
from intertask.files import csv_text, writing
from intertask.formats import Format, find_format
from intertask.formats.classification import group_keys
from intertask.run import Run
from intertask.tasks.data_files import read_parts
from intertask.tasks.schema import TaskEntry
from intertask.tasks.splits import has_labels, other_rows
from intertask.training.model import Model, Part, stored_model, stored_tasks
from intertask.training.train import give_memory_back, predict
from intertask.use.choice import kept_run, run_folder

ROWS_IN_MEMORY = 512
"""Rows that are in memory at a time."""

ROUNDED = 6
"""Of probabilities, and of predicted numbers."""


def predict_file(
    run: str,
    file: Path,
    csv: Path | None,
    task: str = "",
    threshold: float | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Predicts each row of a file; writes a CSV whole or not at all, or to standard output, and says what was scored.

    run: the id of a finished run, its beginning, or a run's folder; task: which of those it trained, "" where it is
    one; threshold: from which on labels, or no answer, are predicted, None: the task's. The rows stand in the file's
    order with `row`, counted from 1 without the header, `prediction` and, where the labels have names, `p(<label>)` of
    each, 0-1. Of words and spans every cell is a list as JSON. Raises IntertaskError before the model is loaded, unless
    a question leaves its passage no room.
    """
    record, kept = kept_run(folder := run_folder(run))
    folder = folder / "encoder"
    name, entry = _which(folder, task)
    if threshold is not None:
        _refuse_no_threshold(entry, threshold)
    rows = _Rows(entry, file)
    if csv and csv.exists() and csv.samefile(file):
        raise refusal("--csv", "another file than the one that is read", str(csv), "Name another file.")
    say(rows.said)
    if entry.unanswerable:
        say(_no_answer_in_words(threshold or 0.0, record["tasks"][name]))
    model = stored_model(kept, folder)
    part = next(part for part in model.parts if part.name == name)
    if threshold is not None:
        part.format.entry = part.format.entry.model_copy(update={"threshold": threshold})
    if (first := model.parts[0].name) != name and kept.selection == "each":
        say(f"The encoder is that of the best checkpoint for {first}: for {name} it may not be its best one.")
    with writing(csv) if csv else nullcontext(sys.stdout) as stream:
        made, cut = _predicted(kept, model, part, rows, stream)
    more = f", {cut} of them cut at max_length {kept.max_length}" * bool(cut)
    say(f"{csv or 'standard output'}: {number_of(rows.count, 'row')} predicted{more}")
    if rows.labelled:
        say(_scores(part.format, made[made["label"].notna()]))


def _which(folder: Path, task: str) -> tuple[str, TaskEntry]:
    """The task to predict, by name, and its entry with the labels' names."""
    tasks = {name: TaskEntry.model_construct(**kept["entry"]) for name, kept in stored_tasks(folder).items()}
    name = task or next(iter(tasks))
    if name not in tasks or not task and len(tasks) > 1:
        remedy = f"Name one of {', '.join(tasks)}."
        raise refusal("--task", "a task that the run trained", task or f"none named of {len(tasks)}", remedy)
    form = find_format(tasks[name].format)
    if form.writes or not form.labelled:
        remedy = "Name a run of a task of labels, numbers or answers."
        raise refusal(name, "a task that gives each text a label, a number or an answer", tasks[name].format, remedy)
    if absent := [metric for metric in tasks[name].metrics if metric not in form.metrics]:
        remedy = "Train it with this version, or predict with the one that trained it."
        raise refusal(folder.parent.name, f"a run scored by {', '.join(form.metrics)}", ", ".join(absent), remedy)
    return name, tasks[name]


def _refuse_no_threshold(entry: TaskEntry, threshold: float) -> None:
    within = find_format(entry.format)(entry).thresholds_within
    if within is None:
        expected, remedy = "a task of multi_label, or of extractive_qa with unanswerable: true", "Leave it out."
        raise refusal("--threshold", expected, entry.format, remedy)
    if not within[0] < threshold < within[1]:
        remedy = "Name one of these."
        raise refusal("--threshold", f"a number between {within[0]} and {within[1]}", f"{threshold}", remedy)


def _no_answer_in_words(threshold: float, outcome: dict[str, Any]) -> str:
    """From where on no answer is given, and from where on it would have been best on dev, if the run recorded that."""
    dev = {split: said for split, said in outcome.get("details", {}).items() if split.startswith("validation")}
    best = [
        f"{value} for {name.removeprefix('best_').removesuffix('_threshold')} on {split}"
        for split, said in dev.items()
        for name, value in said.items()
        if name.endswith("_threshold")
    ]
    words = f"No answer is given where it scores more than {threshold:g} above the best answer"
    return f"{words}; best (--threshold) were {', '.join(best)}." if best else f"{words}."


class _Rows:
    """The rows of a file as those of a task: `count`, whether they are `labelled`, what is `said` of them.

    Each time that they are gone through they are read anew. Raises IntertaskError at anything that the task would
    refuse in its own data, for each row.
    """

    def __init__(self, entry: TaskEntry, file: Path):
        if not file.is_file():
            raise refusal(file, "a file that can be read", "none", "Check the path.")
        columns = entry.columns_in("test") if file.suffix == ".conll" else ()
        self.entry, self.parts = entry, partial(read_parts, file, ROWS_IN_MEMORY, columns)
        first = next(self.parts())
        other_rows(entry, first, labelled=False)  # before its labels are looked at: the columns
        there = {*entry.label_columns} <= {*first}
        self.labelled = there and any(has_labels(entry, raw) for raw in self.parts())
        self.count = sum(len(rows) for rows in self)
        self.said = f"{file}: {number_of(self.count, 'row')}" + ", without labels" * (not self.labelled)
        read = {*entry.inputs, *entry.structured_columns, *entry.label_columns}
        if unread := [str(column) for column in first if column not in read]:
            self.said += f"; not read: {', '.join(unread)}"

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for raw in self.parts():
            rows = other_rows(self.entry, raw, self.labelled)
            if "group" in rows:  # numbers that hold for all parts
                keys = zip(*(group_keys(raw, column) for column in self.entry.group), strict=True)
                rows["group"] = [hash(key) for key in keys]
            yield rows


def _predicted(run: Run, model: Model, part: Part, parts: _Rows, stream: TextIO) -> tuple[pd.DataFrame, int]:
    """Writes the predictions; returns what scores read of them, and how many rows lost tokens to max_length."""
    form, cut, found = part.format, 0, []
    form.keeps_logits, form.most_cut = True, 1.0  # also where runs do not store them; of spans what is cut is said
    with tqdm(total=parts.count, unit="row", desc=part.name, leave=False, disable=None) as shown:  # None: no terminal
        for place, rows in enumerate(parts):
            encoded = form.encode(rows, model.tokenizer, run.max_length)
            made = predict(model, part, encoded, run.per_device_eval_batch_size)
            cut += encoded.truncated
            made["cut"] = encoded.cut_spans.any(axis=1) if form.several_targets else False
            stream.write(csv_text(_named(form, rows.index, made), index=False, header=not place))
            found.append(made.drop(columns=["logits", "cut"]) if parts.labelled else made[:0])
            give_memory_back()
            shown.update(len(rows))
    return pd.concat(found, ignore_index=True), cut


def _named(form: Format, rows: pd.Index, made: pd.DataFrame) -> pd.DataFrame:
    """A part's predictions as they are written, a line for each of its rows; of a target that was cut they are null."""
    names, cells = form.entry.labels, made["prediction"]
    if names:
        cells = [[names[i] for i in cell] if isinstance(cell, list) else names[cell] for cell in cells]
    table = pd.DataFrame({"row": made["row"], "prediction": cells})
    if names:
        logits = np.array(made["logits"].tolist(), np.float64).reshape(len(made), len(names))
        shares = np.where(np.isfinite(logits), form.probabilities(logits), np.nan)  # -inf: a choice that is not there
        columns = {f"p({name})": shares[:, i] for i, name in enumerate(names)}
        columns = columns if type(form).keeps_logits else {"p": shares.max(axis=1)}
        table = table.assign(**columns)
    table = table.round(ROUNDED)
    written = partial(json.dumps, ensure_ascii=False)
    if not form.several_targets:
        lists = table["prediction"].map(lambda cell: written(cell) if isinstance(cell, list) else cell)
        return table.assign(prediction=lists)
    table = table.set_index("row").astype(object)
    table[made["cut"].to_numpy(bool)] = None
    lists = table.groupby("row").agg(list).reindex(rows)
    return lists.map(lambda cell: written(cell if isinstance(cell, list) else [])).reset_index()


def _scores(form: Format, made: pd.DataFrame) -> str:
    scores, floor = form.score(made), form.floor(made)
    said = ", ".join(f"{metric} {value:.1f} ({floor[metric]:.1f})" for metric, value in scores.items())
    return f"{number_of(made['row'].nunique(), 'labelled row')}: {said}; in brackets {form.baseline}"
