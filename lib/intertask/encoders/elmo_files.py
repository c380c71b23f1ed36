"""The files in which ELMo's weights were published: an options file (JSON) and the weights (HDF5)."""

import json
from pathlib import Path

import numpy as np
import torch

from intertask.encoders.elmo import ElmoConfig, ElmoModel
from intertask.errors import refusal


def read_elmo(options: Path, weights: Path) -> ElmoModel:
    """The model that two published files describe."""
    import h5py

    model = ElmoModel(_config(options))
    with h5py.File(weights) as file:
        state = _state(model, file)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name, value in state.items():
        if tuple(value.shape) != shapes[name]:
            expected = f"{name} of shape {shapes[name]}, as {options.name} says"
            raise refusal(weights, expected, f"{tuple(value.shape)}", "Take the options file of these weights.")
    model.load_state_dict(state)
    return model.eval()


def _config(path: Path) -> ElmoConfig:
    said = json.loads(path.read_text(encoding="utf-8"))
    lstm, cnn = said["lstm"], said["char_cnn"]
    return ElmoConfig(
        projection_size=lstm["projection_dim"],
        cell_size=lstm["dim"],
        num_hidden_layers=lstm["n_layers"],
        clip=lstm["cell_clip"],
        character_size=cnn["embedding"]["dim"],
        filters=cnn["filters"],
        num_highways=cnn["n_highway"],
    )


def _state(model: ElmoModel, file) -> dict[str, torch.Tensor]:
    """The weights under our names. TensorFlow has matrices transposed, and the gates as i, g, f, o."""
    characters = np.asarray(file["char_embed"])
    state = {"words.embedding.weight": np.concatenate([np.zeros_like(characters[:1]), characters])}
    for number in range(len(model.words.convolutions)):
        state[f"words.convolutions.{number}.weight"] = file[f"CNN/W_cnn_{number}"][0].transpose(2, 1, 0)
        state[f"words.convolutions.{number}.bias"] = file[f"CNN/b_cnn_{number}"][...]
    for number in range(len(model.words.highways)):
        for ours, theirs in {"transform": "transform", "gate": "carry"}.items():
            state[f"words.highways.{number}.{ours}.weight"] = file[f"CNN_high_{number}/W_{theirs}"][...].T
            state[f"words.highways.{number}.{ours}.bias"] = file[f"CNN_high_{number}/b_{theirs}"][...]
    state["words.projection.weight"] = file["CNN_proj/W_proj"][...].T
    state["words.projection.bias"] = file["CNN_proj/b_proj"][...]
    for number in range(len(model.layers)):
        cells = [file[f"RNN_{way}/RNN/MultiRNNCell/Cell{number}/LSTMCell"] for way in (0, 1)]
        size = model.config.projection_size
        weights = np.stack([_gates(cell["W_0"][...]) for cell in cells])
        biases = np.stack([_gates(cell["B"][...][None]) for cell in cells])
        biases[:, :, biases.shape[2] // 4 : biases.shape[2] // 2] += 1  # the forget gate's, which TensorFlow adds
        state[f"layers.{number}.reading"], state[f"layers.{number}.recurrence"] = weights[:, :size], weights[:, size:]
        state[f"layers.{number}.bias"] = biases
        state[f"layers.{number}.projection"] = np.stack([cell["W_P_0"][...] for cell in cells])
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}


def _gates(columns: np.ndarray) -> np.ndarray:
    """Gates in torch's order: i, f, g, o."""
    i, g, f, o = np.split(columns, 4, axis=1)
    return np.concatenate([i, f, g, o], axis=1)
