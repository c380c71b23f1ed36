"""The pages of a report: self-contained HTML that runs no script but our own and loads nothing.

Text from data sets and studies is escaped or cleaned, and, should any of it get through, the page's content security
policy still forbids it to run: only the one script, sort.js, named by its hash, may.
"""

import base64
import hashlib
import re
from html import escape, unescape
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import jinja2
import nh3
import pandas as pd
import yaml
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from intertask.analysis.answer import answer
from intertask.analysis.read import missing, reported_in_words
from intertask.analysis.tables import as_html, shown
from intertask.errors import number_of
from intertask.files import now
from intertask.report.vector import inline_svg

SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "text/plain"]
"""Kinds of output that are rendered; all others, scripts and widgets among them, are dropped."""

RUN_COLUMNS = ["stage", "part", "regime", "mixing", "encoder", "supporting", "supporting_limit", "task", "limit"]
RUN_COLUMNS += ["seed", "split", "score", "majority", "degenerate", "n_train", "seconds", "run"]

LIBRARIES = ["intertask", "pandas", "scipy", "statsmodels", "matplotlib", "papermill", "nbconvert"]

SECTION = re.compile(r'<h2 id="([^"]+)">(.*?)(?:<a class="anchor-link".*?</a>)?</h2>', re.DOTALL)
GENERATOR = '<meta name="generator" content="Intertask">'
"""What tells a report from other pages."""

_HERE = Path(__file__).parent
TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined)
TEMPLATES.filters["number_of"] = number_of
TEMPLATES.filters["minute"] = lambda moment: moment[:16].replace("T", " ")
SORT, STYLE = ((_HERE / name).read_text(encoding="utf-8") for name in ("sort.js", "style.css"))
SORT_HASH = base64.b64encode(hashlib.sha256(SORT.encode()).digest()).decode()


def notebook_page(notebook: NotebookNode, note: str = "") -> dict:
    """An executed notebook as `html`, its code folded away, below the `note`; title: its first heading; sections: (id,
    heading) of the others; picture: its first, as HTML, empty without any. Outputs of other kinds than SHOWN are lost
    from the notebook."""
    title, picture = notebook.cells[0].source.splitlines()[0].lstrip("# "), ""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = {kind: output.data[kind] for kind in SHOWN if kind in output.data}
                drawn = _picture(output.data, cell.metadata.get("alt", ""))
                picture = picture or drawn
        cell.outputs = [output for output in cell.get("outputs", []) if output.get("data") != {}]
    # nh3 stands in the place of nbconvert's own cleaner, which drops tables and headings
    template, filters = (_HERE / "notebook.html.j2").read_text(encoding="utf-8"), {"clean_html": clean}
    exporter = HTMLExporter(template_name="basic", raw_template=template, sanitize_html=True, filters=filters)
    body, _ = exporter.from_notebook_node(notebook)
    sections = [(name, _plain(heading)) for name, heading in SECTION.findall(body)]
    contents = TEMPLATES.get_template("contents.html.j2").render(sections=sections, note=note)
    html = page(title, f"{contents}\n{body}", HtmlFormatter().get_style_defs(".highlight"))
    return {"title": title, "html": html, "picture": picture, "sections": sections}


def _picture(data: dict, alt: str) -> str:
    """An output's figure as an element of a page; its vectors are cleaned in place, and dropped where they are none."""
    if cleaned := inline_svg(data.pop("image/svg+xml", ""), alt):
        data["image/svg+xml"] = cleaned
        return cleaned
    if png := data.get("image/png"):
        return f'<img alt="{escape(alt)}" src="data:image/png;base64,{escape(png)}">'
    return ""


def page(title: str, body: str, style: str = "") -> str:
    """A whole document around trusted HTML."""
    constant = {"sort": SORT, "sort_hash": SORT_HASH, "generator": GENERATOR}
    return TEMPLATES.get_template("page.html.j2").render(title=title, body=body, style=STYLE + style, **constant)


def clean(html: str) -> str:
    """HTML without anything that acts or loads: tables, text and classes stay; images come as outputs of their own."""
    tags = nh3.ALLOWED_TAGS - {"img", "map", "area"}
    return nh3.clean(html, tags=tags, attributes=nh3.ALLOWED_ATTRIBUTES | {"*": {"class"}, "h2": {"id"}})


def _plain(html: str) -> str:
    """What a reader sees of cleaned HTML, as plain text."""
    return unescape(re.sub("<[^>]*>", "", html))


def index_page(
    snapshot: dict, runs: pd.DataFrame, records: dict[str, dict], pages: list[dict], notebooks: dict[str, str]
) -> str:
    """The first page: findings in words, what is missing, the notebooks with their first pictures, settings, runs and
    provenance. notebooks: from a run to the address of its executed notebook."""
    absent, once = missing(runs), runs.drop_duplicates("run")
    body = TEMPLATES.get_template("index.html.j2").render(
        study=snapshot,
        answer=answer(runs),
        note=reported_in_words(runs),
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
        table=_linked(_table(runs[RUN_COLUMNS], "sortable"), notebooks),
        linked=len(notebooks),
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
            "precision": record["identity"]["computed_by"]["precision"],
            "threads": record["threads"],
            "checkpoint": record["tasks"][record["task"]]["selection"],
            **record["versions"],
        }.items()
    ]
    counted = pd.DataFrame(facts, columns=["what", "value"]).value_counts(sort=False).rename("runs").reset_index()
    counted = counted.iloc[pd.factorize(counted["what"])[0].argsort(kind="stable")]  # all values of one fact together
    here = pd.DataFrame({"what": [f"report: {name}" for name in LIBRARIES], "value": [version(n) for n in LIBRARIES]})
    return pd.concat([counted, here], ignore_index=True).astype({"runs": "Int64"})


def _table(frame: pd.DataFrame, kind: str) -> str:
    return clean(as_html(shown(frame), kind))  # without the Lab's layout


def _linked(table: str, addresses: dict[str, str]) -> str:
    """The table with a link where a cell holds nothing but a name that has an address."""
    found = {escape(name): escape(quote(address)) for name, address in addresses.items()}
    return re.sub(
        "(<td[^>]*>)([^<]+)(?=</td>)",
        lambda cell: f'{cell[1]}<a href="{found[cell[2]]}">{cell[2]}</a>' if cell[2] in found else cell[0],
        table,
    )
