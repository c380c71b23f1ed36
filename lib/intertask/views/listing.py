"""The catalogue as a table, with what is at hand without asking the network."""

import textwrap
from collections.abc import Iterable

import pandas as pd

from intertask import hub
from intertask.errors import IntertaskError, did_you_mean, number_of
from intertask.tasks.catalogue import catalogue
from intertask.tasks.schema import TaskEntry
from intertask.tasks.sources import locate
from intertask.views.overview import WIDTH

SPLIT_ORDER = ("train", "validation", "test")
REST = (
    "What is on the Hub is fetched when a run needs it. A corpus is to be put into a folder of its name in "
    "INTERTASK_CORPORA; `intertask check` on a study with its task says where to get it."
)


def catalogue_table(form: str = "") -> pd.DataFrame:
    """One row per task, grouped by format; `form` keeps those of one format. A size that is not stated is missing.

    Columns: name, format, train, validation, test (examples), metrics, licence, counterpart (its mini task), paper,
    source, at_hand.
    """
    forms = dict.fromkeys(entry.format for entry in catalogue().values())
    if form and form not in forms:
        raise IntertaskError(f"There is no format {form}.{did_you_mean(form, forms)}")
    entries = [entry for kind in forms for entry in catalogue().values() if entry.format == kind == (form or kind)]
    fields = ["name", "format", *SPLIT_ORDER, "metrics", "licence", "counterpart", "paper", "source", "at_hand"]
    rows = []
    for entry in entries:
        told = {"metrics": ", ".join(entry.metrics), "source": source(entry), "at_hand": at_hand(entry)}
        rows.append(entry.model_dump() | entry.sizes | told)
    return pd.DataFrame(rows, columns=fields).astype({**dict.fromkeys(SPLIT_ORDER, "Int64"), "at_hand": bool})


def search_catalogue(table: pd.DataFrame, words: str = "", form: str = "", at_hand: bool = False) -> pd.DataFrame:
    """The rows of `catalogue_table` that hold every one of the words, in any case, in name, format, source or paper; of
    one format, and only what is at hand, if so asked."""
    text = table[["name", "format", "source", "paper"]].agg(" ".join, axis=1).str.lower()
    kept = pd.Series(True, table.index) & (table["at_hand"] | (not at_hand)) & ((table["format"] == form) | (not form))
    for word in words.lower().split():
        kept &= text.str.contains(word, regex=False)
    return table[kept]


def catalogue_line(row) -> str:
    """A row of `catalogue_table` in a line."""
    size = "size unknown" if pd.isna(row.train) else f"{row.train:,}"
    here = "at hand" if row.at_hand else "not at hand"
    return " · ".join(filter(None, [row.name, row.format, size, here, row.paper]))


def source(entry: TaskEntry) -> str:
    """Where the data comes from: a Hub id with its config, a corpus that the user fetches, or the mini suite."""
    if entry.hub:
        return f"Hub {entry.hub}" + f", {entry.config}" * bool(entry.config)
    return f"corpus {entry.corpus}" if entry.corpus else "mini suite" if entry.mini else "files"


def at_hand(entry: TaskEntry) -> bool:
    """Whether the data can be read now: made, in INTERTASK_HUB or the Hub's cache, or in INTERTASK_CORPORA."""
    if entry.mini:
        return True
    try:
        files = [path for paths in locate(entry, asked=False).files.values() for path in paths]
        return bool(files) and all(path.is_file() and not hub.is_pointer(path) for path in files)
    except IntertaskError:
        return False


def catalogue_page(table: pd.DataFrame) -> str:
    """The table for a terminal of 100 columns: tasks by format, each with its sizes and, below, where it is from."""
    parts = []
    for form, rows in table.groupby("format", sort=False):
        head = _line(form, SPLIT_ORDER, "at hand", "metrics")
        parts.append("\n".join([head, "-" * WIDTH, *(_lines(row) for row in rows.itertuples())]))
    count = f"{number_of(len(table), 'task')}, {table['at_hand'].sum()} at hand."
    return "\n\n".join([*parts, textwrap.fill(f"{count} {REST}", WIDTH)])


def _lines(row) -> str:
    sizes = ["" if pd.isna(size) else f"{size:,}" for size in (row.train, row.validation, row.test)]
    facts = [row.source, row.licence, row.counterpart and f"counterpart {row.counterpart}"]
    below = textwrap.fill("; ".join(filter(None, facts)), WIDTH, initial_indent="    ", subsequent_indent="    ")
    return f"{_line(row.name, sizes, 'yes' if row.at_hand else 'no', row.metrics)}\n{below}"


def _line(name: str, sizes: Iterable[str], here: str, metrics: str) -> str:
    return f"{name:32}{''.join(f'{size:>11}' for size in sizes)}  {here:7}  {metrics}"
