"""What a finished training leaves of itself: `run.json`, predictions, the curve, and the encoder where it is needed."""

import json
import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel, Field

from intertask.files import now, project_root, results_root, write
from intertask.run import Member, Run
from intertask.studies.store import finished, predictions_file, read, swept_settings
from intertask.training.model import save_model
from intertask.training.train import Outcome, Result


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


def save(result: Result, run: Run) -> Path:
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
        save_model(result.model, folder / "encoder")
    result.curve.to_csv(folder / "curve.csv", index=False)
    for name, outcome in result.tasks.items():
        path = predictions_file(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        outcome.predictions.dropna(axis="columns", how="all").to_parquet(path, index=False)
    (folder / "parameters.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False))
    write(folder / "run.json", describe(result, run).model_dump_json(indent=1))
    return folder


def compare(result: Result, run: Run) -> str:
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


def describe(result: Result, run: Run) -> Record:
    """The record of a finished training; `run` as it was asked for, `result.run` as it was decided."""
    settings = swept_settings(run.settings_from) if run.settings_from else {}
    device = result.model.device
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
        device=device.type if device.type != "cuda" else torch.cuda.get_device_name(device),
        versions={"python": platform.python_version()}
        | {name: version(name) for name in ("intertask", "torch", "transformers", "numpy")},
        git_commit=git_commit(),
        finished=now(),
    )


def _task_record(outcome: Outcome, member: Member, run: Run) -> TaskRecord:
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
