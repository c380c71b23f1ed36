"""A report as Markdown with its pictures: small enough to be kept, and read on a repository's web page."""

import re
from pathlib import Path

from nbconvert import MarkdownExporter
from traitlets.config import Config

from intertask.errors import IntertaskError
from intertask.studies.store import results_root, write


def write_markdown(study: str, folder: Path) -> list[Path]:
    """Writes each executed notebook of the study's report, without its code, into the folder; returns the pages.

    Raises IntertaskError where the report was not built yet.
    """
    notebooks = sorted((results_root() / study / "report").glob("*.ipynb"))
    if not notebooks:
        raise IntertaskError(f"{study}: expected a report to copy, found none. Build it: intertask report {study}")
    return [_page(notebook, folder) for notebook in notebooks]


def _page(notebook: Path, folder: Path) -> Path:
    pictures = f"{notebook.stem}_{{cell_index}}_{{index}}{{extension}}"
    config = Config({"ExtractOutputPreprocessor": {"output_filename_template": pictures}})
    body, resources = MarkdownExporter(config=config, exclude_input=True).from_filename(str(notebook))
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in resources["outputs"].items():
        (folder / name).write_bytes(picture)
    page = folder / f"{notebook.stem}.md"
    write(page, re.sub(r"<style.*?</style>\n?", "", body, flags=re.DOTALL).strip() + "\n")
    return page
