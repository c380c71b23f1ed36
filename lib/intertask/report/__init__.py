"""A study's report: its analysis notebooks, executed and rendered, behind one index page. Opens offline from a file."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
from papermill.exceptions import PapermillExecutionError

from intertask.analysis.read import read_records, read_runs, reported_in_words
from intertask.errors import IntertaskError, refusal
from intertask.execution.worker import execute_notebook
from intertask.files import is_writable_folder, results_root
from intertask.report.page import GENERATOR, index_page, notebook_page
from intertask.studies import store
from intertask.studies.check import analysis_notebook
from intertask.studies.status import read_study
from intertask.studies.study import Notebook

FIGURES = ["--InlineBackend.figure_formats=['svg', 'png']"]
"""Vectors for the page, and for readers of the notebook what every one of them shows."""


def build_report(study: str, to: Path | None = None, tell: Callable = lambda *_, **__: None) -> Path:
    """Builds a study's report anew from what the store holds and returns its folder; it opens at index.html.

    to: that folder; `results/<study>/report/` where none is given. It holds, for each notebook that the study's
    `report` names, the executed notebook and its HTML, and replaces the former report whole or, on any error, leaves
    it as it was. Raises IntertaskError where nothing can be written, or where something else than a report is.
    """
    results = results_root()
    os.environ["INTERTASK_RESULTS"] = str(results)  # for the kernels, whose working folder makes another relative path
    snapshot = read_study(study)
    target = to.absolute() if to else results / study / "report"
    if not to:
        with suppress(OSError):  # of a study that is read from INTERTASK_POOLS there is no folder yet
            target.parent.mkdir(parents=True, exist_ok=True)
    _refuse_unwritable(target)
    if to and to.exists() and not _replaceable(to):
        raise refusal(to, "a former report, an empty folder or nothing", "something else", "Name another folder.")
    wanted = [Notebook.model_validate(one) for one in snapshot["study"].get("report", [])]
    notebooks = [(analysis_notebook(one.notebook), {"study": study, **one.settings}) for one in wanted]
    runs = read_runs(study, predictions=True)
    store.remove_left(target.parent)
    with store.own_mark(target.parent, "report") as mark:
        building = mark.path / "report"
        building.mkdir(parents=True)
        pages = []
        for place, (path, parameters) in enumerate(notebooks, 1):
            began = time.monotonic()
            tell(f"{place} of {len(notebooks)}: {path.stem} ", end="")
            pages.append(_render(path, parameters, building, reported_in_words(runs)))
            tell(f"{time.monotonic() - began:.0f} s")
        links = _run_notebooks(runs, target) if target.is_relative_to(results) else {}
        index = index_page(snapshot, runs, read_records(runs), pages, links)
        (building / "index.html").write_text(index, encoding="utf-8")
        if target.exists():
            target.rename(mark.path / "old")
        building.rename(target)
    return target


def _run_notebooks(runs: pd.DataFrame, folder: Path) -> dict[str, str]:
    """From each run, finished or failed, to its executed notebook, as an address in the folder of the report."""
    found = {}
    for run in runs["run"].unique():
        for place in (store.folder_of(run), store.failure_folder(run)):
            if (notebook := store.notebook_file(place)).is_file():
                found.setdefault(run, os.path.relpath(notebook, folder))
    return found


def _refuse_unwritable(target: Path) -> None:
    """Refuses a folder that cannot be made or replaced, before its notebooks are executed."""
    if not is_writable_folder(target.parent):
        expected = "a folder that is there and can be written to"
        found = "that nothing can be written there" if target.parent.is_dir() else "none"
        raise refusal(target.parent, expected, found, "Say with --to FOLDER where the report goes.")


def _replaceable(folder: Path) -> bool:
    index = folder / "index.html"
    if index.is_file():
        return GENERATOR in index.read_text(encoding="utf-8", errors="replace")
    return folder.is_dir() and not any(folder.iterdir())


def _render(notebook: Path, parameters: dict, folder: Path, note: str) -> dict[str, str]:
    """Executes one notebook into the folder, with its page beside it; what the index page says of it."""
    output = folder / notebook.name
    try:
        execute_notebook(notebook, output, parameters, kernel_arguments=FIGURES)
    except PapermillExecutionError as error:
        raise IntertaskError(
            f"The report was not built: {notebook.name} failed in cell {error.cell_index} with {error.ename}: "
            f"{error.evalue} Open it in JupyterLab with {parameters} to see where."
        ) from None
    executed = nbformat.read(output, as_version=4)
    for part in (executed, *executed.cells):  # papermill's notes hold paths of this machine; a report is passed on
        part.metadata.pop("papermill", None)
    nbformat.write(executed, output)
    page = notebook_page(executed, note)
    output.with_suffix(".html").write_text(page.pop("html"), encoding="utf-8")
    return page | {"stem": notebook.stem}
