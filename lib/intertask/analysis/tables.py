"""Frames as a reader sees them."""

import html
import re
from itertools import cycle
from pathlib import Path

import pandas as pd

from intertask.analysis.paging import paged
from intertask.errors import IntertaskError, number_of
from intertask.files import csv_text, write

MOST_ROWS = 30
"""Of what is shown at once: more are folded and, in JupyterLab, come in pages."""

EFFECTS = ["delta", "difference", "gain", "r", "slope", "optimism"]
FIRST = [*EFFECTS, "low", "high", "p", "p_holm"]
"""What answers a question: it stands right after the names of what it is about."""

PROSE = re.compile("(^|_)(note|reason)$")
WHOLE = re.compile("(^|_)(n_train|examples_seen)$")
"""Of these a table has means, which nobody wants to fractions of an example."""
NUMBER = re.compile(r"–|[-+]?\d[\d,.]*(e[-+]?\d+)?([ %*↓=/].*)?")
LEFT = 'style="text-align: left"'
"""Of each cell that is no number: an untrusted notebook keeps it, and has nothing of LAYOUT."""
LAYOUT = """<style>
.shown p { max-width: 60em } .shown table.dataframe { width: auto; margin: .4em 0 !important }
.shown table.dataframe :is(td, th) { text-align: left; vertical-align: top; white-space: nowrap; padding: .25em .6em }
.shown table.dataframe .number { text-align: right }
.shown table.dataframe .long { white-space: normal; min-width: 20em }
</style>"""


class Shown(pd.DataFrame):
    """A frame that displays itself as `as_html`, in JupyterLab a long one in pages, with a search."""

    def _repr_html_(self) -> str:
        return paged(as_html(self)) if len(self) > MOST_ROWS else as_html(self)


def as_html(frame: pd.DataFrame, classes: str = "") -> str:
    """The frame escaped, for a reader: nothing cut, nothing said twice; classes: further ones of the table.

    Above a table stands which columns are empty and, of two rows or more, what is the same in all of them. A column of
    prose, `note`, `reason` or `…_note`, holds numbers, and the texts stand below, each once. More than MOST_ROWS rows
    are folded. Cells of numbers have the class `number`, texts too long for a line `long`.
    """
    if frame.empty:
        return "<p>No rows: there is nothing of this kind.</p>"
    short, above = _without_repetition(_ordered(_flat(frame)))
    prose = [name for name in short if PROSE.search(name)]
    texts = [text for text in pd.unique(short[prose].to_numpy(object).ravel()) if text]
    marks = {text: f"[{place}]" for place, text in enumerate(texts, 1)}
    short = short.assign(**{name: short[name].map(lambda text: marks.get(text, "")) for name in prose})
    table = _aligned(short, classes)
    if len(short) > MOST_ROWS:
        summary = f"{number_of(len(short), 'row')}: {html.escape(', '.join(short))}"
        table = f"<details><summary>{summary}</summary>{table}</details>"
    above = f"<p>{html.escape(above)}</p>\n" if above else ""
    below = "".join(f"\n<p>{mark} {html.escape(text)}</p>" for text, mark in marks.items())
    return f'<div class="shown">{LAYOUT}{above}{table}{below}</div>'


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text for column names, no two alike (a task may be called `row`), and what its index says as
    columns; one that only counts is left out."""
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index(allow_duplicates=True)
    elif not pd.api.types.is_integer_dtype(frame.index):
        frame = frame.reset_index(names=[str(frame.columns.name or "")] * frame.index.nlevels, allow_duplicates=True)
    names = [str(name) for name in frame]
    names = [name + "\N{NO-BREAK SPACE}" * names[:place].count(name) for place, name in enumerate(names)]
    frame = frame.set_axis(names, axis="columns")
    return frame.astype(object).where(frame.notna(), "").reset_index(drop=True)


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with what answers its question, FIRST, right after the last name before it. What stands before `low`,
    where there is no effect, is what the interval is of, and goes with it."""
    first = [name for name in FIRST if name in frame]
    if "low" in first and not set(EFFECTS).intersection(first):
        first = [*list(frame)[: list(frame).index("low")][-1:], *first]
    before = list(frame)[: min(map(list(frame).index, first), default=0)]
    is_name = [not _is_number(frame[name]) and not isinstance(frame[name].iloc[0], bool) for name in before]
    names = max((place for place, one in enumerate(is_name, 1) if one), default=0)
    order = dict.fromkeys([*before[:names], *first, *frame])
    return frame[list(order)]


def _without_repetition(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The frame without columns that are empty or repeat one value, and what stands for these in words."""
    empty = [name for name in frame if (frame[name] == "").all()]
    frame = frame.drop(columns=empty)
    several = len(frame) > 1
    same = [name for name in frame if several and name.strip() and name not in FIRST and _repeats(frame[name])]
    same = same if len(same) < len(frame.columns) else same[1:]
    told = "; ".join(f"{name} = {frame[name].iloc[0]}" for name in same)
    said = [f"In every row: {told}."] * bool(told) + [f"Empty: {', '.join(empty)}."] * bool(empty)
    return frame.drop(columns=same), " ".join(said)


def _repeats(column: pd.Series) -> bool:
    """Whether every row has the same name or whole number; measured values that happen to agree are no repetition."""
    texts = column.astype(str)
    return texts.nunique() == 1 and not re.match(r"[-+]?\d+\.\d", texts.iloc[0])


def _is_number(column: pd.Series) -> bool:
    return all(NUMBER.fullmatch(text) for text in column.astype(str) if text)


def _aligned(frame: pd.DataFrame, classes: str) -> str:
    """The frame as pandas' table, its cells with their classes."""
    with pd.option_context("display.max_colwidth", None):
        table = frame.to_html(index=False, border=0, classes=classes)
    for cell in ("th", "td"):
        kinds = cycle(f'<{cell} class="number">' if _is_number(frame[name]) else f"<{cell} {LEFT}>" for name in frame)
        table = re.sub(f"<{cell}>", lambda _, kinds=kinds: next(kinds), table)
    table = re.sub(f"<td {LEFT}>(?=[^<]{{41}})", f'<td class="long" {LEFT}>', table)
    return table.replace(' style="text-align: right;"', "", 1)


def under_titles(tables: dict[str, pd.DataFrame]) -> str:
    """Tables as `as_html` of `shown`, each under its title."""
    return "".join(f"<b>{html.escape(title)}</b>{as_html(shown(table))}" for title, table in tables.items())


def panel_name(encoder: str, limit: int | None, supporting_limit: int | None = None) -> str:
    """What stands above one panel: the encoder and how much training data the target, and its supporting task, had."""
    target = "all training data" if pd.isna(limit) else f"{limit} training examples"
    supporting = "" if pd.isna(supporting_limit) else f", {supporting_limit} of the supporting task"
    return f"{encoder}, {target}{supporting}"


def row_label(supporting: str | None, limit: int | None, regime: str = "stilts") -> str:
    """A supporting task in words, with its data limit and, where it was no stop before, how it was used.

    What a table of scores names otherwise is told by the regime's name.
    """
    if pd.isna(supporting):
        return "single" if regime in ("single", "stilts") else regime
    what = supporting + ("" if pd.isna(limit) else f", {limit} examples")
    ways = dict.fromkeys(["mtl", "mtl_all"], f"with {what}") | {"mtl_finetune": f"with {what}, then alone"}
    return (ways | {"stilts": what}).get(regime, f"{what}, {regime}")


def category_label(coarse: str, fine: str) -> str:
    """A category of a diagnostic set in words; without both it is all rows."""
    return fine or coarse.replace("_", " ") or "all rows"


def of_expected(n: int, n_expected: int, one: str = "") -> str:
    """How many there are, and of how many, where some are missing: `3`, or `2 of 3`; of what, as in `2 of 3 seeds`."""
    expected = number_of(n_expected, one) if one else f"{n_expected}"
    return expected if n == n_expected else f"{n} of {expected}"


def shown(frame: pd.DataFrame, digits: int = 1) -> Shown:
    """The frame with every value as it is to be read: floats to `digits` places, p values to two significant figures,
    WHOLE whole, and an empty cell, never a 0, where a value is missing."""
    out = frame.astype(object).where(frame.notna(), "")
    for name in frame.select_dtypes("float").columns:
        form = "{:.2g}" if name == "p" or name.startswith("p_") else f"{{:z.{0 if WHOLE.search(name) else digits}f}}"
        out[name] = ["" if pd.isna(value) else form.format(value) for value in frame[name]]
    return Shown(out)


def export(frame: pd.DataFrame, name: str, folder: str, digits: int = 1) -> pd.DataFrame:
    """The frame as `shown`, and, where a folder is named, written there as `<name>.csv` and `<name>.tex`.

    The CSV holds the values themselves, unrounded, missing ones empty; the LaTeX what is shown, escaped, for the
    package booktabs and a compiler that reads UTF-8. Each file is written whole or not at all and replaces a former
    one. folder: from the working directory, made where it is not there; empty: nothing is written. The index is left
    out, unless it has a name. Raises IntertaskError where nothing can be written there.
    """
    view = shown(frame, digits)
    if folder:
        index = any(part is not None for part in frame.index.names)
        columns = "l" * (view.index.nlevels if index else 0)
        columns += "".join("r" if pd.api.types.is_numeric_dtype(kind) else "l" for kind in frame.dtypes)
        latex = view.to_latex(index=index, escape=True, column_format=columns)
        latex = re.sub(r"^([\[*])", r"{\1}", latex, flags=re.MULTILINE)  # after `\\\\` these would be its arguments
        texts = {"csv": csv_text(frame, index=index), "tex": latex}
        for kind, content in texts.items():
            try:
                Path(folder).expanduser().mkdir(parents=True, exist_ok=True)
                write(Path(folder).expanduser() / f"{name}.{kind}", content)
            except OSError as error:
                raise IntertaskError(
                    f"export: expected a folder that can be written to, found {folder!r} ({error.strerror}). "
                    'Name another one, or "" to write nothing.'
                ) from None
    return view
