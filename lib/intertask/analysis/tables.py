"""Frames as a reader sees them."""

import pandas as pd


def panel_name(encoder: str, limit: int | None) -> str:
    """What stands above one panel: the encoder and how much training data the target had."""
    return f"{encoder}, {'all training data' if pd.isna(limit) else f'{limit} training examples'}"


def shown(frame: pd.DataFrame, digits: int = 1) -> pd.DataFrame:
    """The frame with every value as it is to be read: floats to `digits` places, p values to two significant figures,
    and an empty cell, never a 0, where a value is missing. The frame displays itself escaped."""
    out = frame.astype(object).where(frame.notna(), "")
    for name in frame.select_dtypes("float").columns:
        form = "{:.2g}" if name == "p" or name.startswith("p_") else f"{{:.{digits}f}}"
        out[name] = ["" if pd.isna(value) else form.format(value) for value in frame[name]]
    return out
