"""Loads encoders by name and saves them; weights are read and written as safetensors only, code is never fetched."""

import hashlib
import inspect
import os
from pathlib import Path

from intertask import hub
from intertask.cache import while_unchanged
from intertask.encoders import mini
from intertask.encoders.separators import add_separators
from intertask.errors import IntertaskError, did_you_mean
from intertask.files import file_digest

ENCODER_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


def load_encoder(source: str | Path, pooling: str = "first", seed: int = 0, random_weights: bool = False):
    """The encoder of that name and its tokenizer.

    `source` is a Hub id, a local folder, or a mini encoder (then its weights are random, drawn with `seed`; so is the
    pooler of a checkpoint that has none, and with `random_weights` everything). Raises IntertaskError where the encoder
    is missing, has no safetensors, or is half of a sequence-to-sequence model.
    """
    if str(source).startswith("mini/"):
        return mini.build(_known_mini(str(source)), seed)
    folder = encoder_folder(source)

    import torch
    from transformers import AutoConfig, AutoModel, logging
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if config.is_encoder_decoder:
        raise IntertaskError(
            f"Encoder {source}: expected an encoder or a decoder alone, found a sequence-to-sequence model "
            f"({config.model_type}). Name another."
        )
    options = {"dtype": torch.float32}  # whatever it is stored in: AdamW loses small updates in bfloat16
    if "add_pooling_layer" in inspect.signature(MODEL_MAPPING[type(config)].__init__).parameters:
        options["add_pooling_layer"] = pooling == "pooler"
    elif pooling == "pooler":
        raise IntertaskError(
            f"pooling: pooler, but {source} ({config.model_type}) has no pooler. Use first, mean or last."
        )
    if random_weights:
        model = AutoModel.from_config(config, trust_remote_code=False, **options)
    else:
        model = AutoModel.from_pretrained(folder, trust_remote_code=False, use_safetensors=True, **options)
    model.config.use_cache = False  # of keys and values, which serves generation alone
    tokenizer = load_tokenizer(folder)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return model, tokenizer


def load_tokenizer(source: str | Path):
    """The tokenizer of an encoder alone, by the names and with the errors of `load_encoder`.

    One that does not part the texts of a pair gets tokens that do.
    """
    if str(source).startswith("mini/"):
        return mini.build_tokenizer(_known_mini(str(source)))
    from transformers import AutoConfig, AutoTokenizer

    folder = encoder_folder(source)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise IntertaskError(
            f"Encoder {source}: expected a tokenizer of the tokenizers library, found {type(tokenizer).__name__}. "
            "Add a tokenizer.json to the encoder's folder."
        )
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if getattr(config, "type_vocab_size", 0) < 2:  # GPT-2 would read the segments as words, Llama refuses them
        tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
    add_separators(tokenizer)
    return tokenizer


def longest(encoder) -> int | None:
    """How many tokens the encoder's positions are enough for; None: any number.

    RoBERTa and its kin count positions from behind the padding's: of 514 they use 512.
    """
    positions = getattr(encoder.config, "max_position_embeddings", None) or 0
    tables = (module for name, module in encoder.named_modules() if name.endswith("position_embeddings"))
    before = [table.padding_idx + 1 for table in tables if getattr(table, "padding_idx", None) is not None]
    return positions - max(before, default=0) if positions > 0 else None


def reads_ahead(encoder) -> bool:
    """Whether the state of a token depends on a later one."""
    import torch

    training = encoder.training
    encoder.eval()
    # ids of any vocabulary, alike but for the last
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]], device=next(encoder.parameters()).device)
    with torch.inference_mode():
        one, other = encoder(input_ids=ids).last_hidden_state[:, :3]
    encoder.train(training)
    return not torch.allclose(one, other, atol=1e-5)  # rounding may differ between the rows of a batch


def checkpoint_gradients(encoder) -> None:
    """Has training compute each layer again when its gradients are due, instead of keeping it: less memory, more time.

    Raises IntertaskError where transformers has no such thing for the architecture, as for ALBERT and the first GPT.
    """
    if not encoder.supports_gradient_checkpointing:
        raise IntertaskError(
            f"gradient_checkpointing: transformers offers none for {type(encoder).__name__}. Leave it out, and lower "
            "per_device_train_batch_size while raising gradient_accumulation_steps."
        )
    encoder.activation_checkpointing_enable()


def save_encoder(encoder, tokenizer, folder: Path) -> None:
    """Writes a folder that `load_encoder` and `AutoModel.from_pretrained` read."""
    from transformers import logging

    logging.disable_progress_bar()
    encoder.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):  # which are written for their owner alone, whatever the umask says
        path.chmod(folder.stat().st_mode & 0o666)


def encoder_fingerprint(source: str) -> str:
    """A hash of an encoder's configuration and weights as they lie on disk; a mini encoder, being code, is its name."""
    if source.startswith("mini/"):
        return _known_mini(source)
    return while_unchanged((source, os.environ.get("INTERTASK_HUB")), lambda: _fingerprint(source))


def _fingerprint(source: str) -> tuple[str, list[Path]]:
    folder, digest = encoder_folder(source), hashlib.sha256()
    files = sorted(path for pattern in ENCODER_FILES for path in folder.glob(pattern))
    for file in files:
        digest.update(file.name.encode() + file_digest(file))
    return digest.hexdigest()[:16], [folder, *files]


def encoder_bytes(source: str) -> int:
    """The size of the encoder's weights."""
    if source.startswith("mini/"):
        return mini.BYTES
    return sum(file.stat().st_size for file in encoder_folder(source).glob("*.safetensors"))


def encoder_folder(source: str | Path) -> Path:
    """The local folder of an encoder, fetched from the Hub if need be; refused where it holds no usable weights."""
    folder = Path(source) if Path(source).is_dir() else hub.folder(str(source), "model", ENCODER_FILES)
    found = sorted(path.name for path in folder.iterdir())
    if "config.json" not in found:
        raise IntertaskError(f"Encoder {source}: expected config.json in {folder}, found {found or 'nothing'}.")
    if not any(name.endswith(".safetensors") for name in found):
        raise IntertaskError(
            f"Encoder {source}: expected weights as .safetensors in {folder}, found {found}. Convert them: load the "
            "model with transformers in an environment that you trust and call save_pretrained."
        )
    return folder


def _known_mini(name: str) -> str:
    if name not in mini.PRETRAINING:
        raise IntertaskError(f"There is no encoder {name}.{did_you_mean(name, mini.PRETRAINING)}")
    return name
