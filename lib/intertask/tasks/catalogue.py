"""Task entries by name: the YAML files in catalogue/ beside this module, and a user's own file."""

from functools import cache
from pathlib import Path

from intertask.cache import remembered
from intertask.errors import IntertaskError, nearest, refusal
from intertask.files import file_digest
from intertask.tasks.schema import TaskEntry, parse_entry
from intertask.written import Written, parsed_yaml, yaml_text


def find_entry(name: str, task_file: str = "") -> TaskEntry:
    """The entry called `name`, of the catalogue or of the user's `task_file` (YAML)."""
    own = own_entries(Path(task_file), yaml_text(Path(task_file))) if task_file else {}
    entries = catalogue() | own
    if name not in entries:
        listed = "`intertask tasks` lists the catalogue"
        others = (
            f"{task_file} has {', '.join(own)}; {listed}."
            if own
            else (f"{listed}; a file with tasks of your own is named by `task_file: my_tasks.yaml`.")
        )
        raise IntertaskError(
            f"Unknown task '{name}': expected a task of the catalogue or of a task file."
            f"{nearest(name, entries) or f' {others}'}"
        )
    return entries[name]


def own_entries(path: Path, text: str) -> dict[str, TaskEntry]:
    """Name -> entry of a text that stands in a user's task file, or will; refused where the catalogue has the name."""
    own = dict(_parsed(path, text))
    if taken := own.keys() & catalogue().keys():
        name = min(taken)
        place = _written(path, text).place(name)
        raise refusal(place, "names of its own", f"'{name}', which the catalogue has", "Rename your task.")
    return own


@cache
def catalogue() -> dict[str, TaskEntry]:
    """Name -> entry of every task that comes with the library."""
    paths = sorted(Path(__file__).with_name("catalogue").glob("*.yaml"))
    return {name: entry for path in paths for name, entry in read_entries(path).items()}


def reading_code() -> list[str]:
    """Digests of the code that reads and checks tasks: what is kept of them is as good as this code."""
    package = Path(__file__).parents[1]
    paths = [path for room in ("tasks", "formats") for path in sorted((package / room).rglob("*.py"))]
    # how YAML is read; what a damaged file is; of a format's metrics, which it has by default
    paths += [package / name for name in ("written.py", "hub.py", "metrics.py")]
    return list(map(file_digest, paths))


def read_entries(path: Path) -> dict[str, TaskEntry]:
    """Name -> entry of one YAML file; paths under `files` are taken relative to its folder, or to the corpus."""
    return dict(_parsed(path, yaml_text(path)))


@cache
def _parsed(path: Path, text: str) -> dict[str, TaskEntry]:
    written = _written(path, text)
    if isinstance(written.content.get("title"), str):
        raise refusal(
            written.place("title"), "a file of tasks", "a study, as `title` says", f"`intertask check {path}` reads it."
        )

    def parse() -> list[dict]:
        return [parse_entry(name, fields, written).model_dump() for name, fields in written.content.items()]

    # To check an entry takes torch, which knows the formats: seconds, for a command with nothing to do.
    own = any("." in str(fields.get("format")) for fields in written.content.values() if isinstance(fields, dict))
    kept = parse() if own else remembered("entries", [written.content, reading_code()], parse)
    entries = {fields["name"]: TaskEntry.model_construct(**fields) for fields in kept}
    for name, entry in entries.items():
        if not entry.corpus:
            files = {split: [str(path.parent / file) for file in files] for split, files in entry.files.items()}
            entries[name] = entry.model_copy(update={"files": files})
    return entries


def _written(path: Path, text: str) -> Written:
    return parsed_yaml(path, text, "a mapping of task names to entries", "Begin with `my_task:`.")


def counterpart(task: str) -> str:
    """The mini task that stands for a task of the catalogue; a mini task is its own."""
    entry = find_entry(task)
    if not entry.mini and not entry.counterpart:
        raise IntertaskError(f"{task} has no counterpart in the mini suite. Name one under `mini`.")
    return task if entry.mini else entry.counterpart
