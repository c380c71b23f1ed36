"""Explore a study's matrix: choose, compare two, select a cell, and see what stands behind it."""

import shlex
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from ipywidgets import HTML, Box, Button, Checkbox, Dropdown, Layout, Textarea, VBox
from matplotlib.figure import Figure

from intertask.analysis import cells
from intertask.analysis.cell_figures import matrices_figure
from intertask.analysis.explored import Side, common_ends, matrices, seen_cells
from intertask.analysis.tables import export, shown
from intertask.errors import IntertaskError
from intertask.lab.detail import cell_detail, profile
from intertask.lab.heatmap import Heatmap
from intertask.lab.view import View, close_all, html_output
from intertask.views.drawing import drawn
from intertask.views.told import paragraph

NO_SECOND = "(none)"
KINDS = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png", "csv": "text/csv", "tex": "text/x-tex"}
DESCRIBED = {"pair": "regimes", "quantile": "colours to the 95 % quantile", "second": "beside"}
DESCRIBED |= {"second_encoder": "its encoder"}
WRAP = Layout(flex_flow="row wrap", align_items="flex-start")


def explore(
    study: str,
    encoder: str = "",
    limit: str = "",
    pair: str = "",
    metric: str = "main",
    confidence: float = 0.95,
    controls: bool = True,
    order: str = "as given",
    quantile: bool = False,
    second: str = "",
    second_encoder: str = "",
) -> "Explorer":
    """A form over a study's matrix, with what its cells rest on; what is empty is the first that the study has.

    limit: in the words of `cells.limit_name`; pair: of `cells.regime_pairs`; order: one of `cells.ORDERS`; quantile:
    colours end at the 95 % quantile instead of the largest difference; second: a study to stand beside the first.
    Raises IntertaskError where the study, or a choice, is not there.
    """
    return Explorer({name: value for name, value in locals().items() if value != ""})


class Explorer(View):
    """Supporting tasks by targets: the differences of a study, as a picture and as a table."""

    def __init__(self, given: dict[str, Any]):
        self.sides, self.matrices, self.quiet = {}, [], True
        self.form = {
            name: (Checkbox if name in ("controls", "quantile") else Dropdown)(
                description=DESCRIBED.get(name, name.replace("_", " ")),
                style={"description_width": "80px"},
                layout={"width": "290px"},
            )
            for name in explore.__annotations__
            if name != "return"
        }
        for name in ("controls", "quantile"):
            self.form[name].indent, self.form[name].value = False, given[name]
        self.again = Button(description="Read again", tooltip="Read the results anew")
        self.files = [Button(description=f"Save {kind}", tooltip="Download what is seen") for kind in KINDS]
        self.message, self.below = HTML(), VBox()
        self.code = Textarea(rows=4, description="as code", layout={"width": "auto"})
        self.maps = [Heatmap(layout=Layout(flex="1 1 340px", min_width="0")) for _ in range(3)]
        rows = [[*self.form.values(), self.again], self.maps, self.files]
        top, middle, exports = (Box(row, layout=WRAP) for row in rows)
        super().__init__([top, self.message, middle, self.below, exports, self.code])
        self._offer(given)
        self.draw()
        self.quiet = False
        for name, widget in self.form.items():
            widget.observe(lambda change, name=name: self._changed(name), "value")
        self.again.on_click(lambda _: (self.sides.clear(), self._changed("study")))
        for kind, button in zip(KINDS, self.files, strict=True):
            button.on_click(lambda _, kind=kind: self._send(kind))
        for place, each in enumerate(self.maps):
            each.observe(lambda change, place=place: self.select(place, *change["new"]), "selected")

    def _changed(self, name: str) -> None:
        if self.quiet:
            return
        self.quiet = True
        try:
            if name in ("study", "second"):
                self.sides.pop(self.form[name].value, None)  # it may have grown
                self._offer(self.choices())
            self.draw()
        except (IntertaskError, OSError) as error:
            self.matrices = []
            self._clear()
            self.message.value = f"<strong>{paragraph(error)}</strong>"
            for each in self.maps:
                each.layout.display = "none"
        finally:
            self.quiet = False

    def choices(self) -> dict[str, Any]:
        """What is chosen now, as the arguments of `explore`; what is not asked for is left out."""
        told = {name: widget.value for name, widget in self.form.items() if widget.value not in (None, NO_SECOND)}
        return told if "second" in told else {k: v for k, v in told.items() if k != "second_encoder"}

    def _side(self, study: str) -> Side:
        if study not in self.sides:
            self.sides[study] = Side(study)
        return self.sides[study]

    def _offer(self, given: dict[str, Any]) -> None:
        """Has the form offer what there is, and keeps what is chosen where it is still there."""
        chosen = [given[name] for name in ("study", "second") if name in given]
        studies = [*dict.fromkeys([*cells.explorable(), *chosen])]
        offers = {"study": studies, "second": [NO_SECOND, *studies], "order": cells.ORDERS}
        offers["confidence"] = sorted({0.8, 0.9, 0.95, 0.99, given["confidence"]})
        offers |= self._side(given["study"]).offered()
        if "second" in given:
            offers["second_encoder"] = self._side(given["second"]).offered()["encoder"]
        for name, options in offers.items():
            wanted, widget = given.get(name, options[0]), self.form[name]
            if not widget.options and wanted not in options:
                told = ", ".join(map(str, options))
                raise IntertaskError(f"{name}: expected one of {told}; found {wanted!r}. Choose one of these.")
            widget.options, widget.value = options, wanted if wanted in options else options[0]

    def draw(self) -> None:
        """Makes the tables of what is chosen and shows them."""
        now = self.choices()
        self.matrices = matrices(now, self._side)
        self._clear()
        apart = len(self.matrices) == 2
        self.message.value = paragraph("The two have no cell in common: there is no difference to show.") * apart
        self.form["second_encoder"].layout.display = None if "second" in now else "none"
        for each, matrix in zip_longest(self.maps, self.matrices):
            each.layout.display = None if matrix else "none"
            if matrix:
                each.show(matrix, self._ends(), now["confidence"])
        self.code.value = self.as_code()

    def _ends(self) -> float:
        return common_ends(self.matrices, self.form["quantile"].value)

    def select(self, place: int, supporting: str = "", target: str = "") -> None:
        """Shows what stands behind a cell, a row (no target) or a column (no supporting task) of one of the maps."""
        if self.quiet or not (supporting or target):
            return
        matrix = self.matrices[place]
        chosen = matrix.behind(supporting, target)
        self._clear()
        try:
            if matrix.side and supporting and target and len(chosen):
                for part in cell_detail(matrix, chosen.iloc[0], self.form["metric"].value):
                    self.below.children = [*self.below.children, part]
            else:
                name = " → ".join(filter(None, (supporting, target)))
                self.below.children = [profile(f"{name}, {matrix.title}", chosen)]
        except (IntertaskError, OSError) as error:
            self.below.children = [html_output(paragraph(error))]

    def _clear(self) -> None:
        gone, self.below.children = self.below.children, ()
        for widget in gone:
            close_all(widget)

    def as_code(self) -> str:
        """A cell that draws what is seen, and the same for papermill."""
        now = self.choices()
        told = ", ".join(f"{name}={value!r}" for name, value in now.items())
        given = " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in now.items())
        return (
            f"from intertask.lab.explore import explore\n\nexplore({told})\n\n"
            f"# papermill notebooks/explore.ipynb explored.ipynb {given}"
        )

    def picture(self) -> Figure | None:
        return matrices_figure(self.matrices, self._ends(), self.form["confidence"].value) if self.matrices else None

    def table(self) -> pd.DataFrame | None:
        return shown(seen_cells(self.matrices), 2) if self.matrices else None

    def file(self, kind: str) -> bytes:
        """What is seen as a file of one of KINDS."""
        if kind not in ("csv", "tex"):
            return drawn(self.picture(), kind)
        with TemporaryDirectory() as folder:
            export(seen_cells(self.matrices), "explored", folder, digits=2)
            return Path(folder, f"explored.{kind}").read_bytes()

    def _send(self, kind: str) -> None:
        if self.matrices:
            self.maps[0].send({"name": f"explored.{kind}", "type": KINDS[kind]}, [self.file(kind)])
