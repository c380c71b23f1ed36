"""Which finished run is meant, by its name or as the best or the median one of a study."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import yaml

from intertask.errors import IntertaskError, did_you_mean, refusal
from intertask.run import Run
from intertask.studies import store
from intertask.studies.status import form_of, how_to_run, kept_studies, read_study
from intertask.views.inventory import failed_runs, find_run

OF_A_CELL = ("encoder", "part", "regime", "mixing", "supporting", "limit", "supporting_limit")
"""What runs of one configuration have in common in a study's index, beside the target."""


@dataclass
class Chosen:
    """A finished run, one of its tasks, and how it was chosen; `run` with what a sweep decided."""

    folder: Path
    record: dict[str, Any]
    run: Run
    task: str
    study: str = ""  # one that holds it, if there is one
    rule: str = ""  # by which it was chosen among the runs of that study; empty: it was named

    @property
    def encoder(self) -> Path:
        return self.folder / "encoder"

    @property
    def outcome(self) -> dict[str, Any]:
        return self.record["tasks"][self.task]

    @property
    def precision(self) -> str:
        return self.record["identity"]["computed_by"]["precision"]


def choose(what: str, task: str = "", rule: str = "best") -> Chosen:
    """The run that is meant, with one task, finished, undamaged, with its encoder; refused with what would help."""
    if what in kept_studies():
        run_id, task = _of_study(what, task, rule)
        folder, study = store.folder_of(run_id, with_encoder=True), what
    elif not ((Path(what) / "run.json").is_file() or store.run_ids(what) or failed_runs(what)):
        remedy = did_you_mean(what, kept_studies()) or "`intertask studies` lists what there is."
        raise refusal(what, "a study that was run, a run's id or its beginning, or its folder", "none", remedy)
    else:
        folder = run_folder(what)
        rule, study = "", _study_of(folder.name)
    record, run = kept_run(folder, study)
    task = task or record["task"]
    if task not in record["tasks"]:
        raise refusal("--task", f"a task of the run: {', '.join(record['tasks'])}", task, "Name one of these.")
    if record["tasks"][task]["best_step"] != record["tasks"][record["task"]]["best_step"]:
        remedy = f"Export {record['task']}, or train with selection: average."
        found = f"that of {record['task']}, at another step"
        raise refusal(folder.name, f"the encoder of the best checkpoint for {task}", found, remedy)
    return Chosen(folder, record, run, task, study, rule)


def run_folder(named: str) -> Path:
    """The folder of a finished run, by its id, the beginning of it, or as it is; refused where it failed or is none."""
    if (Path(named) / "run.json").is_file():
        return Path(named).resolve()
    return store.folder_of(find_run(named), with_encoder=True)


def kept_run(folder: Path, study: str = "") -> tuple[dict[str, Any], Run]:
    """The record of a finished run and the run with what its sweep decided, undamaged and with its encoder."""
    try:
        record = store.read_folder(folder, whole=("encoder", "predictions", "parameters.yaml"))
    except FileNotFoundError:
        raise refusal(folder.name, "a finished run", "a folder without a record", "Name another.") from None
    if not (folder / "encoder").is_dir():
        again = f"{study_command(study) if study else 'intertask run STUDY'} --redo {folder.name} --keep"
        if folder.parent.name == "by_hand":
            command = "papermill notebooks/experiments/train.ipynb out.ipynb"
            again = f"{command} -f {folder}/parameters.yaml -p keep_encoder True"
        raise refusal(folder.name, "a run that kept its encoder", "none", f"Make it again with one: {again}")
    asked = yaml.safe_load((folder / "parameters.yaml").read_text(encoding="utf-8"))
    return record, Run.checked(asked | record["settings"], folder.name)


def _of_study(study: str, task: str, rule: str) -> tuple[str, str]:
    """The run of the study's target that the rule names, by dev score."""
    rows = [row for row in read_study(study)["runs"] if row["stage"] == "target" and not row["substituted"]]
    targets = list(dict.fromkeys(row["target"] for row in rows))
    if not task and len(targets) == 1:
        task = targets[0]
    if task not in targets:
        raise refusal("--task", f"a target of {study}: {', '.join(targets)}", task or "none", "Name one of these.")
    own, cells = [row for row in rows if row["target"] == task], {}
    # without those that are missing or damaged, as `status` says
    scores = {record["id"]: store.dev_score(record, task) for record in store.sound(row["run"] for row in own)}
    for row in (row for row in own if row["run"] in scores):
        cells.setdefault(tuple(row[name] for name in OF_A_CELL), []).append(row["run"])
    if not scores:
        raise refusal(study, f"finished runs on {task}", "none", f"Run it first: {how_to_run(study)}")
    if rule == "best":
        return max(scores, key=lambda run: (scores[run], store.has_encoder(run))), task
    runs = max(cells.values(), key=lambda runs: fmean(scores[run] for run in runs))
    middle = median(scores[run] for run in runs)
    return min(runs, key=lambda run: (abs(scores[run] - middle), not store.has_encoder(run))), task


def study_command(study: str, named: bool = False) -> str:
    """What runs a study: one that is not in params/ by its file's path or, `named`, by the name alone."""
    if "FILE.yaml" not in (words := how_to_run(study)):
        return words
    file = Path(read_study(study)["file"] or "FILE.yaml")
    return " ".join(["intertask run", file.name if named else str(file), *form_of(study.removeprefix(file.stem))[1]])


def _study_of(run_id: str) -> str:
    """The first study in whose index the run is a target."""
    for name in kept_studies():
        try:
            if any(row["run"] == run_id and row["stage"] == "target" for row in read_study(name)["runs"]):
                return name
        except IntertaskError:  # of an earlier version
            continue
    return ""


def public_name(encoder: str) -> str:
    """An encoder's name for others: of a folder of this machine its last part."""
    return Path(encoder).name if Path(encoder).is_dir() else encoder


def repository(encoder: str) -> tuple[str, str | None]:
    """The same as transformers and peft want it: the repository, and its revision where one is named."""
    repo, _, revision = encoder.partition("@")
    return (public_name(encoder), None) if Path(encoder).is_dir() else (repo, revision or None)
