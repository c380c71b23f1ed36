"""Weights that lie as pickles (`pytorch_model.bin`) written as safetensors: by a command, and never in silence."""

import json
import shutil
from pathlib import Path

from intertask.encoders.pretrained import MOST_WORDS, WEIGHTS, named_folder, refuse_unreadable
from intertask.errors import refusal
from intertask.files import new_folder

PICKLED, PARTS = "pytorch_model.bin", "pytorch_model.bin.index.json"
CONFIGURATION = ["*.json", "*.txt", "*.model"]
"""What an encoder's folder holds beside its weights: the configuration and the tokenizer."""


def to_safetensors(source: str, folder: Path) -> None:
    """Writes an encoder whose weights are pickled, a local folder or one of the Hub, into a new folder as safetensors.

    Of a pickle weights alone are read (torch's `weights_only`), and nothing in it is executed. The folder comes whole
    or not at all. Raises IntertaskError where it is there and not empty, the source has no such weights, or a pickle
    holds anything else.
    """
    from safetensors.torch import save_file

    with new_folder(folder) as unfinished:
        found = named_folder(source, [*CONFIGURATION, "pytorch_model*.bin"])
        # a copy of each: safetensors knows no weights that share memory, as an embedding and the head tied to it do
        weights = {name: weight.clone().contiguous() for name, weight in _unpickled(source, found).items()}
        for file in (file for pattern in CONFIGURATION for file in found.glob(pattern) if ".index." not in file.name):
            shutil.copyfile(file, unfinished / file.name)
        save_file(weights, unfinished / WEIGHTS, {"format": "pt"})
        (unfinished / WEIGHTS).chmod(unfinished.stat().st_mode & 0o666)  # it is written for its owner alone


def _unpickled(source: str, folder: Path) -> dict:
    """The weights by name, of all files that the index names, or of the one that there is."""
    import torch

    files = [folder / PICKLED]
    if not files[0].exists() and (folder / PARTS).is_file():
        parts = json.loads((folder / PARTS).read_text(encoding="utf-8"))["weight_map"].values()
        files = [folder / Path(name).name for name in dict.fromkeys(parts)]
    if not all(file.exists() for file in files) or not (folder / "config.json").is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise refusal(f"Encoder {source}", f"config.json and {PICKLED} in {folder}", found, "Is it the right folder?")
    refuse_unreadable(source, folder, [*CONFIGURATION, "pytorch_model*.bin"])
    weights = {}
    for file in files:
        try:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            words = f"{type(error).__name__}: {' '.join(str(error).split()[:MOST_WORDS])}"
            remedy = "Nothing of it was executed. Take the encoder from elsewhere."
            raise refusal(file, "weights, and nothing to be executed", words, remedy) from error
        named = loaded if isinstance(loaded, dict) else {type(loaded).__name__: loaded}
        if others := [name for name, one in named.items() if not isinstance(one, torch.Tensor)]:
            raise refusal(file, "weights by their names", f"{others[0]}, which is none", "Is it of a whole training?")
        weights |= loaded
    return weights
