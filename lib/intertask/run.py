"""A run: one training stage with every value fixed. Its identity is its whole content."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from intertask import RESULT_VERSION
from intertask.encoders.mini import ON_ELMO
from intertask.encoders.pretrained import encoder_fingerprint
from intertask.errors import IntertaskError
from intertask.origin import computed_by, edited_code
from intertask.parameters import injected, refuse_unknown
from intertask.tasks.catalogue import find_entry
from intertask.tasks.schema import LabelName
from intertask.tasks.sources import fingerprint
from intertask.weighting import DYNAMIC, LOSS_SCALING, SAMPLING
from intertask.written import PLACED, Strict, faults_in_words

SEEDS = ("order_seed", "head_seed", "dropout_seed", "limit_seed")
# of a task file its entries count, not its path; an encoder that is kept changes no score
# of a device and a precision it counts which were taken
NOT_IDENTITY = {"task_file", "keep_encoder", "device", "precision"}
BEST_OF = "best of "
MOST_NAMED = 3  # tasks of a mixture in the name of its folder

STUDY, ENCODER, MIXING = "study", "encoder", "mixing"
"""Whose word decides a parameter: a key of the study and no setting; an encoder's settings alone; any stage's settings,
or those of a way of mixing. What is nobody's in particular is a setting of any stage."""


def said(default: Any, words: str, of: str = "", **bounds: float) -> Any:
    """A parameter of a run: its default, what the notebook's comment says of it, whose it is, and its bounds."""
    return Field(default, description=words, json_schema_extra={"of": of}, **bounds)


class Further(Strict):
    """Another task that a run is scored on; `labels`: of each label of the trained task which one it is there.

    Without them both have the same labels, and the name stands for it all.
    """

    ALONE = "task"

    task: str
    labels: dict[LabelName, LabelName] = {}

    @model_serializer(mode="wrap")
    def _to_name(self, fields: SerializerFunctionWrapHandler) -> Any:
        return fields(self) if self.labels else self.task

    def __hash__(self) -> int:
        return hash(self.task)  # a dictionary has no hash


class Member(Strict):
    """One task of a mixture, and which of its examples: as the parameters of a run of the same names."""

    ALONE = "task"

    task: str
    shuffle_labels: bool = False
    limit: int | None = Field(None, ge=1)
    evaluate_on: list[Annotated[Further, PLACED]] = []

    @property
    def label(self) -> str:
        return self.task + ("[shuffle_labels=true]" if self.shuffle_labels else "")


Probability = Annotated[float, Field(gt=0)]


class Run(Strict):
    """The parameters of `experiments/train.ipynb`; defaults are the papers' (Phang 2018, section 3; Devlin 2019).

    What each means, its unit and its legal values stand here; the notebook's parameters cell repeats them.
    """

    task: str = said(..., "a task of the catalogue or of task_file", STUDY)
    task_file: str = said("", "YAML with tasks of your own; empty: the catalogue alone", STUDY)
    shuffle_labels: bool = said(False, "permute the training labels: a negative control", STUDY)
    limit: int | None = said(None, "training examples, drawn without replacement; None: all", STUDY, ge=1)
    limit_stratified: bool = said(False, "limit draws of each label its share, where an example has one label")
    evaluate_on: list[Annotated[Further, PLACED]] = said(
        [], 'further tasks to score: names, or {"task": ..., "labels": {"neutral": "not_entailment", ...}}', STUDY
    )
    alongside: list[Annotated[Member, PLACED]] = said(
        [], 'further tasks of one mixture: names, or {"task": ..., "limit": ..., "shuffle_labels": ...}', STUDY
    )
    sampling: Annotated[str, Field(pattern=SAMPLING)] | list[Probability] = said(
        "proportional", "or uniform, log, power_0.75, dynamic_softmax, dynamic_gap, or numbers, task's first", MIXING
    )
    single_scores: dict[str, float | list[str]] = said(
        {}, "for dynamic sampling: each task's score alone, 0-100, or the runs that have it in the mean", STUDY
    )
    loss_scaling: Annotated[str, Field(pattern=LOSS_SCALING)] = said(
        "uniform", "or proportional (to size), power_0.75", MIXING
    )
    batch_schedule: Literal["homogeneous", "heterogeneous", "forced_heterogeneous", "partition"] = said(
        "homogeneous", "one task per batch; or heterogeneous, forced_heterogeneous, partition", MIXING
    )
    batch_loss: Literal["sum_of_means", "mean"] = said(
        "sum_of_means", "of the tasks in a batch; or mean (over its examples)", MIXING
    )
    epoch_length: Literal["sum", "shortest"] = said(
        "sum", "as many examples as all tasks have; or shortest: until the first task runs out", MIXING
    )
    heads: Literal["per_task", "shared"] = said("per_task", "or shared (by tasks with as many labels)", MIXING)
    selection: Literal["each", "average"] = said(
        "each", "every task at its own best checkpoint; or average: all at that of the best mean", MIXING
    )
    encoder: str = said(
        "mini/bert", "Hub id, local folder, or mini/... (random weights, unless a parent gives others)", STUDY
    )
    parent: str | list[str] | None = said(
        None, "id of the run whose encoder this one starts from, or candidates; None: as published", STUDY
    )
    parent_rule: Literal["best", "nearest_mean", "nearest_median"] = said(
        "best", "which candidate, by dev score: best, nearest_mean or nearest_median", STUDY
    )
    reuse_head: bool = said(False, "start from the parent's head, or a checkpoint's own, where one is for it")
    settings_from: list[str] = said(
        [], "runs of a sweep: what they differ in is taken from the best of them on dev", STUDY
    )
    random_weights: bool = said(False, "the encoder's architecture untrained: a baseline of probing", ENCODER)
    tuning: Literal["full", "frozen", "lora"] = said(
        "full", "or frozen (the head alone is trained) or lora (low-rank additions and the head)"
    )
    lora_r: int = said(8, "rank of the additions, 1 or more", ge=1)
    lora_alpha: float = said(16, "they are scaled by lora_alpha / lora_r", gt=0)
    layer: int | None = said(None, "the hidden layer that the head reads, 0 the embeddings; None: the last", ge=0)
    scalar_mix: bool = said(False, "the head reads all layers, by weights that it learns (Peters et al. 2018)")
    pooling: Literal["first", "pooler", "mean", "last"] = said(
        "first", "first (token), pooler (the encoder's own), mean (of the tokens) or last (token)"
    )
    classifier: Literal["linear", "small", "medium", "large", "logistic"] = said(
        "linear", "on the pooled vector; or on all words: small, medium, large (Wang 2019), logistic (Phang)"
    )
    both_orders: bool = said(False, "read pairs of symmetric tasks both ways and add the vectors")
    class_weight: Literal["balanced"] | dict[LabelName, Annotated[float, Field(gt=0)]] | None = said(
        None, 'of the labels in a classification\'s loss: balanced, or {"positive": 5}; None: all 1'
    )
    dropout: float | None = said(None, "of the head, 0 to 1; None: as the encoder's", ge=0, lt=1)
    max_length: int = said(128, "tokens, 4 or more; longer inputs are cut", ge=4)
    holdout: float = said(
        0.0, "share of the dev set that reports while the rest selects; 0: all of it does both", STUDY, ge=0, lt=1
    )
    seed: int = said(0, "0 or more; the next four follow it where they are None", STUDY, ge=0, lt=2**32)
    order_seed: int | None = said(None, "of the order of the data", ge=0)
    head_seed: int | None = said(None, "of the fresh weights", ge=0)
    dropout_seed: int | None = said(None, "of dropout", ge=0)
    limit_seed: int | None = said(
        None, "of the subset that limit draws; a number keeps one subset for every seed", ge=0
    )
    learning_rate: float = said(2e-5, "peak, above 0", gt=0)
    lr_scheduler_type: Literal["linear", "reduce_lr_on_plateau"] = said(
        "linear", "or reduce_lr_on_plateau: halved after 5 evaluations without a gain"
    )
    amsgrad: bool = said(False, "AdamW by the largest second moments so far (Reddi et al. 2018)")
    num_train_epochs: float = said(3, "passes over the training data, above 0", MIXING, gt=0)
    max_steps: int | None = said(None, "optimizer steps, instead of num_train_epochs", MIXING, ge=1)
    max_examples: int | None = said(
        None, "training ends when `task` was seen so often, instead of num_train_epochs", STUDY, ge=1
    )
    language_modelling_weight: float = said(0, "of an auxiliary loss, 0 or more; left-to-right encoders only", ge=0)
    per_device_train_batch_size: int = said(24, "examples, 1 or more", MIXING, ge=1)
    gradient_accumulation_steps: int = said(1, "batches that make one optimizer step", ge=1)
    gradient_checkpointing: bool = said(False, "less memory, more time")
    per_device_eval_batch_size: int = said(64, "examples, 1 or more", ge=1)
    warmup_steps: float = said(0.1, "optimizer steps; below 1: a share of all steps", ge=0)
    weight_decay: float = said(0.01, "0 or more; not on biases and norms", ge=0)
    max_grad_norm: float = said(1.0, "above 0", gt=0)
    eval_steps: float | None = said(
        None, "optimizer steps between evaluations; below 1: a share of all steps; None: one epoch", MIXING, gt=0
    )
    eval_steps_per_task: bool = said(
        False, "eval_steps times the number of tasks of the mixture (Wang et al. 2019, appendix B)", MIXING
    )
    early_stopping_patience: int | None = said(
        None, "evaluations without a gain before training stops; None: it never stops early", MIXING, ge=1
    )
    threads: int = said(1, "processor threads; other threads give other bits", STUDY, ge=1)
    device: Literal["auto", "cpu", "cuda", "mps"] = said(
        "auto", "cpu, cuda or mps (Apple's); auto: the GPU where there is one", STUDY
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = said(
        "auto", "float32, bfloat16 or float16; auto: bfloat16 on CUDA cards that have it, else float32"
    )
    keep_encoder: bool | Annotated[str, Field(pattern=f"^{BEST_OF}.+")] = said(
        False, "store the best checkpoint's encoder; best of STUDY: if it beats all others there so far", STUDY
    )

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
                f"sampling: expected a number for each of {', '.join(names)}, in this order, found {self.sampling}. "
                "List as many."
            )
        if self.dynamic and set(self.single_scores) != set(names):
            raise IntertaskError(
                f"single_scores: {self.sampling} needs the score that each task has alone: expected "
                f"{', '.join(names)}, found {', '.join(self.single_scores) or 'none'}."
            )
        if self.both_orders and self.classifier != "linear":
            raise IntertaskError(
                f"both_orders: expected classifier: linear, which adds both vectors, found {self.classifier}. Drop one."
            )
        if self.scalar_mix and (other := self._beside_the_mix()):
            raise IntertaskError(f"scalar_mix: expected it without {other}, which reads one layer. Drop one.")
        if self.language_modelling_weight and self.layer is not None:
            raise IntertaskError("language_modelling_weight: expected the last layer, found layer. Drop one.")
        if self.batch_schedule == "forced_heterogeneous" and self.step_examples < len(names):
            raise IntertaskError(
                f"batch_schedule: forced_heterogeneous, but a batch of {self.step_examples} has no example of each of "
                f"{', '.join(names)}. Raise per_device_train_batch_size."
            )
        if self.max_steps and self.max_examples:
            raise IntertaskError("max_steps and max_examples: expected one of them, found both. Drop one.")
        return self

    def _beside_the_mix(self) -> str | None:
        other = {"layer": self.layer is not None, "pooling: pooler": self.pooling == "pooler"}
        other["language_modelling_weight"] = self.language_modelling_weight > 0
        return next((name for name, said in other.items() if said), None)

    @classmethod
    def checked(cls, values: Mapping[str, Any], where: str = "parameters") -> "Run":
        """A run from plain values; raises IntertaskError that says what each expected and found."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise IntertaskError(f"{where}: {faults_in_words(error, values)}", at=error.errors()[0]["loc"]) from None

    @classmethod
    def from_notebook(cls, namespace: dict[str, Any]) -> "Run":
        """A run from a notebook's `globals()`, called in the cell after the parameters cell."""
        return cls.checked(injected(namespace, cls.model_fields))

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The default of every parameter; of `task`, which has none, pydantic's word for that."""
        return {name: field.default for name, field in cls.model_fields.items()}

    def seed_of(self, purpose: str) -> int:
        """The seed for "order", "head", "dropout" or "limit"."""
        value = getattr(self, f"{purpose}_seed")
        return self.seed if value is None else value

    @property
    def members(self) -> list[Member]:
        """Every task of the mixture, `task` first; a single task is a mixture of one."""
        first = Member.model_construct(**{name: getattr(self, name) for name in Member.model_fields})
        return [first, *self.alongside]

    @property
    def step_examples(self) -> int:
        """The training examples of an optimizer step."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def dynamic(self) -> bool:
        """Whether sampling follows the dev scores; a single task leaves nothing to choose."""
        return self.sampling in DYNAMIC and len(self.members) > 1

    @property
    def starts(self) -> list[str]:
        """The runs of which this one starts from the encoder of one."""
        return [self.parent] if isinstance(self.parent, str) else self.parent or []

    @property
    def parents(self) -> list[str]:
        """All runs that must be finished before this one starts."""
        alone = [run for runs in self.single_scores.values() if isinstance(runs, list) for run in runs]
        return list(dict.fromkeys([*self.starts, *alone, *self.settings_from]))

    @property
    def label(self) -> str:
        return " + ".join(member.label for member in self.members)

    def identity(self) -> dict[str, Any]:
        """All that can change the result: parameters, tasks, data, starting weights, what computes, and the code.

        The code is there by the library's result version and, where it was edited, by its digest.

        Parameters at their default are left out, so that one added to this class later changes no identity.
        """
        # a parent's id is the hash of all that it came from, its encoder included
        start = {"parent": self.parent} if self.parent else {"encoder": encoder_fingerprint(self.encoder)}
        if self.encoder == ON_ELMO:  # which of its parent, an ELMo, is another encoder than ELMo
            start["encoder"] = self.encoder
        data = {
            name: [entry.content(), fingerprint(entry)]
            for member in self.members
            for name in [member.task, *(one.task for one in member.evaluate_on)]
            for entry in [find_entry(name, self.task_file)]
        }
        return {
            **self.model_dump(mode="json", exclude=NOT_IDENTITY | {"encoder", "parent"}, exclude_defaults=True),
            # as decided: whether a seed was given or follows `seed`, the run is the same
            **{name: self.seed_of(name.removesuffix("_seed")) for name in SEEDS},
            **start,
            # it was by their places
            **({"heads_reused_by": "the labels' names"} if self.reuse_head else {}),
            # it was by their examples
            **({"parts_weighed_by": "the terms of each loss"} if self.gradient_accumulation_steps > 1 else {}),
            "data": data,
            "computed_by": computed_by(self.device, self.precision),
            "result_version": RESULT_VERSION,
            **({"edited_code": edited_code()} if edited_code() else {}),
        }

    def id(self) -> str:
        """A slug for people and twelve hex digits of the identity's hash: the run's folder name."""
        return f"{self._slug()}-{digest(self.identity())}"

    def _slug(self) -> str:
        names = [member.task + (".shuffled" if member.shuffle_labels else "") for member in self.members[:MOST_NAMED]]
        more = len(self.members) - len(names)
        parts = ["+".join(names) + (f"+{more}" if more else ""), self.encoder.rstrip("/").rsplit("/", 1)[-1]]
        return re.sub(r"[^A-Za-z0-9._+]+", "-", ".".join([*parts, f"s{self.seed}"])).strip("-.")[:60]


MIXED = {name for name, field in Run.model_fields.items() if field.json_schema_extra["of"] == MIXING}
"""The parameters that a mixture may set for itself."""


def digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
