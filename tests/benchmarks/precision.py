"""Dev scores and speed in each precision on the processor: same tasks, data and settings, several seeds, in turn.

    INTERTASK_HUB=<mirror> python -W ignore tests/benchmarks/precision.py [TASKS]    some minutes

A task of the mini suite has the mini encoder; for others the mirror holds the encoder and the data. Without
INTERTASK_HUB both come from the Hub. On a busy machine, read the processor's time: the other is that on the wall.
"""

import time
from typing import Annotated

import pandas as pd
import typer

from intertask.run import Run
from intertask.training import prepare, train

PRECISIONS = ("float32", "bfloat16", "float16")
MINI = {"encoder": "mini/bert", "learning_rate": 5e-4, "max_length": 64, "per_device_train_batch_size": 32}
SMALL = {"encoder": "sentence-transformers/all-MiniLM-L6-v2", "learning_rate": 2e-4, "pooling": "mean"}


def compare_precisions(
    tasks: Annotated[list[str], typer.Argument()] = ("mini/cola", "rte"),
    seeds: int = 3,
    limit: int = 1000,
    epochs: float = 3,
    threads: Annotated[int, typer.Option(help="processor threads")] = 1,
) -> None:
    """Per task and precision: mean and range of the best dev scores; medians of speed and of the processor's time."""
    rows = []
    for task in tasks:
        settings = MINI if task.startswith("mini/") else SMALL | {"per_device_train_batch_size": 16}
        for seed in range(seeds):
            for precision in PRECISIONS[seed % 3 :] + PRECISIONS[: seed % 3]:  # none has always the first turn
                own = {"seed": seed, "limit": limit, "num_train_epochs": epochs, "threads": threads}
                run = Run(task=task, device="cpu", precision=precision, **own, **settings)
                prepared = prepare(run)
                prepared[task].splits.pop("test", None)
                began = time.process_time()
                result = train(run, prepared, run.encoder)
                used = time.process_time() - began
                score, floor = (of["validation"]["main"] for of in (result.main.scores, result.main.majority))
                rows.append({"task": task, "precision": precision, "seed": seed, "score": score, "majority": floor})
                rows[-1] |= {"examples/s": result.examples_seen / result.seconds["train"], "processor s": used}
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    wide = table.pivot(index=["task", "seed"], columns="precision", values="score")[list(PRECISIONS)]
    print(wide.round(1).to_string())
    grouped = table.groupby(["task", "precision"], sort=False)
    found = grouped["score"].agg(["mean", "min", "max"]).join(grouped[["examples/s", "processor s"]].median())
    print(found.round(1).to_string())


if __name__ == "__main__":
    typer.run(compare_precisions)
