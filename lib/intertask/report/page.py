"""The pages of a report: self-contained HTML that runs no script but our own and loads nothing.

Text from data sets and studies is escaped or cleaned, and, should any of it get through, the page's content security
policy still forbids it to run: only the one script, sort.js, named by its hash, may.
"""

import base64
import hashlib
from importlib.metadata import version
from pathlib import Path

import jinja2
import nh3
import pandas as pd
import yaml
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from intertask.analysis.read import missing
from intertask.analysis.tables import as_html, shown
from intertask.files import now

SHOWN = ["text/html", "text/markdown", "image/png", "text/plain"]
"""Kinds of output that are rendered; all others, scripts and widgets among them, are dropped."""

RUN_COLUMNS = ["stage", "part", "regime", "mixing", "encoder", "supporting", "supporting_limit", "task", "limit"]
RUN_COLUMNS += ["seed", "split", "score", "majority", "degenerate", "n_train", "seconds", "run"]

LIBRARIES = ["intertask", "pandas", "scipy", "statsmodels", "matplotlib", "papermill", "nbconvert"]

GENERATOR = '<meta name="generator" content="Intertask">'
"""What tells a report from other pages."""

HERE = Path(__file__).parent
TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined)
SORT, STYLE = ((HERE / name).read_text(encoding="utf-8") for name in ("sort.js", "style.css"))
SORT_HASH = base64.b64encode(hashlib.sha256(SORT.encode()).digest()).decode()


def notebook_page(notebook: NotebookNode) -> dict[str, str]:
    """An executed notebook as `html`, its code folded away; title: its first heading; picture: its first, base64 PNG,
    and `alt`, the text for it, both empty without any. Outputs of other kinds than SHOWN are lost from the notebook."""
    title, picture, alt = notebook.cells[0].source.splitlines()[0].lstrip("# "), "", ""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = {kind: output.data[kind] for kind in SHOWN if kind in output.data}
                if "image/png" in output.data and not picture:
                    picture, alt = output.data["image/png"], cell.metadata.get("alt", "")
        cell.outputs = [output for output in cell.get("outputs", []) if output.get("data") != {}]
    # nh3 stands in the place of nbconvert's own cleaner, which drops tables and headings
    template, filters = (HERE / "notebook.html.j2").read_text(encoding="utf-8"), {"clean_html": clean}
    exporter = HTMLExporter(template_name="basic", raw_template=template, sanitize_html=True, filters=filters)
    body, _ = exporter.from_notebook_node(notebook)
    back = '<p><a href="index.html">Back to the report</a></p>'
    html = page(title, f"{back}\n{body}", HtmlFormatter().get_style_defs(".highlight"))
    return {"title": title, "html": html, "picture": picture, "alt": alt}


def page(title: str, body: str, style: str = "") -> str:
    """A whole document around trusted HTML."""
    constant = {"sort": SORT, "sort_hash": SORT_HASH, "generator": GENERATOR}
    return TEMPLATES.get_template("page.html.j2").render(title=title, body=body, style=STYLE + style, **constant)


def clean(html: str) -> str:
    """HTML without anything that acts or loads: tables, text and classes stay; images come as outputs of their own."""
    tags = nh3.ALLOWED_TAGS - {"img", "map", "area"}
    return nh3.clean(html, tags=tags, attributes=nh3.ALLOWED_ATTRIBUTES | {"*": {"class"}})


def index_page(snapshot: dict, runs: pd.DataFrame, records: dict[str, dict], pages: list[dict]) -> str:
    """The first page: what is missing, the notebooks with their first pictures, settings, runs and provenance."""
    absent, once = missing(runs), runs.drop_duplicates("run")
    body = TEMPLATES.get_template("index.html.j2").render(
        study=snapshot,
        trained="source" not in snapshot["study"],
        built=now(),
        ended=sorted(record["finished"] for record in records.values()) or ["–"],
        expected=len(once),
        done=once["done"].sum(),
        failed=once["failed"].count(),
        absent="" if absent.empty else _table(absent, "missing"),
        pages=pages,
        settings=yaml.safe_dump(
            snapshot["given"], sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        ),
        rows=len(runs),
        table=_table(runs[RUN_COLUMNS], "sortable"),
        provenance=_table(_provenance(records), "sortable"),
    )
    return page(snapshot["title"], body)


def _provenance(records: dict[str, dict]) -> pd.DataFrame:
    """How many runs were made with which commit, device and versions; then the versions that made the report."""
    facts = [
        {"what": what, "value": str(value)}
        for record in records.values()
        for what, value in {
            "git commit": record["git_commit"],
            "device": record["device"],
            "threads": record["threads"],
            "checkpoint": record["tasks"][record["task"]]["selection"],
            **record["versions"],
        }.items()
    ]
    counted = pd.DataFrame(facts, columns=["what", "value"]).value_counts(sort=False).rename("runs").reset_index()
    here = pd.DataFrame({"what": [f"report: {name}" for name in LIBRARIES], "value": [version(n) for n in LIBRARIES]})
    return pd.concat([counted, here], ignore_index=True).astype({"runs": "Int64"})


def _table(frame: pd.DataFrame, kind: str) -> str:
    return as_html(shown(frame), index=False, border=0, classes=kind)
