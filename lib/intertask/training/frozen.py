"""What a frozen encoder makes of a split: computed once, since the encoder never changes."""

import hashlib
import tempfile

import numpy as np
import torch

from intertask.cache import remembered
from intertask.formats import Encoded
from intertask.formats.base import PooledHead, ranges
from intertask.training.batches import by_length


def features(model, encoded: Encoded, batch_size: int) -> np.ndarray:
    """What the head of a `train.Model` reads of the frozen encoder, as `Encoded.features` holds it.

    One vector per sequence is kept for other runs (restarts read the same); one per token, which may be larger than the
    memory, lies in a file without a name.
    """
    if not isinstance(model.head, PooledHead):
        return _read(model, encoded, batch_size)
    weights = _digest(tensor.cpu().numpy() for tensor in model.encoder.state_dict().values())
    texts = _digest([*encoded.inputs.values(), encoded.starts])
    reading = [model.layer, model.head.pooling, batch_size, torch.get_num_threads(), model.device.type]
    return remembered("features", [weights, texts, *reading], lambda: np.array(_read(model, encoded, batch_size)))


def _digest(arrays) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def _read(model, encoded: Encoded, batch_size: int) -> np.ndarray:
    model.train(False)
    found = None
    for index in by_length(encoded.lengths, batch_size):
        batch = model.batch(encoded, index, None)
        read = model.reads(batch).float().cpu().numpy()
        at, rows = encoded.sequences(index), len(encoded.starts) - 1
        if read.ndim == 3:
            at, rows = ranges(encoded.starts[at], np.diff(encoded.starts)[at]), encoded.starts[-1]
            read = read[batch["attention_mask"].cpu().numpy() > 0]
        if found is None:
            with tempfile.TemporaryFile() as file:
                found = np.memmap(file, np.float32, "w+", shape=(rows, read.shape[1]))
        found[at] = read
    return found
