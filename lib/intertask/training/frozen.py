"""What a frozen encoder makes of a split: computed once, since the encoder never changes."""

import hashlib
import json
import os
import tempfile
from functools import cache, partial
from typing import IO

import numpy as np
import torch

from intertask.cache import remembered
from intertask.encoders.pretrained import mixed_layers
from intertask.errors import refusal
from intertask.formats import Encoded
from intertask.formats.base import parts
from intertask.origin import edited_code
from intertask.training.bar import bar
from intertask.training.batches import by_length
from intertask.training.memory import halving


def read_splits(model, batch_size: int) -> None:
    """Fills in `features` of every split: what the heads of a `model.Model` read of its frozen encoder.

    One vector per sequence or one per token, which may be larger than the memory. They are kept for other runs, as
    restarts read the same, as far as the cache has place for them (`cache.MOST`); else they lie in a file without a
    name for this run alone.
    """
    # batch size and threads too: they change the last bits
    encoder = cache(lambda: [*_encoder(model), batch_size, torch.get_num_threads()])
    width = model.encoder.config.hidden_size * (mixed_layers(model.encoder.config) if model.scalar_mix else 1)
    splits = [(part, encoded) for part in model.parts for encoded in part.encoded.values()]
    for part, encoded in bar(splits, desc="frozen encoder"):
        rows = len(encoded.starts) - 1 if part.format.pools else encoded.starts[-1]
        what = model.head(part).pooling if part.format.pools else "tokens"
        key = [*encoder(), what, _digest([*encoded.inputs.values(), encoded.starts])]
        make = partial(halving, model.at_once, "evaluate", batch_size, partial(_read, model, part, encoded))
        encoded.features = remembered("features", key, make, size=int(rows) * width * np.float32().itemsize)


def _encoder(model) -> list:
    """What decides how an encoder reads: its weights, its configuration but for where it lies, layer, device, code."""
    weights = _digest(tensor.cpu().numpy() for tensor in model.encoder.state_dict().values())
    config = {name: value for name, value in model.encoder.config.to_dict().items() if name != "_name_or_path"}
    return [
        weights,
        json.dumps(config, sort_keys=True, default=str),
        model.layer,
        model.scalar_mix,
        model.device.type,
        edited_code(),
    ]


def _digest(arrays) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def _read(model, part, encoded: Encoded, batch_size: int) -> np.ndarray:
    model.train(False)
    found = None
    for index in by_length(encoded.lengths, batch_size):
        batch = model.batch(part, encoded, index, None)
        read = model.reads(part, *model.outputs([batch]), batch).float().cpu().numpy()
        at, rows = encoded.sequences(index), len(encoded.starts) - 1
        if read.ndim == 3:
            (at, _), rows = parts(encoded.starts, at), encoded.starts[-1]
            read = read[batch["attention_mask"].cpu().numpy() > 0]
        if found is None:
            with tempfile.TemporaryFile() as file:
                _allocate(file, rows * read.shape[1] * read.itemsize)
                # the mapping outlives the closed file, whose space is freed with it
                found = np.memmap(file, np.float32, "r+", shape=(rows, read.shape[1]))
        found[at] = read
    return found


def _allocate(file: IO[bytes], size: int) -> None:
    """Refuses where there is no room: who writes to a mapping without it is killed by the system."""
    file.truncate(size)
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        expected, remedy = f"{size / 1e6:.1f} MB for what a frozen encoder reads", "Set TMPDIR to a larger place."
        raise refusal(tempfile.gettempdir(), expected, error.strerror, remedy) from None
