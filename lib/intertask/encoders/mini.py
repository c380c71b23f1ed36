"""The embedded encoders: small enough for a laptop's processor, with a token for every word of the mini language."""

import string

MINI = ("mini/bert",)
BYTES = 2_000_000  # of weights, about

PRETRAINING = {
    "mini/bert": {
        "task": "mini/text",
        "learning_rate": 1e-3,
        "num_train_epochs": 6,
        "per_device_train_batch_size": 32,
        "max_length": 64,
    },
}
"""How each mini encoder is pretrained, unless a study says otherwise: a run like any other."""


def build(name: str, seed: int):
    """A randomly initialised encoder and its tokenizer; the same seed gives the same weights."""
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = build_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    return BertModel(config), tokenizer


def build_tokenizer():
    """A WordPiece tokenizer: the language's words whole, anything else letter by letter."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    from intertask.tasks.mini import words

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = string.ascii_lowercase + string.digits + string.punctuation
    tokens = dict.fromkeys([*special, *words(), *characters, *(f"##{character}" for character in characters)])
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **names,
    )
