"""What a finished training leaves of itself: `run.json`, predictions, the curve, and the encoder where it is needed."""

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel, Field

from intertask.errors import refusal
from intertask.files import csv_text, file_digest, now, results_root, write, write_sealed
from intertask.origin import COMPUTING, git_commit
from intertask.run import BEST_OF, Run
from intertask.studies import store
from intertask.studies.status import is_best
from intertask.training.model import save_model
from intertask.training.train import Outcome, Result


class FileDigest(BaseModel):
    """A file beside the record, by which readers tell whether it is as the run left it."""

    bytes: int
    sha256: str


class Record(BaseModel):
    """`run.json`: what a finished run says of itself; behind these fields stands the file's own SHA-256."""

    id: str = Field(description="slug and hash: the folder's name")
    identity: dict[str, Any] = Field(description="everything that is hashed")
    task: str = Field(description="the first task of the mixture")
    tasks: dict[str, Outcome] = Field(description="every task trained on")
    encoder: str = Field(description="as the study or the parameters name it")
    parent: str | None = Field(description="the run whose encoder this one started from, of candidates the chosen one")
    settings: dict[str, Any] = Field(description="what the best run of a sweep decided")
    seed: int = Field(description="master seed")
    steps: int = Field(description="optimizer steps taken")
    examples_seen: int = Field(description="training examples of all tasks, repetitions counted")
    seconds: dict[str, float] = Field(
        description="wall time of all that it went on from: load, train, evaluate; of long runs also checkpoint"
    )
    resumed: int = Field(description="how often it went on from a checkpoint after its process had ended")
    at_once: dict[str, int] = Field(
        description="where a GPU's memory held no whole batch in train or evaluate: the most examples read at once"
    )
    examples_per_second: float = Field(description="training examples over training seconds")
    device: str = Field(description="cpu, or the GPU's name")
    threads: int = Field(description="processor threads")
    versions: dict[str, str] = Field(description="of Python and the libraries that compute")
    git_commit: str | None = Field(description="of the checkout; '+' behind it: with uncommitted changes")
    files: dict[str, FileDigest] = Field(
        description="what else the folder holds, but for the notebook that is written last"
    )
    finished: str = Field(description="UTC, ISO 8601")


def save(result: Result, run: Run) -> Path:
    """Stores a finished training (`training.Result`) of a run and returns its folder.

    Under `intertask run` that folder goes into the pool when the notebook has ended; edited code has ids of its own
    (`origin.edited_code`). By hand it is `results/by_hand/<id>/`, replaced at each repetition, whatever was edited.
    """
    run_id = run.id()
    given = os.environ.get("INTERTASK_STAGING")
    folder = Path(given) if given else results_root() / "by_hand" / run_id
    if not given:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    elif not folder.is_dir():
        remedy = "Give the same command again for the folder where the results are now."
        raise refusal(folder, "the folder in which this run began", "that it was moved or deleted meanwhile", remedy)
    if run.keep_encoder is True or (run.keep_encoder and _is_best(result, run)):
        save_model(result.model, folder / "encoder")
    (folder / "curve.csv").write_text(csv_text(result.curve, index=False), encoding="utf-8")
    for name, outcome in result.tasks.items():
        path = store.predictions_file(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        outcome.predictions.dropna(axis="columns", how="all").to_parquet(path, index=False)
    for part in (part for part in result.model.parts if part.format.learned):
        path = store.learned_file(folder, part.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, part.format.learned)
    parameters = yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False)
    (folder / "parameters.yaml").write_text(parameters, encoding="utf-8")
    write_sealed(folder / "run.json", run_id, describe(result, run, folder).model_dump_json(indent=1))
    return folder


def _is_best(result: Result, run: Run) -> bool:
    tasks = {name: {"scores": outcome.scores} for name, outcome in result.tasks.items()}
    return is_best(run.keep_encoder.removeprefix(BEST_OF), {"id": run.id(), "tasks": tasks})


def compare(result: Result, run: Run) -> str:
    """One sentence: does a result agree with the pool's run of the same identity?"""
    run_id = run.id()
    if not store.finished(run_id):
        if os.environ.get("INTERTASK_STAGING"):
            return f"This run enters the pool as {run_id} when its notebook has ended."
        return f"The pool holds no run {run_id} to compare with."
    theirs = store.read(run_id)["tasks"]
    if all(theirs[name]["scores"] == outcome.scores for name, outcome in result.tasks.items()):
        return f"Every score equals that of {run_id} in the pool."
    return (
        f"The scores DIFFER from those of {run_id} in the pool: another machine, other versions, or an edited notebook."
    )


def describe(result: Result, run: Run, folder: Path) -> Record:
    """The record of a finished training of which the files are in the folder; `run` as it was asked for."""
    settings = store.swept_settings(run.settings_from) if run.settings_from else {}
    device = result.model.device
    return Record(
        id=run.id(),
        identity=run.identity(),
        **run.model_dump(include={"task", "encoder", "seed", "threads"}),
        parent=result.run.parent,
        settings=settings,
        tasks=result.tasks,
        steps=result.steps,
        examples_seen=result.examples_seen,
        resumed=result.resumed,
        at_once=result.model.at_once,
        seconds={name: round(value, 3) for name, value in result.seconds.items()},
        examples_per_second=round(result.examples_seen / result.seconds["train"], 1),
        device=device.type if device.type != "cuda" else torch.cuda.get_device_name(device),
        versions={"python": platform.python_version()} | {name: version(name) for name in ("intertask", *COMPUTING)},
        git_commit=git_commit(),
        files=dict(sorted(_files(folder))),
        finished=now(),
    )


def _files(folder: Path) -> Iterator[tuple[str, FileDigest]]:
    unsealed = store.notebook_file(folder), store.progress_file(folder)
    for path in folder.rglob("*"):
        if path.is_file() and path not in unsealed:
            size, digest = path.stat().st_size, file_digest(path)
            yield str(path.relative_to(folder)), FileDigest(bytes=size, sha256=digest)
