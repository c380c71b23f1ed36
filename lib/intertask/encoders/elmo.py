"""ELMo (Peters et al. 2018) as a model of transformers: two language models of LSTMs, one from each side."""

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from intertask.encoders.characters import CharacterCNN, with_boundaries


class ElmoConfig(PretrainedConfig):
    """Sizes as in an options file of ELMo's; `hidden_size` is that of both directions."""

    model_type = "elmo"

    def __init__(
        self,
        projection_size: int = 512,
        cell_size: int = 4096,
        num_hidden_layers: int = 2,
        clip: float | None = 3.0,
        character_size: int = 16,
        filters=((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024)),
        num_highways: int = 2,
        **more,
    ):
        super().__init__(**more)
        self.projection_size, self.cell_size, self.num_hidden_layers = projection_size, cell_size, num_hidden_layers
        self.clip, self.character_size, self.num_highways = clip, character_size, num_highways
        self.filters = [list(one) for one in filters]
        self.hidden_size = 2 * projection_size

    @property
    def words(self) -> dict:
        """The sizes of the vectors of words, as `CharacterCNN` takes them."""
        return {name: getattr(self, name) for name in ("character_size", "filters", "num_highways", "projection_size")}

    @property
    def sizes(self) -> dict:
        """All that an `ElmoConfig` is made of."""
        return self.words | {name: getattr(self, name) for name in ("cell_size", "num_hidden_layers", "clip")}

    @property
    def direction_size(self) -> int:
        """Width of the states of one direction, which know nothing of the other's: forward ones first."""
        return self.projection_size


class WordModel(PreTrainedModel):
    """An encoder of words by their characters, with weights as its layers draw them: untrained it is a baseline."""

    main_input_name = "input_ids"

    def _init_weights(self, module):
        """Nothing of transformers' own."""


class ElmoModel(WordModel):
    """The states of every word in both language models, each reading the sentence from its own side."""

    config_class = ElmoConfig
    base_model_prefix = "elmo"

    def __init__(self, config: ElmoConfig):
        super().__init__(config)
        self.words = CharacterCNN(**config.words)
        layers = (
            BothWays(config.projection_size, config.cell_size, config.clip) for _ in range(config.num_hidden_layers)
        )
        self.layers = nn.ModuleList(layers)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, state=None, output_hidden_states=False, **_):
        """input_ids: (batch, words, characters), see `character_ids`; attention_mask: (batch, words), 1 for a word.

        Gives hidden_states of shape (batch, words, hidden_size), those of the words themselves first, twice, and of
        each layer, forwards and backwards beside each other. state: what the layers of an earlier batch ended with,
        which the published models begin with; the last one's is left in `state` of what is given.
        """
        mask = input_ids.any(-1).long() if attention_mask is None else attention_mask
        ids, around = with_boundaries(input_ids, mask)
        inner = slice(1, -1)
        lengths, states, ends = around.sum(1), [], []
        found = torch.stack([self.words(ids)] * 2)  # the forward model's and the backward one's
        states.append(found)
        for number, layer in enumerate(self.layers):
            given, end = layer(found, lengths, state[number] if state else None)
            found = given + found if number else given
            states.append(found)
            ends.append(end)
        states = [torch.cat([*both], dim=-1)[:, inner] * mask[..., None] for both in states]
        output = BaseModelOutput(states[-1], tuple(states) if output_hidden_states else None)
        output["state"] = ends
        return output


class BothWays(nn.Module):
    """A layer of LSTMs with projections that reads sequences from the first word on, and from the last one back.

    clip: beyond which a cell or a projected output is cut; None: never. Without projection and clip each direction is
    torch's LSTM.
    """

    def __init__(self, size: int, cells: int, clip: float | None):
        super().__init__()
        self.clip = clip
        self.reading = nn.Parameter(torch.empty(2, size, 4 * cells))
        self.recurrence = nn.Parameter(torch.empty(2, size, 4 * cells))
        self.bias = nn.Parameter(torch.empty(2, 1, 4 * cells))
        self.projection = nn.Parameter(torch.empty(2, cells, size))
        for weights in self.parameters():
            nn.init.uniform_(weights, -(cells**-0.5), cells**-0.5)  # as torch's LSTM

    def forward(self, x, lengths, state=None):
        """x: (2, batch, words, size), what each direction reads; gives the same, and what each sequence ended with."""
        backwards = places_backwards(lengths, x.shape[2])
        x = torch.stack([x[0], turned(x[1], backwards)])
        gates = (x.flatten(1, 2) @ self.reading + self.bias).unflatten(1, x.shape[1:3])
        h, c = state or (x.new_zeros(2, x.shape[1], size) for size in (x.shape[3], self.projection.shape[1]))
        outputs, shortest = [], int(lengths.min())
        for place, read in enumerate(gates.unbind(2)):  # not by its place, of which the gradient is as large as gates
            i, f, g, o = (read + h @ self.recurrence).chunk(4, dim=-1)
            new = self._clipped(f.sigmoid() * c + i.sigmoid() * g.tanh())
            given = self._clipped((o.sigmoid() * new.tanh()) @ self.projection)
            if place >= shortest:
                inside = (place < lengths)[None, :, None]
                given, new = given.where(inside, h), new.where(inside, c)
            h, c = given, new
            outputs.append(h)
        forward, backward = torch.stack(outputs, dim=2)
        return torch.stack([forward, turned(backward, backwards)]), (h.detach(), c.detach())

    def _clipped(self, x):
        return x if self.clip is None else x.clamp(-self.clip, self.clip)


def places_backwards(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """(batch, longest): the places of each sequence's words from its last to its first; padding stays behind."""
    step = torch.arange(longest, device=lengths.device)
    return (lengths[:, None] - 1 - step).where(step < lengths[:, None], step)


def turned(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(batch, words, size) in another order: at each place what stood at places (batch, words)."""
    return x.gather(1, places[..., None].expand_as(x))


class ScalarMix(nn.Module):
    """Layers mixed by weights and a scale that are learned (Peters et al. 2018, equation 1).

    The weights are a softmax's and begin equal; layers: how many.
    """

    def __init__(self, layers: int):
        super().__init__()
        self.weights, self.scale = nn.Parameter(torch.zeros(layers)), nn.Parameter(torch.ones(()))

    def mixed(self, states: torch.Tensor) -> torch.Tensor:
        """(…, layers, width) to (…, width)."""
        return self.scale * torch.einsum("...lw,l->...w", states, self.weights.softmax(0))


AutoConfig.register("elmo", ElmoConfig)
AutoModel.register(ElmoConfig, ElmoModel)
