"""Ways of mixing tasks, each by name: how often a task is drawn, and how much its loss weighs."""

from collections.abc import Sequence

import numpy as np

from intertask.errors import refusal

DYNAMIC = ("dynamic_softmax", "dynamic_gap")
"""Samplings that follow the dev scores."""

POWER_A = r"power_\d+(\.\d+)?"
SAMPLING = rf"^(proportional|uniform|log|{'|'.join(DYNAMIC)}|{POWER_A})$"
LOSS_SCALING = rf"^(proportional|uniform|{POWER_A})$"
"""The names there are, as patterns."""


def probabilities(sampling: str | Sequence[float], sizes: Sequence[int]) -> np.ndarray:
    """How often each task is drawn (Wang et al. 2019, appendix C): by its training examples N, or as given.

    proportional: N; uniform: 1; log: log N; power_a: N to the power a; the dynamic ones begin proportional (Weller et
    al. 2022). Numbers are given in the mixture's order. The result sums to 1. Raises IntertaskError where nothing does:
    all weigh nothing, or more than a number can say.
    """
    n = np.asarray(sizes, float)
    with np.errstate(over="ignore"):
        if not isinstance(sampling, str):
            weights = np.asarray(sampling, float)
        elif sampling == "log" and len(n) > 1:  # alone, a task of one example would weigh log 1 = 0
            weights = np.log(n)
        else:
            weights = n ** exponent(sampling)
        total = weights.sum()
    if not 0 < total < np.inf:
        found = f"{total:g} for {sampling} of {', '.join(map(str, sizes))} examples"
        raise refusal("sampling", "weights with a finite sum above 0", found, "Choose another.")
    return weights / total


def loss_scales(scaling: str, sizes: Sequence[int]) -> np.ndarray:
    """The weight of each task's loss, 1 for the largest task (Wang et al. 2019, appendix C).

    uniform: 1; proportional: N / max N; power_a: that to the power a.
    """
    n = np.asarray(sizes, float)
    return (n / n.max()) ** exponent(scaling)


def exponent(name: str) -> float:
    """The power of N behind the name of a sampling or a scaling."""
    return float(name.removeprefix("power_")) if name.startswith("power_") else float(name != "uniform")


def reweighted(sampling: str, single: Sequence[float], current: Sequence[float]) -> np.ndarray:
    """Dynamic sampling: the further a task is below its score when trained alone, the more of it. Scores are 0–100.

    dynamic_softmax: the softmax of the gaps of scores in 0–1, as the released code of Weller et al. 2022 has it;
    dynamic_gap: proportional to the gap, none where it is closed (Gottumukkala et al. 2020); uniform if all are.
    """
    gap = (np.asarray(single, float) - np.asarray(current, float)) / 100
    weights = np.exp(gap - gap.max()) if sampling == "dynamic_softmax" else np.maximum(gap, 0)
    return weights / weights.sum() if weights.sum() > 0 else np.full(len(gap), 1 / len(gap))
