"""Explore in JupyterLab, by mouse and by keyboard, in one Lab and one browser: network blocked, no console error."""

import io
import re
import shutil
from xml.etree import ElementTree

import nbformat
import pandas as pd
import pytest
import yaml

from intertask.analysis import cells
from intertask.analysis.read import read_runs
from made_lab import browser_page, copied, jupyter_lab, serious
from made_store import make_store, rewrite_index, write_predictions
from made_study import wait_for

GAINS = {"mini/mnli": 2, "mini/mnli[shuffle_labels=true]": -1, None: 0}
LABELS = [0, 1] * 6  # the first eleven are wrong before, the last one after
EVIL = ["<img src=x onerror=alert(1)>", "$\\alpha$ **bold** [a](b)", "x" * 200, "\u202eمهمة <script>alert(2)<!--"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = copied(tmp_path_factory.mktemp("explore"))
    results = root / "results"
    for name in ("beside", "gone", "demo"):
        make_store(results, lambda target, task, seed: 60 + GAINS[task] * (seed + 1), name=name, seeds=3)
    make_store(results, lambda *_: 60.0, name="evil", targets=EVIL[:2], supporting=EVIL, seeds=2)
    own_task(root, results)
    runs = read_runs("demo", results)
    for row in cells.restart_pairs(runs, "stilts - single").query("supporting == 'mini/mnli'").itertuples():
        (results / "runs" / row.after_run / "notebook.ipynb").write_text("{}")
        if row.target == "mini/rte":
            write_predictions(
                results, row.before_run, "validation", LABELS, [1 - label for label in LABELS[:11]] + LABELS[11:]
            )
            write_predictions(results, row.after_run, "validation", LABELS, [*LABELS[:11], 1 - LABELS[11]])
    return root


def own_task(root, results) -> None:
    """A study `own` of a user's task, whose texts hold a script and flip."""
    split = pd.DataFrame({"text": [EVIL[0], EVIL[3], "c", "d"], "label": ["no", "yes"] * 2})
    split.to_csv(root / "own.csv", index=False)
    entry = {"files": {"train": "own.csv", "validation": "own.csv"}, "format": "classification", "inputs": ["text"]}
    (root / "own.yaml").write_text(yaml.safe_dump({"own": entry | {"label": "label", "metrics": ["accuracy"]}}))
    make_store(results, lambda *_: 60.0, name="own", targets=["own"], supporting=["mini/mnli"], seeds=2)
    rewrite_index(results, "own", task_file=str(root / "own.yaml"))
    for row in cells.restart_pairs(read_runs("own", results), "stilts - single").itertuples():
        write_predictions(results, row.before_run, "validation", [0, 1] * 2, [1, 0, 0, 1])
        write_predictions(results, row.after_run, "validation", [0, 1] * 2, [0, 1] * 2)


@pytest.fixture(scope="module")
def page(root):
    with jupyter_lab(root, INTERTASK_RESULTS=str(root / "results")) as address, browser_page() as page:
        page.goto(address.format("lab/tree/notebooks/explore.ipynb"))
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.locator(".intertask-heatmap g.cell").first.wait_for()
        yield page


def cell(page, beginning: str, at: int = 0):
    return page.locator(".intertask-heatmap").nth(at).get_by_role("gridcell", name=beginning)


def choose(page, name: str, value: str) -> None:
    page.get_by_label(name, exact=True).select_option(value)


def restarts(page, heading: str) -> list[list[str]]:
    """The rows of a cell's table of restarts, delta first, once the cell's heading is there."""
    page.get_by_role("heading", name=heading).wait_for()
    rows = page.get_by_role("region", name="restarts").locator("tbody tr").all_inner_texts()
    return [row.split("\t") for row in rows]


def test_a_click_shows_what_stands_behind_a_cell(page):
    cell(page, "mini/mnli → mini/rte: ").click()
    assert restarts(page, "mini/mnli → mini/rte, stilts - single (demo)") == [
        ["2.00", "0", "60.00", "62.00"], ["4.00", "1", "60.00", "64.00"], ["6.00", "2", "60.00", "66.00"],
    ]  # fmt: skip
    link = page.get_by_role("link", name="after, seed 0").first
    assert re.search("/results/runs/mini-rte[^/]*/notebook.ipynb", link.get_attribute("href"))


def test_examples_that_flip_are_searched(page):
    cell(page, "mini/mnli → mini/rte: ").click()
    flipped = page.locator("table.dataTable tbody tr")
    wait_for(lambda: flipped.count() == 10)
    assert "0 of 3" in flipped.nth(0).inner_text() and "right after" in flipped.nth(0).inner_text()
    page.get_by_label("Search:").fill("wrong after")
    wait_for(lambda: flipped.count() == 1)


def test_a_cell_is_reached_by_keyboard_alone(page):
    page.get_by_role("button", name="Read again").focus()
    page.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label') || ''"
    wait_for(lambda: "→" in page.evaluate(focused), 20)
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate(focused).startswith("mini/mnli[shuffle_labels=true] → mini/cola: -2.0 points")
    page.keyboard.press("Enter")
    found = restarts(page, "mini/mnli[shuffle_labels=true] → mini/cola, stilts - single (demo)")
    assert [row[0] for row in found] == ["-1.00", "-2.00", "-3.00"]
    for key in ("ArrowLeft", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("heading", name="mini/mnli[shuffle_labels=true], demo").wait_for()


def test_hovering_says_interval_n_and_p(page):
    page.mouse.move(0, 0)
    cell(page, "mini/mnli → mini/rte: ").hover()
    # 2, 4, 6: mean 4, sd 2, t of 2 degrees of freedom 4.303: ±4.97
    said = "+4.0 points, 95% interval -1.0 to +9.0, n 3 of 3, p after Holm 0.3"
    assert said in page.locator(".intertask-heatmap .tip").first.inner_text()


def test_dropdowns_and_a_second_study_with_the_difference(page):
    page.get_by_label("controls", exact=True).uncheck()
    wait_for(lambda: page.locator(".intertask-heatmap").nth(0).get_by_role("gridcell").count() == 2, 20)
    page.get_by_label("controls", exact=True).check()
    choose(page, "order", "clustered")
    choose(page, "beside", "beside")
    cell(page, "mini/mnli → mini/rte: 0.0 points", at=2).click()
    page.get_by_role("heading", name="mini/mnli → mini/rte, first minus second").wait_for()
    choose(page, "beside", "(none)")
    wait_for(lambda: page.locator(".intertask-heatmap:visible").count() == 1)


def test_what_is_seen_is_saved(page):
    files = {}
    for kind in ("svg", "pdf", "png", "csv", "tex"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save {kind}").click()
        assert download.value.suggested_filename == f"explored.{kind}"
        files[kind] = download.value.path().read_bytes()
    assert ElementTree.fromstring(files["svg"]).tag.endswith("svg")
    assert files["pdf"].startswith(b"%PDF") and files["png"].startswith(b"\x89PNG") and rb"\toprule" in files["tex"]
    assert pd.read_csv(io.BytesIO(files["csv"]))["delta"].tolist() == [4, -2, 4, -2]
    assert "study='demo'" in page.get_by_label("as code").input_value()


def test_nothing_is_wrong_for_a_reader_of_screens(page):
    cell(page, "mini/mnli → mini/rte: ").click()
    page.locator("table.dataTable").wait_for()
    assert not serious(page, ".jp-OutputArea-output")


def test_names_with_scripts_are_text(page):
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    choose(page, "study", "evil")
    for place in (0, 1, 2, 5, 7):
        own = page.locator(".intertask-heatmap").first.get_by_role("gridcell").nth(place)
        wait_for(lambda own=own: own.get_attribute("aria-label").startswith(tuple(EVIL)))
        name = own.get_attribute("aria-label").split(": +")[0].split(": 0.0")[0]
        own.click()
        wait_for(lambda name=name: any(text.startswith(name) for text in page.locator("h4").all_inner_texts()), 20)
    assert not page.locator(".jp-OutputArea-output img[src='x'], .jp-OutputArea-output script:not([type])").count()
    assert not page.locator(".jp-OutputArea-output .MathJax, .jp-OutputArea-output mjx-container").count()
    assert not dialogs
    choose(page, "study", "demo")
    cell(page, "mini/mnli → mini/rte: ").wait_for()


def test_texts_with_scripts_are_text(page):
    choose(page, "study", "own")
    cell(page, "mini/mnli → own: ").click()
    page.locator("table.dataTable tbody tr", has_text="onerror").wait_for()
    assert EVIL[0] in page.locator("table.dataTable tbody").inner_text()
    assert not page.locator(".jp-OutputArea-output img[src='x'], .jp-OutputArea-output script:not([type])").count()
    choose(page, "study", "demo")
    cell(page, "mini/mnli → mini/rte: ").wait_for()


def test_a_study_that_is_gone_is_a_sentence(page, root):
    shutil.rmtree(root / "results" / "gone")
    choose(page, "study", "gone")
    page.get_by_text("No study 'gone' in the results folder").wait_for()
    choose(page, "study", "demo")
    cell(page, "mini/mnli → mini/rte: ").wait_for()


RESTART = "async () => await jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"


def test_the_picture_and_the_table_stay_when_the_kernel_is_gone(page, root):
    page.evaluate("async () => await jupyterapp.commands.execute('docmanager:save')")
    (saved,) = [
        output["data"].keys()
        for cell in nbformat.read(root / "notebooks" / "explore.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
    ]
    assert saved == {"image/png", "text/html", "text/plain"}
    page.evaluate(RESTART)
    page.reload()
    picture = page.locator(".jp-OutputArea-output img")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 200
    assert "mini/rte" in page.locator(".jp-OutputArea-output table").inner_text()
