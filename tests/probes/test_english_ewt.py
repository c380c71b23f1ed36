"""All rules on a real treebank, UD English EWT: usable sizes, equal classes, nothing shared between splits."""

from collections import Counter

import pytest

from intertask.probes import RULES
from intertask.probes.discourse import DISSENT
from intertask.tasks.catalogue import catalogue
from intertask.tasks.data_files import read_files
from intertask.tasks.load import load_task

BINARY = {
    "bigram_shift": 1300,
    "real_fake": 1300,
    "odd_man_out": 1000,
    "past_present": 500,
    "subj_number": 150,
    "obj_number": 140,
    "coordination_inversion": 80,
    "eos": 600,
    "whwords": 150,
    "definiteness": 200,
    "coordination": 70,
}
"""Rule -> rows that every split has at the least."""
SEVERAL = {
    "sentence_length": (6, 1000),
    "word_content": (20, 200),
    "tree_depth": (4, 130),
    "top_constituents": (19, 300),
}
"""Rule -> classes and rows that every split has at the least."""
PROBES = [*BINARY, *SEVERAL, "pos", "dep"]


@pytest.fixture(scope="module")
def ewt(shared):
    names = {"train": "train.subset", "validation": "dev", "test": "test"}
    folder = shared / "original" / "ud_ewt"
    return {split: read_files([folder / f"en_ewt-ud-{name}.conllu"]) for split, name in names.items()}


@pytest.fixture(scope="module")
def made(ewt):
    """Rule -> its rows by split, each made once."""
    rows = {}
    return lambda name: rows[name] if name in rows else rows.setdefault(name, RULES[name](ewt))


def texts(frame):
    columns = [name for name in ("sentence", "text", "following") if name in frame]
    return {" ".join(row).lower() for row in frame[columns].itertuples(index=False)}


@pytest.mark.parametrize("name", BINARY)
def test_two_classes_are_equal(made, name):
    for frame in made(name).values():
        counts = frame["label"].value_counts()
        assert len(counts) == 2 and counts.nunique() == 1 and len(frame) >= BINARY[name]


@pytest.mark.parametrize("name", SEVERAL)
def test_several_classes_are_near_equal(made, name):
    classes, rows = SEVERAL[name]
    known = set(made(name)["train"]["label"])
    for frame in made(name).values():
        counts = frame["label"].value_counts()
        assert len(counts) >= classes and set(counts.index) <= known and len(frame) >= rows
        assert counts.max() == counts.min() or counts.max() <= 30


@pytest.mark.parametrize("name", [*BINARY, *SEVERAL])
def test_splits_share_nothing(made, name):
    frames = list(made(name).values())
    for i, one in enumerate(frames):
        assert len(texts(one)) == len(one)
        for other in frames[:i]:
            mine, theirs = (texts(frame) | set(frame["source"].str.lower()) for frame in (one, other))
            assert not mine & theirs


@pytest.mark.parametrize("name", PROBES)
def test_rows_point_to_their_source(ewt, made, name):
    for split, frame in made(name).items():
        words = ewt[split].loc[frame.index, "words"].map(" ".join)
        assert all(source.startswith(text) for source, text in zip(frame["source"], words, strict=True))


def test_parts_of_speech_and_relations(made):
    counts = {
        name: [Counter(t["label"] for row in f["targets"] for t in row) for f in made(name).values()]
        for name in ("pos", "dep")
    }
    assert len(counts["pos"][0]) == 17 and len(counts["dep"][0]) == 48
    assert all(
        split.total() > 20_000 and split.keys() <= by_split[0].keys()
        for by_split in counts.values()
        for split in by_split
    )
    assert all(max(split.values()) < 0.2 * split.total() for by_split in counts.values() for split in by_split)


def test_skipthought_never_crosses_the_end_of_a_document(ewt, made):
    pairs = 0
    for split, frame in made("skipthought").items():
        document = ewt[split]["sent_id"].str.rpartition("-")[0]
        for (file, row), sentence, following in frame.itertuples(name=None):
            assert document[file, row] == document[file, row + 1]
            assert [" ".join(ewt[split]["words"][file, place]) for place in (row, row + 1)] == [sentence, following]
        pairs += len(frame)
        assert len(frame) >= 0.95 * (len(document) - document.nunique())  # the others occur twice
    assert pairs > 5000


def test_dissent_finds_every_marker(made):
    found = {split: Counter(frame["label"]) for split, frame in made("dissent").items()}
    assert {split: counts.total() for split, counts in found.items()} == {"train": 384, "validation": 274, "test": 253}
    assert all(counts.keys() == {*DISSENT} for counts in found.values())
    assert found["train"] == dict(zip(DISSENT, [171, 76, 8, 73, 25, 8, 2, 21], strict=True))


def test_depth_is_no_matter_of_length(made):
    for frame in made("tree_depth").values():
        lengths = frame["source"].str.split().map(len).groupby(frame["label"]).mean()
        assert lengths.max() - lengths.min() < 1.5


@pytest.mark.parametrize("name", ["whwords", "definiteness", "coordination", "odd_man_out"])
def test_both_classes_show_the_words_of_their_sources(made, name):
    """What is exchanged stays as frequent: only `a` and `an` may trade places."""
    for frame in made(name).values():
        shown, sources = (Counter(" ".join(frame[column]).lower().split()) for column in ("sentence", "source"))
        for counts in (shown, sources):
            counts["a"] += counts.pop("an", 0)
        assert (shown - sources).total() <= (0.01 * len(frame))


def test_catalogue_has_every_probe_and_names_its_labels(made):
    entries = {name: entry for name, entry in catalogue().items() if entry.derive in PROBES and not entry.mini}
    assert sorted(name.removeprefix("ud/") for name in entries) == sorted(PROBES)
    for entry in entries.values():
        assert entry.counterpart == f"mini/{entry.derive}" and entry.tags == ["source"]
        if entry.labels:
            assert set(entry.labels) == set(made(entry.derive)["train"]["label"])


@pytest.mark.parametrize("name", [name for name in catalogue() if name.startswith("ud/")])
def test_entries_load_and_are_made_the_same_again(shared, monkeypatch, tmp_path, made, name):
    (tmp_path / "ud_ewt").symlink_to(shared / "original" / "ud_ewt")
    monkeypatch.setenv("INTERTASK_CORPORA", str(tmp_path))
    task = load_task(name)
    for split, rows in made(name.removeprefix("ud/")).items():
        frame = task.splits[split]
        for column in (*task.entry.inputs, "source"):
            assert frame[column].to_list() == rows[column].to_list()
        if task.entry.format == "classification":
            assert [task.entry.labels[label] for label in frame["label"]] == rows["label"].to_list()
