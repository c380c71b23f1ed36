"""The adapter of a run with LoRA as peft writes one, beside which lies all else that peft needs."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

from intertask.encoders.lora import transposed
from intertask.encoders.pretrained import adapter_base, encoder_folder
from intertask.errors import refusal
from intertask.formats import find_format
from intertask.tasks.catalogue import find_entry
from intertask.training.model import STORED_ADAPTER, Model
from intertask.use.choice import Chosen, repository
from intertask.use.plain import head_modules

TASK_TYPES = {"SequenceClassification": "SEQ_CLS", "TokenClassification": "TOKEN_CLS"}
"""What peft calls the tasks of some classes."""


def refuse_no_adapter(chosen: Chosen) -> None:
    """Refuses a run whose adapter alone would not do."""
    remedy = "Export without --adapter: it is merged into the weights."
    if find_format(find_entry(chosen.task, chosen.run.task_file).format).corrupts:
        raise refusal("--adapter", "a task with a head beside the embeddings", chosen.task, remedy)
    if chosen.run.tuning != "lora":
        raise refusal("--adapter", "a run with tuning: lora", f"tuning: {chosen.run.tuning}", "Export it without.")
    if (parent := chosen.record["parent"]) or adapter_base(chosen.run.encoder):
        found = f"one that starts from {parent or chosen.run.encoder}"
        raise refusal("--adapter", "a run that starts from a published encoder, no adapter", found, remedy)
    if not (chosen.encoder / STORED_ADAPTER).is_file():
        raise refusal(chosen.encoder / STORED_ADAPTER, "the adapter", "none: an earlier version kept it", remedy)


def write_adapter(chosen: Chosen, plain, model: Model, folder: Path) -> None:
    """The adapter as peft writes one, with the layers of the head beside it, the configuration and the tokenizer."""
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    run, own = chosen.run, model.encoder.state_dict()
    prefix = f"{plain.base_model_prefix}."
    # of what stands beside the encoder the whole module, as peft does
    names = {name if name.startswith(prefix) else name.partition(".")[0] for name in head_modules(plain, own)}
    published = encoder_folder(run.encoder)
    if len(model.tokenizer) > transformers.AutoConfig.from_pretrained(published).vocab_size:
        found = "one whose tokenizer needed more, which are random"
        remedy = "Export without --adapter: they are part of the weights then."
        raise refusal("--adapter", "an encoder with an embedding for every token", found, remedy)
    base = type(plain).from_pretrained(published, config=plain.config, dtype=torch.float32)
    kept = load_file(chosen.encoder / STORED_ADAPTER)
    config = LoraConfig(
        r=run.lora_r,
        lora_alpha=run.lora_alpha,
        target_modules=sorted({prefix + name.partition(".lora_")[0] for name in kept}),
        fan_in_fan_out=transposed(base),
        modules_to_save=sorted(names),
        # no task_type for answers: of these peft would drop the token_type_ids
        task_type=TASK_TYPES.get(type(plain).__name__.partition("For")[2]),
        inference_mode=True,
    )
    with _peft():
        wrapped = get_peft_model(base, config)
    state = {f"base_model.model.{prefix}{name.replace('.default', '')}": weights for name, weights in kept.items()}
    for name in names:
        parts = plain.get_submodule(name).state_dict()
        state |= {f"base_model.model.{name}.{key}": weights for key, weights in parts.items()}
    set_peft_model_state_dict(wrapped, state)
    said = wrapped.peft_config["default"]
    said.base_model_name_or_path, said.revision = repository(run.encoder)
    wrapped.save_pretrained(folder, save_embedding_layers=False)
    plain.config.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)


def loaded_adapter(kind: type, chosen: Chosen, folder: Path):
    """The exported adapter as peft loads it, on its encoder in the class `kind` of transformers."""
    from peft import PeftModel

    config = transformers.AutoConfig.from_pretrained(folder)
    base = kind.from_pretrained(encoder_folder(chosen.run.encoder), config=config, dtype=torch.float32)
    with _peft():
        return PeftModel.from_pretrained(base, folder)


@contextmanager
def _peft() -> Iterator[None]:
    """Does not repeat that peft asks transformers for what has another name now."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
