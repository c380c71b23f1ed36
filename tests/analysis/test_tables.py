import pandas as pd

from intertask.analysis.tables import shown


def test_shown_rounds_and_leaves_missing_cells_empty():
    frame = pd.DataFrame({
        "limit": pd.array([1000, None], dtype="Int64"),
        "delta": [1.25, None],
        "p": [0.00004, 0.25],
        "low": [float("nan")] * 2,
        "note": [None, "<b>"],
    })  # fmt: skip
    assert shown(frame, digits=2).values.tolist() == [[1000, "1.25", "4e-05", "", ""], ["", "", "0.25", "", "<b>"]]
    assert "&lt;b&gt;" in shown(frame)._repr_html_()
