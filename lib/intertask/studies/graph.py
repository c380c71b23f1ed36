"""A study's graph of runs: what is trained, from what, and in which role."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from intertask.encoders.mini import PRETRAINING
from intertask.errors import IntertaskError
from intertask.files import now, results_root, uncollected, write_sealed
from intertask.run import BEST_OF, Member, Run, digest
from intertask.studies.length import steps, training_examples, training_size
from intertask.studies.status import edited_since
from intertask.studies.store import PREDICTIONS_FILE, SCORES_FILE
from intertask.weighting import DYNAMIC

if TYPE_CHECKING:  # a study knows what regimes there are
    from intertask.studies.study import Encoder, Mixing, Study, Supporting

TOGETHER = ("mtl", "mtl_all", "mtl_finetune")
REGIMES = ("single", "stilts", *TOGETHER)
"""How a supporting task is used; `_Expansion.expand` wires each."""

OBEYING = {
    "supporting": {"stilts", *TOGETHER},
    "supporting_limits": {"stilts", *TOGETHER},
    "mixing": {*TOGETHER},
    "intermediate_choice": {"stilts"},
    "same_task": {"stilts"},
    "intermediate": {"stilts"},
    "per_task": {"single", "stilts", "mtl_finetune"},
    "per_target": {"single", "stilts", "mtl_finetune"},
    "sweep": {"single", "stilts", "mtl_finetune"},
}
"""The regimes in which a key of a study decides something; a key that is not here does in every one."""


@dataclass(frozen=True)
class Row:
    """One role of one run in a study: a row of the study's index. A run may have several roles."""

    run: str
    stage: str  # pretraining, sweep, reference (a single run that another one needs), intermediate or target
    encoder: str
    task: str  # the one that is scored
    part: str | None = None
    regime: str | None = None
    mixing: str | None = None
    supporting: str | None = None
    control: bool = False  # the supporting task's labels are shuffled
    ready_made: bool = False  # the supporting model was not trained here
    target: str | None = None
    limit: int | None = None
    supporting_limit: int | None = None
    seed: int | None = None
    # of several candidates the first: which was chosen, its child's record says; of a ready-made model its name
    supporting_run: str | None = None
    supporting_seed: int | None = None
    parents: list[str] = field(default_factory=list)  # all runs that it needs
    substituted: bool = False


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
            "given": self.study.given,
            "file": str(self.study.file or ""),
            "written": now(),
            "runs": [asdict(row) for row in self.rows],
        }

    def save(self) -> None:
        """Writes the snapshot from which status, scores and reports are read, in place of a table of that name."""
        folder = results_root() / self.name
        folder.mkdir(parents=True, exist_ok=True)
        write_sealed(folder / "study.json", self.name, json.dumps(self.snapshot(), indent=1, default=str))
        for name in (SCORES_FILE, PREDICTIONS_FILE):
            (folder / name).unlink(missing_ok=True)

    def counted(self, where: dict[str, Any]) -> int:
        """How many runs have a row that agrees with all of `where`, such as {stage: target, regime: mtl}."""
        return len({row.run for row in self.rows if all(str(getattr(row, key)) == str(where[key]) for key in where)})


def graph_of(name: str, study: Study, planned: bool = False) -> Graph:
    """Its runs; refused where the results hold another study of that name. planned: as in `expand`."""
    edited_since(name, study.file, study.given)  # for its refusal alone
    return expand(name, study, planned)


def planned_graph(name: str, study: Study) -> tuple[Graph, str]:
    """The graph, and what is not at hand: then its runs have makeshift ids."""
    try:
        return graph_of(name, study), ""
    except IntertaskError as error:
        return graph_of(name, study, planned=True), str(error)


@uncollected()
def expand(name: str, study: Study, planned: bool = False) -> Graph:
    """Every run of a study; runs of equal content are one run, whatever their roles.

    `planned`: with makeshift ids, for which neither data nor encoders need be at hand.
    """
    runs: dict[str, Run] = {}
    rows: list[Row] = []
    for part, own in study.expanded_parts():
        keep = {"all": True, "best": f"{BEST_OF}{name}", "none": False}[own.keep]
        for encoder in own.encoders:
            _Expansion(own, part, encoder, runs, rows, planned, keep).expand()
    return Graph(name, study, rows, runs)


@dataclass
class _Expansion:
    """One encoder's runs of a study, or of a part of one, added to `runs` and `rows`."""

    study: Study
    part: str | None
    encoder: Encoder
    runs: dict[str, Run]
    rows: list[Row]
    planned: bool
    keep: bool | str  # what a run keeps of its encoder in the role of a target
    start: str | None = None  # the run that pretrains the encoder
    measured_by: dict[tuple[str, int | None], list[str]] = field(default_factory=dict)  # of `references`
    swept_on: dict[str, list[str]] = field(default_factory=dict)  # per task, of `swept`

    def expand(self) -> None:
        study = self.study
        if self.encoder.pretrained_here:  # alike for every study that does not say otherwise
            name = self.encoder.encoder
            pretraining = Run(**{"encoder": name, "device": study.device, **PRETRAINING[name], **study.pretraining})
            self.start = self.add(pretraining, stage="pretraining", task=pretraining.task)
        for limit in study.limits:
            if "single" in study.regimes:
                for target in study.targets:
                    for seed in study.seeds:
                        self.add(self.single(target, limit, seed), regime="single", target=target, seed=seed)
            if "mtl_all" in study.regimes:
                for supporting_limit in study.supporting_limits:
                    self.all_tasks(limit, supporting_limit)
        for supporting in study.supporting:
            for supporting_limit in study.supporting_limits:
                if "stilts" in study.regimes:
                    way = self.from_ready_made if supporting.model else self.stilts
                    way(supporting, supporting_limit)
                for limit, target in product(study.limits, study.targets if supporting.tasks else []):
                    if target not in supporting.tasks and {"mtl", "mtl_finetune"} & {*study.regimes}:
                        self.alongside(supporting, supporting_limit, target, limit)

    def id(self, run: Run) -> str:
        return digest(run.model_dump(mode="json", exclude={"keep_encoder"})) if self.planned else run.id()

    def add(self, run: Run, stage: str = "target", **role) -> str:
        """Adds a run in a role; `task`, else `target`, is what is scored."""
        run_id = self.id(run)
        kept = self.runs.setdefault(run_id, run).keep_encoder
        if stage == "target" and self.keep and kept is not True:
            self.runs[run_id] = self.runs[run_id].model_copy(update={"keep_encoder": self.keep})
        # the other runs that it needs lend scores or settings, and no encoder
        for parent in run.starts:
            self.runs[parent] = self.runs[parent].model_copy(update={"keep_encoder": True})
        task = role.pop("task", None) or role["target"]
        limit = next(member.limit for member in run.members if member.task == task)
        fixed = {"stage": stage, "encoder": self.encoder.label, "part": self.part}
        self.rows.append(Row(run_id, task=task, parents=run.parents, **{"limit": limit} | fixed | role))
        return run_id

    def stilts(self, supporting: Supporting, supporting_limit: int | None) -> None:
        """Before: an intermediate run for each seed, and the targets from it, or from the one that is chosen."""
        study, named = self.study, _named(supporting, supporting_limit)
        first = study.intermediate_choice == "first"
        intermediates = {
            seed: self.add(run, stage="intermediate", task=run.task, seed=seed, **named)
            for seed in (study.seeds[:1] if first else study.seeds)
            for run in [self.intermediate(supporting, supporting_limit, seed)]
        }
        candidates = list(intermediates.values())
        for limit, target, seed in product(study.limits, study.targets, study.seeds):
            role = {"regime": "stilts", "target": target, "seed": seed, "limit": limit, **named}
            if target in supporting.tasks and len(supporting.tasks) == 1 and study.same_task != "train":
                if study.same_task == "substitute":
                    self.add(self.single(target, limit, seed), substituted=True, **role)
                continue
            if study.intermediate_choice in ("per_restart", "first"):
                own = seed if study.intermediate_choice == "per_restart" else study.seeds[0]
                run = self.target(target, limit, seed, intermediates[own])
                self.add(run, supporting_run=intermediates[own], supporting_seed=own, **role)
            else:
                run = self.target(target, limit, seed, candidates, parent_rule=study.intermediate_choice)
                self.add(run, supporting_run=candidates[0], **role)

    def from_ready_made(self, supporting: Supporting, supporting_limit: int | None) -> None:
        """As `stilts`, from a model that others trained from this encoder: one for all seeds."""
        study, encoder = self.study, self.encoder
        if supporting.base != encoder.encoder or encoder.settings.get("random_weights"):
            return
        role = {"regime": "stilts", "ready_made": True, "supporting_run": supporting.model}
        role |= _named(supporting, supporting_limit)
        for limit, target, seed in product(study.limits, study.targets, study.seeds):
            run = self.target(target, limit, seed, None, encoder=supporting.model)
            self.add(run, target=target, seed=seed, limit=limit, **role)

    def alongside(self, supporting: Supporting, supporting_limit: int | None, target: str, limit: int | None) -> None:
        """Alongside: the target with one supporting task or set, and after it, in mtl_finetune, the target alone."""
        study = self.study
        for mixing, seed in product(study.mixing, study.seeds):
            role = {"target": target, "seed": seed, "limit": limit, "mixing": mixing.name}
            role |= _named(supporting, supporting_limit)
            after = "mtl_finetune" in study.regimes and "mtl_finetune" in mixing.regimes
            members = [Member(task=target, limit=limit), *supporting.members(supporting_limit)]
            budget = self.budget(mixing, supporting, supporting_limit, target, limit, seed)
            # one run for both directions, where nothing distinguishes the target
            order = None if after or mixing.budget == "target_examples" else sorted([target, *supporting.tasks])
            run = self.mixture(mixing, members, seed, order, **budget)
            if "mtl" in study.regimes and "mtl" in mixing.regimes:
                self.add(run, regime="mtl", **role)
            if after:
                together = self.add(run, stage="intermediate", task=target, **role)
                run = self.target(target, limit, seed, together)
                self.add(run, regime="mtl_finetune", supporting_run=together, supporting_seed=seed, **role)

    def all_tasks(self, limit: int | None, supporting_limit: int | None) -> None:
        """All together: one run per seed and way of mixing, in which every target is scored."""
        study = self.study
        members = study.all_tasks(limit, supporting_limit)
        # the last supporting task first, then the other targets: the order in which the kept reports' runs were trained
        order = [task for one in reversed(study.supporting) if not one.shuffle_labels for task in one.tasks]
        for mixing, seed in product(study.mixing, study.seeds):
            if "mtl_all" in mixing.regimes:
                alone = [self.single(member.task, member.limit, seed) for member in members]
                budget = {"max_steps": sum(map(steps, alone))} if mixing.budget == "steps" else {}
                run = self.mixture(mixing, members, seed, list(dict.fromkeys([*order, *study.targets])), **budget)
                role = {"mixing": mixing.name, "supporting": "all", "supporting_limit": supporting_limit, "seed": seed}
                for target in study.targets:
                    self.add(run, regime="mtl_all", target=target, **role)

    def budget(self, mixing: Mixing, supporting, supporting_limit, target, limit, seed) -> dict[str, int]:
        """What makes a mixture as long as the same pair's stilts: in steps of both stages, or in target examples."""
        if mixing.budget == "own":
            return {}
        last = self.target(target, limit, seed, self.start)
        if mixing.budget == "target_examples":
            return {"max_examples": round(training_examples(last) * last.num_train_epochs)}
        return {"max_steps": steps(self.intermediate(supporting, supporting_limit, seed)) + steps(last)}

    def single(self, task: str, limit: int | None, seed: int) -> Run:
        return self.target(task, limit, seed, self.start)

    def target(self, task: str, limit: int | None, seed: int, parent, **more) -> Run:
        member = Member(task=task, limit=limit)
        own = self.study.per_task.get(task, {}) | self.study.per_target.get(task, {})
        settings = {**self.study.train, **self.study.target, **own, **self.small(member), **self.encoder.settings}
        return self.run([member], seed, parent, settings | {"holdout": self.study.holdout} | more)

    def intermediate(self, supporting: Supporting, supporting_limit: int | None, seed: int) -> Run:
        # what an intermediate task trains, it trains whole
        reading = {name: value for name, value in self.encoder.settings.items() if name not in ("tuning", "layer")}
        members = supporting.members(supporting_limit)
        own = self.study.per_task.get(members[0].task, {}) if len(members) == 1 else {}
        settings = {**self.study.train, **self.study.intermediate, **own, **self.small(*members), **reading}
        if len(members) > 1:
            settings |= {"selection": "average"} | supporting.settings
        return self.run(members, seed, self.start, settings)

    def mixture(self, mixing: Mixing, members: list[Member], seed: int, order: list[str] | None, **budget) -> Run:
        """The members are given by role, and trained in the order of their tasks that is given, if one is."""
        settings = {**self.study.train, **self.study.target, **self.small(*members), **self.encoder.settings}
        settings |= {"holdout": self.study.holdout} | mixing.settings | budget
        run = self.run(members, seed, self.start, settings)
        # of a partition the order is what one task does to the next
        return _ordered(run, order) if order and run.batch_schedule != "partition" else run

    def run(self, members: list[Member], seed: int, parent, settings: dict[str, Any]) -> Run:
        study = self.study
        members = [m.model_copy(update={"evaluate_on": study.evaluate_on.get(m.task, [])}) for m in members]
        fixed = {name: getattr(study, name) for name in ("task_file", "threads", "device")}
        fixed["encoder"] = self.encoder.encoder
        if settings.get("sampling") in DYNAMIC and len(members) > 1:
            fixed["single_scores"] = {member.task: self.references(member) for member in members}
        if study.sweep and len(members) == 1 and "settings_from" not in settings:
            fixed["settings_from"] = self.swept(members[0])
        if parent:  # it began with random weights, if the encoder does: from there training goes on
            settings = {name: value for name, value in settings.items() if name != "random_weights"}
        first = members[0].model_dump()
        return Run(**first, alongside=members[1:], seed=seed, parent=parent, **fixed | settings)

    def references(self, member: Member) -> list[str]:
        """The single runs of a task whose mean score dynamic sampling measures it by."""
        key = member.task, member.limit
        if key not in self.measured_by:  # every mixture with the task asks
            runs = [self.single(*key, seed) for seed in self.study.seeds]
            for run in runs:
                if self.id(run) not in self.runs:
                    self.add(run, stage="reference", task=run.task, regime="single", seed=run.seed)
            self.measured_by[key] = list(map(self.id, runs))
        return self.measured_by[key]

    def swept(self, member: Member) -> list[str]:
        """The runs of the sweep on a task: one for each combination of settings, from which the best is taken."""
        if member.task in self.swept_on:  # every run on the task asks
            return self.swept_on[member.task]
        study, found = self.study, []
        for values in product(*study.sweep.values()):
            chosen = dict(zip(study.sweep, values, strict=True))
            # one sweep per task, for whatever part of its data a run trains on; it takes nothing from itself
            fixed = member.task, study.limits[0], study.seeds[0], self.start
            run = self.target(*fixed, settings_from=[], **chosen)
            found.append(self.id(run))
            if not any(row.run == found[-1] and row.stage == "sweep" for row in self.rows):
                self.add(run, stage="sweep", task=run.task, regime="single", seed=run.seed)
        self.swept_on[member.task] = found
        return found

    def small(self, *members: Member) -> dict[str, Any]:
        """Further settings where all the training data is little."""
        rule = self.study.small_data
        if not rule:
            return {}
        sizes = [min(m.limit or math.inf, training_size(m.task, self.study.task_file)) for m in members]
        return rule.settings if sum(sizes) <= rule.at_most else {}


def _named(supporting: Supporting, limit: int | None) -> dict[str, Any]:
    """What an index says of the supporting task of a role."""
    return {"supporting": supporting.label, "control": supporting.shuffle_labels, "supporting_limit": limit}


def _ordered(run: Run, tasks: list[str]) -> Run:
    """A mixture with its tasks in another order; numbers that were given to them go with them."""
    places = sorted(range(len(run.members)), key=lambda place: tasks.index(run.members[place].task))
    first, *alongside = [run.members[place] for place in places]
    numbers = {"sampling": [run.sampling[place] for place in places]} if isinstance(run.sampling, list) else {}
    return run.model_copy(update={**dict(first), "alongside": alongside, **numbers})
