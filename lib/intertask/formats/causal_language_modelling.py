"""Causal language modelling: every token but the first is predicted from those before it (Radford et al. 2018)."""

import torch
from torch import nn

from intertask.errors import IntertaskError
from intertask.formats.base import pad
from intertask.formats.masked_language_modelling import MaskedLanguageModelling


class CausalLanguageModelling(MaskedLanguageModelling):
    """Labels are the ids of the tokens that follow; the main score is their accuracy."""

    corrupts = False

    def collate(self, encoded, index, tokenizer, rng):
        batch = pad(encoded, index, tokenizer)
        chosen = batch["attention_mask"].bool()
        chosen = chosen & chosen.roll(-1, dims=1)
        chosen[:, -1] = False
        batch["chosen"] = chosen
        batch["labels"] = batch["input_ids"][:, 1:][chosen[:, :-1]]
        return batch

    def head(self, encoder, pooling):
        """Refuses an encoder that reads what it should predict."""
        if reads_ahead(encoder):
            raise IntertaskError(
                f"causal_language_modelling: expected an encoder that reads from left to right, found "
                f"{type(encoder).__name__}, whose first tokens depend on the last. Use "
                "masked_language_modelling, or a left-to-right encoder."
            )
        return TiedHead(encoder)

    def loss(self, logits, batch):
        return super().loss(logits, batch) if len(logits) else logits.sum()  # a batch of texts of one token


class TiedHead(nn.Module):
    """A decoder that is the encoder's input embeddings and nothing else, as in GPT."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self._embeddings = [encoder.get_input_embeddings()]  # in a list: the weights belong to the encoder

    def reads(self, outputs, batch) -> torch.Tensor:
        return outputs.last_hidden_state[batch["chosen"]]

    def forward(self, hidden: torch.Tensor, batch) -> torch.Tensor:
        return hidden @ self._embeddings[0].weight.T


@torch.inference_mode()
def reads_ahead(encoder) -> bool:
    """Whether the state of a token depends on a later one."""
    training = encoder.training
    encoder.eval()
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]], device=next(encoder.parameters()).device)
    one, other = encoder(input_ids=ids).last_hidden_state[:, :3]
    encoder.train(training)
    return not torch.allclose(one, other, atol=1e-5)
