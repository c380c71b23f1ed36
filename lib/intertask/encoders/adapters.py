"""Adapters of peft that others trained: what such a folder says, and its additions merged into an encoder."""

import json
from pathlib import Path

from intertask.errors import refusal

ADAPTER, ADDITIONS = "adapter_config.json", "adapter_model.safetensors"
SAVED_AS = "base_model.model."
"""What peft puts before the names of an adapter's weights."""
MISFITS_NAMED = 4


def base_of(source: str, folder: Path) -> str:
    """The encoder that an adapter was trained beside, with its revision where one is named.

    Raises IntertaskError where none is named, or the additions are not there as .safetensors.
    """
    said = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
    where = f"Encoder {source}"
    if not (folder / ADDITIONS).is_file():
        found = sorted(path.name for path in folder.iterdir())
        remedy = "Load it with peft in an environment that you trust, and save it again."
        raise refusal(where, f"an adapter's {ADDITIONS} in {folder}", f"{found}", remedy)
    base, revision = said.get("base_model_name_or_path"), said.get("revision")
    if not base:
        raise refusal(
            where, f"base_model_name_or_path in its {ADAPTER}, an adapter's", f"{base!r}", "Write its base there."
        )
    return f"{base}@{revision}" if revision and not Path(base).is_dir() else str(base)


def with_adapter(encoder, folder: Path, source: str, weights: bool = True):
    """The encoder with an adapter's additions in its weights; of a head that was saved with them nothing is read.

    weights: False where the encoder has none: then it is only looked whether the additions fit. Raises IntertaskError
    where they do not, or are of a kind that stays beside the weights, as virtual tokens do.
    """
    from peft import PeftConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict
    from safetensors.torch import load_file
    from torch import nn

    from intertask.encoders.lora import merge

    config, where = PeftConfig.from_pretrained(str(folder)), f"Encoder {source}"
    if config.is_prompt_learning:
        kind = config.peft_type.value
        raise refusal(where, "an adapter that can be merged, as LoRA", f"one of kind {kind}", "Name another.")
    state = {name.removeprefix(SAVED_AS): value for name, value in load_file(folder / ADDITIONS).items()}
    before = f"{encoder.base_model_prefix}."
    headed = any(name.startswith(before) for name in state)  # it was trained with a head on the encoder
    holder = nn.ModuleDict({before[:-1]: encoder}) if headed else encoder
    parts = {before * headed + name for name, part in encoder.named_children() if part is not None}
    state = {name: value for name, value in state.items() if any(name.startswith(f"{part}.") for part in parts)}
    config.modules_to_save, config.task_type = None, None
    inject_adapter_in_model(config, holder)
    own = get_peft_model_state_dict(holder)
    # a pooler that the model had not, with which it was trained, is drawn anew, and has nothing added
    own = {name: value for name, value in own.items() if name in state or ".pooler." not in f".{name}"}
    if misfits := sorted(
        name for name in own | state if getattr(own.get(name), "shape", None) != getattr(state.get(name), "shape", None)
    ):
        found = f"others: {', '.join(misfits[:MISFITS_NAMED])} ({len(misfits)} in all)"
        expected = "an adapter's additions to the weights of its base, of their shapes"
        raise refusal(where, expected, found, "Was it trained beside this one?")
    if weights:
        set_peft_model_state_dict(holder, state)
    merge(encoder)
    vars(encoder).pop("peft_config", None)
    if any(type(part).__module__.startswith("peft.") for part in encoder.modules()):
        found = f"one of kind {config.peft_type.value} with parts that stay"
        raise refusal(where, "an adapter that can be merged, as LoRA", found, "Name another.")
    return encoder.requires_grad_(True)
