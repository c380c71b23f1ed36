"""Sentences as encoders of words read them."""

import torch
from torch import nn

from intertask.encoders.characters import character_ids


def padded(sentences: list[list[str]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Character ids (sentences, words, characters) and the mask of the words."""
    ids = nn.utils.rnn.pad_sequence([character_ids(words) for words in sentences], batch_first=True)
    return ids, ids.any(-1).long()
