import math

import pandas as pd
import pytest

from intertask.analysis.statistics import mean_table, paired_t
from intertask.errors import IntertaskError


def test_paired_t_by_hand():
    half = 2.7764451 * math.sqrt(2.5 / 5)  # t(.975, 4) times the standard error of 1..5
    result = paired_t([1, 2, 3, 4, 5])
    assert result[:3] == pytest.approx((3, 3 - half, 3 + half))
    assert result.p == pytest.approx(0.0132, abs=5e-5)  # t = 3 / .70711 = 4.2426 on 4 degrees of freedom
    assert result.n == 5 and result.note == ""
    assert paired_t([1, 2, 3, 4, 5], confidence=0.5).high < result.high


@pytest.mark.parametrize(
    ("differences", "mean", "note"),
    [([], math.nan, "two seeds"), ([4.0], 4, "two seeds"), ([0.1 + 0.2, 0.3], 0.3, "equal"), ([0, 0, 0], 0, "equal")],
)
def test_paired_t_without_a_spread_gives_no_interval_and_says_so(differences, mean, note):
    result = paired_t(differences)
    assert result.mean == pytest.approx(mean, nan_ok=True) and note in result.note
    assert math.isnan(result.low) and math.isnan(result.high) and math.isnan(result.p)


def test_paired_t_leaves_missing_pairs_out_and_refuses_a_percentage():
    assert paired_t([1, 2, math.nan, 3, 4, 5]) == paired_t([1, 2, 3, 4, 5])
    with pytest.raises(IntertaskError, match="between 0 and 1"):
        paired_t([1, 2], confidence=95)


def test_a_mean_that_is_zero_but_for_rounding_is_zero():
    """One of 277 examples more, and twice two fewer and one more: nobody gained, nobody lost."""
    rows = [0.361010830, 0.361010830, -0.722021661]
    table = mean_table(pd.DataFrame({"cell": "a", "delta": rows}), ["cell"], "delta", 0.95)
    assert sum(rows) != 0 and table["delta"].item() == 0 and table["low"].item() == -table["high"].item()
