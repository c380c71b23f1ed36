"""What a study's report would refuse after all training, known before any: its notebooks read the study as planned."""

import ast
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from functools import partial
from os.path import isfile
from pathlib import Path
from typing import Any

from intertask.cache import remembered
from intertask.errors import IntertaskError, refusal
from intertask.files import environment, file_digest, private_folder, project_root, results_root
from intertask.studies.check import Verdict, notebook_code
from intertask.studies.graph import Graph
from intertask.studies.study import Notebook

SKIPPED = (ast.For, ast.With)
"""Statements that are not executed: they draw, and of what nothing was trained for there is nothing to draw."""


def judged(graph: Graph, verdict: Verdict) -> Verdict:
    """A verdict of `studies.check.examined` and, where the runs can start, whether the report can be made."""
    verdict.problems = verdict.problems or foreseen(graph)
    return verdict


def foreseen(graph: Graph) -> list[str]:
    """One message for each notebook that refuses the study: its regimes, its tasks, or a parameter's value.

    What shows only in scores is not foreseen. Nothing is written.
    """
    code = [*map(file_digest, sorted(Path(__file__).parent.rglob("*.py")))]
    printed = [*map(file_digest, sorted((project_root() / "results" / "published").glob("*.csv")))]
    planned = [[asdict(row) for row in graph.rows], graph.study.model_dump(mode="json"), code, printed]
    found = []
    for one in graph.study.report:
        cells = notebook_code(one)
        own = [file_digest(Path(said)) for said in one.settings.values() if isinstance(said, str) and isfile(said)]
        try:
            remembered("foreseen", [cells, one.settings, own, *planned], partial(_read_planned, graph, one, cells))
        except IntertaskError as error:
            found.append(f"report, {one.notebook}: {error}")
    return found


def _read_planned(graph: Graph, one: Notebook, cells: list[str]) -> str:
    """Executes the notebook's statements, but loops, for a study of which no run is finished; "" if none refuses."""
    from matplotlib import pyplot, rc_context  # here: what was read once is not read again

    first, *others = cells
    names: dict[str, Any] = {}
    with _planned(graph), rc_context(), warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        exec(first, names)
        names |= {"study": graph.name, **one.settings} | ({"export": ""} if "export" in names else {})  # writes nothing
        names["In"] = [first]
        for statement in _statements(others):
            if not isinstance(statement, SKIPPED):
                try:
                    exec(compile(ast.Module([statement], []), one.notebook, "exec"), names)
                except IntertaskError:
                    raise
                except Exception:  # of what it needs there is nothing yet
                    break
        pyplot.close("all")
    return ""


def _statements(cells: list[str]) -> list[ast.stmt]:
    """Of cells in which IPython's own words (%, !) may stand too."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell("\n".join(cells))).body
    except SyntaxError as error:
        raise refusal("its code", "what Python reads", f"{error.msg}: {error.text}", "Mend the notebook.") from None


@contextmanager
def _planned(graph: Graph) -> Iterator[None]:
    """A results folder with the study's snapshot and nothing else; refusals name the real one."""
    real = results_root()
    with private_folder() as folder, environment(INTERTASK_RESULTS=str(folder), INTERTASK_POOLS=""):
        try:
            graph.save()
            yield
        except IntertaskError as error:
            raise IntertaskError(str(error).replace(str(results_root()), str(real))) from None
