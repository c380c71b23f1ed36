"""The training of one stage: AdamW, linear schedule with warm-up, clipping, the best checkpoint kept."""

import copy
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from intertask.encoders import load_encoder
from intertask.encoders.linear import use_onednn
from intertask.errors import IntertaskError
from intertask.formats import FORMATS, Encoded, Format
from intertask.formats.spans import SpanEncoded
from intertask.run import Run
from intertask.tasks.load import Task
from intertask.training import frozen
from intertask.training.batches import bucketed, by_length
from intertask.training.data import reporting_split, selection_split


@dataclass
class Model:
    """An encoder with one task's head on it, and what it takes to feed them.

    `layer`: the hidden layer that the head reads, 0 the embeddings; None: the last. A frozen encoder never trains.
    """

    encoder: torch.nn.Module
    tokenizer: Any
    head: torch.nn.Module
    format: Format
    device: torch.device
    frozen: bool = False
    layer: int | None = None

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*([] if self.frozen else self.encoder.parameters()), *self.head.parameters()]

    def train(self, mode: bool = True) -> None:
        self.encoder.train(mode and not self.frozen)
        self.head.train(mode)

    def logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        with self._precision():
            return self.head(batch["features"] if "features" in batch else self.reads(batch), batch)

    def reads(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the head reads of the encoder's outputs."""
        inputs = {name: batch[name] for name in (*self.tokenizer.model_input_names, "attention_mask") if name in batch}
        outputs = self.encoder(**inputs, output_hidden_states=self.layer is not None)
        if self.layer is not None:
            outputs.last_hidden_state = outputs.hidden_states[self.layer]
        return self.head.reads(outputs, batch)

    def _precision(self):
        return torch.autocast("cuda", dtype=torch.bfloat16) if self.device.type == "cuda" else nullcontext()

    def batch(self, encoded: Encoded, index: np.ndarray, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        batch = self.format.collate(encoded, index, self.tokenizer, rng)
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}

    def state(self) -> list[dict[str, torch.Tensor]]:
        return copy.deepcopy([{} if self.frozen else self.encoder.state_dict(), self.head.state_dict()])

    def load_state(self, state: list[dict[str, torch.Tensor]]) -> None:
        if not self.frozen:
            self.encoder.load_state_dict(state[0])
        self.head.load_state_dict(state[1])


@dataclass
class Result:
    """What a finished training leaves; scores are in 0–100 (see `formats.score`)."""

    run: Run
    task: Task
    model: Model
    curve: pd.DataFrame  # one row per evaluation: step, epoch, examples, train_loss, the dev metrics, main
    predictions: pd.DataFrame  # split, row, label (missing where unlabelled), prediction, logits
    scores: dict[str, dict[str, float]]  # split to metric to score, at the best checkpoint
    majority: dict[str, dict[str, float]]  # the same for the majority class, in regression the mean
    steps: int
    best_step: int
    examples_seen: int
    truncated: dict[str, int]  # examples of each split that lost tokens to max_length
    cut_spans: dict[str, int]  # spans of each split that did; of formats that have spans
    seconds: dict[str, float]

    @property
    def reported(self) -> str:
        """The split whose scores the run reports."""
        return reporting_split(self.task)

    @property
    def degenerate(self) -> bool:
        """Whether the run does not beat the majority class or, in regression, a constant (Phang 2018, section 4)."""
        return self.scores[self.reported]["main"] <= self.majority[self.reported]["main"]

    @property
    def constant_predictions(self) -> bool:
        return self.predictions.loc[self.predictions.split == self.reported, "prediction"].map(repr).nunique() == 1


def train(run: Run, task: Task, start: str | Path) -> Result:
    """Trains the encoder found at `start` on a prepared task and scores the best checkpoint on every split.

    The same run on the same machine gives the same bits on a CPU. Raises IntertaskError when the loss is not finite.
    """
    clock = Clock()
    torch.set_num_threads(run.threads)
    model = build_model(run, task, start)
    encoded = {split: model.format.encode(rows, model.tokenizer, run.max_length) for split, rows in task.splits.items()}
    if model.frozen:
        frozen.read(model, encoded.values(), run.per_device_eval_batch_size)
    clock.stop("load")
    curve, best, steps, seen = fit(run, model, encoded["train"], encoded[selection_split(task)], clock)
    model.load_state(best.state)
    predictions = pd.concat(
        [
            predict(model, encoded[split], run.per_device_eval_batch_size).assign(split=split)
            for split in task.splits
            if split != "train"
        ],
        ignore_index=True,
    )
    labelled = predictions[predictions.label.notna()].groupby("split", sort=False)
    scores = {split: model.format.score(rows) for split, rows in labelled}
    majority = {
        split: model.format.score(rows.assign(prediction=model.format.majority(rows.label))) for split, rows in labelled
    }
    clock.stop("evaluate")
    return Result(
        run,
        task,
        model,
        curve,
        predictions[["split", "row", "label", "prediction", "logits"]],
        scores,
        majority,
        steps,
        best.step,
        seen,
        {split: rows.truncated for split, rows in encoded.items()},
        {split: rows.cut_spans for split, rows in encoded.items() if isinstance(rows, SpanEncoded)},
        clock.seconds,
    )


def build_model(run: Run, task: Task, start: str | Path) -> Model:
    """The encoder with a fresh head; whatever starts random is drawn with the head's seed."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder, tokenizer = load_encoder(start, run.pooling, run.seed_of("head"), run.random_weights)
    longest = getattr(encoder.config, "max_position_embeddings", run.max_length)
    if run.max_length > longest:
        raise IntertaskError(
            f"max_length: {run.max_length} tokens, but {run.encoder} reads at most {longest}. Lower it."
        )
    form = FORMATS[task.entry.format](task.entry)
    check_reading(run, encoder, form)
    if device.type == "cpu":
        use_onednn(encoder)
    torch.manual_seed(run.seed_of("head"))
    head = form.head(encoder, run.pooling)
    return Model(encoder.to(device), tokenizer, head.to(device), form, device, run.tuning == "frozen", run.layer)


def check_reading(run: Run, encoder: torch.nn.Module, form: Format) -> None:
    """Refuses a layer that the encoder lacks, a pooler over another than the last, and a language model kept frozen."""
    layers = encoder.config.num_hidden_layers
    if run.layer is not None and run.layer > layers:
        raise IntertaskError(
            f"layer: expected 0 to {layers}, the layers of {run.encoder}, found {run.layer}. Lower it."
        )
    if run.layer is not None and run.pooling == "pooler":
        raise IntertaskError("pooling: the pooler reads the last layer only, found layer too. Use first or mean.")
    if run.tuning == "frozen" and form.corrupts:
        raise IntertaskError(f"tuning: frozen, but {run.task} reads another input every time. Use tuning: full.")


@dataclass
class Best:
    """The best checkpoint so far, in memory."""

    score: float = -math.inf
    step: int = 0
    state: Any = None
    evaluations_since: int = 0

    def update(self, score: float, step: int, model: Model) -> None:
        """Keeps the model if it is better than any before; of equals, the earliest stays."""
        if score > self.score:
            self.score, self.step, self.state, self.evaluations_since = score, step, model.state(), 0
        else:
            self.evaluations_since += 1


def fit(run: Run, model: Model, data: Encoded, dev: Encoded, clock: "Clock") -> tuple[pd.DataFrame, Best, int, int]:
    """The loop: returns the curve, the best checkpoint, and how many steps and examples it took."""
    per_epoch = math.ceil(len(data) / run.per_device_train_batch_size)
    total = max(1, math.ceil(per_epoch * run.num_train_epochs))
    every = math.ceil(_steps(run.eval_steps, total)) if run.eval_steps else per_epoch
    optimizer = adamw(model, run)
    schedule = linear_schedule(optimizer, _steps(run.warmup_steps, total), total)
    rng = np.random.default_rng(run.seed_of("order"))
    torch.manual_seed(run.seed_of("dropout"))
    best, curve, losses, seen = Best(), [], Losses(), 0
    model.train()
    bar = tqdm(
        epochs(data, run.per_device_train_batch_size, rng), total=total, desc=run.label, leave=False, mininterval=1
    )
    for step, index in enumerate(bar, start=1):
        losses.add(train_step(model, model.batch(data, index, rng), optimizer, schedule, run.max_grad_norm))
        seen += len(index)
        if step % every == 0 or step == total:
            loss = losses.mean()
            clock.stop("train")
            dev_scores = evaluate(model, dev, run.per_device_eval_batch_size)
            best.update(dev_scores["main"], step, model)
            curve.append({"step": step, "epoch": step / per_epoch, "examples": seen, "train_loss": loss} | dev_scores)
            bar.set_postfix(loss=f"{loss:.3f}", dev=f"{dev_scores['main']:.1f}")
            model.train()
            clock.stop("evaluate")
        if step == total or best.evaluations_since >= (run.early_stopping_patience or math.inf):
            break
    bar.close()
    clock.stop("train")
    return pd.DataFrame(curve), best, step, seen


def train_step(model: Model, batch, optimizer, schedule, max_grad_norm: float) -> torch.Tensor:
    """One update; returns the batch's mean loss, not fetched: on a GPU that would wait for the step to end."""
    loss = model.format.loss(model.logits(batch), batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


class Losses:
    """The batches' losses since the last evaluation; looked at seldom: on a GPU each look waits for the step."""

    LOOK_EVERY = 20  # steps

    def __init__(self):
        self.steps = 0
        self.seen: list[float] = []
        self.unseen: list[torch.Tensor] = []

    def add(self, loss: torch.Tensor) -> None:
        self.unseen.append(loss)
        if len(self.unseen) == self.LOOK_EVERY:
            self.look()

    def look(self) -> None:
        """Raises IntertaskError at the first loss that is not a finite number."""
        for value in [loss.item() for loss in self.unseen]:
            self.steps += 1
            if not math.isfinite(value):
                raise IntertaskError(
                    f"The loss became {value} at step {self.steps}: the run stops. Expected a finite number; lower "
                    "learning_rate, lengthen warmup_steps, or look for extreme labels."
                )
            self.seen.append(value)
        self.unseen = []

    def mean(self) -> float:
        """The mean since this was last asked."""
        self.look()
        mean, self.seen = float(np.mean(self.seen)), []
        return mean


@torch.inference_mode()
def predict(model: Model, encoded: Encoded, batch_size: int) -> pd.DataFrame:
    """One row per prediction, in the order of the split: row, label, prediction, logits."""
    model.train(False)
    rng = np.random.default_rng(0)  # a format that corrupts its inputs does it alike at every evaluation
    parts = []
    for index in by_length(encoded.lengths, batch_size):
        batch = model.batch(encoded, index, rng)
        logits = model.logits(batch).float().cpu().numpy()
        parts.append(model.format.predictions(logits, encoded, index, batch))
    rows = pd.concat(parts).sort_values("row", kind="stable", ignore_index=True)
    if encoded.groups is not None:
        rows["group"] = pd.Series(encoded.groups, encoded.rows).loc[rows["row"]].to_numpy()
    return rows


def evaluate(model: Model, encoded: Encoded, batch_size: int) -> dict[str, float]:
    """The metrics of the whole split."""
    return model.format.score(predict(model, encoded, batch_size))


def adamw(model: Model, run: Run) -> torch.optim.Optimizer:
    """AdamW; biases and norms are not decayed, as in Devlin et al. 2019."""
    weights = model.parameters()
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": run.weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=run.learning_rate, fused=True)


def linear_schedule(optimizer, warmup: float, total: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Up from 0 over the warm-up, then linearly down to 0 at the last step."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(step / warmup if warmup else 1.0, (total - step) / max(1.0, total - warmup))
    )


def epochs(data: Encoded, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches without end, each epoch in a new order."""
    while True:
        yield from bucketed(data.lengths, batch_size, rng)


def _steps(value: float, total: int) -> float:
    """transformers' reading: below 1, a share of all steps."""
    return value * total if value < 1 else value


class Clock:
    """Adds up where the seconds go."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now
