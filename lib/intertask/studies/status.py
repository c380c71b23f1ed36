"""What became of a study's runs, from their records: those that are not as they were written count as missing."""

import json
import math
import os
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from intertask.errors import IntertaskError, did_you_mean, refusal
from intertask.files import project_root, read_sealed, results_root, uncollected
from intertask.run import Run
from intertask.studies import store
from intertask.studies.listed import checking

SNAPSHOT_KEYS = ("name", "title", "study", "given", "file", "written", "runs")
"""Of a study's snapshot."""

NEEDS_FAILED = "not run: a run that it needs failed"
"""Why a run is not finished that itself did not fail."""


@uncollected()
def read_study(study: str, results: Path | None = None) -> dict[str, Any]:
    """The study's snapshot `study.json`: its name, title, settings, when it was written and its index of runs.

    Raises IntertaskError where no study of that name was ever run into this results folder, or none by this version.
    """
    folder = study_folder(study, results)
    remedy = f"Write it anew: {how_to_run(study)} (what is finished stays)"
    with suppress(FileNotFoundError):
        if folder:
            return read_sealed(folder / "study.json", study, remedy, SNAPSHOT_KEYS)
    results = Path(os.path.realpath(results or results_root()))
    known = kept_studies(results)
    raise IntertaskError(
        f"No study {study!r} in the results folder {results}.{did_you_mean(study, known)} "
        f"A study appears there when it is run: {how_to_run(study)}"
    )


def study_folder(study: str, results: Path | None = None) -> Path | None:
    """Where the snapshot of that name lies: in the first of `store.places` that has one; None: nowhere."""
    for place in store.places(results):
        path = place / study / "study.json"
        if os.path.lexists(path) and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(place)):
            return path.parent
    return None


def kept_studies(results: Path | None = None) -> list[str]:
    """The names of the studies of which these results, or others that are read beside them, have snapshots."""
    return sorted({name for place in store.places(results) for name in studies_in(place)})


def studies_in(results: Path) -> list[str]:
    """The names of the studies that were run into these results."""
    found = [*results.glob("*/study.json"), *results.glob("*/*/study.json")]
    return sorted(str(path.parent.relative_to(results)) for path in found)


def how_to_run(study: str) -> str:
    """The command for a study of this name, as results are named: with the file that is there, if one is."""
    params = project_root() / "params"
    for file, flags in ((study, []), form_of(study)):
        if (params / f"{file}.yaml").is_file():
            return " ".join(["intertask run", file, *flags])
    return "intertask run FILE.yaml, with its own file"


def form_of(study: str) -> tuple[str, list[str]]:
    """A study's name without what `--mini` and `--quick` add to it, and these."""
    name, *added = re.fullmatch(r"(.*?)(-mini)?(-quick)?", study, re.DOTALL).groups(default="")
    return name, [f"-{one}" for one in added if one]


def edited_since(study: str, file: Path, given: dict[str, Any]) -> str:
    """Says that a study's file holds something else than its snapshot, where it does; empty where there is none yet.

    given: what the file holds now. Raises IntertaskError where the snapshot is that of another file, which is there.
    """
    try:
        snapshot = read_study(study)
    except IntertaskError:  # who reads it refuses it; `run` writes it anew
        return ""
    if snapshot["given"] == json.loads(json.dumps(given, default=str)):
        return ""
    other = snapshot["file"]
    if other and Path(other).is_file() and os.path.realpath(file) != os.path.realpath(other):
        found = f"that of {other}"
        raise refusal(file, f"no other study in {results_root() / study}", found, "Rename one of the two files.")
    return (
        f"{file} was edited after {study} was run ({snapshot['written']}): what follows is the study as it was then. "
        "`intertask run` takes up the new one; finished runs stay."
    )


def failure(run_id: str, results: Path | None = None, own: bool = False) -> str | None:
    """The reason that the last attempt left, with its cell; None where there was no attempt.

    own: None too where the run is not known to have failed of itself (`store.keep_failure`).
    """
    path = store.failure_folder(run_id, results) / "failure.json"
    try:
        left = json.loads(path.read_text(encoding="utf-8"))
        if own and not left.get("own", True):
            return None
        return left["reason"] if left["cell"] is None else f"cell {left['cell']}: {left['reason']}"
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None if own else f"{path} says why, and cannot be read"


def missing_runs(index: list[dict[str, Any]]) -> dict[str, str]:
    """Per run of a study's index that is not finished, in the index's order, the reason."""
    return became(index)[0]


def became(index: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, str]]:
    """Of the runs of a study's index that are not finished, in its order, why, and why the failed ones."""
    results = results_root()
    with checking(results) as check:
        return _of_runs(index, results, check)[1:]


def of_runs(
    index: list[dict[str, Any]], results: Path | None = None, whole: Collection[str] = ()
) -> tuple[dict[str, dict], dict[str, str], dict[str, str]]:
    """Of the runs of a study's index: the records of the finished ones, of the others why, and why the failed ones.

    whole: as in `store.read`. The records are without their identities, which take more memory than all else.
    """
    results = results or results_root()  # once: it is looked for in the file system

    def read(run_id: str) -> dict[str, Any]:
        record = store.read(run_id, results, whole)
        del record["identity"]
        return record

    return _of_runs(index, results, read)


@uncollected()
def _of_runs(index: list[dict[str, Any]], results: Path, read: Callable[[str], Any]) -> tuple[dict, dict, dict]:
    """A run needs those before it; what needs one that failed, directly or through others, is lost."""
    records, reasons, failures, lost = {}, {}, {}, set()
    for run_id, needed in {row["run"]: row["parents"] for row in index}.items():
        try:
            records[run_id] = read(run_id)
            continue
        except FileNotFoundError:
            if (reason := failure(run_id, results)) is not None:
                failures[run_id], reasons[run_id] = reason, f"failed: {reason}"
        except IntertaskError as error:
            reasons[run_id] = str(error)
        if run_id in failures or lost.intersection(needed):
            lost.add(run_id)
        reasons.setdefault(run_id, NEEDS_FAILED if run_id in lost else "not run yet")
    return records, reasons, failures


def unfinished(runs: dict[str, Run]) -> tuple[dict[str, Run], list[str]]:
    """The runs to do, parents first, and what is wrong with those among them that the pool holds damaged.

    Predictions are held against their digests, and an encoder where a run to do starts from it: the others are large.
    """
    results = results_root()
    todo, damaged, read = {}, [], set()
    for run_id, run in reversed(runs.items()):
        try:
            store.read(run_id, results, ["predictions", "encoder"] if run_id in read else ["predictions"])
            if run.keep_encoder is not True or store.has_encoder(run_id):
                continue
        except FileNotFoundError:
            pass
        except IntertaskError as error:
            damaged.append(str(error))
        todo[run_id] = run
        read.update(run.parents)
    return dict(reversed(todo.items())), damaged[::-1]


def is_best(study: str, record: dict[str, Any]) -> bool:
    """Whether no finished run of a study has as high a main dev score on a target of this one, or nobody can say.

    record: what of `run.json` is read here: id, and the scores of its tasks.
    """
    with suppress(IntertaskError):
        rows = [row for row in read_study(study)["runs"] if row["stage"] == "target"]
        targets = {row["target"] for row in rows if row["run"] == record["id"]}
        others = {one: {row["run"] for row in rows if row["target"] == one} - {record["id"]} for one in targets}
        found = {one: [store.dev_score(run, one) for run in store.sound(runs)] for one, runs in others.items()}
        return not targets or any(store.dev_score(record, one) > max(found[one], default=-math.inf) for one in targets)
    return True


def failed_before(todo: dict[str, Run]) -> dict[str, str]:
    """Of the runs to do, parents first, those that failed of themselves, with the reason, and those that need one."""
    found: dict[str, str] = {}
    for run_id, run in todo.items():
        if lost := [parent for parent in run.parents if parent in found]:
            found[run_id] = f"not started: its parent {lost[0]} failed"
        elif reason := failure(run_id, own=True):
            found[run_id] = reason
    return found
