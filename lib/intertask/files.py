"""This machine: where the results lie, writing a file whole or not at all, digests of files, the processors."""

import csv
import hashlib
import io
import os
import re
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from intertask.errors import IntertaskError


def results_root() -> Path:
    """INTERTASK_RESULTS, or the `results/` beside `notebooks/` in this folder or the nearest one above it."""
    if configured := os.environ.get("INTERTASK_RESULTS"):
        return Path(configured).resolve()
    return project_root() / "results"


def project_root() -> Path:
    """The checkout: the nearest folder upwards with `notebooks/experiments`, else the one this library lies in."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "notebooks" / "experiments").is_dir():
            return folder
    raise IntertaskError(
        f"Expected notebooks/experiments in {here} or above it. Change into the checkout of Intertask."
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # beside its place: only within one file system a rename is atomic
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())  # else a power cut may keep the rename and lose the text
    os.replace(stream.name, path)


def sync(path: Path) -> None:
    """Returns when the file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file's bytes, computed again only when the file has changed."""
    found = path.stat()
    return _file_digest(path.resolve(), found.st_mtime_ns, found.st_size)


@cache
def _file_digest(path: Path, modified: int, size: int) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def processors() -> int:
    """How many processors this process may use; where nobody can say (macOS), all that there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


FORMULA = re.compile(r"[=+\-@\t\r]")
"""What a cell begins with that a spreadsheet executes."""


def csv_text(frame: Any, **options) -> str:
    """A frame of pandas as CSV in which a spreadsheet finds no formula: texts like one get a ' in front, numbers none.

    options: of `DataFrame.to_csv`.
    """
    text = io.StringIO()
    rows = csv.reader(io.StringIO(frame.to_csv(**options), newline=""))
    csv.writer(text, lineterminator="\n").writerows(map(_defused, row) for row in rows)
    return text.getvalue()


def _defused(cell: str) -> str:
    return f"'{cell}" if FORMULA.match(cell) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell == cell.strip()
