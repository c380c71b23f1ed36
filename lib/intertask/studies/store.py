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
from typing import Any

import yaml
from pydantic import BaseModel, Field

from intertask.errors import IntertaskError
from intertask.run import Run, digest


class Record(BaseModel):
    """`run.json`: what a finished run says of itself."""

    id: str = Field(description="slug and hash: the folder's name")
    identity: dict[str, Any] = Field(description="everything that is hashed")
    task: str = Field(description="the task trained on")
    encoder: str = Field(description="as the study or the parameters name it")
    parent: str | None = Field(description="the run whose encoder this one started from")
    shuffle_labels: bool = Field(description="whether the training labels were permuted")
    seed: int = Field(description="master seed")
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
    steps: int = Field(description="optimizer steps taken")
    best_step: int = Field(description="the step of the checkpoint that is scored")
    examples_seen: int = Field(description="training examples, repetitions counted")
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
    """Where the run's encoder is found: the name of a published one, or the folder of its parent's."""
    if not run.parent:
        return run.encoder
    if not finished(run.parent, with_encoder=True):
        raise IntertaskError(
            f"Run {run.parent}, from whose encoder this one starts, is not in {pool()} (with its encoder). "
            "Run the study that holds it first, or repeat it by hand from its parameters.yaml with keep_encoder."
        )
    return pool() / run.parent / "encoder"


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


def record(result) -> Path:
    """Stores a finished training (`training.Result`) and returns its folder.

    Under `intertask run` that folder goes into the pool when the notebook has ended. By hand it is
    `results/by_hand/<id>/`, replaced at each repetition: what the pool holds comes from untouched notebooks only.
    """
    run_id = result.run.id()
    given = os.environ.get("INTERTASK_STAGING")
    folder = Path(given) if given else results_root() / "by_hand" / run_id
    if not given:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    if result.run.keep_encoder:
        from intertask.encoders import save_encoder

        save_encoder(result.model.encoder, result.model.tokenizer, folder / "encoder")
    result.curve.to_csv(folder / "curve.csv", index=False)
    result.predictions.dropna(axis="columns", how="all").to_parquet(folder / "predictions.parquet", index=False)
    (folder / "parameters.yaml").write_text(yaml.safe_dump(result.run.model_dump(mode="json"), sort_keys=False))
    write(folder / "run.json", describe(result, run_id).model_dump_json(indent=1))
    return folder


def compare(result) -> str:
    """One sentence: does a result agree with the pool's run of the same identity?"""
    run_id = result.run.id()
    if not finished(run_id):
        return f"The pool holds no run {run_id} to compare with."
    if read(run_id)["scores"] == json.loads(describe(result, run_id).model_dump_json())["scores"]:
        return f"Every score equals that of {run_id} in the pool."
    return (
        f"The scores DIFFER from those of {run_id} in the pool: another machine, other versions, or an edited notebook."
    )


def describe(result, run_id: str) -> Record:
    run, device = result.run, result.model.device
    return Record(
        id=run_id,
        identity=run.identity(),
        **run.model_dump(include={"task", "encoder", "parent", "shuffle_labels", "seed", "limit", "threads"}),
        selection="best checkpoint on " + ("validation_select" if run.holdout else "validation"),
        reported=result.reported,
        scores=result.scores,
        majority=result.majority,
        degenerate=result.degenerate,
        constant_predictions=result.constant_predictions,
        sizes={split: len(rows) for split, rows in result.task.splits.items()},
        truncated=result.truncated,
        cut_spans=result.cut_spans,
        steps=result.steps,
        best_step=result.best_step,
        examples_seen=result.examples_seen,
        seconds={name: round(value, 3) for name, value in result.seconds.items()},
        examples_per_second=round(result.examples_seen / result.seconds["train"], 1),
        device=_device_name(device),
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("intertask", "torch", "transformers", "numpy")},
        git_commit=git_commit(),
        finished=now(),
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
