"""Every shipped notebook in JupyterLab, as `make lab` starts it after `make demo`: run from end to end, and saved."""

import re
import subprocess
from pathlib import Path

import pytest

from made_lab import browser_page, copied, jupyter_lab
from made_store import make_demo

ROOT = Path(__file__).parents[2]
OWN = {"explore"}  # whose widgets have tests of their own
NOTEBOOKS = [path.relative_to(ROOT) for path in sorted(ROOT.glob("notebooks/**/*.ipynb")) if path.stem not in OWN]
SMALLER = {
    "tour": {"limit": "64"},
    "own_task": {"rows": "100", "num_train_epochs": "1.0"},
}
"""Of the parameters of those that train."""
FAULT = ", ".join(
    f'.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.{kind}"]' for kind in ("error", "stderr")
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A clone of the repository as it is now, with a small study in the place of the demo's."""
    folder = copied(tmp_path_factory.mktemp("lab"))
    for name, settings in SMALLER.items():
        path = folder / "notebooks" / f"{name}.ipynb"
        for key, value in settings.items():
            said = rf'(?<="{key}: )(\w+) = .*?(?=  #)'
            text, count = re.subn(said, rf"\1 = {value}", path.read_text(encoding="utf-8"))
            assert count == 1
            path.write_text(text, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / ".git" / "info" / "exclude").write_text(".home\n.lab.log\n")  # of `jupyter_lab`
    make_demo(folder / "results")
    return folder


@pytest.fixture(scope="module")
def page(repository):
    with jupyter_lab(repository) as address, browser_page() as page:
        page.goto(address.format(""))
        page.wait_for_selector(".jp-Notebook h1")
        yield page


OPEN = """async path => {
    const panel = await jupyterapp.commands.execute('docmanager:open', {path});
    await panel.sessionContext.ready;
}"""
RUN = """async () => {
    const done = await jupyterapp.commands.execute('notebook:run-all-cells');
    await jupyterapp.commands.execute('docmanager:save');
    return done;
}"""
CLOSE = """async () => {
    const panel = jupyterapp.shell.currentWidget;
    await panel.sessionContext.shutdown();
    panel.dispose();
}"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_in_the_lab_and_leaves_its_file_as_it_was(page, repository, path):
    page.evaluate(OPEN, str(path))
    assert page.evaluate(RUN), page.locator(FAULT).all_inner_texts()
    shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    assert shown.locator(".jp-OutputArea-output").count() and shown.locator(FAULT).all_inner_texts() == []
    status = ["git", "status", "--porcelain"]
    assert not subprocess.run(status, cwd=repository, capture_output=True, text=True, check=True).stdout
    page.evaluate(CLOSE)


def test_nothing_was_asked_meanwhile(page):
    assert page.locator(".Toastify__toast").all_inner_texts() == []
