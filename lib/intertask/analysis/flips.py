"""Which examples a supporting task turned from wrong to right, and which the other way."""

import numpy as np
import pandas as pd

from intertask.analysis.read import in_pool, read_predictions
from intertask.errors import IntertaskError, number_of
from intertask.formats.base import Format
from intertask.tasks.load import Task, load_task
from intertask.views.overview import shown_texts


def flips(runs: pd.DataFrame, pairs: pd.DataFrame, task_file: str = "") -> pd.DataFrame:
    """The examples of one cell's reported split that most restarts get right after and not before, or the reverse.

    pairs: the cell's rows of `restart_pairs`; one of which a run is not done is left out. Right: no error at all, by
    the task's format; most: more than half of the restarts. Columns: change (`right after` or `wrong after`), before
    and after (`2 of 5`: so many restarts are right), the right label and the texts. Raises IntertaskError where the
    predictions are not at hand or another tool's, and where nothing is right or wrong.
    """
    pairs = pairs.dropna(subset="delta")
    ids = [*pairs["before_run"], *pairs["after_run"]]
    if not all(map(in_pool, ids)):
        raise IntertaskError(
            "Which examples flip is not shown of scores that were not measured here: their predictions may name labels "
            "and count rows in other ways than the task."
        )
    own = runs[runs["run"].isin(ids) & (runs["task"] == runs["target"])]
    rows = read_predictions(own)
    if not ids or len({*ids} - {*rows["run"]}):
        raise IntertaskError(
            "Which examples flip is not known: it takes the predictions of two done runs of a seed at least, and "
            f"found those of {rows['run'].nunique()} of {number_of(len({*ids}), 'run')}. Copy the results with their "
            "predictions."
        )
    task = load_task(pairs["target"].iloc[0], task_file)
    if task.entry.format == "regression":
        raise IntertaskError(
            f"{task.entry.name} asks for a number, which is near or far and not right or wrong: no example flips."
        )
    rows = rows.assign(at=rows.groupby(["run", "row"]).cumcount(), right=_right(rows, task.form))
    return _turned(rows, pairs, task, own["split"].iloc[0])


def _right(rows: pd.DataFrame, form: Format) -> np.ndarray:
    if form.figure == "overlap":
        return form.error(rows) == 0
    both = zip(rows["label"], rows["prediction"], strict=True)
    return np.array([np.array_equal(np.atleast_1d(label), np.atleast_1d(said)) for label, said in both], dtype=bool)


def _turned(rows: pd.DataFrame, pairs: pd.DataFrame, task: Task, split: str) -> pd.DataFrame:
    when = {name: rows.set_index("run").loc[pairs[f"{name}_run"]] for name in ("before", "after")}
    keys = ["row", "at"]
    right = pd.DataFrame({name: own.groupby(keys)["right"].sum() for name, own in when.items()})
    most = right > len(pairs) / 2
    turned = right[most["before"] != most["after"]].reset_index()
    labels = rows.drop_duplicates(keys).set_index(keys)["label"].loc[list(turned[keys].itertuples(index=False))]
    data = task.splits[split if split in task.splits else "validation"].loc[turned["row"]]
    texts = shown_texts(task, data, turned["at"]).reset_index(drop=True)
    counts = {name: turned[name].astype("str") + f" of {len(pairs)}" for name in ("before", "after")}
    change = np.where(turned["after"] > turned["before"], "right after", "wrong after")
    return pd.DataFrame({"change": change, **counts, "label": list(map(task.form.shown, labels))}).join(texts)


def turned_in_words(found: pd.DataFrame) -> str:
    """How many of `flips` turned which way, and how its columns are read."""
    after, before = (int((found["change"] == change).sum()) for change in ("right after", "wrong after"))
    return (
        f"{number_of(after, 'example')} became right after, in most restarts, and {before} wrong. "
        "The columns before and after say in how many restarts an example is right."
    )
