"""Sentence encoders: a Hub id, a local folder, or one of the embedded `mini/…` encoders."""

from intertask.encoders.mini import PRETRAINING as PRETRAINING
from intertask.encoders.pretrained import checkpoint_gradients as checkpoint_gradients
from intertask.encoders.pretrained import encoder_bytes as encoder_bytes
from intertask.encoders.pretrained import encoder_fingerprint as encoder_fingerprint
from intertask.encoders.pretrained import encoder_folder as encoder_folder
from intertask.encoders.pretrained import load_encoder as load_encoder
from intertask.encoders.pretrained import load_tokenizer as load_tokenizer
from intertask.encoders.pretrained import longest as longest
from intertask.encoders.pretrained import reads_ahead as reads_ahead
from intertask.encoders.pretrained import save_encoder as save_encoder
