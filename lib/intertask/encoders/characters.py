"""Words read letter by letter: the character ids and the convolutional network of ELMo (Peters et al. 2018)."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

MAX_CHARACTERS = 50
"""Characters of a word, with the two around it; the rest of a longer one is not read."""

LETTERS = MAX_CHARACTERS - 2
"""Bytes of a word that are read."""

PADDING, _BEGIN_SENTENCE, _END_SENTENCE, _BEGIN, _END, _FILL = 0, 257, 258, 259, 260, 261
CHARACTERS = 262
"""Bytes of UTF-8 from 1 on, and what stands around a word and a sentence; 0 is no word at all."""


def character_ids(words: Sequence[str]) -> torch.Tensor:
    """(words, MAX_CHARACTERS): the bytes of each word in UTF-8, each one higher, between two marks."""
    ids = torch.full((len(words), MAX_CHARACTERS), _FILL)
    for row, word in zip(ids, words, strict=True):
        letters = torch.tensor([_BEGIN, *(byte + 1 for byte in word.encode()[:LETTERS]), _END])
        row[: len(letters)] = letters
    return ids


def with_boundaries(ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentences between two words that mark where they begin and end: ids (batch, words + 2, MAX_CHARACTERS), mask."""
    batch, longest = mask.shape
    around = ids.new_full((batch, longest + 2, ids.shape[-1]), PADDING)
    around[:, 1:-1] = ids * mask[..., None]
    fill = [_FILL] * (MAX_CHARACTERS - 3)
    around[:, 0] = ids.new_tensor([_BEGIN, _BEGIN_SENTENCE, _END, *fill])
    around[torch.arange(batch), mask.sum(1) + 1] = ids.new_tensor([_BEGIN, _END_SENTENCE, _END, *fill])
    return around, functional.pad(mask, (2, 0), value=1)


class CharacterCNN(nn.Module):
    """A vector for each word from its characters alone, so that no word is unknown.

    filters: (width, number) of each convolution over the characters, of whose outputs the largest counts; then highways
    (Srivastava et al. 2015) and a projection. Of equal words in a batch one is computed; where it is never trained, one
    in all batches (`looked_up`).
    """

    def __init__(
        self, character_size: int, filters: Sequence[tuple[int, int]], num_highways: int, projection_size: int
    ):
        super().__init__()
        width = sum(number for _, number in filters)
        self.embedding = nn.Embedding(CHARACTERS, character_size, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(nn.Conv1d(character_size, number, wide) for wide, number in filters)
        self.highways = nn.ModuleList(Highway(width) for _ in range(num_highways))
        self.projection = nn.Linear(width, projection_size)
        self._of, self._known = None, {}  # the state in which each word's vector was computed

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(…, MAX_CHARACTERS) character ids to (…, projection_size)."""
        words, place = torch.unique(ids.flatten(0, -2), dim=0, return_inverse=True)
        return self._vectors(words)[place].unflatten(0, ids.shape[:-1])

    @torch.no_grad()
    def looked_up(self, ids: torch.Tensor) -> torch.Tensor:
        """The same without gradients; the vector of each word is kept until the weights change."""
        state = [(weights.data_ptr(), weights._version) for weights in self.parameters()]
        device = ids.device.type
        state.append(torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device))
        if state != self._of:
            self._of, self._known = state, {}
        words, place = torch.unique(ids.flatten(0, -2), dim=0, return_inverse=True)
        names = [row.tobytes() for row in words.to("cpu", torch.int16).numpy()]
        if new := [number for number, name in enumerate(names) if name not in self._known]:
            self._known |= zip([names[number] for number in new], self._vectors(words[new]), strict=True)
        return torch.stack([self._known[name] for name in names])[place].unflatten(0, ids.shape[:-1])

    def _vectors(self, words: torch.Tensor) -> torch.Tensor:
        letters = self.embedding(words).transpose(1, 2)
        found = torch.cat([convolution(letters).amax(-1).relu() for convolution in self.convolutions], dim=-1)
        for highway in self.highways:
            found = highway(found)
        return self.projection(found)


def read_both_ways(lstm: nn.LSTM, words: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The states of an LSTM that reads (batch, words, size) from both sides and meets no padding."""
    packed = pack_padded_sequence(words, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(packed)[0], batch_first=True, total_length=mask.shape[1])[0]


class Highway(nn.Module):
    """A layer of which each unit is passed on as far as its gate is closed."""

    def __init__(self, size: int):
        super().__init__()
        self.transform, self.gate = nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.gate(x).sigmoid()
        return gate * self.transform(x).relu() + (1 - gate) * x
