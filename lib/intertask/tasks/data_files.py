"""Data files as raw frames: text stays as it stands, and a damaged file is refused with its row."""

import codecs
import csv
import io
import json
import mmap
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pandas as pd

from intertask.errors import IntertaskError, number_of, refusal, unreadable
from intertask.hub import POINTER
from intertask.tasks.conllu import parse_conllu

DAMAGED = "Repair the file or fetch it again; is it cut off?"


def read_files(paths: list[Path], columns: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of all files, in order, under the index of `with_rows`; `columns`: of files without a header."""
    return with_rows([read_file(path, columns) for path in paths], [str(path) for path in paths])


def with_rows(frames: list[pd.DataFrame], files: list[str], first: int = 1) -> pd.DataFrame:
    """The frames under one another with the index (file, row); rows count from `first`, without the header."""
    numbered = [frame.set_axis(range(first, first + len(frame))) for frame in frames]
    return pd.concat(numbered, keys=files, names=["file", "row"])


def read_file(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of one CSV, TSV (.tsv, .txt), CoNLL, CoNLL-U, JSONL, JSON or Parquet file, text as it stands ('NA').

    CSV has quotes, as in RFC 4180; TSV has none, as in the GLUE files: a quotation mark there is a character, unless
    every one of the file is a writer's (`_is_quoted`). Both have a header, or `columns` name theirs. JSON is one object
    per line, or one array of objects. CoNLL (.conll) has a word in a line and a blank line behind a sentence: a
    sentence is a row, and each of the `columns` a list.
    """
    (frame,) = _frames_of(path, columns, None)
    return frame


def read_parts(path: Path, most: int, columns: Sequence[str] = ()) -> Iterator[pd.DataFrame]:
    """What `read_file` reads, at most so many rows at a time under the index of `with_rows`; one part at least.

    CSV, TSV, JSON lines and Parquet are held in memory part by part, other files and arrays of JSON whole. Damage is
    refused where the parts come to it.
    """
    first = 1
    for frame in _frames_of(path, columns, most):
        yield with_rows([frame], [str(path)], first)
        first += len(frame)


def _frames_of(path: Path, columns: Sequence[str], most: int | None) -> Iterator[pd.DataFrame]:
    """The file as frames of so many rows, the last of fewer; None: as one."""
    if path.suffix not in _READERS:
        known = ", ".join(_READERS)
        remedy = "Convert, unpack or rename the file."
        raise refusal(path, f"a file name that ends in {known}", f"'{path.suffix}'", remedy)
    if columns and path.suffix in _NAMING:
        remedy = "Take `columns` out, or name in it the splits whose files have no header."
        raise refusal(path, "columns that the file itself names", f"`columns: {list(columns)}`", remedy)
    try:
        with open(path, "rb") as stream:
            start = stream.read(100).lstrip().lower()
    except OSError as error:
        raise unreadable(path, error) from None
    if other := next((other for begin, other in _OTHERS.items() if start.startswith(begin.lower())), None):
        found, remedy = other
        if found != "Parquet" or path.suffix != ".parquet":
            raise refusal(path, f"what a {path.suffix} file holds", found, remedy)
    return _READERS[path.suffix](path, columns, most)


def _framed(rows: Iterable, columns: Sequence[str] | None, most: int | None) -> Iterator[pd.DataFrame]:
    """At most so many rows at a time, all of them where that is None; one frame at least."""
    rows = iter(rows)
    yield pd.DataFrame(list(islice(rows, most)), columns=columns, dtype=object)
    while part := list(islice(rows, most)):
        yield pd.DataFrame(part, columns=columns, dtype=object)


class _Lines:
    """The lines of a file, read a block at a time; `text`: the last block and the one before, and whether `blanks` in
    it stand before a quotation mark."""

    BLOCK = 2**18  # characters

    def __init__(self, stream: io.TextIOBase):
        self.stream, self.text, self.blanks = stream, "", None

    def __iter__(self) -> Iterator[str]:
        last = ""
        while block := self.stream.read(self.BLOCK):
            block += self.stream.readline()
            self.text = last + block
            self.blanks = _BLANKS_BEFORE_QUOTES.search(self.text)
            yield from io.StringIO(block, newline="")
            last = block


def _read_table(path: Path, columns: Sequence[str], most: int | None, **dialect: Any) -> Iterator[pd.DataFrame]:
    rows = _table_rows(path, columns, dialect)
    return _framed(rows, next(rows), most)


def _table_rows(path: Path, columns: Sequence[str], dialect: dict[str, Any]) -> Iterator[list[str]]:
    """The names of the columns, then the rows."""
    # Not pandas' parser: it pads short rows and, where every row is too long, takes the first column for an index.
    csv.field_size_limit(2**31 - 1)  # the default refuses texts above 131,072 characters
    quoted = dialect.get("quoting") != csv.QUOTE_NONE
    row, blank, header = 0, 0, list(columns)
    with _opened(path) as stream:
        text = _Lines(stream)
        lines = csv.reader(text, **dialect)
        try:
            header = header or next(lines, [])
            yield header
            first = _plain("".join(header[:1]))
            for fields in lines:
                if not fields:  # at the end of a file they mean nothing
                    blank = blank or lines.line_num
                    continue
                if blank:
                    raise _blank_line(path, blank)
                if len(fields) != len(header):
                    raise csv.Error(number_of(len(fields), "field"))
                if _plain(fields[0]) == first and _repeats(header, fields):
                    raise _second_header(f"{path}, row {row + 1} (line {lines.line_num})")
                odd = next(filter(_QUOTED_BEHIND_BLANKS.fullmatch, fields), "") if quoted and text.blanks else ""
                if odd and _with_quotes(odd) not in text.text:
                    raise csv.Error(f"blanks before a quotation mark, {odd!r:.80}")
                row += 1
                yield fields
        except csv.Error as error:
            where = f"{path}, row {row + 1} (line {lines.line_num})"
            expected = f"{number_of(len(header), 'well-formed field')} as in the header or in `columns`"
            signs = f"with other signs than {dialect.get('delimiter', ',')!r} between fields and doubled quotes in them"
            other = " Sentences of a word in each line, parted by blank lines, are those of a .conll." * bool(columns)
            raise refusal(where, expected, str(error), f"{DAMAGED[:-1]}, or written {signs}?{other}") from None


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


def _read_tsv(path: Path, columns: Sequence[str], most: int | None) -> Iterator[pd.DataFrame]:
    quoting = csv.QUOTE_MINIMAL if _is_quoted(path, header=not columns) else csv.QUOTE_NONE
    return _read_table(path, columns, most, delimiter="\t", quoting=quoting, strict=True)


def _is_quoted(path: Path, header: bool) -> bool:
    """Whether a table was written with quotes: all are around whole fields, and one would be odd as a character.

    Odd is a doubled one within a field, one around a name in the header, and several of which each row has one or each
    has the comma for which a spreadsheet sets it. Others prove nothing: a quotation may be a whole text, or begin in
    one and end in another.
    """
    if not path.stat().st_size:
        return False
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b'"') < 0:
            return False
        fields, within, commas, with_comma, doubled = 0, 0, 0, 0, False
        for match in _QUOTED.finditer(content):
            field = match[0]
            fields, within, commas = fields + 1, within + field.count(b'"'), commas + field.count(b",")
            with_comma += b"," in field
            doubled = doubled or b'""' in field[1:-1]
        if within < _count(content, b'"'):
            return False
        named = header and content[:4].removeprefix(codecs.BOM_UTF8).startswith(b'"')
        if doubled or named or fields < 2:
            return doubled or named
        rows = 1 + sum(1 for _ in _ENDED_LINE.finditer(content)) - header
        return fields >= rows or (with_comma == fields and commas == _count(content, b","))


def _count(content: mmap.mmap, sign: bytes) -> int:
    return sum(content[at : at + 2**20].count(sign) for at in range(0, len(content), 2**20))


def _read_conll(path: Path, columns: Sequence[str], most: int | None) -> Iterator[pd.DataFrame]:
    if not columns:
        raise refusal(path, "names for the columns of a CoNLL file", "none", "Give `columns: [words, tags]`.")
    lines = _lines(_decode(path, path.read_bytes()))
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
                expected = f"{number_of(len(columns), 'field')}, as `columns` says"
                raise refusal(f"{path}, line {number}", expected, f"{len(fields)}: {line!r:.80}", DAMAGED)
            sentence.append(fields)
        elif sentence:
            rows.append([list(column) for column in zip(*sentence, strict=True)])
            sentence = []
    return _framed(rows, list(columns), most)


def _read_conllu(path: Path, columns: Sequence[str], most: int | None) -> Iterator[pd.DataFrame]:
    return iter([parse_conllu(path, _decode(path, path.read_bytes()))])


def _read_json(path: Path, _: Sequence[str], most: int | None) -> Iterator[pd.DataFrame]:
    return _framed(_records(path), None, most)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for row, record in enumerate(_values(path), start=1):
        if not isinstance(record, dict):
            found = type(record).__name__
            raise refusal(f"{path}, row {row}", "a JSON object with the columns as keys", found, "Mend this row.")
        if odd := next((key for key in record if not key.isascii() and _HALF.search(key)), None):
            raise refusal(f"{path}, row {row}", "keys in valid UTF-8", f"{odd!r}", "Mend this row.")
        yield record


def _values(path: Path) -> Iterator[Any]:
    """What stands in the lines, or in the file's one array."""
    with _opened(path) as stream:
        lines = ((number, line) for number, line in enumerate(stream, start=1) if line.strip())
        head = list(islice(lines, 2))
        if head and head[0][1].lstrip().startswith("["):
            stream.seek(0)
            yield from _parse_json(str(path), stream.read())
            return
        if len(head) < 2 or not _is_json(head[0][1]):
            stream.seek(0)
            _refuse_one_object(path, stream.read())
        for row, (number, line) in enumerate(chain(head, lines), start=1):
            yield _parse_json(f"{path}, row {row} (line {number})", line.rstrip("\r\n"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_one_object(path: Path, text: str) -> None:
    """Refuses a file whose only JSON value is no row: an object over several lines or, in a .json, holding others or
    columns.

    In a .jsonl a row that holds others may stand alone.
    """
    several = "\n" in text.strip()
    if not (several or path.suffix == ".json") or not _is_json(text):
        return
    whole = json.loads(text)
    held = list(whole.values()) if isinstance(whole, dict) else []
    inner = any(isinstance(item, dict) for items in held if isinstance(items, list) for item in items)
    columns = len(held) > 1 and all(isinstance(value, list | dict) for value in held)
    if held and (several or inner or columns):
        found = f"one object for the whole file, with the keys {', '.join(whole)[:80]}"
        remedy = "Write a row per example; of SQuAD's own files one per question, with its context beside it."
        raise refusal(path, _JSON, found, remedy)


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


def _read_parquet(path: Path, _: Sequence[str], most: int | None) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=most is None) as file:
            tables = file.iter_batches(most) if most and file.metadata.num_rows else [file.read()]
            for table in tables:  # also with columns of one name, refused elsewhere
                table.validate(full=True)  # invalid UTF-8 would otherwise show only when the text is used
                yield table.to_pandas(integer_object_nulls=True)  # beside a null a float would round beyond 2 ** 53
    except (OSError, ValueError) as error:  # pyarrow's errors are subclasses of these
        raise refusal(path, "a complete Parquet file", str(error).splitlines()[0], DAMAGED) from None


@contextmanager
def _opened(path: Path) -> Iterator[io.TextIOBase]:
    """The file's text with its line ends as they stand; one that is no UTF-8 is refused when that is read."""
    with open(path, "rb") as stream:
        wide = _is_wide(stream.read(2**16))
    try:
        if wide:
            raise UnicodeError
        with open(path, encoding="utf-8-sig", newline="") as stream:
            yield stream
    except UnicodeError:
        _decode(path, path.read_bytes())
        raise


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
_BLANKS_BEFORE_QUOTES = re.compile(r'[,\r\n]\s+"')
_QUOTED_BEHIND_BLANKS = re.compile(r'\s+".*"\s*', re.DOTALL)
_HALF = re.compile("[\ud800-\udfff]")  # of a character, as JSON can write one
_QUOTED = re.compile(rb'(?:\A(?:\xef\xbb\xbf)?|(?<=[\t\r\n]))"(?:[^"]|"")*"(?=[\t\r\n]|\Z)')
_ENDED_LINE = re.compile(rb"[\r\n][^\r\n]")  # another begins behind it
_READERS = {
    ".csv": partial(_read_table, strict=True),
    ".tsv": _read_tsv,
    ".jsonl": _read_json,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".conllu": _read_conllu,
    ".conll": _read_conll,
    ".txt": _read_tsv,
}
_NAMING = {".jsonl", ".json", ".parquet", ".conllu"}
