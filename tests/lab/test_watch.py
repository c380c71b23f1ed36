"""A study that is watched: what the view says of files made by hand, and of a driver that really runs."""

import asyncio
import json

import nbformat
import pytest

from intertask.execution import driver
from intertask.files import now
from intertask.lab.watch import watch
from intertask.studies import claims, store
from intertask.studies.graph import expand
from intertask.studies.study import load_study
from intertask.views import live
from made_lab import browser_page, copied, jupyter_lab, serious
from made_store import take_elsewhere, write_failure, write_index, write_run
from made_study import HANGING, write_study

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """a is done, b failed and c needs it, d runs on another machine."""
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    index = [{"run": "a-1", "parents": [], "stage": NASTY}, {"run": "b-1", "parents": [], "stage": "target"}]
    index += [{"run": "c-1", "parents": ["b-1"], "stage": "target"}, {"run": "d-1", "parents": [], "stage": "target"}]
    write_index(tmp_path, "demo", index)
    write_run(tmp_path, "a-1", "x", 0, 60.0)
    write_failure(tmp_path, "b-1", NASTY)
    folder = tmp_path / "runs" / ".staging" / take_elsewhere(tmp_path, "d-1").name
    lines = [{"at": 5 * k, "of": 20, "time": 10.0 * k, "loss": 0.5, "score": 50.0 + k} for k in range(1, 4)]
    store.progress_file(folder).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    told = {"host": "elsewhere", "pid": 1, "since": now(), "workers": 2, "expected": {"d-1": 9.0}}
    (tmp_path / "demo" / "driver.json").write_text(json.dumps(told))
    claims.Observer("another machine").take(tmp_path / "demo" / ".driver")
    return tmp_path


def test_a_view_says_what_the_files_say(results):
    view = watch("demo")
    assert view.table().to_dict("records") == [
        {"stage": NASTY, "done": 1, "running": 0, "failed": 0, "blocked": 0, "waiting": 0},
        {"stage": "target", "done": 0, "running": 1, "failed": 1, "blocked": 1, "waiting": 0},
    ]
    # 10 of 20 steps took 20 s: 5 are left
    assert "About 10 s left, 2 at a time (process 1 on elsewhere" in view.page.value
    assert "15 of 20" in view.page.value and "53.0" in view.page.value and "<svg" in view.page.value
    assert "<img src=x" not in view.page.value and "&lt;img src=x" in view.page.value
    bundle = view._repr_mimebundle_()
    assert bundle["image/png"] and "&lt;img src=x" in bundle["text/html"]


def test_a_driver_elsewhere_is_not_stopped_from_here(results):
    view = watch("demo")
    assert view.stop.disabled and view.go_on.disabled
    assert "stopped on elsewhere alone" in view.note.value


def test_a_study_that_is_gone_is_a_sentence(results):
    view = watch("demo")

    async def deleted() -> None:
        following = asyncio.create_task(view.follow())
        (results / "demo" / "study.json").unlink()
        while "No study &#x27;demo&#x27;" not in view.page.value:
            await asyncio.sleep(0.01)
        following.cancel()

    asyncio.run(asyncio.wait_for(deleted(), HANGING))
    assert view.stop.disabled and view.go_on.disabled


def test_a_study_that_never_ran_is_refused(results, refused):
    refused(lambda: watch("dema"), "No study 'dema'", "Did you mean 'demo'?", "intertask run")


def test_a_study_is_continued_where_it_ran(results, monkeypatch):
    started = []
    monkeypatch.setattr(driver, "go_on", lambda study: started.append(driver.options_of(study)))
    claims.latest(results / "demo" / ".driver").end("stopped")  # the one elsewhere
    with driver.driving("demo", ["--cluster", "my cluster.yaml"]) as tell:
        tell({}, 2)
    view = watch("demo")
    view.go_on.click()
    assert "as before with --cluster &#x27;my cluster.yaml&#x27;?" in view.question.children[0].value
    view.question.children[1].click()
    assert started == [["--cluster", "my cluster.yaml"]]


def test_nothing_is_done_without_a_yes(results, monkeypatch):
    done = []
    monkeypatch.setattr(driver, "stop", lambda known: done.append(known.pid))
    view = watch("demo")
    view.stop.click()
    view.question.children[2].click()
    assert not done and not view.question.children
    view.stop.click()
    view.question.children[1].click()
    assert done == [1]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the repository with a study of which one run fails, one needs it, and one takes some seconds."""
    root = copied(tmp_path / "lab")
    monkeypatch.setenv("INTERTASK_RESULTS", str(root / "results"))
    train = {"learning_rate": 1e-3, "num_train_epochs": 400, "per_device_train_batch_size": 8, "max_length": 16}
    write_study(root, seeds=1, train=train, per_task={"ripeness": {"learning_rate": 1e30}})
    expand(*load_study(str(root / "tiny.yaml"))).save()
    cell = nbformat.v4.new_code_cell("from intertask.lab.watch import watch\n\nwatch('tiny')")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), root / "watch.ipynb")
    yield root
    if (known := driver.driver_of("tiny")) and known.alive:
        driver.stop(known)


def test_a_study_is_watched_through_a_failure_stopped_and_continued(root):
    with jupyter_lab(root) as address, browser_page() as page:
        page.goto(address.format("lab/tree/watch.ipynb"))
        page.get_by_text("| Idle").wait_for()  # before, nothing can be executed
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        output = page.locator(".jp-OutputArea-output .widget-vbox").first

        def press(name: str) -> None:
            output.get_by_role("button", name=name).click()  # waits until it can be pressed
            output.get_by_role("button", name="Yes").click()

        press("Continue")
        output.get_by_text("Failed last: ripeness").wait_for()
        output.locator("svg").wait_for()  # of the run that trains
        assert "process " in output.inner_text() and "left" in output.inner_text()
        press("Stop")
        output.get_by_text("Nothing runs it now.").wait_for()
        assert not live.look("tiny").stages["target"]["done"] and not driver.driver_of("tiny")
        press("Continue")
        output.locator("svg").wait_for()
        assert not serious(page, ".jp-OutputArea-output")
        with page.expect_popup() as opened:
            output.get_by_role("link", name="its notebook").click()
        opened.value.locator(".jp-Notebook h1").wait_for()
