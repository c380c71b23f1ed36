"""Tasks made by rule from other data: probes from treebanks and text, and data sets that no entry can describe."""

from collections.abc import Callable

from intertask.errors import did_you_mean, refusal
from intertask.tasks.derived import convert
from intertask.tasks.derived.convert import Frames

RULES: dict[str, Callable[[Frames], Frames]] = {
    rule.__name__: rule
    for rule in (
        convert.glue_diagnostic,
        convert.wsc,
        convert.dpr,
        convert.semeval,
        convert.qamr,
        convert.qasrl,
        convert.function_words,
        convert.senteval,
    )
}
"""The rules that `derive` may name. Each takes raw frames by split and gives the task's rows by split."""


def find_rule(name: str) -> Callable[[Frames], Frames]:
    """The rule `name`; an unknown one is refused with the nearest name."""
    if name not in RULES:
        raise refusal("Key 'derive'", "the name of a rule", f"'{name}'", did_you_mean(name, RULES))
    return RULES[name]
