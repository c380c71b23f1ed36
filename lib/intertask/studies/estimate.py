"""What a study will cost, before anything starts."""

import json
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from intertask.encoders import encoder_bytes
from intertask.run import Run
from intertask.studies import store
from intertask.tasks.catalogue import find_entry
from intertask.tasks.load import load_task

OVERHEAD = 5.0  # seconds for a kernel and its imports
LOOKED_AT = 200  # stored runs that a rate is taken from
BYTES_PER_RUN = 300_000  # notebook, predictions and record
RATE_PER_BYTE = 3e9  # examples/s times bytes of weights, on one thread: a guess until a run was measured


@dataclass(frozen=True)
class Estimate:
    """Per run id: expected seconds of one worker; `measured` encoders had their speed read from finished runs."""

    seconds: dict[str, float]
    bytes: float
    measured: set[str]


def estimate(runs: dict[str, Run]) -> Estimate:
    rates = measured_rates()
    sizes = {names: training_size(*names) for names in {(run.task, run.task_file) for run in runs.values()}}
    seconds, size = {}, 0.0
    for run_id, run in runs.items():
        examples = min(run.limit or float("inf"), sizes[run.task, run.task_file]) * run.num_train_epochs
        rate = rates.get((run.encoder, run.threads)) or RATE_PER_BYTE * run.threads / encoder_bytes(run.encoder)
        seconds[run_id] = OVERHEAD + examples / rate
        size += BYTES_PER_RUN + (encoder_bytes(run.encoder) if run.keep_encoder else 0)
    return Estimate(seconds, size, {encoder for encoder, _ in rates})


def measured_rates() -> dict[tuple[str, int], float]:
    """(encoder, threads) to examples per second: medians over the newest finished runs."""
    found = defaultdict(list)
    records = sorted(store.pool().glob("*/run.json"), key=lambda path: path.stat().st_mtime)[-LOOKED_AT:]
    for path in records:
        record = json.loads(path.read_text())
        found[record["encoder"], record["threads"]].append(record["examples_per_second"])
    return {key: median(rates) for key, rates in found.items()}


def training_size(task: str, task_file: str) -> int:
    """Training examples: as the catalogue says, else counted."""
    return find_entry(task, task_file).sizes.get("train") or len(load_task(task, task_file).splits["train"])
