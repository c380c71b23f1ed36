"""The one picture that can be clicked and walked through by keyboard: a matrix of differences."""

from pathlib import Path

import anywidget
import pandas as pd
import traitlets

from intertask.analysis.cells import cell_in_words
from intertask.analysis.explored import Matrix
from intertask.views.drawing import signed


class Heatmap(anywidget.AnyWidget):
    """A matrix of cells; `selected` is [supporting, target], of which an empty one means a whole row or column."""

    _esm = Path(__file__).with_name("heatmap.js")
    _css = Path(__file__).with_name("heatmap.css")
    title = traitlets.Unicode().tag(sync=True)
    matrix = traitlets.Dict().tag(sync=True)
    selected = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def show(self, shown: Matrix, ends: float, confidence: float) -> None:
        """Draws a matrix, nothing selected; ends: |delta| where the colours end."""
        cells = [
            {
                "row": shown.rows.index(cell.supporting),
                "column": shown.columns.index(cell.target),
                "value": None if pd.isna(cell.delta) else cell.delta,
                "text": ""
                if pd.isna(cell.delta)
                else signed(cell.delta) + "*" * bool(cell.p_holm < 1 - confidence) + "‡" * cell.ready_made,
                "said": cell_in_words(cell, confidence),
            }
            for cell in shown.table.itertuples()
        ]
        controls = shown.table.loc[shown.table["control"], "supporting"].nunique()
        self.title, self.selected = shown.title, []
        scale = {"ends": ends, "controls": controls, "level": round(1 - confidence, 9)}
        self.matrix = {"rows": shown.rows, "columns": shown.columns, "cells": cells, **scale}
