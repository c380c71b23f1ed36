"""The lab's dev scores beside those of transformers' Trainer: same encoder, data, settings and threads, several seeds.

    INTERTASK_HUB=<mirror> python -W ignore tests/benchmarks/parity.py [TASKS]    a quarter of an hour

The mirror holds the encoder and GLUE; without INTERTASK_HUB both come from the Hub.
"""

import tempfile
import time
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    logging,
    set_seed,
)

from intertask.encoders.pretrained import encoder_folder
from intertask.metrics import score
from intertask.run import Run
from intertask.tasks.load import Task
from intertask.training import prepare, train

ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


def parity(
    tasks: Annotated[list[str], typer.Argument()] = ("rte", "cola"),
    encoder: Annotated[str, typer.Option(help="Hub id")] = ENCODER,
    threads: Annotated[int, typer.Option(help="processor threads, for both")] = 2,
    seeds: int = 3,
    limit: int = 1000,
) -> None:
    """Best dev score over the epochs."""
    rows = []
    for task_name in tasks:
        for seed in range(seeds):
            run = Run(task=task_name, encoder=encoder, threads=threads, seed=seed, limit=limit, pooling="pooler",
                      learning_rate=5e-5, num_train_epochs=2, per_device_train_batch_size=16)  # fmt: skip
            tasks_of_run = prepare(run)
            task = tasks_of_run[task_name]
            task.splits.pop("test", None)
            began = time.perf_counter()
            scores = {"lab": train(run, tasks_of_run, encoder).main.scores["validation"]["main"]}
            middle = time.perf_counter()
            scores["Trainer"] = fine_tune(run, task, grouped=True, evaluate=True)[0]
            seconds = {"lab s": middle - began, "Trainer s": time.perf_counter() - middle}
            rows.append({"task": task_name, "seed": seed} | scores | seconds)
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.round(1).to_string(index=False))
    print(table.groupby("task", sort=False)[["lab", "Trainer"]].agg(["mean", "std"]).round(2).to_string())


def fine_tune(run: Run, task: Task, grouped: bool, evaluate: bool = False) -> tuple[float, float]:
    """What one would otherwise run: (best dev score of any epoch, seconds of the training loop)."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(run.threads)
    folder = encoder_folder(run.encoder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    set_seed(run.seed)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(task.entry.labels))
    padding = False if grouped else "max_length"
    data = {split: tokenized(rows, task, tokenizer, run.max_length, padding) for split, rows in task.splits.items()}
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            scratch,
            seed=run.seed,
            learning_rate=run.learning_rate,
            num_train_epochs=run.num_train_epochs,
            per_device_train_batch_size=run.per_device_train_batch_size,
            per_device_eval_batch_size=run.per_device_eval_batch_size,
            warmup_steps=run.warmup_steps,
            weight_decay=run.weight_decay,
            max_grad_norm=run.max_grad_norm,
            train_sampling_strategy="group_by_length" if grouped else "random",
            eval_strategy="epoch" if evaluate else "no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=data["train"],
            eval_dataset=data["validation"],
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=lambda output: score(
                task.entry.metrics, output.label_ids, np.argmax(output.predictions, axis=1)
            ),
        )
        trainer.remove_callback(PrinterCallback)  # it prints every evaluation
        seconds = trainer.train().metrics["train_runtime"]
    evaluations = [entry["eval_main"] for entry in trainer.state.log_history if "eval_main" in entry]
    return max(evaluations, default=float("nan")), seconds


def tokenized(rows: pd.DataFrame, task: Task, tokenizer, max_length: int, padding) -> Dataset:
    texts = [rows[column].tolist() for column in task.entry.inputs]
    batch = tokenizer(*texts, truncation=True, max_length=max_length, padding=padding)
    columns = dict(batch) | ({"label": rows["label"].tolist()} if "label" in rows else {})
    return Dataset.from_dict(columns)


if __name__ == "__main__":
    typer.run(parity)
