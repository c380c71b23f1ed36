"""Frames as a reader sees them."""

import pandas as pd


def panel_name(encoder: str, limit: int | None, supporting_limit: int | None = None) -> str:
    """What stands above one panel: the encoder and how much training data the target, and its supporting task, had."""
    target = "all training data" if pd.isna(limit) else f"{limit} training examples"
    return f"{encoder}, {target}" + (
        "" if pd.isna(supporting_limit) else f", {supporting_limit} of the supporting task"
    )


def of_expected(n: int, n_expected: int) -> str:
    """How many there are, and of how many, where some are missing: `3`, or `2 of 3`."""
    return f"{n}" if n == n_expected else f"{n} of {n_expected}"


def shown(frame: pd.DataFrame, digits: int = 1) -> pd.DataFrame:
    """The frame with every value as it is to be read: floats to `digits` places, p values to two significant figures,
    and an empty cell, never a 0, where a value is missing. The frame displays itself escaped."""
    out = frame.astype(object).where(frame.notna(), "")
    for name in frame.select_dtypes("float").columns:
        form = "{:.2g}" if name == "p" or name.startswith("p_") else f"{{:.{digits}f}}"
        out[name] = ["" if pd.isna(value) else form.format(value) for value in frame[name]]
    return out
