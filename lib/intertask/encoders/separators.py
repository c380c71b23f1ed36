"""Start, delimiter and extract tokens for tokenizers that set none around and between texts (Radford et al. 2018,
section 3.3): those of GPT, GPT-2 and today's decoders."""

SEPARATORS = START, DELIMITER, EXTRACT = "<start>", "<delimiter>", "<extract>"


def add_separators(tokenizer) -> None:
    """Makes texts read [start] A [extract], pairs [start] A [delimiter] B [extract]; in place.

    Does nothing where a special token parts the texts of a pair and another ends it. A tokenizer's own first token, as
    Llama's, stays instead of [start]. The encoder needs a row of embeddings for each of the `len(tokenizer)` tokens.
    """
    from tokenizers import processors

    tokenizer.backend_tokenizer.no_padding()  # some were stored with it, and would seem to end in a special token,
    tokenizer.backend_tokenizer.no_truncation()  # or with this, and would seem to have none
    pair = tokenizer.backend_tokenizer.encode("a", "a")
    texts = pair.sequence_ids  # None: a special token
    if texts[-1] is None and (0, None) in zip(texts, texts[1:], strict=False):
        return
    start = pair.tokens[0] if texts[0] is None else START
    names = [start, DELIMITER, EXTRACT]
    new = [name for name in names if name not in tokenizer.get_vocab()]
    tokenizer.add_special_tokens({"extra_special_tokens": new}, replace_extra_special_tokens=False)
    template = processors.TemplateProcessing(
        single=f"{start} $A {EXTRACT}",
        pair=f"{start} $A {DELIMITER} $B:1 {EXTRACT}:1",
        special_tokens=[(name, tokenizer.convert_tokens_to_ids(name)) for name in names],
    )
    trimmed = processors.ByteLevel(trim_offsets=True)  # a word's place in its text is without the blank before it
    tokenizer.backend_tokenizer.post_processor = processors.Sequence([trimmed, template])
