"""Checkpoints held against their models, read whole or by their headers alone: what fits, and how a misfit is named."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from intertask.encoders.pretrained import load_encoder, load_tokenizer, misgivings, reads_ahead
from intertask.errors import IntertaskError
from made_encoders import ARCHITECTURES, LEFT_TO_RIGHT, write

HEADS = ("AutoModelForSequenceClassification", "AutoModelForMaskedLM", "AutoModelForCausalLM")
both = pytest.mark.parametrize("weights", [True, False], ids=["weights", "headers"])


@pytest.mark.parametrize("name", [*ARCHITECTURES, "xlm-roberta", "xlnet", "xlm", "longformer"])
def test_whatever_head_a_checkpoint_has_its_encoder_is_found_whole(tmp_path, name):
    for head in ("AutoModel", *HEADS):
        try:
            folder = write(tmp_path / head, name, head, shard="20KB" if head == "AutoModel" else "1GB")
        except ValueError as error:
            assert "Unrecognized configuration class" in str(error)  # the architecture has no such head
            continue
        encoder, tokenizer = load_encoder(folder, "mean", weights=False)
        assert encoder.device.type == "meta" and encoder.get_input_embeddings().num_embeddings >= len(tokenizer)
        assert not misgivings(str(folder), load_tokenizer(str(folder)))
    assert (tmp_path / "AutoModel" / "model.safetensors.index.json").is_file()
    assert reads_ahead(encoder) == reads_ahead(load_encoder(folder, "mean")[0]) == (name not in LEFT_TO_RIGHT)


def test_without_weights_nothing_is_drawn_from_the_seed_of_others(folder_of):
    encoder, _ = load_encoder(folder_of("bert"), weights=False)
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    reads_ahead(encoder)
    assert torch.equal(before, torch.random.get_rng_state())


def test_names_of_old_are_read(tmp_path, folder_of):
    """LayerNorm.gamma and beta, as in BERT's first checkpoints, and the prefix of a head's checkpoint."""
    folder = changed(folder_of, tmp_path, lambda old: {"bert." + of_old(name): value for name, value in old.items()})
    assert torch.equal(*(load_encoder(one)[0].embeddings.LayerNorm.weight for one in (folder, folder_of("bert"))))
    assert load_encoder(folder, weights=False)


def of_old(name: str) -> str:
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def test_weights_that_no_layer_reads_are_named_and_a_heads_are_not(tmp_path, folder_of):
    more = {"cls.predictions.bias": torch.ones(1), "encoder.layer.7.output.dense.bias": torch.ones(1)}
    folder = changed(folder_of, tmp_path, lambda old: old | more)
    (found,) = misgivings(str(folder), load_tokenizer(str(folder)))
    assert "no place for 1 weight of the checkpoint, such as encoder.layer.7.output.dense.bias" in found
    assert not misgivings("mini/bert", load_tokenizer("mini/bert"))


def test_an_architecture_of_another_type_and_tokens_without_embeddings_are_named(tmp_path, folder_of):
    """RoBERTa counts its positions from behind the padding's: the weights fit, and are read elsewhere."""
    shutil.copytree(folder_of("bert"), tmp_path, dirs_exist_ok=True)
    merged(model_type="roberta")(tmp_path / "config.json")
    merged(pad_token="<pad>", extra_special_tokens=["<user>"])(tmp_path / "tokenizer_config.json")
    typed, random = misgivings(str(tmp_path), load_tokenizer(str(tmp_path)))
    assert "says BertModel, which is no model of its model_type roberta" in typed
    assert "2 tokens without an embedding, such as '<" in random


def changed(folder_of, folder, change):
    """A copy of the tiny BERT with other weights."""
    shutil.copytree(folder_of("bert"), folder, dirs_exist_ok=True)
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})
    return folder


def of_query(layer: int) -> str:
    return f"encoder.layer.{layer}.attention.self.query.weight"


@both
@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda old: {"module." + name: value for name, value in old.items()},
            r"weights for all parts of its BertModel, found none for 37 of them: embeddings.LayerNorm.bias, .*"
            r"begin with 'module.': save it again without",
        ),
        (
            lambda old: {name: value for name, value in old.items() if "layer.1." not in name},
            "found none for 16 of them: encoder.layer.1.attention.output.LayerNorm.bias, .*saved in part?",
        ),
        (
            lambda old: old | {"embeddings.word_embeddings.weight": torch.ones(31, 32)},
            r"as embeddings.word_embeddings.weight \(30, 32\), found .* of shape \(31, 32\) \(and 0 more such\)",
        ),
        (
            lambda old: old | {"bert." + name: value.clone() for name, value in old.items()},
            r"once, found embeddings.LayerNorm.bias and bert.embeddings.LayerNorm.bias \(and 38 more such\)",
        ),
        (
            lambda old: old | {of_query(0): old[of_query(0)].to(torch.int8)},
            "floating-point numbers of 16 bits or more, found quantised ones: encoder.layer.0.attention.self.query",
        ),
    ],
    ids=["prefix", "half", "shape", "twice", "quantised"],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, folder_of, change, message, weights):
    folder = changed(folder_of, tmp_path, change)
    with pytest.raises(IntertaskError, match=message):
        load_encoder(folder, weights=weights)


def test_a_pooler_may_be_missing(tmp_path, folder_of):
    folder = changed(folder_of, tmp_path, lambda old: {n: v for n, v in old.items() if not n.startswith("pooler.")})
    assert load_encoder(folder, "pooler", weights=False)[0].pooler is not None


def pointer(path):
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1000\n")


def without(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


def folder_instead(path):
    path.unlink()
    path.mkdir()


def link_to_nothing(path):
    path.unlink()
    path.symlink_to("nowhere")


def with_ids(**ids):
    return lambda path: edited(path, lambda content: content["model"]["vocab"].update(ids))


def starting_with(place):
    return lambda path: edited(
        path, lambda content: content["post_processor"]["special_tokens"]["[CLS]"].update(ids=[place])
    )


def without_unknown(path):
    edited(path, lambda content: content["model"].update(unk_token="[NONE]"))


def edited(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def text(content):
    return lambda path: path.write_text(content)


def merged(**more):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | more))


@both
@pytest.mark.parametrize(
    "file, change, message",
    [
        ("model.safetensors", pointer, r"pointers of Git LFS \(model.safetensors\). Run `git lfs pull`"),
        ("tokenizer.json", pointer, r"pointers of Git LFS \(tokenizer.json\). Run `git lfs pull`"),
        ("model.safetensors", cut, "weights that transformers reads, found SafetensorError"),
        ("model.safetensors", without, "expected weights as .safetensors in"),
        (
            "adapter_config.json",
            text("{}"),
            "expected an adapter's adapter_model.safetensors in .*Load it with peft in",
        ),
        ("config.json", without, "expected config.json in"),
        ("config.json", folder_instead, r"expected files in .*, found a folder, or a link to nothing \(config.json\)"),
        ("tokenizer.json", link_to_nothing, r"found a folder, or a link to nothing \(tokenizer.json\)"),
        ("config.json", merged(num_hidden_layers=0), "expected layers in config.json, found num_hidden_layers: 0"),
        ("tokenizer.json", with_ids(z=31), r"ids below 30, the number .* found the id 31 \(z\) of its tokenizer"),
        ("tokenizer.json", starting_with(77), "ids below 30, the number of the encoder's embeddings, found the id 77"),
        ("tokenizer.json", without_unknown, "a tokenizer that reads any text, found"),
        ("config.json", text("{"), "a config.json that transformers reads, found"),
        ("config.json", merged(model_type="brt"), "a config.json that transformers reads, found"),
        ("config.json", merged(hidden_size="wide"), "expected .* that transformers reads, found"),
        ("config.json", merged(num_attention_heads=5), "weights that transformers reads, found ValueError"),
        (
            "config.json",
            merged(quantization_config={"quant_method": "gptq"}),
            "numbers, found quantised",
        ),
        ("tokenizer.json", without, "a tokenizer that transformers reads, found"),
        ("tokenizer.json", text("{}"), "a tokenizer that transformers reads, found"),
        ("tokenizer.json", text(""), "a tokenizer that transformers reads, found"),
        ("config.json", merged(vocab_size=12), "expected weights in the shapes of its BertModel"),
    ],
)
def test_files_that_are_no_encoder_are_refused_in_words(tmp_path, folder_of, file, change, message, weights):
    shutil.copytree(folder_of("bert"), tmp_path, dirs_exist_ok=True)
    change(tmp_path / file)
    with pytest.raises(IntertaskError, match=message) as error:
        load_encoder(tmp_path, weights=weights)
    assert str(error.value).startswith(f"Encoder {tmp_path}: ")


@both
@pytest.mark.parametrize("change", [Path.unlink, lambda shard: shard.rename(shard.parents[1] / shard.name)])
def test_a_shard_that_is_not_there_is_refused(tmp_path, weights, change):
    """Nor read from elsewhere: the ids of runs know of the encoder's own files alone."""
    folder = write(tmp_path / "bert", "bert", shard="20KB")
    shard = next(folder.glob("model-*.safetensors"))
    change(shard)
    index = folder / "model.safetensors.index.json"
    if not list(folder.glob(shard.name)) and list(tmp_path.glob(shard.name)):
        index.write_text(index.read_text().replace(shard.name, f"../{shard.name}"))
    with pytest.raises(IntertaskError, match="all that model.safetensors.index.json names, found"):
        load_encoder(folder, weights=weights)


def test_a_tokenizer_that_was_saved_to_cut_texts_cuts_none(tmp_path, folder_of):
    """Else it would seem to put no tokens around a pair, and get others."""
    shutil.copytree(folder_of("bert"), tmp_path, dirs_exist_ok=True)
    cut = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    merged(truncation=cut)(tmp_path / "tokenizer.json")
    assert len(load_encoder(tmp_path, weights=False)[1]) == 30


def test_a_tokenizer_is_not_made_up(tmp_path, folder_of):
    """As transformers does, by the model's type, where the folder says nothing of one."""
    shutil.copytree(folder_of("bert"), tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(IntertaskError, match="expected tokenizer.json or vocab.txt in .*, found no such files"):
        load_encoder(tmp_path, weights=False)


def test_a_tokenizer_of_special_tokens_alone_is_refused(tmp_path, folder_of):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    shutil.copytree(folder_of("bert"), tmp_path, dirs_exist_ok=True)
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]"}
    empty = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names.values())}, unk_token="[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=empty, **names).save_pretrained(tmp_path)
    with pytest.raises(IntertaskError, match="a tokenizer with words, found one that knows special tokens alone"):
        load_encoder(tmp_path, weights=False)


def test_a_tokenizer_of_another_model_is_refused(tmp_path, folder_of):
    shutil.copytree(folder_of("bert"), tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][:12].clone()
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    merged(vocab_size=12)(tmp_path / "config.json")
    with pytest.raises(IntertaskError, match=r"ids below 12, the number .* found the id 29 \(z\) of its tokenizer"):
        load_encoder(tmp_path, weights=False)


@both
def test_what_reads_no_text_is_refused(tmp_path, weights):
    from transformers import ViTConfig

    write(tmp_path, "bert")
    ViTConfig(hidden_size=8).save_pretrained(tmp_path)
    with pytest.raises(IntertaskError, match="which reads text, found a model of type vit"):
        load_encoder(tmp_path, weights=weights)


def test_a_model_that_does_not_fit_together_is_refused_when_it_is_asked(tmp_path):
    encoder, _ = load_encoder(write(tmp_path, "bert"))
    encoder.encoder.layer[0] = torch.nn.Linear(32, 8)
    with pytest.raises(IntertaskError, match="BertModel: expected a model that reads tokens, found"):
        reads_ahead(encoder)
