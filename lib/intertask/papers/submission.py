"""A study's submission to the GLUE leaderboard: predictions on the test sets of the runs that are best on dev."""

import json
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from intertask.analysis.read import missing, read_both, read_predictions, read_settings
from intertask.errors import IntertaskError, did_you_mean, number_of
from intertask.files import now, results_root, write
from intertask.formats import find_format
from intertask.papers.best_of_each import selected
from intertask.tasks.catalogue import find_entry
from intertask.tasks.load import load_task
from intertask.tasks.schema import TaskEntry

Rule = Literal["best_of_each", "single"]
"""best_of_each: of all a task's runs, whatever came before or beside (Phang et al. 2018, section 3); single: of those
without a supporting task, their baseline."""


@dataclass(frozen=True)
class File:
    """One file of the submission: the predictions for a split of a task, ids or names of labels in it."""

    name: str
    task: str
    split: str = "test"
    names: bool = False

    @property
    def predictor(self) -> str:
        """The task whose runs predict it."""
        return "mnli" if self.task == "ax" else self.task


SUBMISSION_FILES = [
    File("CoLA.tsv", "cola"),
    File("SST-2.tsv", "sst2"),
    File("MRPC.tsv", "mrpc"),
    File("STS-B.tsv", "stsb"),
    File("QQP.tsv", "qqp"),
    File("MNLI-m.tsv", "mnli", names=True),
    File("MNLI-mm.tsv", "mnli", "test_mismatched", names=True),
    File("QNLI.tsv", "qnli", names=True),
    File("RTE.tsv", "rte", names=True),
    File("WNLI.tsv", "wnli"),
    File("AX.tsv", "ax", names=True),
]
"""What the leaderboard asks for (https://gluebenchmark.com/submit): tab-separated, header `index prediction`."""

DIAGNOSTIC = "glue_diagnostic"
"""The rows of `ax` with labels, in the same order: runs may be scored on either."""


@dataclass(frozen=True)
class Pick:
    """What predicts a task: one row of `read_runs`, or, where that is None, the majority class of the training data."""

    run: pd.DataFrame | None
    candidates: int  # runs to pick from

    def record(self) -> dict[str, Any]:
        if self.run is None:
            return {"majority": True, "candidates": self.candidates}
        keys = ["run", "target", "regime", "supporting", "limit", "seed", "split", "score"]
        return json.loads(self.run.iloc[0][keys].dropna().to_json()) | {"candidates": self.candidates}


def write_submission(study: str, rule: Rule = "best_of_each", encoder: str = "") -> Path:
    """Writes `submission.zip` and, beside it, `submission.yaml`, which says what was picked and why, and which runs of
    the study are missing; returns the zip.

    Per task the run with the best main score on dev is picked, the first of equals, among those on all training data
    if there are any; the study's rule for WNLI holds. encoder: its label, needed where the study has several. A study
    of mini tasks gives the same files as a rehearsal: a mini task without a test split is predicted on its dev set.
    Raises IntertaskError, before anything is written, where a task, a run or a legal prediction for each row is
    missing.
    """
    every, scores = read_both(study, predictions=True)
    runs = selected(every, scores)
    mini = runs["target"].str.startswith("mini/").any()
    runs = _candidates(study, runs, rule, encoder)
    entries = {
        task: find_entry(f"mini/{task}" if mini else task) for task in {file.task: None for file in SUBMISSION_FILES}
    }
    wnli = read_settings(study).get("wnli", "trained")
    picks = _picks(study, runs, entries, wnli)
    splits = {file.name: _split(entries[file.task], file.split) for file in SUBMISSION_FILES}
    tables = {
        file.name: _file_table(file, picks[file.predictor], entries[file.task], splits[file.name])
        for file in SUBMISSION_FILES
    }
    folder = results_root() / study
    folder.mkdir(parents=True, exist_ok=True)  # of a study that is read from INTERTASK_POOLS there is none yet
    picked = {task: pick.record() for task, pick in picks.items()}
    record = {"study": study, "rule": rule, "wnli": wnli, "written": now(), "splits": splits, "picked": picked}
    record["missing"] = missing(every).set_index("run")["reason"].to_dict()
    write(folder / "submission.yaml", yaml.safe_dump(record, sort_keys=False, allow_unicode=True))
    return _write_zip(folder / "submission.zip", tables)


def _candidates(study: str, runs: pd.DataFrame, rule: Rule, encoder: str) -> pd.DataFrame:
    """The study's finished target runs of one encoder; per task those on all training data, if there are any."""
    runs = runs[(runs["stage"] == "target") & runs["done"]]
    if rule == "single":
        runs = runs[runs["regime"] == "single"]
    known = list(runs["encoder"].unique())
    if encoder and encoder not in known:
        raise IntertaskError(f"{study} has no finished run of encoder {encoder!r}.{did_you_mean(encoder, known)}")
    if not encoder and len(known) > 1:
        raise IntertaskError(f"{study} has several encoders: {', '.join(known)}. Say whose submission it is to be.")
    runs = runs[runs["encoder"] == encoder] if encoder else runs
    whole = runs["limit"].isna()
    return runs[whole | ~runs["target"].isin(runs.loc[whole, "target"])]


def _picks(study: str, runs: pd.DataFrame, entries: dict[str, TaskEntry], wnli: str) -> dict[str, Pick]:
    """What `_pick` says of each task that predicts; refused where there is no run to pick."""
    own = {file.predictor: runs[runs["target"] == entries[file.predictor].name] for file in SUBMISSION_FILES}
    lacking = [entries[task].name for task, rows in own.items() if rows.empty and (task, wnli) != ("wnli", "majority")]
    if lacking:
        raise IntertaskError(
            f"{study}: expected a finished target run of every GLUE task, found none of {', '.join(lacking)}. Run the "
            "study to its end, or add these targets."
        )
    return {task: _pick(rows, wnli if task == "wnli" else "trained") for task, rows in own.items()}


def _pick(rows: pd.DataFrame, rule: str) -> Pick:
    """The best run on dev; the majority class where the rule says `majority`, or `floor` and the best is below it."""
    best = None if rule == "majority" else rows.loc[[rows["chosen_by"].idxmax()]]  # the first of equals
    below = rule == "floor" and (best["score"] < best["majority"]).all()
    return Pick(None if below else best, rows["run"].nunique())


def _split(entry: TaskEntry, split: str) -> str:
    """The split to predict; of a mini task without it, the dev set that stands in."""
    if split in entry.sizes or not entry.mini:
        return split
    return split.replace("test", "validation")


def _file_table(file: File, pick: Pick, entry: TaskEntry, split: str) -> pd.DataFrame:
    """The file's columns index and prediction, in the order of the rows; refused unless whole and legal."""
    size = entry.sizes[split]
    if pick.run is None:
        label = load_task(entry.name).splits["train"]["label"].mode()[0]
        rows = pd.DataFrame({"row": range(size), "prediction": label})
    else:
        rows = _predictions(pick.run, file, entry, split).sort_values("row")
    where = f"{file.name}, {entry.name} ({split})"
    if rows["row"].tolist() != list(range(size)):
        hint = "Are the run's predictions in the store, and is the data set, or the mirror, complete?"
        if file.task != file.predictor and rows.empty:
            hint = f"Name it in the study: evaluate_on: {{{file.predictor}: [{file.task}]}}."
        raise IntertaskError(
            f"{where}: expected a prediction for each of rows 0 to {size - 1}, found "
            f"{number_of(len(rows), 'prediction')}, for {number_of(rows['row'].nunique(), 'different row')}. {hint}"
        )
    labels = find_format(entry.format)(entry).written(rows["prediction"], where, file.names)
    return pd.DataFrame({"index": range(size), "prediction": labels})


def _predictions(run: pd.DataFrame, file: File, entry: TaskEntry, split: str) -> pd.DataFrame:
    """What the run predicted; on a task of evaluate_on, a split of that task's name."""
    names = [split] if file.task == file.predictor else [entry.name, DIAGNOSTIC]
    found = [read_predictions(run, name) for name in names]
    return next((rows for rows in found if len(rows)), found[0])


def _write_zip(path: Path, tables: dict[str, pd.DataFrame]) -> Path:
    """Whole or not at all; the same tables give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        unfinished = Path(scratch) / path.name
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, table in tables.items():
                text = table.to_csv(sep="\t", index=False, lineterminator="\n")
                archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
        os.replace(unfinished, path)
    return path
