"""Forms without a browser: what is refused is not written, and checks run beside the kernel."""

import asyncio
import threading
from contextlib import suppress

import ipywidgets
import pytest

from intertask.lab.compose import compose
from intertask.lab.form import Form, in_thread
from intertask.lab.own_task import OwnTask
from intertask.origin import edited_code


@pytest.fixture(autouse=True)
def _code_of_the_checkout():
    """What code is edited is asked once in a process: another folder's answer must not stay."""
    yield
    edited_code.cache_clear()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"targets": []}, "targets: field required"),
        ({"targets": ["t" * 200]}, "Unknown task"),
        ({"encoders": ["mini/bret"]}, "Did you mean &#x27;mini/bert&#x27;?"),
        ({"title": ""}, "title: field required"),
    ],
)
def test_a_study_that_is_refused_is_not_written(given, words, tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "experiments").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    form = compose(**{"title": "Why?", "supporting": ["mini/qqp"], "targets": ["mini/rte"]} | given)
    assert words in form.shown.value + form.checked.value and form.accepted is None
    form.write()
    assert "expected a file that its check accepts" in form.written.value
    assert not (tmp_path / "params").exists()


def test_a_task_of_ones_own_may_have_a_column_for_each_label(tmp_path, monkeypatch):
    for folder in ("notebooks/experiments", "params/tasks"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for split in ("train", "dev"):
        (tmp_path / f"{split}.csv").write_text("id,text,toxic,insult\n1,a b,1,0\n2,c d,1,1\n3,e f,0,0\n")

    async def described() -> OwnTask:
        form = OwnTask()
        form.files["train"].value, form.files["validation"].value = "train.csv", "dev.csv"
        with suppress(asyncio.CancelledError):
            await form._waiting
        form.form.value, form.texts[0].value, form.label.value = "multi_label", "text", "toxic, insult"
        await form._waiting
        return form

    form = asyncio.run(described())
    assert form.label.options == ("id", "text", "toxic", "insult")
    assert "label: [toxic, insult]" in form.draft()[1] and "unused: [id]" in form.draft()[1]
    assert "scored by f1_micro" in form.shown.value and form.accepted == form.draft(), form.checked.value


class Slow(Form):
    """Its check answers when it is let."""

    def __init__(self):
        super().__init__()
        self.text, self.let = ipywidgets.Text(), {"one": threading.Event(), "two": threading.Event()}
        self.observe_all(self.text)

    async def look(self) -> str:
        return self.text.value

    async def check(self) -> str:
        said = self.text.value
        await in_thread(self.let[said].wait, 30)
        return f"checked {said}"


def test_a_check_does_not_block_and_an_outdated_answer_is_dropped():
    async def changed_while_checking() -> list[str]:
        form, shown = Slow(), []
        form.checked.observe(lambda change: shown.append(change["new"]), "value")
        form.text.value = "one"
        while "checking" not in form.checked.value:
            await asyncio.sleep(0.01)
        form.text.value = "two"
        for event in form.let.values():
            event.set()
        await form._waiting
        return shown

    shown = asyncio.run(changed_while_checking())
    assert shown[-1] == "checked two" and "checked one" not in shown
