"""The embedded encoders: small enough for a laptop's processor, with a token for every word of the mini language."""

import string

from intertask.encoders.separators import add_separators
from intertask.encoders.word_tokenizer import WordTokenizer

BYTES = 2_000_000  # of weights, about

_PRETRAINING = {"learning_rate": 1e-3, "num_train_epochs": 6, "per_device_train_batch_size": 32, "max_length": 64}
_OF_WORDS = {"task": "mini/text_words", **_PRETRAINING, "learning_rate": 4e-3, "num_train_epochs": 3}

PRETRAINING = {
    "mini/bert": {"task": "mini/text", **_PRETRAINING},
    "mini/gpt": {"task": "mini/text_causal", **_PRETRAINING},
    "mini/elmo": _OF_WORDS,
    "mini/elmo_bilstm": {**_OF_WORDS, "encoder": "mini/elmo"},
}
"""The mini encoders that a study pretrains, and how, unless it says otherwise: a run like any other.

Of mini/elmo_bilstm what is pretrained is the ELMo that it stands on (`on_elmo`)."""

MINI = (*PRETRAINING, "mini/bilstm", "mini/bilm")
"""All of them; the last two begin with random weights."""

ON_ELMO = "mini/elmo_bilstm"

SIZE = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}


WORD_SIZES = {
    "projection_size": 64,
    "character_size": 8,
    "num_highways": 1,
    "filters": [[1, 16], [2, 16], [3, 32], [4, 64]],
}
ELMO = WORD_SIZES | {"cell_size": 128}
BILSTMS = {
    "mini/bilstm": {"words": WORD_SIZES},
    "mini/bilm": {"words": WORD_SIZES, "separate_directions": True},
    ON_ELMO: {"elmo": ELMO},
}


def build(name: str, seed: int):
    """A randomly initialised encoder and its tokenizer; the same seed gives the same weights."""
    import torch

    if isinstance(tokenizer := build_tokenizer(name), WordTokenizer):
        from intertask.encoders.bilstm import BilstmConfig, BilstmModel
        from intertask.encoders.elmo import ElmoConfig, ElmoModel

        torch.manual_seed(seed)
        if name == "mini/elmo":
            return ElmoModel(ElmoConfig(**ELMO)), tokenizer
        return BilstmModel(BilstmConfig(cell_size=64, **BILSTMS[name])), tokenizer

    from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

    same = {**SIZE, "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    if name == "mini/gpt":
        model, config = GPT2Model, GPT2Config(**same, bos_token_id=None, eos_token_id=None, use_cache=False)
    else:
        model, config = BertModel, BertConfig(**same, intermediate_size=512)
    torch.manual_seed(seed)
    return model(config), tokenizer


def on_elmo(elmo, seed: int):
    """A BiLSTM with random weights, drawn with the seed, on a mini/elmo as it was pretrained."""
    model, _ = build(ON_ELMO, seed)
    model.words.load_state_dict(elmo.state_dict())
    return model


def build_tokenizer(name: str = "mini/bert"):
    """A WordPiece tokenizer: the language's words whole, anything else letter by letter; or one that reads words."""
    if name not in ("mini/bert", "mini/gpt"):
        return WordTokenizer()
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    from minilanguage import words

    names = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    if name == "mini/bert":
        names |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    characters = string.ascii_lowercase + string.digits + string.punctuation
    tokens = dict.fromkeys([*names.values(), *words(), *characters, *(f"##{character}" for character in characters)])
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inputs = ["input_ids", "attention_mask"]
    if name == "mini/bert":
        inputs.insert(1, "token_type_ids")
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names)
    add_separators(tokenizer)  # where there are none yet: to mini/gpt's
    return tokenizer
