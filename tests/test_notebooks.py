"""The notebooks as committed: what a reader may rely on, without running them."""

import ast
import re
from pathlib import Path

import nbformat
import papermill
import pytest

from intertask.execution.worker import execute_notebook
from intertask.report.page import notebook_page
from intertask.run import Run
from intertask.studies.study import MIXED

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
LONGEST = 30  # lines of a code cell


def ids(path: Path) -> str:
    return path.stem


@pytest.fixture(params=NOTEBOOKS, ids=ids)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parameters(notebook) -> list:
    return [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]


def test_there_are_notebooks():
    known = {"train", "transfer_matrix", "restarts", "diagnostic_breakdown", "probing", "tour", "own_task"}
    assert {path.stem for path in NOTEBOOKS} >= known


def test_it_is_valid_and_opens_with_its_question(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")


def test_it_is_written_as_jupyter_writes_it(notebook, path):
    """So that saving it in the Lab changes what was edited, and nothing else."""
    assert nbformat.writes(notebook) + "\n" == path.read_text(encoding="utf-8")


def test_it_holds_no_outputs(notebook):
    assert not any(cell.outputs or cell.execution_count for cell in code(notebook))
    assert "papermill" not in notebook.metadata and "widgets" not in notebook.metadata


def test_it_defines_nothing_and_keeps_its_cells_short(notebook):
    for cell in code(notebook):
        nodes = list(ast.walk(ast.parse(cell.source)))
        assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda) for node in nodes)
        assert cell in parameters(notebook) or len(cell.source.splitlines()) <= LONGEST


def test_every_figure_is_described_for_who_cannot_see_it(notebook):
    """In the metadata of its cell, where the pages of a report and nbconvert's classic template find it."""
    drawing = re.compile(r"plt\.show\(\)|run_view\.(curve|predictions)\(")
    assert not [cell.id for cell in code(notebook) if drawing.search(cell.source) and not cell.metadata.get("alt")]


def test_prose_is_no_shorter_than_half_the_code(notebook):
    prose = sum(len(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    assert prose > sum(len(cell.source) for cell in code(notebook) if cell not in parameters(notebook)) / 2


def test_it_has_one_parameters_cell_and_that_comes_first(notebook):
    (cell,) = parameters(notebook)
    first = [one for one in code(notebook) if "headline" not in one.metadata.get("tags", [])]  # a place for the score
    assert cell is first[0]


def test_every_parameter_is_a_literal_with_its_meaning(notebook):
    (cell,) = parameters(notebook)
    for node, line in zip(ast.parse(cell.source).body, cell.source.splitlines(), strict=True):
        assert isinstance(node, ast.AnnAssign)
        ast.literal_eval(node.value)
        assert "  # " in line, f"say what {line} means: unit, legal values"


def test_papermill_sees_every_parameter(path, notebook):
    (cell,) = parameters(notebook)
    assert set(papermill.inspect_notebook(str(path))) == {node.target.id for node in ast.parse(cell.source).body}


def test_every_parameter_is_read(path, notebook):
    (cell,) = parameters(notebook)
    names = {node.target.id for node in ast.parse(cell.source).body}
    if path.stem == "train":  # read by Run.from_notebook
        return
    later = [node for other in code(notebook) if other is not cell for node in ast.walk(ast.parse(other.source))]
    assert names <= {node.id for node in later if isinstance(node, ast.Name)}


IN_SECONDS = {"task": "mini/rte", "max_length": 64, "learning_rate": 5e-4, "per_device_train_batch_size": 32}
"""Where train.ipynb departs from the papers' defaults: by itself it trains a mini encoder, on a laptop."""


def test_the_parameters_of_a_run_are_said_once():
    (cell,) = parameters(nbformat.read(ROOT / "notebooks" / "experiments" / "train.ipynb", as_version=4))
    said = {name: (field.default, field.description) for name, field in Run.model_fields.items()}
    said |= {name: (value, said[name][1]) for name, value in IN_SECONDS.items()}
    lines = zip(ast.parse(cell.source).body, cell.source.splitlines(), strict=True)
    assert {node.target.id: (ast.literal_eval(node.value), line.split("  # ")[1]) for node, line in lines} == said


def test_the_table_of_mixing_on_the_page_of_regimes_is_of_parameters():
    table = (ROOT / "docs" / "regimes.md").read_text().split("| key of `mixing` | |\n|---|---|\n")[1].split("\n\n")[0]
    rows = dict(re.match(r"\| `(\w+)` \| (.*) \|", line).groups() for line in table.splitlines())
    assert rows.keys() - {"budget"} <= MIXED
    for name in rows.keys() - {"budget"}:
        values = [
            Run.model_fields[name].default,
            *re.findall(r"\b[a-z]+_[a-z_]+\b", Run.model_fields[name].description),
        ]
        assert all(value in rows[name] for value in values), name


def test_prose_states_no_result(notebook):
    """A number in points or percent would be false for another parameter."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\d+\.\d+ ?(points|%)|[+-]\d+\.\d+", cell.source), cell.source


@pytest.mark.parametrize(
    "name, settings, shown",
    [
        ("tour", {"target": "mini/rte", "supporting": "mini/cola", "limit": 64}, "delta"),
        ("own_task", {"rows": 100, "num_train_epochs": 1.0}, "% praised"),
    ],
)
def test_it_runs_from_end_to_end_without_a_warning(name, settings, shown, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error,ignore::PendingDeprecationWarning")  # ipykernel's, at shutdown
    execute_notebook(ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "executed.ipynb", settings)
    executed = nbformat.read(tmp_path / "executed.ipynb", as_version=4)
    outputs = [output for cell in code(executed) for output in cell.outputs]
    assert shown in str(outputs) and not [output for output in outputs if output.get("name") == "stderr"]
    html = notebook_page(executed)["html"]
    assert "<img" in html and not re.search("<img(?![^>]* alt=)|without a description", html.replace("\n", " "))
