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
        remedy = "Convert, unpack or rename the file."
        raise refusal(path, f"a file name that ends in {known}", f"'{path.suffix}'", remedy)
    if columns and path.suffix in _NAMING:
        remedy = "Take `columns` out, or name in it the splits whose files have no header."
        raise refusal(path, "columns that the file itself names", f"`columns: {list(columns)}`", remedy)
    content = path.read_bytes()  # `sources.hex_digest` has refused one that cannot be read
    start = content[:100].lstrip().lower()
    if other := next((other for begin, other in _OTHERS.items() if start.startswith(begin.lower())), None):
        found, remedy = other
        if found != "Parquet" or path.suffix != ".parquet":
            raise refusal(path, f"what a {path.suffix} file holds", found, remedy)
    return _READERS[path.suffix](path, content, columns)


def _read_table(path: Path, content: bytes, columns: Sequence[str], **dialect: Any) -> pd.DataFrame:
    text = _decode(path, content)
    lines = csv.reader(io.StringIO(text, newline=""), **dialect)
    # Not pandas' parser: it pads short rows and, where every row is too long, takes the first column for an index.
    csv.field_size_limit(2**31 - 1)  # the default refuses texts above 131,072 characters
    blanks = dialect.get("quoting") != csv.QUOTE_NONE and _BLANKS_BEFORE_QUOTES.search(text)
    rows: list[list[str]] = []
    blank, header = 0, list(columns)
    try:
        header = header or next(lines, [])
        first = _plain("".join(header[:1]))
        for fields in lines:
            if not fields:  # at the end of a file they mean nothing
                blank = blank or lines.line_num
                continue
            if blank:
                raise _blank_line(path, blank)
            if len(fields) != len(header):
                raise csv.Error(f"{len(fields)} fields")
            if _plain(fields[0]) == first and _repeats(header, fields):
                raise _second_header(f"{path}, row {len(rows) + 1} (line {lines.line_num})")
            odd = next(filter(_QUOTED_BEHIND_BLANKS.fullmatch, fields), "") if blanks else ""
            if odd and _with_quotes(odd) not in text:
                raise csv.Error(f"blanks before a quotation mark, {odd!r:.80}")
            rows.append(fields)
    except csv.Error as error:
        where = f"{path}, row {len(rows) + 1} (line {lines.line_num})"
        expected = f"{len(header)} well-formed fields as in the header or in `columns`"
        signs = f"with other signs than {dialect.get('delimiter', ',')!r} between fields and doubled quotes in them"
        other = " Sentences of a word in each line, parted by blank lines, are those of a .conll." if columns else ""
        raise refusal(where, expected, str(error), f"{DAMAGED[:-1]}, or written {signs}?{other}") from None
    return pd.DataFrame(rows, columns=header, dtype=object)


def _repeats(header: Sequence[str], fields: list[str]) -> bool:
    """Whether fields are the columns' names once more; a text may read as the name of an only column."""
    return len(fields) > 1 and [*map(_plain, fields)] == [*map(_plain, header)]


def _plain(name: str) -> str:
    return name.strip("\ufeff \t").casefold()  # files that are put together keep the mark at the start of each


def _second_header(where: str) -> IntertaskError:
    remedy = "Take the line out; `columns` are for files without a header."
    return refusal(where, "a row", "the names of the columns, which are known", remedy)


def _with_quotes(field: str) -> str:
    """The field as RFC 4180 writes one that holds quotation marks."""
    return '"' + field.replace('"', '""') + '"'


def _blank_line(path: Path, line: int) -> IntertaskError:
    found = "a blank line among them"
    remedy = "Take it out or, where blank lines part sentences, name the file .conll and its columns under `columns`."
    return refusal(f"{path}, line {line}", "rows of a table", found, remedy)


def _read_tsv(path: Path, content: bytes, columns: Sequence[str]) -> pd.DataFrame:
    quoting = csv.QUOTE_MINIMAL if _is_quoted(_decode(path, content), header=not columns) else csv.QUOTE_NONE
    return _read_table(path, content, columns, delimiter="\t", quoting=quoting, strict=True)


def _is_quoted(text: str, header: bool) -> bool:
    """Whether a table was written with quotes: all are around whole fields, and one would be odd as a character.

    Odd is a doubled one within a field, one around a name in the header, and several of which each row has one or each
    has the comma for which a spreadsheet sets it. Others prove nothing: a quotation may be a whole text, or begin in
    one and end in another.
    """
    if '"' not in text:
        return False
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # for $
    fields, bare = _QUOTED.findall(text), _QUOTED.sub("", text)
    rows = len(text.strip("\n").split("\n")) - header
    all_alike = len(fields) > 1 and (len(fields) >= rows or all("," in field for field in fields) and "," not in bare)
    odd = all_alike or any('""' in field[1:-1] for field in fields) or (header and text.startswith('"'))
    return odd and '"' not in bare


def _read_conll(path: Path, content: bytes, columns: Sequence[str]) -> pd.DataFrame:
    if not columns:
        raise refusal(path, "names for the columns of a CoNLL file", "none", "Give `columns: [words, tags]`.")
    lines = _lines(_decode(path, content))
    parted = "\t" if any("\t" in line.strip() for line in lines) else " +"
    rows, sentence = [], []
    for number, line in enumerate([*lines, ""], start=1):
        if line.startswith("-DOCSTART-"):  # CoNLL 2003's mark of a document, and no word
            continue
        if line.strip():
            fields = re.split(parted, line.strip(" "))
            if _repeats(columns, fields):
                raise _second_header(f"{path}, line {number}")
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
        raise refusal(path, _JSON, found, remedy)
    else:
        lines = [(number, line) for number, line in enumerate(_lines(text), start=1) if line.strip()]
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
    """The file's only JSON value, where that is no row: an object over several lines or, in a .json, holding others
    or columns.

    In a .jsonl a row that holds others may stand alone.
    """
    several = "\n" in text.strip()
    if not several and path.suffix == ".jsonl":
        return None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    held = list(whole.values()) if isinstance(whole, dict) else []
    inner = any(isinstance(item, dict) for items in held if isinstance(items, list) for item in items)
    columns = len(held) > 1 and all(isinstance(value, list | dict) for value in held)
    return whole if held and (several or inner or columns) else None


def _parse_json(where: str, text: str) -> Any:
    try:
        return _decode_json(text)
    except (ValueError, RecursionError) as error:
        raise refusal(where, f"valid JSON, {_JSON}", str(error), DAMAGED) from None


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r:.80} twice")
    return found


_decode_json = json.JSONDecoder(object_pairs_hook=_keys_once).decode


def _read_parquet(path: Path, content: bytes, _: Sequence[str]) -> pd.DataFrame:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(io.BytesIO(content)).read()  # also columns of one name, refused elsewhere
        table.validate(full=True)  # invalid UTF-8 would otherwise show only when the text is used
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of these
        raise refusal(path, "a complete Parquet file", str(error).splitlines()[0], DAMAGED) from None
    return table.to_pandas(integer_object_nulls=True)  # beside a null a float would round beyond 2 ** 53


def _decode(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
        place = content.find(b"\0") if _is_wide(content) else -1
    except UnicodeDecodeError as error:
        place = error.start
    if place < 0:
        return text
    number = content.count(b"\n", 0, place)
    encoding = _encoding(content)
    first = 0 if encoding.startswith("UTF") else content.rfind(b"\n", 0, place) + 1
    shown = content[first : first + 80].decode(encoding, "replace").strip().partition("\n")[0]
    remedy = f"Convert it, if this reads as it should, {shown!r}, by: iconv -f {encoding} -t UTF-8."
    raise refusal(f"{path}, line {number + 1}", "text in UTF-8", f"byte 0x{content[place]:02x}", remedy)


def _encoding(content: bytes) -> str:
    """The likeliest encoding of bytes that are no UTF-8, or wide, as iconv calls it."""
    marks = {b"\xff\xfe\0\0": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
    if marked := next((name for mark, name in marks.items() if content.startswith(mark)), ""):
        return marked
    if _is_wide(content):
        return "UTF-16BE" if content.startswith(b"\0") else "UTF-16LE"
    return "WINDOWS-1252" if any(0x80 <= byte < 0xA0 for byte in content) else "LATIN1"


def _is_wide(content: bytes) -> bool:
    """Whether the letters that ASCII has stand each beside a NUL, as in UTF-16."""
    return content.count(b"\0") > len(content) / 4


def _lines(text: str) -> list[str]:
    """The lines, however they end; other signs that Unicode calls ends of lines stay within."""
    return re.split("\r\n|\n|\r", text)


_JSON = "one JSON object per line, or one array of objects"
_OTHERS = {
    POINTER: ("a Git LFS pointer", "Run `git lfs pull` in the clone."),
    b"\x1f\x8b": ("a gzip archive", "Unpack it."),
    b"PK\x03\x04": ("a zip archive or a spreadsheet", "Unpack it, or save it as CSV."),
    b"PAR1": ("Parquet", "Name the file .parquet."),
    b"<!doctype html": ("a web page", "Fetch the file itself."),
    b"<html": ("a web page", "Fetch the file itself."),
}
_BLANKS_BEFORE_QUOTES = re.compile(r'[,\n]\s+"')
_QUOTED_BEHIND_BLANKS = re.compile(r'\s+".*"\s*', re.DOTALL)
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
_NAMING = {".jsonl", ".json", ".parquet", ".conllu"}
