"""Wrong data of every format and kind of file: an entry's keys, what train and dev hold, and what the refusal says."""

import gzip

CLASSES = {"format": "classification", "inputs": ["text"], "label": "label"}
NUMBERS = {**CLASSES, "format": "regression"}
TAGS = {"format": "tagging", "inputs": ["words"], "label": "tags"}
NAMED = {**TAGS, "metrics": ["span_f1"]}
CONLL = {**TAGS, "columns": ["words", "tags"]}
TREEBANK = {**TAGS, "label": "upos", "unused": ["sent_id", "text", "feats", "head", "deprel"]}
SPANS = {"format": "span_classification", "inputs": ["text"], "spans": ["s.span"], "label": "s.label"}
CHOICES = {"format": "multiple_choice", "inputs": ["text"], "choices": ["c.text"], "label": "label"}
ANSWERS = {"format": "extractive_qa", "inputs": ["question", "text"], "label": "answers"}
WRITTEN = {**CLASSES, "format": "sequence_to_sequence"}
GROUPS = {**CLASSES, "group": ["of"], "metrics": ["question_exact_match"]}
SHIFTED = {"format": "classification", "inputs": ["sentence"], "label": "label", "derive": "bigram_shift"}


def labelled(*labels, **more):
    return [{"text": f"t{i}", "label": label, **more} for i, label in enumerate(labels)]


def table(*labels):
    return "text,label\n" + "".join(f'"t{i}","{label}"\n' for i, label in enumerate(labels))


def tagged(*rows):
    return [{"words": ["a", "b"], "tags": tags} for tags in rows]


def spanned(*targets):
    return [{"text": "a \u200b c", "s": target} for target in targets]


def target(span=(0, 1), label="x"):
    return [{"span": list(span), "label": label}]


def asked(answers, text="a cat, a cat"):
    return [{"question": "who?", "text": text, "answers": answers}]


def choosing(*rows):
    return [{"text": f"t{i}", "c": choices, "label": label} for i, (choices, label) in enumerate(rows)]


def treebank(form="a", text="a b", upos="X"):
    return f"# text = {text}\n1\t{form}\t_\t{upos}\t_\t_\t0\troot\t_\t_\n2\tb\t_\tY\t_\t_\t1\tdep\t_\t_\n\n"


TWO = {"text": ["x", "y"], "label": ["A", "B"]}
SWAPPED = {"text": ["y", "x"], "label": ["B", "A"]}

DATA = [
    # a pair of which a side says nothing
    (WRITTEN, "jsonl", labelled("x", ""), labelled("x"), "row 2, column 'label': expected a text with a word or more"),
    (WRITTEN, "jsonl", labelled("x", None), labelled("x"), "row 2, column 'label': expected a text with a word"),
    (WRITTEN, "jsonl", [{"text": " ", "label": "x"}], labelled("x"), "row 1, column 'text': expected a text with a"),
    (
        WRITTEN,
        "jsonl",
        labelled("x", 5),
        labelled("x"),
        "expected text in valid UTF-8, found 5 (int). Write it as text",
    ),
    # a label's position is used although its value has a meaning
    (TAGS, "jsonl", tagged(["O", "X"]), tagged([0, 1]), "the name 'O' here and the number 0 in"),
    (
        CLASSES,
        "jsonl",
        labelled(True, False),
        labelled(1, 0),
        "the name 'true' here and the number 1 in",
    ),
    ({**CLASSES, "labels": ["true", "false"]}, "csv", table(0, 1), None, "each number at its place"),
    ({**CLASSES, "labels": ["L1", "L0"]}, "csv", table(0, 1), None, "for the column has numbers, found ['L1', 'L0']"),
    ({**CLASSES, "labels": ["a", "b", "c"]}, "csv", table(1, 2, 3), None, "numbers that begin at 0, found 1, 2, 3"),
    (CHOICES, "jsonl", choosing((TWO, 1), (TWO, 2)), None, "labels: ['1', '2']"),
    ({**CHOICES, "labels": ["A", "B"]}, "jsonl", choosing((TWO, "A"), (SWAPPED, "B")), None, "row 2, 'c.label'"),
    ({**CHOICES, "labels": ["A", "B"]}, "jsonl", choosing(({"text": ["x", "y", "z"]}, "A")), None, "at most 2 choices"),
    # label cells are not type-checked
    (CLASSES, "csv", table("['x']", "['x', 'y']"), None, "row 1, label column 'label': expected a name or a number"),
    (CLASSES, "csv", table("x", "[1, 0]"), None, "row 2, label column 'label': expected a name or a number"),
    (CLASSES, "csv", table("[1 0]", "[0 1]"), None, "Several labels of one example"),
    (CLASSES, "csv", table("{'a': 1}", "{'a': 2}"), None, "Several labels of one example"),
    (CLASSES, "csv", table("4,5", "3,5"), None, "a name or a whole number, found 4,5"),
    ({**CLASSES, "label": "meta.label"}, "jsonl", labelled(1, 2), None, "the label of classification in a column"),
    (GROUPS, "jsonl", labelled(1, 0, of=[1]), None, "row 1, label column 'of': expected a name or a number"),
    (GROUPS, "jsonl", labelled(1, 0, of=None), None, "row 1, column 'of': expected a name or a number, found null"),
    # a check that holds for one format only
    (TAGS, "jsonl", tagged(["O", "O"]), None, "at least two different labels in train, found only 'O'"),
    (SPANS, "jsonl", spanned(target(), target()), None, "at least two different labels in train, found only 'x'"),
    (
        SPANS,
        "jsonl",
        spanned(target(label=None), target()),
        None,
        "a label in every row of a labelled split, found null",
    ),
    (SPANS, "jsonl", spanned(target(label=-1), target()), None, "found -1, which marks"),
    (SPANS, "jsonl", spanned([{"span": [0, 1]}], target()), None, "a label in every row of a labelled split"),
    (SPANS, "jsonl", spanned(target(), target((1, 2), "y")), None, "row 2: expected a span in which something shows"),
    (SPANS, "jsonl", spanned(target(), "x"), None, "row 2, column 's': expected a list of targets, found 'x'"),
    (SPANS, "jsonl", spanned(target(), None), None, "row 2, column 's': expected a list of targets, found None"),
    (SPANS, "jsonl", spanned({"span": [[0, 1]], "label": ["x"]}), None, "a list of targets"),
    ({**SPANS, "spans": ["s:e:f"]}, "jsonl", [], None, "key 'spans.0'"),
    ({**TAGS, "drop_label": "O"}, "jsonl", tagged(["O", "X"]), None, "drop_label where an example has one label"),
    ({**CLASSES, "drop_label": "c"}, "csv", table("a", "b"), None, "a label that column 'label' has, found 'c'"),
    (NAMED, "jsonl", tagged(["O", "B-x"], ["O", "U-x"]), None, "row 2, label column 'tags': expected tags of spans"),
    (NAMED, "jsonl", tagged(["O", "PER"], ["O", "LOC"]), None, "'PER': it does not say where a span begins"),
    (TREEBANK, "conllu", treebank(upos="_"), None, "label column 'upos': expected a label in every row"),
    # a documented need
    (ANSWERS, "jsonl", asked(None), None, "label column 'answers': expected an answer, found none"),
    (ANSWERS, "jsonl", asked(""), None, "or say in the entry that there are such questions: `unanswerable: true`"),
    (
        {**ANSWERS, "unanswerable": True},
        "jsonl",
        asked("dog"),
        None,
        "an answer that stands in the passage, found 'dog'",
    ),
    ({**CLASSES, "unanswerable": True}, "csv", table("a", "b"), None, "unanswerable for extractive_qa and for nothing"),
    (ANSWERS, "jsonl", asked(" "), None, "an answer that stands in the passage, found ' '"),
    (ANSWERS, "jsonl", asked({"text": "cat", "start": 9}), None, "an answer that stands there once, found several"),
    # a dialect
    (CLASSES, "csv", 'text,label\na, "x"\nb, "y"\n', None, "row 1 (line 2)"),
    (CLASSES, "csv", 'text,label\n"a \\"b\\" c",x\n', None, "doubled quotes"),
    (CLASSES, "csv", "text;label\na, b;x\n", None, "other signs than ',' between fields"),
    (CLASSES, "csv", "text;label\na;x\n", None, "where ';' parts the fields, write commas instead."),
    (CLASSES, "csv", "text\tlabel\na\tx\n", None, "name it .tsv."),
    (CLASSES, "tsv", "text,label\na,x\n", None, "name it .csv."),
    (CLASSES, "csv", "", None, "found an empty file. Write rows into it"),
    (CLASSES, "csv", "text,text,label\na,b,x\n", None, "Rename the others, or take them out of the file."),
    (CLASSES, "csv", table("0.33", "4"), None, "Use `format: regression`, or write all of them"),
    (NUMBERS, "csv", table("good", "bad"), None, "labels that are names want `format: classification`"),
    (NUMBERS, "csv", table("3,5", "4,5"), None, "found '3,5'. Write decimals with a point."),
    (CLASSES, "csv", "a,x\nb,y\n", None, "A file without a header has its names under `columns`"),
    (CLASSES, "csv", table("x", "y") * 2, None, "row 3 (line 4): expected a row, found the names of the columns"),
    (CLASSES, "csv", f"{table(0, 1)}\ufeff{table(1)}", None, "row 3 (line 4): expected a row, found the names"),
    ({**CLASSES, "columns": ["text", "label"]}, "csv", "Text, Label\na,x\n", None, "row 1 (line 1): expected a row"),
    (CONLL, "conll", "words tags\na X\nb Y\n", None, "line 1: expected a row, found the names"),
    ({**CLASSES, "columns": ["text", "label"]}, "jsonl", labelled(1, 2), None, "columns that the file itself names"),
    (TAGS, "csv", "words,tags\n\"['a', 'b']\",\"['X', 'Y']\"\n", None, "a list, or text, found \"['X', 'Y']\""),
    (CLASSES, "csv", gzip.compress(b"text,label\na,x\n", mtime=0), None, "found a gzip archive. Unpack it."),
    (CLASSES, "tsv", b"PK\x03\x04\x14\x00", None, "found a zip archive or a spreadsheet"),
    (CLASSES, "jsonl", "\n<!DOCTYPE html>\n<p>404\n", None, "found a web page"),
    (CLASSES, "json", '{"text": ["a", "b"], "label": ["x", "y"]}', None, "one object for the whole file"),
    (CLASSES, "csv", "text,label\nпривет,x\n".encode("cp1251"), None, "if this reads as it should, 'ïðèâåò,x'"),
    (CLASSES, "csv", "text,label\na,x\n".encode("utf-16-le"), None, "'text,label', by: iconv -f UTF-16LE"),
    (CLASSES, "csv", "text,label\na,x\n".encode("utf-32"), None, "iconv -f UTF-32"),
    # what YAML forgives
    (CLASSES, "jsonl", '{"text": "a", "label": 1, "label": 2}\n', None, "row 1 (line 1)"),
    (CLASSES, "json", '[{"text": "a", "label": 1, "label": 2}]', None, "the key 'label' twice"),
    # a withheld text
    (TREEBANK, "conllu", treebank("_", "x_y b") + treebank("_", "c b"), None, "line 6: expected a form"),
    # rules of other files
    (SHIFTED, "jsonl", [{"text": None}], None, "row 1, column 'text': expected text, found None"),
    (SHIFTED, "jsonl", [{"words": ["a", None]}], None, "row 1, column 'words': expected a list of words"),
    (SHIFTED, "jsonl", [{"words": "a b c"}], None, "row 1, column 'words': expected a list of words, found 'a b c'"),
    ({**SHIFTED, "derive": "glue_diagnostic"}, "jsonl", [{"a b": 1, "A_b": 2}], None, "two columns of one name"),
    ({**SHIFTED, "derive": "semeval"}, "jsonl", [{"sentence": 5, "relation": 0}], None, "which it cannot read"),
    (SHIFTED, "csv", "sentence\na b c d e\n", None, "Split train, "),
]

READ = [
    (CONLL, "conll", "-DOCSTART- O\n\na X\nb Y\n \t\nc X\n", "words", ["a b", "c"]),
    (CONLL, "conll", "a\tX\rb\tY\r\rc\tX\r", "words", ["a b", "c"]),
    (CLASSES, "jsonl", '{"text": "a\u2028b", "label": 1}\r{"text": "c", "label": 2}\r', "text", ["a\u2028b", "c"]),
    (CLASSES, "csv", 'text,label\n" ""a""",1\n5" b,2\n', "text", [' "a"', '5" b']),
    (CLASSES, "tsv", 'text\tlabel\n"a"\t1\n"b"\t2\n', "text", ["a", "b"]),
    (CLASSES, "tsv", 'text\tlabel\n"a, b"\t1\n"c, d"\t2\ne\t2\n', "text", ["a, b", "c, d", "e"]),
    (CLASSES, "tsv", 'text\tlabel\n "a" \t1\nb\t2\n', "text", [' "a" ', "b"]),
    (CLASSES, "tsv", 'text\tlabel\r"a ""b"""\t1\rc\t2\r', "text", ['a "b"', "c"]),
    (CLASSES, "tsv", 'text\tlabel\n"a, b"\t1\nc, d\t2\n', "text", ['"a, b"', "c, d"]),
    (TREEBANK, "conllu", treebank().replace("\n", "\r"), "words", ["a b"]),
    (TREEBANK, "conllu", treebank("_", "x _ b").replace("2\tb", "2\tx"), "words", ["_ x"]),
    (CLASSES, "csv", table("[UNK]", "[...]"), "label", [1, 0]),
    ({**CLASSES, "drop_label": -1}, "csv", table("a", "b"), "label", [0, 1]),
    ({**CLASSES, "labels": ["false", "true"]}, "csv", table(0, 1), "label", [0, 1]),
    ({**CLASSES, "labels": ["1 star", "2 stars"]}, "csv", table(0, 1), "label", [0, 1]),
]
"""What looks like these and is read; of a column of train the values."""
