"""What telling how far it is costs a run: trainings that tell and trainings that do not take turns.

    python tests/benchmarks/progress.py [TURNS]

In seconds of the processor, on an idle machine, and from the price of one line. A short run on the smallest encoder,
evaluated often, is the worst case: each evaluation tells.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ["TQDM_DISABLE"] = "1"  # as under `intertask run`: read when the library is imported

from intertask.run import Run  # noqa: E402
from intertask.studies.store import progress_file  # noqa: E402
from intertask.training import prepare, train  # noqa: E402
from intertask.training.bar import Told  # noqa: E402

RUN = Run(task="mini/rte", num_train_epochs=2, eval_steps=4, per_device_train_batch_size=32, max_length=64)


def seconds(staging: str | None) -> float:
    """Of the processor, of one training that tells into a folder or not at all; the task is read before."""
    os.environ.pop("INTERTASK_STAGING", None)
    if staging:
        os.environ["INTERTASK_STAGING"] = staging
    tasks = prepare(RUN, [])
    began = time.process_time()
    train(RUN, tasks, RUN.encoder)
    return time.process_time() - began


def telling(folder: str, calls: int = 20_000) -> tuple[float, float]:
    """Seconds of one `tell` that writes, and of one that is not due."""
    os.environ["INTERTASK_STAGING"] = folder
    progress = type("Progress", (), {"position": 3, "total": 9})()
    told, found = Told(progress), []
    for evaluated in ({"loss": 0.5, "score": 61.0}, {}):
        began = time.perf_counter()
        for _ in range(calls):
            told.tell(**evaluated)
        found.append((time.perf_counter() - began) / calls)
    return found[0], found[1]


def main(turns: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seconds(None)
        pairs = [(seconds(None), seconds(folder)) for _ in range(turns)]
        lines = len(progress_file(Path(folder)).read_text().splitlines()) / turns
        without, told = (median(times) for times in zip(*pairs, strict=True))
        ratio = median(after / before for before, after in pairs)
        writes, idle = telling(folder)
    steps = 2 * 8  # of 250 examples in batches of 32, twice
    print(
        f"a training of {without:.2f} s and {lines:.0f} lines: {told:.2f} s when it tells, {100 * (ratio - 1):+.2f} %"
    )
    print(f"a line {1e6 * writes:.0f} us, a step without one {1e6 * idle:.2f} us: ", end="")
    print(f"{100 * (lines * writes + steps * idle) / without:.3f} % of that training")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
