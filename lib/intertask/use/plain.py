"""A stored model as one of plain transformers: the encoder's weights, and such for the class's own head that make it
equal.

Classes of transformers have one linear layer on the encoder, as Intertask's heads, or two with an activation between
(BERT, RoBERTa), perhaps a norm too (ModernBERT). There the first layer holds every output twice, e times it and -e
times it, and the last takes the difference: what gelu, relu and silu make of x less what they make of -x is x itself,
tanh's is 2x where e is small, and a norm scales all outputs alike where the layer's other units are constant and large
beside them.
"""

import copy
from typing import Any

import torch
import transformers
from torch import nn

from intertask.errors import number_of, refusal
from intertask.formats.heads import TokenHead
from intertask.formats.masked_language_modelling import VocabularyHead
from intertask.run import Run
from intertask.tasks.schema import TaskEntry
from intertask.training.model import Model, Part

AUTO_CLASSES = {
    "classification": "AutoModelForSequenceClassification",
    "multi_label": "AutoModelForSequenceClassification",
    "regression": "AutoModelForSequenceClassification",
    "tagging": "AutoModelForTokenClassification",
    "extractive_qa": "AutoModelForQuestionAnswering",
    "multiple_choice": "AutoModelForMultipleChoice",
    "cloze": "AutoModelForMultipleChoice",
    "masked_language_modelling": "AutoModelForMaskedLM",
}
"""Format -> the class of transformers that reads alike."""

SCALES = (1.0, 2**-8, 2**-12, 2**-16)
"""What e may be: powers of two, which round nothing; the first that does is taken."""
NEAR = 3e-6
"""What the outputs of both heads may differ by on the examples that e is chosen by, as a share of the largest."""

INSTEAD = "`intertask predict RUN FILE` reads the model as it is"


def class_name(run: Run, entry: TaskEntry) -> str:
    """The class of transformers for a task's head; refused where it has none that reads the same of the encoder."""
    if entry.format not in AUTO_CLASSES:
        remedy = f"Exported are {', '.join(AUTO_CLASSES)}; {INSTEAD}."
        raise refusal(entry.name, "a format that transformers has a class for", entry.format, remedy)
    other = {
        "both_orders": run.both_orders and entry.symmetric,
        f"classifier: {run.classifier}": run.classifier != "linear"
        and AUTO_CLASSES[entry.format] == "AutoModelForSequenceClassification",
        "scalar_mix": run.scalar_mix,
        "layer": run.layer is not None,
    }
    if found := next((key for key, given in other.items() if given), None):
        remedy = f"Train without {found.partition(':')[0]}, or: {INSTEAD}."
        raise refusal(entry.name, "a head that transformers has a class for", found, remedy)
    return AUTO_CLASSES[entry.format]


@torch.no_grad()
def plain_model(model: Model, part: Part, run: Run, batch: dict[str, torch.Tensor]) -> transformers.PreTrainedModel:
    """The model of one task in transformers' class; batch: some of its examples, by which the head is set.

    Raises IntertaskError where the class has no weights that make it equal.
    """
    name, head = class_name(run, part.task.entry), model.head(part)
    config = _config(model, part, run)
    try:
        plain = getattr(transformers, name).from_config(config, dtype=torch.float32).to(model.device).eval()
    except ValueError:
        expected, remedy = f"an architecture with a class {name}", f"Use another encoder, or: {INSTEAD}."
        raise refusal(part.name, expected, config.model_type, remedy) from None
    own = model.encoder.state_dict()
    plain.base_model.load_state_dict(own, strict=False)
    new = [module for _, module in _new_linears(plain, own)]
    if isinstance(head, VocabularyHead):
        _set_vocabulary(plain, head, new)
        return plain
    weight, bias = _in_range(head, part)
    if run.pooling == "pooler" and part.format.pools and len(new) == 2:  # RoBERTa's head is a pooler and a layer
        _copy(new[0], own["pooler.dense.weight"], own["pooler.dense.bias"])
        new = new[1:]
    if len(new) == 1 and new[0].bias is not None:
        _copy(new[0], weight, bias)
    elif len(new) == 2 and new[0].bias is not None and 2 * len(bias) <= new[0].out_features:
        _set_pair(*new, weight, bias, lambda: _both(model, part, plain, batch))
    else:
        layers = ", ".join(
            f"{one.in_features} to {one.out_features}" + " without bias" * (one.bias is None) for one in new
        )
        expected = f"a head in {type(plain).__name__} that can hold {number_of(len(bias), 'output')} with biases"
        raise refusal(part.name, expected, f"layers {layers}", f"Use another encoder, or: {INSTEAD}.")
    wanted, given = _both(model, part, plain, batch)
    if not (apart := float((wanted - given).abs().max())) <= 1e-3 * max(1.0, float(wanted.abs().max())):
        expected = f"a head in {type(plain).__name__} that reads what this one reads (pooling: {run.pooling})"
        fitting = "Train with pooling: first, if the encoder has that, or: " * (run.pooling != "first")
        raise refusal(part.name, expected, f"outputs that differ by {apart:.2g}", f"{fitting}{INSTEAD}.")
    return plain


def head_modules(plain: transformers.PreTrainedModel, own: dict[str, Any]) -> list[str]:
    """The names of the linear layers that the encoder, of which `own` are the weights, has not."""
    return [name for name, _ in _new_linears(plain, own)]


def plain_logits(plain, head: nn.Module, part: Part, batch: dict[str, torch.Tensor], names) -> torch.Tensor:
    """The logits of a batch as the task's own head gives them, from what transformers' class gives."""
    raw = _raw(plain, batch, names)
    if isinstance(head, VocabularyHead):
        return raw[batch["chosen"]]
    low, high = _ends(part)
    through = copy.copy(head)  # it picks and places outputs instead of states
    through._modules = {**head._modules, "linear": nn.Identity()}
    return through((raw - low) / (high - low), batch)


def _new_linears(plain: transformers.PreTrainedModel, own: dict[str, Any]) -> list[tuple[str, nn.Linear]]:
    prefix, tied = f"{plain.base_model_prefix}.", plain.get_output_embeddings()
    return [
        (name, module)
        for name, module in plain.named_modules()
        if isinstance(module, nn.Linear) and module is not tied and f"{name.removeprefix(prefix)}.weight" not in own
    ]


def _config(model: Model, part: Part, run: Run):
    """The encoder's configuration with what the class says of its head, where it says anything."""
    config, entry = copy.deepcopy(model.encoder.config), part.task.entry
    options = {
        "classifier_bias": True,
        "classifier_pooling": "mean" if run.pooling == "mean" else "cls",
        "classifier_activation": "gelu" if part.format.corrupts else "linear",
        "decoder_bias": True,
    }
    for name, value in options.items():
        if hasattr(config, name):
            setattr(config, name, value)
    if part.format.corrupts:
        config.tie_word_embeddings = True
    if entry.format in ("classification", "multi_label", "tagging"):
        config.id2label = dict(enumerate(entry.labels))
        config.label2id = {name: place for place, name in config.id2label.items()}
    if entry.format == "classification":
        config.problem_type = "single_label_classification"
    if entry.format == "multi_label":
        config.problem_type = "multi_label_classification"  # of which the pipeline takes the sigmoid
    if entry.format == "regression":
        config.id2label, config.label2id = {0: entry.label}, {entry.label: 0}
        config.problem_type = "regression"  # of which the pipeline shows the output as it is
    return config


def _ends(part: Part) -> tuple[float, float]:
    """The labels that the outputs 0 and 1 of a regression stand for; of others there is nothing to scale."""
    return part.task.entry.label_range or (0.0, 1.0)


def _in_range(head: TokenHead, part: Part) -> tuple[torch.Tensor, torch.Tensor]:
    low, high = _ends(part)
    return head.linear.weight.detach() * (high - low), head.linear.bias.detach() * (high - low) + low


def _both(model: Model, part: Part, plain, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """What a batch should give, before outputs are picked and placed, and what it gives."""
    (outputs,) = model.outputs([batch])
    weight, bias = _in_range(model.head(part), part)
    wanted = nn.functional.linear(model.reads(part, outputs, batch), weight, bias)
    given, tokens = _raw(plain, batch, model.tokenizer.model_input_names), batch["attention_mask"] > 0
    return (wanted[tokens], given[tokens]) if wanted.ndim == 3 else (wanted, given)


def _raw(plain, batch: dict[str, torch.Tensor], names) -> torch.Tensor:
    """(sequences, outputs), or (sequences, tokens, outputs)."""
    inputs = {name: batch[name] for name in {*names, "attention_mask"} if name in batch}
    kind = type(plain.get_base_model() if hasattr(plain, "get_base_model") else plain)  # within peft's
    if kind.__name__.endswith("MultipleChoice"):
        return plain(**{name: one[None] for name, one in inputs.items()}).logits[0, :, None]
    outputs = plain(**inputs)
    return torch.stack([outputs.start_logits, outputs.end_logits], -1) if "start_logits" in outputs else outputs.logits


def _copy(layer: nn.Linear, weight: torch.Tensor, bias: torch.Tensor) -> None:
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


def _set_pair(dense: nn.Linear, last: nn.Linear, weight: torch.Tensor, bias: torch.Tensor, both) -> None:
    """Has two layers give what one of that weight and bias would; both: what is wanted and what they give."""
    outputs, units = len(bias), dense.out_features
    others = torch.ones(units - 2 * outputs, device=weight.device)
    others[1::2] = -1.0  # a norm finds their mean to be 0
    others[2 * (len(others) // 2) :] = 0.0
    for scale in SCALES:
        dense.weight.zero_()
        dense.weight[: 2 * outputs] = scale * torch.cat([weight, -weight])
        dense.bias.copy_(torch.cat([scale * bias, -scale * bias, others]))
        last.weight.zero_()
        last.weight[:, : 2 * outputs] = torch.eye(outputs, device=weight.device).repeat(1, 2) / scale
        last.weight[:, outputs : 2 * outputs] *= -1
        if last.bias is not None:
            last.bias.zero_()
        wanted, given = both()
        last.weight /= (given.double() * wanted).sum() / (wanted.double() ** 2).sum()
        wanted, given = both()
        if float((wanted - given).abs().max()) <= NEAR * float(wanted.abs().max()):
            break


def _set_vocabulary(plain, head: VocabularyHead, new: list[nn.Linear]) -> None:
    """The dense layer, the norm and the biases of a head whose decoder are the embeddings."""
    out = plain.get_output_embeddings()
    inside = {*plain.base_model.modules()}
    norms = [module for module in plain.modules() if isinstance(module, nn.LayerNorm) and module not in inside]
    if len(new) != 1 or len(norms) != 1 or out is None or out.bias is None:
        expected, remedy = "a head of a layer, a norm and a decoder with biases", f"Use another encoder, or: {INSTEAD}."
        raise refusal(
            type(plain).__name__,
            expected,
            f"{number_of(len(new), 'layer')} and {number_of(len(norms), 'norm')}",
            remedy,
        )
    plain.tie_weights()
    _copy(new[0], head.dense.weight, head.dense.bias)
    norms[0].weight.copy_(head.norm.weight)
    if norms[0].bias is not None:
        norms[0].bias.copy_(head.norm.bias)
    out.bias.copy_(head.bias if norms[0].bias is not None else head.bias + out.weight @ head.norm.bias)
