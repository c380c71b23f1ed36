"""A task of one's own: its columns chosen from those of a file, its YAML checked and written."""

from pathlib import Path

import ipywidgets

from intertask.formats import FORMATS
from intertask.lab.form import Form, box, columns, in_thread, task_told
from intertask.tasks.catalogue import own_entries
from intertask.tasks.load import load_entry
from intertask.views.drafts import data_columns, data_file, draft_place, draft_text, task_draft

SPLIT_FILES = {"train": "Training file", "validation": "Dev file", "test": "Test file"}
LABEL_HINT = "its column or, of multi_label, those of 0 and 1: toxic, insult"
WHERE = "from the repository's root, or in full"


class OwnTask(Form):
    """A task of one's own that is being described."""

    def __init__(self):
        super().__init__("Name a training file (CSV, TSV, JSONL or Parquet): its columns are offered then.")
        self.name = box(ipywidgets.Text, "Task name", "my_task")
        self.files = {split: box(ipywidgets.Text, words, "", placeholder=WHERE) for split, words in SPLIT_FILES.items()}
        self.form = box(ipywidgets.Dropdown, "Format", "classification", options=list(FORMATS))
        self.texts = [box(ipywidgets.Dropdown, role, "", options=[""]) for role in ("Text", "Second text")]
        self.label = box(ipywidgets.Combobox, "Label", "", placeholder=LABEL_HINT)
        self.parts = box(ipywidgets.SelectMultiple, "Spans or choices", (), rows=4)
        chosen = [self.name, *self.files.values(), self.form, *self.texts, self.label, self.parts]
        self.children = [columns(chosen, [self.shown, *self.writing("Write the task")]), self.checked]
        self.observe_all(*chosen)

    def draft(self) -> tuple[Path, str]:
        place = draft_place(self.name.value.strip(), "tasks")
        files = {split: data_file(one.value) for split, one in self.files.items() if one.value.strip()}
        texts, label = [one.value for one in self.texts if one.value], self.label.value.strip()
        chosen = (texts, label, list(self.parts.value), self.parts.options)
        return place, draft_text({place.stem: task_draft(files, self.form.value, *chosen, place.parent)})

    async def look(self) -> str:
        """Offers the training file's columns, and says how the task is scored where its YAML is an entry."""
        names = await in_thread(data_columns, self.files["train"].value)
        if names != self.parts.options:
            for one, none in [(self.parts, ()), (self.label, ()), *((text, ("",)) for text in self.texts)]:
                one.options = (*none, *names)
        (self.entry,) = own_entries(*self.draft()).values()
        return f"{self.entry.name}: {self.entry.format}, scored by {', '.join(self.entry.metrics)}"

    async def check(self) -> str:
        """What `intertask task check` says."""
        return await task_told(load_entry, self.entry)

    def next_steps(self, place: Path) -> str:
        file = f"tasks/{place.name}"
        return f"intertask task check params/{file}\n\nIn a study:\ntask_file: {file}\ntargets: [{place.stem}]"
