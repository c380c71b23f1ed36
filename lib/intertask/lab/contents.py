"""How `make lab` saves: a notebook that git tracks without what running it adds, so that exploring changes no file."""

import json
import subprocess
from pathlib import Path
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat import NotebookNode, from_dict
from nbstripout import strip_output

WIDGET = "application/vnd.jupyter.widget-view+json"
OF_A_KERNEL = ("kernelspec", "language_info")
OF_A_RUN = [
    *("metadata.language_info", "metadata.widgets", "metadata.papermill", "cell.metadata.execution"),
    *("cell.metadata.ExecuteTime", "cell.metadata.collapsed", "cell.metadata.scrolled"),
    "cell.metadata.jupyter.outputs_hidden",
]


class Contents(AsyncLargeFileManager):
    """The Lab's files: a tracked notebook shows its outputs while it is open, and is saved without them."""

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        if model.get("type") == "notebook" and "content" in model:
            model = model | {"content": still(model["content"])}  # here: what is saved is what is signed
        return await super().save(model, path)

    async def _save_notebook(self, os_path: str, nb: NotebookNode, capture_validation_error: Any = None) -> None:
        if is_tracked(Path(os_path)):
            nb = as_edited(nb, Path(os_path))
        await super()._save_notebook(os_path, nb, capture_validation_error)


def is_tracked(path: Path) -> bool:
    """Whether git knows the file; nothing is tracked where there is no git."""
    try:
        asked = ["git", "ls-files", "--error-unmatch", "--", path.name]
        return subprocess.run(asked, cwd=path.parent, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def as_edited(nb: NotebookNode, path: Path) -> NotebookNode:
    """The notebook without outputs and counts, as a copy; of its kernel it says what the file says."""
    edited = strip_output(from_dict(nb), keep_output=False, keep_count=False, keep_id=True, extra_keys=OF_A_RUN)
    for cell in edited.cells:
        if cell.metadata.get("jupyter") == {}:
            del cell.metadata["jupyter"]
    try:
        said = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    except (OSError, ValueError, KeyError):  # gone, or not a notebook now: what is edited is saved all the same
        said = {}
    edited.metadata |= {key: from_dict(said[key]) for key in OF_A_KERNEL if key in said}
    return edited


def still(notebook: dict[str, Any]) -> NotebookNode:
    """A copy whose outputs that say the same without a widget, as those of a `lab.view.View`, only do so: the widget
    itself goes with its kernel."""
    kept = from_dict(notebook)
    for cell in kept.cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET, None)
    return kept
