"""Where a task's data is: files by split, from the Hub, from a mirror of it, from a corpus or the user's own files."""

import glob
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from intertask import hub
from intertask.errors import refusal
from intertask.files import file_digest
from intertask.tasks.schema import TaskEntry

CONVERTED = "refs/convert/parquet"
"""The branch of a Hub repository with its data converted to Parquet: <config>/<split>/0000.parquet, without a card."""

DATA_SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
SPLIT_WORDS = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev"},
    "test": {"test", "testing", "eval", "evaluation"},
}
"""Split -> the names that the Hub takes for it."""


@dataclass(frozen=True)
class Source:
    """Data files by our split names, in reading order, and the label names of the data set's card if it has any."""

    files: dict[str, list[Path]]
    card_labels: list[str] | None = None


def locate(entry: TaskEntry) -> Source:
    """The data files of a `hub` or `files` entry; downloads those of this config when no mirror is set."""
    if entry.corpus:
        return Source(our_splits(entry, _corpus_files(entry)))
    if entry.files:
        return Source(our_splits(entry, {split: _own_files(paths) for split, paths in entry.files.items()}))
    patterns, card_labels = _layout(entry)
    wanted = [pattern for globs in our_splits(entry, patterns).values() for pattern in globs]
    folder = hub.folder(entry.hub, "dataset", ["README.md", *wanted], entry.revision)
    found = {split: _glob(folder, globs) for split, globs in patterns.items()}
    return Source(our_splits(entry, {split: paths for split, paths in found.items() if paths}), card_labels)


def fingerprint(entry: TaskEntry) -> str:
    """16 hex digits of SHA-256 over the bytes of the task's data and of the code that makes or converts it.

    File names and folders do not enter, so a moved mirror keeps its fingerprint and a changed one does not.
    """
    parts = {"code": _code("minilanguage")} if entry.mini else locate(entry).files
    if entry.derive:
        parts = {**parts, "rules": _code("intertask.probes")}
    digest = hashlib.sha256()
    for split, paths in sorted(parts.items()):
        digest.update(f"{split}:{len(paths)}".encode())
        for path in paths:
            digest.update(_file_digest(path))
    return digest.hexdigest()[:16]


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
        raise refusal(
            f"Task '{entry.name}'",
            f"the splits {' and '.join(required)}",
            f"{', '.join(available) or 'none'} (no {missing[0]})",
            f"Name the source's split under `splits: {{{missing[0]}: ...}}`, or supply the data.",
        )


def _own_files(patterns: list[str]) -> list[Path]:
    """The paths, those with a * filled in; one without is taken as it stands, and missed when it is read."""
    paths = {pattern: sorted(glob.glob(pattern)) if "*" in pattern else [pattern] for pattern in patterns}
    for pattern, found in paths.items():
        if not found:
            raise refusal(pattern, "files of that name", "no file that fits", "Check the path in the task's entry.")
    return [Path(path) for found in paths.values() for path in found]


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


def _layout(entry: TaskEntry) -> tuple[dict[str, list[str]], list[str] | None]:
    """Glob patterns by the source's split names, and the label names of the entry's config if the card has any."""
    if entry.revision == CONVERTED:
        config = entry.config or "default"
        splits = ["train", "validation", "test", *entry.splits.values()]
        return {split: [f"{config}/{part}{split}/*.parquet" for part in ("", "partial-")] for split in splits}, None
    card = hub.folder(entry.hub, "dataset", ["README.md"], entry.revision) / "README.md"
    header = _header(card)
    if not header.get("configs") and not entry.config:
        data = [f"*{suffix}" for suffix in DATA_SUFFIXES]
        folder = hub.folder(entry.hub, "dataset", ["README.md", *data], entry.revision)
        return _splits_by_name(folder), _class_names(_features(header, "default"), entry.label_column)
    return _read_card(entry, card, header)


def _header(card: Path) -> dict[str, Any]:
    from huggingface_hub import metadata_load

    try:
        return metadata_load(card) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise refusal(card, "the data set's card (README.md)", str(error), "Fetch the repository again.") from None


def _read_card(entry: TaskEntry, card: Path, header: dict) -> tuple[dict[str, list[str]], list[str] | None]:
    """What the card's header says of the entry's config: patterns and label names, as `_layout`."""
    listed = [config for config in header.get("configs") or [] if isinstance(config, dict) and "data_files" in config]
    configs = {config.get("config_name", "default"): config for config in listed}
    name = entry.config or (next(iter(configs)) if len(configs) == 1 else "default")
    if name not in configs:
        found = f"'{entry.config}' among the configs {', '.join(configs) or 'none'}"
        remedy = "Name one of these under `config`." if configs else "Name its data under `files` instead."
        raise refusal(card, f"a config with data files for task '{entry.name}'", found, remedy)
    return _patterns(configs[name]["data_files"]), _class_names(_features(header, name), entry.label_column)


def _features(header: dict, config: str) -> list[dict]:
    info = header.get("dataset_info") or []
    infos = [info] if isinstance(info, dict) else info
    return next((one.get("features", []) for one in infos if one.get("config_name", "default") == config), [])


def _splits_by_name(folder: Path) -> dict[str, list[str]]:
    """Split -> files of the folder, as the Hub reads a repository whose card lists no configs.

    The first of these rules that fits any file: data/<split>-00000-of-00001, a folder called as a split, a file whose
    name has a split's name between separators (https://huggingface.co/docs/hub/datasets-file-names-and-splits).
    """
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.suffix in DATA_SUFFIXES)
    data = [path.as_posix() for path in paths if not path.parts[0].startswith(".")]
    for rule in (_sharded_split, _folder_split, _file_split):
        splits: dict[str, list[str]] = {}
        for file in data:
            if split := rule(file):
                splits.setdefault(split, []).append(file)
        if splits:
            return splits
    found = ", ".join(data[:10]) or f"no file that ends in {', '.join(DATA_SUFFIXES)}"
    remedy = "Name the data under `files` instead."
    raise refusal(folder, "configs in its card, or data files named by their split", found, remedy)


def _sharded_split(file: str) -> str:
    match = re.fullmatch(r"data/([\w.]+)-\d{5}-of-\d{5}\.\w+", file)
    return match[1] if match else ""


def _folder_split(file: str) -> str:
    return next((split for part in Path(file).parent.parts for split in SPLIT_WORDS if part in SPLIT_WORDS[split]), "")


def _file_split(file: str) -> str:
    words = re.split(r"[\W\d_]+", Path(file).stem)
    return next((split for split, names in SPLIT_WORDS.items() if names & set(words)), "")


def _patterns(data_files: Any) -> dict[str, list[str]]:
    """The card's `data_files`, in any of the forms the Hub takes, as split -> glob patterns; no split means train."""
    if not isinstance(data_files, list):
        data_files = [data_files]
    patterns: dict[str, list[str]] = {}
    for item in data_files:
        split, path = (item.get("split", "train"), item["path"]) if isinstance(item, dict) else ("train", item)
        patterns.setdefault(split, []).extend([path] if isinstance(path, str) else path)
    return patterns


def _class_names(features: list[dict], label: str) -> list[str] | None:
    dtype = next((feature.get("dtype") for feature in features if feature["name"] == label), None)
    names = dtype.get("class_label", {}).get("names") if isinstance(dtype, dict) else None
    return [str(names[key]) for key in sorted(names, key=int)] if names else None


def _glob(folder: Path, patterns: list[str]) -> list[Path]:
    inside = [pattern for pattern in patterns if not Path(pattern).is_absolute() and ".." not in Path(pattern).parts]
    return sorted({path for pattern in inside for path in folder.glob(pattern) if path.is_file()})


def _code(package: str) -> list[Path]:
    folder = Path(find_spec(package).submodule_search_locations[0])
    return sorted(path for path in folder.iterdir() if path.suffix in {".py", ".yaml"})


def _file_digest(path: Path) -> bytes:
    try:
        return file_digest(path)
    except OSError as error:
        raise refusal(path, "a readable data file", str(error), "Check the path in the task's entry.") from None
