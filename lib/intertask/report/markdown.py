"""A report as Markdown with its pictures: small enough to be kept, and read on a repository's web page."""

import io
import re
from pathlib import Path

from nbconvert import MarkdownExporter
from PIL import Image
from traitlets.config import Config

from intertask.errors import IntertaskError
from intertask.studies.store import results_root, write

COLOURS = 256


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
        (folder / name).write_bytes(_small(picture))
    page = folder / f"{notebook.stem}.md"
    write(page, re.sub(r"<style.*?</style>\n?", "", body, flags=re.DOTALL).strip() + "\n")
    return page


def _small(png: bytes) -> bytes:
    """The picture in COLOURS colours, the rare ones kept: a third of the size, and no eye sees it."""
    small = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture = picture.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    picture.save(small, "PNG", optimize=True)
    return small.getvalue()
