"""YAML of a study or a task before it is a file: its text, its place, and its writing."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from intertask.errors import refusal
from intertask.files import project_root, write
from intertask.formats import find_format
from intertask.run import Run
from intertask.studies.study import LISTS, Study
from intertask.tasks.data_files import read_file
from intertask.written import escaped

FIELDS = ["title", "encoders", "supporting", "targets", "limits", "supporting_limits", "learning_rate"]
FIELDS += ["num_train_epochs", "per_device_train_batch_size", "max_length", "task_file", "report"]
"""What a form has as text: keys of a study and of its `train`; others are written into the file."""

HINTS = {key: f"{Run.model_fields[key].default}" for key in FIELDS if key in Run.model_fields}
HINTS |= {"task_file": "tasks/my_task.yaml"}
"""What stands in an empty field."""

BEGUN = {"encoders": ["mini/bert"], "limits": ["all"], "supporting_limits": ["all"], "seeds": 5, "train": {}}
BEGUN |= {"regimes": ["single", "stilts"], "report": ["transfer_matrix", "restarts"]}


def draft_text(content: dict[str, Any]) -> str:
    """The YAML of keys and values, without those that say nothing: "", [], {}, [None]."""
    said = {key: value for key, value in content.items() if value not in ("", [], {}, [None])}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


def study_texts(given: dict[str, Any]) -> dict[str, str]:
    """The keys of a study, and of its `train`, as a form has them: what `study_draft` reads."""
    known = {key: (given | given["train"]).get(key, "") for key in FIELDS}
    return {key: ", ".join(map(str, one)) if isinstance(one, list) else f"{one}" for key, one in known.items()}


def study_draft(said: dict[str, str], control: bool, regimes: list[str], seeds: int) -> dict[str, Any]:
    """The keys of a study, in its own order, from what a form has as text: lists with commas, settings of runs.

    control: beside each supporting task, the same with its labels shuffled. A limit is a number, or `all`.
    """
    keys: dict[str, Any] = {"regimes": regimes, "seeds": seeds, "train": {}}
    for key, text in said.items():
        if key not in Study.model_fields:
            keys["train"] |= {key: number(text)} if text.strip() else {}
        else:
            keys[key] = names_in(text) if key in LISTS else text.strip()
    keys["supporting"] += [{"task": task, "shuffle_labels": True} for task in keys["supporting"] if control]
    for key in ("limits", "supporting_limits"):
        keys[key] = [None if value == "all" else number(value) for value in keys[key]]
    return {key: keys[key] for key in Study.model_fields if key in keys}


def names_in(text: str) -> list[str]:
    """The names in a text with commas."""
    return [value.strip() for value in text.split(",") if value.strip()]


def number(text: str) -> int | float | str:
    """The number that a text says; another text is left for the study to refuse."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def draft_place(name: str, *folders: str) -> Path:
    """Where the file of that name goes, in a folder of `params/`; refused where the name is a path, or none."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        expected = "letters, digits, '_', '-' and '.', begun with a letter or a digit, 100 at most"
        raise refusal("file name", expected, repr(escaped(name)), "Its folder and its ending are added.")
    return project_root().joinpath("params", *folders, f"{name}.yaml")


def write_draft(path: Path, text: str, replace: bool) -> None:
    """Writes a file whole or not at all; refused where there is one already, unless it is to be replaced."""
    if path.exists() and not replace:
        raise refusal(path, "a name that is free", "a file", "Choose another name, or tick 'replace the file'.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, text)


def data_file(said: str) -> Path:
    """A file that is named in full or from the repository's root. Raises IntertaskError where there is none."""
    path = project_root() / Path(said.strip()).expanduser()
    if not path.is_file():
        expected = f"one that is there, named in full or from {project_root()}"
        raise refusal("file", expected, repr(said.strip()), "Mend the path.")
    return path


def data_columns(said: str) -> tuple[str, ...]:
    """The columns of such a file. Raises IntertaskError where it has none."""
    path = data_file(said)
    names = tuple(map(str, read_file(path).columns))
    if not names:
        raise refusal(path, "a line of column names, and rows", "an empty file", "Name another, or fill it.")
    return names


def task_draft(
    files: dict[str, Path], form: str, inputs: list[str], label: str, parts: list[str], columns: Sequence[str], to: Path
) -> dict[str, Any]:
    """The entry of a task of one's own, to be written into the folder `to`.

    files: split -> file; label: its column, or several with commas; parts: the columns of spans or choices, where the
    format has such; columns: all that the files have, of which those without a role are left out on purpose. A file of
    the repository is named relatively, so that it is found wherever the repository lies.
    """
    if not inputs:
        raise refusal("Text", "a column", "none", f"Choose one of: {', '.join(columns)}.")
    known, root = find_format(form), project_root()
    paths = {split: path.resolve() for split, path in files.items()}
    entry: dict[str, Any] = {"files": {split: _from(to, path, root) for split, path in paths.items()}, "format": form}
    labels = [label] if label in columns else names_in(label)  # a column's name may have a comma
    entry |= {"inputs": inputs, "label": labels if len(labels) > 1 else label}
    entry |= {key: parts for key in ("spans", "choices") if key in known.keys}
    entry |= {"metrics": list(known.default_metrics or known.metrics)}
    entry |= {"unused": [name for name in columns if name not in {*inputs, *labels, *parts}]}
    return {key: value for key, value in entry.items() if value}


def _from(folder: Path, path: Path, root: Path) -> str:
    return os.path.relpath(path, folder) if path.is_relative_to(root) else str(path)
