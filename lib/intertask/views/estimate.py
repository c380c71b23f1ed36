"""What a study will cost, before anything starts."""

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from heapq import nlargest
from statistics import median

from intertask.encoders.pretrained import encoder_bytes
from intertask.errors import IntertaskError
from intertask.origin import computed_by
from intertask.run import Run
from intertask.studies import store
from intertask.studies.length import training_examples

OVERHEAD = 1.0  # seconds for a warm kernel and the notebook around the training
LOOKED_AT = 200  # stored runs that a rate is taken from
BYTES_PER_RUN = 300_000  # notebook, predictions and record
ABSENT_BYTES = 500_000_000  # of weights, where the encoder is not at hand: a guess
RATE_PER_BYTE = 3e9  # examples/s times bytes of weights, on one thread: a guess until a run was measured


@dataclass(frozen=True)
class Estimate:
    """Per run id the expected seconds of one worker; bytes of disk; and where the seconds come from, in words."""

    seconds: dict[str, float]
    bytes: float
    source: str


def estimate(runs: dict[str, Run]) -> Estimate:
    """Each run as long as one like it took, else by its encoder's measured speed, else by a guess."""
    speeds = measured_speeds()
    seconds, size, measured, guessed = {}, 0.0, set(), set()
    for run_id, run in runs.items():
        same_encoder = (run.encoder, run.threads, run.tuning, *_computed_in(run))
        speed = speeds.get((*same_encoder, run.task, run.limit)) or speeds.get(same_encoder)
        (measured if speed else guessed).add(run.encoder)
        guess = RATE_PER_BYTE * run.threads / _bytes(run.encoder)
        seconds[run_id] = OVERHEAD + examples_seen(run) / (speed or guess)
        size += BYTES_PER_RUN + (_bytes(run.encoder) if run.keep_encoder is True else 0)
    # an encoder may be among both: with other threads, tuning or precision
    guess = f"; a guess for {', '.join(sorted(guessed))}" if guessed else ""
    source = f"measured on finished runs of {', '.join(sorted(measured))}{guess}"
    return Estimate(seconds, size, source if measured else "a guess; finished runs will better it")


def _computed_in(run: Run) -> tuple[str, str]:
    try:
        by = computed_by(run.device, run.precision)
    except IntertaskError:  # not here: a dry run says so, and guesses
        return run.device, run.precision
    return by["device"], by["precision"]


def _bytes(encoder: str) -> int:
    try:
        return encoder_bytes(encoder)
    except IntertaskError:  # not at hand: a dry run says so, and guesses
        return ABSENT_BYTES


def examples_seen(run: Run) -> int:
    """About how many examples a run trains on, repetitions counted."""
    if run.max_examples:
        return run.max_examples * len(run.members)
    if run.max_steps:
        return run.max_steps * run.step_examples
    return round(training_examples(run) * run.num_train_epochs)


def newest(count: int) -> list[str]:
    """So many of the runs in the pool, by when something last came into their folders; the last first."""
    with suppress(FileNotFoundError), os.scandir(store.pool()) as entries:
        there = ((entry.stat().st_mtime_ns, entry.name) for entry in entries if not entry.name.startswith("."))
        return [name for _, name in nlargest(count, there)]
    return []


def measured_speeds() -> dict[tuple, float]:
    """Training examples per second of a whole run, loading and evaluation included, by what the run is like.

    Keys are (encoder, threads, tuning, device, precision) and that with (task, limit); values are medians over the
    newest finished runs.
    """
    found = defaultdict(list)
    for record in store.sound(newest(LOOKED_AT)):
        speed = record["examples_seen"] / sum(record["seconds"].values())
        identity = record["identity"]
        computed = [identity["computed_by"][name] for name in ("device", "precision")]
        key = (record["encoder"], record["threads"], identity.get("tuning", "full"), *computed)
        for like in key, (*key, record["task"], record["tasks"][record["task"]]["limit"]):
            found[like].append(speed)
    return {key: median(speeds) for key, speeds in found.items()}
