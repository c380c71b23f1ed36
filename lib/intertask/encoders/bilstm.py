"""The sentence encoder of Wang et al. 2019 as a model of transformers: LSTMs from both sides on vectors of words."""

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig
from transformers.modeling_outputs import BaseModelOutput

from intertask.encoders.characters import CharacterCNN, read_both_ways
from intertask.encoders.elmo import ElmoConfig, WordModel


class BilstmConfig(PretrainedConfig):
    """cell_size: of one direction; words: sizes of the words' vectors, as in an `ElmoConfig`; dropout: 0-1.

    `hidden_size` is that of what a head reads: the top layer in both directions, and the words themselves beside it.
    """

    model_type = "bilstm"

    def __init__(
        self,
        cell_size: int = 1024,
        num_hidden_layers: int = 2,
        hidden_dropout_prob: float = 0.2,
        words: dict | None = None,
        **more,
    ):
        super().__init__(**more)
        self.cell_size, self.num_hidden_layers = cell_size, num_hidden_layers
        self.hidden_dropout_prob = hidden_dropout_prob
        sizes = ElmoConfig(**words or {})
        self.words = sizes.words
        self.hidden_size = 2 * cell_size + sizes.projection_size


class BilstmModel(WordModel):
    """Two layers of LSTMs on a character CNN, which is ELMo's in the paper and never trained here."""

    config_class = BilstmConfig
    base_model_prefix = "bilstm"

    def __init__(self, config: BilstmConfig):
        super().__init__(config)
        self.words = CharacterCNN(**config.words)
        self.lstm = nn.LSTM(
            config.words["projection_size"],
            config.cell_size,
            config.num_hidden_layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.hidden_dropout_prob,
        )
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **_):
        """input_ids: (batch, words, characters), see `character_ids`; attention_mask: (batch, words), 1 for a word."""
        mask = input_ids.any(-1).long() if attention_mask is None else attention_mask
        with torch.no_grad():  # however the weights came: they are never trained
            words = self.words(input_ids)
        words = self.dropout(words) * mask[..., None]
        states = read_both_ways(self.lstm, words, mask)
        return BaseModelOutput(torch.cat([self.dropout(states), words], dim=-1))


AutoConfig.register("bilstm", BilstmConfig)
AutoModel.register(BilstmConfig, BilstmModel)
