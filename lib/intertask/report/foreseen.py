"""What a study's report would refuse after all training, known before any: its notebooks read the study as planned."""

import ast
import io
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from functools import partial
from os.path import isfile
from pathlib import Path
from typing import Any

from matplotlib import pyplot, rc_context

from intertask.cache import remembered
from intertask.errors import IntertaskError
from intertask.files import file_digest, private_folder, project_root, results_root
from intertask.studies.check import analysis_notebook
from intertask.studies.graph import Graph
from intertask.studies.study import Notebook

SKIPPED = (ast.For, ast.With)
"""Statements that are not executed: they draw, and of what nothing was trained for there is nothing to draw."""


def foreseen(graph: Graph) -> list[str]:
    """One message for each notebook that refuses the study: its regimes, its tasks, or a parameter's value.

    What shows only in scores is not foreseen. Nothing is written.
    """
    code = [file_digest(path).hex() for path in sorted(Path(__file__).parents[1].rglob("*.py"))]
    printed = [file_digest(path).hex() for path in sorted((project_root() / "results" / "published").glob("*.csv"))]
    planned = [[asdict(row) for row in graph.rows], graph.study.model_dump(mode="json"), code, printed]
    found = []
    for one in graph.study.report:
        cells = _code(one)
        own = [
            file_digest(Path(said)).hex() for said in one.settings.values() if isinstance(said, str) and isfile(said)
        ]
        try:
            remembered("foreseen", [cells, one.settings, own, *planned], partial(_read_planned, graph, one, cells))
        except IntertaskError as error:
            found.append(f"report, {one.notebook}: {error}")
    return found


def _code(one: Notebook) -> list[str]:
    cells = json.loads(analysis_notebook(one.notebook).read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _read_planned(graph: Graph, one: Notebook, cells: list[str]) -> str:
    """Executes the notebook's statements, but loops, for a study of which no run is finished; "" if none refuses."""
    first, *others = cells
    names: dict[str, Any] = {}
    with _planned(graph), rc_context(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        exec(first, names)
        names |= {"study": graph.name, **one.settings} | ({"export": ""} if "export" in names else {})  # writes nothing
        names["In"] = [first]
        for statement in ast.parse("\n".join(others)).body:
            if not isinstance(statement, SKIPPED):
                try:
                    exec(compile(ast.Module([statement], []), one.notebook, "exec"), names)
                except IntertaskError:
                    raise
                except Exception:  # of what it needs there is nothing yet
                    break
        pyplot.close("all")
    return ""


@contextmanager
def _planned(graph: Graph) -> Iterator[None]:
    """A results folder with the study's snapshot and nothing else; refusals name the real one."""
    real, before = results_root(), os.environ.get("INTERTASK_RESULTS")
    with private_folder() as folder:
        os.environ["INTERTASK_RESULTS"] = str(folder)
        try:
            graph.save()
            yield
        except IntertaskError as error:
            raise IntertaskError(str(error).replace(str(results_root()), str(real))) from None
        finally:
            del os.environ["INTERTASK_RESULTS"]
            if before is not None:
                os.environ["INTERTASK_RESULTS"] = before
