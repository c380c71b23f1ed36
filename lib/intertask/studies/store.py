"""The results folder: the pool of finished runs, and each study's snapshot. The folder is the truth.

A run's folder appears whole or not at all: it is built in `runs/.staging/` and renamed. A claim on a run is a lock of
the operating system (`flock`), so it is free again the moment its holder dies.
"""

import fcntl
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from typing import Any

import yaml
from pydantic import BaseModel, Field

from intertask.errors import IntertaskError
from intertask.run import Member, Run, digest


class TaskRecord(BaseModel):
    """What `run.json` says of one task of the run's mixture."""

    shuffle_labels: bool = Field(description="whether the training labels were permuted")
    limit: int | None = Field(description="training examples drawn; null: all")
    selection: str = Field(description="how the checkpoint was chosen")
    reported: str = Field(description="the split whose main score the run reports")
    scores: dict[str, dict[str, float]] = Field(description="split to metric to score, 0-100")
    majority: dict[str, dict[str, float]] = Field(description="the same for the majority class (regression: the mean)")
    degenerate: bool = Field(description="main of the reported split does not exceed the majority's")
    constant_predictions: bool = Field(description="one prediction for the whole reported split")
    sizes: dict[str, int] = Field(description="examples in each split, as used")
    truncated: dict[str, int] = Field(description="examples cut at max_length")
    cut_spans: dict[str, int] = Field(description="spans cut at max_length; of formats that have spans")
    best_step: int = Field(description="the step of the checkpoint that is scored")
    examples_seen: int = Field(description="training examples, repetitions counted")
    distinct_examples: int = Field(description="training examples, each counted once")
    overlap: dict[str, int] = Field(
        description="of its dev examples, how many are in the training data of each task trained before or alongside"
    )


class Record(BaseModel):
    """`run.json`: what a finished run says of itself."""

    id: str = Field(description="slug and hash: the folder's name")
    identity: dict[str, Any] = Field(description="everything that is hashed")
    task: str = Field(description="the first task of the mixture")
    tasks: dict[str, TaskRecord] = Field(description="every task trained on")
    encoder: str = Field(description="as the study or the parameters name it")
    parent: str | None = Field(description="the run whose encoder this one started from, of candidates the chosen one")
    settings: dict[str, Any] = Field(description="what the best run of a sweep decided")
    seed: int = Field(description="master seed")
    steps: int = Field(description="optimizer steps taken")
    examples_seen: int = Field(description="training examples of all tasks, repetitions counted")
    seconds: dict[str, float] = Field(description="wall time: load, train, evaluate")
    examples_per_second: float = Field(description="training examples over training seconds")
    device: str = Field(description="cpu, or the GPU's name")
    threads: int = Field(description="processor threads")
    versions: dict[str, str] = Field(description="of Python and the libraries that compute")
    git_commit: str | None = Field(description="of the checkout; '+' behind it: with uncommitted changes")
    finished: str = Field(description="UTC, ISO 8601")


def results_root() -> Path:
    """INTERTASK_RESULTS, or the `results/` beside `notebooks/` in this folder or the nearest one above it."""
    if configured := os.environ.get("INTERTASK_RESULTS"):
        return Path(configured).resolve()
    return project_root() / "results"


def project_root() -> Path:
    """The checkout: the nearest folder upwards with `notebooks/experiments`, else the one this library lies in."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[3]):
        if (folder / "notebooks" / "experiments").is_dir():
            return folder
    raise IntertaskError(
        f"Expected notebooks/experiments in {here} or above it. Change into the checkout of Intertask."
    )


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
    with open(folder / run_id, "a") as lock:
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
    for path in folder.rglob("*"):
        _sync(path)
    target = pool() / run_id
    if target.exists():
        target.rename(folder.with_name(f"{folder.name}.old"))
    folder.rename(target)
    _sync(target.parent)
    shutil.rmtree(folder.with_name(f"{folder.name}.old"), ignore_errors=True)
    shutil.rmtree(failure_folder(run_id), ignore_errors=True)
    return target


def failure_folder(run_id: str) -> Path:
    return pool() / ".failed" / run_id


def record(result, run: Run) -> Path:
    """Stores a finished training (`training.Result`) of a run and returns its folder.

    Under `intertask run` that folder goes into the pool when the notebook has ended. By hand it is
    `results/by_hand/<id>/`, replaced at each repetition: what the pool holds comes from untouched notebooks only.
    """
    run_id = run.id()
    given = os.environ.get("INTERTASK_STAGING")
    folder = Path(given) if given else results_root() / "by_hand" / run_id
    if not given:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    if run.keep_encoder:
        from intertask.training.model import save_model

        save_model(result.model, folder / "encoder")
    result.curve.to_csv(folder / "curve.csv", index=False)
    for name, outcome in result.tasks.items():
        path = predictions_file(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        outcome.predictions.dropna(axis="columns", how="all").to_parquet(path, index=False)
    (folder / "parameters.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False))
    write(folder / "run.json", describe(result, run).model_dump_json(indent=1))
    return folder


def predictions_file(folder: Path, task: str) -> Path:
    """What a run predicted on every split of one task but train: columns split, row, label, prediction, logits."""
    return folder / "predictions" / f"{task}.parquet"


def compare(result, run: Run) -> str:
    """One sentence: does a result agree with the pool's run of the same identity?"""
    run_id = run.id()
    if not finished(run_id):
        return f"The pool holds no run {run_id} to compare with."
    ours = json.loads(describe(result, run).model_dump_json())["tasks"]
    if all(read(run_id)["tasks"][name]["scores"] == ours[name]["scores"] for name in ours):
        return f"Every score equals that of {run_id} in the pool."
    return (
        f"The scores DIFFER from those of {run_id} in the pool: another machine, other versions, or an edited notebook."
    )


def describe(result, run: Run) -> Record:
    """The record of a finished training; `run` as it was asked for, `result.run` as it was decided."""
    settings = swept_settings(run.settings_from) if run.settings_from else {}
    return Record(
        id=run.id(),
        identity=run.identity(),
        **run.model_dump(include={"task", "encoder", "seed", "threads"}),
        parent=result.run.parent,
        settings=settings,
        tasks={member.task: _task_record(result.tasks[member.task], member, run) for member in run.members},
        steps=result.steps,
        examples_seen=result.examples_seen,
        seconds={name: round(value, 3) for name, value in result.seconds.items()},
        examples_per_second=round(result.examples_seen / result.seconds["train"], 1),
        device=_device_name(result.model.device),
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("intertask", "torch", "transformers", "numpy")},
        git_commit=git_commit(),
        finished=now(),
    )


def _task_record(outcome, member: Member, run: Run) -> TaskRecord:
    best = "best checkpoint" if run.selection == "each" or not run.alongside else "checkpoint with the best average"
    names = ("reported", "scores", "majority", "degenerate", "constant_predictions", "truncated", "cut_spans")
    names += ("best_step", "examples_seen", "distinct_examples")
    return TaskRecord(
        **member.model_dump(include={"shuffle_labels", "limit"}),
        **{name: getattr(outcome, name) for name in names},
        selection=f"{best} on " + ("validation_select" if run.holdout else "validation"),
        sizes={split: len(rows) for split, rows in outcome.task.splits.items()},
        overlap=outcome.task.overlap,
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(stream.name, path)


@cache
def git_commit() -> str | None:
    """The checkout's commit, with a '+' if the library or the notebooks differ from it; None outside a checkout."""
    root = project_root()
    head = _git(root, "rev-parse", "HEAD")
    changed = head and _git(root, "status", "--porcelain", "lib", "notebooks")
    return f"{head}+" if changed else head or None


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def _device_name(device) -> str:
    if device.type != "cuda":
        return device.type
    import torch

    return torch.cuda.get_device_name(device)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
