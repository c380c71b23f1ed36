"""One file per format: rows to model inputs, the head, the loss, outputs to predictions."""

from intertask.formats.base import Encoded, Format
from intertask.formats.causal_language_modelling import CausalLanguageModelling
from intertask.formats.classification import Classification
from intertask.formats.cloze import Cloze
from intertask.formats.extractive_qa import ExtractiveQA
from intertask.formats.masked_language_modelling import MaskedLanguageModelling
from intertask.formats.multiple_choice import MultipleChoice
from intertask.formats.regression import Regression
from intertask.formats.span_classification import SpanClassification
from intertask.formats.tagging import Tagging

FORMATS = {
    "classification": Classification,
    "regression": Regression,
    "multiple_choice": MultipleChoice,
    "cloze": Cloze,
    "span_classification": SpanClassification,
    "tagging": Tagging,
    "extractive_qa": ExtractiveQA,
    "masked_language_modelling": MaskedLanguageModelling,
    "causal_language_modelling": CausalLanguageModelling,
}

__all__ = ["FORMATS", "Encoded", "Format"]
