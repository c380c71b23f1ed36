"""Reads results from files alone: a copied, moved or read-only folder gives the same frames.

A study's are those of the runs in the store; a table of scores (`score_tables`) is read into the
same frames, under its name.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from intertask.analysis import score_tables
from intertask.files import results_root, uncollected
from intertask.studies import store
from intertask.studies.status import of_runs, read_study, study_folder

ROLE = dict.fromkeys(["stage", "part", "regime", "mixing", "encoder", "supporting", "target", "task", "run"], "str")
ROLE |= dict.fromkeys(["limit", "supporting_limit", "seed", "supporting_seed"], "Int64")
ROLE |= {"supporting_run": "str", "control": "bool", "ready_made": "bool", "substituted": "bool"}
OUTCOME = {"done": "bool", "failed": "str", "split": "str"}
OUTCOME |= dict.fromkeys(["score", "majority", "seconds"], "float64")
OUTCOME |= dict.fromkeys(["degenerate", "constant_predictions"], "boolean")
OUTCOME |= dict.fromkeys(["n_train", "examples_seen", "distinct_examples", "best_step", "steps"], "Int64")
SUPPORTING = {"supporting_n_train": "Int64", "supporting_steps": "Int64"}
OF_SPANS = ("right", "spans")
"""Columns of the predictions of tags that make spans, as of `metrics.span_counts`."""

SCORE_COLUMNS = ["study", "run", "encoder", "part", "regime", "mixing", "supporting", "control", "ready_made"]
SCORE_COLUMNS += ["target", "limit", "supporting_limit", "seed", "task", "split", "metric", "score"]


def read_runs(study: str, results: Path | None = None, predictions: bool = False) -> pd.DataFrame:
    """One row per role that a run plays in the study, in the study's order, whether the run is done or not.

    A run that serves twice (role is not identity) has two rows. `score` and `majority` are the main score of the
    reported split and its majority-class counterpart, 0-100; both are missing, never 0, where a run is not done. Of
    targets that is the test split where the study has `report_on: test`; `constant_predictions` stays that of dev.
    `control`: the supporting task's labels are shuffled; `ready_made`: the supporting model was not trained here.
    `reason`: why the run is not done, empty where it is; `failed`: why it failed, missing where it did not; `seconds`:
    wall time of loading, training and evaluating; `n_train`: training examples of the task that is scored,
    `examples_seen` and `distinct_examples` what the run saw of it, `steps` its optimizer steps. `supporting_n_train`:
    training examples of the supporting tasks, before the target or alongside; `supporting_steps`: steps of the run that
    this one starts from, where that is a supporting one. `substituted`: the target is its own supporting task, and the
    run without one stands in.

    predictions: for who reads these too, a run of which they are not as it left them is not done.
    """
    return _frame_and_records(study, Path(results or results_root()), ["predictions"] * predictions)[0]


def read_both(study: str, results: Path | None = None, predictions: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `read_runs` and `read_scores` give, from one reading of the store; predictions: as of `read_runs`."""
    results = Path(results or results_root())
    runs, records = _frame_and_records(study, results, ["predictions"] * predictions)
    if path := score_tables.find_table(study, results):
        return runs, score_tables.as_scores(score_tables.tidy(path, unit="points"), study)[SCORE_COLUMNS]
    return runs, _scores(study, runs, records)


@uncollected()
def _frame_and_records(study: str, results: Path, whole: Collection[str] = ()) -> tuple[pd.DataFrame, dict[str, dict]]:
    """The frame of `read_runs` and, by run id, the records of the runs that are done."""
    if path := score_tables.find_table(study, results):
        runs = score_tables.as_runs(score_tables.tidy(path, unit="points"), study)
        return runs.reindex(columns=[*ROLE, *OUTCOME, *SUPPORTING, "reason"]).astype(ROLE | OUTCOME | SUPPORTING), {}
    snapshot = read_study(study, results)
    on_test = snapshot["study"].get("report_on") == "test"
    index = [{"ready_made": False} | role for role in snapshot["runs"]]  # of one run before there were such
    roles = pd.DataFrame(index, columns=list(ROLE)).astype(ROLE)
    records, reasons, failures = of_runs(index, results, whole)
    rows = [
        _outcome(records[role["run"]], role["task"], on_test and role["stage"] == "target") | _supporting(records, role)
        if role["run"] in records
        else {"done": False, "failed": failures.get(role["run"])}
        for role in roles.to_dict("records")
    ]
    runs = roles.join(pd.DataFrame(rows, columns=[*OUTCOME, *SUPPORTING]).astype(OUTCOME | SUPPORTING))
    chosen = [records.get(run, {}).get("parent") for run in runs["run"]]  # of candidates, the one chosen
    own = runs["regime"].eq("stilts") & ~runs["substituted"] & pd.notna(chosen)
    runs["supporting_run"] = runs["supporting_run"].mask(own, chosen)
    return runs.assign(reason=runs["run"].map(reasons).astype("str").fillna("")), records


def missing(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that the study expects and the store does not hold, one row each, with the reason."""
    columns = ["stage", "part", "regime", "mixing", "encoder", "supporting", "supporting_limit", "target", "limit"]
    columns += ["seed", "reason", "run"]
    return runs.loc[~runs["done"], columns].drop_duplicates("run").reset_index(drop=True)


def by_stage(runs: pd.DataFrame, *more: str) -> pd.DataFrame:
    """How many runs of each stage, and of each of further columns, are expected and done, and the seconds of those that
    say theirs; missing, never 0, where none does."""
    stages = runs.groupby(["stage", *more], sort=False, dropna=False)
    counts = stages["done"].agg(expected="size", done="sum")
    return counts.assign(seconds=stages["seconds"].sum(min_count=1)).reset_index()


def read_scores(study: str, results: Path | None = None) -> pd.DataFrame:
    """The study's tidy table: one row per role, split and metric, columns SCORE_COLUMNS, scores 0-100.

    A run that is not done has no row. Regime, supporting, target and limit are empty where they do not apply.
    """
    return read_both(study, results)[1]


@uncollected()
def _scores(study: str, runs: pd.DataFrame, records: dict[str, dict]) -> pd.DataFrame:
    runs = runs[runs["done"]].assign(study=study).drop(columns=["split", "score"])
    found = [
        (run, task, split, metric, score)
        for run, record in records.items()
        for task, own in record["tasks"].items()
        for split, metrics in own["scores"].items()
        for metric, score in metrics.items()
    ]
    texts = dict.fromkeys(["run", "task", "split", "metric"], "str")
    scores = pd.DataFrame(found, columns=[*texts, "score"]).astype({**texts, "score": "float64"})
    return runs.merge(scores, on=["run", "task"])[SCORE_COLUMNS]


def reported_in_words(runs: pd.DataFrame) -> str:
    """On which split the scores of trained targets are, where that is not the whole dev set; else empty."""
    trained = runs[(runs["stage"] == "target") & runs["seconds"].notna()]
    if not (splits := sorted({*trained["split"].dropna()} - {"validation"})):
        return ""
    words = f"Scores of targets are those of the split {' or '.join(splits)}, also where a page says dev"
    return f"{words}; checkpoints and all else that is chosen are chosen on dev."


def read_records(runs: pd.DataFrame, results: Path | None = None) -> dict[str, dict]:
    """The whole run.json of every run that is done, by run id: versions, commit, times, device and the rest.

    Empty for a table of scores, whose runs left no record.
    """
    done = runs.loc[runs["done"], "run"].unique()
    return {run: store.read(run, results) for run in done if in_pool(run, results)}


def read_settings(study: str, results: Path | None = None) -> dict:
    """What the study's file said, with the defaults of what it did not say; of a table without a file, its `mixing`."""
    results = Path(results or results_root())
    path = score_tables.find_table(study, results)
    if path and not study_folder(study, results):
        return {"mixing": score_tables.mixing_of(score_tables.tidy(path, unit="points"))}
    return read_study(study, results)["study"]


def read_predictions(runs: pd.DataFrame, split: str = "", results: Path | None = None) -> pd.DataFrame:
    """What every run that is done predicted on one split, at the best checkpoint: columns run, row, label, prediction
    and, where a run has them, OF_SPANS.

    split: `validation` or a task of the run's `evaluate_on`, or, if empty, what each run reports; row: the number of
    the row in that task. A run whose predictions are not in the store, or not of this split, has no rows; raises
    IntertaskError where they are not as it left them, which `read_runs(…, predictions=True)` counts as missing.
    """
    parts = [pd.DataFrame({"run": [], "row": [], "label": [], "prediction": []})]
    for run, task, own in runs.loc[runs["done"], ["run", "task", "split"]].drop_duplicates().itertuples(index=False):
        path = store.predictions_file(store.folder_of(run, results), task)
        if in_pool(run, results) and path.is_file():
            store.read(run, results, whole=["predictions"])
            wanted = [("split", "==", split or own)]
            there = parquet.read_schema(path).names
            columns = [name for name in (*parts[0].columns[1:], *OF_SPANS) if name in there]
            parts.append(pd.read_parquet(path, columns=columns, filters=wanted).assign(run=run))
    parts += _foreign(runs, split, Path(results or results_root()))
    found = pd.concat(parts[1:] or parts)
    return found[[name for name in (*parts[0].columns, *OF_SPANS) if name in found]]


def _foreign(runs: pd.DataFrame, split: str, results: Path) -> Iterator[pd.DataFrame]:
    """What other tools' runs predicted, which were kept with a table of scores."""
    tables = runs[runs["run"].str.contains(":")] if len(runs) else runs
    for name, own in tables.groupby(tables["run"].str.rpartition(":")[0]) if len(tables) else ():
        found = score_tables.kept_predictions(name, results)
        if found is not None:
            key = [*score_tables.RUN_KEY, "split"]
            asked = own[[*key, "run"]].assign(split=split or own["split"])
            found = found.astype(asked[key].dtypes).merge(asked, on=key)
            columns = [name for name in ("run", "row", "label", "prediction", *OF_SPANS) if name in found]
            yield from (one[columns] for _, one in found.groupby("run", sort=False))


def in_pool(run: str, results: Path | None = None) -> bool:
    """Whether a run was executed, and is not a row of a table of scores."""
    return (store.folder_of(run, results) / "run.json").is_file()


def _outcome(record: dict, task: str, on_test: bool) -> dict:
    """What a record says of one task under the keys of OUTCOME; of the test split, or of that which the run reports."""
    own = record["tasks"][task]
    split = "test" if on_test else own["reported"]
    score, majority = (own[kind].get(split, {}).get("main") for kind in ("scores", "majority"))
    degenerate = {"degenerate": None if score is None else score <= majority} if on_test else {}
    return {
        **{name: own[name] for name in OUTCOME if name in own},
        **degenerate,
        "done": True,
        "split": split,
        "score": score,
        "majority": majority,
        "n_train": own["sizes"]["train"],
        "steps": record["steps"],
        "seconds": sum(record["seconds"].values()),
    }


def _supporting(records: dict[str, dict], role: dict) -> dict:
    """What the record of the run before, or of the run itself where tasks are alongside, says under SUPPORTING."""
    alongside = role["regime"] == "mtl"
    record = records.get(role["run"] if alongside else role["supporting_run"])
    if record is None:
        return {}
    others = [one for name, one in record["tasks"].items() if role["regime"] == "stilts" or name != role["target"]]
    return {
        "supporting_n_train": sum(one["sizes"]["train"] for one in others),
        "supporting_steps": None if alongside else record["steps"],
    }
