"""A report as Markdown with its pictures: small enough to be kept, and read on a repository's web page."""

import ast
import base64
import json
import re
from itertools import count
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbformat import NotebookNode

from intertask.errors import IntertaskError
from intertask.files import results_root, write

ROWS = 30
"""A table of more rows is folded."""

CELL = re.compile(r"\s*<t[hd]\b[^>]*>(.*?)</t[hd]>", re.DOTALL)


def write_markdown(study: str, folder: Path) -> list[Path]:
    """Writes each executed notebook of the study's report into the folder, of its code the parameters alone; returns
    the pages.

    Raises IntertaskError where the report was not built yet.
    """
    notebooks = sorted((results_root() / study / "report").glob("*.ipynb"))
    if not notebooks:
        raise IntertaskError(f"{study}: expected a report to copy, found none. Build it: intertask report {study}")
    folder.mkdir(parents=True, exist_ok=True)
    return [_page(notebook, folder) for notebook in notebooks]


def _page(path: Path, folder: Path) -> Path:
    notebook = nbformat.read(path, as_version=4)
    for old in folder.glob(f"{path.stem}_[0-9]*_[0-9]*.png"):
        old.unlink()
    heading = ""
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            heading = [heading, *re.findall("^#+ (.*)", cell.source, re.MULTILINE)][-1]
        for number, output in enumerate(cell.get("outputs", [])):
            picture = folder / f"{path.stem}_{place}_{number}.png"
            _shrink(output.get("data", {}), picture, cell.metadata.get("alt", heading))
    _show_parameters(notebook)
    body, _ = MarkdownExporter(exclude_input=True).from_notebook_node(notebook)
    page = folder / f"{path.stem}.md"
    write(page, body.strip() + "\n")
    return page


def _shrink(data: NotebookNode, picture: Path, alt: str) -> None:
    """Writes what an output has as a picture to the file of this name; makes its table smaller."""
    if "image/png" in data:
        picture.write_bytes(base64.b64decode(data.pop("image/png")))
        data["text/markdown"] = f"![{alt}]({picture.name})"
    elif "text/html" in data:
        data["text/html"] = _table(data["text/html"])


def _table(html: str) -> str:
    """A table without its style and its empty columns, which are named below it; folded if it is long."""
    html = _narrow(re.sub(r"<style.*?</style>\n?", "", html, flags=re.DOTALL))
    rows = html.partition("<tbody>")[2].count("</tr>")
    return html if rows <= ROWS else f"<details><summary>{rows} rows</summary>\n\n{html}\n\n</details>"


def _narrow(html: str) -> str:
    """A table without its empty columns, unless cells span several."""
    head, _, body = html.partition("<tbody>")
    names = CELL.findall(head.partition("</tr>")[0])
    rows = [CELL.findall(row) for row in body.split("</tr>")[:-1]]
    if any(len(row) != len(names) for row in rows):
        return html
    empty = [place for place, column in enumerate(zip(*rows, strict=True)) if not any(column)]
    if not empty:
        return html
    narrow = "</tr>".join(_without(empty, row) for row in html.split("</tr>"))
    return f"{narrow}\n<p>Empty in every row: {', '.join(names[place] for place in empty)}.</p>"


def _without(columns: list[int], row: str) -> str:
    place = count()
    return CELL.sub(lambda cell: "" if next(place) in columns else cell[0], row)


def _show_parameters(notebook: NotebookNode) -> None:
    """Puts the parameters in force in the place of the cell that holds their defaults."""
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    defaults = tagged["parameters"]
    lines = _parameters(defaults.source, tagged["injected-parameters"].source)
    defaults.update(cell_type="markdown", source="\n".join(["```yaml", *lines, "```"]))


def _parameters(defaults: str, injected: str) -> list[str]:
    """A line of YAML each, with the comment beside its default; a path of this machine is left out."""
    given = {node.targets[0].id: node.value for node in ast.parse(injected).body}
    lines = []
    for node, line in zip(ast.parse(defaults).body, defaults.splitlines(), strict=True):
        value = ast.literal_eval(given.get(node.target.id, node.value))
        comment = line.encode()[node.end_col_offset :].decode()
        if not str(value).startswith("/"):
            lines.append(f"{node.target.id}: {json.dumps(value, ensure_ascii=False)}{comment}")
    return lines
