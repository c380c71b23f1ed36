"""Forms without a browser: what is refused is not written, and checks run beside the kernel."""

import asyncio
import threading

import ipywidgets
import pytest

from intertask.lab.compose import compose
from intertask.lab.form import Form, in_thread
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
