"""Masked language modelling (Devlin et al. 2019, section 3.1): the pretraining of our own encoders."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from intertask.formats.base import Format, frame, pad
from intertask.formats.heads import TiedHead

CHOSEN = 0.15  # the share of the tokens that is predicted
MASKED, RANDOM = 0.8, 0.1  # what becomes of a chosen token; the rest stays as it is


class MaskedLanguageModelling(Format):
    """Labels are the ids of the chosen tokens, in the order of the examples; the main score is their accuracy."""

    inputs = (1, 1)
    labelled = False
    figure = ""
    keeps_logits = False
    corrupts = True

    def collate(self, encoded, index, tokenizer, rng):
        batch = pad(encoded, index, tokenizer)
        ids = batch["input_ids"].numpy()
        chosen = (rng.random(ids.shape) < CHOSEN) & ~np.isin(ids, tokenizer.all_special_ids)
        chosen[0, 1] |= not chosen.any()  # a short last batch must still have something to predict
        fate = rng.random(ids.shape)
        batch["chosen"] = torch.from_numpy(chosen)
        batch["labels"] = torch.from_numpy(ids[chosen])
        corrupted = np.where(chosen & (fate < MASKED), tokenizer.mask_token_id, ids)
        replaced = chosen & (fate >= MASKED) & (fate < MASKED + RANDOM)
        batch["input_ids"] = torch.from_numpy(np.where(replaced, rng.integers(0, len(tokenizer), ids.shape), corrupted))
        return batch

    def terms(self, encoded, index):
        """As many as tokens are predicted from left to right; of those to mask, which are drawn, in proportion."""
        return encoded.followed(index)

    def head(self, encoder, pooling, dropout=None):
        return VocabularyHead(encoder)

    def token(self, label: int, tokenizer) -> str:
        """A label or prediction as text."""
        return tokenizer.convert_ids_to_tokens(label)

    def predictions(self, logits, encoded, index, batch):
        """One row per token, of which no row number is kept."""
        return frame([-1] * len(logits), batch["labels"].cpu().numpy(), self.predict(logits))


class VocabularyHead(TiedHead):
    """A dense layer, and a decoder that shares its weights with the encoder's input embeddings."""

    def __init__(self, encoder: nn.Module):
        super().__init__(encoder)
        size, width = encoder.get_input_embeddings().weight.shape
        self.dense = nn.Linear(encoder.config.hidden_size, width)
        self.norm = nn.LayerNorm(width, eps=_epsilon(encoder))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, hidden: torch.Tensor, batch) -> torch.Tensor:
        return super().forward(self.norm(functional.gelu(self.dense(hidden))), batch) + self.bias


def _epsilon(encoder: nn.Module) -> float:
    """That of the encoder's own norms, as in the heads that transformers has for it; else 1e-5."""
    names = ("layer_norm_eps", "norm_eps", "layer_norm_epsilon")
    return next((getattr(encoder.config, name) for name in names if hasattr(encoder.config, name)), 1e-5)
