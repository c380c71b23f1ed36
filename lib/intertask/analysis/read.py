"""Reads a study's results from the store's files alone: a copied, moved or read-only folder gives the same frames."""

import json
from pathlib import Path

import pandas as pd

from intertask.errors import IntertaskError, did_you_mean
from intertask.studies.store import results_root

ROLE = {
    "stage": "str",
    "regime": "str",
    "encoder": "str",
    "supporting": "str",
    "target": "str",
    "task": "str",
    "limit": "Int64",
    "seed": "Int64",
    "run": "str",
    "supporting_run": "str",
    "supporting_seed": "Int64",
    "parent": "str",
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
    "seconds": "float64",
}
SCORE_COLUMNS = ["study", "run", "encoder", "regime", "supporting", "target", "limit", "seed", "task", "split"]
SCORE_COLUMNS += ["metric", "score"]


def read_study(study: str, results: Path | None = None) -> dict:
    """The study's snapshot `study.json`: its name, title, settings, when it was written and its index of runs.

    Raises IntertaskError where no study of that name was ever run into this results folder.
    """
    results = Path(results or results_root()).resolve()
    path = (results / study / "study.json").resolve()
    if not (path.is_relative_to(results) and path.is_file()):
        found = [*results.glob("*/study.json"), *results.glob("*/*/study.json")]
        known = sorted(str(file.parent.relative_to(results)) for file in found)
        raise IntertaskError(
            f"No study {study!r} in the results folder {results}.{did_you_mean(study, known)} "
            f"A study appears there when it is run: intertask run params/{study}.yaml"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def read_runs(study: str, results: Path | None = None) -> pd.DataFrame:
    """One row per role that a run plays in the study, in the study's order, whether the run is done or not.

    A run that serves twice (role is not identity) has two rows. `score` and `majority` are the main score of the
    reported split and its majority-class counterpart, 0-100; both are missing, never 0, where a run is not done.
    `reason`: why the run is not done, empty where it is; `failed`: why it failed, missing where it did not; `seconds`:
    wall time of loading, training and evaluating; `n_train`: training examples.
    """
    results = Path(results or results_root())
    roles = pd.DataFrame(read_study(study, results)["runs"], columns=list(ROLE)).astype(ROLE)
    outcomes = {run: _outcome(results / "runs", run) for run in roles["run"].unique()}
    runs = roles.join(pd.DataFrame([outcomes[run] for run in roles["run"]], columns=list(OUTCOME)).astype(OUTCOME))
    orphan = runs["parent"].isin(runs.loc[runs["failed"].notna(), "run"])
    waiting = orphan.map({True: "not run: the run that it starts from failed", False: "not run yet"})
    return runs.assign(reason=("failed: " + runs["failed"]).fillna(waiting).mask(runs["done"], ""))


def missing(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that the study expects and the store does not hold, one row each, with the reason."""
    columns = ["stage", "regime", "encoder", "supporting", "target", "limit", "seed", "reason", "run"]
    return runs.loc[~runs["done"], columns].drop_duplicates("run").reset_index(drop=True)


def read_scores(study: str, results: Path | None = None) -> pd.DataFrame:
    """The study's tidy table: one row per role, split and metric, columns SCORE_COLUMNS, scores 0-100.

    A run that is not done has no row. Regime, supporting, target and limit are empty where they do not apply.
    """
    results = Path(results or results_root())
    runs = read_runs(study, results)
    runs = runs[runs["done"]].assign(study=study).drop(columns=["split", "score"])
    scores = pd.DataFrame(
        [
            {"run": run, "split": split, "metric": metric, "score": score}
            for run, record in read_records(runs, results).items()
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


def _record(pool: Path, run: str) -> dict:
    return json.loads((pool / run / "run.json").read_text(encoding="utf-8"))


def _outcome(pool: Path, run: str) -> dict:
    """What the store knows about one run; keys of OUTCOME, absent where unknown."""
    try:
        record = _record(pool, run)
    except FileNotFoundError:
        return {"done": False, "failed": _why_failed(pool, run)}
    except ValueError as error:
        return {"done": False, "failed": f"run.json cannot be read ({error})"}
    split = record["reported"]
    return {
        "done": True,
        "split": split,
        "score": record["scores"][split]["main"],
        "majority": record["majority"][split]["main"],
        "degenerate": record["degenerate"],
        "constant_predictions": record["constant_predictions"],
        "n_train": record["sizes"]["train"],
        "seconds": sum(record["seconds"].values()),
    }


def _why_failed(pool: Path, run: str) -> str | None:
    """The reason that the last attempt left, with its cell; None where there was no attempt."""
    path = pool / ".failed" / run / "failure.json"
    if not path.is_file():
        return None
    failure = json.loads(path.read_text(encoding="utf-8"))
    return failure["reason"] if failure["cell"] is None else f"cell {failure['cell']}: {failure['reason']}"
