"""Files are read by their own marks: quotes, blank lines, encodings, one object in all; or refused in words."""

import pandas as pd
import pytest

from intertask.tasks.data_files import _Lines, read_file, read_parts
from intertask.tasks.load import load_task

TAGGED = "her\tO\nbrother\tB-PER\n\t\nsings\tO\n \nno\tO\none\tO\n\n"


@pytest.fixture
def written(tmp_path):
    """A file of that name and content."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content, texts",
    [
        ('text\tn\n"he said ""yes"" twice"\t1\nplain\t2\n', ['he said "yes" twice', "plain"]),  # a writer's quotes
        ('"text"\tn\n"a\tb"\t1\n"c\nd"\t2\n', ["a\tb", "c\nd"]),
        ('"text"\t"n"\n"wrapped"\t1\n"alike"\t2\n', ["wrapped", "alike"]),
        ('text\tn\r\n"x ""y"""\t1\r\n', ['x "y"']),
        ('text\tn\n"Stop."\t1\nplain\t2\n', ['"Stop."', "plain"]),  # GLUE's: a sentence that is a quotation
        ('text\tn\nhe said "yes" twice\t1\n""\t2\n', ['he said "yes" twice', '""']),
        ('text\tn\n"he said ""yes"" twice"\t1\nand "no\t2\n', ['"he said ""yes"" twice"', 'and "no']),  # both: none
    ],
)
def test_quotes_of_a_tsv_are_a_writers_only_where_all_of_them_are(written, content, texts):
    assert read_file(written("t.tsv", content))["text"].tolist() == texts


PARTS = {
    "t.csv": 'a,b\r\n"x, ""y""\nz",1\r\n2, 3\n"",\n4,5\n"\n\n\n\n\n\n ""x""",6\n\n\n',
    "bom.tsv": '\ufeff"a"\t"b"\n"x\ty"\t"1"\n"c\nd"\t"2"\n"e"\t"3"\n',
    "plain.txt": 'a\tb\n"quoted" in part\t1\n"\t2\n\u2028\t3\n',
    "t.jsonl": '\n{"a": "x", "b": [1]}\r\n\n{"b": 2}\r{"a": "\\u00e9", "b": null}\n',
    "t.json": '[{"a": 1},\n {"a": 2}, {"b": 3}]',
    "none.csv": "a,b\n",
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_what_the_whole_file_is(written, monkeypatch, name):
    monkeypatch.setattr(_Lines, "BLOCK", 8)  # shorter than a line
    path = written(name, PARTS[name])
    whole, parts = read_file(path), list(read_parts(path, 2))
    assert [len(part) for part in parts] == ([2] * (len(whole) // 2) + [1] * (len(whole) % 2) or [0])
    assert [where for part in parts for where in part.index] == [(str(path), row + 1) for row in range(len(whole))]
    together = pd.concat([part.reset_index(drop=True) for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(together.reindex(columns=whole.columns), whole)


def test_parts_of_parquet_have_its_rows(tmp_path):
    whole = pd.DataFrame({"a": ["x", None, "z"], "b": [[1], [], [2**60]]})
    whole.to_parquet(tmp_path / "t.parquet", row_group_size=2)
    parts = list(read_parts(tmp_path / "t.parquet", 1))
    assert [part["a"].fillna("null").tolist() for part in parts] == [["x"], ["null"], ["z"]]
    assert [part.index.tolist() for part in parts] == [[(str(tmp_path / "t.parquet"), row)] for row in (1, 2, 3)]
    assert parts[2]["b"].iloc[0].tolist() == [2**60]
    whole[:0].to_parquet(tmp_path / "none.parquet")
    assert [part.shape for part in read_parts(tmp_path / "none.parquet", 1)] == [(0, 2)]


def test_damage_in_a_later_part_has_its_row_in_the_file(refused, written):
    table = written("t.csv", "a,b\n" + "x,y\n" * 5 + "z\n")
    refused(lambda: list(read_parts(table, 2)), "t.csv, row 6 (line 7)", "2 well-formed fields", "found 1 field.")
    lines = written("t.jsonl", '{"a": 1}\n' * 3 + "{\n")
    refused(lambda: list(read_parts(lines, 2)), "t.jsonl, row 4 (line 4)", "valid JSON")
    latin = written("l.csv", b"a,b\n" + b"x,y\n" * 3000 + b"\xe9,y\n")
    refused(lambda: list(read_parts(latin, 2)), "l.csv, line 3002", "text in UTF-8", "iconv -f LATIN1")


def test_a_csv_of_semicolons_is_not_taken_for_one_column(refused, own_task):
    task_file = own_task({"train.csv": "text;stars\na;1\n"})
    refused(lambda: load_task("reviews", task_file), "one column 'text'", "['text;stars']")


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt"])
def test_a_blank_line_among_rows_is_refused(refused, written, name):
    refused(lambda: read_file(written(name, "her\n\nbrother\n"), ["word"]), f"{name}, line 2", "a blank line", ".conll")
    assert read_file(written(name, "her\nbrother\n\n\n"), ["word"])["word"].tolist() == ["her", "brother"]


def test_a_conll_file_has_a_row_for_each_sentence(written):
    frame = read_file(written("t.conll", TAGGED), ["words", "tags"])
    assert frame["words"].tolist() == [["her", "brother"], ["sings"], ["no", "one"]]
    assert frame["tags"].tolist() == [["O", "B-PER"], ["O"], ["O", "O"]]
    assert read_file(written("b.conll", "a B O\nb I X\n\n"), ["w", "c", "t"])["t"].tolist() == [["O", "X"]]


def test_a_conll_file_that_is_none(refused, written):
    refused(lambda: read_file(written("t.conll", TAGGED)), "names for the columns", "columns: [words, tags]")
    broken = written("t.conll", "her\tO\nbrother\n")
    refused(lambda: read_file(broken, ["words", "tags"]), "t.conll, line 2", "2 fields", "1: 'brother'")


def test_a_conll_file_is_a_task(own_task):
    entry = {"format": "tagging", "inputs": ["words"], "label": "tags", "columns": ["words", "tags"]}
    files = {"train": "t.conll", "validation": "t.conll"}
    task = load_task("reviews", own_task({"t.conll": TAGGED}, files=files, **entry))
    assert task.splits["train"]["words"].tolist() == ["her brother", "sings", "no one"]
    assert task.splits["train"]["label"].tolist() == [[[1], [0]], [[1]], [[1], [1]]]


@pytest.mark.parametrize(
    "content, encoding",
    [
        ("text\ncafé\n".encode("latin-1"), "LATIN1"),
        ("text\n“café”\n".encode("cp1252"), "WINDOWS-1252"),
        ("text\ncafé\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_the_advice_fits_the_encoding(refused, written, content, encoding):
    refused(lambda: read_file(written("t.csv", content)), "text in UTF-8", f"iconv -f {encoding} -t UTF-8")


def test_one_object_over_several_lines_is_not_called_damaged(refused, written):
    nested = '{\n "version": "1.1",\n "data": [\n  {"title": "x"}\n ]\n}\n'
    refused(lambda: read_file(written("t.json", nested)), "one object for the whole file", "version, data", "a row per")
    refused(
        lambda: read_file(written("l.json", '{"data": [{"title": "x"}]}\n')),
        "one object for the whole file",
        "data",
        "a row",
    )
    assert read_file(written("o.json", '{"text": "a"}\n'))["text"].tolist() == ["a"]
    assert read_file(written("o.jsonl", '{"spans": [{"at": 1}]}\n'))["spans"].tolist() == [[{"at": 1}]]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_json_without_an_end_is_refused(refused, written, kind):
    refused(lambda: read_file(written(f"deep.{kind}", "[" * 100_000)), "valid JSON", "recursion", "cut off")


def test_only_a_star_stands_for_others_in_a_path(own_task, tmp_path):
    folder = tmp_path / "exp[1]?"
    folder.mkdir()
    (folder / "train-0.csv").write_text("text,stars\na,1\nb,3\n")
    (folder / "dev.csv").write_text("text,stars\nc,1\n")
    files = {"train": "exp[1]?/train-*.csv", "validation": "exp[1]?/dev.csv"}
    assert load_task("reviews", own_task(files=files)).splits["train"]["text"].tolist() == ["a", "b"]


def test_a_file_that_a_split_names_twice_is_refused(refused, own_task):
    for other in ("t*.csv", "train.csv"):
        task_file = own_task(files={"train": ["train.csv", other], "validation": "dev.csv"})
        refused(
            lambda f=task_file: load_task("reviews", f), "train.csv", "each file of a split once", "it twice", other
        )
