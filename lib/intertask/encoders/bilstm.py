"""The sentence encoders of Wang et al. 2019 as a model of transformers: LSTMs from both sides on vectors of words."""

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.modeling_outputs import BaseModelOutput

from intertask.encoders.characters import CharacterCNN, read_both_ways
from intertask.encoders.elmo import ElmoConfig, ElmoModel, ScalarMix, WordModel, places_backwards, turned


class BilstmConfig(PretrainedConfig):
    """cell_size: of one direction; dropout: 0-1; words: sizes of the words' vectors, as in an `ElmoConfig`.

    elmo: sizes of a whole ELMo, whose mixed layers then are the words' vectors. separate_directions: the two directions
    never read each other, as language modelling wants it. `hidden_size` is that of what a head reads: the top layer in
    both directions, and the words' vectors beside it.
    """

    model_type = "bilstm"

    def __init__(
        self,
        cell_size: int = 1024,
        num_hidden_layers: int = 2,
        hidden_dropout_prob: float = 0.2,
        words: dict | None = None,
        elmo: dict | None = None,
        separate_directions: bool = False,
        **more,
    ):
        super().__init__(**more)
        self.cell_size, self.num_hidden_layers = cell_size, num_hidden_layers
        self.hidden_dropout_prob, self.separate_directions = hidden_dropout_prob, separate_directions
        sizes = ElmoConfig(**elmo or words or {})
        self.words, self.elmo = sizes.words, sizes.sizes if elmo else None
        self.word_size = sizes.hidden_size if elmo else sizes.projection_size
        self.hidden_size = 2 * cell_size + self.word_size

    @property
    def direction_size(self) -> int | None:
        """Width of the states of one direction, forward ones first; None: each state knows of both."""
        return self.cell_size if self.separate_directions and not self.elmo else None

    @property
    def mixed_layers(self) -> int:
        """How many layers a head may mix: ELMo's or, of separate directions, all; else there is the top one alone."""
        if self.elmo:
            return self.elmo["num_hidden_layers"] + 1
        return self.num_hidden_layers if self.separate_directions else 1


class BilstmModel(WordModel):
    """Two layers of LSTMs on the vectors of words, which are never trained here: a character CNN's, or an ELMo's."""

    config_class = BilstmConfig
    base_model_prefix = "bilstm"

    def __init__(self, config: BilstmConfig):
        super().__init__(config)
        self.words = ElmoModel(ElmoConfig(**config.elmo)) if config.elmo else CharacterCNN(**config.words)
        self.mix = ScalarMix(config.mixed_layers) if config.elmo else None
        sizes = config.word_size, config.cell_size, config.num_hidden_layers
        if config.separate_directions:
            self.lstm = SeparateDirections(*sizes, config.hidden_dropout_prob)
        else:
            self.lstm = nn.LSTM(*sizes, batch_first=True, bidirectional=True, dropout=config.hidden_dropout_prob)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, output_hidden_states=False, **_):
        """input_ids: (batch, words, characters), see `character_ids`; attention_mask: (batch, words), 1 for a word.

        Of hidden_states, each as wide as the last, a head may learn its own mixture: the top layer stands in each
        beside one of ELMo's or, of separate directions, each layer beside the words.
        """
        mask = input_ids.any(-1).long() if attention_mask is None else attention_mask
        below = self._below(input_ids, mask)
        words = self.dropout(self.mix.mixed(torch.stack(below, -2)) if self.mix else below[0]) * mask[..., None]
        if self.config.separate_directions:
            layers = [self.dropout(states) for states in self.lstm(words, mask)]
        else:
            layers = [self.dropout(read_both_ways(self.lstm, words, mask))]
        found = torch.cat([layers[-1], words], dim=-1)
        if not output_hidden_states:
            return BaseModelOutput(found)
        if self.mix:
            pairs = [(layers[-1], self.dropout(one)) for one in below]
        else:
            pairs = [(states, words) for states in layers]
        return BaseModelOutput(found, tuple(torch.cat(pair, dim=-1) for pair in pairs))

    @torch.no_grad()  # however the weights came: they are never trained
    def _below(self, input_ids, mask) -> list[torch.Tensor]:
        """The vectors of the words, of ELMo in each of its layers."""
        if self.mix:
            return list(self.words(input_ids, mask, output_hidden_states=True).hidden_states)
        return [self.words.looked_up(input_ids)]


class SeparateDirections(nn.Module):
    """Layers of LSTMs from the first word on and others from the last back, each on its own kind alone.

    The layers of torch's LSTM read both directions from the second on: its states have seen the words to be predicted.
    """

    def __init__(self, size: int, cells: int, layers: int, dropout: float):
        super().__init__()
        sizes = [size] + [cells] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(one, cells, batch_first=True) for one in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(one, cells, batch_first=True) for one in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        """(batch, words, size) to the states of each layer, (batch, words, 2 cells), forward ones first; padding 0."""
        places = places_backwards(mask.sum(1), mask.shape[1])
        ahead, back, found = words, turned(words, places), []
        for number, (forwards, backwards) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            ahead, back = (self.dropout(one) if number else one for one in (ahead, back))
            ahead, back = forwards(ahead)[0], backwards(back)[0]
            found.append(torch.cat([ahead, turned(back, places)], dim=-1) * mask[..., None])
        return found


AutoConfig.register("bilstm", BilstmConfig)
AutoModel.register(BilstmConfig, BilstmModel)
