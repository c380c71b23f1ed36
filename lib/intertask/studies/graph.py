"""A study's graph of runs: what is trained, from what, and in which role."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from intertask.encoders import PRETRAINING
from intertask.run import Run
from intertask.studies import store
from intertask.studies.study import Encoder, Study, Supporting


@dataclass(frozen=True)
class Row:
    """One role of one run in a study: a row of the study's index. A run may have several roles."""

    run: str
    stage: str  # pretraining, intermediate or target
    encoder: str
    task: str
    regime: str | None = None
    supporting: str | None = None
    target: str | None = None
    limit: int | None = None
    seed: int | None = None
    supporting_run: str | None = None
    supporting_seed: int | None = None
    parent: str | None = None


@dataclass(frozen=True)
class Graph:
    """A study expanded: `rows` in the study's order, `runs` by id, each once, parents before children."""

    name: str
    study: Study
    rows: list[Row]
    runs: dict[str, Run]

    def snapshot(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.study.title,
            "study": self.study.model_dump(mode="json"),
            "written": store.now(),
            "runs": [asdict(row) for row in self.rows],
        }

    def save(self) -> None:
        """Writes the snapshot from which status, scores and reports are read."""
        store.write(store.results_root() / self.name / "study.json", json.dumps(self.snapshot(), indent=1))


def expand(name: str, study: Study) -> Graph:
    """Every run of a study; runs of equal content are one run, whatever their roles."""
    runs: dict[str, Run] = {}
    rows: list[Row] = []

    def add(run: Run, encoder: Encoder, **role) -> str:
        run_id = run.id()
        runs.setdefault(run_id, run)
        if run.parent:
            runs[run.parent] = runs[run.parent].model_copy(update={"keep_encoder": True})
        shown = {"encoder": encoder.label, "task": run.task, "limit": run.limit, "parent": run.parent}
        rows.append(Row(run=run_id, **shown, **role))
        return run_id

    for encoder in study.encoders:
        start = _pretraining(study, encoder)
        pretrained = add(start, encoder, stage="pretraining") if start else None
        for limit in study.limits if "single" in study.regimes else []:
            for target in study.targets:
                for seed in study.seeds:
                    run = _target(study, encoder, target, limit, seed, pretrained)
                    add(run, encoder, stage="target", regime="single", target=target, seed=seed)
        for supporting in study.supporting if "stilts" in study.regimes else []:
            for seed, supporting_seed in _pairs_of_seeds(study):
                run = _intermediate(study, encoder, supporting, supporting_seed, pretrained)
                start_id = run.id()
                if seed == supporting_seed:
                    add(run, encoder, stage="intermediate", supporting=supporting.label, seed=supporting_seed)
                origin = {
                    "supporting": supporting.label,
                    "supporting_run": start_id,
                    "supporting_seed": supporting_seed,
                }
                for limit in study.limits:
                    for target in study.targets:
                        if (
                            target != supporting.task
                        ):  # as intermediate and target at once a task is left out (Weller 2022)
                            run = _target(study, encoder, target, limit, seed, start_id)
                            add(run, encoder, stage="target", regime="stilts", target=target, seed=seed, **origin)
    return Graph(name, study, rows, runs)


def _pairs_of_seeds(study: Study) -> Iterator[tuple[int, int]]:
    """(seed of the target, seed of its intermediate)."""
    return ((seed, seed if study.intermediate_per_restart else study.seeds[0]) for seed in study.seeds)


def _pretraining(study: Study, encoder: Encoder) -> Run | None:
    """The pretraining of a mini encoder: the same for every study that does not say otherwise."""
    if encoder.encoder not in PRETRAINING or encoder.settings.get("random_weights"):
        return None
    return Run(encoder=encoder.encoder, **{**PRETRAINING[encoder.encoder], **study.pretraining})


def _intermediate(study: Study, encoder: Encoder, supporting: Supporting, seed: int, parent: str | None) -> Run:
    reading = {name: value for name, value in encoder.settings.items() if name not in ("tuning", "layer")}
    settings = {**study.train, **study.intermediate, **reading, "shuffle_labels": supporting.shuffle_labels}
    return _run(study, encoder, supporting.task, seed, parent, settings)


def _target(study: Study, encoder: Encoder, task: str, limit: int | None, seed: int, parent: str | None) -> Run:
    settings = {**study.train, **study.target, **encoder.settings, "limit": limit, "holdout": study.holdout}
    return _run(study, encoder, task, seed, parent, settings)


def _run(study: Study, encoder: Encoder, task: str, seed: int, parent: str | None, settings: dict[str, Any]) -> Run:
    fixed = {"task_file": study.task_file, "threads": study.threads, "evaluate_on": study.evaluate_on.get(task, [])}
    return Run(task=task, encoder=encoder.encoder, seed=seed, parent=parent, **fixed, **settings)
