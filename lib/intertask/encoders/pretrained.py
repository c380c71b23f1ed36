"""Loads encoders by name and saves them; weights are read and written as safetensors only, code is never fetched."""

import hashlib
import inspect
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from intertask import hub
from intertask.cache import while_unchanged
from intertask.encoders import mini
from intertask.encoders.adapters import ADAPTER, base_of, with_adapter
from intertask.encoders.elmo_files import BY_NAME, elmo_folder, published_config, published_files, read_published
from intertask.encoders.separators import SEPARATORS, add_separators
from intertask.encoders.word_tokenizer import WordTokenizer, reads_words
from intertask.errors import IntertaskError, did_you_mean, number_of, refusal
from intertask.files import file_digest

ENCODER_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "*.hdf5"]
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"
FLOATS = ("F64", "F32", "F16", "BF16")
WEIGHTS_NAMED, MOST_WORDS = 4, 40
"""Weights that a refusal names, and words of another library's that it repeats."""


def load_encoder(
    source: str | Path, pooling: str = "first", seed: int = 0, random_weights: bool = False, weights: bool = True
):
    """The encoder of that name and its tokenizer.

    `source` is a Hub id, with a revision as `owner/name@revision`, a local folder, an adapter in either, which is
    merged into its base, or a mini encoder (then its weights are random, drawn with `seed`; so is the pooler of a
    checkpoint that has none, and with `random_weights` everything). `weights`: False for the shapes alone, on torch's
    meta device: then of the checkpoint its headers are read. Raises IntertaskError where the encoder is missing, is no
    encoder or decoder alone, has no pooler to pool with, or where its checkpoint lacks any other weight.
    """
    if str(source).startswith("mini/"):
        model, tokenizer = mini.build(_known_mini(str(source)), seed)
    else:
        model, _ = _read(source, pooling, seed, random_weights, weights)
        model.config.use_cache = False  # of keys and values, which serves generation alone
        tokenizer = load_tokenizer(source)
        if not reads_words(model.config) and len(tokenizer) > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    if pooling == "pooler" and getattr(model, "pooler", None) is None:
        raise IntertaskError(
            f"pooling: pooler, but {source} ({model.config.model_type}) has no pooler. Use first, mean or last."
        )
    return model, tokenizer


def misgivings(source: str, tokenizer) -> list[str]:
    """A sentence for what of an encoder's files fits ill, and is no reason to refuse them.

    Weights that the model has no place for (a head's are left out), an architecture of another type than the
    configuration's, tokens without an embedding, whose weights would be drawn at random.
    """
    if source.startswith("mini/"):
        return []
    import transformers

    model, unread = _read(source, "pooler", weights=False)
    inside = [name for name, part in model.named_children() if part is not None]
    found = []
    if unread := sorted(name for name in unread if name.split(".")[0] in inside):
        found.append(
            f"its model has no place for {number_of(len(unread), 'weight')} of the checkpoint, such as {unread[0]}. "
            "Does config.json say fewer layers than were trained?"
        )
    for name in model.config.architectures or ():
        other = getattr(getattr(transformers, name, None), "config_class", type(model.config))
        if other is not type(model.config):
            found.append(f"its config.json says {name}, which is no model of its model_type {model.config.model_type}.")
    tokens = {place: token for token, place in tokenizer.get_vocab().items() if token not in SEPARATORS}
    if new := sorted(place for place in tokens if place >= model.get_input_embeddings().num_embeddings):
        found.append(
            f"its tokenizer has {number_of(len(new), 'token')} without an embedding, such as {tokens[new[0]]!r}, to "
            "begin at random."
        )
    return found


def _read(source: str | Path, pooling: str, seed: int = 0, random_weights: bool = False, weights: bool = True):
    """The model as it was saved, and the names in its checkpoint that it did not read."""
    folder = encoder_folder(source)

    import torch
    from transformers import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    config, kind = _architecture(source, folder)
    if files := published_files(folder):
        return read_published(config, *files, random_weights), []
    options = {"dtype": torch.float32}  # whatever it is stored in: AdamW loses small updates in bfloat16
    if "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
        options["add_pooling_layer"] = pooling == "pooler"
    with _in_words(source, "weights that transformers reads"):
        shapes = _shapes(folder)
        if random_weights:
            with nullcontext() if weights else torch.device("meta"):
                return kind._from_config(config, **options), []
        place = {} if weights else {"state_dict": shapes, "device_map": "meta"}
        model, found = kind.from_pretrained(
            folder if weights else None,
            config=config,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, in words
            **place,
            **options,
        )
    _refuse_misfit(source, model, shapes, **found)
    if adapter := _adapter_folder(source):
        with _in_words(source, "an adapter that peft merges into its base"):
            model = with_adapter(model, adapter, str(source), weights)
    return model, found["unexpected_keys"]


def _architecture(source: str | Path, folder: Path):
    """The configuration and the class of the model, which must read text and be an encoder or a decoder alone."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    from intertask.encoders import bilstm, elmo  # noqa: F401, to be known by their names

    if files := published_files(folder):
        config = published_config(source, files[0])
        return config, MODEL_MAPPING[type(config)]
    with _in_words(source, "a config.json that transformers reads"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    where, expected, remedy = f"Encoder {source}", "an encoder or a decoder alone", "Name another."
    kind = MODEL_MAPPING.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple) else kind
    if kind is None or kind.main_input_name != "input_ids":
        raise refusal(where, f"{expected}, which reads text", f"a model of type {config.model_type}", remedy)
    if "decoder_input_ids" in inspect.signature(kind.forward).parameters:
        raise refusal(where, expected, f"a sequence-to-sequence model ({config.model_type})", remedy)
    if getattr(config, "num_hidden_layers", 1) < 1:
        raise refusal(where, "layers in config.json", f"num_hidden_layers: {config.num_hidden_layers}", remedy)
    if getattr(config, "quantization_config", None):
        raise refusal(where, "weights as floating-point numbers", "quantised ones (quantization_config)", remedy)
    return config, kind


def _shapes(folder: Path) -> dict:
    """Every weight of a checkpoint by name, of its shape and without values, from the files' headers.

    As whole numbers where it is no floating-point number of 16 bits or more: what is quantised is nothing without its
    scales.
    """
    import torch
    from safetensors import safe_open

    found = {}
    for file in weight_files(folder):
        with safe_open(file, "pt") as checkpoint:
            for name in checkpoint.keys():  # noqa: SIM118, it is no dictionary
                weight = checkpoint.get_slice(name)
                kind = torch.float32 if weight.get_dtype() in FLOATS else torch.int8
                found[name] = torch.empty(weight.get_shape(), dtype=kind, device="meta")
    return found


def _refuse_misfit(source, model, shapes: dict, missing_keys, unexpected_keys, mismatched_keys, **_) -> None:
    """Refuses a checkpoint that lacks weights of the model, but for a pooler's, or has them twice or in other forms."""
    where, kind = f"Encoder {source}", type(model).__name__
    remedy = "Is it the config.json of another model, or was it saved in part?"
    prefix = f"{model.base_model_prefix}."
    if twice := [name for name in shapes if prefix + name in shapes]:
        found = f"{twice[0]} and {prefix}{twice[0]} (and {len(twice) - 1} more such)"
        raise refusal(where, "each weight once", found, "Which are they? Save those alone.")
    own = {name for name, _ in model.named_parameters()}
    if whole := [n for n, one in shapes.items() if not one.is_floating_point() and n.removeprefix(prefix) in own]:
        found = f"quantised ones: {_some(whole)}"
        raise refusal(where, "weights as floating-point numbers of 16 bits or more", found, "Name another.")
    if other := sorted((name, tuple(theirs), tuple(ours)) for name, theirs, ours in mismatched_keys):
        name, theirs, ours = other[0]
        found = f"{name} of shape {theirs} (and {len(other) - 1} more such)"
        raise refusal(where, f"weights in the shapes of its {kind}, as {name} {ours}", found, remedy)
    if missing := {name for name in missing_keys if not name.startswith("pooler.")}:
        foreign = Counter(prefix for name in unexpected_keys for prefix in _prefixes(name, missing)).most_common(1)
        if foreign:
            remedy = f"Its names begin with '{foreign[0][0]}': save it again without that, as of the model itself."
        found = f"none for {len(missing)} of them: {_some(sorted(missing))}"
        raise refusal(where, f"weights for all parts of its {kind}", found, remedy)


def _prefixes(name: str, missing: set[str]) -> Iterator[str]:
    """What stands before the name of a missing weight in the name of another."""
    parts = name.split(".")
    return (".".join(parts[:i]) + "." for i in range(1, len(parts)) if ".".join(parts[i:]) in missing)


def _some(names: list[str]) -> str:
    return ", ".join(names[:WEIGHTS_NAMED]) + (", …" if len(names) > WEIGHTS_NAMED else "")


@contextmanager
def _in_words(source: str | Path, expected: str) -> Iterator[None]:
    """What transformers and its like raise on a file that is not as it should be, of whatever kind, as a refusal."""
    try:
        yield
    except IntertaskError:
        raise
    except Exception as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split()[:MOST_WORDS])}".rstrip(".")
        raise refusal(f"Encoder {source}", expected, found, "Fetch or save it again.") from error


def load_tokenizer(source: str | Path):
    """The tokenizer of an encoder alone, by the names and with the errors of `load_encoder`.

    One that does not part the texts of a pair gets tokens that do. Raises IntertaskError where it is not of the
    tokenizers library, has no vocabulary or another model's.
    """
    if str(source).startswith("mini/"):
        return mini.build_tokenizer(_known_mini(str(source)))
    from transformers import AutoTokenizer

    folder = encoder_folder(source)
    config, _ = _architecture(source, folder)
    if reads_words(config):
        return WordTokenizer()
    with _in_words(source, "a tokenizer that transformers reads"):
        tokenizer = AutoTokenizer.from_pretrained(folder, config=config, trust_remote_code=False)
    with _in_words(source, "a tokenizer that reads any text"):
        ids = tokenizer("a \u0378", "a")["input_ids"]  # with a letter that there is not
    _refuse_tokenizer(source, folder, tokenizer, getattr(config.get_text_config(), "vocab_size", None), ids)
    if getattr(config, "type_vocab_size", 0) < 2:  # GPT-2 would read the segments as words, Llama refuses them
        tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
    add_separators(tokenizer)
    return tokenizer


def _refuse_tokenizer(source: str | Path, folder: Path, tokenizer, embeddings: int | None, ids: list[int]) -> None:
    """Refuses one that the library cannot read, that transformers made up, or whose tokens are not the encoder's.

    ids: what it gives for a text, with all that it puts around one.
    """
    where = f"Encoder {source}"
    if not tokenizer.is_fast:
        expected = "a tokenizer of the tokenizers library"
        raise refusal(where, expected, type(tokenizer).__name__, "Add a tokenizer.json to the encoder's folder.")
    here, own = {path.name for path in folder.iterdir()}, set(tokenizer.vocab_files_names.values()) - {TOKENIZER}
    remedy = "Fetch the tokenizer's files from where the encoder comes."
    if TOKENIZER not in here and not (own and own <= here):  # transformers would make one up, that knows nothing
        expected = " or ".join([TOKENIZER, *([" and ".join(sorted(own))] if own else [])])
        raise refusal(where, f"{expected} in {folder}", "no such files", remedy)
    added = tokenizer.added_tokens_encoder  # made anew whenever it is asked for
    own = [place for token, place in tokenizer.get_vocab().items() if token not in added]
    if not own:
        raise refusal(where, "a tokenizer with words", "one that knows special tokens alone", remedy)
    rows = max(embeddings or 0, len(tokenizer))  # as many as there will be, with those of added tokens
    if (last := max(own)) >= (embeddings or rows) or (last := max(ids, default=0)) >= rows:
        found = f"the id {last} ({tokenizer.convert_ids_to_tokens(last)}) of its tokenizer"
        raise refusal(where, f"ids below {embeddings}, the number of the encoder's embeddings", found, remedy)


def longest(encoder) -> int | None:
    """How many tokens the encoder's positions are enough for; None: any number.

    RoBERTa and its kin count positions from behind the padding's: of 514 they use 512.
    """
    positions = getattr(encoder.config, "max_position_embeddings", None) or 0
    tables = (module for name, module in encoder.named_modules() if name.endswith("position_embeddings"))
    before = [table.padding_idx + 1 for table in tables if getattr(table, "padding_idx", None) is not None]
    return positions - max(before, default=0) if positions > 0 else None


def mixed_layers(config) -> int:
    """How many layers an encoder of this configuration offers to a head, its embeddings among them."""
    return getattr(config, "mixed_layers", config.num_hidden_layers + 1)


def reads_ahead(encoder) -> bool:
    """Whether the state of a token depends on a later one; of an encoder without weights one like it is asked.

    Raises IntertaskError for a model that does not read tokens alone, or whose configuration does not fit together.
    """
    import torch

    if reads_words(encoder.config):
        return True  # from both sides
    if encoder.device.type == "meta":
        return _kind_reads_ahead(type(encoder), encoder.config.to_json_string())
    training = encoder.training
    encoder.eval()
    # ids of any vocabulary, alike but for the last; with the mask, or XLM takes one of them for padding
    ids = torch.tensor([4 * [1, 2, 3, 4], [*3 * [1, 2, 3, 4], 1, 2, 3, 5]], device=encoder.device)
    try:
        with torch.inference_mode():
            one, other = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, :-1]
    except Exception as error:
        expected, found = "a model that reads tokens", f"{type(error).__name__}: {error}"
        raise refusal(type(encoder).__name__, expected, found, "Is its config.json whole, and its own?") from error
    encoder.train(training)
    return not torch.allclose(one, other, atol=1e-5)  # rounding may differ between the rows of a batch


@cache
def _kind_reads_ahead(kind: type, config: str) -> bool:
    """What `reads_ahead` says of the architecture's first layer, with random weights and few words."""
    import torch

    values = json.loads(config)
    layers = kind.config_class.attribute_map.get("num_hidden_layers", "num_hidden_layers")
    if count := values.get(layers):
        # what is said of each layer is said of the first
        listed = [name for name, value in values.items() if isinstance(value, list) and len(value) == count]
        values |= {name: values[name][:1] for name in listed}
        values[layers] = 1
    with torch.random.fork_rng(devices=[]):
        return reads_ahead(kind(kind.config_class(**values | {"vocab_size": 8, "pad_token_id": 0})))


def checkpoint_gradients(encoder) -> None:
    """Has training compute each layer again when its gradients are due, instead of keeping it: less memory, more time.

    Raises IntertaskError where transformers has no such thing for the architecture, as for ALBERT and the first GPT.
    """
    if not encoder.supports_gradient_checkpointing:
        raise IntertaskError(
            f"gradient_checkpointing: transformers offers none for {type(encoder).__name__}. Leave it out, and lower "
            "per_device_train_batch_size while raising gradient_accumulation_steps."
        )
    encoder.config.use_cache = False  # which transformers would say, run after run
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
    """A hash of an encoder's configuration and weights as they lie on disk; of a mini encoder, being code, its name."""
    if source.startswith("mini/"):
        return _known_mini(source)
    return while_unchanged((source, os.environ.get("INTERTASK_HUB")), lambda: _fingerprint(source))


def _fingerprint(source: str) -> tuple[str, list[Path]]:
    folder, digest = encoder_folder(source), hashlib.sha256()
    name = source if source in BY_NAME and source != "elmo" else ""  # of the same files as elmo
    digest.update(name.encode())
    folders = [folder, *filter(None, [_adapter_folder(source)])]
    files = [file for one in folders for file in sorted(path for kind in ENCODER_FILES for path in one.glob(kind))]
    for file in files:
        digest.update(file.name.encode() + bytes.fromhex(file_digest(file)))
    return digest.hexdigest()[:16], [*folders, *files]


def encoder_bytes(source: str) -> int:
    """The size of the encoder's weights."""
    if source.startswith("mini/"):
        return mini.BYTES
    files = encoder_folder(source).iterdir()
    return sum(file.stat().st_size for file in files if file.suffix in (".safetensors", ".hdf5"))


def encoder_folder(source: str | Path) -> Path:
    """The local folder of an encoder, fetched from the Hub if need be; refused where it holds no usable weights.

    Of an adapter the folder of its base.
    """
    if source in BY_NAME:
        return elmo_folder()
    if base := adapter_base(source):
        return encoder_folder(base)
    folder = named_folder(source)
    where, found = f"Encoder {source}", sorted(path.name for path in folder.iterdir())
    if "config.json" not in found and not published_files(folder):
        raise refusal(where, f"config.json in {folder}", f"{found or 'nothing'}", "Fetch or save it again.")
    refuse_unreadable(source, folder, ENCODER_FILES)
    if published_files(folder):
        return folder
    with _in_words(source, f"a {SHARDS} that can be read"):
        weights = weight_files(folder)
    if not all(path.is_file() and path.parent == folder for path in weights):  # none elsewhere: ids know of these alone
        remedy = f"Convert them, if there are others: intertask encoder convert {source} FOLDER."
        raise refusal(where, f"weights as .safetensors in {folder}, all that {SHARDS} names", f"{found}", remedy)
    return folder


def named_folder(source: str | Path, patterns: Iterable[str] = ENCODER_FILES) -> Path:
    """The local folder of that name, or the Hub's files that match the patterns; `owner/name@revision`: at that one."""
    if Path(source).is_dir():
        return Path(source)
    repo, at, revision = str(source).partition("@")
    if at and not revision:
        raise refusal(f"Encoder {source}", "a revision behind the @", "none", "Name one, or leave the @ out.")
    return hub.folder(repo, "model", patterns, revision or "main")


def refuse_unreadable(source: str | Path, folder: Path, patterns: Iterable[str]) -> None:
    """Refuses files that are none, or of which there is but a pointer."""
    files = sorted(path for path in folder.iterdir() if any(fnmatch(path.name, pattern) for pattern in patterns))
    if odd := [path.name for path in files if not path.is_file()]:
        found = f"a folder, or a link to nothing ({', '.join(odd)})"
        raise refusal(f"Encoder {source}", f"files in {folder}", found, "Fetch or save it again.")
    if pointers := [path.name for path in files if hub.is_pointer(path)]:
        found, remedy = f"pointers of Git LFS ({', '.join(pointers)})", "Run `git lfs pull` in the clone."
        raise refusal(f"Encoder {source}", f"the files themselves in {folder}", found, remedy)


def adapter_base(source: str | Path) -> str | None:
    """The name of the encoder that an adapter of peft's was trained beside; None of what is no adapter."""
    folder = _adapter_folder(source)
    if not folder:
        return None
    refuse_unreadable(source, folder, ENCODER_FILES)
    with _in_words(source, f"an {ADAPTER} that can be read"):
        base = base_of(str(source), folder)
    try:
        nested = _adapter_folder(base)
    except IntertaskError as error:
        raise IntertaskError(f"Encoder {source}: the adapter's base {base} is not at hand. {error}") from None
    if nested:
        raise refusal(
            f"Encoder {source}", "an adapter beside an encoder", f"one beside an adapter, {base}", "Merge it."
        )
    return base


def _adapter_folder(source: str | Path) -> Path | None:
    if source in BY_NAME or str(source).startswith("mini/"):
        return None
    folder = named_folder(source)
    return folder if (folder / ADAPTER).exists() else None


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers reads the weights from, which may be missing."""
    if (folder / WEIGHTS).is_file() or not (folder / SHARDS).is_file():
        return [folder / WEIGHTS]
    shards = json.loads((folder / SHARDS).read_text(encoding="utf-8"))["weight_map"].values()
    return [folder / name for name in dict.fromkeys(shards)]


def _known_mini(name: str) -> str:
    if name not in mini.MINI:
        raise IntertaskError(f"There is no encoder {name}.{did_you_mean(name, mini.MINI)}")
    return name
