"""Files are read by their own marks: quotes, blank lines, encodings, one object in all; or refused in words."""

import pytest

from intertask.tasks.data_files import read_file
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
