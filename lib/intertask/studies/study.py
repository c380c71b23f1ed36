"""A study: a short YAML file of encoders, tasks, regimes, seeds and settings."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from intertask.errors import IntertaskError, did_you_mean
from intertask.files import project_root
from intertask.run import Member, Run, describe

MIXING = {
    "sampling",
    "loss_scaling",
    "batch_schedule",
    "batch_loss",
    "epoch_length",
    "heads",
    "selection",
    "early_stopping_patience",
    "eval_steps",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
}
"""The parameters of a run that a mixture may set for itself."""

NOT_SETTINGS = {
    "task",
    "task_file",
    "alongside",
    "evaluate_on",
    "encoder",
    "parent",
    "parent_rule",
    "settings_from",
    "single_scores",
    "max_examples",
    "seed",
    "shuffle_labels",
    "keep_encoder",
    "threads",
}
SETTINGS = set(Run.model_fields) - NOT_SETTINGS
"""The parameters of a run that a study's `train`, `pretraining`, `intermediate` and `target` may set."""

Regime = Literal["single", "stilts", "mtl", "mtl_all", "mtl_finetune"]


def checked(values: Any, known: set[str], what: str) -> dict[str, Any]:
    """Checks names and values by building a run of them; numbers written `1e-5` (YAML's strings) become numbers."""
    if not isinstance(values, dict):
        raise IntertaskError(f"expected settings such as {{learning_rate: 2.0e-5}}, found {values!r}")
    for name in values:
        if name not in known:
            raise IntertaskError(f"there is no {what} {name!r}.{did_you_mean(name, known)}")
    sampling = values.get("sampling", "")
    if isinstance(sampling, list) or str(sampling).startswith("dynamic"):  # these need to know the tasks
        values = {name: value for name, value in values.items() if name != "sampling"}
        return checked(values, known, what) | {"sampling": sampling}
    run = Run.checked({"task": "any", **values}, "settings")
    return {name: getattr(run, name) for name in values}


Settings = Annotated[dict[str, Any], BeforeValidator(lambda values: checked(values, SETTINGS, "training setting"))]
MixingSettings = Annotated[dict[str, Any], BeforeValidator(lambda values: checked(values, MIXING, "mixing setting"))]


def gathered(value: Any, own: set[str], under: str = "settings") -> Any:
    """A mapping with what is none of the class's `own` keys gathered under the key `under`."""
    if not isinstance(value, dict) or under in value:  # as the class writes itself
        return value
    mine = {key: value[key] for key in value if key in own}
    return mine | {under: {key: other for key, other in value.items() if key not in own}}


class Encoder(BaseModel):
    """An encoder, and how it is used where that is not as the rest of the study says.

    `{encoder: …, tuning: frozen, layer: 3, pooling: mean}`; `tuning` and `layer` are of the target stage alone: what an
    intermediate task trains, it trains whole.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str
    name: str = Field("", description="what results call it; empty: the encoder with its settings")
    settings: Settings = {}

    @model_validator(mode="before")
    @classmethod
    def _from_name_or_with_settings(cls, value: Any) -> Any:
        return gathered(value, {"encoder", "name"}) if isinstance(value, dict) else {"encoder": value}

    @property
    def label(self) -> str:
        """As `mini/bert[tuning=frozen,layer=1]`, or its own name."""
        if self.name:
            return self.name
        settings = ",".join(f"{name}={json.dumps(value).strip(chr(34))}" for name, value in self.settings.items())
        return f"{self.encoder}[{settings}]" if settings else self.encoder


class Supporting(BaseModel):
    """A supporting task, or a named set of tasks that are trained in one mixture (Wang et al. 2019, section 4).

    `{task: mini/mnli, shuffle_labels: true}` is a negative control; `{name: glue, tasks: [rte, mnli], limit: 15000,
    sampling: power_0.75}` a set with a cap for each task.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: list[str] = Field(min_length=1)
    name: str = ""
    shuffle_labels: bool = False
    limit: int | None = Field(None, ge=1, description="training examples of each task; null: all")
    settings: MixingSettings = {}

    @model_validator(mode="before")
    @classmethod
    def _from_name_or_task(cls, value: Any) -> Any:
        value = {"task": value} if isinstance(value, str) else value
        if isinstance(value, dict) and "task" in value:
            value = {"tasks": [value["task"]]} | {key: own for key, own in value.items() if key != "task"}
        return gathered(value, {"tasks", "name", "shuffle_labels", "limit"})

    @model_validator(mode="after")
    def _sets_have_names(self) -> "Supporting":
        if len(self.tasks) > 1 and not self.name:
            raise IntertaskError(f"supporting: expected a name for the set {', '.join(self.tasks)}, found none.")
        return self

    @property
    def label(self) -> str:
        if self.name:
            return self.name
        limit = f"[limit={self.limit}]" if self.limit else ""
        return self.tasks[0] + limit + ", shuffled labels" * self.shuffle_labels

    def members(self, limit: int | None = None) -> list[Member]:
        """The tasks as members of a mixture; `limit` is the study's, for those that have none of their own."""
        own = {"shuffle_labels": self.shuffle_labels, "limit": self.limit or limit}
        return [Member(task=task, **own) for task in self.tasks]


class Mixing(BaseModel):
    """One way to train tasks together, by name; a study may compare several.

    budget: own: by num_train_epochs; steps: as many optimizer steps as stilts takes for the pair, both stages (of
    mtl_all: as all single runs together); target_examples: until the target was seen as often as in its stilts stage.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    regimes: list[Literal["mtl", "mtl_all", "mtl_finetune"]] = ["mtl", "mtl_all", "mtl_finetune"]
    budget: Literal["own", "steps", "target_examples"] = "own"
    settings: MixingSettings = {}

    @model_validator(mode="before")
    @classmethod
    def _with_settings(cls, value: Any) -> Any:
        return gathered(value, {"name", "regimes", "budget"})

    @property
    def label(self) -> str:
        return self.name


class Notebook(BaseModel):
    """An analysis notebook of the report, with the parameters that it gets beside the study's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notebook: str
    settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return gathered(value, {"notebook"}) if isinstance(value, dict) else {"notebook": value}


class Count(BaseModel):
    """What a paper says it trained, to stand beside what this study trains: runs whose index rows match `where`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    paper: int | None = None
    because: str = Field("", description="why ours differs")
    where: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _with_conditions(cls, value: Any) -> Any:
        return gathered(value, {"what", "paper", "because"}, "where")


class SmallData(BaseModel):
    """Settings of runs with little training data (Pruksachatkun et al. 2020, section 3: 40 epochs instead of 10)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_most: int = Field(ge=1, description="training examples")
    settings: Settings

    @model_validator(mode="before")
    @classmethod
    def _with_settings(cls, value: Any) -> Any:
        return gathered(value, {"at_most"})


class Study(BaseModel):
    """What a study file may say."""

    model_config = ConfigDict(extra="forbid")

    title: str
    paper: str = Field("", description="whose experiment this is")
    encoders: list[Encoder] = Field(min_length=1)
    supporting: list[Supporting] = []
    targets: list[str] = Field(min_length=1)
    regimes: list[Regime] = ["single", "stilts"]
    seeds: Annotated[list[int], BeforeValidator(lambda n: list(range(n)) if isinstance(n, int) else n)] = Field(
        min_length=1
    )
    limits: list[Annotated[int, Field(ge=1)] | None] = Field(
        [None], min_length=1, description="training examples of the target; null: all"
    )
    supporting_limits: list[Annotated[int, Field(ge=1)] | None] = Field(
        [None], min_length=1, description="training examples of each supporting task that has no limit of its own"
    )
    intermediate_choice: Literal["per_restart", "first", "best", "nearest_mean", "nearest_median"] = Field(
        "per_restart", description="which of the intermediate encoders, one per seed, a restart starts from"
    )
    same_task: Literal["omit", "substitute", "train"] = Field(
        "omit", description="a target that is its own supporting task: left out, its single run instead, or trained"
    )
    wnli: Literal["trained", "majority", "floor"] = Field("trained", description="how WNLI enters averages")
    mixing: list[Mixing] = [Mixing(name="proportional")]
    sweep: dict[str, list[Any]] = Field(
        {}, description="settings to choose from, per task, on single runs; mixtures keep the study's"
    )
    small_data: SmallData | None = None
    holdout: float = Field(0.0, ge=0, lt=1, description="share of the target's dev set that reports")
    evaluate_on: dict[str, list[str]] = Field(
        {}, description="{mnli: [glue_diagnostic]}: tasks that every run on mnli is scored on too"
    )
    task_file: str = Field("", description="YAML with the user's own tasks, beside the study")
    threads: int = Field(1, ge=1, description="per run")
    train: Settings = Field({}, description="of the intermediate and the target stage")
    pretraining: Settings = {}
    intermediate: Settings = {}
    target: Settings = {}
    per_task: dict[str, Settings] = Field({}, description="further settings of runs on that task alone, in any stage")
    parts: list[dict[str, Any]] = Field([], description="each a name and keys that replace the study's")
    report: list[Notebook] = [Notebook(notebook="restarts")]
    counts: list[Count] = []
    mini: dict[str, Any] = Field({}, description="keys that replace the study's under --mini")
    quick: dict[str, Any] = Field({}, description="further ones under --quick")

    @model_validator(mode="after")
    def _sound(self) -> "Study":
        if {"stilts", "mtl", "mtl_finetune"} & {*self.regimes} and not self.supporting:
            raise IntertaskError("regimes stilts and mtl need at least one task under supporting.")
        if {"limit", "holdout"} & {*self.train, *self.target, *self.intermediate} or "holdout" in self.pretraining:
            raise IntertaskError(
                "limit and holdout are keys of the study: limits: [1000] of the targets, supporting_limits: [1000], "
                "holdout: 0.5."
            )
        for name in ("encoders", "supporting", "targets", "seeds", "limits", "supporting_limits", "mixing"):
            values = [getattr(value, "label", value) for value in getattr(self, name)]
            if twice := [value for i, value in enumerate(values) if value in values[:i]]:
                raise IntertaskError(f"{name} names {twice[0]} twice.")
        for mixing in self.mixing:
            if mixing.budget == "target_examples" and {"mtl_all"} & {*mixing.regimes} & {*self.regimes}:
                raise IntertaskError(
                    f"mixing {mixing.name}: budget target_examples is about one target, and mtl_all has many. "
                    "Say regimes: [mtl]."
                )
        for name, values in self.sweep.items():
            for value in values:
                checked({name: value}, SETTINGS, "training setting")
        for part in self.parts:
            self.with_keys(part)
        return self

    def with_keys(self, keys: dict[str, Any]) -> "Study":
        """The study with some of its keys replaced; those of a part, whose name is none, included."""
        keys = {key: value for key, value in keys.items() if key != "name"}
        for key in keys:
            if key not in Study.model_fields:
                raise IntertaskError(f"there is no key {key!r} in a study.{did_you_mean(key, Study.model_fields)}")
        return Study(**(self.model_dump(exclude={"parts"}) | keys))

    def expanded_parts(self) -> list[tuple[str | None, "Study"]]:
        """The name and the keys of each part; a study without parts is its own."""
        return [(part.get("name"), self.with_keys(part)) for part in self.parts] or [(None, self)]

    def check_evaluate_on(self) -> None:
        """Refuses a task that is to be scored beside one on which no run is trained."""
        studies = [part for _, part in self.expanded_parts()]
        trained = [task for one in studies for task in [*one.targets, *(t for s in one.supporting for t in s.tasks)]]
        for task in self.evaluate_on:
            if task not in trained:
                raise IntertaskError(f"evaluate_on: the study trains no run on {task}.{did_you_mean(task, trained)}")


def load_study(name: str, mini: bool = False, quick: bool = False) -> tuple[str, Study]:
    """A study's short name and content, from a file or from `params/<name>.yaml`; with `mini` on the mini suite."""
    path = study_file(name)
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise IntertaskError(f"{path}: expected YAML: {error}") from None
    if not isinstance(content, dict):
        raise IntertaskError(f"{path}: expected keys such as title, encoders and targets, found {content!r}.")
    if "source" in content:
        raise IntertaskError(
            f"{path}: expected a study, found a table of scores (source), for which nothing is run: "
            "`intertask report` and `intertask scores` read it."
        )
    for key in content:
        if key not in Study.model_fields:
            raise IntertaskError(f"{path}: there is no key {key!r} in a study.{did_you_mean(key, Study.model_fields)}")
    try:
        study = on_the_mini_suite(content, quick) if mini else Study(**content)
        study.check_evaluate_on()
    except ValidationError as error:
        raise IntertaskError(f"{path}: {describe(error)}") from None
    except IntertaskError as error:
        raise IntertaskError(f"{path}: {error}") from None
    if study.task_file:
        study.task_file = str((path.parent / study.task_file).resolve())
    return study_name(path) + "-mini" * mini + "-quick" * quick, study


def on_the_mini_suite(content: dict[str, Any], quick: bool) -> Study:
    """The study with what it says under `mini`, and `quick`, and every task replaced by its mini counterpart."""
    content = {**content, **content.get("mini", {}), **(content.get("quick", {}) if quick else {})}
    content = {key: value for key, value in content.items() if key not in ("mini", "quick", "counts")}
    return Study(**_counterparts(content))


def _counterparts(content: dict[str, Any]) -> dict[str, Any]:
    made = dict(content)
    if "targets" in made:
        made["targets"] = list(dict.fromkeys(map(counterpart, made["targets"])))
    if "supporting" in made:
        found = [_mini_supporting(one) for one in made["supporting"]]
        made["supporting"] = [one for place, one in enumerate(found) if one not in found[:place]]
    if "evaluate_on" in made:
        made["evaluate_on"] = {
            counterpart(task): [counterpart(one) for one in others] for task, others in made["evaluate_on"].items()
        }
    if "per_task" in made:
        made["per_task"] = {counterpart(task): settings for task, settings in made["per_task"].items()}
    if "parts" in made:
        made["parts"] = [_counterparts(part) for part in made["parts"]]
    return made


def _mini_supporting(value: Any) -> Any:
    if isinstance(value, str):
        return counterpart(value)
    names = {
        "task": lambda task: counterpart(task),
        "tasks": lambda tasks: list(dict.fromkeys(map(counterpart, tasks))),
    }
    return {key: names[key](own) if key in names else own for key, own in value.items()}


def counterpart(task: str) -> str:
    """The mini task that stands for a task of the catalogue; a mini task is its own."""
    from intertask.tasks.catalogue import find_entry

    entry = find_entry(task)
    if entry.mini:
        return task
    if not entry.counterpart:
        raise IntertaskError(f"{task} has no counterpart in the mini suite. Name one under `mini`.")
    return entry.counterpart


def study_file(name: str) -> Path:
    if Path(name).is_file():
        return Path(name).resolve()
    params = project_root() / "params"
    if (path := params / f"{name}.yaml").is_file():
        return path
    files = [file.relative_to(params) for file in params.rglob("*.yaml")]
    known = sorted(str(file.with_suffix("")) for file in files if file.parts[0] != "runs")
    raise IntertaskError(f"There is no study {name}: neither a file nor in {params}.{did_you_mean(name, known)}")


def study_name(path: Path) -> str:
    """Path within `params/` without the ending (`weller2022/pairwise`), or the file's own stem."""
    params = project_root() / "params"
    inside = os.path.relpath(path, params)
    return str(Path(inside if not inside.startswith("..") else path.name).with_suffix(""))
