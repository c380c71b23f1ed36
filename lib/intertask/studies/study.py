"""A study: a short YAML file of encoders, tasks, regimes, seeds and settings."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from intertask.errors import IntertaskError, did_you_mean
from intertask.run import Run, describe
from intertask.studies import store

SETTINGS = set(Run.model_fields) - {
    "task",
    "task_file",
    "evaluate_on",
    "encoder",
    "parent",
    "seed",
    "shuffle_labels",
    "keep_encoder",
    "threads",
}
"""The parameters of a run that a study's `train`, `pretraining`, `intermediate` and `target` may set."""


def _settings(values: Any) -> dict[str, Any]:
    """Checks names and values by building a run of them; numbers written `1e-5` (YAML's strings) become numbers."""
    if not isinstance(values, dict):
        raise IntertaskError(f"expected settings such as {{learning_rate: 2.0e-5}}, found {values!r}")
    for name in values:
        if name not in SETTINGS:
            raise IntertaskError(f"there is no training setting {name!r}.{did_you_mean(name, SETTINGS)}")
    run = Run.checked({"task": "any", **values}, "settings")
    return {name: getattr(run, name) for name in values}


Settings = Annotated[dict[str, Any], BeforeValidator(_settings)]


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
        if not isinstance(value, dict):
            return {"encoder": value}
        if "settings" in value:  # as this class writes itself
            return value
        own = {key: value[key] for key in ("encoder", "name") if key in value}
        return own | {"settings": {key: setting for key, setting in value.items() if key not in own}}

    @property
    def label(self) -> str:
        """As `mini/bert[tuning=frozen,layer=1]`, or its own name."""
        if self.name:
            return self.name
        settings = ",".join(f"{name}={json.dumps(value).strip(chr(34))}" for name, value in self.settings.items())
        return f"{self.encoder}[{settings}]" if settings else self.encoder


class Supporting(BaseModel):
    """A supporting task; `{task: mini/mnli, shuffle_labels: true}` is its negative control."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    shuffle_labels: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"task": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        return Run(task=self.task, shuffle_labels=self.shuffle_labels).label


class Study(BaseModel):
    """What a study file may say."""

    model_config = ConfigDict(extra="forbid")

    title: str
    encoders: list[Encoder] = Field(min_length=1)
    supporting: list[Supporting] = []
    targets: list[str] = Field(min_length=1)
    regimes: list[Literal["single", "stilts"]] = ["single", "stilts"]
    seeds: Annotated[list[int], BeforeValidator(lambda n: list(range(n)) if isinstance(n, int) else n)] = Field(
        min_length=1
    )
    limits: list[Annotated[int, Field(ge=1)] | None] = Field(
        [None], min_length=1, description="training examples of the target; null: all"
    )
    intermediate_per_restart: bool = Field(
        True, description="false: every restart starts from one intermediate encoder"
    )
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
    report: list[str] = ["restarts"]

    @model_validator(mode="after")
    def _sound(self) -> "Study":
        if "stilts" in self.regimes and not self.supporting:
            raise IntertaskError("regime stilts needs at least one task under supporting.")
        if {"limit", "holdout"} & {*self.train, *self.target} or "holdout" in {*self.pretraining, *self.intermediate}:
            raise IntertaskError("the targets' limit and holdout are keys of the study: limits: [1000], holdout: 0.5.")
        for name in ("encoders", "supporting", "targets", "seeds", "limits"):
            values = [getattr(value, "label", value) for value in getattr(self, name)]
            if twice := [value for i, value in enumerate(values) if value in values[:i]]:
                raise IntertaskError(f"{name} names {twice[0]} twice.")
        trained = [*self.targets, *(supporting.task for supporting in self.supporting)]
        for task in self.evaluate_on:
            if task not in trained:
                raise IntertaskError(f"evaluate_on: the study trains no run on {task}.{did_you_mean(task, trained)}")
        return self


def load_study(name: str) -> tuple[str, Study]:
    """A study's short name and content, from a file or from `params/<name>.yaml`."""
    path = study_file(name)
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise IntertaskError(f"{path}: expected YAML: {error}") from None
    if not isinstance(content, dict):
        raise IntertaskError(f"{path}: expected keys such as title, encoders and targets, found {content!r}.")
    for key in content:
        if key not in Study.model_fields:
            raise IntertaskError(f"{path}: there is no key {key!r} in a study.{did_you_mean(key, Study.model_fields)}")
    try:
        study = Study(**content)
    except ValidationError as error:
        raise IntertaskError(f"{path}: {describe(error)}") from None
    except IntertaskError as error:
        raise IntertaskError(f"{path}: {error}") from None
    if study.task_file:
        study.task_file = str((path.parent / study.task_file).resolve())
    return study_name(path), study


def study_file(name: str) -> Path:
    if Path(name).is_file():
        return Path(name).resolve()
    params = store.project_root() / "params"
    if (path := params / f"{name}.yaml").is_file():
        return path
    files = [file.relative_to(params) for file in params.rglob("*.yaml")]
    known = sorted(str(file.with_suffix("")) for file in files if file.parts[0] != "runs")
    raise IntertaskError(f"There is no study {name}: neither a file nor in {params}.{did_you_mean(name, known)}")


def study_name(path: Path) -> str:
    """Path within `params/` without the ending (`weller2022/pairwise`), or the file's own stem."""
    params = store.project_root() / "params"
    inside = os.path.relpath(path, params)
    return str(Path(inside if not inside.startswith("..") else path.name).with_suffix(""))
