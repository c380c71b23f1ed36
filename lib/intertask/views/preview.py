"""What a format says of a task before any training: the majority's scores, and what a tokenizer makes of the texts."""

import pandas as pd

from intertask.formats import Format
from intertask.tasks.load import Task
from intertask.views.findings import findings
from intertask.views.overview import percentiles, task_page, task_sections


def checked_page(task: Task) -> str:
    """What `intertask task check` prints of a task."""
    return task_page(task, majority(task), findings(task))


def checked_tables(task: Task) -> dict[str, pd.DataFrame]:
    """The same as tables, each under its title."""
    notes = pd.DataFrame({"to know": findings(task) or ["Nothing unusual."]})
    return task_sections(task, majority(task)) | {"To know before training": notes}


def majority(task: Task) -> pd.DataFrame:
    """The score (0-100) that the most frequent label gets on each labelled split, in regression the mean; in writing
    words as frequent as in train."""
    form, scores = _learned(task), {}
    for split, rows in task.splits.items():
        if "label" in rows:
            labels = pd.Series(list(form.labels(rows)))  # one for each prediction
            more = {"group": rows["group"].to_numpy()} if "group" in rows else {}
            if form.several_targets:
                more["row"] = rows.index.repeat(rows["spans"].map(len))
            scores[split] = form.floor(pd.DataFrame({"label": labels, **more}))
    return pd.DataFrame.from_dict(scores, orient="index").round(1)


def token_lengths(task: Task, tokenizer, max_length: int) -> pd.DataFrame:
    """Tokens of each split's sequences, uncut, and how many examples and spans lose some of them at `max_length`;
    of encoders that read words by their characters, how many words are longer than what is read of one.

    Raises IntertaskError as training does, where too many spans are cut.
    """
    form, rows = _learned(task), {}
    for split, frame in task.splits.items():
        rows[split] = percentiles(form.encode(frame, tokenizer, 1_000_000).lengths)  # longer than any text
        encoded = form.encode(frame, tokenizer, max_length)
        rows[split]["examples cut"] = encoded.truncated
        if encoded.cut_spans is not None:
            rows[split]["spans cut"] = int(encoded.cut_spans.sum())
        if encoded.cut_words is not None:
            rows[split]["words cut"] = int(encoded.cut_words.sum())
    return pd.DataFrame.from_dict(rows, orient="index")


def _learned(task: Task) -> Format:
    """The task's format as it trains."""
    form = task.form
    if "train" in task.splits:
        form.learn(task.whole_train)
    return form
