"""The rows of a task as its source holds them, or as code makes or derives them: kept, since they take seconds."""

import hashlib
import json

import pandas as pd

from intertask.cache import remembered
from intertask.errors import refusal
from intertask.probes.words import NEWDOC
from intertask.tasks.data_files import read_files, with_rows
from intertask.tasks.schema import TaskEntry
from intertask.tasks.sources import Source, check_splits, code_of, digests, hex_digest, our_splits


def raw_splits(entry: TaskEntry, source: Source) -> dict[str, pd.DataFrame]:
    """Our split -> frame as in the source or as made or derived, with index (file, row)."""
    if entry.mini or entry.derive:
        return remembered("rows", _makes(entry, source), lambda: _raw(entry, source))
    return _raw(entry, source)


def digest_of_rows(entry: TaskEntry, source: Source) -> str:
    """What identifies a made or derived task: its rows, whatever code they came from."""
    return remembered("row_digests", _makes(entry, source), lambda: _row_digest(raw_splits(entry, source)))


def _makes(entry: TaskEntry, source: Source) -> list:
    """All that the rows of a made or derived task follow from, but for the versions of libraries: the cache's key.

    Their index names the files, for refusals: of another copy of these, others are made.
    """
    paths = {split: [str(path) for path in paths] for split, paths in source.files.items()}
    code = [hex_digest(path) for path in code_of(entry)]
    return [entry.mini, entry.derive, entry.splits, entry.columns, paths, digests(source), code]


def _raw(entry: TaskEntry, source: Source) -> dict[str, pd.DataFrame]:
    if entry.mini:
        import minilanguage

        made = our_splits(entry, minilanguage.generate(entry.mini))
        raw = {split: with_rows([frame], [f"mini/{entry.mini} ({split})"]) for split, frame in made.items()}
    else:
        raw = {split: read_files(paths, entry.columns_in(split)) for split, paths in source.files.items()}
    if entry.derive:
        return _derived(entry, raw)
    return {split: frame.drop(columns=NEWDOC, errors="ignore") for split, frame in raw.items()}


def _derived(entry: TaskEntry, raw: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What the entry's rule makes; frames that it is not made for are refused."""
    from intertask.probes import find_rule

    rule, files = find_rule(entry.derive), ", ".join(frame.index.levels[0][0] for frame in raw.values())
    where, expected = f"Task '{entry.name}', derive", f"what the rule {entry.derive} is made for"
    try:
        made = rule(raw)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        found = f"{files}, which it cannot read ({type(error).__name__}: {error})"
        raise refusal(where, expected, found, "Give it its own files.") from None
    for split, frame in made.items():
        if frame.empty or not frame.columns.is_unique:
            found = f"{files}, of which it makes no rows, or two columns of one name, for {split}"
            raise refusal(where, expected, found, "Give it its own files.")
    check_splits(entry, made, made)
    return made


def _row_digest(raw: dict[str, pd.DataFrame]) -> str:
    """The same for equal rows in equal order, however pandas and Arrow hold them."""
    sha = hashlib.sha256()
    for split, frame in sorted(raw.items()):
        content = frame.to_dict("split", index=False)
        sha.update(json.dumps([split, content], default=lambda value: value.tolist()).encode())
    return sha.hexdigest()
