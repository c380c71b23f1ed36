"""The heads that formats share, and the pooling of an encoder's states into one vector."""

from typing import NamedTuple

import torch
from torch import nn

from intertask.encoders.characters import read_both_ways
from intertask.encoders.elmo import ScalarMix
from intertask.encoders.pretrained import reads_ahead
from intertask.errors import IntertaskError


class Head(nn.Module):
    """What a format puts on an encoder: called with what it `reads` and the batch, it returns the logits."""

    def reads(self, outputs, batch) -> torch.Tensor:
        """What it needs of the encoder's outputs, without weights of its own: one vector per sequence, or per token."""
        return outputs.last_hidden_state


class TokenHead(Head):
    """Dropout and one linear layer on every token (Devlin et al. 2019, sections 4.2 and 5.3), drawn as its own."""

    def __init__(self, encoder: nn.Module, outputs: int, dropout: float | None = None):
        super().__init__()
        self.dropout = nn.Dropout(rate(encoder, dropout))
        self.linear = nn.Linear(encoder.config.hidden_size, outputs)
        nn.init.normal_(self.linear.weight, std=getattr(encoder.config, "initializer_range", 0.02))
        nn.init.zeros_(self.linear.bias)

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


class MixedHead(ScalarMix):
    """A head on all layers, which lie beside each other in what it reads, mixed as it learns; layers: how many."""

    def __init__(self, head: nn.Module, layers: int):
        super().__init__(layers)
        self.head = head

    @property
    def pooling(self) -> str:
        return self.head.pooling

    def reads(self, outputs, batch) -> torch.Tensor:
        return self.head.reads(outputs, batch)

    def forward(self, states: torch.Tensor, batch) -> torch.Tensor:
        return self.head(self.mixed(states.unflatten(-1, (len(self.weights), -1))), batch)


class Size(NamedTuple):
    """Of a `SentenceHead`: its projection's and hidden layer's width, its dropout, whether a pair's texts attend.

    Without a hidden layer it is a logistic regression, which of a pair's difference reads the size alone.
    """

    width: int
    dropout: float
    attention: bool = False
    hidden: bool = True


SIZES = {"small": Size(128, 0.4), "medium": Size(256, 0.2), "large": Size(512, 0.2, attention=True)}
SIZES["logistic"] = Size(512, 0.2, hidden=False)
"""Three from Wang et al. 2019, Table 5; one after Phang et al. 2018, appendix A, who state no width and no dropout."""


class SentenceHead(Head):
    """A projection of every word, of each of its outputs the largest, and a hidden layer (Wang et al. 2019, section 5).

    Of a pair, whose texts were read apart, the hidden layer reads [u; v; u · v; u - v] (Mou et al. 2016), or without
    one the regression [u; v; u · v; |u - v|] (Phang et al. 2018, appendix A). With
    attention each word has beside it what it attends to in the other text, and LSTMs read that (Seo et al. 2017).
    """

    def __init__(self, states: int, outputs: int, size: Size, pair: bool, dropout: float | None = None):
        super().__init__()
        self.pair, width = pair, size.width
        self.projection = nn.Linear(states, width)
        self.attention = CrossAttention(width) if pair and size.attention else None
        vector = (2 if self.attention else 1) * (4 if pair else 1) * width
        self.hidden = nn.Linear(vector, width) if size.hidden else None
        self.dropout = nn.Dropout(size.dropout if dropout is None else dropout)
        self.linear = nn.Linear(width if size.hidden else vector, outputs)

    def forward(self, states: torch.Tensor, batch) -> torch.Tensor:
        words, mask = self.projection(states), batch["attention_mask"].bool()
        if self.attention:
            words = self.attention(words, mask)
        vectors = words.masked_fill(~mask[..., None], -torch.inf).amax(1)
        if self.pair:
            u, v = vectors[0::2], vectors[1::2]
            vectors = torch.cat([u, v, u * v, u - v if self.hidden else (u - v).abs()], dim=-1)
        read = self.hidden(self.dropout(vectors)).tanh() if self.hidden else vectors
        return self.linear(self.dropout(read))


class CrossAttention(nn.Module):
    """Every word beside what of the other text is like it, read by LSTMs from both sides: (sequences, words, 2 width).

    Of sequences 2i and 2i + 1 each is the other's other text. Likeness: w · [a; b; a · b].
    """

    def __init__(self, width: int):
        super().__init__()
        self.own, self.other = nn.Linear(width, 1), nn.Linear(width, 1, bias=False)
        self.both = nn.Parameter(torch.full([width], width**-0.5))
        self.lstm = nn.LSTM(3 * width, width, batch_first=True, bidirectional=True)

    def forward(self, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        turned = torch.arange(len(words), device=words.device) ^ 1  # the number of the other text
        others, there = words[turned], mask[turned]
        like = self.own(words) + self.other(others).transpose(1, 2) + (words * self.both) @ others.transpose(1, 2)
        beside = like.masked_fill(~there[:, None], -torch.inf).softmax(-1) @ others
        read = torch.cat([words, beside, words * beside], dim=-1)
        return read_both_ways(self.lstm, read, mask)


class TiedHead(Head):
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
