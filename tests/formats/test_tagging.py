"""F1 over spans of tagged words: cases worked out by hand, figures of seqeval, and tags that say nothing of spans."""

import numpy as np
import pandas as pd
import pytest

from intertask.errors import IntertaskError
from intertask.formats import FORMATS
from intertask.metrics import begun_spans, span_counts, span_f1
from intertask.tasks.schema import TaskEntry
from intertask.views.run_view import f1_by_label

NAMES = ["O", "B-a", "I-a", "E-a", "S-a", "B-b", "I-b", "E-b", "S-b", "B", "I"]


def ids(tags: str) -> tuple[np.ndarray, np.ndarray]:
    """The tags of sentences parted by |, and of each the number of its sentence."""
    rows = [part.split() for part in tags.split("|")]
    return np.array([NAMES.index(tag) for row in rows for tag in row]), np.repeat(range(len(rows)), [*map(len, rows)])


def f1(gold: str, given: str) -> float:
    return span_f1(ids(gold)[0], *ids(given), NAMES)


def spans(tags: str) -> list[tuple[int, int, str]]:
    found = begun_spans(*ids(tags), NAMES)
    return [(start, end, NAMES[kind][2:]) for start, (end, kind) in enumerate(found.tolist()) if end >= 0]


@pytest.mark.parametrize(
    "tags, found",
    [
        ("B-a I-a O B-b", [(0, 2, "a"), (3, 4, "b")]),
        ("B-a B-a I-a", [(0, 1, "a"), (1, 3, "a")]),
        ("B-a I-b", [(0, 1, "a"), (1, 2, "b")]),  # another type begins another span
        ("O I-a I-a", [(1, 3, "a")]),  # as in IOB1
        ("B-a E-a S-a B-a I-a E-a", [(0, 2, "a"), (2, 3, "a"), (3, 6, "a")]),
        ("S-a I-a E-a I-a", [(0, 1, "a"), (1, 3, "a"), (3, 4, "a")]),  # nothing goes on behind S and E
        ("B-a | I-a", [(0, 1, "a"), (1, 2, "a")]),  # a sentence ends every span
        ("B I O B", [(0, 2, ""), (3, 4, "")]),  # spans of one kind need no type
        ("O O", []),
    ],
)
def test_tags_make_spans(tags, found):
    assert spans(tags) == found


SEQEVAL = [
    ("O B-a I-a O B-b", "O B-a I-a O B-b", 1.0),
    ("O B-a I-a O B-b", "O B-a O O B-b", 0.5),
    ("B-a I-a | B-b I-b I-b", "B-a I-a | B-b I-b O", 0.5),
    ("B-a I-a B-a", "B-a I-a I-a", 0.0),
    ("O B-a I-a", "O I-a I-a", 1.0),
    ("B-a I-a O", "B-a I-b O", 0.0),
    ("B-a E-a S-b", "B-a I-a S-b", 1.0),
    ("S-a S-a O B-b I-b E-b", "S-a B-a O B-b I-b E-b", 1.0),
    ("B-a I-a E-a O", "B-a E-a E-a O", 0.0),
    ("B-a I-a | I-a O", "B-a I-a | O I-a", 0.5),
    ("B I O B", "B O O B", 0.5),
    ("O O | O", "O B-a | O", 0.0),
    ("O O", "O O", 0.0),
    ("B-a O B-b | B-a I-a B-b", "B-a B-b O | B-a I-a O", 4 / 7),
]
"""Tags, predictions, and what `seqeval.metrics.f1_score` of seqeval 1.2.2 says of them."""


@pytest.mark.parametrize("gold, given, said", SEQEVAL)
def test_f1_is_that_of_seqeval(gold, given, said):
    assert f1(gold, given) == pytest.approx(said)


@pytest.mark.filterwarnings("ignore")  # seqeval's, of what is never predicted
def test_f1_is_that_of_seqeval_where_it_is_installed():
    """900 draws. It is no dependency: its last release is of 2020, and comes as source alone."""
    seqeval = pytest.importorskip("seqeval.metrics")
    rng = np.random.default_rng(0)
    for names in (NAMES[:3] + NAMES[5:7], NAMES[:9], ["O", *NAMES[9:], "B-x-y", "I-x-y"]) * 300:
        groups = np.repeat(range(4), rng.integers(1, 9, 4))
        gold, other = rng.integers(0, len(names), (2, len(groups)))
        given = np.where(rng.random(len(groups)) < 0.6, gold, other)
        both = [[[names[i] for i in tags[groups == group]] for group in range(4)] for tags in (gold, given)]
        assert span_f1(gold, given, groups, names) == pytest.approx(seqeval.f1_score(*both), abs=1e-12)


def tagging(*labels, metrics=("span_f1",)):
    fields = {"format": "tagging", "inputs": ["words"], "label": "tags", "labels": [*labels], "metrics": [*metrics]}
    return FORMATS["tagging"](TaskEntry(name="t", mini="ccg", **fields))


def predicted(gold: str, given: str) -> pd.DataFrame:
    tags, groups = ids(gold)
    return pd.DataFrame({"row": groups + 5, "label": tags, "prediction": ids(given)[0]})


def test_spans_and_words_are_scored_beside_each_other():
    """Of two spans each one is right; of four words three."""
    form = tagging(*NAMES, metrics=["span_f1", "accuracy"])
    rows = predicted("B-a I-a O B-b", "B-a I-a O O")
    assert form.score(rows) == pytest.approx({"span_f1": 200 / 3, "accuracy": 75.0, "main": 850 / 12})
    assert form.floor(predicted("O O O B-b", "O O O B-b")) == {"span_f1": 0.0, "accuracy": 75.0, "main": 37.5}


def test_each_word_says_what_begins_there():
    """A draw of examples sums these: a sentence may be drawn alone."""
    tags, groups = ids("B-a I-a O B-b | O B-a")
    found = span_counts(tags, ids("B-a I-a O O | B-b B-a")[0], groups, NAMES)
    assert found["right"].tolist() == [1, 0, 0, 0, 0, 1] and found["spans"].tolist() == [2, 0, 0, 1, 1, 2]


def test_spans_are_shown_by_type():
    """Of type a one of two is found, and one that is none; b is found."""
    form = tagging(*NAMES)
    rows = predicted("B-a I-a O B-a | B-b O", "B-a I-a O O | B-b B-a")
    rows, names = form.decisions(rows.assign(label=rows["label"].astype(float)))  # as beside an unlabelled split
    table = f1_by_label(rows, names).set_index("label")
    assert table["n"].to_dict() == {"a": 2, "b": 1} and table["f1"].to_dict() == {"a": 50.0, "b": 100.0}
    assert form.figure == "label_f1" and tagging("O", "X", metrics=["accuracy"]).figure == "confusion"


@pytest.mark.parametrize(
    "tags, said",
    [
        (["O", "PER"], "'PER': it does not say where a span begins"),
        (["O", "B-x", "L-x", "U-x"], "'L-x': BILOU's. Write E- for L-"),
        (["O", "PER-B", "PER-I"], "'PER-B': the place stands behind the type. Write it before"),
        (["O", "B_PER", "I_PER"], "'B_PER': no - behind the first letter"),
        (["o", "b-x", "i-x"], "'o': a small letter"),
        (["NOUN", "VERB", "PUNCT"], "'NOUN': it does not say where a span begins"),
    ],
)
def test_tags_that_say_nothing_of_spans_are_refused_with_their_row(tags, said):
    index = pd.MultiIndex.from_tuples([("t.csv", 1), ("t.csv", 2)], names=["file", "row"])
    form = tagging("O", "B-x", *(tag for tag in tags if tag not in ("O", "B-x")))
    labels = {name: i for i, name in enumerate(form.entry.labels)}
    frame = pd.DataFrame({"label": [[["B-x"]], [[tag] for tag in tags]]}, index=index)
    with pytest.raises(IntertaskError) as refusal:
        form.numbered(frame, labels)
    assert "t.csv, row 2, label column 'tags': expected tags of spans for span_f1" in str(refusal.value)
    assert said in str(refusal.value)
