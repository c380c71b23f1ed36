import numpy as np
import pandas as pd

from intertask.tasks import overlap as module
from intertask.tasks.load import Task, load_task
from intertask.tasks.overlap import task_overlap

PAIR = ["premise", "hypothesis"]


def pairs(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=PAIR)


def overlap(dev, dev_inputs, train, train_inputs) -> int:
    return np.isin(module._hashes(dev, dev_inputs), module._orders(train, train_inputs)).sum()


def test_only_whole_examples_count_whatever_their_case_and_blanks():
    dev = pairs(("A dog  barks.", "It\tBARKS"), ("A dog barks.", "It sleeps"), ("it", "barks"))
    train = pairs(("a dog barks.", " it barks "), ("a dog barks.", "It sings"))
    assert overlap(dev, PAIR, train, PAIR) == 1


def test_a_pair_counts_in_either_order_and_once():
    dev = pairs(("one", "two"), ("three", "four"), ("five", "five"))
    train = pairs(("two", "one"), ("three", "four"), ("four", "three"), ("five", "five"))
    assert overlap(dev, PAIR, train, PAIR) == 3


def test_every_dev_row_counts_however_often_its_text_occurs():
    assert overlap(pairs(("a", "b"), ("a", "b")), PAIR, pairs(("a", "b"), ("a", "b"), ("a", "b")), PAIR) == 2


def test_columns_are_read_in_the_order_of_the_inputs_and_do_not_run_into_each_other():
    dev = pairs(("a b", "c"))
    assert overlap(dev, PAIR, pd.DataFrame({"first": ["a"], "second": ["b c"]}), ["first", "second"]) == 0
    renamed = pd.DataFrame({"second": ["c"], "first": ["a b"], "premise": ["other"]})
    assert overlap(dev, PAIR, renamed, ["first", "second"]) == 1
    assert overlap(dev, PAIR, pd.DataFrame({"sentence": ["a b c"]}), ["sentence"]) == 0


def test_three_inputs_count_in_their_order_alone():
    rows = pd.DataFrame({"a": ["x"], "b": ["y"], "c": ["z"]})
    assert overlap(rows, ["a", "b", "c"], rows, ["a", "b", "c"]) == 1
    assert overlap(rows, ["c", "b", "a"], rows, ["a", "b", "c"]) == 0


def test_nothing_overlaps_with_no_rows():
    assert overlap(pairs(), PAIR, pairs(("a", "b")), PAIR) == 0
    assert overlap(pairs(("a", "b")), PAIR, pairs(), PAIR) == 0


def test_a_planted_dev_example_is_found_in_a_task_that_is_hashed_once(monkeypatch):
    rte, mnli = load_task("mini/rte"), load_task("mini/mnli")
    before = task_overlap(rte, mnli)
    planted = mnli.splits["train"].iloc[:3].set_axis(["premise", "hypothesis", "label"], axis=1)
    rows = planted.rename(columns={"premise": "sentence1", "hypothesis": "sentence2"})
    leaking = Task(rte.entry, {"validation": pd.concat([rte.splits["validation"], rows])})
    monkeypatch.setattr(module, "_orders", None)
    assert task_overlap(leaking, mnli) == before + 3


def test_formats_of_any_kind_have_a_text():
    for name in ("mini/copa", "mini/ccg", "mini/qamr", "mini/record", "mini/wsc", "mini/dep", "mini/stsb"):
        task = load_task(name)
        assert task_overlap(task, task, "train") == len(task.splits["train"]), name
