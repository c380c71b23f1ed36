"""Tasks made by rule from other data: probes from treebanks and text, and data sets that no entry can describe."""

from collections.abc import Callable

from intertask.errors import did_you_mean, refusal
from intertask.probes import convert, discourse, function_words, treebank, word_order
from intertask.probes.words import Splits

RULES: dict[str, Callable[[Splits], Splits]] = {
    rule.__name__: rule
    for rule in (
        treebank.sentence_length,
        treebank.word_content,
        treebank.tree_depth,
        treebank.top_constituents,
        treebank.past_present,
        treebank.subj_number,
        treebank.obj_number,
        treebank.odd_man_out,
        treebank.coordination_inversion,
        treebank.pos,
        treebank.dep,
        word_order.bigram_shift,
        word_order.real_fake,
        word_order.eos,
        function_words.whwords,
        function_words.definiteness,
        function_words.coordination,
        discourse.sentences_of_text,
        discourse.skipthought,
        discourse.dissent,
        convert.glue_diagnostic,
        convert.wsc,
        convert.dpr,
        convert.semeval,
        convert.qamr,
        convert.qasrl,
        convert.function_words,
        convert.senteval,
        convert.from_english,
    )
}
"""The rules that `derive` may name. Each takes raw frames by split and gives the task's rows by split."""


def find_rule(name: str) -> Callable[[Splits], Splits]:
    """The rule `name`; an unknown one is refused with the nearest name."""
    if name not in RULES:
        raise refusal("Key 'derive'", "the name of a rule", f"'{name}'", did_you_mean(name, RULES))
    return RULES[name]
