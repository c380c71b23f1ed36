"""Sequence to sequence: a text to write, a translation, the next sentence or a reply (Wang et al. 2019, section 4)."""

import numpy as np
import torch

from intertask.errors import refusal, row_name
from intertask.formats.answers import AnswerFormat
from intertask.formats.base import frame
from intertask.formats.columns import as_text, is_null, is_text, shows
from intertask.formats.decoder import NO_TOKEN, Decoder
from intertask.formats.vocabulary import VocabularyFormat
from intertask.metrics import OF_TOKENS


class SequenceToSequence(VocabularyFormat, AnswerFormat):
    """The label is the one text to write, the prediction what the decoder writes, each time the likeliest word.

    Scores are those of the right text, word by word, each after the right ones before it; BLEU alone is of what is
    written. `attention`, an entry's key: see `Decoder`.
    """

    inputs = (1, 1)
    metrics = OF_TOKENS
    writes = True
    keys = (*VocabularyFormat.keys, "attention")

    def label_names(self, raw):
        """A text; "" where there is none, as in a split that hides them all."""
        column = raw[self.entry.label]
        return as_text(column.mask(column.map(is_null).astype(bool), "")).map(lambda text: [text])

    def columns(self, raw, labels):
        """Refuses a pair of which a side is missing, or has nothing that shows."""
        for name in [*self.entry.inputs, *([] if labels is None else [self.entry.label])]:
            for where, value in raw[name].items():
                if not (is_text(value) and shows(value)):
                    found = "null" if is_null(value) else f"{value!r:.80}"
                    remedy = "Mend the row, or drop it: both sides of a pair say something."
                    raise refusal(f"{row_name(where)}, column '{name}'", "a text with a word or more", found, remedy)
        return super().columns(raw, labels)

    def output_texts(self, rows):
        return [text for text, *_ in rows["label"]]

    def encode(self, rows, tokenizer, max_length):
        """Of a text to write too `max_length` words or pieces are kept, its end among them."""
        encoded, self.most = super().encode(rows, tokenizer, max_length), max_length
        if "label" in rows:
            encoded.written = self.ended(self.output_texts(rows))
            encoded.cut = encoded.cut | [ids[-1] != self.vocabulary.end for ids in encoded.written]
        return encoded

    def gold(self, encoded, index, batch):
        """`labels` (examples, words): the ids to write, NO_TOKEN behind them."""
        written = [torch.from_numpy(encoded.written[place]).long() for place in index]
        return {"labels": torch.nn.utils.rnn.pad_sequence(written, batch_first=True, padding_value=NO_TOKEN)}

    def head(self, encoder, pooling, dropout=None):
        longest = min(self.longest, self.most or self.longest)
        return Decoder(encoder, self.vocabulary.end, longest, self.entry.attention, dropout)

    def weight(self, encoded, index):
        return sum(len(encoded.written[place]) for place in index)

    def loss(self, logits, batch):
        return super().loss(logits.flatten(0, 1), {"labels": batch["labels"].flatten()})

    def predictions(self, logits, encoded, index, batch):
        chosen, right, written = np.moveaxis(logits, -1, 0)
        texts = [self.vocabulary.text(ids) for ids in written.astype(int).tolist()]
        labels = np.nan if encoded.labels is None else encoded.labels[index]
        counts = {"tokens": (~np.isnan(chosen)).sum(1), "right": np.nansum(right, 1).astype(int)}
        rows = frame(encoded.rows.index[index], labels, texts)
        return rows.assign(**counts, log_likelihood=np.nansum(chosen.astype(float), 1))

    def balance(self, rows, most):
        return {"words in a text to write": f"{rows['label'].map(lambda one: len(one[0].split())).mean():.1f}"}
