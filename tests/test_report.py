"""The report is built from a made store, once, with hostile text in every place that a study or a run can put it."""

import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from conftest import absent
from intertask.analysis.read import read_runs
from intertask.errors import IntertaskError
from intertask.report import build_report
from intertask.report.page import _provenance, clean, index_page, notebook_page
from intertask.report.vector import inline_svg
from intertask.studies import claims
from intertask.studies.status import read_study
from made_lab import serious
from made_store import make_store, rewrite_index, run_id, write_test_scores

HOSTILE = "<img src=x onerror=window.pwned=1></script><script>window.pwned=1</script>"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# ipykernel warns of itself when it shuts down and, on Python 3.12, when it starts; IPython of its own figure formats
STRICT = "error,ignore::PendingDeprecationWarning,ignore:There is no current event loop:DeprecationWarning"
STRICT += ",ignore:InlineBackend._figure_formats_changed is deprecated:DeprecationWarning"


RUN = run_id("mini/mnli", 2)


def scores(target, supporting, seed):
    """Gains of 10 to 12; on the second target some runs failed, with a hostile reason, and one is missing."""
    if target == "mini/cola" and supporting and seed == 0:
        return HOSTILE
    if target == "mini/cola" and supporting is None and seed == 1:
        return None
    return 60.0 + (10 + seed if supporting else 0)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    supporting = ("mini/mnli", "mini/mnli[shuffle_labels=true]", f"my/{HOSTILE}")
    make_store(results, scores, supporting=supporting, seeds=3, title=f"A title {HOSTILE}")
    (results / "runs" / RUN / "notebook.ipynb").write_text("executed")
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", STRICT)
        patch.setenv("INTERTASK_RESULTS", str(results))
        folder = build_report("demo", tell=lambda *said, end="\n": told.append(*said))
    assert folder == results / "demo" / "report"
    assert told[::2] == ["1 of 2: transfer_matrix ", "2 of 2: restarts "]
    assert all(re.fullmatch(r"\d+ s", took) for took in told[1::2])
    return folder


@pytest.fixture
def results(tmp_path):
    """Where `own_environment` has results lie."""
    return tmp_path / "results"


@pytest.fixture
def page():
    """A page of a headless browser in which anything that is not a file is noted, and nothing is answered."""
    if CHROMIUM is None:
        absent("a browser is needed: neither chromium nor google-chrome is installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.noted = []
        page.on("dialog", lambda dialog: page.noted.append(f"dialog {dialog.message}"))
        page.on("console", lambda message: page.noted.append(f"console {message.text}"))
        page.on("pageerror", lambda error: page.noted.append(f"error {error}"))
        page.on("request", lambda request: _note_request(page, request.url))
        yield page
        browser.close()


def _note_request(page, url):
    if not url.startswith(("file://", "data:image/png;")):
        page.noted.append(f"request {url}")


def test_the_folder_holds_the_index_and_each_notebook_with_its_page(report):
    pages = {f"{name}.{kind}" for name in ("transfer_matrix", "restarts") for kind in ("html", "ipynb")}
    assert {path.name for path in report.iterdir()} == {"index.html", *pages}
    assert not [path for path in report.parent.iterdir() if path.name.startswith(".report")]


def test_the_index_counts_runs_and_lists_what_is_missing_first(report):
    index = (report / "index.html").read_text()
    text = " ".join(re.sub(r"<[^>]+>", "", index.partition("<body>")[2]).split())
    # 1 pretraining, 3 supporting x 3 seeds, 2 targets x (none + 3) x 3 seeds
    assert "34 expected: 30 done, 3 failed, 1 not run" in text
    assert index.index("not run yet") < index.index('<h2 id="analyses">')
    assert "failed: cell 4: &lt;img src=x" in index
    assert "0123456789abcdef" in index and "best checkpoint on validation" in index


def test_the_index_shows_the_study_as_it_was_written(results):
    make_store(results, scores, seeds=1)
    given = {"title": "T", "encoders": ["mini/bert"], "train": {"max_length": 64}}
    rewrite_index(results, "demo", given, report=[], wnli="trained")
    index = (build_report("demo") / "index.html").read_text()
    assert "<pre>title: T\nencoders: [mini/bert]\ntrain: {max_length: 64}\n</pre>" in index


def test_every_page_says_that_a_test_split_is_reported(results, forked_kernels):
    make_store(results, scores, seeds=2)
    write_test_scores(results)
    rewrite_index(results, "demo", report=["restarts"], report_on="test")
    folder = build_report("demo")
    for page in ("index", "restarts"):
        html = (folder / f"{page}.html").read_text()
        assert "Scores of targets are those of the split test, also where a page says dev; checkpoints" in html
    assert "score +10.0 points against those that did not" in html  # the notebook restarts has dev beside test
    rewrite_index(results, "demo", report=[], report_on="validation")
    assert "of the split" not in (build_report("demo") / "index.html").read_text()


def test_nothing_of_this_machine_is_in_the_report(report):
    for path in report.iterdir():
        text = path.read_text()
        assert str(report.parent) not in text and str(Path(__file__).parents[1]) not in text, path.name


def test_a_page_holds_its_pictures_its_folded_code_and_no_foreign_address(report):
    html = (report / "transfer_matrix.html").read_text()
    assert html.count("<svg ") == 2 and "<img" not in html
    assert html.count("<details><summary>code</summary>") >= 8
    assert "transfer_table" in html and 'aria-label="Heatmap' in html
    assert not re.search(r'(src|href)="(https?:)?//(?!arxiv\.org|aclanthology\.org)', html)
    assert "Every seed has a supporting model of its own" in html


@pytest.mark.parametrize("name", ["index", "transfer_matrix", "restarts"])
def test_hostile_text_does_not_run_in_a_browser(report, page, name):
    page.goto(f"file://{report}/{name}.html")
    page.wait_for_load_state("load")
    assert page.evaluate("window.pwned") is None
    assert page.noted == []
    assert page.locator("body").inner_text().count("onerror=window.pwned=1") > 0


def test_the_index_begins_with_findings_and_leads_to_sections_and_executed_runs(report):
    index = (report / "index.html").read_text()
    assert index.index('<h2 id="findings">') < index.index("Of 4 pairs of a supporting task and a target: clear gains")
    # gains of 10, 11 and 12 on rte, and, of the two that both have, 11 and 12... on cola only seed 2 has both runs
    assert "clear gains on mini/rte +11.0 [+8.5, +13.5] (n = 3" in index
    for name, place in re.findall(r'href="(\w+)\.html#([^"]+)"', index):
        assert f'<h2 id="{place}">' in (report / f"{name}.html").read_text()
    assert f'<a href="../../runs/{RUN}/notebook.ipynb">{RUN}</a>' in index and index.count("notebook.ipynb") == 1
    page = (report / "transfer_matrix.html").read_text()
    sections = re.findall('<li><a href="#([^"]+)">', page)
    assert "The-matrix" in sections and all(f'<h2 id="{place}">' in page for place in sections)


@pytest.mark.parametrize("name", ["index", "transfer_matrix"])
def test_a_page_is_legible_in_light_and_dark_on_a_phone_and_on_paper(report, page, name):
    page.goto(f"file://{report}/{name}.html")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious(page, "body") == []
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 without its margins, in pixels of 1/96 inch
    page.emulate_media(media="print")
    assert page.evaluate("[...document.querySelectorAll('table, svg')].map(e => e.getBoundingClientRect().right)"
                         ".every(right => right > 0 && right <= 703)")  # fmt: skip
    assert page.locator("table").count() == page.locator("table:visible").count()  # none of them folded


def test_the_names_of_rows_and_columns_stay_in_view_and_a_cell_has_its_title(report, page):
    page.set_viewport_size({"width": 400, "height": 500})
    page.goto(f"file://{report}/transfer_matrix.html")
    box = page.locator("div.output_html:has(th:text-is('detectable'))").first
    box.scroll_into_view_if_needed()
    box.evaluate("box => box.scrollTo(300, 60)")
    corner, place = box.locator("thead tr > :first-child").bounding_box(), box.bounding_box()
    assert box.evaluate("box => [box.scrollLeft, box.scrollTop]")[0] == 300
    assert abs(corner["x"] - place["x"]) <= 1
    titles = page.locator("svg").first.locator("title").all_text_contents()
    assert "mini/mnli → mini/rte\n+11.0*\n[+8.5, +13.5]\n3 of 3 seeds" in titles and len(titles) == 6


def test_the_policy_stops_what_would_get_through(report, page, tmp_path):
    html = (report / "index.html").read_text().replace("Runs</h2>", f"Runs</h2><p onclick='x=1'>{HOSTILE}</p>")
    (tmp_path / "index.html").write_text(html)
    page.goto(f"file://{tmp_path}/index.html")
    page.wait_for_load_state("load")
    assert page.evaluate("window.pwned") is None
    assert [note for note in page.noted if "Content Security Policy" in note]


def test_the_table_of_runs_sorts_by_number_and_by_text(report, page):
    page.goto(f"file://{report}/index.html")
    page.locator("details:has(table.sortable) summary").click()
    table = page.locator("details table.sortable")
    column = table.locator("th").all_inner_texts().index("score")
    head, cells = table.locator("th").nth(column), table.locator(f"tbody td:nth-child({column + 1})")
    head.click()
    found = cells.all_inner_texts()
    assert found[:4] == ["", "", "", ""] and [float(x) for x in found[4:]] == sorted(float(x) for x in found[4:])
    head.press("Enter")
    assert cells.all_inner_texts()[0] == "80.0" and head.get_attribute("aria-sort") == "descending"


def test_a_folded_table_is_whole_on_paper(report, page):
    page.goto(f"file://{report}/index.html")
    last = page.locator("details table.sortable tbody tr").last
    assert not last.is_visible()
    page.emulate_media(media="print")
    assert last.is_visible()


def test_the_tables_of_a_notebook_sort_by_what_a_number_begins_with(report, page):
    page.goto(f"file://{report}/transfer_matrix.html")
    table = page.locator("table.dataframe:has(th:text-is('delta'))").first
    column = table.locator("thead tr:last-child th").all_inner_texts().index("delta")
    head, cells = table.locator("thead tr:last-child th").nth(column), table.locator("tbody tr")
    given = [float(row.locator("td,th").nth(column).inner_text() or "nan") for row in cells.all()]
    assert given == sorted(given, reverse=True) and given[0] != given[-1]  # the notebook's own order
    head.click()
    assert [float(row.locator("td,th").nth(column).inner_text()) for row in cells.all()] == sorted(given)


def test_outputs_of_unknown_kinds_are_dropped_and_html_is_cleaned():
    table = f"<table class='t'><tr><td onclick='x()'>1</td></tr></table><img src=http://x.org/a.png>{HOSTILE}"
    outputs = [
        new_output("display_data", {"text/html": table}),
        new_output("display_data", {"text/markdown": f"**bold** {HOSTILE}"}),
        new_output("display_data", {"application/javascript": "window.pwned=1", "application/x-odd": HOSTILE}),
        new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": HOSTILE}}),
        new_output("display_data", {"image/svg+xml": "<svg onload='window.pwned=1'/>"}),
        new_output("stream", text=HOSTILE),
        new_output("execute_result", {"text/plain": HOSTILE}),
    ]
    cells = [new_markdown_cell("# A title\n\nand words"), new_code_cell(f"x = {HOSTILE!r}", outputs=outputs)]
    page = notebook_page(new_notebook(cells=cells))
    body = page["html"].partition("<body>")[2]
    assert page["title"] == "A title" and page["picture"] == ""
    assert '<table class="t"><tbody><tr><td>1</td></tr></tbody></table>' in body and "<strong>bold</strong>" in body
    assert "<img" not in body and "widget" not in body and body.count("<script>") == 1
    assert not re.search("onclick|onload", body.partition("<script>")[0])


def test_a_figure_keeps_what_draws_it_and_says_over_a_cell_what_it_holds():
    drawn = f"""<?xml version="1.0"?><svg viewBox="0 0 9 9" onload="x()"><script>window.pwned=1</script>
        <g id="axes_1"><g id='title: a &lt;b&gt; &amp; "c"'><path d="M 0 0 L 1 1" style="fill: url(#h)"/></g>
        <use xlink:href="#m" x="1"/><use xlink:href="http://x.org/#m"/><image xlink:href="data:image/png;base64,AA"/>
        <image xlink:href="data:image/svg+xml;base64,AA"/><path d="M 1 1" style="fill: url(http://x.org)"/>
        <a xlink:href="javascript:x()"><foreignObject>{HOSTILE}</foreignObject></a></g></svg>after"""
    kept = inline_svg(drawn, 'an "alt"')
    assert kept.startswith('<svg role="img" aria-label="an &quot;alt&quot;" viewBox="0 0 9 9">')
    assert '<g><title>a &lt;b&gt; &amp; &quot;c&quot;</title><path d="M 0 0 L 1 1" style="fill: url(#h)">' in kept
    assert kept.count('"#m"') == 1 and kept.count("<image href") + kept.count("<image xlink:href") == 1
    assert not re.search("onload|script|x.org|foreignObject|onerror|axes_1|after", kept) and kept.endswith("</svg>")
    assert inline_svg("", "none") == inline_svg("<p>no figure</p>", "none") == ""


def test_clean_keeps_tables_headings_and_classes():
    html = '<h2>a</h2><table class="x"><thead><tr><th>b</th></tr></thead></table><span class="k">c</span>'
    assert clean(html) == html


def test_a_failing_notebook_is_named_and_leaves_the_former_report(results, forked_kernels):
    make_store(results, scores, supporting=(), seeds=1)
    (results / "demo" / "report").mkdir()
    (results / "demo" / "report" / "index.html").write_text("former")
    with pytest.raises(IntertaskError, match=r"transfer_matrix.ipynb failed in cell \d+ with IntertaskError: No trans"):
        build_report("demo")
    assert os.listdir(results / "demo") in (["report", "study.json"], ["study.json", "report"])
    assert (results / "demo" / "report" / "index.html").read_text() == "former"


def test_a_study_with_nothing_done_still_has_a_report(results, forked_kernels):
    make_store(results, lambda *_: None, seeds=2)
    for record in results.glob("runs/*/run.json"):
        record.unlink()
    index = (build_report("demo") / "index.html").read_text()
    assert (
        "<b>17</b> expected: <b>0</b> done" in index
        and index.partition("</table>")[0].count("<tr>") == 18
        and "reason = not run yet" in index
    )


def test_a_second_report_replaces_the_first(results):
    make_store(results, scores, seeds=1)
    rewrite_index(results, "demo", report=[])
    (results / "demo" / "report").mkdir()
    (results / "demo" / "report" / "stale.html").write_text("old")
    left = claims.Observer().take(results / "demo" / f".report-{'0' * 16}")  # of one that was killed
    left.path.mkdir()
    gone = json.loads(left.file.read_text()) | {"pid": 2**22 + 1}
    left.file.write_text(json.dumps(gone))
    assert [path.name for path in build_report("demo").iterdir()] == ["index.html"]
    assert sorted(os.listdir(results / "demo")) == ["report", "study.json"]


def test_a_page_of_one_section_is_said_to_have_one(results):
    make_store(results, scores, seeds=1)
    page = {"stem": "mine", "title": "Mine", "picture": "", "sections": [("a", "A")]}
    index = index_page(read_study("demo", results), read_runs("demo", results), {}, [page], {})
    assert "<summary>1 section</summary>" in index


def test_an_unknown_notebook_in_the_report_is_refused(results):
    make_store(results, scores, seeds=1)
    rewrite_index(results, "demo", report=["transfer_matrx"])
    with pytest.raises(IntertaskError, match="no notebook transfer_matrx in .* Did you mean 'transfer_matrix'"):
        build_report("demo")


def test_executed_notebooks_stay_valid(report):
    for path in report.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")


def test_a_report_goes_where_one_says_in_place_of_a_former_one_alone(results, tmp_path):
    make_store(results, scores, seeds=1)
    rewrite_index(results, "demo", report=[])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for _ in range(2):  # into an empty folder, and in place of a report
        assert build_report("demo", elsewhere) == elsewhere
        assert [path.name for path in elsewhere.iterdir()] == ["index.html"]
    assert os.listdir(results / "demo") == ["study.json"]
    mine = [tmp_path / "mine", tmp_path / "page", tmp_path / "note"]
    for folder in mine[:2]:
        folder.mkdir()
    (mine[0] / "thesis.tex").write_text("mine")
    (mine[1] / "index.html").write_text("<html>mine</html>")
    mine[2].write_text("mine")
    for place in mine:
        with pytest.raises(IntertaskError, match=f"{place}: expected a former report, an empty folder or nothing"):
            build_report("demo", place)
    assert all(path.read_text().count("mine") for path in (mine[0] / "thesis.tex", mine[1] / "index.html", mine[2]))


def test_a_report_into_a_folder_that_is_not_there_is_refused_before_it_is_built(results, tmp_path):
    make_store(results, scores, seeds=1)
    with pytest.raises(IntertaskError, match="no: expected a folder that is there and can be written to, found none"):
        build_report("demo", tmp_path / "no" / "report")


def test_all_values_of_one_fact_stand_together():
    def record(commit, device):
        tasks = {"t": {"selection": "best"}}
        own = {"git_commit": commit, "device": device, "threads": 1, "versions": {}, "task": "t", "tasks": tasks}
        return own | {"identity": {"computed_by": {"precision": "float32"}}}

    found = _provenance({"a": record("x", "cpu"), "b": record("y", "cuda"), "c": record("x", "cuda")})
    assert found.values[:4].tolist() == [
        ["git commit", "x", 2], ["git commit", "y", 1], ["device", "cpu", 1], ["device", "cuda", 2],
    ]  # fmt: skip
