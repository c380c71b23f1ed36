"""Swapped words and moved ends, with every answer that a rule may give worked out by hand."""

from collections import Counter

import pandas as pd

from intertask.probes.word_order import bigram_shift, eos, real_fake

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def counted(count, start=0, more=lambda i: ""):
    """Sentences of seven words and two marks, no word twice; no swap makes one from another."""
    for i in range(start, start + count):
        number = " ".join(place + NUMBERS[int(digit)] for place, digit in zip("abc", f"{i:03}", strict=True))
        yield f"Now {number} , then we {'go' if i % 2 else 'stay'}{more(i)} ."


def test_bigram_shift_swaps_two_words_in_the_middle(plain):
    made = bigram_shift(
        {"train": plain("We saw the , old cat .", "You hear an , new dog .", "Yes .", "No no no no no .")}
    )
    answers = {
        "We saw the , old cat .": {"We the saw , old cat .", "We saw the , cat old ."},
        "You hear an , new dog .": {"You an hear , new dog .", "You hear an , dog new ."},
    }
    train = made["train"]
    assert sorted(train["label"]) == ["inverted", "original"] and set(train["source"]) == set(answers)
    for row in train.itertuples():
        assert row.sentence in (answers[row.source] if row.label == "inverted" else {row.source})


def test_bigram_shift_is_balanced_and_repeats_itself(plain):
    splits = {"train": plain(*counted(101)), "validation": plain(*counted(50, 200))}
    made, again = bigram_shift(splits), bigram_shift(splits)
    assert made["train"]["label"].value_counts().to_dict() == {"original": 50, "inverted": 50}
    assert made["validation"]["label"].value_counts().to_dict() == {"original": 25, "inverted": 25}
    for split in splits:
        assert made[split].equals(again[split])
    assert made["train"]["sentence"].str.fullmatch(r"Now \w+ \w+ \w+ , \w+ \w+ \w+ \.").all()
    larger = bigram_shift({**splits, "train": plain(*counted(150))})
    assert larger["validation"].equals(made["validation"])


def test_real_fake_swaps_two_to_four_pairs(plain):
    made = real_fake({"train": plain(*counted(200), "Too few words .")})["train"]
    assert made["label"].value_counts().to_dict() == {"real": 100, "fake": 100}
    moved = []
    for row in made.itertuples():
        words, source = row.sentence.split(), row.source.split()
        assert Counter(words) == Counter(source)
        assert all(words[i] == source[i] for i in (0, 4, 8))  # first word, comma, last mark
        moved.append(sum(word != old for word, old in zip(words, source, strict=True)))
        assert (moved[-1] == 0) == (row.label == "real")
    # Six words can move, so two or three pairs; a pair of equal words moves nothing.
    assert max(moved) == 6 and min(moved[i] for i in range(200) if made["label"].iloc[i] == "fake") >= 2


def test_real_fake_draws_lines_of_a_large_split(plain, monkeypatch):
    monkeypatch.setattr("intertask.probes.word_order.MOST_LINES", 50)
    monkeypatch.setattr("intertask.probes.word_order.REAL", 20)
    made = real_fake({"train": plain(*counted(200))})["train"]
    assert made["label"].value_counts().to_dict() == {"real": 20, "fake": 20}
    assert made.index.get_level_values(1).max() > 100


def test_eos_moves_the_end(plain):
    texts = [f"{' '.join(NUMBERS[: 4 + i % 5])} , {NUMBERS[i % 10]} {NUMBERS[i // 10]} Stop's !" for i in range(80)]
    made = eos({"train": plain(*texts, file="x")})["train"]
    bare = [text.replace(" ,", "").replace("Stop's !", "stops") for text in texts]
    assert set(made["label"].value_counts()) == {len(made) // 2} and len(made) > 20
    for row in made.itertuples():
        first = row.Index[1] - 1
        assert row.source == f"{texts[first]} {texts[first + 1]}"
        assert f"{row.sentence} {row.following}" == f"{bare[first]} {bare[first + 1]}"
        distance = abs(len(row.sentence.split()) - len(bare[first].split()))
        assert (distance == 0) == (row.label == "acceptable") and distance <= 5
        assert min(len(row.sentence.split()), len(row.following.split())) >= 3
    lengths = made["sentence"].str.split().map(len).groupby(made["label"]).agg(sorted)
    assert lengths["acceptable"] == lengths["unacceptable"]


def test_eos_pairs_no_sentences_of_two_files(plain):
    lone = [plain(text, file=f"file {i}") for i, text in enumerate(counted(20))]
    rest = plain(*counted(40, 300, more=lambda i: " x" * (i % 7)), file="z")
    made = eos({"train": pd.concat([*lone, rest])})["train"]
    assert set(made.index.get_level_values(0)) == {"z"}
