"""The heads that formats share, and the pooling of an encoder's states into one vector."""

import torch
from torch import nn

from intertask.encoders.pretrained import reads_ahead
from intertask.errors import IntertaskError


class TokenHead(nn.Module):
    """Dropout and one linear layer on every token (Devlin et al. 2019, sections 4.2 and 5.3), drawn as its own."""

    def __init__(self, encoder: nn.Module, outputs: int, dropout: float | None = None):
        super().__init__()
        self.dropout = nn.Dropout(rate(encoder, dropout))
        self.linear = nn.Linear(encoder.config.hidden_size, outputs)
        nn.init.normal_(self.linear.weight, std=getattr(encoder.config, "initializer_range", 0.02))
        nn.init.zeros_(self.linear.bias)

    def reads(self, outputs, batch) -> torch.Tensor:
        return outputs.last_hidden_state

    def forward(self, hidden: torch.Tensor, batch) -> torch.Tensor:
        return self.linear(self.dropout(hidden))


class PooledHead(TokenHead):
    """The same on one vector per sequence (Devlin et al. 2019, section 4.1); those of a pair's two orders are added.

    (Radford et al. 2018, section 3.3.) The batch tells: a head may serve tasks read in both orders and tasks that are
    not.
    """

    def __init__(self, encoder: nn.Module, outputs: int, pooling: str, dropout: float | None = None):
        if pooling == "first" and not reads_ahead(encoder):
            raise IntertaskError(
                f"pooling: first, but {type(encoder).__name__} reads from left to right: its first token knows nothing "
                "of the rest. Use last or mean."
            )
        super().__init__(encoder, outputs, dropout)
        self.pooling = pooling

    def reads(self, outputs, batch) -> torch.Tensor:
        return pool_states(outputs, batch["attention_mask"], self.pooling)

    def forward(self, vectors: torch.Tensor, batch) -> torch.Tensor:
        if "swapped" in batch:
            vectors = vectors[~batch["swapped"]] + vectors[batch["swapped"]]
        return super().forward(vectors, batch)


class TiedHead(nn.Module):
    """Of the chosen tokens; a decoder that is the encoder's input embeddings and nothing else, as in GPT."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self._embeddings = [encoder.get_input_embeddings()]  # in a list: the weights belong to the encoder

    def reads(self, outputs, batch) -> torch.Tensor:
        return outputs.last_hidden_state[batch["chosen"]]

    def forward(self, hidden: torch.Tensor, batch) -> torch.Tensor:
        return hidden @ self._embeddings[0].weight.T


def rate(encoder: nn.Module, dropout: float | None) -> float:
    """The dropout given or, where None, the encoder's own, which has other names in GPT-2 and DistilBERT; else 0.1."""
    names = ("hidden_dropout_prob", "resid_pdrop", "dropout")
    own = (getattr(encoder.config, name) for name in names if hasattr(encoder.config, name))
    return next(own, 0.1) if dropout is None else dropout


def pool_states(outputs, attention_mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """(batch, tokens, width) to (batch, width): the `first` or the `last` token, the encoder's `pooler`, or the `mean`.

    The last is the last that is no padding, which stands on the right.
    """
    if pooling == "pooler":
        return outputs.pooler_output
    if pooling == "first":
        return outputs.last_hidden_state[:, 0]
    if pooling == "last":
        last = attention_mask.sum(1) - 1
        return outputs.last_hidden_state[torch.arange(len(last), device=last.device), last]
    mask = attention_mask.unsqueeze(-1).to(outputs.last_hidden_state.dtype)
    return (outputs.last_hidden_state * mask).sum(1) / mask.sum(1)
