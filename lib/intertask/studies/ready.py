"""An encoder made ready for a run, and refused where it cannot be trained or read as the run says.

The run asks with the weights, `check` without: of the same encoder both say the same.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from intertask.encoders.lora import with_lora
from intertask.encoders.mini import ON_ELMO, on_elmo
from intertask.encoders.own_head import FORMS, OwnHead, own_head
from intertask.encoders.pretrained import (
    adapter_base,
    checkpoint_gradients,
    encoder_fingerprint,
    load_encoder,
    longest,
    mixed_layers,
)
from intertask.encoders.word_tokenizer import reads_words
from intertask.errors import IntertaskError, did_you_mean, refusal
from intertask.formats import Format, find_format
from intertask.formats.causal_language_modelling import refuse_reading_ahead
from intertask.formats.classification import Classification
from intertask.run import Run
from intertask.tasks.load import Task

ALIKE = ("model_type", "hidden_size", "num_hidden_layers", "vocab_size")
"""What a ready-made model's configuration has in common with that of the encoder that it was trained from."""

MOST_UNKNOWN = 0.2
"""The largest share of a split's tokens that a tokenizer may not know, unsaid."""


def prepared_encoder(run: Run, start: str | Path, weights: bool = True):
    """The encoder at `start` and its tokenizer, ready to be trained as the run says; `weights` as of `load_encoder`.

    Raises IntertaskError where it cannot be: with those of `load_encoder`, for a max_length over its positions, and for
    what its architecture has not (LoRA's layers, gradient checkpointing, reading from left to right).
    """
    encoder, tokenizer = load_encoder(start, run.pooling, run.seed_of("head"), run.random_weights, weights)
    if run.encoder == ON_ELMO and encoder.config.model_type == "elmo":  # of the run that pretrained it
        encoder = on_elmo(encoder, run.seed_of("head"))
    most = longest(encoder)
    if most and run.max_length > most:
        raise IntertaskError(f"max_length: {run.max_length} tokens, but {run.encoder} reads at most {most}. Lower it.")
    if run.tuning == "lora":
        with_lora(encoder, run.lora_r, run.lora_alpha, run.seed_of("head"))
    if run.gradient_checkpointing:
        checkpoint_gradients(encoder)
    if run.language_modelling_weight:
        refuse_reading_ahead(encoder, "language_modelling_weight", "Use 0")
    return encoder, tokenizer


def check_reading(run: Run, encoder: nn.Module, tokenizer, form: Format) -> None:
    """Refuses what a format cannot read of the encoder as the run says.

    A layer that the encoder lacks, a pooler over another than the last, a first token that stands last, a language
    model kept frozen, without a token for what is masked, or that has seen what it should predict.
    """
    layers = mixed_layers(encoder.config) - 1
    if layers == 0 and (run.scalar_mix or run.layer is not None):
        found = f"{run.encoder}, which offers its top layer alone"
        key = "scalar_mix" if run.scalar_mix else "layer"
        raise refusal(key, "an encoder that offers several layers", found, "Leave it out.")
    if run.layer is not None and run.layer > layers:
        raise IntertaskError(
            f"layer: expected 0 to {layers}, the layers of {run.encoder}, found {run.layer}. Lower it."
        )
    if run.layer is not None and run.pooling == "pooler":
        raise IntertaskError("pooling: the pooler reads the last layer only, found layer too. Use first or mean.")
    if reads_words(encoder.config):
        if form.both_orders:
            found = f"{run.encoder}, which reads each text by itself"
            raise refusal("both_orders", "an encoder that reads two texts together", found, "Leave it out.")
        if form.pools and run.pooling != "mean":
            found = f"{run.encoder}, which reads words alone"
            raise refusal(
                f"pooling: {run.pooling}",
                "an encoder with a token for it",
                found,
                "Use pooling: mean, or classifier: small.",
            )
        if form.pools and len(form.entry.inputs) > 1:
            found = f"{run.encoder}, which reads each text by itself"
            remedy = "Use classifier: small, which compares what it makes of both."
            raise refusal("classifier: linear", "an encoder that reads two texts together", found, remedy)
    elif form.pools and run.pooling == "first" and tokenizer.cls_token_id in tokenizer("a")["input_ids"][1:]:
        found = f"{run.encoder}, whose {tokenizer.cls_token} stands last"
        raise refusal("pooling: first", "an encoder whose first token is for the whole text", found, "Use last.")
    if form.separate_directions and getattr(encoder.config, "direction_size", None) is None:
        expected = "an encoder with a model per direction, whose states have not seen the words to predict"
        found = f"{run.encoder}, which reads both ways"
        remedy = "Name bilm, elmo, mini/bilm or mini/elmo, or use masked_language_modelling."
        raise refusal(f"Task {form.entry.name}", expected, found, remedy)
    if run.tuning == "frozen" and form.corrupts:
        raise IntertaskError(f"tuning: frozen, but {form.entry.name} reads another input every time. Use tuning: full.")
    if run.tuning == "frozen" and form.tied:
        found = f"frozen for {form.entry.name}, whose head is the encoder's own embeddings"
        raise refusal("tuning", "something to train", found, "Use tuning: full.")
    if form.corrupts and tokenizer.mask_token_id is None:
        expected, remedy = "a tokenizer with a token for what is masked", "Use causal_language_modelling."
        raise refusal(f"Task {form.entry.name}", expected, f"none in that of {run.encoder}", remedy)


def check_weights(run: Run, tasks: Iterable[Task]) -> None:
    """Refuses class_weight where the run has no classification, or none with a label that is named."""
    found = [task.entry for task in tasks if isinstance(task.form, Classification)]
    if not found:
        remedy = "Leave it out or, in a study, say it under per_task or per_target."
        raise refusal("class_weight", "a classification, one label of several", f"none in {run.label}", remedy)
    known = {name for entry in found for name in entry.labels}
    for name in run.class_weight if isinstance(run.class_weight, dict) else ():
        if name not in known:
            whose = " and ".join(entry.name for entry in found)
            raise refusal("class_weight", f"labels of {whose}", f"'{name}'", did_you_mean(name, known))


def check_ready_made(model: str, base: str) -> None:
    """Refuses a model that cannot have been trained from the base: of another architecture, or with other tokens."""
    where, remedy = f"supporting {model}", "Name the encoder that it was trained from as its base."
    beside = adapter_base(model)
    if beside and encoder_fingerprint(beside) != encoder_fingerprint(base):
        raise refusal(where, f"an adapter of its base {base}", f"one of {beside}, of other files", remedy)
    (encoder, tokenizer), (other, its_tokenizer) = (load_encoder(name, weights=False) for name in (model, base))
    for name in ALIKE:
        own, its = (getattr(one.config.get_text_config(), name, None) for one in (encoder, other))
        if own != its:
            raise refusal(where, f"{name} {its}, as its base {base} has", f"{own}", remedy)
    text = "Ann's 3 naïve Bees"
    for reads in (lambda one: one.get_vocab(), lambda one: dict(enumerate(one(text, text)["input_ids"]))):
        own, its = reads(tokenizer), reads(its_tokenizer)
        if differing := sorted((str(key) for key in own | its if own.get(key) != its.get(key)), key=len):
            found = f"others ({differing[0]!r}, and {len(differing) - 1} more)"
            raise refusal(where, f"the tokens of its base {base}", found, remedy)


def check_texts(run: Run, task: Task, encoder: nn.Module, tokenizer) -> None:
    """Refuses what training on the task would before its first step: the head's needs, and texts cut too much."""
    form = find_format(task.entry.format)(task.entry, both_orders=run.both_orders, classifier=run.classifier)
    check_reading(run, encoder, tokenizer, form)
    form.learn(task.whole_train)
    form.head(encoder, run.pooling, run.dropout)
    if run.reuse_head and not run.parent:
        own_order(run, form, run.encoder)
    for rows in task.splits.values() if form.needs_room or reads_words(encoder.config) else ():
        form.encode(rows, tokenizer, run.max_length)


def own_order(run: Run, form: Format, source: str | Path) -> tuple[OwnHead, list[int]] | None:
    """A ready-made checkpoint's own head and, of each label of a task, its place there, whatever its capitals.

    None where it has no classifying head, or one for another number of labels. Raises IntertaskError where that of as
    many does not name them alike, or is read otherwise than the run says.
    """
    own = own_head(source) if form.comparable and not run.random_weights else None
    names = form.entry.labels
    if own is None or len(own.labels) != len(names):
        return None
    where, theirs = f"reuse_head, encoder {source}", [label.casefold() for label in own.labels]
    if all(re.fullmatch(r"label_\d+", label) for label in theirs):
        remedy = f"Write into its config.json which of {', '.join(names)} each is, or leave reuse_head out."
        raise refusal(where, "names of its labels in id2label of its config.json", ", ".join(own.labels), remedy)
    if sorted(theirs) != sorted(label.casefold() for label in names):
        remedy = "If they are the same, name them alike there (id2label); else leave reuse_head out for this task."
        raise refusal(where, f"the labels of {form.entry.name}, {names}", f"{own.labels}", remedy)
    if not own.weights:
        expected = f"a head as that of {', '.join(FORMS)}, which reads a pooler"
        raise refusal(where, expected, own.kind, "Leave reuse_head out: the head is then fresh.")
    if (run.pooling, run.classifier, run.layer, run.scalar_mix) != ("pooler", "linear", None, False):
        read = ("pooling", "classifier", "layer", "scalar_mix")
        found = ", ".join(f"{name}: {getattr(run, name)}" for name in read)
        remedy = "Say pooling: pooler and leave the others out, or leave reuse_head out."
        raise refusal(where, "that a linear layer reads the pooler, as its own head does", found, remedy)
    return own, [theirs.index(label.casefold()) for label in names]


def unknown_words(task: Task, tokenizer) -> list[str]:
    """A sentence for each split of whose tokens more than MOST_UNKNOWN are unknown to the tokenizer."""
    shares = {split: task.form.unknown_share(rows, tokenizer) for split, rows in task.splits.items()}
    return [
        f"the tokenizer does not know {share:.0%} of the tokens of {task.entry.name}, {split}. Is it of this language?"
        for split, share in shares.items()
        if share > MOST_UNKNOWN
    ]
