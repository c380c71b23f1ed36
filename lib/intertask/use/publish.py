"""A study's finished runs in the place where a lab keeps its books: trackio, Weights & Biases, MLflow or TensorBoard.

Runs are written from their records, after the fact, under their own ids: what is there already is not written again,
and what was begun and not ended is replaced.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from intertask.analysis.read import read_records, read_runs
from intertask.errors import refusal
from intertask.files import new_folder, results_root
from intertask.files import write as write_file
from intertask.studies import store

ROLE_KEYS = ["stage", "part", "regime", "mixing", "encoder", "supporting", "target"]
RECORD_FACTS = ["finished", "device", "git_commit"]
WHOLE = "study"
"""The file by which a folder that wandb keeps offline is known to be whole, with the name of the study."""


@dataclass(frozen=True)
class Booked:
    """What a tracker is told of one run; names of metrics are `task/metric`, of final scores `task/split/metric`.

    parameters: the run's own, with its role in the study (`study/…`) and facts of its record (`record/…`); curve: by
    step; steps: optimizer steps taken, to which the final scores belong; notebook: an address, or empty.
    """

    run: str
    parameters: dict[str, Any]
    curve: dict[int, dict[str, float]]
    scores: dict[str, float]
    steps: int
    finished: datetime
    notebook: str

    def rows(self) -> list[tuple[int, dict[str, float]]]:
        """The curve by step, the final scores with its last row."""
        by_step = {**self.curve, self.steps: self.curve.get(self.steps, {}) | self.scores}
        return sorted(by_step.items())


Target = tuple[set[str], Callable[[Booked], None], str]
"""The runs that are there, whole; what writes one; and where they are looked at."""


def publish_study(study: str, to: str, say: Callable[[str], None] = print) -> None:
    """Writes the finished runs of a study that the tracker `to` (a key of TRACKERS) does not have yet.

    Raises IntertaskError where nothing is finished, the tracker is not installed or cannot be reached; what was written
    until then stays, and the same call goes on from there.
    """
    runs = read_runs(study)
    records = read_records(runs)
    if not records:
        raise refusal(study, "a study with finished runs", "none", "Train some first; a table of scores has no runs.")
    try:
        there, write, where = TRACKERS[to](study)
        new = [run for run in records if run not in there]
        for run in new:
            write(_booked(records[run], runs))
    except ImportError as error:
        expected = f"{to}, which keeps the books"
        raise refusal(
            f"--to {to}", expected, f"that it is not installed ({error})", f"pip install 'intertask[{to}]'"
        ) from None
    except Exception as error:  # whatever a tracker raises: its errors have no class in common
        if type(error).__module__.startswith(("intertask", "builtins")) and not isinstance(error, OSError):
            raise
        found = " ".join(str(error).split()[:40]) or type(error).__name__
        remedy = "Nothing is lost: what was written stays there, and the same command goes on."
        raise refusal(f"--to {to}", "that the tracker can be reached and written to", found, remedy) from None
    waiting = runs.loc[~runs["done"], "run"].nunique()
    say(f"{study}: {len(new)} runs written, {len(records) - len(new)} were there, {waiting} are not finished. {where}")


def _booked(record: dict[str, Any], runs: pd.DataFrame) -> Booked:
    run = record["id"]
    folder = store.folder_of(run)
    role = runs.loc[runs["run"].eq(run), ROLE_KEYS].iloc[0].dropna()
    given = folder / "parameters.yaml"  # which may be left behind when results are copied
    own = yaml.safe_load(given.read_text(encoding="utf-8")) if given.is_file() else record["identity"]
    parameters = own | {f"study/{key}": value for key, value in role.items()}
    parameters |= {f"record/{key}": record[key] for key in RECORD_FACTS}
    scores = {
        _metric(task, split, metric): score
        for task, outcome in record["tasks"].items()
        for split, metrics in outcome["scores"].items()
        for metric, score in metrics.items()
    }
    notebook = store.notebook_file(folder)
    link = notebook.resolve().as_uri() if notebook.is_file() else ""
    finished = datetime.fromisoformat(record["finished"])
    return Booked(run, parameters, _curve(folder / "curve.csv"), scores, record["steps"], finished, link)


def _curve(path: Path) -> dict[int, dict[str, float]]:
    curve: dict[int, dict[str, float]] = {}
    rows = pd.read_csv(path).to_dict("records") if path.is_file() else []
    for row in rows:
        step, task = row.pop("step"), row.pop("task")
        own = {_metric(task, name): value for name, value in row.items() if pd.notna(value)}
        curve.setdefault(int(step), {}).update(own)
    return curve


def _metric(*parts: str) -> str:
    """A name of characters that every tracker takes."""
    return re.sub(r"[^\w./ -]", "_", "/".join(parts))


def _texts(parameters: dict[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in parameters.items()}


def _trackio(study: str) -> Target:
    from trackio import Api
    from trackio.sqlite_storage import SQLiteStorage

    def write(booked: Booked) -> None:
        # in one transaction; a run of trackio.init would be written by a thread that passes over its errors
        steps, metrics = zip(*booked.rows(), strict=True)
        times = [booked.finished.isoformat()] * len(steps)
        config = booked.parameters | {"notebook": booked.notebook, "_Group": study}
        marks = [f"{booked.run}/{step}" for step in steps]
        SQLiteStorage.bulk_log(study, booked.run, list(metrics), list(steps), times, config, marks, run_id=booked.run)

    known = SQLiteStorage.get_project_db_path(study).exists()
    there = {run.name for run in Api().runs(study)} if known else set()
    return there, write, f'trackio show --project "{study}"'


def _wandb(study: str) -> Target:
    import wandb

    project = study.replace("/", "-")
    settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False)
    settings.x_disable_stats = settings.x_disable_meta = True  # of this machine, which trained nothing
    offline = os.environ.get("WANDB_MODE") == "offline"
    kept = Path(os.environ.get("WANDB_DIR", ".")) / "wandb"

    def write(booked: Booked) -> None:
        config = booked.parameters | {"notebook": booked.notebook}
        for folder, whole in _offline(kept, booked.run) if offline else ():
            if not whole:
                shutil.rmtree(folder)
        of_run = {"project": project, "group": study, "id": booked.run, "name": booked.run, "config": config}
        with wandb.init(**of_run, resume=None if offline else "allow", settings=settings) as run:
            for step, metrics in booked.rows():
                run.log(metrics, step=step)
            folder = Path(run.dir).parent
        if offline:
            write_file(folder / WHOLE, study)

    if offline:
        there = {folder.name.split("-", 3)[3] for folder, whole in _offline(kept) if whole == study}
    else:
        there = _finished_online(project)
    where = f"wandb sync {kept}/offline-run-*" if offline else f"wandb project {project}"
    return there, write, where


def _offline(kept: Path, run: str = "*") -> Iterator[tuple[Path, str]]:
    """Folders of a run, and of which study each is whole: several studies may have a run."""
    for folder in kept.glob(f"offline-run-*-{run}"):
        mark = folder / WHOLE
        yield folder, mark.read_text(encoding="utf-8") if mark.is_file() else ""


def _finished_online(project: str) -> set[str]:
    import wandb

    try:
        return {run.id for run in wandb.Api().runs(project) if run.state == "finished"}
    except ValueError:  # what it says of a project that is not there
        return set()


def _mlflow(study: str) -> Target:
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # of its own seven, the last comes after minutes
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()
    experiment = client.get_experiment_by_name(study)
    number = experiment.experiment_id if experiment else client.create_experiment(study)
    found = {run.data.tags.get("intertask.run", ""): run for run in _mlflow_runs(client, number)}
    parent = found.pop("", None) or client.create_run(number, run_name=study, tags={"intertask.study": study})
    if parent.info.status != "FINISHED":
        client.set_terminated(parent.info.run_id)

    def write(booked: Booked) -> None:
        if begun := found.get(booked.run):
            client.delete_run(begun.info.run_id)
        at = int(booked.finished.timestamp() * 1000)
        tags = {"mlflow.parentRunId": parent.info.run_id, "intertask.run": booked.run, "notebook": booked.notebook}
        own = client.create_run(number, start_time=at, tags=tags, run_name=booked.run).info.run_id
        params = [Param(*pair) for pair in _texts(booked.parameters).items()]
        for begin in range(0, len(params), 100):  # its limits on what is sent at once
            client.log_batch(own, params=params[begin : begin + 100])
        metrics = [Metric(name, value, at, step) for step, row in booked.rows() for name, value in row.items()]
        for begin in range(0, len(metrics), 1000):
            client.log_batch(own, metrics=metrics[begin : begin + 1000])
        client.set_terminated(own, end_time=at)

    there = {run for run, kept in found.items() if kept.info.status == "FINISHED"}
    return there, write, f"MLflow: {client.tracking_uri}, experiment {study}"


def _mlflow_runs(client: Any, experiment: str) -> Iterator[Any]:
    token = None
    while token != "":
        page = client.search_runs([experiment], page_token=token)
        yield from (run for run in page if {"intertask.run", "intertask.study"} & run.data.tags.keys())
        token = page.token or ""


def _tensorboard(study: str) -> Target:
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    folder = results_root() / study / "tensorboard"
    for begun in folder.glob(".*"):  # by a process that was killed: it would be shown as a run
        shutil.rmtree(begun)

    def write(booked: Booked) -> None:
        with new_folder(folder / booked.run) as inside, SummaryWriter(inside) as writer:
            at = booked.finished.timestamp()
            for summary in hparams(_texts(booked.parameters), booked.scores):
                writer.file_writer.add_summary(summary, walltime=at)
            writer.add_text("notebook", booked.notebook, walltime=at)
            for step, metrics in booked.rows():
                for name, value in metrics.items():
                    writer.add_scalar(name, value, step, at, new_style=True, double_precision=True)

    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return there, write, f"tensorboard --logdir {folder}"


TRACKERS: dict[str, Callable[[str], Target]] = {
    "trackio": _trackio,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "tensorboard": _tensorboard,
}
