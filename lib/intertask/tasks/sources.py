"""Where a task's data is: files by split, from the Hub, from a mirror of it, from a corpus or the user's own files."""

import glob
import hashlib
import inspect
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from intertask import hub
from intertask.cache import remembered, while_unchanged
from intertask.errors import refusal, unreadable
from intertask.files import file_digest
from intertask.tasks.schema import TaskEntry

CONVERTED = "refs/convert/parquet"
"""The branch of a Hub repository with its data converted to Parquet: <config>/<split>/0000.parquet, without a card."""

DATA_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Source:
    """Data files by our split names, in reading order, and the data set's card with the label names in it, if any.

    Of the user's own Parquet files the names are those that `datasets` wrote into them.
    """

    files: dict[str, list[Path]]
    card: Path | None = None
    card_labels: list[str] | None = None


def locate(entry: TaskEntry, asked: bool = True) -> Source:
    """The data files of an entry, none of a made task; downloads those of this config when no mirror is set.

    asked: whether the Hub is; otherwise what its cache does not hold is refused.
    """
    if entry.mini:
        return Source({})
    if entry.corpus:
        return Source(our_splits(entry, _corpus_files(entry)))
    if entry.files:
        files = our_splits(entry, {split: _own_files(paths) for split, paths in entry.files.items()})
        return Source(files, card_labels=_written_names(entry, files))
    patterns, card, card_labels = _layout(entry, asked)
    wanted = [pattern for globs in our_splits(entry, patterns).values() for pattern in globs]
    folder = hub.folder(entry.hub, "dataset", ["README.md", *wanted], entry.revision, asked)
    found = {split: _glob(folder, globs) for split, globs in patterns.items()}
    return Source(our_splits(entry, {split: paths for split, paths in found.items() if paths}), card, card_labels)


def fingerprint(entry: TaskEntry) -> str:
    """16 hex digits of SHA-256 over the task's data: of files the bytes, of made and derived tasks the rows.

    So a moved mirror keeps it, as does a comment in the code that makes rows; a changed file does not, nor does a
    library that draws other numbers. A format of the user's own counts as data.
    """
    # A study asks for the data of few tasks in thousands of runs.
    key = entry, os.environ.get("INTERTASK_HUB"), os.environ.get("INTERTASK_CORPORA")
    return while_unchanged(key, lambda: _fingerprint(entry))


def _fingerprint(entry: TaskEntry) -> tuple[str, list[Path]]:
    """The fingerprint, and the files and folders that it depends on."""
    source, own = locate(entry), []
    data = digests(source)
    if "." in entry.format:
        from intertask.formats import find_format  # here: with torch

        own = [Path(inspect.getfile(find_format(entry.format)))]
    if entry.mini or entry.derive:
        from intertask.tasks.rows import digest_of_rows  # here: with pandas

        data = digest_of_rows(entry, source)
    content = json.dumps([data, [hex_digest(path) for path in own]])
    paths = [path for paths in source.files.values() for path in paths]
    folders = {path.parent for path in paths}  # where a further file of a split would show
    watched = [*paths, *folders, *([source.card] if source.card else []), *code_of(entry), *own]
    return hashlib.sha256(content.encode()).hexdigest()[:16], watched


def our_splits(entry: TaskEntry, available: dict[str, Any]) -> dict[str, Any]:
    """Values of `available` (by the source's split names) under our names, checked unless rows are derived."""
    if entry.evaluation_only:
        names = dict(entry.splits or {"test": "test"})
    else:
        renamed = set(entry.splits.values())
        own = {split: split for split in ("train", "validation", "test", *entry.files) if split not in renamed}
        names = own | entry.splits
    found = {ours: available[theirs] for ours, theirs in names.items() if theirs in available}
    if not entry.derive:
        check_splits(entry, found, list(available))
    return found


def check_splits(entry: TaskEntry, found: Iterable[str], available: Iterable[str]) -> None:
    """Refuses a task without train and validation, or, where it is for evaluation only, without test."""
    required = ["test"] if entry.evaluation_only else ["train", "validation"]
    if missing := [split for split in required if split not in found]:
        there = f"{', '.join(available) or 'none'} (no {missing[0]})"
        key = "its file under `files" if entry.files else "the source's split under `splits"
        remedy = f"Name {key}: {{{missing[0]}: ...}}`, or supply the data."
        raise refusal(f"Task '{entry.name}'", f"the splits {' and '.join(required)}", there, remedy)


def _own_files(patterns: list[str]) -> list[Path]:
    """The paths, those with a * filled in; one without is taken as it stands, and missed when it is read."""
    # in a path only * is no character of itself: [ and ? may stand in folders' names
    globs = {pattern: "*".join(map(glob.escape, pattern.split("*"))) for pattern in patterns}
    paths = {pattern: sorted(glob.glob(globs[pattern])) if "*" in pattern else [pattern] for pattern in patterns}
    for pattern, found in paths.items():
        if not found:
            raise refusal(pattern, "files of that name", "no file that fits", "Check the path in the task's entry.")
    files = [Path(path) for pattern in patterns for path in paths[pattern]]
    if twice := next((path for path in files if files.count(path) > 1), None):
        raise refusal(twice, "each file of a split once", "it twice", f"Mend {patterns} in the task's entry.")
    return files


def _written_names(entry: TaskEntry, files: dict[str, list[Path]]) -> list[str] | None:
    """The label names that the first Parquet file says, if any: what is wrong with it is found when it is read."""
    path = next((path for paths in files.values() for path in paths if path.suffix == ".parquet"), None)
    if path is None or entry.derive:
        return None
    import pyarrow.parquet

    try:
        said = json.loads((pyarrow.parquet.read_schema(path).metadata or {})[b"huggingface"])
        kind = said["info"]["features"][entry.label]
        kind = kind.get("feature", kind)
        return list(kind["names"]) if kind["_type"] == "ClassLabel" else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _corpus_files(entry: TaskEntry) -> dict[str, list[Path]]:
    """Split -> files of the corpus in INTERTASK_CORPORA; a test split beside others may be absent."""
    root = os.environ.get("INTERTASK_CORPORA", "")
    if not root:
        found = "INTERTASK_CORPORA not set"
        raise refusal(f"Task '{entry.name}'", f"the corpus '{entry.corpus}' in INTERTASK_CORPORA", found, entry.get)
    folder = Path(root) / entry.corpus
    files = {split: _glob(folder, patterns) for split, patterns in entry.files.items()}
    for split, patterns in entry.files.items():
        if not files[split] and (split != "test" or entry.evaluation_only):
            raise refusal(f"Task '{entry.name}'", f"{folder / patterns[0]}", "no such file", entry.get)
    return {split: paths for split, paths in files.items() if paths}


def _layout(entry: TaskEntry, asked: bool) -> tuple[dict[str, list[str]], Path | None, list[str] | None]:
    """Glob patterns by the source's split names, and the card with the label names of the entry's config, if any."""
    if entry.revision == CONVERTED:
        config = entry.config or "default"
        splits = ["train", "validation", "test", *entry.splits.values()]
        patterns = {split: [f"{config}/{part}{split}/*.parquet" for part in ("", "partial-")] for split in splits}
        return patterns, None, None
    card = hub.folder(entry.hub, "dataset", ["README.md"], entry.revision, asked) / "README.md"
    configs, names = _card(card)
    name = entry.config or (next(iter(configs)) if len(configs) == 1 else "default")
    if not configs and not entry.config:
        wanted = ["README.md", *(f"*{suffix}" for suffix in DATA_SUFFIXES)]
        configs = {name: _by_name(hub.folder(entry.hub, "dataset", wanted, entry.revision, asked))}
    if name not in configs:
        found = f"'{entry.config}' among the configs {', '.join(configs) or 'none'}"
        remedy = "Name one of these under `config`." if configs else "Name its data under `files` instead."
        raise refusal(card, f"a config with data files for task '{entry.name}'", found, remedy)
    return configs[name], card, names.get(name, {}).get(entry.label_said)


def _card(path: Path) -> tuple[dict[str, dict[str, list[str]]], dict[str, dict[str, list[str]]]]:
    """What a data set's card says: config -> split -> patterns of its files, and config -> column -> label names."""
    try:
        readers = [version("datasets"), version("huggingface-hub")]
        key = [file_digest(path), file_digest(Path(__file__)), *readers]
        return while_unchanged(path, lambda: (remembered("cards", key, lambda: _read_card(path)), [path]))
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        found = str(error).strip(" .")
        raise refusal(path, "the data set's card (README.md)", found, "Fetch the repository again.") from None


def _read_card(path: Path):
    """By `datasets`; its builder would want the files, of which the card must first tell what to fetch."""
    # a second of import, which a card that is known does not cost
    from datasets.data_files import sanitize_patterns
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData, metadata_load

    header = DatasetCardData(**(metadata_load(path) or {}))
    configs = MetadataConfigs.from_dataset_card_data(header)
    names = {
        config: {column: names for column, kind in (info.features or {}).items() if (names := _names(kind))}
        for config, info in DatasetInfosDict.from_dataset_card_data(header).items()
    }
    patterns = {
        config: {str(split): list(globs) for split, globs in sanitize_patterns(fields["data_files"]).items()}
        for config, fields in configs.items()
        if "data_files" in fields
    }
    return patterns, names


def _names(kind: Any) -> list[str] | None:
    """The label names of a column of the card: of a label, or of a list of labels."""
    from datasets import ClassLabel

    kind = kind[0] if isinstance(kind, list) else getattr(kind, "feature", kind)
    return list(kind.names) if isinstance(kind, ClassLabel) else None


def _by_name(folder: Path) -> dict[str, list[str]]:
    """Split -> files of a folder without configs in its card, told by names as the Hub tells them."""
    from datasets.data_files import DataFilesDict, get_data_patterns

    try:
        patterns = get_data_patterns(str(folder))
        found = DataFilesDict.from_patterns(patterns, str(folder), allowed_extensions=list(DATA_SUFFIXES))
    except FileNotFoundError:
        return {}
    return {str(split): [os.path.relpath(path, folder) for path in paths] for split, paths in found.items() if paths}


def _glob(folder: Path, patterns: list[str]) -> list[Path]:
    inside = [pattern for pattern in patterns if not Path(pattern).is_absolute() and ".." not in Path(pattern).parts]
    return sorted({path for pattern in inside for path in folder.glob(pattern) if path.is_file()})


def code_of(entry: TaskEntry) -> list[Path]:
    """The files of the code that makes the rows, if they are not read as they stand."""
    rooms = ["minilanguage"] * bool(entry.mini) + ["intertask.probes", "intertask.tasks"] * bool(entry.derive)
    folders = [Path(find_spec(room).submodule_search_locations[0]) for room in rooms]
    return sorted(path for folder in folders for path in folder.iterdir() if path.suffix in {".py", ".yaml"})


def digests(source: Source) -> dict[str, list[str]]:
    return {split: [hex_digest(path) for path in paths] for split, paths in sorted(source.files.items())}


def hex_digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise unreadable(path, error) from None
