"""What a widget says where there is no widget, and the Lab that `make lab` starts, an executed run in it."""

import base64
import json
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from intertask.analysis.tables import shown
from intertask.lab.view import View
from made_lab import browser_page, copied, jupyter_lab
from made_notebook import execute_notebook


class Two(View):
    """Two cells."""

    def picture(self):
        figure, ax = plt.subplots()
        ax.plot([1, 2])
        plt.close(figure)
        return figure

    def table(self):
        return pd.DataFrame({"task": ["<script>alert(1)</script>"], "score": [50.0]})


def test_a_view_is_a_widget_a_picture_and_a_table():
    bundle = Two()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle and bundle["text/plain"] == "Two cells."
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "<script>" not in bundle["text/html"] and "&lt;script&gt;" in bundle["text/html"]


def test_a_view_without_a_picture_and_a_table_says_what_it_is():
    assert View()._repr_mimebundle_().keys() == {"application/vnd.jupyter.widget-view+json", "text/plain"}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return copied(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def lab(root):
    with jupyter_lab(root) as address:
        yield address


def test_the_lab_opens_at_the_tour_with_the_repository_beside_it(lab):
    with browser_page() as page:
        page.goto(lab.format(""))
        page.wait_for_selector(".jp-Notebook h1")
        assert "Does a stop on the way help?" in page.inner_text(".jp-Notebook h1")
        page.locator(".jp-BreadCrumbs-home").click()
        for folder in ("params", "results"):
            page.locator(".jp-DirListing-itemText", has_text=folder).wait_for()


def test_a_wide_table_has_rows_of_one_line_and_its_prose_in_sight(lab, root):
    numbers = {f"column_{place}": [0.5] * 3 for place in range(16)}
    notes = [f"an interval needs restarts of both, and here there is one alone: {why}" for why in ("a", "b", "b")]
    html = shown(pd.DataFrame(numbers | {"note": notes}))._repr_html_()
    output = new_output("execute_result", {"text/html": html}, execution_count=1)
    nbformat.write(new_notebook(cells=[new_code_cell("table", outputs=[output])]), root / "wide.ipynb")
    with browser_page() as page:
        page.goto(lab.format("lab/workspaces/wide/tree/wide.ipynb"))
        rows = page.locator(".jp-OutputArea-output tbody tr")
        rows.first.wait_for()
        assert rows.count() == 3 and max(row.bounding_box()["height"] for row in rows.all()) < 40
        prose = page.get_by_text(notes[1]).bounding_box()
        output = page.locator(".jp-OutputArea-output").bounding_box()
        assert prose["x"] >= output["x"] and prose["x"] + prose["width"] <= output["x"] + output["width"]


def test_an_executed_run_opens_in_jupyterlab_with_its_outputs(lab, root):
    notebook = root / "notebooks" / "experiments" / "train.ipynb"
    execute_notebook(notebook, root / "run.ipynb", {"limit": 64, "num_train_epochs": 1})
    with browser_page() as page:
        page.goto(lab.format("lab/workspaces/run/tree/run.ipynb"))
        page.wait_for_selector(".jp-Notebook .jp-OutputArea-output")
        assert "What does this encoder learn" in page.inner_text(".jp-Notebook h1")
        assert json.loads((root / "run.ipynb").read_text())["metadata"]["papermill"]["exception"] is None
