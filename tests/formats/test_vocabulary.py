"""What is learned of training texts to write with: words and pieces by hand, marks in the texts."""

import pandas as pd
import pytest

from intertask.formats.vocabulary import UNKNOWN, Vocabulary

TEXTS = ["the dog's here, the cat", "a dog [UNK]", "the end"]


def test_words_are_moses_words_the_most_frequent_first():
    """the 3, dog 2; once: ' ' 's , [ ] UNK a cat end here. Of these the first in the alphabet."""
    found = Vocabulary.learned(TEXTS, most=4)
    assert found.types == 4 and len(found) == 6 and found.end == 5
    assert found.ids(["the dog", "the zebra", "", UNKNOWN])[:3] == [[1, 2], [1, 0], []]
    assert found.text([1, 2, found.end, 1]) == "the dog"
    assert set(found.ids(["here"])[0]) == {0}


def test_words_are_put_together_as_they_were():
    found = Vocabulary.learned(TEXTS)
    assert found.text(found.ids(["the dog's here, the cat"])[0]) == "the dog's here, the cat"


def test_pieces_make_any_text_and_no_mark_is_read_out_of_one():
    found = Vocabulary.learned(["ein Hund läuft"] * 3, "bpe", most=300)
    assert found.types == len(found) - 1 and found.types > 256
    for text in ("ein Hund läuft", "Привет,\n [UNK] [END] </s>", ""):
        ids = found.ids([text])[0]
        assert found.text(ids) == text and max(ids, default=0) < found.end
    assert len(found.ids(["ein Hund läuft"])[0]) < 14


@pytest.mark.parametrize("kind", ["words", "bpe"])
def test_what_is_written_is_read_again(kind, empty_cache):
    found = Vocabulary.learned(TEXTS, kind)
    again = Vocabulary.read(found.written())
    assert again.ids(TEXTS) == found.ids(TEXTS) and len(again) == len(found) and again.types == found.types
    many = TEXTS * 2000
    for _ in range(2):
        ids, lengths = found.laid_out(many)
        assert ids.tolist() == [id for ids in found.ids(TEXTS) for id in (*ids, found.end)] * 2000
        assert lengths.tolist() == [1 + len(ids) for ids in found.ids(TEXTS)] * 2000
    assert Vocabulary.learned(pd.Series(TEXTS), kind).written() == found.written(), "kept for other runs"
