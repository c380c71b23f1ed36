"""What the Lab saves of a notebook that git tracks, and of others."""

import asyncio
import subprocess

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from traitlets.config import Config

from intertask.lab.contents import Contents

SAID = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


@pytest.fixture
def folder(tmp_path):
    """A repository with a tracked notebook, `a b.ipynb`."""
    (tmp_path / "a b.ipynb").write_text(nbformat.writes(new_notebook(cells=[cell()], metadata=SAID)) + "\n")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def cell(source="1 + 1", **more):
    return new_code_cell(source, id="sum", metadata={"tags": ["t"]} | more)


def executed(source="1 + 1"):
    """As the Lab has it after a run, with an output folded and another kernel's words."""
    one = cell(source, collapsed=True, jupyter={"outputs_hidden": True}, execution={"iopub.status.busy": "now"})
    one |= {"execution_count": 3, "outputs": [new_output("execute_result", {"text/plain": "2"}, execution_count=3)]}
    kernel = {
        "kernelspec": SAID["kernelspec"] | {"display_name": "Mine"},
        "language_info": {"name": "python", "version": "3.13"},
    }
    return new_notebook(cells=[one], metadata=kernel | {"widgets": {"state": {}}, "papermill": {}})


def saved(folder, name, notebook):
    settings = Config({"NotebookNotary": {"db_file": ":memory:"}})
    contents = Contents(root_dir=str(folder), config=settings)
    model = {"type": "notebook", "format": "json", "content": notebook}
    asyncio.run(contents.save(model, name))
    assert model["content"]["cells"][0]["outputs"]  # what is on screen stays there
    return subprocess.run(["git", "diff"], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_a_tracked_notebook_that_was_run_is_as_it_was(folder):
    assert saved(folder, "a b.ipynb", executed()) == ""


def test_what_was_edited_in_it_is_saved(folder):
    difference = saved(folder, "a b.ipynb", executed("1 + 2"))
    lines = [line for line in difference.splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert [line[1:].strip() for line in lines] == ['"1 + 1"', '"1 + 2"']


def test_a_notebook_that_git_does_not_track_is_saved_whole(folder):
    saved(folder, "other.ipynb", executed())
    assert nbformat.read(folder / "other.ipynb", 4) == executed()


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", None])
def test_work_is_saved_where_the_file_is_damaged_or_gone(folder, text):
    (folder / "a b.ipynb").unlink()
    if text:
        (folder / "a b.ipynb").write_text(text)
    saved(folder, "a b.ipynb", executed("1 + 2"))
    (one,) = nbformat.read(folder / "a b.ipynb", 4).cells
    assert one.source == "1 + 2" and not one.outputs


def test_without_git_everything_is_saved_whole(folder, monkeypatch):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("git")))
    settings = Config({"NotebookNotary": {"db_file": ":memory:"}})
    model = {"type": "notebook", "format": "json", "content": executed()}
    asyncio.run(Contents(root_dir=str(folder), config=settings).save(model, "a b.ipynb"))
    assert nbformat.read(folder / "a b.ipynb", 4).cells[0].outputs


def test_of_a_widget_its_picture_and_table_stay(folder):
    notebook, widget = executed(), "application/vnd.jupyter.widget-view+json"
    bundle = {widget: {"model_id": "a"}, "image/png": "iVBO", "text/html": "<table></table>"}
    notebook.cells[0].outputs = [new_output("display_data", bundle), new_output("display_data", {widget: {}})]
    saved(folder, "other.ipynb", notebook)
    kept = [output.data.keys() for output in nbformat.read(folder / "other.ipynb", 4).cells[0].outputs]
    assert kept == [{"image/png", "text/html"}, {widget}]
