"""Causal language modelling: every token but the first is predicted from those before it (Radford et al. 2018)."""

import torch
from torch import nn
from torch.nn import functional

from intertask.encoders.pretrained import reads_ahead
from intertask.errors import IntertaskError
from intertask.formats.base import pad
from intertask.formats.heads import TiedHead
from intertask.formats.masked_language_modelling import MaskedLanguageModelling


class CausalLanguageModelling(MaskedLanguageModelling):
    """Labels are the ids of the tokens that follow; the main score is their accuracy."""

    corrupts = False
    tied = True

    def collate(self, encoded, index, tokenizer, rng):
        batch = pad(encoded, index, tokenizer)
        batch["chosen"], batch["labels"] = following(batch["input_ids"], batch["attention_mask"])
        return batch

    def head(self, encoder, pooling, dropout=None):
        """Refuses an encoder that reads what it should predict."""
        refuse_reading_ahead(encoder, "causal_language_modelling", "Use masked_language_modelling")
        return TiedHead(encoder)

    def weight(self, encoded, index):
        return super().weight(encoded, index) - len(index)  # every token but the first


def language_modelling_loss(
    encoder: nn.Module, hidden: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor
) -> torch.Tensor:
    """The auxiliary objective of Radford et al. 2018, section 3.2: the mean cross-entropy of all next tokens.

    `hidden`: (batch, tokens, width), the encoder's last layer, of which the head has read already; the decoder is the
    encoder's input embeddings. Of an encoder that reads ahead it means nothing: see `refuse_reading_ahead`.
    """
    chosen, labels = following(input_ids, attention_mask)
    logits = hidden[chosen] @ encoder.get_input_embeddings().weight.T
    # without a next token 0, but one that backward can go through
    return functional.cross_entropy(logits.float(), labels) if len(labels) else 0.0 * hidden.float().sum()


def following(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where a token is followed by another, (batch, tokens); and the ids of those others."""
    chosen = attention_mask.bool()
    chosen = chosen & chosen.roll(-1, dims=1)
    chosen[:, -1] = False  # roll brought the first column round to the last
    return chosen, input_ids[:, 1:][chosen[:, :-1]]


def refuse_reading_ahead(encoder: nn.Module, key: str, remedy: str) -> None:
    """Raises IntertaskError, begun with `key`, for an encoder that reads what it should predict."""
    if reads_ahead(encoder):
        raise IntertaskError(
            f"{key}: expected an encoder that reads from left to right, found {type(encoder).__name__}, whose first "
            f"tokens depend on the last. {remedy}, or a left-to-right encoder."
        )
