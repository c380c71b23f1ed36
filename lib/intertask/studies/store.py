"""The results folder: the pool of finished runs, and each study's snapshot. The folder is the truth.

A run's folder appears whole or not at all: it is built in `runs/.staging/` and renamed. A claim on a run is a lock of
the operating system (`flock`), so it is free again the moment its holder dies.
"""

import fcntl
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import Any

from intertask.errors import IntertaskError
from intertask.files import now, results_root, sync, write
from intertask.run import Run, digest


def pool() -> Path:
    return results_root() / "runs"


def read(run_id: str) -> dict[str, Any]:
    """The record of a finished run; refused if its hash does not match its parameters."""
    folder = pool() / run_id
    record = json.loads((folder / "run.json").read_text())
    if record["id"] != run_id or digest(record["identity"]) != run_id.rsplit("-", 1)[-1]:
        raise IntertaskError(
            f"{folder}: expected parameters whose hash is {run_id.rsplit('-', 1)[-1]}, found "
            f"{digest(record['identity'])} for run {record['id']}. The folder was changed or renamed by hand: delete "
            "it, and the next `intertask run` makes it anew."
        )
    return record


def finished(run_id: str, with_encoder: bool = False) -> bool:
    """Whether the pool holds the run, and its encoder if that is needed."""
    folder = pool() / run_id
    return (folder / "run.json").is_file() and (not with_encoder or (folder / "encoder").is_dir())


def start_of(run: Run) -> str | Path:
    """Where the encoder of a run that `chosen` gave is found: by a published one's name, or in its parent's folder."""
    if not run.parent:
        return run.encoder
    if not finished(run.parent, with_encoder=True):
        raise IntertaskError(
            f"Run {run.parent}, from whose encoder this one starts, is not in {pool()} (with its encoder). "
            "Run the study that holds it first, or repeat it by hand from its parameters.yaml with keep_encoder."
        )
    return pool() / run.parent / "encoder"


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
        task: fmean(dev_score(read(one), task) for one in runs) if isinstance(runs, list) else runs
        for task, runs in run.single_scores.items()
    }
    return run.model_copy(update=made)


def trained_before(run: Run) -> list[str]:
    """The tasks that the encoder of a run that `chosen` gave was trained on by the runs before it, the last first."""
    found, parent = [], run.parent
    while parent:
        record = read(parent)
        found += record["tasks"]
        parent = record["parent"]
    return list(dict.fromkeys(found))


def swept_settings(candidates: list[str]) -> dict[str, Any]:
    """The settings in which the runs of a sweep differ, with the values of the best on dev."""
    defaults = {name: field.default for name, field in Run.model_fields.items()}
    settings = {one: defaults | read(one)["identity"] for one in candidates}
    best = settings[_candidate(candidates, "best")]
    return {name: best[name] for name in defaults if any(one[name] != best[name] for one in settings.values())}


def _candidate(candidates: list[str], rule: str) -> str:
    """The run whose dev score is the best, or nearest to the mean or the median of all."""
    scores = [dev_score(read(candidate)) for candidate in candidates]
    aim = {"best": max, "nearest_mean": fmean, "nearest_median": median}[rule](scores)
    return min(zip(candidates, scores, strict=True), key=lambda one: abs(one[1] - aim))[0]


def dev_score(record: dict[str, Any], task: str | None = None) -> float:
    """The main score (0-100) of one task, or the mean over the mixture's, on the split that chose the checkpoint."""
    tasks = [record["tasks"][task]] if task else record["tasks"].values()
    splits = ("validation_select", "validation")
    return fmean(next(one["scores"][split]["main"] for split in splits if split in one["scores"]) for one in tasks)


@contextmanager
def claim(run_id: str, wait: bool) -> Iterator[bool]:
    """Yields whether the run is ours: the lock is freed at the end of the block, or when this process dies."""
    folder = pool() / ".claims"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / run_id, "a") as lock:  # never deleted: others may wait on this very file
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def staging(run_id: str) -> Iterator[Path]:
    """A fresh folder for the holder of the claim; remains of dead holders are removed before, its own afterwards.

    Each beginning leaves a line, `host process time`, in the run's claim.
    """
    with open(pool() / ".claims" / run_id, "a") as claimed:
        claimed.write(f"{platform.node()} {os.getpid()} {now()}\n")
    parent = pool() / ".staging"
    parent.mkdir(parents=True, exist_ok=True)
    for remains in parent.glob(f"{run_id}.*"):
        shutil.rmtree(remains, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{run_id}.", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, run_id: str) -> Path:
    """Renames a complete folder into the pool; an older one (kept without its encoder, say) makes room first."""
    for path in folder.rglob("*"):  # before the rename: a folder that is there must be whole after a power cut too
        sync(path)
    target = pool() / run_id
    if target.exists():
        # until the next line there is no such run, but never half of one
        target.rename(folder.with_name(f"{folder.name}.old"))
    folder.rename(target)
    sync(target.parent)
    shutil.rmtree(folder.with_name(f"{folder.name}.old"), ignore_errors=True)
    shutil.rmtree(failure_folder(run_id), ignore_errors=True)
    return target


def failure_folder(run_id: str) -> Path:
    return pool() / ".failed" / run_id


def keep_failure(run_id: str, reason: str, cell: int | None = None) -> None:
    """Leaves why a run failed, and in which cell of its notebook, where `status.failure` finds it."""
    left = {"reason": reason, "cell": cell, "when": now()}
    write(failure_folder(run_id) / "failure.json", json.dumps(left, indent=1))


def predictions_file(folder: Path, task: str) -> Path:
    """What a run predicted on every split of one task but train: columns split, row, label, prediction, logits."""
    return folder / "predictions" / f"{task}.parquet"
