"""Low-rank adaptation (Hu et al. 2022): small matrices beside an encoder's own, which stay as they are."""

import copy
import re

import torch
from torch import nn

from intertask.encoders.word_tokenizer import reads_words
from intertask.errors import refusal


def with_lora(encoder, r: int, alpha: float, seed: int):
    """The encoder with adapters of rank `r`, scaled by alpha / r, beside all linear layers of its blocks; in place.

    Nothing but the adapters requires gradients. The same seed draws the same; before any training they change nothing.
    Raises IntertaskError where there are no such layers.
    """
    from peft import LoraConfig, inject_adapter_in_model
    from transformers.pytorch_utils import Conv1D

    layers = {name: layer for name, layer in encoder.named_modules() if isinstance(layer, (nn.Linear, Conv1D))}
    blocks = [name for name in layers if re.search(r"\.\d+\.", f".{name}")]  # the pooler lies in none
    if not blocks or reads_words(encoder.config):  # of which the layers beside LSTMs are those of the characters
        found = f"{type(encoder).__name__}, which has none"
        raise refusal("tuning: lora", "an encoder with linear layers in its blocks", found, "Use full or frozen.")
    config = LoraConfig(r=r, lora_alpha=alpha, target_modules=blocks, fan_in_fan_out=transposed(encoder))
    torch.manual_seed(seed)
    return inject_adapter_in_model(config, encoder)


def transposed(model) -> bool:
    """Whether the weights of its linear layers lie the other way round, as GPT-2's."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(layer, Conv1D) for layer in model.modules())


def merged(encoder):
    """A copy with the adapters added to the weights that they stand beside: what `save_encoder` should write."""
    return merge(copy.deepcopy(encoder))


def merge(encoder):
    """Adds the adapters to the weights that they stand beside, in place, and takes them away."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, layer in list(encoder.named_modules()):
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            encoder.set_submodule(name, layer.get_base_layer())
    return encoder
