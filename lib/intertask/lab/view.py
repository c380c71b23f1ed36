"""What every widget here is: a box that says the same without a widget, as a picture and as a table."""

import asyncio
import html
import threading
from typing import Any

import ipywidgets
import pandas as pd
import traitlets
from matplotlib.figure import Figure

from intertask.analysis.tables import as_html, shown
from intertask.views.drawing import png_text
from intertask.views.told import image
from intertask.written import escaped


class View(ipywidgets.VBox):
    """A box of widgets that papermill, a report, Markdown and an untrusted notebook show as it was when displayed.

    A subclass returns the figure and the frame that it shows now from `picture` and `table`, either may be None, and
    from `words` what it shows as text.
    """

    @traitlets.observe("children")
    def _heard(self, change: dict[str, Any]) -> None:
        for widget in change["new"]:
            hear_here(widget)

    def picture(self) -> Figure | None:
        return None

    def table(self) -> pd.DataFrame | None:
        return None

    def words(self) -> str:
        return ""

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = dict(super()._repr_mimebundle_(**options) or {})
        bundle.pop("text/plain", None)
        figure, table, words = self.picture(), self.table(), self.words()
        what, parts = self.__doc__.splitlines()[0], []
        if figure:
            bundle["image/png"] = png_text(figure)
            parts.append(image(bundle["image/png"], what))  # who shows HTML shows no other picture
        if table is not None:
            parts.append(as_html(table))
        elif words:
            parts.append(f"<pre>{html.escape(escaped(words))}</pre>")
        if parts:
            bundle["text/html"] = "\n".join(parts)
        return bundle | {"text/plain": words or what}


def hear_here(widget: ipywidgets.Widget) -> None:
    """Has a widget, and what is in it, hear the browser in this thread: one message after another, none lost.

    The Lab has some messages delivered by the kernel's main thread and others by that of a subshell, at once.
    """
    for child in getattr(widget, "children", ()):
        hear_here(child)
    try:
        loop, own = asyncio.get_running_loop(), threading.get_ident()
    except RuntimeError:  # a script: no messages come
        return

    def heard(message: dict[str, Any]) -> None:
        here = threading.get_ident() == own
        widget._handle_msg(message) if here else loop.call_soon_threadsafe(widget._handle_msg, message)

    widget.comm.on_msg(heard)


def close_all(widget: ipywidgets.Widget) -> None:
    """Closes a widget and what is in it, which the browser, and a saved notebook, would keep for good."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    widget.close()


def table_html(frame: pd.DataFrame, what: str, digits: int = 1) -> str:
    """A table that scrolls where there is no room, by keyboard too; what: it holds, for a reader of screens."""
    table = as_html(shown(frame, digits))
    label = html.escape(what)
    return f'<div role="region" tabindex="0" aria-label="{label}" style="overflow-x: auto">{table}</div>'


def html_output(*parts: str) -> ipywidgets.Output:
    """HTML whose links the Lab follows, and in whose names it is not to read formulas."""
    text = "\n".join(parts)
    data = {"text/html": f'<div class="mathjax_ignore tex2jax_ignore">{text}</div>', "text/plain": ""}
    return ipywidgets.Output(outputs=({"output_type": "display_data", "data": data, "metadata": {}},))
