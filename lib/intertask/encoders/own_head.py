"""The classifying head that a ready-made checkpoint has of its own, where one of ours can be what it is."""

import json
from pathlib import Path
from typing import NamedTuple

from intertask.encoders.elmo_files import published_files
from intertask.encoders.pretrained import encoder_folder, weight_files
from intertask.errors import number_of, refusal

_LINEAR = {f"linear.{kind}": f"classifier.{kind}" for kind in ("weight", "bias")}
_LAYERS = {f"linear.{kind}": f"classifier.out_proj.{kind}" for kind in ("weight", "bias")}
_LAYERS |= {f"pooler.dense.{kind}": f"classifier.dense.{kind}" for kind in ("weight", "bias")}
FORMS = dict.fromkeys(("bert", "albert"), _LINEAR)
FORMS |= dict.fromkeys(("roberta", "xlm-roberta", "camembert", "mpnet"), _LAYERS)
"""By model type, which of the checkpoint's weights are those of a linear layer on the pooler: BERT's reads the pooler;
RoBERTa's first layer does to the first token what its pooler would, and becomes that."""


class OwnHead(NamedTuple):
    """`labels`: the names of its outputs; `weights`: ours by name, as the checkpoint names them, none if of no FORM."""

    kind: str
    labels: list[str]
    weights: dict[str, str]


def own_head(source: str | Path) -> OwnHead | None:
    """The head of a …ForSequenceClassification as its config.json and the headers of its weights say it; else None.

    Raises IntertaskError where they say different things.
    """
    if str(source).startswith("mini/") or published_files(folder := encoder_folder(source)):
        return None
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = next((name for name in config.get("architectures") or [] if name.endswith("ForSequenceClassification")), "")
    if not kind:
        return None
    names = config.get("id2label") or {str(i): f"LABEL_{i}" for i in range(2)}  # which transformers leaves unsaid
    own = OwnHead(kind, [str(names[i]) for i in sorted(names, key=int)], FORMS.get(config["model_type"], {}))
    if own.weights and len(own_weights(source, own).get("linear.bias", ())) != len(own.labels):
        expected = f"weights of its {kind} for the {number_of(len(names), 'label')} in id2label of its config.json"
        raise refusal(f"Encoder {source}", expected, "others, or none", "Fetch or save it again.")
    return own


def own_weights(source: str | Path, own: OwnHead) -> dict:
    """The weights of the head, by our names, as torch tensors."""
    from safetensors import safe_open

    found = {}
    for file in weight_files(encoder_folder(source)):
        with safe_open(file, "pt") as checkpoint:
            names = {*checkpoint.keys()}
            found |= {ours: checkpoint.get_tensor(name).float() for ours, name in own.weights.items() if name in names}
    return found
