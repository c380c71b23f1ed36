"""Where the numbers of a run come from beside its parameters: the code, the device, the libraries that compute."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from intertask.cache import remembered
from intertask.errors import refusal
from intertask.files import project_root

LIB = Path(__file__).parents[1]

SHOWING = ("cli.py", "foreseen.py", "lab", "report", "papers", "analysis", "views", "use")
"""The rooms above training, which knows none of them: whoever changes a figure or a page changes no score."""

COMPUTING = ("torch", "transformers", "tokenizers", "numpy")
"""The libraries of which another minor version may give other numbers; patches mend, and are noted in the record."""

DEVICES = ("cuda", "mps", "cpu")
"""In the order in which auto takes them: cuda (of ROCm too, as torch calls it), mps (Apple's), the processor."""

BFLOAT16 = "INTERTASK_BFLOAT16"
"""In the environment, for the processes of runs, which each see one card: whether all cards here have it, 1 or 0."""


elsewhere: dict[str, str] = {}
"""What `abilities` says on the machines that execute runs for this process, if these are others."""


def computed_by(device: str = "auto", precision: str = "auto") -> dict[str, str]:
    """The part of a run's identity that the machine and its libraries decide: device class, precision, versions.

    auto takes the first device and the first of its precisions, as `abilities` lists them. Raises IntertaskError where
    a device or a precision that is asked for is not there.
    """
    there = abilities()
    device = _taken("device", device, [one for one in DEVICES if one in there])
    precision = _taken(f"precision, device {device}", precision, there[device].split())
    return {"device": device, "precision": precision} | {name: there[name] for name in COMPUTING}


def _taken(what: str, asked: str, there: list[str]) -> str:
    if asked not in ("auto", *there):
        raise refusal(what, f"one that is there: {', '.join(there)}", asked, "Name one of these, or auto.")
    return there[0] if asked == "auto" else asked


def abilities() -> dict[str, str]:
    """Each device where runs are computed, with its precisions, auto's first; the minor versions of COMPUTING."""
    return elsewhere or _abilities_here()


@cache
def _abilities_here() -> dict[str, str]:
    precisions = {
        "cuda": lambda: "bfloat16 float32 float16" if _cards_have_bfloat16() else "float32 float16",
        "mps": lambda: "float32 float16",
        # bfloat16 gives other bits, and gains nothing sure without a unit for its matrices: nobody gets it unasked
        "cpu": lambda: "float32 bfloat16 float16",
    }
    versions = {name: ".".join(version(name).split(".")[:2]) for name in COMPUTING}
    return {device: precisions[device]() for device in devices()} | versions


@cache
def devices() -> tuple[str, ...]:
    """Those of DEVICES that are here."""
    # without torch, which takes a second to import, where there can be nothing but the processor
    nodes = ("nvidia[0-9]*", "kfd", "dxg")
    cards = os.environ.get("CUDA_VISIBLE_DEVICES") != "" and any(list(Path("/dev").glob(name)) for name in nodes)
    if not cards and sys.platform != "darwin":
        return ("cpu",)
    # torch asks the driver's library then, and leaves the GPU to processes that are forked from this one
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    there = {"cuda": cards and torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name in DEVICES if there[name])


def _cards_have_bfloat16() -> bool:
    """Whether all of them do, not by emulation: a run has one id on whichever card of the machine it comes to."""
    if BFLOAT16 not in os.environ:
        # in a process of its own: in those that are forked from one that has asked, CUDA does not start
        code = (
            "import torch; cards = map(torch.cuda.device, range(torch.cuda.device_count()))\n"
            "for card in cards:\n with card: print(int(torch.cuda.is_bf16_supported(including_emulation=False)))"
        )
        told = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
        os.environ[BFLOAT16] = min(told.split())
    return os.environ[BFLOAT16] == "1"


@cache
def cards() -> tuple[str, ...]:
    """The GPUs that this process may use, each as CUDA_VISIBLE_DEVICES names it; none where there are none."""
    if "cuda" not in devices():
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
