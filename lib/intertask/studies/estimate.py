"""What a study will cost, before anything starts."""

import json
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from intertask.encoders import encoder_bytes
from intertask.run import Run
from intertask.studies import store
from intertask.tasks.catalogue import find_entry

OVERHEAD = 1.0  # seconds for a warm kernel and the notebook around the training
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
    """Each run as long as one like it took, else by its encoder's measured speed, else by a guess."""
    speeds = measured_speeds()
    sizes = {names: training_size(*names) for names in {(run.task, run.task_file) for run in runs.values()}}
    seconds, size = {}, 0.0
    for run_id, run in runs.items():
        examples = min(run.limit or float("inf"), sizes[run.task, run.task_file]) * run.num_train_epochs
        guess = RATE_PER_BYTE * run.threads / encoder_bytes(run.encoder)
        same_encoder = (run.encoder, run.threads, run.tuning)
        alike = (*same_encoder, run.task, run.limit)
        seconds[run_id] = OVERHEAD + examples / (speeds.get(alike) or speeds.get(same_encoder) or guess)
        size += BYTES_PER_RUN + (encoder_bytes(run.encoder) if run.keep_encoder else 0)
    return Estimate(seconds, size, {key[0] for key in speeds})


def measured_speeds() -> dict[tuple, float]:
    """Training examples per second of a whole run, loading and evaluation included, by what the run is like.

    Keys are (encoder, threads, tuning) and that with (task, limit); values are medians over the newest finished runs.
    """
    found = defaultdict(list)
    records = sorted(store.pool().glob("*/run.json"), key=lambda path: path.stat().st_mtime)[-LOOKED_AT:]
    for path in records:
        record = json.loads(path.read_text())
        speed = record["examples_seen"] / sum(record["seconds"].values())
        key = (record["encoder"], record["threads"], record["identity"]["tuning"])
        for like in key, (*key, record["task"], record["limit"]):
            found[like].append(speed)
    return {key: median(speeds) for key, speeds in found.items()}


def training_size(task: str, task_file: str) -> int:
    """Training examples: as the catalogue says, else counted."""
    if known := find_entry(task, task_file).sizes.get("train"):
        return known
    from intertask.tasks.load import load_task

    return len(load_task(task, task_file).splits["train"])
