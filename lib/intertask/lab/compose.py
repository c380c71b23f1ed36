"""A study, composed in a form: what it would train and cost, what refuses it, and its YAML."""

from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets

from intertask.errors import IntertaskError, error_words, number_of
from intertask.foreseen import judged
from intertask.lab.browse import TaskList
from intertask.lab.form import Form, box, columns, heading, in_thread, press, tick
from intertask.studies.check import examined
from intertask.studies.graph import REGIMES
from intertask.studies.study import MOST_SEEDS
from intertask.views.drafts import BEGUN, FIELDS, HINTS, draft_place, draft_text, names_in, study_draft, study_texts
from intertask.views.dry_run import draft_page
from intertask.views.told import told


def compose(**given: Any) -> "Composer":
    """A form for a study, filled in with the keys of a study that are given."""
    return Composer(BEGUN | given)


class Composer(Form):
    """A study that is being composed."""

    def __init__(self, given: dict[str, Any]):
        super().__init__()
        text, said = ipywidgets.Text, study_texts(given)
        self.texts = {key: box(text, key, said[key], placeholder=HINTS.get(key, "")) for key in FIELDS}
        self.name = box(text, "file name", "my_study")
        self.control = tick("each supporting task with shuffled labels too: a control")
        self.regimes = {name: tick(name, name in given["regimes"]) for name in REGIMES}
        self.seeds = box(ipywidgets.BoundedIntText, "seeds", given["seeds"], min=1, max=MOST_SEEDS)
        self.tasks = TaskList(ipywidgets.SelectMultiple, at_hand=True)
        adds = ipywidgets.HBox([press(f"Add to {key}", partial(self.add, key)) for key in ("supporting", "targets")])
        regimes = ipywidgets.Box([heading("regimes"), *self.regimes.values()], layout={"flex_flow": "row wrap"})
        title, encoders, supporting, targets, *rest = self.texts.values()
        fields = [title, self.name, encoders, supporting, self.control, targets, self.tasks, adds, regimes]
        fields += [self.seeds, *rest]
        runs = [heading("What would run"), self.shown, heading("What check says"), self.checked]
        self.children = [columns(fields, [*runs, *self.writing("Write the study")])]
        self.observe_all(self.name, self.control, self.seeds, *self.texts.values(), *self.regimes.values())
        self.changed()

    def add(self, key: str) -> None:
        """Adds the tasks that are selected in the list."""
        self.texts[key].value = ", ".join(dict.fromkeys([*names_in(self.texts[key].value), *self.tasks.tasks.value]))

    def draft(self) -> tuple[Path, str]:
        said = {key: text.value for key, text in self.texts.items()}
        regimes = [name for name, ticked in self.regimes.items() if ticked.value]
        keys = study_draft(said, self.control.value, regimes, self.seeds.value)
        return draft_place(self.name.value.strip()), draft_text(keys)

    def words(self) -> str:
        try:
            path, text = self.draft()
            return f"{draft_page(path, text)[-1]}\n\n{text}"
        except Exception as error:
            return error_words(error)

    async def look(self) -> str:
        """The dry run."""
        self.graph, self.absent, page = draft_page(*self.draft())
        return page

    async def check(self) -> str:
        """What `intertask check` says; what the report would refuse is read here, as that changes the environment."""
        if self.absent:
            raise IntertaskError(self.absent)
        verdict = judged(self.graph, await in_thread(examined, self.graph.study, self.graph.runs))
        return told("\n".join([*verdict.notes(), f"The study is sound: {number_of(len(self.graph.runs), 'run')}."]))

    def next_steps(self, place: Path) -> str:
        return "\n".join(f"intertask {command} {place.stem}" for command in ("check", "run", "report"))
