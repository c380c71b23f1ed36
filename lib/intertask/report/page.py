"""The pages of a report: self-contained HTML that runs no script but our own and loads nothing.

Text from data sets and studies is escaped or cleaned, and, should any of it get through, the page's content security
policy still forbids it to run: only the one script below, named by its hash, may.
"""

import base64
import hashlib
from datetime import UTC, datetime
from importlib.metadata import version

import jinja2
import nh3
import pandas as pd
import yaml
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from intertask.analysis.read import missing
from intertask.analysis.tables import as_html, shown

SHOWN = ["text/html", "text/markdown", "image/png", "text/plain"]
"""Kinds of output that are rendered; all others, scripts and widgets among them, are dropped."""

RUN_COLUMNS = ["stage", "part", "regime", "mixing", "encoder", "supporting", "supporting_limit", "task", "limit"]
RUN_COLUMNS += ["seed", "split", "score", "majority", "degenerate", "n_train", "seconds", "run"]

LIBRARIES = ["intertask", "pandas", "scipy", "statsmodels", "matplotlib", "papermill", "nbconvert"]

CODE_FOLDED = """
{%- extends 'basic/index.html.j2' -%}
{%- block input %}<details><summary>code</summary>{{ super() }}</details>{% endblock input -%}
"""

SORT = """
for (const head of document.querySelectorAll("table.sortable th, table.dataframe thead tr:last-child th")) {
  head.tabIndex = 0;
  head.onclick = () => {
    const rows = [...head.closest("table").tBodies[0].rows];
    const text = row => row.cells[head.cellIndex].textContent;
    const number = row => text(row) === "" ? -Infinity : parseFloat(text(row).replaceAll(",", ""));
    const numeric = rows.every(row => !Number.isNaN(number(row)));
    const order = numeric ? (a, b) => number(a) - number(b) : (a, b) => text(a).localeCompare(text(b));
    const up = head.ariaSort !== "ascending";
    head.parentNode.querySelectorAll("th").forEach(other => other.ariaSort = "none");
    head.ariaSort = up ? "ascending" : "descending";
    rows.sort((a, b) => up ? order(a, b) : order(b, a)).forEach(row => row.parentNode.append(row));
  };
  head.onkeydown = event => { if (event.key === "Enter") head.click(); };
}
"""
SORT_HASH = base64.b64encode(hashlib.sha256(SORT.encode()).digest()).decode()

STYLE = """
body { max-width: 76rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; color: #222; }
h1, h2, h3 { line-height: 1.2; } a { color: #0b57a4; } a.anchor-link { display: none; }
p, li, details > pre { max-width: 50rem; } img { max-width: 100%; height: auto; } p.note { color: #555; }
pre, code { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { overflow-x: auto; background: #f6f6f4; padding: .6rem .8rem; margin: .3rem 0; white-space: pre-wrap; }
div.scroll, div.output_html { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: .6rem 0; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
table.missing th, table.missing td { text-align: left; }
p.picture img { width: min(50rem, 100%); max-height: 32rem; object-fit: cover; object-position: top; }
table.dataframe td { white-space: nowrap; }
tbody th { border-bottom: 1px solid #ddd; font-weight: normal; color: #666; }
th { border-bottom: 2px solid #888; vertical-align: bottom; }
table.sortable th, table.dataframe thead tr:last-child th { cursor: pointer; }
th[aria-sort=ascending]::after { content: " \\25B2"; }
th[aria-sort=descending]::after { content: " \\25BC"; }
div.prompt { display: none; } details > summary { color: #666; cursor: pointer; font-size: 13px; }
@media print {
  table { font-size: 9px; } th, td { padding: .1rem .25rem; }
  div.scroll, div.output_html { overflow: visible; }
}
div.code_cell { margin: .4rem 0 1rem; } div.output_stderr pre { background: #fdf0e8; }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'sha256-{{ sort_hash }}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
{{ body | safe }}
<script>{{ sort | safe }}</script>
</body>
</html>
"""

INDEX = """
<h1>{{ study.title }}</h1>
<p class="note">
{%- if trained %}Study <b>{{ study.name }}</b>, expanded {{ study.written }}; its {{ done }} finished runs ended
{{ ended | first }} to {{ ended | last }} (UTC); {% else %}Table <b>{{ study.name }}</b>, read
{{ study.written }}; its scores were not
trained here; {% endif %}report built {{ built }}.</p>

<h2>Runs</h2>
<p><b>{{ expected }}</b> expected: <b>{{ done }}</b> done, <b>{{ failed }}</b> failed,
<b>{{ expected - done - failed }}</b> not run.
{% if absent %}Missing, and so absent from every figure:{% else %}Nothing is
missing.{% endif %}</p>
{% if absent %}<div class="scroll">{{ absent | safe }}</div>{% endif %}

<h2>Analyses</h2>
{% for page in pages %}
<h3><a href="{{ page.stem }}.html">{{ page.title }}</a></h3>
{% if page.picture %}<p class="picture"><a href="{{ page.stem }}.html"><img alt="{{ page.alt }}" \
src="data:image/png;base64,{{ page.picture }}"></a></p>{% endif %}
<p class="note">With tables, tests and limits: <a href="{{ page.stem }}.html">the rendered notebook</a>, or
<a href="{{ page.stem }}.ipynb">the notebook itself</a> for JupyterLab.</p>
{% endfor %}

<h2>Settings</h2>
<details open><summary>the study as written</summary><pre>{{ settings }}</pre></details>

<h2>Every run</h2>
<p class="note">One row per role of a run; click a heading to sort. Scores in 0–100 on the split named
{%- if trained %}; the executed notebook of a run lies in <code>runs/&lt;run&gt;/notebook.ipynb</code> in the results
folder{% endif %}.</p>
<details><summary>{{ rows }} rows</summary><div class="scroll">{{ table | safe }}</div></details>

<h2>Provenance</h2>
<p class="note">{% if trained %}What the runs record of themselves, with the number of runs, and what{% else %}What
{%- endif %} built this report.</p>
<div class="scroll">{{ provenance | safe }}</div>
"""

ENVIRONMENT = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)


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
    exporter = HTMLExporter(
        template_name="basic", raw_template=CODE_FOLDED, sanitize_html=True, filters={"clean_html": clean}
    )
    body, _ = exporter.from_notebook_node(notebook)
    back = '<p><a href="index.html">Back to the report</a></p>'
    html = page(title, f"{back}\n{body}", HtmlFormatter().get_style_defs(".highlight"))
    return {"title": title, "html": html, "picture": picture, "alt": alt}


def page(title: str, body: str, style: str = "") -> str:
    """A whole document around trusted HTML."""
    template = ENVIRONMENT.from_string(PAGE)
    return template.render(title=title, body=body, style=STYLE + style, sort=SORT, sort_hash=SORT_HASH)


def clean(html: str) -> str:
    """HTML without anything that acts or loads: tables, text and classes stay; images come as outputs of their own."""
    tags = nh3.ALLOWED_TAGS - {"img", "map", "area"}
    return nh3.clean(html, tags=tags, attributes=nh3.ALLOWED_ATTRIBUTES | {"*": {"class"}})


def index_page(snapshot: dict, runs: pd.DataFrame, records: dict[str, dict], pages: list[dict]) -> str:
    """The first page: what is missing, the notebooks with their first pictures, settings, runs and provenance."""
    absent, once = missing(runs), runs.drop_duplicates("run")
    given = snapshot.get("given", snapshot["study"])  # of an older version, with its defaults
    body = ENVIRONMENT.from_string(INDEX).render(
        study=snapshot,
        trained="source" not in snapshot["study"],
        built=datetime.now(UTC).isoformat(timespec="seconds"),
        ended=sorted(record["finished"] for record in records.values()) or ["–"],
        expected=len(once),
        done=once["done"].sum(),
        failed=once["failed"].count(),
        absent="" if absent.empty else _table(absent, "missing"),
        pages=pages,
        settings=yaml.safe_dump(given, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100),
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
