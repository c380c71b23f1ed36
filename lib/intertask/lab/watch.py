"""A study that is watched while it runs, and stopped and continued."""

import asyncio
import html
import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import pandas as pd
from IPython import get_ipython
from ipywidgets import HTML, Button, HBox
from matplotlib.figure import Figure

from intertask.errors import IntertaskError
from intertask.execution import driver
from intertask.files import project_root
from intertask.lab.view import View, hear_here, table_html
from intertask.studies import store
from intertask.views import live, live_view
from intertask.views.drawing import themed_svg
from intertask.views.told import paragraph

INTERVAL = 2.0
"""Seconds between two looks at the files."""

_STYLE = "<style>.intertask-watch .widget-html-content {min-width: 0} .intertask-watch table {margin: 0 0 1em}</style>"

_FOLLOWED: dict[str, asyncio.Task] = {}
"""By the cell that began it: what refreshes a view ends when its cell is run again."""


def watch(study: str) -> "Watched":
    """A study live, from its files; in a notebook it is followed until its cell is run again or the view is closed."""
    view, shell = Watched(study), get_ipython()
    with suppress(RuntimeError):  # without a running loop it stays as it is
        loop = asyncio.get_running_loop()
        cell = shell.get_parent()["metadata"].get("cellId", study) if shell else study
        if before := _FOLLOWED.pop(cell, None):
            before.cancel()
        _FOLLOWED[cell] = loop.create_task(view.follow())
    return view


class Watched(View):
    """A study while it runs: how many runs are in which state, the curves of those under way, the last failure."""

    def __init__(self, study: str):
        self.study, self.state, self.process = study, live.look(study), None
        self.page, self.note, self.question = HTML(), HTML(), HBox()
        self.stop = Button(description="Stop …", icon="stop")
        self.go_on = Button(description="Continue …", icon="play")
        stops = (
            "Stop it? Finished runs stay, and long ones under way have a checkpoint.",
            lambda: driver.stop(self.state.driver),
        )
        self.stop.on_click(lambda _: self.ask(*stops))
        self.go_on.on_click(lambda _: self.ask(self._whether_to_go_on(), self._go_on))
        self.page.add_class("jp-RenderedHTMLCommon").add_class("intertask-watch")  # the Lab's look of tables and links
        super().__init__([self.page, HBox([self.stop, self.go_on, self.note]), self.question])
        self.show(self.state)

    def picture(self) -> Figure | None:
        return live_view.figure_under_way(self.state)

    def table(self) -> pd.DataFrame:
        return live_view.stages_now(self.state)

    async def follow(self) -> None:
        """Looks again and again; the kernel waits for none of it."""
        while self.comm:
            try:
                self.show(await asyncio.to_thread(live.look, self.study))
            except IntertaskError as error:  # deleted meanwhile
                self.show(str(error))
            await asyncio.sleep(INTERVAL)

    def show(self, state: live.State | str) -> None:
        """Shows a state, or why there is none."""
        if isinstance(state, str):
            self.page.value, self.stop.disabled, self.go_on.disabled = paragraph(state), True, True
            return
        self.state = state
        parts = [_STYLE, paragraph(live_view.who_runs(state)), table_html(self.table(), "runs by stage")]
        if state.running:
            parts.append(table_html(live_view.under_way(state), "runs under way"))
        if figure := self.picture():
            parts.append(themed_svg(figure, "dev scores of the runs under way over the share of their training"))
        if state.failed:
            run_id, reason = next(iter(state.failed.items()))
            parts.append(f"<p>Failed last: {html.escape(f'{run_id}: {reason}')} ({_link(run_id)})</p>")
        self.page.value = "\n".join(parts)
        alive = bool(state.driver and state.driver.alive)
        elsewhere = alive and not state.driver.here
        self.stop.disabled, self.go_on.disabled = not alive or elsewhere, alive or not state.unfinished
        note = f"It can be stopped on {state.driver.host} alone." if elsewhere else ""
        if self.process and self.process.poll():
            note = f"Continued, it ended with code {self.process.returncode}: {driver.run_log(self.study)} says why."
        self.note.value = html.escape(note)

    def ask(self, question: str, act: Callable[[], None]) -> None:
        """Does it when the answer is yes."""
        yes, no = Button(description="Yes", button_style="warning"), Button(description="No")

        def answered(button: Button) -> None:
            self.question.children = ()
            try:
                act() if button is yes else None
            except (IntertaskError, OSError) as error:
                self.question.children = (HTML(html.escape(str(error))),)

        for button in (yes, no):
            button.on_click(answered)
        self.question.children = (HTML(html.escape(question)), yes, no)
        hear_here(self.question)

    def _whether_to_go_on(self) -> str:
        options = shlex.join(driver.options_of(self.study))
        return f"Run what is not finished of {self.study}{f', as before with {options}' if options else ''}?"

    def _go_on(self) -> None:
        self.process = driver.go_on(self.study)


def _link(run_id: str) -> str:
    """The notebook of a run that failed: a link that JupyterLab opens where it lies below its root."""
    notebook = store.notebook_file(store.failure_folder(run_id))
    if not notebook.is_file():
        return "without a notebook"
    if not notebook.is_relative_to(project_root()):
        return html.escape(str(notebook))
    place = quote(str(notebook.relative_to(project_root())))
    base = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
    return f'<a href="{base}lab/tree/{place}" target="_blank">its notebook</a>'
