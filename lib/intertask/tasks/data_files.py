"""Data files as raw frames: text stays as it stands, and a damaged file is refused with its row."""

import csv
import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from intertask.errors import refusal
from intertask.hub import POINTER
from intertask.tasks.conllu import parse_conllu

DAMAGED = "Repair the file or fetch it again; is it cut off?"


def read_files(paths: list[Path], columns: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of all files, in order, under the index of `with_rows`; `columns`: of files without a header."""
    return with_rows([read_file(path, columns) for path in paths], [str(path) for path in paths])


def with_rows(frames: list[pd.DataFrame], files: list[str]) -> pd.DataFrame:
    """The frames under one another with the index (file, row); rows count from 1, without the header."""
    numbered = [frame.set_axis(range(1, len(frame) + 1)) for frame in frames]
    return pd.concat(numbered, keys=files, names=["file", "row"])


def read_file(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of one CSV, TSV (.tsv, .txt), JSONL, JSON or Parquet file, text as it stands ('NA', '007').

    CSV has quotes, as in RFC 4180; TSV has none, as in the GLUE files: a quotation mark there is a character.
    Both have a header, or `columns` name theirs. JSON is one object per line, or one array of objects.
    """
    if path.suffix not in _READERS:
        known = ", ".join(_READERS)
        raise refusal(path, f"a file name that ends in {known}", f"'{path.suffix}'", "Convert or rename the file.")
    content = path.read_bytes()  # `sources.hex_digest` has refused one that cannot be read
    if content.startswith(POINTER):
        raise refusal(path, "data", "a Git LFS pointer", "Run `git lfs pull` in the clone.")
    return _READERS[path.suffix](path, content, columns)


def _read_table(path: Path, content: bytes, columns: Sequence[str], **dialect: Any) -> pd.DataFrame:
    lines = csv.reader(io.StringIO(_decode(path, content), newline=""), **dialect)
    # Not pandas' parser: it pads short rows and, where every row is too long, takes the first column for an index.
    csv.field_size_limit(2**31 - 1)  # the default refuses texts above 131,072 characters
    rows: list[list[str]] = []
    try:
        header = list(columns) or next(lines, [])
        for fields in filter(None, lines):  # a blank line is no row
            if len(fields) != len(header):
                raise csv.Error(f"{len(fields)} fields")
            rows.append(fields)
    except csv.Error as error:
        where = f"{path}, row {len(rows) + 1} (line {lines.line_num})"
        expected = f"{len(header)} well-formed fields as in the header or in `columns`"
        raise refusal(where, expected, str(error), DAMAGED) from None
    return pd.DataFrame(rows, columns=header, dtype=object)


def _read_json(path: Path, content: bytes, _: Sequence[str]) -> pd.DataFrame:
    text = _decode(path, content)
    if text.lstrip().startswith("["):
        records = _parse_json(str(path), text)
    else:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = enumerate(lines, start=1)
        records = [_parse_json(f"{path}, row {row} (line {number})", line) for row, (number, line) in rows]
    for row, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            found = type(record).__name__
            raise refusal(f"{path}, row {row}", "a JSON object with the columns as keys", found, "Mend this row.")
    return pd.DataFrame(records, dtype=object)


def _parse_json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise refusal(where, "valid JSON", str(error), DAMAGED) from None


def _read_parquet(path: Path, content: bytes, _: Sequence[str]) -> pd.DataFrame:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(io.BytesIO(content))
        table.validate(full=True)  # invalid UTF-8 would otherwise show only when the text is used
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of these
        raise refusal(path, "a complete Parquet file", str(error).splitlines()[0], DAMAGED) from None
    return table.to_pandas()


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x}"
        raise refusal(f"{path}, line {line}", "text in UTF-8", found, "Convert it: iconv -f LATIN1 -t UTF-8.") from None


_read_tsv = partial(_read_table, delimiter="\t", quoting=csv.QUOTE_NONE)
_READERS = {
    ".csv": partial(_read_table, strict=True),
    ".tsv": _read_tsv,
    ".jsonl": _read_json,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".conllu": lambda path, content, _: parse_conllu(path, _decode(path, content)),
    ".txt": _read_tsv,
}
