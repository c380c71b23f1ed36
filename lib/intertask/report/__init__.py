"""A study's report: its analysis notebooks, executed and rendered, behind one index page. Opens offline from a file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from papermill.exceptions import PapermillExecutionError

from intertask.analysis.read import read_records, read_runs
from intertask.errors import IntertaskError
from intertask.files import results_root
from intertask.report.page import NotebookPage, index_page
from intertask.studies.check import analysis_notebook
from intertask.studies.status import read_study
from intertask.studies.study import Notebook
from intertask.studies.worker import execute_notebook


def build_report(study: str, results: Path | None = None) -> Path:
    """Builds `results/<study>/report/` anew from what the store holds and returns that folder; it opens at index.html.

    The folder holds, for each notebook that the study's `report` names, the executed notebook and its HTML. It replaces
    the former report whole or, on any error, leaves it as it was.
    """
    results = Path(results or results_root()).resolve()
    snapshot = read_study(study, results)
    wanted = [Notebook.model_validate(one) for one in snapshot["study"].get("report", [])]
    notebooks = [(analysis_notebook(one.notebook), one) for one in wanted]
    runs = read_runs(study, results)
    target = results / study / "report"
    with tempfile.TemporaryDirectory(prefix=".report-", dir=target.parent, ignore_cleanup_errors=True) as scratch:
        building = Path(scratch) / "report"
        building.mkdir()
        with _environment("INTERTASK_RESULTS", str(results)):
            pages = [_render(path, {"study": study, **one.settings}, building) for path, one in notebooks]
        index = index_page(snapshot, runs, read_records(runs, results), pages)
        (building / "index.html").write_text(index, encoding="utf-8")
        if target.exists():
            target.rename(Path(scratch) / "old")
        building.rename(target)
    return target


def _render(notebook: Path, parameters: dict[str, Any], folder: Path) -> NotebookPage:
    """Executes one notebook into the folder, with its page beside it."""
    output = folder / notebook.name
    try:
        execute_notebook(notebook, output, parameters)
    except PapermillExecutionError as error:
        raise IntertaskError(
            f"The report was not built: {notebook.name} failed in cell {error.cell_index} with {error.ename}: "
            f"{error.evalue} Open it in JupyterLab with {parameters} to see where."
        ) from None
    executed = nbformat.read(output, as_version=4)
    _forget_paths(executed)
    nbformat.write(executed, output)
    page = NotebookPage.of(notebook.stem, executed)
    output.with_suffix(".html").write_text(page.html, encoding="utf-8")
    return page


def _forget_paths(notebook: nbformat.NotebookNode) -> None:
    """Drops papermill's notes: they hold absolute paths of the machine, and a report is made to be passed on."""
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Sets a variable for the kernels started in the block: papermill passes them no environment of their own."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
