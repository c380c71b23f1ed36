"""What every widget here is: a box that says the same without a widget, as a picture and as a table."""

import base64
import io
from typing import Any

import ipywidgets
import pandas as pd
from matplotlib.figure import Figure

from intertask.analysis.tables import as_html


class View(ipywidgets.VBox):
    """A box of widgets that papermill, a report, Markdown and an untrusted notebook show as it was when displayed.

    A subclass returns the figure and the frame that it shows now from `picture` and `table`; either may be None.
    """

    def picture(self) -> Figure | None:
        return None

    def table(self) -> pd.DataFrame | None:
        return None

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = dict(super()._repr_mimebundle_(**options) or {})
        bundle.pop("text/plain", None)
        figure, table = self.picture(), self.table()
        if figure:
            bundle["image/png"] = base64.b64encode(drawn(figure, "png")).decode()
        if table is not None:
            bundle["text/html"] = as_html(table, notebook=True)
        return bundle | {"text/plain": self.__doc__.splitlines()[0]}


def drawn(figure: Figure, form: str) -> bytes:
    """A figure as a file of the form `svg`, `pdf` or `png`."""
    held = io.BytesIO()
    figure.savefig(held, format=form, bbox_inches="tight")
    return held.getvalue()
