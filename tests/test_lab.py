"""An executed run notebook in JupyterLab itself, in a real browser."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from conftest import absent
from intertask.analysis.tables import shown
from made_notebook import execute_notebook
from made_study import wait_for

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Path:
    """A folder with `train.ipynb` executed."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = ROOT / "notebooks" / "experiments" / "train.ipynb"
    execute_notebook(notebook, folder / "run.ipynb", {"limit": 64, "num_train_epochs": 1})
    return folder


@pytest.fixture(scope="module")
def lab(executed):
    """The address of a notebook in a JupyterLab on that folder, token included."""
    token = secrets.token_hex()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    settings = [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={executed}"]
    log = executed / "lab.log"
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(executed / "runtime"), "HOME": str(executed)}
    with log.open("w") as stream:
        server = subprocess.Popen([*command, *settings], stdout=stream, stderr=stream, env=environment)
    found = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()), 60)
    yield lambda name: f"{found.group()}lab/workspaces/{name}/tree/{name}.ipynb?token={token}"
    server.kill()  # asked to end, it sees to its kernels first, and may take long; these end with it anyhow
    server.wait()


@pytest.fixture
def page():
    """A page of a headless browser that must raise no error."""
    chromium = shutil.which("chromium")
    if not chromium:
        absent("Chromium is needed and not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
    assert not errors


def test_a_wide_table_has_rows_of_one_line_and_its_prose_in_sight(lab, executed, page):
    numbers = {f"column_{place}": [0.5] * 3 for place in range(16)}
    notes = [f"an interval needs restarts of both, and here there is one alone: {why}" for why in ("a", "b", "b")]
    html = shown(pd.DataFrame(numbers | {"note": notes}))._repr_html_()
    output = new_output("execute_result", {"text/html": html}, execution_count=1)
    nbformat.write(new_notebook(cells=[new_code_cell("table", outputs=[output])]), executed / "wide.ipynb")
    page.goto(lab("wide"))
    rows = page.locator(".jp-OutputArea-output tbody tr")
    rows.first.wait_for(timeout=60_000)
    assert rows.count() == 3 and max(row.bounding_box()["height"] for row in rows.all()) < 40
    prose = page.get_by_text(notes[1]).bounding_box()
    output = page.locator(".jp-OutputArea-output").bounding_box()
    assert prose["x"] >= output["x"] and prose["x"] + prose["width"] <= output["x"] + output["width"]


def test_an_executed_run_opens_in_jupyterlab_with_its_outputs(lab, executed, page):
    page.goto(lab("run"))
    page.wait_for_selector(".jp-Notebook .jp-OutputArea-output", timeout=60_000)
    assert "What does this encoder learn" in page.inner_text(".jp-Notebook h1")
    assert json.loads((executed / "run.ipynb").read_text())["metadata"]["papermill"]["exception"] is None
