"""Tasks made by rule from other data: probes from treebanks and text, and data sets that no entry can describe.

A new rule is a function `(splits: Splits) -> Splits` in one of the modules here.
"""

from collections.abc import Callable
from typing import get_type_hints

from intertask.errors import did_you_mean, refusal
from intertask.probes import convert, discourse, function_words, treebank, word_order
from intertask.probes.words import Splits

RULES: dict[str, Callable[[Splits], Splits]] = {
    name: rule
    for module in (treebank, word_order, function_words, discourse, convert)
    for name, rule in vars(module).items()
    if not name.startswith("_")
    and getattr(rule, "__module__", "") == module.__name__
    and get_type_hints(rule) == {"splits": Splits, "return": Splits}
}
"""The rules that `derive` may name: each function of these modules from raw frames by split to a task's rows."""


def find_rule(name: str) -> Callable[[Splits], Splits]:
    """The rule `name`; an unknown one is refused with the nearest name."""
    if name not in RULES:
        raise refusal("Key 'derive'", "the name of a rule", f"'{name}'", did_you_mean(name, RULES))
    return RULES[name]
