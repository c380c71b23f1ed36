"""What the forms share: they look a moment after the last change, show text as text, and write a file once."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets

from intertask.analysis.tables import under_titles
from intertask.errors import error_words, refusal
from intertask.lab.view import View
from intertask.tasks.load import Task
from intertask.views.drafts import write_draft
from intertask.views.preview import checked_tables
from intertask.views.told import told

PAUSE = 0.4
"""Seconds without a change before a form looks."""

CHECK_THREAD = ThreadPoolExecutor(1)
"""Where checks read data while the kernel goes on; one at a time, so that an outdated one that waits never starts."""

LAID_OUT = {"style": {"description_width": "16.5em"}, "layout": {"width": "auto", "min_width": "0"}}


class Form(View):
    """A form that, a moment after the last change, shows what it stands for, and then checks it.

    A subclass has `look`, which returns a text, and then `check`, which may take longer and returns HTML. One that
    writes has `draft`, a file's place and text, and `next_steps`. Each may refuse; only what the check accepted is
    written.
    """

    def __init__(self, hint: str = ""):
        super().__init__()
        self.said, self.accepted, self._waiting = hint, None, None
        self.shown, self.checked, self.yaml, self.written = (ipywidgets.HTML() for _ in range(4))
        self.shown.value = told(hint)

    def draft(self) -> tuple[Path, str] | None:
        return None

    def words(self) -> str:
        return self.said

    def observe_all(self, *widgets: ipywidgets.Widget) -> None:
        for widget in widgets:
            widget.observe(lambda _: self.changed(), "value")

    def changed(self) -> None:
        """Looks soon, and anew if something changes meanwhile: the answer to what was before is dropped."""
        if self._waiting:
            self._waiting.cancel()
        self._waiting = _started(self._look())

    async def _look(self) -> None:
        await asyncio.sleep(PAUSE)
        self.said, sound = await _tried(self.look())
        draft, self.accepted = self.draft() if sound else None, None
        self.shown.value, self.yaml.value = told(self.said, sound), told(draft[1]) if draft else ""
        self.checked.value, self.written.value = told("checking …") if sound else "", ""
        if sound:
            found, sound = await _tried(self.check())
            self.checked.value, self.accepted = (found, draft) if sound else (told(found, sound), None)

    def writing(self, words: str) -> list[ipywidgets.Widget]:
        """The YAML, and the button that writes it."""
        self.replace, button = tick("replace the file, if there is one"), press(words, self.write)
        return [heading("The YAML"), self.yaml, self.replace, button, self.written]

    def write(self) -> None:
        """Writes the draft, or says why not."""
        try:
            self.written.value = told(self._write())
        except Exception as error:
            self.written.value = told(error_words(error), False)

    def _write(self) -> str:
        place, text = draft = self.draft()
        if draft != self.accepted:
            raise refusal(
                place.name, "a file that its check accepts", "none yet", "Wait, or mend what is refused above."
            )
        write_draft(place, text, self.replace.value)
        return f"Written: {place}. Nothing is started. In a terminal:\n\n{self.next_steps(place)}"


def _started(work: Coroutine) -> asyncio.Task | None:
    """Work that goes on while the kernel waits for messages; in a script, where none does, it is done at once."""
    try:
        return asyncio.get_running_loop().create_task(work)
    except RuntimeError:
        asyncio.run(work)


async def _tried(work: Coroutine) -> tuple[str, bool]:
    """What it returns, or its refusal, and whether it was none."""
    try:
        return await work, True
    except Exception as error:  # nothing else would show it: no cell is running
        return error_words(error), False


async def in_thread(act: Callable, *arguments: Any) -> Any:
    """What a function returns that runs beside the kernel; it must change nothing that others see."""
    return await asyncio.get_running_loop().run_in_executor(CHECK_THREAD, act, *arguments)


async def task_told(load: Callable[..., Task], named: Any) -> str:
    """What `intertask task check` says of a task, as tables."""
    return await in_thread(lambda: under_titles(checked_tables(load(named))))


def heading(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f"<b>{escape(text)}</b>")


def box(kind: type, description: str, value: Any, **options: Any) -> Any:
    """A control with its label in full before it, as wide as its column."""
    return kind(value=value, description=description, **LAID_OUT, **options)


def tick(description: str, value: bool = False) -> ipywidgets.Checkbox:
    return ipywidgets.Checkbox(value, description=description, indent=False, layout={"width": "auto"})


def press(description: str, act: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=description, layout={"width": "auto", "align_self": "flex-start"})
    button.on_click(lambda _: act())
    return button


def columns(*contents: list[ipywidgets.Widget]) -> ipywidgets.Box:
    """Side by side where there is room, else below each other."""
    room = {"flex": "1 1 26em", "min_width": "0", "padding": "0 0.5em 0 0"}
    boxes = [ipywidgets.VBox(content, layout=room) for content in contents]
    return ipywidgets.Box(boxes, layout={"flex_flow": "row wrap", "width": "100%"})
