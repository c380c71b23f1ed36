"""The files in which ELMo's weights were published: an options file (JSON) and the weights (HDF5)."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intertask.errors import refusal

if TYPE_CHECKING:  # imported where a model is made: names of encoders are read without torch
    import torch

    from intertask.encoders.bilstm import BilstmConfig
    from intertask.encoders.elmo import ElmoConfig, ElmoModel, WordModel


BY_NAME = ("elmo", "bilstm", "bilm", "elmo_bilstm")
"""Encoders known by name: ELMo; a BiLSTM on ELMo's words; the same with a model per direction, for language modelling;
a BiLSTM on all of ELMo (Wang et al. 2019, section 5). LSTMs that ELMo has not begin at random."""

GET = "Fetch an ELMo that AllenNLP published, its options file and the weights of the same name, into that folder."


def elmo_folder() -> Path:
    """The folder elmo in INTERTASK_CORPORA; IntertaskError where the published files are not there."""
    root = os.environ.get("INTERTASK_CORPORA", "")
    if root and published_files(Path(root, "elmo")):
        return Path(root, "elmo")
    found = f"none in {Path(root, 'elmo')}" if root else "INTERTASK_CORPORA not set"
    raise refusal("Encoder elmo", "*options.json and *weights.hdf5 in the folder elmo of INTERTASK_CORPORA", found, GET)


def published_files(folder: Path) -> tuple[Path, Path] | None:
    """The options file and the weights in a folder as ELMo's were published; None where it is none."""
    found = [sorted(folder.glob(pattern)) for pattern in ("*options.json", "*weights.hdf5")]
    return (found[0][0], found[1][0]) if all(len(paths) == 1 for paths in found) else None


def read_config(options: Path) -> "ElmoConfig":
    """The sizes that an options file says; IntertaskError where it says none, or of another kind of network."""
    from intertask.encoders.characters import CHARACTERS, MAX_CHARACTERS
    from intertask.encoders.elmo import ElmoConfig

    try:
        said = json.loads(options.read_text(encoding="utf-8"))
        lstm, cnn = said["lstm"], said["char_cnn"]
        other = {
            "use_skip_connections": lstm["use_skip_connections"] is not True,
            "n_characters": cnn["n_characters"] not in (CHARACTERS, CHARACTERS - 1),
            "max_characters_per_token": cnn["max_characters_per_token"] != MAX_CHARACTERS,
            "activation": cnn["activation"] != "relu",
            "proj_clip": lstm["proj_clip"] != lstm["cell_clip"],
        }
        if found := [name for name, is_other in other.items() if is_other]:
            raise refusal(options, "a network as ELMo's", f"another {found[0]}", "Fetch ELMo's options file.")
        return ElmoConfig(
            projection_size=lstm["projection_dim"],
            cell_size=lstm["dim"],
            num_hidden_layers=lstm["n_layers"],
            clip=lstm["cell_clip"],
            character_size=cnn["embedding"]["dim"],
            filters=cnn["filters"],
            num_highways=cnn["n_highway"],
        )
    except (ValueError, LookupError, TypeError) as error:
        expected, found = "ELMo's options (lstm, char_cnn)", f"{type(error).__name__}: {error}"
        raise refusal(options, expected, found, "Fetch it again.") from None


def published_config(source: str, options: Path) -> "ElmoConfig | BilstmConfig":
    """The configuration of what `source` names on these files (`BY_NAME`), else of ELMo."""
    from intertask.encoders.bilstm import BilstmConfig

    config = read_config(options)
    if source == "elmo_bilstm":
        return BilstmConfig(elmo=config.sizes)
    if source in ("bilstm", "bilm"):
        return BilstmConfig(words=config.words, separate_directions=source == "bilm")
    return config


def read_published(
    config: "ElmoConfig | BilstmConfig", options: Path, weights: Path, random_weights: bool
) -> "WordModel":
    """The model of a `published_config`. A BiLSTM's LSTMs are random, and what they read ELMo's, as in the paper."""
    from intertask.encoders.bilstm import BilstmConfig, BilstmModel
    from intertask.encoders.elmo import ElmoModel

    if not isinstance(config, BilstmConfig):
        return ElmoModel(config) if random_weights else read_elmo(config, options, weights)
    model, elmo = BilstmModel(config), read_elmo(read_config(options), options, weights)
    model.words.load_state_dict((elmo if config.elmo else elmo.words).state_dict())
    return model


def read_elmo(config: "ElmoConfig", options: Path, weights: Path) -> "ElmoModel":
    """The model that two published files describe; IntertaskError where one does not fit the other, or is none."""
    try:
        import h5py
    except ImportError:
        remedy = "Install it: pip install 'intertask[elmo]'."
        raise refusal(weights, "h5py, which reads such files", "that it is not installed", remedy) from None
    import torch

    from intertask.encoders.elmo import ElmoModel

    with torch.device("meta"):  # all weights are read: none needs drawing
        model = ElmoModel(config)
    try:
        with h5py.File(weights) as file:
            state = _state(model, file)
    except (OSError, KeyError, ValueError) as error:
        raise refusal(weights, "the weights of an ELMo (HDF5)", f"{error}", "Fetch the file again.") from None
    for name, own in model.state_dict().items():
        if (found := tuple(state[name].shape)) != (ours := tuple(own.shape)):
            expected, remedy = f"{name} of shape {ours}, as {options.name} says", "Fetch the options of these weights."
            raise refusal(weights, expected, f"{found}", remedy)
    model.load_state_dict(state, assign=True)
    return model


def _state(model: "ElmoModel", file) -> "dict[str, torch.Tensor]":
    """The weights under our names. TensorFlow has matrices transposed, and the gates as i, g, f, o."""
    import torch

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
