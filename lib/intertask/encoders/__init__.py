"""Sentence encoders: a Hub id, a local folder, or one of the embedded `mini/…` encoders."""

from intertask.encoders.mini import MINI, PRETRAINING
from intertask.encoders.pretrained import (
    checkpoint_gradients,
    encoder_bytes,
    encoder_fingerprint,
    encoder_folder,
    load_encoder,
    load_tokenizer,
    longest,
    reads_ahead,
    save_encoder,
)

__all__ = [
    "MINI",
    "PRETRAINING",
    "checkpoint_gradients",
    "encoder_bytes",
    "encoder_folder",
    "encoder_fingerprint",
    "load_encoder",
    "load_tokenizer",
    "longest",
    "reads_ahead",
    "save_encoder",
]
