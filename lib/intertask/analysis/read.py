"""Reads a study's results from the store's files alone: a copied, moved or read-only folder gives the same frames."""

import json
from pathlib import Path

import pandas as pd

from intertask.studies.status import failure, read_study, why_missing
from intertask.studies.store import results_root

ROLE = {
    "stage": "str",
    "regime": "str",
    "encoder": "str",
    "supporting": "str",
    "target": "str",
    "task": "str",
    "mixing": "str",
    "limit": "Int64",
    "supporting_limit": "Int64",
    "seed": "Int64",
    "run": "str",
    "supporting_run": "str",
    "supporting_seed": "Int64",
    "parent": "str",
    "substituted": "boolean",
}
OUTCOME = {
    "done": "bool",
    "failed": "str",
    "split": "str",
    "score": "float64",
    "majority": "float64",
    "degenerate": "boolean",
    "constant_predictions": "boolean",
    "n_train": "Int64",
    "supporting_n_train": "Int64",
    "steps": "Int64",
    "supporting_steps": "Int64",
    "examples_seen": "Int64",
    "distinct_examples": "Int64",
    "seconds": "float64",
}
SCORE_COLUMNS = ["study", "run", "encoder", "regime", "supporting", "target", "limit", "seed", "task", "split"]
SCORE_COLUMNS += ["metric", "score"]


def read_runs(study: str, results: Path | None = None) -> pd.DataFrame:
    """One row per role that a run plays in the study, in the study's order, whether the run is done or not.

    A run that serves twice (role is not identity) has two rows. `score` and `majority` are the main score of the
    reported split and its majority-class counterpart, 0-100; both are missing, never 0, where a run is not done.
    `reason`: why the run is not done, empty where it is; `failed`: why it failed, missing where it did not; `seconds`:
    wall time of loading, training and evaluating; `n_train`: training examples.
    """
    return _read(study, Path(results or results_root()))[0]


def _read(study: str, results: Path) -> tuple[pd.DataFrame, dict[str, dict]]:
    """The frame of `read_runs` and, by run id, the records of the runs that are done."""
    roles = pd.DataFrame(read_study(study, results)["runs"], columns=list(ROLE)).astype(ROLE)
    records, failures = {}, {}
    for run in roles["run"].unique():
        try:
            records[run] = _record(results / "runs", run)
        except FileNotFoundError:
            if reason := failure(run, results):
                failures[run] = reason
        except ValueError as error:
            failures[run] = f"run.json cannot be read ({error})"
    rows = [
        _outcome(records[role.run], role, records.get(role.supporting_run, {}))
        if role.run in records
        else {"done": False, "failed": failures.get(role.run)}
        for role in roles.itertuples()
    ]
    runs = roles.join(pd.DataFrame(rows, columns=list(OUTCOME)).astype(OUTCOME))
    reasons = [
        "" if run in records else why_missing(run, parent, failures)
        for run, parent in zip(runs["run"], runs["parent"], strict=True)
    ]
    return runs.assign(reason=pd.array(reasons, dtype="str")), records


def missing(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that the study expects and the store does not hold, one row each, with the reason."""
    columns = ["stage", "regime", "mixing", "encoder", "supporting", "target", "limit", "supporting_limit", "seed"]
    columns += ["reason", "run"]
    return runs.loc[~runs["done"], columns].drop_duplicates("run").reset_index(drop=True)


def read_scores(study: str, results: Path | None = None) -> pd.DataFrame:
    """The study's tidy table: one row per role, split and metric, columns SCORE_COLUMNS, scores 0-100.

    A run that is not done has no row. Regime, supporting, target and limit are empty where they do not apply.
    """
    runs, records = _read(study, Path(results or results_root()))
    runs = runs[runs["done"]].assign(study=study).drop(columns=["split", "score"])
    scores = pd.DataFrame(
        [
            {"run": run, "split": split, "metric": metric, "score": score}
            for run, record in records.items()
            for split, metrics in record["scores"].items()
            for metric, score in metrics.items()
        ],
        columns=["run", "split", "metric", "score"],
    ).astype({"run": "str", "split": "str", "metric": "str", "score": "float64"})
    return runs.merge(scores, on="run")[SCORE_COLUMNS]


def read_records(runs: pd.DataFrame, results: Path | None = None) -> dict[str, dict]:
    """The whole run.json of every run that is done, by run id: versions, commit, times, device and the rest."""
    pool = Path(results or results_root()) / "runs"
    return {run: _record(pool, run) for run in runs.loc[runs["done"], "run"].unique()}


def read_settings(study: str, results: Path | None = None) -> dict:
    """What the study's file said, with the defaults of what it did not say."""
    return read_study(study, Path(results or results_root()))["study"]


def read_predictions(runs: pd.DataFrame, split: str, results: Path | None = None) -> pd.DataFrame:
    """What every run that is done predicted on one split, at the best checkpoint: columns run, row, label, prediction.

    split: `validation` or a task of the run's `evaluate_on`; row: the number of the row in that task. A run whose
    predictions are not in the store, or not of this split, has no rows.
    """
    parts = [pd.DataFrame({"run": [], "row": [], "label": [], "prediction": []})]
    for run in runs.loc[runs["done"], "run"].unique():
        path = Path(results or results_root()) / "runs" / run / "predictions.parquet"
        if path.is_file():
            own = pd.read_parquet(path, columns=["row", "label", "prediction"], filters=[("split", "==", split)])
            parts.append(own.assign(run=run))
    return pd.concat(parts[1:] or parts)[parts[0].columns]


def _record(pool: Path, run: str) -> dict:
    return json.loads((pool / run / "run.json").read_text(encoding="utf-8"))


def _outcome(record: dict, role, supporting: dict) -> dict:
    """What a run's record says of the scored task, and that of its supporting run, under the keys of OUTCOME."""
    others = [] if role.regime == "mtl_all" else [name for name in record.get("tasks", {}) if name != role.task]
    alongside = sum(record["tasks"][name]["sizes"]["train"] for name in others)
    before = sum(own["sizes"]["train"] for own in supporting.get("tasks", {}).values())
    steps, record = record.get("steps"), record | record.get("tasks", {}).get(role.task, {})
    split = record["reported"]
    return {
        "done": True,
        "split": split,
        "score": record["scores"][split]["main"],
        "majority": record["majority"][split]["main"],
        "degenerate": record["degenerate"],
        "constant_predictions": record["constant_predictions"],
        "n_train": record["sizes"]["train"],
        "supporting_n_train": alongside or before or None,
        "steps": steps,
        "supporting_steps": supporting.get("steps"),
        "examples_seen": record.get("examples_seen"),
        "distinct_examples": record.get("distinct_examples"),
        "seconds": sum(record["seconds"].values()),
    }
