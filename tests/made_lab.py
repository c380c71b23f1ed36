"""JupyterLab as `make lab` starts it, on a copy of the repository, and a browser that reaches nothing else."""

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import absent
from made_study import HANGING, wait_for

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
HARMLESS = ("favicon", "the server responded with a status of 404")
"""Of what JupyterLab itself writes to the console."""


def copied(folder: Path) -> Path:
    """The repository's files as they are now, committed or not, without what git ignores."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


@contextmanager
def jupyter_lab(root: Path, **environment: str) -> Iterator[str]:
    """The address, token included, of a JupyterLab that the command of `make lab` starts in a copy of the repository.

    Its `{}` is the path: `lab/tree/notebooks/tour.ipynb` opens a notebook, "" what the Lab opens by itself, and
    `lab/workspaces/NAME/tree/…` a notebook without those that were open before.
    """
    token, home, log = secrets.token_hex(), root / ".home", root / ".lab.log"
    home.mkdir(exist_ok=True)
    arguments = f"--no-browser --port=0 --IdentityProvider.token={token} --LabApp.expose_app_in_browser=True"
    of_make = ["--no-print-directory", "--dry-run"]  # under `make test` it would say, last, which folder it leaves
    printed = subprocess.run(
        ["make", *of_make, "lab", f"BIN={Path(sys.executable).parent}", "READY=/dev/null", f"ARGS={arguments}"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    places = {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime"), "PYTHONPATH": str(root / "lib")}
    with log.open("w") as stream:
        command = ["sh", "-c", f"exec {printed.stdout.splitlines()[-1]}"]
        settings = os.environ | places | environment
        server = subprocess.Popen(command, cwd=root, stdout=stream, stderr=stream, env=settings)
    try:
        address = re.compile(r"http://127\.0\.0\.1:\d+/")
        wait_for(lambda: address.search(log.read_text()) or server.poll() is not None)
        found = address.search(log.read_text())
        assert found, f"JupyterLab did not start:\n{log.read_text()}"
        yield f"{found.group()}{{}}?token={token}"
    finally:
        server.kill()  # asked to end, it sees to its kernels first, and may take long; these end with it anyhow
        server.wait()


@contextmanager
def browser_page(width: int = 1400, dark: bool = False) -> Iterator:
    """A page of a headless Chromium that must raise no error, write none to the console and ask for nothing outside."""
    chromium = shutil.which("chromium")
    if not chromium:
        absent("Chromium is needed and not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        scheme = "dark" if dark else "light"
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(HANGING * 1000)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.route(lambda address: not re.match(r"(https?|wss?)://127\.0\.0\.1|file:|data:|blob:", address),
                   lambda route: (errors.append(f"asked for {route.request.url}"), route.abort()))  # fmt: skip
        yield page
        browser.close()
    assert not [error for error in errors if not any(one in error for one in HARMLESS)]


def serious(page, within: str) -> list[str]:
    """What axe-core finds serious or worse in the elements that a selector names: contrast, names, roles."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=within).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found if one["impact"] in ("serious", "critical")
            for node in one["nodes"]]  # fmt: skip
