"""What is sound and may surprise all the same."""

import pytest

from intertask.run import Run
from intertask.tasks.load import load_task
from intertask.training import prepare
from intertask.views.findings import findings
from intertask.views.run_view import rare_labels


def csv(rows):
    return "text,stars\n" + "".join(f"{text},{label}\n" for text, label in rows)


@pytest.fixture
def said(own_task):
    def say(train, **changes):
        rows = [(f"t{i}", label) for i, label in enumerate(train)]
        return " ".join(
            findings(load_task("reviews", own_task({"train.csv": csv(rows), "dev.csv": csv(rows)}, **changes)))
        )

    return say


def test_a_column_that_never_varies_and_a_label_that_a_split_lacks(own_task):
    task_file = own_task({"train.csv": csv([("same", 1), ("same", 2)])}, labels=["1", "2", "5"])
    found = findings(load_task("reviews", task_file))
    assert "train: every text is the same, 'same'." in found and not any(
        "validation: every text" in one for one in found
    )
    assert "train lacks 1 of 3 labels: 5." in found


def test_labels_that_differ_in_capitals(said):
    assert "labels that differ in capitals alone: Good, good; are they one?" in said(["Good", "good", "bad"])
    assert "capitals" not in said(["good", "bad"])


@pytest.mark.parametrize(
    "labels, words",
    [
        (["caf\u00e9", "cafe\u0301"], "labels that look or count alike: 'cafe\\u0301', 'caf\\xe9'; are they one?"),
        (["pos\u200b", "pos", "neg"], "labels that look or count alike: 'pos', 'pos\\u200b'"),
        (["+1", "1", "0"], "labels that look or count alike: '+1', '1'"),
        (["yes", "no", "None"], "labels that may stand for none: 'None'."),
        (["yes", "no", "\u200b"], "labels that may stand for none: '\\u200b'."),
        (["'yes'", "no"], "labels with quotation marks around them: 'yes'."),
        (["x|y", "x", "y"], "labels made of others, which are several of one example: x|y."),
    ],
)
def test_odd_names_of_labels(said, labels, words):
    assert words in said(labels)
    assert "labels that" not in said(["x/z", "x", "y", "-1"], drop_label=-1) and "made of" not in said(
        ["x/z", "x", "y"]
    )


def test_a_label_that_is_not_scored_and_not_there(own_task):
    spans = {"format": "span_classification", "inputs": ["text"], "spans": ["s:e"], "label": "y"}
    rows = [{"text": "one two", "s": at, "e": 2, "y": label} for at, label in ((0, "R-X"), (1, "Y"))]
    assert "unscored_labels that fit no label: r-*." in all_said(
        own_task, rows, unscored_labels=["R-*", "r-*"], **spans
    )


def test_labels_far_from_most(said, own_task):
    far = "train: 1 of 9 examples (11.1 %) have a label far from most, of which half are 3 to 7; see `outliers`."
    assert far in said([1, 2, 3, 4, 5, 6, 7, 8, 500], format="regression")
    assert "far from most" not in said([1, 2, 3, 4, 5, 6, 7, 8, 40], format="regression")
    labels = {"format": "regression", "label_range": [0, 9], "outliers": True}
    assert "far from most" not in said([1, 2, 3, 4, 5, 6, 7, 8, 500], **labels)


def test_f1_of_the_label_that_most_have_is_named(said):
    most = ["abusive"] * 2 + ["normal"] * 6
    assert "f1 is that of 'normal', the second of the labels, which 75 % of train have." in said(most, metrics=["f1"])
    assert "f1 is" not in said(most, metrics=["f1"], labels=["normal", "abusive"]) + said(most)


def test_answers_longer_than_any_prediction_are_counted(own_task):
    entry = {"format": "extractive_qa", "inputs": ["question", "passage"], "label": "answer"}
    rows = [{"question": "q", "passage": "w " * 40, "answer": ("w " * count).strip()} for count in (1, 30, 31)]
    words = "train: 1 of 3 examples (33.3 %) have no answer of 30 words or fewer; no prediction has more tokens."
    assert words in all_said(own_task, rows, **entry, metrics=["exact_match"])


def test_labels_of_a_regression_that_are_one_or_perhaps_a_mark(said, own_task):
    assert "train: 1 of 3 examples (33.3 %) have the label -1" in said([1, -1, 0.5], format="regression")
    assert "stand for none" not in said([-1, -0.5], format="regression")
    constant = own_task({"dev.csv": csv([("a", 2), ("b", 2)])}, format="regression")
    assert "validation: every label is 2; no correlation can be told." in findings(load_task("reviews", constant))


def test_a_split_without_labels_is_named(own_task):
    files = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}
    task_file = own_task({"test.csv": csv([("a", "?"), ("b", "?")])}, files=files)
    words = "test has no labels, or the same mark everywhere: it is predicted and not scored."
    assert words in findings(load_task("reviews", task_file))


def all_said(own_task, rows, **keys):
    files = {"train": "t.jsonl", "validation": "t.jsonl"}
    return " ".join(findings(load_task("reviews", own_task({"t.jsonl": rows}, files=files, **keys))))


def test_a_split_of_another_name_is_told(own_task):
    files = {"train": "train.csv", "validation": "dev.csv", "tset": "dev.csv"}
    assert "tset: neither train, validation nor test" in " ".join(findings(load_task("reviews", own_task(files=files))))
    assert "neither train" not in " ".join(findings(load_task("reviews", own_task())))


def test_texts_that_a_writer_marked_or_that_are_the_same(own_task):
    plain = {"inputs": ["a", "b"], "label": "y"}
    rows = [{"a": "'one'", "b": 'so \\"called\\"', "y": 0}, {"a": "'two'", "b": "\u200b", "y": 1}]
    found = all_said(own_task, rows, **plain)
    assert "every a has quotation marks around it" in found and 'have \\" in b, and none " alone' in found
    assert "1 of 2 examples (50.0 %) have an empty text in b, the first: number 2." in found
    sound = [{"a": "'one'", "b": 'a "b', "y": 0}, {"a": "two", "b": '\\"', "y": 1}]
    assert "writer" not in all_said(own_task, sound, **plain)
    same = [{"a": "one", "b": "one", "y": 0}, {"a": "one", "b": "two", "y": 1}]
    assert "train: 1 of 2 examples (50.0 %) have the same text in a and b." in all_said(own_task, same, **plain)


def test_spans_that_begin_where_their_tags_go_on(own_task):
    keys = {"format": "tagging", "inputs": ["w"], "label": "t", "metrics": ["span_f1"]}
    rows = [{"w": "a b c", "t": "B-x I-x O"}, {"w": "a b c", "t": "I-x I-x I-y"}]
    assert "train: 2 of 3 spans begin with I- or E-, and are read as begun there." in all_said(own_task, rows, **keys)
    assert "I- or E-" not in all_said(own_task, rows[:1] * 2, **keys)


def test_choices_that_are_there_twice(own_task):
    rows = [{"q": "a", "c": ["x", "y"], "y": 0}, {"q": "b", "c": ["x", "x"], "y": 1}]
    found = all_said(own_task, rows, format="multiple_choice", inputs=["q"], choices=["c"], label="y")
    assert "train: 1 of 2 examples (50.0 %) have a choice twice, the first: number 2." in found


def test_words_that_are_examples_and_spans_that_cut_words(own_task):
    tagging = {"format": "tagging", "inputs": ["w"], "label": "t"}
    words = "train: every example is one word"
    assert words in all_said(own_task, [{"w": ["a"], "t": ["X"]}, {"w": ["b"], "t": ["Y"]}], **tagging)
    assert words not in all_said(own_task, [{"w": ["a", "c"], "t": ["X", "X"]}, {"w": ["b"], "t": ["Y"]}], **tagging)
    spans = {"format": "span_classification", "inputs": ["text"], "spans": ["s:e"], "label": "y"}
    rows = [{"text": "one two", "s": 0, "e": 3, "y": "X"}, {"text": "one two", "s": 5, "e": 7, "y": "Y"}]
    words = "train: 1 of 2 targets have a span that begins or ends within a word."
    assert words in all_said(own_task, rows, span_unit="characters", **spans)
    rows[1]["s"] = 4
    assert "within a word" not in all_said(own_task, rows, span_unit="characters", **spans)


def test_a_rare_label_is_one_of_few_examples_or_of_a_small_share(said):
    assert "fewer than 10 examples in train: b (9)." in said(["a"] * 20 + ["b"] * 9)
    assert "fewer than" not in said(["a"] * 20 + ["b"] * 10)
    assert "fewer than 15 examples in train: b (14)." in said(["a"] * 286 + ["b"] * 14)
    many = [f"l{i}" for i in range(11) for _ in range(10)]  # of many labels none can have a large share
    assert "fewer than" not in said(many + ["a"] * 190)


def test_a_run_says_of_what_it_draws_how_many_have_a_rare_label(own_task):
    rows = csv([(f"t{i}", "ab"[i == 7]) for i in range(200)])
    task_file = own_task({"train.csv": rows, "dev.csv": rows})
    seeds = range(40)
    drawn = [prepare(Run(task="reviews", task_file=task_file, limit=20, limit_seed=seed)) for seed in seeds]
    here = [int(7 in tasks["reviews"].splits["train"].index) for tasks in drawn]
    words = {0: "reviews: train lacks 1 of 2 labels: b.", 1: "fewer than 10 examples in train: b (1)."}
    assert {*here} == {0, 1}
    assert all(words[count] in rare_labels(tasks) for count, tasks in zip(here, drawn, strict=True))
