"""Long tables in JupyterLab: in pages, searchable, their text inert."""

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from made_lab import browser_page, copied, jupyter_lab, serious
from made_study import wait_for

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
HOSTILE = "<img src=x onerror=document.title='mine'>"
FRAME = f"""\
import pandas as pd
from intertask.analysis.tables import shown
frame = pd.DataFrame({{"task": [f"task {{place}}" for place in range(118)] + [{HOSTILE!r}], "delta": range(119)}})"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = copied(tmp_path_factory.mktemp("lab"))
    cells = [
        new_code_cell(source) for source in (FRAME, "shown(frame)", "shown(frame.tail(50))", "shown(frame.head(3))")
    ]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), folder / "long.ipynb")
    settings = folder / ".home/.jupyter/lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # or cells out of sight have no height
    return folder


@pytest.fixture(scope="module")
def lab(root):
    with jupyter_lab(root) as address:
        yield address


def run_all(page, address):
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    wait_for(lambda: all(re.match(r"\[\d", one) for one in prompts.all_inner_texts()))


def test_a_long_table_comes_in_pages_with_a_search_and_one_library(lab, root):
    with browser_page() as page:
        run_all(page, lab.format("lab/tree/long.ipynb"))
        page.locator(".dt-search input").nth(1).wait_for()
        first = page.locator(".jp-OutputArea-output").first
        assert first.locator("tbody tr").count() == 10 and "1 to 10 of 119" in first.inner_text()
        first.get_by_label("Search").fill("onerror")
        assert first.locator("tbody tr").count() == 1 and HOSTILE in first.locator("tbody").inner_text()
        assert not serious(page, ".jp-OutputArea-output")
        assert "mine" not in page.title()


STUDY = re.compile('^study: str = ".*?"', re.MULTILINE)
HIGHEST = {"transfer_matrix": ("published/pruksachatkun2020_transfer", 15), "literature": ("", 12)}
"""Of a notebook, the study that it is run on, and how many screens of 900 px it may fill."""


@pytest.mark.parametrize("name", HIGHEST)
def test_a_notebook_ends_after_some_screens(name, lab, root):
    study, screens = HIGHEST[name]
    path = root / "notebooks" / "analysis" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = STUDY.sub(f'study: str = "{study}"', cell.source)
    nbformat.write(notebook, path)
    with browser_page() as page:
        run_all(page, lab.format(f"lab/workspaces/{name}/tree/notebooks/analysis/{name}.ipynb"))
        page.locator(".dt-search input").last.wait_for()
        assert not page.locator('[data-mime-type="application/vnd.jupyter.error"]').count()
        heights = [cell.bounding_box()["height"] for cell in page.locator(".jp-Notebook .jp-Cell").all()]
        assert 1_800 < sum(heights) < 900 * screens
