"""Tasks made by rule from other data: probes from treebanks and text, and data sets that no entry can describe."""

from collections.abc import Callable

from intertask.tasks.derived import convert

RULES: dict[str, Callable] = {
    name: getattr(convert, name)
    for name in ("glue_diagnostic", "wsc", "dpr", "semeval", "qamr", "qasrl", "function_words", "senteval")
}


def find_rule(name: str) -> Callable:
    return RULES[name]
