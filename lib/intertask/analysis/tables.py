"""Frames as a reader sees them."""

import html
import re
from pathlib import Path

import pandas as pd

from intertask.errors import IntertaskError
from intertask.files import csv_text, write


class Shown(pd.DataFrame):
    """A frame that displays itself escaped, its prose below it: beside many columns of numbers, no page has room."""

    def _repr_html_(self) -> str:
        return as_html(self, notebook=True)


def as_html(frame: pd.DataFrame, **options) -> str:
    """The frame as an escaped table with nothing cut; options: of pandas' `to_html`.

    A column of prose, `note`, `reason` or `…_note`, holds numbers, and the texts stand below, each once.
    """
    prose = [name for name in frame if re.search("(^|_)(note|reason)$", str(name))]
    texts = [text for text in pd.unique(frame[prose].to_numpy(object).ravel()) if text]
    numbers = {text: f"[{place}]" for place, text in enumerate(texts, 1)}
    frame = frame.assign(**{name: frame[name].map(lambda text: numbers.get(text, "")) for name in prose})
    with pd.option_context("display.max_colwidth", None):
        table = frame.to_html(**options)
    return table + "".join(f"\n<p>{number} {html.escape(text)}</p>" for text, number in numbers.items())


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
    ways = {"mtl": f"with {what}", "mtl_all": "with all", "mtl_finetune": f"with {what}, then alone", "stilts": what}
    return ways.get(regime, f"{what}, {regime}")


def category_label(coarse: str, fine: str) -> str:
    """A category of a diagnostic set in words; without both it is all rows."""
    return fine or coarse.replace("_", " ") or "all rows"


def of_expected(n: int, n_expected: int) -> str:
    """How many there are, and of how many, where some are missing: `3`, or `2 of 3`."""
    return f"{n}" if n == n_expected else f"{n} of {n_expected}"


def shown(frame: pd.DataFrame, digits: int = 1) -> Shown:
    """The frame with every value as it is to be read: floats to `digits` places, p values to two significant figures,
    and an empty cell, never a 0, where a value is missing."""
    out = frame.astype(object).where(frame.notna(), "")
    for name in frame.select_dtypes("float").columns:
        form = "{:.2g}" if name == "p" or name.startswith("p_") else f"{{:z.{digits}f}}"
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
