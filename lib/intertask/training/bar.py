"""How far a training is, for who watches it: in its notebook, or from outside."""

import json
import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from intertask.studies.store import progress_file

bar = partial(tqdm, leave=False, mininterval=1, disable=bool(os.environ.get("TQDM_DISABLE")))
"""tqdm's, of a notebook or a terminal; in notebooks it does not heed TQDM_DISABLE by itself."""


class Told:
    """Writes, under `intertask run`, the lines of `store.progress_file`: `views.live` reads them."""

    EVERY = 2.0  # seconds between two lines, but for those of evaluations

    def __init__(self, progress):
        """progress: a `train.Progress`."""
        staging = os.environ.get("INTERTASK_STAGING")
        self.progress, self.file = progress, staging and progress_file(Path(staging))
        self.due = time.monotonic() if staging else float("inf")

    def tell(self, **evaluated: float) -> None:
        """Writes where the training is if a line is due, and in any case what was `evaluated`."""
        if self.file and (evaluated or time.monotonic() >= self.due):
            at = {"at": round(self.progress.position), "of": self.progress.total, "time": round(time.time(), 3)}
            with suppress(OSError), open(self.file, "a", encoding="utf-8") as lines:  # a run goes on without
                lines.write(json.dumps(at | evaluated) + "\n")
            self.due = time.monotonic() + self.EVERY
