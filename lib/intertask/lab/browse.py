"""The catalogue to search, and of a selected task what it holds."""

import ipywidgets
import pandas as pd

from intertask.errors import number_of
from intertask.lab.form import Form, box, task_told, tick
from intertask.tasks.load import load_task
from intertask.views.listing import catalogue_line, catalogue_page, catalogue_table, search_catalogue
from intertask.views.told import told


class TaskList(ipywidgets.VBox):
    """The catalogue with a search over it: by words, format and whether the data is at hand."""

    def __init__(self, kind: type, at_hand: bool = False):
        self.frame, self.count = catalogue_table(), ipywidgets.HTML()
        self.words = box(ipywidgets.Text, "Search", "", placeholder="name, source or paper")
        forms = [("any", ""), *((name, name) for name in self.frame["format"].unique())]
        self.form = box(ipywidgets.Dropdown, "Format", "", options=forms)
        self.at_hand, self.tasks = tick("at hand only", at_hand), box(kind, "Tasks", kind().value, rows=9)
        super().__init__([self.words, self.form, self.at_hand, self.tasks, self.count])
        for one in (self.words, self.form, self.at_hand):
            one.observe(lambda _: self.search(), "value")
        self.search()

    def search(self) -> None:
        self.found = search_catalogue(self.frame, self.words.value, self.form.value, self.at_hand.value)
        self.tasks.options = [(catalogue_line(row), row.name) for row in self.found.itertuples(index=False)]
        self.tasks.index = () if isinstance(self.tasks, ipywidgets.SelectMultiple) else None
        self.count.value = told(f"{len(self.found)} of {number_of(len(self.frame), 'task')}")


class Browser(Form):
    """The tasks of the catalogue."""

    def __init__(self, at_hand: bool = False):
        super().__init__("Select a task: where it is from, its sizes, labels and first examples are shown here.")
        self.tasks = TaskList(ipywidgets.Select, at_hand)
        self.children = [self.tasks, self.shown, self.checked]
        self.observe_all(self.tasks.tasks)

    def table(self) -> pd.DataFrame:
        return self.tasks.found

    async def look(self) -> str:
        """What `intertask tasks` says of the task."""
        self.row = self.tasks.frame[self.tasks.frame["name"] == self.tasks.tasks.value]
        return catalogue_page(self.row) if len(self.row) else "No task is selected."

    async def check(self) -> str:
        """What its data holds, as it is read for training."""
        return await task_told(load_task, self.tasks.tasks.value) if self.row["at_hand"].any() else ""
