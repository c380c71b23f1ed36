"""A study's finished runs in the place where a lab keeps its books: trackio, Weights & Biases, MLflow or TensorBoard.

Runs are written from their records, after the fact, under their own ids: what is there already is not written again;
what was begun and not ended, or was made anew since (`run --redo`), is replaced.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from intertask.analysis.read import read_records, read_runs
from intertask.errors import IntertaskError, number_of, refusal
from intertask.files import new_folder, results_root
from intertask.files import write as write_file
from intertask.studies import claims, store
from intertask.studies.status import studies_in

ROLE_KEYS = ["stage", "part", "regime", "mixing", "encoder", "supporting", "target"]
RECORD_FACTS = ["finished", "parent", "device", "git_commit"]
FINISHED = "record/finished"
"""The parameter that tells of which making of a run a tracker's figures are."""
MARK = "intertask.txt"
"""The file by which a run's folder is known to be whole: when the run had finished, and the name of the study."""


@dataclass(frozen=True)
class Booked:
    """What a tracker is told of one run; names of metrics are `task/metric`, of final scores `task/split/metric`.

    parameters: the run's own, as its sweep decided them, with its role in the study (`study/…`) and facts of its record
    (`record/…`); curve: by step; steps: optimizer steps taken, to which the final scores belong; notebook: an address,
    or empty.
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


Books = tuple[dict[str, str], Callable[[Booked], None], str]
"""The runs that are there, each with when it had finished, or nothing if it is not whole; what writes one, in place of
what is there of it; and where they are looked at."""


def publish_study(study: str, to: str, say: Callable[[str], None] = print) -> None:
    """Writes the finished runs of a study that the tracker `to` (a key of TRACKERS) does not have yet.

    Raises IntertaskError where nothing is finished, another process is at it, the tracker is not installed or cannot be
    reached; what was written until then stays, and the same call goes on from there.
    """
    runs = read_runs(study)
    records = read_records(runs)
    if not records:
        raise refusal(study, "a study with finished runs", "none", "Train some first; a table of scores has no runs.")
    try:
        with _alone(to):
            there, write, where = TRACKERS[to](study)
            new = [run for run, record in records.items() if there.get(run) != record["finished"]]
            for run in new:
                write(_booked(records[run], runs))
    except ImportError as error:
        expected = f"{to}, which keeps the books"
        raise refusal(
            f"--to {to}", expected, f"that it is not installed ({error})", f"pip install 'intertask[{to}]'"
        ) from None
    except IntertaskError:
        raise
    except Exception as error:  # whatever a tracker raises: its errors have no class in common
        found = " ".join([f"{type(error).__name__}:", *str(error).split()[:40]]).rstrip(".:")
        remedy = "Nothing is lost: what was written stays there, and the same command goes on."
        raise refusal(f"--to {to}", "that the tracker can be reached and written to", found, remedy) from error
    waiting = runs.loc[~runs["done"], "run"].nunique()
    say(
        f"{study}: {number_of(len(new), 'run')} written, there before {len(records) - len(new)}, not finished "
        f"{waiting}. {where}"
    )


@contextmanager
def _alone(to: str) -> Iterator[None]:
    """What is done in the block is done by one process at a time, or a run that both miss would be written twice.

    Its attempts stay (two small files each), as of every claim: their numbers tell who is late, and were the last one
    removed, two processes could each take it for free.
    """
    with claims.claim(path := results_root() / f".{to}") as ours:
        if ours is None:
            other = claims.latest(path)
            found = f"process {other.pid} on {other.host}, which is at it since {other.since}"
            raise refusal(f"--to {to}", "one that writes at a time", found, "Wait until it has ended.")
        yield


def _booked(record: dict[str, Any], runs: pd.DataFrame) -> Booked:
    run = record["id"]
    folder = store.folder_of(run)
    role = runs.loc[runs["run"].eq(run), ROLE_KEYS].iloc[0].dropna()
    given = folder / "parameters.yaml"  # which may be left behind when results are copied
    own = yaml.safe_load(given.read_text(encoding="utf-8")) if given.is_file() else record["identity"]
    parameters = own | record["settings"] | {f"study/{key}": value for key, value in role.items()}
    parameters |= {f"record/{key}": record[key] for key in RECORD_FACTS}
    parameters["record/precision"] = record["identity"]["computed_by"]["precision"]
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


def _project(study: str) -> str:
    """A name of characters that every tracker takes; refused where another study here would have the same."""
    project, *others = [re.sub(r"[^\w-]", "-", one) for one in (study, *{*studies_in(results_root())} - {study})]
    if project in others:
        found = f"another that would be `{project}` too"
        raise refusal(study, "a study whose project has a name of its own", found, "Rename the file of one of them.")
    return project


def _trackio(study: str) -> Books:
    from trackio import Api
    from trackio.sqlite_storage import SQLiteStorage

    project = _project(study)
    known = SQLiteStorage.get_project_db_path(project).exists()
    ours = [run for run in Api().runs(project) if FINISHED in (run.config or {})] if known else []
    kept = {run.name: run for run in ours}

    def write(booked: Booked) -> None:
        if booked.run in kept:
            kept[booked.run].delete()
        # in one transaction; a run of trackio.init would be written by a thread that passes over its errors
        steps, metrics = zip(*booked.rows(), strict=True)
        times = [booked.finished.isoformat()] * len(steps)
        config = booked.parameters | {"notebook": booked.notebook, "_Group": study}
        marks = [f"{booked.run}/{step}" for step in steps]
        SQLiteStorage.bulk_log(project, booked.run, list(metrics), list(steps), times, config, marks, run_id=booked.run)

    return {name: run.config[FINISHED] for name, run in kept.items()}, write, f'trackio show --project "{project}"'


def _wandb(study: str) -> Books:
    import wandb

    project = _project(study)
    settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False)
    settings.x_disable_stats = settings.x_disable_meta = True  # of this machine, which trained nothing
    offline = os.environ.get("WANDB_MODE") == "offline"
    place = Path(os.environ.get("WANDB_DIR", ".")) / "wandb"
    kept = [*(_kept_offline(place, study) if offline else _kept_online(project))]

    def write(booked: Booked) -> None:
        number = f"{booked.run}-{booked.finished:%Y%m%dT%H%M%S}"  # of another making another: it takes no deleted one
        for run, other, _, remove in kept:
            if run == booked.run and (offline or other != number):
                remove()
        config = booked.parameters | {"notebook": booked.notebook}
        of_run = {"project": project, "group": study, "id": number, "name": booked.run, "config": config}
        with wandb.init(**of_run, resume=None if offline else "allow", settings=settings) as run:
            for step, metrics in booked.rows():
                run.log(metrics, step=step)
            folder = Path(run.dir).parent
        if offline:
            _mark(folder, booked, study)

    where = f"wandb sync {place}/offline-run-*" if offline else f"wandb project {project}"
    return {run: finished for run, _, finished, _ in kept}, write, where


Kept = tuple[str, str, str, Callable[[], object]]
"""A run, its id in wandb, when it had finished if it is whole there, and what removes it."""


def _kept_offline(place: Path, study: str) -> Iterator[Kept]:
    for folder in place.glob("offline-run-*"):
        number = folder.name.split("-", 3)[3]
        finished, of = _marked(folder)
        if of in ("", study):  # several studies may have a run
            yield number.rsplit("-", 1)[0], number, finished, partial(shutil.rmtree, folder)


def _kept_online(project: str) -> Iterator[Kept]:
    import wandb

    with suppress(ValueError):  # what it says of a project that is not there
        for run in wandb.Api().runs(project):
            yield run.name, run.id, run.config.get(FINISHED, "") if run.state == "finished" else "", run.delete


def _mark(folder: Path, booked: Booked, study: str) -> None:
    write_file(folder / MARK, f"{booked.parameters[FINISHED]} {study}")


def _marked(folder: Path) -> tuple[str, str]:
    """When the run of a folder had finished, and of which study it is, if it is whole."""
    with suppress(FileNotFoundError):
        finished, study = (folder / MARK).read_text(encoding="utf-8").split(" ", 1)
        return finished, study
    return "", ""


def _mlflow(study: str) -> Books:
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # of its own seven, the last comes after minutes
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # or it tells of every table of a new store
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()
    experiment = client.get_experiment_by_name(study)
    number = experiment.experiment_id if experiment else client.create_experiment(study)
    if experiment and experiment.lifecycle_stage == "deleted":
        remedy = f"Restore it (`mlflow experiments restore --experiment-id {number}`), or remove it with `mlflow gc`."
        raise refusal(f"--to mlflow, experiment {study}", "one that is not deleted", "that it is", remedy)
    found = {run.data.tags.get("intertask.run", ""): run for run in _mlflow_runs(client, number)}
    parent = found.pop("", None) or client.create_run(number, run_name=study, tags={"intertask.study": study})
    if parent.info.status != "FINISHED":
        client.set_terminated(parent.info.run_id)

    def write(booked: Booked) -> None:
        if former := found.get(booked.run):
            client.delete_run(former.info.run_id)
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

    there = {run: kept.data.params[FINISHED] for run, kept in found.items() if kept.info.status == "FINISHED"}
    return there, write, f"MLflow: {client.tracking_uri}, experiment {study}"


def _mlflow_runs(client: Any, experiment: str) -> Iterator[Any]:
    token = None
    while token != "":
        page = client.search_runs([experiment], page_token=token)
        yield from (run for run in page if {"intertask.run", "intertask.study"} & run.data.tags.keys())
        token = page.token or ""


def _tensorboard(study: str) -> Books:
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    folder = results_root() / study / "tensorboard"
    for begun in folder.glob(".*"):  # by a process that was killed: it would be shown as a run
        shutil.rmtree(begun)
    there = {kept.name: _marked(kept)[0] for kept in folder.glob("*")}

    def write(booked: Booked) -> None:
        if booked.run in there:
            shutil.rmtree(folder / booked.run)
        with new_folder(folder / booked.run) as inside, SummaryWriter(inside) as writer:
            at = booked.finished.timestamp()
            for summary in hparams(_texts(booked.parameters), booked.scores):
                writer.file_writer.add_summary(summary, walltime=at)
            writer.add_text("notebook", booked.notebook, walltime=at)
            for step, metrics in booked.rows():
                for name, value in metrics.items():
                    writer.add_scalar(name, value, step, at, new_style=True, double_precision=True)
            _mark(inside, booked, study)

    return there, write, f"tensorboard --logdir {folder}"


TRACKERS: dict[str, Callable[[str], Books]] = {
    "trackio": _trackio,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "tensorboard": _tensorboard,
}
