"""Where a task's data is: files by split, from the Hub, from a mirror of it, or from the user's own files."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from intertask.errors import did_you_mean, refusal
from intertask.tasks.schema import TaskEntry

HUB_TIMEOUT = 3.0
"""Seconds until the Hub counts as out of reach; without a limit of ours its client tries for 23 s and more."""


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
    mirror = mirror_folder(entry.hub)
    folder = mirror or _download(entry, ["README.md"])
    patterns, card_labels = _read_card(entry, folder / "README.md")
    if not mirror:
        wanted = our_splits(entry, patterns).values()
        folder = _download(entry, ["README.md", *(pattern for globs in wanted for pattern in globs)])
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


def mirror_folder(repo: str) -> Path | None:
    """The local clone of a Hub repository in the mirror that INTERTASK_HUB names; None when that is not set.

    Raises IntertaskError, with what the mirror holds, when the repository is not in it: nothing is downloaded then.
    """
    root = os.environ.get("INTERTASK_HUB", "")
    if not root:
        return None
    folder = Path(root) / repo
    if not folder.is_dir():
        held = [path.relative_to(root).as_posix() for path in sorted(Path(root).glob("*/*")) if path.is_dir()]
        found = f"no folder {folder}" if Path(root).is_dir() else f"no folder {root}"
        remedy = "Clone it into the mirror, or unset INTERTASK_HUB to use the Hub." + did_you_mean(repo, held)
        raise refusal("INTERTASK_HUB", f"a local clone of '{repo}' (the Hub is not asked)", found, remedy)
    return folder


def _download(entry: TaskEntry, patterns: list[str]) -> Path:
    """The folder of the Hub's snapshot with the files that match `patterns`; offline, what the cache has of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, LocalEntryNotFoundError

    where = f"Task '{entry.name}', Hub data set '{entry.hub}'"
    try:
        folder = snapshot_download(
            entry.hub,
            repo_type="dataset",
            revision=entry.revision,
            allow_patterns=patterns,
            etag_timeout=HUB_TIMEOUT,
            local_files_only=not _hub_answers(entry),
        )
    except HfHubHTTPError as error:
        found = f"HTTP status {error.response.status_code}"
        remedy = "Check the id, the revision and your access."
        raise refusal(where, f"revision '{entry.revision}' on the Hub", found, remedy) from None
    except (LocalEntryNotFoundError, HTTPError):
        found = "the Hub out of reach and no complete copy in the cache"
        remedy = "Connect and repeat, or set INTERTASK_HUB to a folder of local clones (<folder>/<owner>/<name>)."
        raise refusal(where, "its files from the Hub", found, remedy) from None
    return Path(folder)


def _hub_answers(entry: TaskEntry) -> bool:
    """False where the Hub is out of reach, down or switched off (HF_HUB_OFFLINE); other refusals of its are raised."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    try:
        HfApi().dataset_info(entry.hub, revision=entry.revision, timeout=HUB_TIMEOUT)
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return False
    except (HTTPError, OfflineModeIsEnabled):
        return False
    return True


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
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise refusal(path, "a readable data file", str(error), "Check the path in the task's entry.") from None
