"""A run: one training stage with every value fixed. Its identity is its whole content."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from intertask import RESULT_VERSION, encoders
from intertask.errors import IntertaskError
from intertask.parameters import injected, refuse_unknown
from intertask.tasks.catalogue import find_entry
from intertask.tasks.sources import fingerprint

SEEDS = ("order_seed", "head_seed", "dropout_seed", "limit_seed")
NOT_IDENTITY = {"task_file", "keep_encoder"}
MOST_NAMED = 3  # tasks of a mixture in the name of its folder
DYNAMIC = ("dynamic_softmax", "dynamic_gap")


class Member(BaseModel):
    """One task of a mixture, and which of its examples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    shuffle_labels: bool = Field(False, description="permute the training labels: a negative control")
    limit: int | None = Field(None, ge=1, description="training examples, drawn without replacement; None: all")
    evaluate_on: list[str] = Field([], description="further tasks with the same labels, scored at the best checkpoint")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"task": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        return self.task + ("[shuffle_labels=true]" if self.shuffle_labels else "")


def _powers(*names: str):
    """One of the names, or power_a with a number a of 0 or more."""
    return Field(pattern=rf"^({'|'.join(names)}|power_\d+(\.\d+)?)$")


Sampling = Annotated[str, _powers("proportional", "uniform", "log", *DYNAMIC)]
Probability = Annotated[float, Field(gt=0)]


class Run(BaseModel):
    """The parameters of `experiments/train.ipynb`; defaults are the papers' (Phang 2018, section 3; Devlin 2019)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    task_file: str = Field("", description="YAML with tasks of the user's own; empty: the catalogue alone")
    shuffle_labels: bool = Field(False, description="permute the training labels: a negative control")
    encoder: str = Field("mini/bert", description="Hub id, local folder or mini/…")
    evaluate_on: list[str] = Field([], description="further tasks with the same labels, scored at the best checkpoint")
    alongside: list[Member] = Field([], description="further tasks of one mixture: names, or {task: …, limit: …}")
    sampling: Sampling | list[Probability] = Field(
        "proportional", description="proportional, uniform, log, power_a, dynamic_softmax, dynamic_gap, or numbers"
    )
    single_scores: dict[str, float | list[str]] = Field(
        {}, description="for dynamic sampling: each task's score alone, 0-100, or the runs that have it in the mean"
    )
    loss_scaling: Annotated[str, _powers("uniform", "proportional")] = "uniform"
    batch_schedule: Literal["homogeneous", "heterogeneous", "forced_heterogeneous", "partition"] = "homogeneous"
    batch_loss: Literal["sum_of_means", "mean"] = Field("sum_of_means", description="of a batch with several tasks")
    epoch_length: Literal["sum", "shortest"] = Field(
        "sum", description="sum: as many examples as all tasks have; shortest: until the first task runs out"
    )
    heads: Literal["per_task", "shared"] = Field("per_task", description="shared: by tasks with as many labels")
    selection: Literal["each", "average"] = Field(
        "each", description="each task is scored at its own best checkpoint, or all at that of the best mean"
    )
    parent: str | list[str] | None = Field(
        None, description="id of the run whose encoder this one starts from, or candidates; None: as published"
    )
    parent_rule: Literal["best", "nearest_mean", "nearest_median"] = Field(
        "best", description="which of several candidates, by their dev scores"
    )
    reuse_head: bool = Field(False, description="start from the parent's head where it has one that fits")
    settings_from: list[str] = Field(
        [], description="runs of a sweep: what they differ in is taken from the best of them on dev"
    )
    random_weights: bool = Field(False, description="the encoder's architecture untrained: a baseline of probing")
    tuning: Literal["full", "frozen", "lora"] = Field(
        "full", description="frozen: only the head is trained; lora: low-rank additions to it and the head"
    )
    lora_r: int = Field(8, ge=1, description="rank of the additions")
    lora_alpha: float = Field(16, gt=0, description="they are scaled by lora_alpha / lora_r")
    layer: int | None = Field(
        None, ge=0, description="the hidden layer that the head reads, 0 the embeddings; None: last"
    )
    pooling: Literal["first", "pooler", "mean", "last"] = "first"
    both_orders: bool = Field(False, description="pairs of symmetric tasks are read both ways, the vectors added")
    dropout: float | None = Field(None, ge=0, lt=1, description="of the head; None: as the encoder's")
    max_length: int = Field(128, ge=4, description="tokens")
    limit: int | None = Field(None, ge=1, description="training examples, drawn without replacement; None: all")
    holdout: float = Field(
        0.0, ge=0, lt=1, description="share of the dev set that reports; the rest selects. 0: all does both"
    )
    seed: int = Field(0, ge=0)
    order_seed: int | None = Field(None, ge=0, description="of the data order; None: seed. Likewise the next three")
    head_seed: int | None = Field(None, ge=0, description="of the head and whatever else starts random")
    dropout_seed: int | None = Field(None, ge=0)
    limit_seed: int | None = Field(
        None, ge=0, description="of the subset that `limit` draws: a number fixes one subset"
    )
    learning_rate: float = Field(2e-5, gt=0)
    num_train_epochs: float = Field(3, gt=0)
    max_steps: int | None = Field(None, ge=1, description="optimizer steps, instead of num_train_epochs")
    max_examples: int | None = Field(
        None, ge=1, description="training ends when `task` was seen so often, instead of num_train_epochs"
    )
    language_modelling_weight: float = Field(
        0, ge=0, description="of an auxiliary loss, left-to-right encoders only (Radford et al. 2018: 0.5)"
    )
    per_device_train_batch_size: int = Field(24, ge=1, description="examples")
    gradient_accumulation_steps: int = Field(1, ge=1, description="batches that make one optimizer step")
    gradient_checkpointing: bool = Field(False, description="less memory, more time")
    per_device_eval_batch_size: int = Field(64, ge=1, description="examples")
    warmup_steps: float = Field(0.1, ge=0, description="optimizer steps; below 1: a share of all steps")
    weight_decay: float = Field(0.01, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    eval_steps: float | None = Field(
        None, gt=0, description="steps between evaluations; below 1: a share; None: an epoch"
    )
    early_stopping_patience: int | None = Field(
        None, ge=1, description="evaluations without a gain; None: never stop early"
    )
    threads: int = Field(1, ge=1, description="processor threads; part of the identity: other threads, other bits")
    keep_encoder: bool = Field(False, description="store the best checkpoint's encoder with the run")

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: dict) -> dict:
        refuse_unknown(values, cls.model_fields)
        return values

    @model_validator(mode="after")
    def _sound(self) -> "Run":
        names = [member.task for member in self.members]
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise IntertaskError(f"alongside: expected each task of a mixture once, found {twice[0]} twice.")
        if isinstance(self.sampling, list) and len(self.sampling) != len(names):
            raise IntertaskError(
                f"sampling: expected a number for each of {', '.join(names)}, found {self.sampling}. List as many."
            )
        if self.dynamic and set(self.single_scores) != set(names):
            raise IntertaskError(
                f"single_scores: {self.sampling} needs the score that each task has alone: expected "
                f"{', '.join(names)}, found {', '.join(self.single_scores) or 'none'}."
            )
        if self.max_steps and self.max_examples:
            raise IntertaskError("max_steps and max_examples: expected one of them, found both. Drop one.")
        return self

    @classmethod
    def checked(cls, values: Mapping[str, Any], where: str = "parameters") -> "Run":
        """A run from plain values; raises IntertaskError that says what each expected and found."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise IntertaskError(f"{where}: {describe(error)}") from None

    @classmethod
    def from_notebook(cls, namespace: dict[str, Any]) -> "Run":
        """A run from a notebook's `globals()`, called in the cell after the parameters cell."""
        return cls.checked(injected(namespace, cls.model_fields))

    def seed_of(self, purpose: str) -> int:
        """The seed for "order", "head", "dropout" or "limit"."""
        value = getattr(self, f"{purpose}_seed")
        return self.seed if value is None else value

    @property
    def members(self) -> list[Member]:
        """Every task of the mixture, `task` first; a single task is a mixture of one."""
        return [Member(**self.model_dump(include=set(Member.model_fields))), *self.alongside]

    @property
    def dynamic(self) -> bool:
        """Whether sampling follows the dev scores; a single task leaves nothing to choose."""
        return self.sampling in DYNAMIC and len(self.members) > 1

    @property
    def parents(self) -> list[str]:
        """All runs that must be finished before this one starts."""
        start = [self.parent] if isinstance(self.parent, str) else self.parent or []
        alone = [run for runs in self.single_scores.values() if isinstance(runs, list) for run in runs]
        return list(dict.fromkeys([*start, *alone, *self.settings_from]))

    @property
    def label(self) -> str:
        return " + ".join(member.label for member in self.members)

    def identity(self) -> dict[str, Any]:
        """All that can change the result: parameters, tasks, data, starting weights, the library's result version.

        Parameters at their default are left out, so that one added to this class later changes no identity.
        """
        start = {"parent": self.parent} if self.parent else {"encoder": encoders.encoder_fingerprint(self.encoder)}
        data = {
            name: [entry.content(), fingerprint(entry)]
            for member in self.members
            for name in [member.task, *member.evaluate_on]
            for entry in [find_entry(name, self.task_file)]
        }
        return {
            **self.model_dump(mode="json", exclude=NOT_IDENTITY | {"encoder", "parent"}, exclude_defaults=True),
            **{name: self.seed_of(name.removesuffix("_seed")) for name in SEEDS},
            **start,
            "data": data,
            "result_version": RESULT_VERSION,
        }

    def id(self) -> str:
        """A slug for people and twelve hex digits of the identity's hash: the run's folder name."""
        return f"{self._slug()}-{digest(self.identity())}"

    def _slug(self) -> str:
        names = [member.task + (".shuffled" if member.shuffle_labels else "") for member in self.members[:MOST_NAMED]]
        more = len(self.members) - len(names)
        parts = ["+".join(names) + (f"+{more}" if more else ""), self.encoder.rstrip("/").rsplit("/", 1)[-1]]
        return re.sub(r"[^A-Za-z0-9._+]+", "-", ".".join([*parts, f"s{self.seed}"])).strip("-.")[:60]


def digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def describe(error: ValidationError) -> str:
    """pydantic's findings in one line: where, what was expected, what was found."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'value'}: {item['msg'].lower()}, found {item['input']!r}"
        for item in error.errors()
    )
