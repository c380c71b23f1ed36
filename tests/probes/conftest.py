import pandas as pd
import pytest

from intertask.tasks.data_files import with_rows

FEATS = {"S": "Number=Sing", "P": "Number=Plur", "<": "Tense=Past|VerbForm=Fin", ">": "Tense=Pres|VerbForm=Fin"}


@pytest.fixture
def tree():
    """A row of a treebank from words "form/UPOS/head/relation", features in short after a + (FEATS)."""

    def make(text):
        parts = [word.partition("+") for word in text.split()]
        fields = [word.split("/") for word, _, _ in parts]
        return {
            "words": [field[0] for field in fields],
            "upos": [field[1] for field in fields],
            "feats": [FEATS[short] if short else "_" for _, _, short in parts],
            "head": [int(field[2]) for field in fields],
            "deprel": [field[3] for field in fields],
        }

    return make


@pytest.fixture
def bank(tree):
    """A split of a treebank from the texts of `tree`, with the index (file, row)."""
    return lambda *texts, file="bank.conllu": with_rows([pd.DataFrame(map(tree, texts))], [file])


@pytest.fixture
def plain():
    """A split with one column of texts, by default `sentence`, and the index (file, row)."""
    return lambda *texts, column="sentence", file="plain.txt": with_rows([pd.DataFrame({column: texts})], [file])
