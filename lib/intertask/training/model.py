"""An encoder with the heads of a mixture on it, and what it takes to feed them."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from intertask.encoders.lora import merged
from intertask.encoders.pretrained import load_encoder, mixed_layers, save_encoder
from intertask.errors import IntertaskError, refusal
from intertask.formats import Encoded, Format, find_format
from intertask.formats.causal_language_modelling import language_modelling_loss
from intertask.formats.classification import Classification
from intertask.formats.heads import MixedHead
from intertask.origin import computed_by
from intertask.run import Run
from intertask.studies.ready import check_reading, check_weights, prepared_encoder
from intertask.tasks.load import Task
from intertask.tasks.schema import TaskEntry
from intertask.training.batches import Batch
from intertask.training.reuse import (
    HEADS,
    WHOSE,
    begin_as_own,
    begin_as_stored,
    learned_before,
    stored_head,
    stored_tasks,
)

STORED_ADAPTER = "adapter.safetensors"
"""Beside the heads, of a run with LoRA: the adapters, which the encoder's weights hold too, by their names in it."""


def head_key(task: str) -> str:
    """The task's name as a key of torch's: these hold no dot, and none is called as a method (`train`) is."""
    return "task:" + task.replace(".", ":")  # no name of a task has a colon


@dataclass
class Part:
    """One task of the mixture as the training sees it."""

    name: str
    task: Task
    format: Format
    head: str  # its key among the model's heads
    encoded: dict[str, Encoded]  # every split


@dataclass
class Model:
    """`layer`: the hidden layer that the heads read, 0 the embeddings; None: the last; with `scalar_mix` they read all.

    A frozen encoder never trains.
    """

    encoder: torch.nn.Module
    tokenizer: Any
    heads: torch.nn.ModuleDict
    parts: list[Part]
    device: torch.device
    precision: str = "float32"  # of an encoder's pass and a head's, under autocast; weights are float32
    tuning: str = "full"
    layer: int | None = None
    scalar_mix: bool = False
    language_modelling_weight: float = 0.0
    at_once: dict[str, int] = field(default_factory=dict)  # of `memory.halving`
    begins: dict[str, str] = field(default_factory=dict)  # what `reuse_heads` says

    @property
    def frozen(self) -> bool:
        return self.tuning == "frozen"

    def parameters(self) -> list[torch.nn.Parameter]:
        encoder = [] if self.frozen else [weights for weights in self.encoder.parameters() if weights.requires_grad]
        return [*encoder, *self.heads.parameters()]

    def train(self, mode: bool = True) -> None:
        self.encoder.train(mode and not self.frozen)  # no dropout where its features are computed once for all epochs
        self.heads.train(mode)

    def head(self, part: Part) -> torch.nn.Module:
        return self.heads[part.head]

    def batch(self, part: Part, encoded: Encoded, index: np.ndarray, rng) -> dict[str, torch.Tensor]:
        batch = part.format.collate(encoded, index, self.tokenizer, rng)
        return {name: tensor.to(self.device, non_blocking=self.device.type == "cuda") for name, tensor in batch.items()}

    def logits(self, part: Part, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        with self._precision():
            return self.head(part)(self.reads(part, *self.outputs([batch]), batch), batch)

    def losses(self, batch: Batch, rng: np.random.Generator) -> list[torch.Tensor]:
        """Per task of the batch, the mean loss of its rows; one pass of the encoder over all of them.

        Behind them, weighted, those of language modelling on the same tokens, if any (Radford et al. 2018, 3.2).
        """
        parts = [self.parts[task] for task, _ in batch]
        rows = [self.batch(self.parts[task], self.parts[task].encoded["train"], index, rng) for task, index in batch]
        with self._precision():
            outputs = self.outputs(rows)
            losses = [self._loss(*one) for one in zip(parts, outputs, rows, strict=True)]
            auxiliary = zip(outputs, rows, strict=True) if self.language_modelling_weight else ()
            return losses + [self._auxiliary(*one) for one in auxiliary]

    @property
    def terms(self) -> list[Callable[[int, np.ndarray], int]]:
        """Of each kind of `losses`, of how many terms it is the mean: by a task and its training examples."""

        def own(task: int, index: np.ndarray) -> int:
            return self.parts[task].format.terms(self.parts[task].encoded["train"], index)

        def auxiliary(task: int, index: np.ndarray) -> int:
            return self.parts[task].encoded["train"].followed(index)

        return [own, auxiliary] if self.language_modelling_weight else [own]

    def _loss(self, part: Part, outputs: SimpleNamespace | None, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        logits = self.head(part)(self.reads(part, outputs, batch), batch)
        # a batch of texts without a target, or of a single token, teaches nothing
        return part.format.loss(logits, batch) if logits.numel() else logits.sum()

    def _auxiliary(self, outputs: SimpleNamespace, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        tokens = outputs.last_hidden_state, batch["input_ids"], batch["attention_mask"]
        return self.language_modelling_weight * language_modelling_loss(self.encoder, *tokens)

    def reads(self, part: Part, outputs: SimpleNamespace | None, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the task's head reads of the encoder's outputs, or what was kept of a frozen encoder's."""
        return batch["features"] if outputs is None else self.head(part).reads(outputs, batch)

    def outputs(self, batches: list[dict[str, torch.Tensor]]) -> list[SimpleNamespace | None]:
        """Per batch, the encoder's outputs for its rows, as if it had been read alone; one pass over all of them.

        None where everything is kept of a frozen encoder.
        """
        if all("features" in batch for batch in batches):
            return [None] * len(batches)
        several = self.scalar_mix or self.layer is not None
        outputs = self.encoder(**self._together(batches), output_hidden_states=several)
        hidden = outputs.last_hidden_state if self.layer is None else outputs.hidden_states[self.layer]
        hidden = torch.cat(outputs.hidden_states, dim=-1) if self.scalar_mix else hidden
        pooled = outputs.get("pooler_output")
        found, first = [], 0
        for batch in batches:
            rows, length = batch["attention_mask"].shape
            own = slice(first, first + rows)
            pooler = None if pooled is None else pooled[own]
            found.append(SimpleNamespace(last_hidden_state=hidden[own, :length], pooler_output=pooler))
            first += rows
        return found

    def _together(self, batches: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        """The encoder's inputs of all batches, one below the other, padded to the longest."""
        # the mask also where a tokenizer does not list it: the rows are padded
        names = [name for name in {*self.tokenizer.model_input_names, "attention_mask"} if name in batches[0]]
        if len(batches) == 1:
            return {name: batches[0][name] for name in names}
        longest = max(batch["attention_mask"].shape[1] for batch in batches)
        together = {}
        for name in names:
            # GPT has no padding token: the mask hides what stands there
            fill = self.tokenizer.pad_token_id or 0 if name == "input_ids" else 0
            rows = [batch[name].transpose(1, -1) for batch in batches]  # tokens last
            rows = [functional.pad(row, (0, longest - row.shape[-1]), value=fill) for row in rows]
            together[name] = torch.cat([row.transpose(1, -1) for row in rows])
        return together

    def _precision(self):
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=getattr(torch, self.precision))

    def state(self) -> list[dict[str, torch.Tensor]]:
        """All weights that training changes, in the processor's memory."""
        return [
            # on a CPU, without copy, these would be the very weights that go on training
            {name: weights.detach().to("cpu", copy=True) for name, weights in module.state_dict().items()}
            for module in ([] if self.frozen else [self.encoder]) + [self.heads]
        ]

    def load_state(self, state: list[dict[str, torch.Tensor]]) -> None:
        if not self.frozen:
            self.encoder.load_state_dict(state[0])
        self.heads.load_state_dict(state[-1])


def build_model(run: Run, tasks: dict[str, Task], start: str | Path) -> Model:
    """The encoder with its heads, fresh or the parent's; whatever starts random is drawn with the head's seed."""
    taken = computed_by(run.device, run.precision)
    device = torch.device(taken["device"])
    if run.class_weight:
        check_weights(run, tasks.values())
    encoder, tokenizer = prepared_encoder(run, start)
    parts = []
    for name, task in tasks.items():
        form = find_format(task.entry.format)(task.entry, both_orders=run.both_orders, classifier=run.classifier)
        check_reading(run, encoder, tokenizer, form)
        if run.class_weight and isinstance(form, Classification):
            form.weigh(run.class_weight, task.splits["train"])
        key = (form.shared_head if run.heads == "shared" else None) or head_key(name)
        form.learn(task.whole_train, learned_before(Path(start), key) if run.reuse_head else "")
        encoded = {split: form.encode(rows, tokenizer, run.max_length) for split, rows in task.splits.items()}
        parts.append(Part(name, task, form, key, encoded))
    heads = fresh_heads(run, encoder, parts)
    begins = reuse_heads(run, encoder, heads, parts, start) if run.reuse_head else {}
    use = taken["precision"], run.tuning, run.layer, run.scalar_mix, run.language_modelling_weight
    return Model(encoder.to(device), tokenizer, heads.to(device), parts, device, *use, begins=begins)


def reuse_heads(
    run: Run, encoder: torch.nn.Module, heads: torch.nn.ModuleDict, parts: list[Part], start: str | Path
) -> dict[str, str]:
    """Fills in the heads that there are for the tasks; says of each task what its head begins as."""
    found = {}
    for key, head in heads.items():
        tasks = {part.name: part.format for part in parts if part.head == key}
        if (Path(start) / HEADS).is_file():
            said = begin_as_stored(head, key, tasks, Path(start))
        else:
            said = begin_as_own(head, tasks, run, encoder, start)
        found |= dict.fromkeys(tasks, said)
    return found


def fresh_heads(run: Run, encoder: torch.nn.Module, parts: list[Part]) -> torch.nn.ModuleDict:
    """A head for every part, or one for those that share it, drawn with the head's seed."""
    torch.manual_seed(run.seed_of("head"))  # anew: how much the encoder drew before must not change the heads
    heads = torch.nn.ModuleDict()
    for part in parts:
        if part.head not in heads:
            head = part.format.head(encoder, run.pooling, run.dropout)
            heads[part.head] = MixedHead(head, mixed_layers(encoder.config)) if run.scalar_mix else head
    return heads


def stored_model(run: Run, folder: Path) -> Model:
    """The encoder that a finished run kept in `folder`, with its heads, ready to predict; its parts hold no data.

    Adapters of LoRA were added to the weights when it was stored. Raises IntertaskError where it was kept by a version
    that stored no tasks with it, or a head reads and writes by what it learned of a training split.
    """
    encoder, tokenizer = load_encoder(folder, run.pooling)
    parts = []
    for name, kept in stored_tasks(folder).items():
        entry = TaskEntry.model_construct(**kept["entry"])
        if learned_before(folder, kept["head"]):
            raise refusal(name, "a task whose head needs no vocabulary of its own", entry.format, "Name another run.")
        form = find_format(entry.format)(entry, both_orders=run.both_orders, classifier=run.classifier)
        parts.append(Part(name, Task(entry, {}), form, kept["head"], {}))
    heads = fresh_heads(run, encoder, parts)
    for key, head in heads.items():
        head.load_state_dict(stored_head(folder, key))
    try:
        taken = computed_by(run.device, run.precision)
    except IntertaskError:  # it was made on another machine
        taken = computed_by()
    device, use = torch.device(taken["device"]), (taken["precision"], "full", run.layer, run.scalar_mix)
    model = Model(encoder.to(device), tokenizer, heads.to(device), parts, device, *use)
    model.train(False)
    return model


def save_model(model: Model, folder: Path) -> None:
    """Writes a folder that `load_encoder` reads, with the heads beside the encoder."""
    folder.mkdir(exist_ok=True)
    weights = {name: weights.contiguous() for name, weights in model.heads.state_dict().items()}
    # beside the weights: whose they are, and by what its format learned a head speaks
    tasks = {part.name: {"head": part.head, "entry": part.task.entry.content()} for part in model.parts}
    learned = {part.head: part.format.learned for part in model.parts if part.format.learned}
    save_file(weights, folder / HEADS, {WHOSE: json.dumps(tasks)} | learned)
    if model.tuning == "lora":
        added = {name: weights for name, weights in model.encoder.state_dict().items() if ".lora_" in name}
        save_file(added, folder / STORED_ADAPTER)
    save_encoder(merged(model.encoder) if model.tuning == "lora" else model.encoder, model.tokenizer, folder)
