"""The results folder: the pool of finished runs, and each study's snapshot. The folder is the truth.

A run's folder appears whole or not at all: it is built in `runs/.staging/` and renamed, by whoever holds the last claim
on it (`claims`).
"""

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from statistics import fmean, median
from typing import Any

from intertask.errors import IntertaskError, number_of, refusal
from intertask.files import file_digest, now, other_results, read_sealed, results_root, sync, write, write_sealed
from intertask.run import Run
from intertask.studies import claims
from intertask.studies.claims import Attempt

RECORD_KEYS = ("id", "identity", "task", "tasks", "encoder", "seed", "steps", "seconds", "files")
"""Of a record, what is read here and above."""

SCORES_FILE, PREDICTIONS_FILE = "source.csv", "predictions.jsonl"
"""Of a study that is a table of scores: these and, where other tools logged them, what they said of each example."""

CHOOSING = ("validation_select", "validation")
"""The split that chose the checkpoint of a run, the first that it has."""

OLD = ".old"
"""Behind an attempt's name: what was damaged, on its way out of the pool."""
UNLIKE = "Another machine, or other versions? `intertask run --redo` has the study go on with what is made now."
MADE_ANEW = "It is left out; the next `intertask run` of a study that holds this run makes it anew."


def pool() -> Path:
    return results_root() / "runs"


def places(results: Path | None = None) -> list[Path]:
    """The results folders that are read: one's own, the only one that is written to, and those of INTERTASK_POOLS."""
    return [Path(results or results_root()), *other_results()]


def folder_of(run_id: str, results: Path | None = None, with_encoder: bool = False) -> Path:
    """Where a run's folder is: the first that is there, and has the encoder if one has; else where it would come."""
    found = [place / "runs" / run_id for place in places(results)]
    if len(found) > 1:
        found = [folder for folder in found if (folder / "run.json").is_file()] or found
        found = with_encoder and [folder for folder in found if (folder / "encoder").is_dir()] or found
    return found[0]


def run_ids(beginning: str = "") -> list[str]:
    """What the pools hold whose names begin so."""
    folders = [place / "runs" for place in places()]
    names = {name for folder in folders if folder.is_dir() for name in os.listdir(folder)}
    return sorted(name for name in names if name.startswith(beginning) and not name.startswith("."))


def read(run_id: str, results: Path | None = None, whole: Collection[str] = ()) -> dict[str, Any]:
    """The record of a finished run (`read_folder`) from the first of the `places` that has it.

    Raises FileNotFoundError where no pool has such a run.
    """
    return read_folder(folder_of(run_id, results, "encoder" in whole), whole)


def read_folder(folder: Path, whole: Collection[str] = ()) -> dict[str, Any]:
    """A run's record, of which the folder is held against what it says.

    Every file must have its size and, in the folders named in `whole` (predictions, encoder), its digest: who reads
    them asks for that. What was left behind when results were copied is not missed, unless it is part of an encoder.
    Raises FileNotFoundError where there is no such folder, and IntertaskError where what it has is damaged, of an
    earlier version or another's.
    """
    record = read_sealed(folder / "run.json", folder.name, MADE_ANEW, RECORD_KEYS)
    for name, file in record["files"].items():
        _check_file(f"{folder}/{name}", file, name.partition("/")[0] in whole)
    return record


def _check_file(path: str, file: dict[str, Any], whole: bool) -> None:
    try:
        size = os.stat(path).st_size
        if size == file["bytes"] and not (whole and file_digest(Path(path)) != file["sha256"]):
            return
        found = "others: they were changed or damaged" if size == file["bytes"] else number_of(size, "byte")
    except FileNotFoundError:
        if left_behind(path):
            return
        found = "none"
    except OSError as error:
        found = error.strerror
    expected = f"the {number_of(file['bytes'], 'byte')} that the run left, with the SHA-256 {file['sha256'][:12]}…"
    raise refusal(path, expected, found, MADE_ANEW)


def left_behind(path: str) -> bool:
    """Whether a run's file that is not there may be so since its results were copied: no part of an encoder may."""
    folder = Path(path).parent
    return folder.name != "encoder" or not folder.is_dir()


def sound(run_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The records of those of the runs that are finished, and not damaged."""
    for run_id in run_ids:
        with suppress(FileNotFoundError, IntertaskError):
            yield read(run_id)


def finished(run_id: str, with_encoder: bool = False, whole: Collection[str] = ()) -> bool:
    """Whether the pool holds the run as `read` wants it, and its encoder if that is needed."""
    with suppress(FileNotFoundError, IntertaskError):
        read(run_id, whole=whole)
        return not with_encoder or has_encoder(run_id)
    return False


def has_encoder(run_id: str) -> bool:
    return (folder_of(run_id, with_encoder=True) / "encoder").is_dir()


def required(run_id: str, whole: Collection[str] = ()) -> dict[str, Any]:
    """The record of a run without which another cannot start."""
    with suppress(FileNotFoundError):
        record = read(run_id, whole=whole)
        if "encoder" not in whole or has_encoder(run_id):
            return record
    raise IntertaskError(
        f"Run {run_id}, from which this one starts, is not in {pool()}{' with its encoder' * ('encoder' in whole)}. "
        "Run the study that holds it first, or repeat it by hand from its parameters.yaml with keep_encoder."
    )


def wait_for_parents(run: Run) -> None:
    """Waits, a lease at most, until this machine sees what another one has published: runs, and encoders in them."""
    until = time.monotonic() + claims.LEASE
    while time.monotonic() < until:
        if all((folder_of(one) / "run.json").is_file() for one in run.parents) and all(map(has_encoder, run.starts)):
            return
        time.sleep(0.5)


def start_of(run: Run) -> str | Path:
    """Where the encoder of a run that `chosen` gave is found: by a published one's name, or in its parent's folder."""
    if not run.parent:
        return run.encoder
    required(run.parent, whole=["encoder"])
    return folder_of(run.parent, with_encoder=True) / "encoder"


def chosen(run: Run) -> Run:
    """The run with everything decided that it leaves to the dev scores of other runs.

    Of several candidate parents one (Weller et al. 2022: the best of five); of a sweep the settings in which its runs
    differ, from the best (Pruksachatkun et al. 2020, section 3); of single runs their mean score. Of equals the first.
    """
    made: dict[str, Any] = {}
    if isinstance(run.parent, list):
        made["parent"] = _candidate(run.parent, run.parent_rule)
    if run.settings_from:
        made |= swept_settings(run.settings_from)
    made["single_scores"] = {
        task: fmean(dev_score(required(one), task) for one in runs) if isinstance(runs, list) else runs
        for task, runs in run.single_scores.items()
    }
    return run.model_copy(update=made)


def trained_before(run: Run) -> list[str]:
    """The tasks that the encoder of a run that `chosen` gave was trained on by the runs before it, the last first."""
    return list(dict.fromkeys(task for record in ancestry(run.parent) for task in record["tasks"]))


def ancestry(run_id: str | None) -> Iterator[dict[str, Any]]:
    """The record of a run, of the one that it started from, and so on; None: of none. Raises where one is missing."""
    while run_id:
        yield (record := required(run_id))
        run_id = record["parent"]


def swept_settings(candidates: list[str]) -> dict[str, Any]:
    """The settings in which the runs of a sweep differ, with the values of the best on dev."""
    defaults = Run.defaults()
    settings = {one: defaults | required(one)["identity"] for one in candidates}
    best = settings[_candidate(candidates, "best")]
    return {name: best[name] for name in defaults if any(one[name] != best[name] for one in settings.values())}


def _candidate(candidates: list[str], rule: str) -> str:
    """The run whose dev score is the best, or nearest to the mean or the median of all."""
    scores = [dev_score(required(candidate)) for candidate in candidates]
    aim = {"best": max, "nearest_mean": fmean, "nearest_median": median}[rule](scores)
    return min(zip(candidates, scores, strict=True), key=lambda one: abs(one[1] - aim))[0]


def dev_score(record: dict[str, Any], task: str | None = None) -> float:
    """The main score (0-100) of one task, or the mean over the mixture's, on the split that chose the checkpoint."""
    tasks = [record["tasks"][task]] if task else record["tasks"].values()
    return fmean(next(one["scores"][split]["main"] for split in CHOOSING if split in one["scores"]) for one in tasks)


def open_pool() -> None:
    """Makes the pool's folders where they are not there yet, and removes what dead processes of this machine have left.

    The one place where they are made: a pool that is moved while runs are under way is not begun anew as a stub.
    """
    try:
        for name in (".claims", ".staging", ".failed", ".checkpoints"):
            (pool() / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(pool(), "a folder to write to", error.strerror, "Ask its owner, or copy the results.") from None
    for run_id, number, remains in staged():
        # of another machine nobody here knows whether it is only slow: what it left is removed there
        if claims.HERE.left_behind(claim_file(run_id), number):
            shutil.rmtree(remains, ignore_errors=True)
    for left in (pool() / ".checkpoints").iterdir():
        last = claims.latest(claim_file(left.name))
        again = last is not None and not last.ended.startswith(claims.PUBLISHED)  # trained for its encoder, it may be
        if finished(left.name, with_encoder=again):
            shutil.rmtree(left, ignore_errors=True)
    remove_left(pool())


@contextmanager
def own_mark(folder: Path, what: str) -> Iterator[Attempt]:
    """A file of its own in a folder until the end of the block, and a `path` beside it for a folder to build in.

    It tells whose it is, so that `remove_left` removes both where their process was killed.
    """
    attempt = claims.HERE.take(folder / f".{what}-{secrets.token_hex(8)}")
    try:
        yield attempt
    finally:
        _remove_mark(attempt)


def remove_left(folder: Path) -> None:
    """Removes what dead processes of this machine have as their `own_mark` in a folder."""
    for left in folder.glob(f".*-{'?' * 16}.1"):
        attempt = Attempt(left.with_suffix(""), 1)
        if claims.HERE.left_behind(attempt.path, attempt.number):
            _remove_mark(attempt)


def _remove_mark(attempt: Attempt) -> None:
    shutil.rmtree(attempt.path, ignore_errors=True)
    attempt.file.unlink(missing_ok=True)
    attempt.ending.unlink(missing_ok=True)


def staged() -> Iterator[tuple[str, int, Path]]:
    """What is being built, or was when its process died: run ids, numbers of attempts, and folders."""
    for folder in (pool() / ".staging").glob("*"):
        if attempt := claims.attempt_of(folder.name.removesuffix(OLD)):
            yield *attempt, folder


def claim_file(run_id: str) -> Path:
    """Where the attempts at a run are kept (`claims`), each behind its number: the log of who did what."""
    return pool() / ".claims" / run_id


def require_pool() -> None:
    """Refuses to go on where the pool is gone."""
    if not pool().is_dir():
        remedy = "Finished runs are where it is now: give the same command again for that folder."
        raise refusal(pool(), "the pool where it was", "that it was moved or deleted meanwhile", remedy)


def staging_folder(attempt: Attempt) -> Path:
    return pool() / ".staging" / attempt.name


@contextmanager
def staging(attempt: Attempt) -> Iterator[Path]:
    """The attempt's own folder, which nobody else removes; gone at the end of the block."""
    folder = staging_folder(attempt)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, attempt: Attempt) -> Path | None:
    """Renames a complete folder into the pool, and returns where it lies there; None: the attempt had been ended.

    The first publisher wins (`arrive`); a later result that is not equal is refused.
    """
    progress_file(folder).unlink(missing_ok=True)
    for path in folder.rglob("*"):  # before the rename: a folder that is there must be whole after a power cut too
        sync(path)
    if not attempt.end(claims.PUBLISHED):
        return None
    run_id = attempt.path.name
    target = pool() / run_id
    if kept := arrive(folder, target):
        raise refusal(target, "the scores of one identity", f"others, which are now in {kept}", UNLIKE)
    sync(target.parent)
    attempt.published()
    shutil.rmtree(failure_folder(run_id), ignore_errors=True)
    shutil.rmtree(checkpoints(run_id), ignore_errors=True)
    return target


def arrive(folder: Path, target: Path) -> Path | None:
    """Renames a complete folder to its place in a pool, or joins it to the run that is there: returns None.

    The first stays. It is given the encoder that it lacks by an equal one, and makes room where it is damaged. One that
    is not equal is kept aside: returns where.
    """
    try:
        folder.rename(target)  # which replaces no folder that holds something
        return None
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    try:
        theirs = read_folder(target, whole=["predictions", "encoder"])
    except (FileNotFoundError, IntertaskError):  # damaged: until the next line but one there is none, never half of one
        target.rename(folder.with_name(f"{folder.name}{OLD}"))
        folder.rename(target)
        shutil.rmtree(folder.with_name(f"{folder.name}{OLD}"), ignore_errors=True)
        return None
    ours = read_sealed(folder / "run.json", target.name, MADE_ANEW, RECORD_KEYS)
    if not same_result(ours, theirs):
        return keep_aside(folder, target)
    if (folder / "encoder").is_dir() and not (target / "encoder").is_dir():
        theirs["files"] |= {name: file for name, file in ours["files"].items() if name.startswith("encoder/")}
        del theirs["sha256"]
        # listed before: what is listed and not there is not missed
        write_sealed(target / "run.json", target.name, json.dumps(theirs, indent=1))
        (folder / "encoder").rename(target / "encoder")
    return None


def same_result(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two records of one run have the same scores, steps and, where both list any, the same weights."""
    scores = [{task: of["scores"] for task, of in record["tasks"].items()} for record in (one, other)]
    weights = [name for name in one["files"].keys() & other["files"].keys() if name.endswith(".safetensors")]
    same = all(one["files"][name] == other["files"][name] for name in weights)
    return scores[0] == scores[1] and one["steps"] == other["steps"] and same


def keep_aside(folder: Path, target: Path, name: str = "differing") -> Path:
    """Moves a result that is not the pool's, or no longer, to where nobody reads it but people."""
    (aside := target.parent / f".{name}").mkdir(exist_ok=True)
    for n in count(1):
        kept = aside / f"{target.name}.{n}"
        with suppress(FileExistsError, NotADirectoryError):
            kept.mkdir()  # that nobody else has; an empty one is replaced
            return folder.rename(kept)


def failure_folder(run_id: str, results: Path | None = None) -> Path:
    return (results or results_root()) / "runs" / ".failed" / run_id


def keep_failure(run_id: str, reason: str, cell: int | None = None, own: bool = True) -> None:
    """Leaves why a run failed, and in which cell of its notebook, where `status.failure` finds it.

    own: the run would fail again; what was killed, or had no room, is tried again by itself.
    """
    require_pool()
    left = {"reason": reason, "cell": cell, "own": own, "when": now()}
    failure_folder(run_id).mkdir(exist_ok=True)
    write(failure_folder(run_id) / "failure.json", json.dumps(left, indent=1))


def checkpoints(run_id: str) -> Path:
    """Where a long run keeps what it goes on from when its process was killed, until it is published."""
    return pool() / ".checkpoints" / run_id


def reached(run_id: str) -> str:
    """The moment (`train.Training.moment`) of a run's newest checkpoint; empty where it has none."""
    return max((one.name.rpartition(".")[0] for one in checkpoints(run_id).glob("[!.]*")), default="")


def notebook_file(folder: Path) -> Path:
    """The executed notebook of a run, or of one that failed."""
    return folder / "notebook.ipynb"


def progress_file(folder: Path) -> Path:
    """What a run under way tells of itself, a JSON object per line (`live.Running`); no part of the finished run."""
    return folder / "progress.jsonl"


def predictions_file(folder: Path, task: str) -> Path:
    """What a run predicted on every split of one task but train: of the columns `train.PREDICTED` those that it has."""
    return folder / "predictions" / f"{task}.parquet"


def learned_file(folder: Path, task: str) -> Path:
    """What the format of one task learned of its training split, as a vocabulary."""
    return folder / "learned" / f"{task}.json"
