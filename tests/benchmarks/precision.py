"""What each precision costs and scores on this machine: the same runs in float32, bfloat16 and float16, side by side.

    python tests/benchmarks/precision.py [ENCODER TASK LIMIT LEARNING_RATE]

By default a small pretrained encoder on STS-B, three seeds. Examples a second are of training alone; scores and the
difference to float32 of the same seed are on dev, the interval is Student's.
"""

import sys

import numpy as np
import pandas as pd
from scipy import stats

from intertask.origin import computed_by
from intertask.run import Run
from intertask.training import prepare, train

PRECISIONS, SEEDS = ("float32", "bfloat16", "float16"), 3
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


def trained(seed: int, precision: str, encoder: str, task: str, limit: int, rate: float) -> dict:
    run = Run(
        task=task, encoder=encoder, limit=limit, learning_rate=rate, seed=seed, precision=precision,
        pooling="mean", max_length=64, per_device_train_batch_size=32, num_train_epochs=3,
    )  # fmt: skip
    result = train(run, prepare(run), encoder)
    scores = result.tasks[task].scores["validation"]
    return {
        "precision": precision, "seed": seed, "score": scores["main"],
        "examples/s": result.examples_seen / result.seconds["train"],
    }  # fmt: skip


def main(encoder: str = ENCODER, task: str = "stsb", limit: str = "600", rate: str = "5e-5") -> None:
    given = encoder, task, int(limit), float(rate)
    trained(0, "float32", *given)  # warm
    rows = [trained(seed, precision, *given) for seed in range(SEEDS) for precision in PRECISIONS]
    wide = pd.DataFrame(rows).pivot(index="seed", columns="precision")
    lines = []
    for precision in PRECISIONS:
        apart = wide["score"][precision] - wide["score"]["float32"]
        reach = stats.t.ppf(0.975, SEEDS - 1) * apart.sem()
        lines.append(
            {
                "precision": precision,
                "score": wide["score"][precision].mean(),
                "seeds": ", ".join(f"{one:.1f}" for one in wide["score"][precision]),
                "minus float32": f"{apart.mean():+.2f}" + f" ± {reach:.2f}" * bool(np.any(apart)),
                "examples/s": wide["examples/s"][precision].median(),
            }
        )
    print(f"{encoder} on {task}, {limit} examples, {computed_by()['device']}")
    print(pd.DataFrame(lines).round(1).to_string(index=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
