"""A study and a task composed in JupyterLab by mouse and keyboard, and what the command says of what was written."""

import re

import pytest

from made_driver import drive
from made_lab import browser_page, copied, jupyter_lab, serious
from made_study import HANGING

BAD = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A copy of the repository, with a CSV of hostile texts beside it."""
    root = copied(tmp_path_factory.mktemp("compose"))
    rows = [f'{i},"{BAD} {text} {i}",{label}\n' for i in range(60) for text, label in (("good", "pos"), ("bad", "neg"))]
    for split, part in {"train": rows[:100], "dev": rows[100:]}.items():
        (root / f"{split}.csv").write_text("number,text,label\n" + "".join(part))
    return root


@pytest.fixture(scope="module")
def page(root):
    """`compose.ipynb` in the Lab, run."""
    with (
        jupyter_lab(root, INTERTASK_RESULTS=str(root / "own_results")) as address,
        browser_page() as page,
    ):
        page.set_viewport_size({"width": 1400, "height": 4000})  # what is out of sight, the Lab may leave out
        page.goto(address.format("lab/tree/notebooks/compose.ipynb"))
        page.wait_for_selector(".jp-Notebook h1")
        page.get_by_text("| Idle").wait_for()  # before, nothing can be executed
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.get_by_label("Training file").wait_for()  # the last form
        page.get_by_text("The study is sound: 41 runs.").wait_for()
        yield page


def accepted(root, *arguments, monkeypatch) -> str:
    monkeypatch.chdir(root)
    process = drive(*arguments, results=root / "own_results")
    output = process.communicate(timeout=HANGING)[0]
    assert process.returncode == 0, output
    return output


def fill(page, label: str, text: str) -> None:
    page.get_by_label(label, exact=True).first.fill(text)


def in_words(page, text: str) -> None:
    """Waits until a form says so."""
    page.get_by_role("status").get_by_text(text).first.wait_for()


def tabbed_to(page, label: str) -> None:
    """Presses Tab until the control of that name, the second of two, has the focus."""
    last = page.get_by_label(label, exact=True).nth(1)
    for _ in range(4):
        page.keyboard.press("Tab")
        if last.evaluate("one => one === document.activeElement"):
            return
    raise AssertionError(f"Tab does not reach {label}.")


def test_a_study_is_composed_and_accepted(page, root, monkeypatch):
    fill(page, "supporting", "")
    fill(page, "title", f"Does it help? {BAD}")
    fill(page, "file name", "mine")
    for task in ("mini/cola", "mini/sst2"):
        page.get_by_role("option", name=task).first.click(modifiers=["ControlOrMeta"])
    page.get_by_role("button", name="Add to supporting").click()
    in_words(page, "mini/rte, mini/mrpc after mini/cola, mini/sst2")
    in_words(page, "The study is sound: 41 runs.")
    page.get_by_role("button", name="Write the study").press("Enter")
    in_words(page, "intertask check mine")
    assert "mine is sound: 41 runs" in accepted(root, "check", "mine", monkeypatch=monkeypatch)
    page.get_by_role("button", name="Write the study").press("Enter")
    in_words(page, "expected a name that is free")


def test_what_is_wrong_is_refused_while_it_is_written(page):
    fill(page, "targets", "mini/rte, mini/mrcp")
    in_words(page, "Did you mean 'mini/mrpc'?")
    fill(page, "targets", "mini/rte, mini/mrpc")
    fill(page, "file name", "../mine")
    in_words(page, "file name: expected letters")
    fill(page, "file name", "mine")
    in_words(page, "The study is sound")


def test_a_task_of_the_catalogue_is_found_and_shown_by_keyboard_alone(page):
    page.get_by_label("Search", exact=True).nth(1).focus()
    page.keyboard.type("mini rte")
    page.get_by_text(re.compile(r"^1 of \d+ tasks")).wait_for()
    tabbed_to(page, "Tasks")
    page.keyboard.press("ArrowDown")
    for text in ("% not_entailment", "three surgeons are sad in the kitchen"):
        page.get_by_text(text).first.wait_for()


def described(page, train: str) -> None:
    fill(page, "Task name", "reviews")
    fill(page, "Training file", train)


def test_a_file_that_cannot_be_read_is_refused(page, root):
    (root / "latin.csv").write_bytes("text,label\ncafé,pos\n".encode("latin-1"))
    (root / "empty.csv").write_bytes(b"")
    for file, words in {"latin.csv": "UTF-8", "empty.csv": "empty", "none.csv": "file: expected one that"}.items():
        described(page, file)
        in_words(page, words)
    page.get_by_role("button", name="Write the task").press("Enter")
    assert not (root / "params/tasks/reviews.yaml").exists()


def test_a_task_of_ones_own_is_described_and_accepted(page, root, monkeypatch):
    described(page, "train.csv")
    fill(page, "Dev file", str(root / "dev.csv"))
    page.get_by_label("Text", exact=True).select_option("text")
    fill(page, "Label", "label")
    in_words(page, "unused: [number]")
    in_words(page, "reviews: classification, scored by accuracy")
    page.get_by_text("Lengths in words").last.wait_for()
    page.get_by_role("button", name="Write the task").press("Enter")
    in_words(page, "task_file: tasks/reviews.yaml")
    assert "train" in accepted(root, "task", "check", root / "params/tasks/reviews.yaml", monkeypatch=monkeypatch)


def test_the_arrow_keys_still_go_from_cell_to_cell(page):
    page.locator(".jp-Notebook .jp-MarkdownCell").first.click()
    page.keyboard.press("ArrowDown")
    page.locator(".jp-Notebook .jp-Cell").nth(1).and_(page.locator(".jp-mod-active")).wait_for()


def test_texts_are_inert_and_all_can_be_reached(page):
    assert page.locator(".jp-OutputArea-output img[src=x]").count() == 0
    assert page.get_by_text(BAD).count() > 1
    assert not serious(page, ".jp-OutputArea-output .widget-vbox")
