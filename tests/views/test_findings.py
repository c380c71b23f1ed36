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


def test_a_column_that_never_varies(own_task):
    task_file = own_task({"train.csv": csv([("same", 1), ("same", 2)])}, labels=["1", "2", "5"])
    found = findings(load_task("reviews", task_file))
    assert "train: every text is the same, 'same'." in found and not any(
        "validation: every text" in one for one in found
    )


def test_labels_that_differ_in_capitals(said):
    assert "labels that differ in capitals alone: Good, good; are they one?" in said(["Good", "good", "bad"])
    assert "capitals" not in said(["good", "bad"])


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
