"""Adapters of peft: what is read is what peft merges, of whatever head they were trained with; and what is refused."""

import json
import shutil
import warnings

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from intertask.encoders.adapters import ADAPTER, ADDITIONS
from intertask.encoders.pretrained import encoder_fingerprint, load_encoder, load_tokenizer, misgivings
from intertask.errors import IntertaskError

HEAD = "AutoModelForSequenceClassification"


def write_adapter(base, folder, head=HEAD, modules="all-linear", kind=peft.LoraConfig, **settings):
    """An adapter that changes something, saved as peft saves it; returns the encoder as peft merges it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft about this version of transformers
        transformers.logging.set_verbosity_error()
        model = getattr(transformers, head).from_pretrained(base)
        task = "SEQ_CLS" if head == HEAD else None
        adapted = peft.get_peft_model(model, kind(task_type=task, target_modules=modules, **settings))
        torch.manual_seed(1)
        with torch.no_grad():
            for name, weight in adapted.named_parameters():
                if weight.requires_grad and "lora_A" not in name:
                    weight.normal_(0, 0.1)
        adapted.save_pretrained(folder)
        model = adapted.merge_and_unload()
    return getattr(model, model.base_model_prefix, model)


@pytest.mark.parametrize(
    "name, head, settings",
    [
        ("roberta", HEAD, {"r": 4}),
        ("bert", "AutoModel", {"modules": ["query", "dense"], "use_dora": True}),
        ("deberta-v2", HEAD, {"modules": ["query_proj"], "bias": "all"}),
        ("modernbert", HEAD, {"modules": ["Wqkv"], "kind": peft.IA3Config, "feedforward_modules": []}),
        ("gpt2", HEAD, {"modules": ["c_attn"], "fan_in_fan_out": True}),
    ],
)
def test_an_adapter_is_read_as_peft_merges_it(folder_of, tmp_path, name, head, settings):
    base = folder_of(name)
    expected = write_adapter(base, tmp_path, head, **settings).state_dict()
    encoder, _ = load_encoder(tmp_path, "mean")
    plain, found = load_encoder(base, "mean")[0].state_dict(), encoder.state_dict()
    same = [key for key in plain if found[key].shape == expected[key].shape]  # we add tokens to a decoder's
    assert len(same) >= len(plain) - 1 and all(torch.allclose(found[key], expected[key], atol=1e-6) for key in same)
    assert any(not torch.equal(found[key], plain[key]) for key in same)
    assert all(weight.requires_grad for weight in encoder.parameters()) and found.keys() == plain.keys()
    assert load_encoder(tmp_path, "mean", weights=False)[0].device.type == "meta"
    assert not misgivings(str(tmp_path), load_tokenizer(tmp_path))


def test_the_fingerprint_is_of_the_adapter_and_of_its_base(folder_of, tmp_path):
    base = shutil.copytree(folder_of("roberta"), tmp_path / "base")
    write_adapter(base, tmp_path / "adapter")
    before = encoder_fingerprint(str(tmp_path / "adapter"))
    assert before != encoder_fingerprint(str(base))
    for file in (tmp_path / "adapter" / ADDITIONS, base / "model.safetensors"):
        changed = {name: value + 1 for name, value in load_file(file).items()}
        save_file(changed, file, {"format": "pt"})
        assert encoder_fingerprint(str(tmp_path / "adapter")) != before
        before = encoder_fingerprint(str(tmp_path / "adapter"))


def say(**changes):
    def change(folder):
        said = json.loads((folder / ADAPTER).read_text())
        (folder / ADAPTER).write_text(json.dumps(said | changes))

    return change


def pickled(folder):
    (folder / ADDITIONS).rename(folder / "adapter_model.bin")


def half(folder):
    weights = load_file(folder / ADDITIONS)
    save_file({name: value for name, value in weights.items() if "layer.1." not in name}, folder / ADDITIONS)


def virtual(folder):
    peft.PromptTuningConfig(num_virtual_tokens=4, base_model_name_or_path=base_name(folder)).save_pretrained(folder)


def base_name(folder):
    return json.loads((folder / ADAPTER).read_text())["base_model_name_or_path"]


@pytest.mark.parametrize(
    "change, message",
    [
        (
            say(base_model_name_or_path=None),
            "expected base_model_name_or_path in its adapter_config.json, .*found None",
        ),
        (say(base_model_name_or_path="/nowhere/base"), "the adapter's base /nowhere/base is not at hand"),
        (say(revision="v1", base_model_name_or_path="owner/base"), "owner/base@v1 is not at hand.*'owner/base@v1'"),
        (pickled, "expected an adapter's adapter_model.safetensors in .*adapter_model.bin.*Load it with peft"),
        (lambda folder: (folder / ADAPTER).write_text("{"), "expected an adapter_config.json that can be read"),
        (virtual, "an adapter that can be merged, as LoRA, found .* PROMPT_TUNING"),
        (say(peft_type="NO_SUCH"), "expected an adapter that peft merges into its base"),
        (say(r=2), "additions to the weights of its base, of their shapes, found others: roberta.encoder.layer.0"),
        (half, r"additions to the weights .*others: roberta.encoder.layer.1.*\(6 in all\)"),
    ],
)
@pytest.mark.parametrize("weights", [True, False], ids=["weights", "headers"])
def test_an_adapter_that_does_not_fit_is_refused(folder_of, tmp_path, monkeypatch, change, message, weights):
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path))
    write_adapter(folder_of("roberta"), tmp_path / "adapter", modules=["query", "key", "value"], r=4)
    change(tmp_path / "adapter")
    with pytest.raises(IntertaskError, match=message):
        load_encoder(tmp_path / "adapter", "mean", weights=weights)


def test_an_adapter_beside_an_adapter_is_refused(folder_of, tmp_path):
    write_adapter(folder_of("roberta"), tmp_path / "one", modules=["query"])
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    say(base_model_name_or_path=str(tmp_path / "one"))(tmp_path / "two")
    with pytest.raises(IntertaskError, match="expected an adapter beside an encoder, found one beside an adapter"):
        load_encoder(tmp_path / "two")
