"""CoNLL-U as a row per sentence; a broken line or tree is refused with file and line."""

import pytest

from intertask.tasks.data_files import read_file

GOOD = """\
# newdoc id = d
# sent_id = d-1
# text = He can't swim.
1\tHe\the\tPRON\tPRP\tCase=Nom|Number=Sing\t4\tnsubj\t4:nsubj\t_
2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
2\tca\tcan\tAUX\tMD\tVerbForm=Fin\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tswim\tswim\tVERB\tVB\tVerbForm=Inf\t0\troot\t_\tSpaceAfter=No
4.1\tswims\tswim\tVERB\tVBZ\t_\t_\t_\t0:root\t_
5\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t_\t_
"""


def write(folder, text):
    path = folder / "bank.conllu"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("text", [GOOD, GOOD + "\n\n# only a comment\n\n", GOOD.replace("\n", "\r\n"), GOOD.rstrip()])
def test_syntactic_words_are_kept_and_the_rest_left_out(tmp_path, text):
    frame = read_file(write(tmp_path, text))
    assert frame.to_dict("records") == [
        {
            "sent_id": "d-1",
            "text": "He can't swim.",
            "words": ["He", "ca", "n't", "swim", "."],
            "upos": ["PRON", "AUX", "PART", "VERB", "PUNCT"],
            "feats": ["Case=Nom|Number=Sing", "VerbForm=Fin", "_", "VerbForm=Inf", "_"],
            "head": [4, 4, 4, 0, 4],
            "deprel": ["nsubj", "aux", "advmod", "root", "punct"],
            "# newdoc": True,
        },
        {
            "sent_id": "",
            "text": "",
            "words": ["Yes"],
            "upos": ["INTJ"],
            "feats": ["_"],
            "head": [0],
            "deprel": ["root"],
            "# newdoc": False,
        },
    ]


@pytest.mark.parametrize(
    "old, new, parts",
    [
        ("\t4\tpunct\t_\t_", "\t4\tpunct\t_", ["line 10", "10 fields separated by tabs", "found 9"]),
        ("4\tswim", "6\tswim", ["line 8", "the id 4", "'6'"]),
        ("3\tn't", "2\tn't", ["line 7", "the id 3", "'2'"]),
        ("1\tYes", "one\tYes", ["line 12", "the id 1", "'one'"]),
        ("\t4\tpunct", "\t6\tpunct", ["line 10", "a head from 0 to 5", "'6'"]),
        ("\t4\tpunct", "\t-1\tpunct", ["line 10", "a head from 0 to 5", "'-1'"]),
        ("\t4\tpunct", "\t_\tpunct", ["line 10", "a head from 0 to 5", "'_'"]),
        ("\t4\tpunct", "\t0\tpunct", ["line 10", "one root (head 0)", "a second one after line 8"]),
        ("\t0\troot\t_\tSpace", "\t5\troot\t_\tSpace", ["line 4", "one root (head 0)", "none"]),
        ("\t4\taux", "\t2\taux", ["line 6", "a tree", "a cycle"]),
        ("\t4\tadvmod", "\t2\tadvmod", []),
        ("\t_\t4\tadvmod", "\t_\t3\tadvmod", ["line 7", "a tree", "a cycle"]),
    ],
)
def test_broken_line_is_refused(refused, tmp_path, old, new, parts):
    path = write(tmp_path, GOOD.replace(old, new, 1))
    if parts:
        refused(lambda: read_file(path), "bank.conllu", *parts, "cut off?")
    else:
        assert len(read_file(path)) == 2


def test_words_without_a_form_are_refused(refused, tmp_path):
    parts = ["bank.conllu", "a form for each syntactic word", "found _", "withheld"]
    part = GOOD.replace("2\tca\t", "2\t_\t")  # as those of a Kazakh treebank that stand within another word
    refused(lambda: read_file(write(tmp_path, part)), "line 6", *parts)
    lines = [line.split("\t") for line in GOOD.split("\n")]
    bare = "\n".join("\t".join([*line[:1], "_", *line[2:]]) if len(line) == 10 else line[0] for line in lines)
    refused(lambda: read_file(write(tmp_path, bare.replace("He can't swim.", "_ _ _ _"))), "line 4", *parts)
    real = GOOD.replace("He can't swim.", "_ can't swim.").replace("1\tHe", "1\t_")
    assert read_file(write(tmp_path, real))["words"][0][0] == "_"


def test_a_word_may_hold_blanks(tmp_path):
    assert read_file(write(tmp_path, GOOD.replace("1\tHe", "1\tHọc sinh")))["words"][0][0] == "Học sinh"


def test_two_words_that_govern_each_other_are_refused(refused, tmp_path):
    text = GOOD.replace("\t4\taux", "\t3\taux").replace("\t4\tadvmod", "\t2\tadvmod")
    refused(lambda: read_file(write(tmp_path, text)), "line 6", "a cycle of heads")


def test_english_ewt(shared):
    folder = shared / "original" / "ud_ewt"
    dev, test, train = (read_file(path) for path in sorted(folder.glob("*.conllu")))
    assert (len(dev), len(test), len(train)) == (2001, 2077, 2065)
    assert dev["words"][0] == ["From", "the", "AP", "comes", "this", "story", ":"]
    assert dev["head"][0] == [3, 3, 4, 0, 6, 4, 4]
