"""Pickled weights written as safetensors: the same weights, nothing executed, whole or not at all."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from intertask.cli import app
from intertask.encoders import pickles
from intertask.encoders.pretrained import load_encoder
from made_encoders import write


def pickled(tmp_path, parts: int = 1) -> Path:
    """A BERT whose head shares the embeddings' memory, with its weights in that many pickles."""
    folder = write(tmp_path / "pickled", "bert", "AutoModelForMaskedLM")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"]
    names = (
        [f"pytorch_model-{part + 1:05}-of-{parts:05}.bin" for part in range(parts)] if parts > 1 else [pickles.PICKLED]
    )
    place = {key: names[index % parts] for index, key in enumerate(weights)}
    for name in names:
        torch.save({key: value for key, value in weights.items() if place[key] == name}, folder / name)
    if parts > 1:
        (folder / pickles.PARTS).write_text(json.dumps({"weight_map": place}))
    return folder


@pytest.mark.parametrize("parts", [1, 3])
def test_the_weights_are_equal_and_the_command_says_what_it_wrote(tmp_path, parts):
    folder = pickled(tmp_path, parts)
    said = CliRunner().invoke(app, ["encoder", "convert", str(folder), str(tmp_path / "made" / "new")])
    assert said.exit_code == 0 and "config.json, model.safetensors, tokenizer.json" in said.output
    before, after = {}, load_file(tmp_path / "made" / "new" / "model.safetensors")
    for file in folder.glob("*.bin"):
        before |= torch.load(file, weights_only=True)
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    encoder, _ = load_encoder(tmp_path / "made" / "new")
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(encoder.state_dict()[name], before[f"bert.{name}"])
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["new"]
    assert (tmp_path / "made" / "new" / "model.safetensors").stat().st_mode & 0o044


class Executed:
    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_with_code_is_refused_and_not_executed(tmp_path, refused):
    folder, bad = pickled(tmp_path), Executed()
    bad.folder = str(tmp_path / "executed")
    torch.save({"weight": bad}, folder / pickles.PICKLED)
    words = "weights, and nothing to be executed", "Nothing of it was executed"
    refused(lambda: pickles.to_safetensors(str(folder), tmp_path / "new"), *words)
    assert not (tmp_path / "executed").exists() and not (tmp_path / "new").exists()


def test_what_cannot_be_converted_is_refused_and_leaves_nothing(tmp_path, refused, monkeypatch):
    folder, new = pickled(tmp_path), tmp_path / "new"
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(lambda: pickles.to_safetensors(str(empty), new), "config.json and pytorch_model.bin in", "found nothing")
    refused(lambda: pickles.to_safetensors(str(folder), folder), "a folder that is new or empty", "holds something")
    refused(lambda: pickles.to_safetensors(str(folder), folder / "config.json"), "a folder that is new or empty")
    torch.save({"epoch": 3}, folder / pickles.PICKLED)
    refused(lambda: pickles.to_safetensors(str(folder), new), "weights by their names, found epoch")
    (folder / pickles.PICKLED).write_text("version https://git-lfs.github.com/spec/v1\n")
    refused(lambda: pickles.to_safetensors(str(folder), new), "pointers of Git LFS", "git lfs pull")
    shutil.rmtree(folder)
    monkeypatch.setattr("safetensors.torch.save_file", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pickles.to_safetensors(str(pickled(tmp_path)), new)
    assert not new.exists() and {path.name for path in tmp_path.iterdir()} == {"pickled", "empty"}
