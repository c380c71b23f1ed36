"""What stands behind what was selected in a matrix: restarts, tests, budgets, curves, executed notebooks, flips."""

import html
import os
from collections.abc import Iterator
from urllib.parse import quote

import ipywidgets
import pandas as pd
from itables.widget import ITable

from intertask.analysis import cell_figures, cells
from intertask.analysis.explored import SEEN, Matrix
from intertask.analysis.flips import flips, turned_in_words
from intertask.analysis.read import read_settings
from intertask.errors import IntertaskError
from intertask.lab.view import html_output, table_html
from intertask.studies import store
from intertask.views.drawing import png_text
from intertask.views.told import head, image, paragraph


def profile(title: str, table: pd.DataFrame) -> ipywidgets.Output:
    """Cells as a table, the largest difference first; of a row, a column or a comparison of two studies."""
    return html_output(head(title), table_html(table.sort_values("delta", ascending=False)[SEEN], title, 2))


def cell_detail(shown: Matrix, cell: pd.Series, metric: str) -> Iterator[ipywidgets.Widget]:
    """Everything about one row of a side's matrix; what takes a file of each run comes last."""
    side, pair = shown.side, shown.pair
    runs, pairs = side.of_metric(metric), cells.of_cell(side.pairs(pair, metric), cell)
    budgets = cells.cell_budgets(runs, pairs)
    yield html_output(
        head(f"{cell['supporting']} → {cell['target']}, {pair} ({side.study})"),
        table_html(cells.cell_tests(cell, pairs), "tests", 2),
        head("Restarts, paired by seed" if pair.endswith("single") else "Restarts"),
        table_html(pairs[["seed", "before", "after", "delta"]], "restarts", 2),
        head("Budgets and executed notebooks"),
        table_html(budgets.drop(columns="run").dropna(axis="columns", how="all"), "budgets"),
        links(budgets),
    )
    curves = cells.cell_curves(budgets, cell["target"])
    if len(curves):
        words = "Dev score over the training examples seen, a line for each restart: before dashed, after drawn through"
        yield html_output(head("Learning curves"), image(png_text(cell_figures.curves_figure(curves)), words))
    yield flip_table(side.study, runs, pairs)


def flip_table(study: str, runs: pd.DataFrame, pairs: pd.DataFrame) -> ipywidgets.Widget:
    """Which examples flip, searchable, or the sentence that says why that is not known."""
    title = head("Which examples flip")
    try:
        found = flips(runs, pairs, read_settings(study).get("task_file", ""))
    except (IntertaskError, OSError) as error:
        return html_output(title, paragraph(error))
    table = ITable(found, showIndex=False, allow_html=False, maxBytes=0, classes="display compact", style="width:100%")
    return ipywidgets.VBox([html_output(title, paragraph(turned_in_words(found))), table])


def links(budgets: pd.DataFrame) -> str:
    """The executed notebook of each run, as links that the Lab opens, or that there are none."""
    found = [(row, store.notebook_file(store.folder_of(row.run))) for row in budgets.itertuples()]
    anchors = [
        f'<a href="{html.escape(quote(os.path.relpath(path)))}">{row.when}, seed {row.seed}: {html.escape(row.run)}</a>'
        for row, path in found
        if path.is_file()
    ]
    return "<br>".join(anchors) or paragraph("No executed notebook: these are printed scores, or runs were not kept.")
