"""What became of a study's runs, from the names of the store's folders: no record of a finished run is opened."""

import json
import os
from pathlib import Path
from typing import Any

from intertask.errors import IntertaskError, did_you_mean, refusal
from intertask.files import results_root


def read_study(study: str, results: Path | None = None) -> dict[str, Any]:
    """The study's snapshot `study.json`: its name, title, settings, when it was written and its index of runs.

    Raises IntertaskError where no study of that name was ever run into this results folder, or none by this version.
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
    snapshot = json.loads(path.read_text(encoding="utf-8"))
    if any("parents" not in row for row in snapshot["runs"]):
        raise IntertaskError(
            f"{path}: expected rows that name all runs that one needs (parents), found those of an earlier version. "
            f"Write them anew: intertask run params/{study}.yaml"
        )
    return snapshot


def edited_since(study: str, file: Path, given: dict[str, Any], results: Path | None = None) -> str:
    """Says that a study's file holds something else than its snapshot, where it does; empty where there is none yet.

    given: what the file holds now. Raises IntertaskError where the snapshot is that of another file, which is there.
    """
    path = Path(results or results_root()) / study / "study.json"
    if not path.is_file():
        return ""
    snapshot = read_study(study, results)
    if snapshot.get("given") == json.loads(json.dumps(given)):
        return ""
    other = snapshot.get("file")
    if other and Path(other).is_file() and not file.samefile(other):
        found = f"that of {other}"
        raise refusal(file, f"no other study in {path.parent}", found, "Rename one of the two files.")
    return (
        f"{file} was edited after {study} was run ({snapshot['written']}): what follows is the study as it was then. "
        "`intertask run` takes up the new one; finished runs stay."
    )


def finished_runs(results: Path | None = None) -> set[str]:
    """The ids of all runs in the pool."""
    pool = Path(results or results_root()) / "runs"
    if not pool.is_dir():
        return set()
    with os.scandir(pool) as entries:
        return {entry.name for entry in entries if os.path.isfile(f"{entry.path}/run.json")}


def failure(run_id: str, results: Path | None = None) -> str | None:
    """The reason that the last attempt left, with its cell; None where there was no attempt."""
    path = Path(results or results_root()) / "runs" / ".failed" / run_id / "failure.json"
    if not path.is_file():
        return None
    left = json.loads(path.read_text(encoding="utf-8"))
    return left["reason"] if left["cell"] is None else f"cell {left['cell']}: {left['reason']}"


def why_missing(parents: dict[str, list[str]], failures: dict[str, str]) -> dict[str, str]:
    """One line for each run that is not finished; parents: what it needs, itself before its children in the order.

    `failures` holds the reasons of those that failed; what needs one of these, directly or through others, is lost.
    """
    lost, reasons = set(failures), {}
    for run_id, needed in parents.items():
        if lost.intersection(needed):
            lost.add(run_id)
        then = "not run: a run that it needs failed" if run_id in lost else "not run yet"
        reasons[run_id] = f"failed: {failures[run_id]}" if run_id in failures else then
    return reasons


def missing_runs(index: list[dict[str, Any]], results: Path | None = None) -> dict[str, str]:
    """Per run of a study's index that is not finished, in the index's order, the reason."""
    finished = finished_runs(results)
    parents = {row["run"]: row["parents"] for row in index if row["run"] not in finished}
    failures = {run_id: reason for run_id in parents if (reason := failure(run_id, results)) is not None}
    return why_missing(parents, failures)
