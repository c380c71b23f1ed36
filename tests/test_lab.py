"""An executed run notebook in JupyterLab itself, in a real browser."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import absent
from made_study import wait_for

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Path:
    """A folder with `train.ipynb` executed by the papermill command, as a user would."""
    folder = tmp_path_factory.mktemp("lab")
    papermill = Path(sys.executable).with_name("papermill")
    notebook = ROOT / "notebooks" / "experiments" / "train.ipynb"
    settings = ["-p", "limit", "64", "-p", "num_train_epochs", "1"]
    environment = os.environ | {"INTERTASK_RESULTS": str(folder / "results")}
    command = [papermill, notebook, folder / "run.ipynb", *settings]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, env=environment)
    return folder


@pytest.fixture
def lab(executed):
    """The address of a JupyterLab on that folder, token included."""
    token = secrets.token_hex()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    settings = [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={executed}"]
    log = executed / "lab.log"
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(executed / "runtime"), "HOME": str(executed)}
    with log.open("w") as stream:
        server = subprocess.Popen([*command, *settings], stdout=stream, stderr=stream, env=environment)
    found = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()), 60)
    yield f"{found.group()}lab/tree/run.ipynb?token={token}"
    server.terminate()
    server.wait(timeout=30)


def test_an_executed_run_opens_in_jupyterlab_with_its_outputs(lab, executed):
    chromium = shutil.which("chromium")
    if not chromium:
        absent("Chromium is needed and not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(lab)
        page.wait_for_selector(".jp-Notebook .jp-OutputArea-output", timeout=60_000)
        assert "What does this encoder learn" in page.inner_text(".jp-Notebook h1")
        assert not errors
        browser.close()
    assert json.loads((executed / "run.ipynb").read_text())["metadata"]["papermill"]["exception"] is None
