"""One file per format: rows to model inputs, the head, the loss, outputs to predictions."""

from intertask.formats.base import Encoded, Format
from intertask.formats.classification import Classification
from intertask.formats.masked_language_modelling import MaskedLanguageModelling
from intertask.formats.metrics import score
from intertask.formats.multiple_choice import MultipleChoice
from intertask.formats.regression import Regression

FORMATS = {
    "classification": Classification,
    "regression": Regression,
    "multiple_choice": MultipleChoice,
    "masked_language_modelling": MaskedLanguageModelling,
}

__all__ = ["FORMATS", "Encoded", "Format", "score"]
