"""The training of one stage: AdamW, a schedule of its rate, clipping, the best checkpoints kept."""

import ctypes
import math
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from intertask.errors import IntertaskError
from intertask.formats import Encoded
from intertask.run import Run
from intertask.tasks.load import Task
from intertask.training import frozen, memory
from intertask.training.bar import Told, bar
from intertask.training.batches import Batch, by_length
from intertask.training.checkpoint import BEST_STATE, Checkpoints
from intertask.training.data import reporting_split, selection_split
from intertask.training.mixing import Mixture, at_most, micro_batches, size, weights
from intertask.training.model import Model, Part, build_model
from intertask.weighting import loss_scales

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Of glibc's malloc.h."""

PREDICTED = ["split", "row", "label", "prediction", "logits", "tokens", "right", "log_likelihood", "spans"]
PREDICTED += ["answer", "no_answer"]
"""The columns of predictions; a label is missing where the data set has none, the last where the format says none."""


class Outcome(BaseModel):
    """What a finished training leaves of one task, and, without the task and its predictions, what `run.json` says."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    task: SkipValidation[Task] = Field(exclude=True)
    predictions: pd.DataFrame = Field(exclude=True, description="of every split but train: PREDICTED")
    shuffle_labels: bool = Field(description="whether the training labels were permuted")
    limit: int | None = Field(description="training examples drawn; null: all")
    selection: str = Field(description="how the checkpoint was chosen")
    reported: str = Field(description="the split whose main score the run reports")
    scores: dict[str, dict[str, float]] = Field(
        description="split to metric to score at the best checkpoint, 0-100; perplexity as it is"
    )
    majority: dict[str, dict[str, float]] = Field(
        description="the same for the majority class (regression: the mean; several labels: the best "
        "answer for all; a text: words as frequent as in train)"
    )
    details: dict[str, dict[str, float]] = Field(
        {},
        description="split to what its format says beside scores; best_...: at the threshold best for that very split",
    )
    degenerate: bool = Field(description="main of the reported split does not exceed the majority's (Phang 2018, 4)")
    constant_predictions: bool = Field(description="one prediction for the whole reported split")
    sizes: dict[str, int] = Field(description="examples in each split, as used")
    truncated: dict[str, int] = Field(description="examples cut at max_length")
    cut_spans: dict[str, int] = Field(description="spans cut at max_length; of formats that have spans")
    cut_words: dict[str, int] = Field(description="words longer than what is read of one; of encoders that read words")
    best_step: int = Field(description="the step of the checkpoint that is scored")
    examples_seen: int = Field(description="training examples, repetitions counted")
    distinct_examples: int = Field(description="training examples, each counted once")
    overlap: dict[str, int] = Field(
        description="of its dev examples, how many are in the training data of each task trained before or alongside"
    )


@dataclass
class Result:
    """What a finished training leaves."""

    run: Run
    model: Model
    tasks: dict[str, Outcome]  # the first is that of `run.task`
    curve: pd.DataFrame  # a row per evaluation and task: step, epoch, examples, train_loss, task, p, the dev metrics
    steps: int
    seconds: dict[str, float]
    resumed: int

    @property
    def main(self) -> Outcome:
        """What became of `run.task`."""
        return self.tasks[self.run.task]

    @property
    def examples_seen(self) -> int:
        return sum(outcome.examples_seen for outcome in self.tasks.values())


def train(run: Run, tasks: dict[str, Task], start: str | Path) -> Result:
    """Trains the encoder found at `start` on a prepared mixture and scores the best checkpoints on every split.

    The model is left as it was at the best checkpoint for `run.task`. The same run on the same machine gives the same
    bits on a CPU, also where it was killed and goes on from a checkpoint. Raises IntertaskError when the loss is not
    finite or the memory does not suffice, and Stopped where it was asked to end.
    """
    clock = Clock()
    keep_memory()
    torch.set_num_threads(run.threads)
    with memory.full_memory_in_words(run):
        model = build_model(run, tasks, start)
        if model.frozen:
            frozen.read_splits(model, run.per_device_eval_batch_size)
        training = Training(run, model, clock)
        fit(training)
        return result_of(training, tasks)


def result_of(training: "Training", tasks: dict[str, Task]) -> Result:
    """Every task's outcome at its best checkpoint."""
    run, model, mixture, outcomes = training.run, training.model, training.mixture, {}
    for place in reversed(range(len(model.parts))):  # the first task comes last: at its checkpoint the model stays
        part, best = model.parts[place], training.bests[place]
        model.load_state(best.state)
        seen = {"examples_seen": int(mixture.seen[place]), "distinct_examples": mixture.distinct[place]}
        outcomes[part.name] = outcome(run, model, part, best_step=best.step, **seen)
    training.clock.stop("evaluate")
    curve, steps, seconds = pd.DataFrame(training.curve), training.progress.step, training.clock.seconds
    return Result(run, model, {name: outcomes[name] for name in tasks}, curve, steps, seconds, training.resumed)


def keep_memory() -> None:
    """Has the C library keep what memory it has had for what this process allocates next, if it can (glibc).

    The system clears each page that it gives: for the logits of a vocabulary that takes as long as to compute them.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def give_memory_back() -> None:
    """Has the C library give back what is free in its memory, if it can (glibc): of batches in many shapes it would
    hold ever more."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def outcome(run: Run, model: Model, part: Part, **counts: int) -> Outcome:
    """Predictions and scores of one task by the model as it is now."""
    task, form, member = part.task, part.format, next(one for one in run.members if one.task == part.name)
    forms = {split: task.form_of(split) if split in task.told else form for split in task.splits}
    found = []
    for split in [split for split in task.splits if split != "train"]:
        rows = predict(model, part, part.encoded[split], run.per_device_eval_batch_size)
        rows = forms[split].merged(rows, task.told[split].ids) if split in task.told else rows
        found.append(rows.assign(split=split))
    predictions = pd.concat(found, ignore_index=True)
    labelled = predictions[predictions.label.notna()].groupby("split", sort=False)
    scores = {split: forms[split].score(rows) for split, rows in labelled}
    majority = {split: forms[split].floor(rows) for split, rows in labelled}
    reported = reporting_split(task)
    best = "best checkpoint" if run.selection == "each" or not run.alongside else "checkpoint with the best average"
    return Outcome(
        task=task,
        predictions=predictions.reindex(columns=PREDICTED),
        **member.model_dump(include={"shuffle_labels", "limit"}),
        selection=f"{best} on {selection_split(task)}, by {' and '.join(task.entry.metrics)}",
        reported=reported,
        scores=scores,
        majority=majority,
        details={split: found for split, rows in labelled if (found := forms[split].details(rows))},
        degenerate=scores[reported]["main"] <= majority[reported]["main"],
        constant_predictions=predictions.loc[predictions.split == reported, "prediction"].map(repr).nunique() == 1,
        sizes={split: len(rows) for split, rows in task.splits.items()},
        truncated={split: rows.truncated for split, rows in part.encoded.items()},
        cut_spans={s: int(rows.cut_spans.sum()) for s, rows in part.encoded.items() if rows.cut_spans is not None},
        cut_words={s: int(rows.cut_words.sum()) for s, rows in part.encoded.items() if rows.cut_words is not None},
        overlap=task.overlap,
        **counts,
    )


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


class Progress:
    """How far the training is: `position` goes from 0 to `total`, in steps or in the share of `max_examples` seen.

    `total` counts epochs as long as the first. Where later ones are shorter (dynamic sampling, `epoch_length:
    shortest`) the training ends before it, as the released code of Weller et al. 2022 does.
    """

    def __init__(self, run: Run, mixture: Mixture):
        self.run, self.mixture, self.step, self.epochs = run, mixture, 0, 0
        self.per_epoch = len(mixture.batches)
        self.total = run.max_steps or max(1, math.ceil(self.per_epoch * run.num_train_epochs))
        if run.max_examples:
            each = sum(len(index) for batch in mixture.batches for task, index in batch if task == 0)
            self.total = max(1, math.ceil(run.max_examples * self.per_epoch / max(each, 1)))

    @property
    def position(self) -> float:
        if self.run.max_examples:
            return self.total * min(1.0, self.mixture.seen[0] / self.run.max_examples)
        return self.step

    @property
    def ended(self) -> bool:
        by_epochs = not (self.run.max_steps or self.run.max_examples)
        return self.position >= self.total or (by_epochs and self.epochs >= self.run.num_train_epochs)

    def evaluates(self, ends_epoch: bool) -> bool:
        """Whether an evaluation is due: every `eval_steps`, else after an epoch; dynamic sampling wants the latter."""
        due = ends_epoch and (self.run.eval_steps is None or self.run.dynamic)
        if self.run.eval_steps is not None:
            tasks = len(self.run.members) if self.run.eval_steps_per_task else 1
            due |= self.step % math.ceil(tasks * _steps(self.run.eval_steps, self.total)) == 0
        return due or self.ended


class Training:
    """All that changes while a stage is trained: what a checkpoint keeps, and goes on from."""

    def __init__(self, run: Run, model: Model, clock: "Clock"):
        self.run, self.model, self.clock = run, model, clock
        self.rng = np.random.default_rng(run.seed_of("order"))
        self.mixture = Mixture(
            run,
            [part.encoded["train"].lengths for part in model.parts],
            [run.single_scores.get(part.name, math.nan) for part in model.parts],
            self.rng,
        )
        self.batches = iter(self.mixture)
        self.progress = progress = Progress(run, self.mixture)
        self.scales = loss_scales(run.loss_scaling, self.mixture.sizes)
        self.optimizer = adamw(model, run)
        # gradients that float16 has no numbers for are scaled; a step with one too large is left out
        self.scaler = torch.amp.GradScaler(model.device.type, enabled=model.precision == "float16")
        plateau = run.lr_scheduler_type == "reduce_lr_on_plateau"
        warmup = _steps(run.warmup_steps, progress.total)
        self.schedule = Plateau(self.optimizer) if plateau else Linear(self.optimizer, warmup, progress)
        one = Best()
        self.bests = [one] * len(model.parts) if run.selection == "average" else [Best() for _ in model.parts]
        self.curve: list[dict] = []  # the rows of Result.curve
        self.losses = Losses()
        self.due = False  # an evaluation, before another step
        self.resumed = 0
        torch.manual_seed(run.seed_of("dropout"))  # only here: what drew the weights before must not change the dropout

    @property
    def ended(self) -> bool:
        waited = min(best.evaluations_since for best in self.bests)
        out_of_patience = waited >= (self.run.early_stopping_patience or math.inf)
        return not self.due and (self.progress.ended or self.schedule.ended or out_of_patience)

    @property
    def moment(self) -> str:
        """The steps and evaluations so far: as a text, the later the larger."""
        return f"{self.progress.step:09d}.{len(self.curve) // len(self.model.parts):06d}"

    def step(self) -> None:
        """One batch."""
        batch, ends_epoch = next(self.batches)
        self.losses.add(self.gradient(batch))
        self.progress.step += 1
        self.progress.epochs += ends_epoch  # before update, which sets the next step's rate by the position
        self.update()
        self.due = self.progress.evaluates(ends_epoch)

    def update(self) -> None:
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.run.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)

    def gradient(self, batch: Batch) -> torch.Tensor:
        """That of one batch; returns its loss, not fetched: on a GPU that would wait for the step to end."""
        run, model = self.run, self.model
        before = generators(self.rng, model.device)
        micro = micro_batches(batch, run.gradient_accumulation_steps)

        def gradient(rows: int) -> torch.Tensor:
            total = 0.0
            for part in (part for whole in micro for part in at_most(whole, rows)):
                of = [weights(batch, part, self.scales, run.batch_loss, terms) for terms in model.terms]
                shares = [share for kind in of for share in kind]
                first, *others = [loss * one for loss, one in zip(model.losses(part, self.rng), shares, strict=True)]
                loss = sum(others, start=first)
                self.scaler.scale(loss).backward()
                total = total + loss.detach()
            return total

        def undo() -> None:
            restore(before, self.rng, model.device)
            for trained in model.parameters():
                trained.grad = None

        return memory.halving(model.at_once, "train", max(map(size, micro)), gradient, undo)

    def evaluated(self, found: list[dict[str, float]]) -> dict[str, float]:
        """Takes note of the metrics of all tasks; returns what of it is told: mean loss and mean dev score."""
        progress, mixture, scores = self.progress, self.mixture, [metrics["main"] for metrics in found]
        at = {"step": progress.step, "epoch": progress.step / progress.per_epoch, "train_loss": self.losses.mean()}
        self.curve += [
            at | {"examples": int(mixture.seen[place]), "task": part.name, "p": mixture.p[place]} | metrics
            for place, (part, metrics) in enumerate(zip(self.model.parts, found, strict=True))
        ]
        mean = float(np.mean(scores))
        if self.run.selection == "average":  # all hold the same
            self.bests[0].update(mean, progress.step, self.model)
        else:
            for best, score in zip(self.bests, scores, strict=True):
                best.update(score, progress.step, self.model)
        self.schedule.evaluated(mean)
        mixture.reweigh(scores)
        self.due = False
        return {"loss": at["train_loss"], "score": mean}

    def state(self) -> dict[str, Any]:
        """By parts, of which those called best… never change."""
        self.losses.look()
        bests = {f"{BEST_STATE}{best.step}": best.state for best in self.bests if best.step}
        return bests | {
            "model": self.model.state(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "schedule": self.schedule.state_dict(),
            "mixture": self.mixture.state(),
            "generators": generators(self.rng, self.model.device),
            "bests": [[best.score, best.step, best.evaluations_since] for best in self.bests],
            "progress": [self.progress.step, self.progress.epochs, self.due],
            "losses": [self.losses.steps, self.losses.seen],
            "curve": self.curve,
            "at_once": self.model.at_once,
            "seconds": self.clock.seconds,
            "resumed": self.resumed,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` gave in another process: JSON made its keys texts, its arrays are tensors."""
        self.model.load_state(state["model"])
        moments = {int(place): one for place, one in state["optimizer"]["state"].items()}
        self.optimizer.load_state_dict(state["optimizer"] | {"state": moments})
        self.scaler.load_state_dict(state["scaler"])
        self.schedule.load_state_dict(state["schedule"])
        self.mixture.load_state(state["mixture"])
        restore(state["generators"], self.rng, self.model.device)
        for best, (score, step, evaluations_since) in zip(self.bests, state["bests"], strict=True):
            best.score, best.step, best.evaluations_since = score, step, evaluations_since
            best.state = state.get(f"{BEST_STATE}{step}")
        self.progress.step, self.progress.epochs, self.due = state["progress"]
        self.losses.steps, self.losses.seen = state["losses"]
        self.curve, self.model.at_once = state["curve"], state["at_once"]
        self.clock.seconds.update(state["seconds"])
        self.resumed = state["resumed"] + 1


def generators(rng: np.random.Generator, device: torch.device) -> dict[str, Any]:
    """The states of all that is drawn from while training: the order and what formats corrupt, dropout."""
    found = {"numpy": rng.bit_generator.state, "cpu": torch.get_rng_state()}
    return found | ({} if device.type == "cpu" else {"device": getattr(torch, device.type).get_rng_state()})


def restore(state: dict[str, Any], rng: np.random.Generator, device: torch.device) -> None:
    rng.bit_generator.state = state["numpy"]
    torch.set_rng_state(state["cpu"])
    if device.type != "cpu":
        getattr(torch, device.type).set_rng_state(state["device"])


def fit(training: Training) -> None:
    """The loop: steps and evaluations until the training has ended, from a checkpoint on if there is one."""
    checkpoints, clock, told = Checkpoints(training), training.clock, Told(training.progress)
    checkpoints.resume()
    clock.stop("load")
    shown = bar(total=training.progress.total, initial=training.progress.step, desc=training.run.label)
    training.model.train()
    with shown, checkpoints.heeded():
        while not training.ended:
            if training.due:
                training.losses.look()
                clock.stop("train")
                found = training.evaluated(evaluate(training.model, training.run.per_device_eval_batch_size))
                told.tell(**found)
                shown.set_postfix(loss=f"{found['loss']:.3f}", dev=f"{found['score']:.1f}")
                training.model.train()
                clock.stop("evaluate")
            else:
                training.step()
                shown.update()
                told.tell()
            checkpoints.consider()
    clock.stop("train")


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
def predict(model: Model, part: Part, encoded: Encoded, batch_size: int) -> pd.DataFrame:
    """One row per prediction, in the order of the split: row, label, prediction, logits."""
    model.train(False)
    rows = memory.halving(model.at_once, "evaluate", batch_size, partial(_predictions, model, part, encoded))
    if "group" in encoded.rows:
        rows["group"] = encoded.rows["group"].loc[rows["row"]].to_numpy()
    return rows


def _predictions(model: Model, part: Part, encoded: Encoded, batch_size: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)  # a format that corrupts its inputs does it alike at every evaluation
    found = []
    for index in by_length(encoded.lengths, batch_size):
        batch = model.batch(part, encoded, index, rng)
        logits = model.logits(part, batch).float().cpu().numpy()
        found.append(part.format.predictions(logits, encoded, index, batch))
    return pd.concat(found).sort_values("row", kind="stable", ignore_index=True)


def evaluate(model: Model, batch_size: int) -> list[dict[str, float]]:
    """Per task, the metrics of the whole split that selects."""
    return [
        part.format.score(predict(model, part, part.encoded[selection_split(part.task)], batch_size))
        for part in model.parts
    ]


def adamw(model: Model, run: Run) -> torch.optim.Optimizer:
    """AdamW; biases and norms are not decayed, as in Devlin et al. 2019."""
    trained = model.parameters()
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": run.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=run.learning_rate, fused=True, amsgrad=run.amsgrad)


class Linear(torch.optim.lr_scheduler.LambdaLR):
    """Up from 0 over the warm-up, then linearly down to 0 at the end; `progress` has a `position` and a `total`."""

    ended = False

    def __init__(self, optimizer, warmup: float, progress):
        def share(_) -> float:
            # by the position, not the steps counted: max_examples ends by what was seen, and epochs may become shorter
            rest = (progress.total - progress.position) / max(1.0, progress.total - warmup)  # above 1 in the warm-up
            return min(progress.position / warmup if warmup else 1.0, rest)

        super().__init__(optimizer, share)

    def evaluated(self, score: float) -> None:
        """It asks for no scores."""


class Plateau(torch.optim.lr_scheduler.ReduceLROnPlateau):
    """Halves the rate at the fifth evaluation in a row without a gain, "more than 4" (Wang et al. 2019, appendix B).

    What it follows is the mean of the tasks' main scores, in which a perplexity m counts as 100 (1 - m / 250).
    """

    LEAST = 1e-6
    """The rate below which the training ends."""

    def __init__(self, optimizer):
        super().__init__(optimizer, "max", factor=0.5, patience=4, threshold=0.0)

    def step(self) -> None:
        """It counts no steps."""

    def evaluated(self, score: float) -> None:
        super().step(score)

    @property
    def ended(self) -> bool:
        return self.get_last_lr()[0] < self.LEAST


def _steps(value: float, total: int) -> float:
    """transformers' reading: below 1, a share of all steps."""
    return value * total if value < 1 else value


class Clock:
    """Adds up where the seconds go."""

    def __init__(self):
        self.seconds: Counter[str] = Counter()
        self._last = time.perf_counter()

    def stop(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] += now - self._last
        self._last = now

    @property
    def trained(self) -> float:
        """The seconds that training and evaluating took so far."""
        return self.seconds["train"] + self.seconds["evaluate"] + time.perf_counter() - self._last
