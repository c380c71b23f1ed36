"""Where a task's data is: files by split, from the Hub, from a mirror of it, or from the user's own files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from intertask import hub
from intertask.errors import refusal
from intertask.tasks.schema import TaskEntry


@dataclass(frozen=True)
class Source:
    """Data files by our split names, in reading order, and the label names of the data set's card if it has any."""

    files: dict[str, list[Path]]
    card_labels: list[str] | None = None


def locate(entry: TaskEntry) -> Source:
    """The data files of a `hub` or `files` entry; downloads those of this config when no mirror is set."""
    if entry.files:
        files = {split: [Path(path) for path in paths] for split, paths in entry.files.items()}
        return Source(our_splits(entry, files))
    card = hub.folder(entry.hub, "dataset", ["README.md"], entry.revision) / "README.md"
    patterns, card_labels = _read_card(entry, card)
    wanted = [pattern for globs in our_splits(entry, patterns).values() for pattern in globs]
    folder = hub.folder(entry.hub, "dataset", ["README.md", *wanted], entry.revision)
    found = {split: _glob(folder, globs) for split, globs in patterns.items()}
    return Source(our_splits(entry, {split: paths for split, paths in found.items() if paths}), card_labels)


def fingerprint(entry: TaskEntry) -> str:
    """16 hex digits of SHA-256 over the bytes of the task's data (mini: of the code that makes it); nothing is parsed.

    File names and folders do not enter, so a moved mirror keeps its fingerprint and a changed one does not.
    """
    digest = hashlib.sha256()
    for split, paths in sorted(_mini_code().items() if entry.mini else locate(entry).files.items()):
        digest.update(f"{split}:{len(paths)}".encode())
        for path in paths:
            digest.update(_file_digest(path))
    return digest.hexdigest()[:16]


def our_splits(entry: TaskEntry, available: dict[str, Any]) -> dict[str, Any]:
    """Values of `available` (by the source's split names) under our names; train and validation must be among them."""
    if entry.evaluation_only:
        names = dict(entry.splits or {"test": "test"})
        required = ["test"]
    else:
        renamed = set(entry.splits.values())
        own = {split: split for split in ("train", "validation", "test", *entry.files) if split not in renamed}
        names = own | entry.splits
        required = ["train", "validation"]
    found = {ours: available[theirs] for ours, theirs in names.items() if theirs in available}
    if missing := [split for split in required if split not in found]:
        raise refusal(
            f"Task '{entry.name}'",
            f"the splits {' and '.join(required)}",
            f"{', '.join(available) or 'none'} (no {missing[0]})",
            f"Name the source's split under `splits: {{{missing[0]}: ...}}`, or supply the data.",
        )
    return found


def _read_card(entry: TaskEntry, card: Path) -> tuple[dict[str, list[str]], list[str] | None]:
    """Glob patterns by the source's split names, and the label names of the entry's config, from the card's header."""
    from huggingface_hub import metadata_load

    try:
        header = metadata_load(card) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise refusal(card, "the data set's card (README.md)", str(error), "Fetch the repository again.") from None
    listed = [config for config in header.get("configs") or [] if isinstance(config, dict) and "data_files" in config]
    configs = {config.get("config_name", "default"): config for config in listed}
    name = entry.config or (next(iter(configs)) if len(configs) == 1 else "default")
    if name not in configs:
        found = f"'{entry.config}' among the configs {', '.join(configs) or 'none'}"
        remedy = "Name one of these under `config`." if configs else "Name its data under `files` instead."
        raise refusal(card, f"a config with data files for task '{entry.name}'", found, remedy)
    info = header.get("dataset_info") or []
    infos = [info] if isinstance(info, dict) else info
    features = next((one.get("features", []) for one in infos if one.get("config_name", "default") == name), [])
    return _patterns(configs[name]["data_files"]), _class_names(features, entry.label)


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


def _mini_code() -> dict[str, list[Path]]:
    folder = Path(__file__).with_name("mini")
    return {"code": sorted(path for path in folder.iterdir() if path.suffix in {".py", ".yaml"})}


def _file_digest(path: Path) -> bytes:
    try:
        return hub.digest(path)
    except OSError as error:
        raise refusal(path, "a readable data file", str(error), "Check the path in the task's entry.") from None
