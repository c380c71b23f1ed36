"""Checkpoints of long runs: all that a training is at one moment, and what it goes on from when it was killed."""

import errno
import hashlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from intertask.errors import IntertaskError, Stopped, refusal
from intertask.files import file_digest, read_sealed, sync, write_sealed
from intertask.studies import store

LONG = 600.0
"""Seconds: a run that takes less by its pace so far writes no checkpoints while nothing stops it."""
EVERY = 300.0
"""Seconds between two checkpoints, unless an epoch ends before."""
LOSABLE = 60.0
"""Seconds of training that a run gives up where it is stopped: it writes a checkpoint if it would lose more."""
LARGEST_SHARE = 0.05
"""The share of a run's time that may go into writing them: where they take long, they come more seldom."""

SPARE = 300e6
"""Bytes that are left free: where there is little more, runs do not start (`execute.LEAST_SPACE`)."""

STATE, TENSOR, BEST_STATE = "state.json", "tensor", "best-"
LEFT_OUT = "The run goes on from an earlier one, or begins anew."


class Checkpoints:
    """Those of one run under `intertask run`; a run by hand has none.

    Each is a folder in `store.checkpoints`, named by the step, the evaluations and the attempt that wrote it, which is
    built beside its place and renamed. Of the whole ones the newest is kept; whoever trains the run goes on from it.
    """

    def __init__(self, training):
        """training: a `train.Training`."""
        self.training, self.stopping, self.failed = training, False, False
        self.latest, self.files = None, {}  # the newest whole one, and the digests of its files
        self.last, self.cost = time.monotonic(), 0.0
        self.run_id, _, self.attempt = Path(os.environ.get("INTERTASK_STAGING", "")).name.rpartition(".")
        self.folder = store.checkpoints(self.run_id) if self.run_id else None

    def resume(self) -> None:
        """Has the training go on from the newest checkpoint that is whole, if there is one, and says so."""
        if not (self.folder and self.folder.is_dir()):
            return
        for half in self.folder.glob(".*"):  # kills while one is written would fill the disk with them
            shutil.rmtree(half, ignore_errors=True)
        for folder in sorted(self.folder.glob("[!.]*"), reverse=True):
            try:
                state = _read(folder, _seal(self.run_id))
            except (OSError, IntertaskError, SafetensorError) as error:
                print(f"A checkpoint is left out: {error}")
                continue
            self.training.load_state(state)
            self.latest, self.files = folder, state["files"]
            print(f"This run was stopped before. It goes on from {self._place()}.")
            return

    def consider(self) -> None:
        """Writes one if it is due. Raises Stopped where the process was asked to end."""
        if self.folder is None:
            return
        since = time.monotonic() - self.last
        wait = max(self.cost / LARGEST_SHARE, 0.0 if self.training.mixture.ends_epoch else EVERY)
        if since >= LOSABLE if self.stopping else since >= wait and self._is_long():
            self._write()
        if self.stopping:
            kept = "goes on from its checkpoint" if self.latest else "has no checkpoint and begins anew"
            raise Stopped(f"Stopped as asked at {self._place()}. Started again, this run {kept}.")

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Within it SIGTERM, which else ends the process, is heeded by `consider`."""
        if self.folder is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, self._stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

    def _stop(self, *_) -> None:
        self.stopping = True

    def _place(self) -> str:
        progress = self.training.progress
        return f"step {progress.step}, {progress.position / progress.total:.0%} of the training"

    def _is_long(self) -> bool:
        progress = self.training.progress
        return self.training.clock.trained * progress.total >= LONG * progress.position

    def _write(self) -> None:
        """One that cannot be written (a full disk) leaves the run going; that is said once."""
        began, clock = time.monotonic(), self.training.clock
        clock.stop("train")
        place = self.folder / f"{self.training.moment}.{self.attempt}"
        unfinished = place.with_name(f".{place.name}")
        try:
            if place != self.latest:
                self.folder.mkdir(exist_ok=True)  # not the pool's folder, where that was moved away
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                self.files = self._fill(unfinished)
                unfinished.rename(place)
                sync(self.folder)
                self.latest = place
                for other in self.folder.iterdir():
                    if other.name.removeprefix(".") < place.name:
                        shutil.rmtree(other, ignore_errors=True)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not self.failed:
                print(f"No checkpoint could be written at {self._place()}: {error}. The run goes on without.")
            self.failed = True
        clock.stop("checkpoint")
        self.last = time.monotonic()
        self.cost = self.last - began

    def _fill(self, folder: Path) -> dict[str, str]:
        """Writes the training's state; returns the digests of the files that hold its tensors, one for each part."""
        tree, files = {}, {}
        for part, value in self.training.state().items():
            tensors: dict[str, torch.Tensor] = {}
            tree[part] = _apart(value, tensors)
            if tensors:
                path = folder / f"{part}.safetensors"
                files[path.name] = self._linked(path) or _saved(path, tensors)
        write_sealed(folder / STATE, _seal(self.run_id), json.dumps(tree | {"files": files}))
        sync(folder)
        return files

    def _linked(self, path: Path) -> str | None:
        """The digest of a best state's file, if it can be shared with the newest checkpoint, which has the same."""
        if path.name.startswith(BEST_STATE) and path.name in self.files:
            with suppress(OSError):  # a file system without hard links, or removed meanwhile
                os.link(self.latest / path.name, path)
                return self.files[path.name]
        return None


def _saved(path: Path, tensors: dict[str, torch.Tensor]) -> str:
    if shutil.disk_usage(path.parent).free < SPARE + sum(tensor.nbytes for tensor in tensors.values()):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    save_file(tensors, path)
    path.chmod(path.parent.stat().st_mode & 0o666)  # it is written for its owner alone, whatever the umask says
    sync(path)
    return file_digest(path)


def _seal(run_id: str) -> str:
    """The name of a run's checkpoints, with the digest of the code of this room: what other code keeps, it may not."""
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return f"{run_id} by the code {hashlib.sha256(code).hexdigest()[:12]}"


def _read(folder: Path, seal: str) -> dict[str, Any]:
    """The state that a checkpoint holds. Raises IntertaskError or OSError where it is not as it was written."""
    state = read_sealed(folder / STATE, seal, LEFT_OUT)
    for name, digest in state["files"].items():
        if file_digest(folder / name) != digest:
            raise refusal(folder / name, f"the file with the SHA-256 {digest[:12]}…", "another", LEFT_OUT)
    for name in state["files"]:
        part, stored = name.removesuffix(".safetensors"), load_file(folder / name)
        # cloned: else they would be the file itself, mapped, and its space never free again
        state[part] = _together(state[part], {number: tensor.clone() for number, tensor in stored.items()})
    return state


def _apart(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """The value as JSON has it; in place of each tensor or array stands its number in `tensors`."""
    if isinstance(value, torch.Tensor | np.ndarray):
        tensors[number := str(len(tensors))] = torch.as_tensor(value).detach().cpu().contiguous()
        return {TENSOR: number}
    if isinstance(value, dict):
        return {str(key): _apart(one, tensors) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_apart(one, tensors) for one in value]
    return value


def _together(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """The value that `_apart` took apart, its arrays as tensors, its tuples as lists and its keys as texts."""
    if isinstance(value, dict):
        if value.keys() == {TENSOR}:
            return tensors[value[TENSOR]]
        return {key: _together(one, tensors) for key, one in value.items()}
    return [_together(one, tensors) for one in value] if isinstance(value, list) else value
