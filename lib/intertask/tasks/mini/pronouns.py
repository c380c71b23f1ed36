"""Sentences whose pronoun must be understood."""

from collections.abc import Callable

import numpy as np

from intertask.tasks.mini import lexicon
from intertask.tasks.mini.lexicon import LEXICON
from intertask.tasks.mini.sampling import Rows, pick


def schemas(dev: bool) -> Callable[[np.random.Generator], Rows]:
    """Rows (sentence1, sentence2, label): who "she" is. Dev asks for the other one: labels opposite."""

    def rows(_: np.random.Generator) -> Rows:
        rng = np.random.default_rng(0)  # one for both splits, so that they share their sentences
        seen: set[str] = set()
        while True:
            said, (name, other), reason = because(rng)
            if said in seen:
                continue
            right = (len(seen) % 2 == 1) != dev
            seen.add(said)
            yield f"{said} .", f"{name if right else other} {reason} .", int(right)

    return rows


def because(rng: np.random.Generator) -> tuple[str, tuple[str, str], str]:
    """("anna was helping ella because she was weak", (the one meant, the other), "was weak")."""
    gender = pick(rng, ("woman", "man"))
    names = [pick(rng, lexicon.CHILDREN[gender])]
    names.append(pick(rng, [w for w in lexicon.CHILDREN[gender] if w != names[0]]))
    verb = pick(rng, list(LEXICON["reasons"]))
    meant = pick(rng, ("subject", "object"))
    reason = f"was {pick(rng, LEXICON['reasons'][verb][meant])}"
    pronoun = "she" if gender == "woman" else "he"
    said = f"{names[0]} was {lexicon.progressive(verb)} {names[1]} because {pronoun} {reason}"
    return said, tuple(names if meant == "subject" else names[::-1]), reason
