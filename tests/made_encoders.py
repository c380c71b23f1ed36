"""Tiny encoders of many architectures, saved as folders with tokenizers such as theirs."""

import string
from pathlib import Path

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64}
WIDER = {"intermediate_size": 48}
BOTH_WAYS = {
    "bert": WIDER,
    "roberta": WIDER | {"type_vocab_size": 1, "max_position_embeddings": 66},
    "distilbert": {"hidden_dim": 48},
    "albert": WIDER | {"embedding_size": 16},
    "electra": WIDER | {"embedding_size": 16},
    "deberta-v2": WIDER | {"type_vocab_size": 0, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "modernbert": WIDER,
}
LEFT_TO_RIGHT = {
    "openai-gpt": {},
    "gpt2": {},
    "llama": WIDER | {"num_key_value_heads": 2},
    "qwen2": WIDER | {"num_key_value_heads": 2},
}
ARCHITECTURES = [*BOTH_WAYS, *LEFT_TO_RIGHT]
OTHERS = {
    "xlm-roberta": BOTH_WAYS["roberta"],
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48},
    "xlm": {},
    "longformer": WIDER,
}
"""For which not every test was meant."""


def write(folder: Path, name: str, head: str = "AutoModel", shard: str = "1GB", **changes) -> Path:
    """An encoder of that architecture with random weights, and a head of transformers; what is read are letters."""
    import torch
    import transformers

    tokenizer = build_tokenizer(name)
    special = {"pad_token_id": 1, **dict.fromkeys(["bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"])}
    settings = special | (SIZE if name != "xlnet" else {}) | (BOTH_WAYS | LEFT_TO_RIGHT | OTHERS)[name] | changes
    config = transformers.AutoConfig.for_model(name, vocab_size=len(tokenizer), **settings)
    torch.manual_seed(0)
    transformers.logging.disable_progress_bar()
    getattr(transformers, head).from_config(config).save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    return folder


def build_tokenizer(name: str):
    """The decoders' own classes with a vocabulary of letters; for the others pairs as BERT's or RoBERTa's."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import GPT2Tokenizer, LlamaTokenizer, OpenAIGPTTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

    letters = string.ascii_lowercase
    own = {
        "openai-gpt": (OpenAIGPTTokenizer, ["<unk>", *letters, *(f"{letter}</w>" for letter in letters)]),
        "gpt2": (GPT2Tokenizer, ["<|endoftext|>", "Ġ", *letters]),
        "llama": (LlamaTokenizer, ["<unk>", "<s>", "</s>", "▁", *letters]),
        "qwen2": (Qwen2Tokenizer, ["<|endoftext|>", "Ġ", *letters]),
    }
    if name in own:
        kind, tokens = own[name]
        more = {"add_bos_token": True} if name == "llama" else {}
        return kind(vocab={token: i for i, token in enumerate(tokens)}, merges=[], **more)
    tokens = {token: i for i, token in enumerate(["[CLS]", "[PAD]", "[SEP]", "[UNK]", *letters])}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "removed")
    single, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
    if name == "roberta":
        pair = "[CLS] $A [SEP] [SEP] $B [SEP]"
    elif name == "xlnet":
        single, pair = "$A [SEP] [CLS]", "$A [SEP] $B:1 [SEP]:1 [CLS]:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single,
        pair=pair,
        special_tokens=[("[CLS]", 0), ("[SEP]", 2)],
    )
    names = {"cls_token": "[CLS]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]  # as BertTokenizer's: all but BERT's kin must do without
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names)
