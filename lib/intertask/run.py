"""A run: one training stage with every value fixed. Its identity is its whole content."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from intertask import RESULT_VERSION, encoders
from intertask.errors import IntertaskError
from intertask.parameters import injected, refuse_unknown
from intertask.tasks.catalogue import find_entry
from intertask.tasks.sources import fingerprint

SEEDS = ("order_seed", "head_seed", "dropout_seed", "limit_seed")
NOT_IDENTITY = {"task_file", "keep_encoder"}


class Run(BaseModel):
    """The parameters of `experiments/train.ipynb`; defaults are the papers' (Phang 2018, section 3; Devlin 2019)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    task_file: str = Field("", description="YAML with tasks of the user's own; empty: the catalogue alone")
    shuffle_labels: bool = Field(False, description="permute the training labels: a negative control")
    encoder: str = Field("mini/bert", description="Hub id, local folder or mini/…")
    evaluate_on: list[str] = Field([], description="further tasks with the same labels, scored at the best checkpoint")
    parent: str | None = Field(None, description="id of the run whose encoder this one starts from; None: as published")
    random_weights: bool = Field(False, description="the encoder's architecture untrained: a baseline of probing")
    tuning: Literal["full", "frozen"] = Field("full", description="frozen: only the head is trained")
    layer: int | None = Field(
        None, ge=0, description="the hidden layer that the head reads, 0 the embeddings; None: last"
    )
    pooling: Literal["first", "pooler", "mean"] = "first"
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
    per_device_train_batch_size: int = Field(24, ge=1, description="examples")
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
    def label(self) -> str:
        return self.task + ("[shuffle_labels=true]" if self.shuffle_labels else "")

    def identity(self) -> dict[str, Any]:
        """All that can change the result: parameters, task, data, starting weights, the library's result version."""
        entry = find_entry(self.task, self.task_file)
        further = [find_entry(name, self.task_file) for name in self.evaluate_on]
        start = {"parent": self.parent} if self.parent else {"encoder": encoders.fingerprint(self.encoder)}
        return {
            **self.model_dump(mode="json", exclude=NOT_IDENTITY | {"encoder", "parent"}),
            **{name: self.seed_of(name.removesuffix("_seed")) for name in SEEDS},
            **start,
            "task": entry.content(),
            "data": fingerprint(entry),
            "evaluate_on": [[one.content(), fingerprint(one)] for one in further],
            "result_version": RESULT_VERSION,
        }

    def id(self) -> str:
        """A slug for people and twelve hex digits of the identity's hash: the run's folder name."""
        return f"{self._slug()}-{digest(self.identity())}"

    def _slug(self) -> str:
        parts = [self.task, "shuffled" if self.shuffle_labels else "", self.encoder.rstrip("/").rsplit("/", 1)[-1]]
        return re.sub(r"[^A-Za-z0-9._]+", "-", ".".join([*filter(None, parts), f"s{self.seed}"])).strip("-.")[:60]


def digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def describe(error: ValidationError) -> str:
    """pydantic's findings in one line: where, what was expected, what was found."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'value'}: {item['msg'].lower()}, found {item['input']!r}"
        for item in error.errors()
    )
