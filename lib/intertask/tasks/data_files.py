"""Data files as raw frames: text stays as it stands, and a damaged file is refused with its row."""

import csv
import io
import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from intertask.errors import IntertaskError, refusal
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
    """The rows of one CSV, TSV (.tsv, .txt), CoNLL, CoNLL-U, JSONL, JSON or Parquet file, text as it stands ('NA').

    CSV has quotes, as in RFC 4180; TSV has none, as in the GLUE files: a quotation mark there is a character, unless
    every one of the file is a writer's (`_is_quoted`). Both have a header, or `columns` name theirs. JSON is one object
    per line, or one array of objects. CoNLL (.conll) has a word in a line and a blank line behind a sentence: a
    sentence is a row, and each of the `columns` a list.
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
    blank, header = 0, list(columns)
    try:
        header = header or next(lines, [])
        for fields in lines:
            if not fields:  # at the end of a file they mean nothing
                blank = blank or lines.line_num
                continue
            if blank:
                raise _blank_line(path, blank)
            if len(fields) != len(header):
                raise csv.Error(f"{len(fields)} fields")
            rows.append(fields)
    except csv.Error as error:
        where = f"{path}, row {len(rows) + 1} (line {lines.line_num})"
        expected = f"{len(header)} well-formed fields as in the header or in `columns`"
        raise refusal(where, expected, str(error), DAMAGED) from None
    return pd.DataFrame(rows, columns=header, dtype=object)


def _blank_line(path: Path, line: int) -> IntertaskError:
    found = "a blank line among them"
    remedy = "Take it out or, where blank lines part sentences, name the file .conll and its columns under `columns`."
    return refusal(f"{path}, line {line}", "rows of a table", found, remedy)


def _read_tsv(path: Path, content: bytes, columns: Sequence[str]) -> pd.DataFrame:
    quoting = csv.QUOTE_MINIMAL if _is_quoted(_decode(path, content), header=not columns) else csv.QUOTE_NONE
    return _read_table(path, content, columns, delimiter="\t", quoting=quoting, strict=True)


def _is_quoted(text: str, header: bool) -> bool:
    """Whether a table was written with quotes: all are around whole fields, and one would be odd as a character.

    Odd is a doubled one within a field, or one around a name in the header. Others prove nothing: a quotation may be a
    whole text, or begin in one and end in another.
    """
    odd = any('""' in field[1:-1] for field in _QUOTED.findall(text)) or (header and text.startswith('"'))
    return odd and '"' not in _QUOTED.sub("", text)


def _read_conll(path: Path, content: bytes, columns: Sequence[str]) -> pd.DataFrame:
    if not columns:
        raise refusal(path, "names for the columns of a CoNLL file", "none", "Give `columns: [words, tags]`.")
    text = _decode(path, content)
    parted = "\t" if "\t" in text else " +"
    rows, sentence = [], []
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.strip():
            fields = re.split(parted, line.strip(" \r"))
            if len(fields) != len(columns):
                expected = f"{len(columns)} fields, as `columns` says"
                raise refusal(f"{path}, line {number}", expected, f"{len(fields)}: {line!r:.80}", DAMAGED)
            sentence.append(fields)
        elif sentence:
            rows.append([list(column) for column in zip(*sentence, strict=True)])
            sentence = []
    return pd.DataFrame(rows, columns=list(columns), dtype=object)


def _read_json(path: Path, content: bytes, _: Sequence[str]) -> pd.DataFrame:
    text = _decode(path, content)
    if text.lstrip().startswith("["):
        records = _parse_json(str(path), text)
    elif (whole := _one_object(path, text)) is not None:
        found = f"one object for the whole file, with the keys {', '.join(whole)[:80]}"
        remedy = "Write a row per example; of SQuAD's own files one per question, with its context beside it."
        raise refusal(path, "one JSON object per line, or one array of objects", found, remedy)
    else:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = enumerate(lines, start=1)
        records = [_parse_json(f"{path}, row {row} (line {number})", line) for row, (number, line) in rows]
    for row, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            found = type(record).__name__
            raise refusal(f"{path}, row {row}", "a JSON object with the columns as keys", found, "Mend this row.")
        if odd := next((key for key in record if not key.isascii() and _HALF.search(key)), None):
            raise refusal(f"{path}, row {row}", "keys in valid UTF-8", f"{odd!r}", "Mend this row.")
    return pd.DataFrame(records, dtype=object)


def _one_object(path: Path, text: str) -> dict[str, Any] | None:
    """The file's only JSON value, where that is no row: an object over several lines or, in a .json, holding others.

    In a .jsonl a row that holds others may stand alone.
    """
    several = "\n" in text.strip()
    if not several and path.suffix == ".jsonl":
        return None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    lists = [value for value in whole.values() if isinstance(value, list)] if isinstance(whole, dict) else []
    inner = any(isinstance(item, dict) for items in lists for item in items)
    return whole if isinstance(whole, dict) and (several or inner) else None


def _parse_json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
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
        remedy = f"Convert it, here perhaps by: iconv -f {_encoding(content)} -t UTF-8."
        raise refusal(f"{path}, line {line}", "text in UTF-8", found, remedy) from None


def _encoding(content: bytes) -> str:
    """The likeliest encoding of bytes that are no UTF-8, as iconv calls it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    return "WINDOWS-1252" if any(0x80 <= byte < 0xA0 for byte in content) else "LATIN1"


_HALF = re.compile("[\ud800-\udfff]")  # of a character, as JSON can write one
_QUOTED = re.compile(r'^"(?:[^"]|"")*"(?=\t|\r?$)|(?<=\t)"(?:[^"]|"")*"(?=\t|\r?$)', re.MULTILINE)
_READERS = {
    ".csv": partial(_read_table, strict=True),
    ".tsv": _read_tsv,
    ".jsonl": _read_json,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".conllu": lambda path, content, _: parse_conllu(path, _decode(path, content)),
    ".conll": _read_conll,
    ".txt": _read_tsv,
}
