"""Where the numbers of a run come from beside its parameters: the code, the device, the libraries that compute."""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from intertask.cache import remembered
from intertask.files import project_root

LIB = Path(__file__).parents[1]

SHOWING = ("cli.py", "foreseen.py", "lab", "report", "papers", "analysis", "views", "use")
"""The rooms above training, which knows none of them: whoever changes a figure or a page changes no score."""

COMPUTING = ("torch", "transformers", "tokenizers", "numpy")
"""The libraries of which another minor version may give other numbers; patches mend, and are noted in the record."""

PRECISION = {"cpu": "float32", "cuda": "bfloat16"}
"""What a device computes in; of cuda, under autocast."""


elsewhere: dict[str, str] = {}
"""What `computed_by` says on the machines that execute runs for this process, if these are others."""


def computed_by() -> dict[str, str]:
    """The part of a run's identity that the machine and its libraries decide: device class, precision, versions."""
    return elsewhere or _computed_here()


@cache
def _computed_here() -> dict[str, str]:
    versions = {name: ".".join(version(name).split(".")[:2]) for name in COMPUTING}
    return {"device": device_class(), "precision": PRECISION[device_class()]} | versions


@cache
def device_class() -> str:
    """What runs are computed on here: cpu or cuda (of ROCm too, as torch calls it)."""
    # without torch, which takes a second to import, where there can be none
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "" or not any(
        list(Path("/dev").glob(name)) for name in ("nvidia[0-9]*", "kfd", "dxg")
    ):
        return "cpu"
    # torch asks the driver's library then, and leaves the GPU to processes that are forked from this one
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def cards() -> tuple[str, ...]:
    """The GPUs that this process may use, each as CUDA_VISIBLE_DEVICES names it; none where runs are on a processor."""
    if device_class() == "cpu":
        return ()
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else map(str, range(torch.cuda.device_count()))
    return tuple(names)[: torch.cuda.device_count()]  # after a name that is none, CUDA sees nothing more


@cache
def edited_code() -> str:
    """The digest of the code that a run executes, or "" where it is as git has it in the checkout's HEAD.

    The code: `experiments/train.ipynb`, of which the code cells count and no outputs, and of the library all but
    SHOWING. Where git vouches for it, ids stay the same from commit to commit, and RESULT_VERSION tells when scores
    change. Where nobody does, because a file differs from HEAD or there is no git (an archive, an installed package),
    the digest is part of every run's identity: what edited code gives has ids of its own, and is never taken for what
    the genuine code gives, nor for what any other edit does.
    """
    folders = [LIB, project_root() / "notebooks" / "experiments"]
    found = _code_digest(_on_disk(folder) for folder in folders)
    with suppress(OSError, subprocess.CalledProcessError):
        trees = [_git(folder, "rev-parse", "HEAD:./").decode() for folder in folders]
        if found == remembered("code", trees, lambda: _code_digest(map(_committed, folders))):
            return ""
    return found


@cache
def git_commit() -> str | None:
    """The checkout's commit, with a '+' if a file that git tracks differs from it; None outside a checkout."""
    with suppress(OSError, subprocess.CalledProcessError):
        described = _git(project_root(), "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty=+")
        return described.decode().strip() or None
    return None


def _code_digest(folders: Iterable[Iterable[tuple[str, bytes]]]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(chain.from_iterable(folders)):
        if name.endswith(".ipynb"):
            cells = json.loads(content)["cells"]
            content = json.dumps(["".join(one["source"]) for one in cells if one["cell_type"] == "code"]).encode()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def _counts(name: str) -> bool:
    """Of the mini language also its words, of which the tokenizer is made; entries of tasks are data."""
    room, *within = Path(name).parts
    if name == "train.ipynb" or room == "minilanguage":
        return name.endswith((".py", ".yaml", ".ipynb"))
    return room == "intertask" and name.endswith(".py") and within[0] not in SHOWING


def _on_disk(folder: Path) -> list[tuple[str, bytes]]:
    names = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return [(name, path.read_bytes()) for name, path in names.items() if _counts(name)]


def _committed(folder: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(_git(folder, "archive", "HEAD", "."))) as archive:
        names = {re.sub(r"^\./", "", member.name): member for member in archive if member.isfile()}
        return [(name, archive.extractfile(member).read()) for name, member in names.items() if _counts(name)]


def _git(folder: Path, *question: str) -> bytes:
    """What git says in a folder, whoever owns it: its code is being executed anyway."""
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *question]
    return subprocess.run(command, capture_output=True, check=True).stdout
