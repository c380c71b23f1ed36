"""Who runs a study: known from files alone, on another machine too; to stop it, and to go on with it."""

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intertask.errors import refusal
from intertask.files import now, project_root, results_root, write
from intertask.studies import claims
from intertask.studies.status import form_of, read_study
from intertask.studies.study import study_name


@dataclass(frozen=True)
class Driving:
    """The process that runs a study, or ran it and was killed: then it is not `alive`."""

    host: str
    pid: int
    since: str
    workers: int
    expected: dict[str, float]  # per run that was to do, seconds
    alive: bool
    options: Sequence[str] = ()  # of `intertask run`: where runs are executed, and how many at a time

    @property
    def here(self) -> bool:
        return self.host == platform.node()


@contextmanager
def driving(study: str, options: Sequence[str] = ()) -> Iterator[Callable[[dict[str, float], int], dict[str, float]]]:
    """Lets others know, while it lasts, that this process runs the study; of several one is known, the first.

    options: of `intertask run`, with which `go_on` is to go on where this one ended; they stay known.

    Yields a function that tells them, and returns, how many seconds each run is expected to take.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell or kernel starts aside may be deaf to it
    folder, since = results_root() / study, now()
    with ExitStack() as held:

        def ours() -> bool:
            """Whether this driver is the known one; asked each time, as the first may end before us."""
            nonlocal known
            known = known or held.enter_context(claims.claim(folder / ".driver"))
            return known is not None and not known.ended

        def tell(expected: dict[str, float], workers: int) -> dict[str, float]:
            if ours():
                told = {"host": platform.node(), "pid": os.getpid(), "since": since}
                plan = {"workers": workers, "expected": expected, "options": [*options]}
                write(folder / "driver.json", json.dumps(told | plan))
            return expected

        known = None
        try:
            yield tell
        finally:
            with suppress(OSError):  # of results that were moved meanwhile
                if ours() and options:
                    write(folder / "driver.json", json.dumps({"options": [*options]}))
                elif ours():
                    (folder / "driver.json").unlink(missing_ok=True)


def driver_of(study: str) -> Driving | None:
    """The process that runs the study, or was killed while it did; None where none is known."""
    folder = results_root() / study
    with suppress(TypeError):  # of one that ended there are its options alone
        return Driving(**_told(folder), alive=claims.HERE.holder(folder / ".driver") is not None)
    return None


def _told(folder: Path) -> dict[str, Any]:
    """What the last driver of a study told."""
    with suppress(OSError, ValueError):
        return json.loads((folder / "driver.json").read_text(encoding="utf-8"))
    return {}


def options_of(study: str) -> list[str]:
    """The options with which a study goes on where its last driver ran it: on a cluster, say."""
    return _told(results_root() / study).get("options", [])


def stop(driver: Driving) -> None:
    """Ends a driver on this machine as Ctrl-C does: runs under way stop in order, finished ones stay."""
    try:
        os.kill(driver.pid, signal.SIGINT)
    except OSError as error:
        raise refusal(f"process {driver.pid}", "a driver to stop", error.strerror, "Look who runs it.") from None


def command_of(study: str) -> list[str]:
    """The arguments with which `intertask` runs the study that lies in the results under this name."""
    file = Path(read_study(study)["file"] or study)
    if not file.is_file():
        raise refusal(file, "the study's file", "none", "Put it back, or run the study by hand.")
    return ["run", str(file), *form_of(study.removeprefix(study_name(file)))[1], *options_of(study)]


def run_log(study: str) -> Path:
    """What a driver says that `go_on` started."""
    return results_root() / study / "run.log"


def go_on(study: str) -> subprocess.Popen:
    """Starts a driver of its own that outlives this process; what it says goes to its `run_log`."""
    command = [sys.executable, "-m", "intertask.cli", *command_of(study), "--retry-failed"]  # who asks has seen them
    ours = ("JPY_", "MPLBACKEND", "INTERTASK_STAGING")  # of a notebook's kernel alone
    settings = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    settings |= {"INTERTASK_RESULTS": str(results_root())}
    with open(run_log(study), "a") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, cwd=project_root(), env=settings, start_new_session=True, **streams)
