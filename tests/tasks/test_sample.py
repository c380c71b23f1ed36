import pandas as pd
import pytest

from intertask.tasks.sample import limited, split_dev

TRAIN = pd.DataFrame({"text": [f"t{i}" for i in range(100)], "label": [0] * 80 + [1] * 20})


def test_limited_draws_without_replacement_and_keeps_row_numbers():
    drawn = limited(TRAIN, 30, seed=1)
    assert len(drawn) == 30 and drawn.index.is_unique and drawn.index.is_monotonic_increasing
    assert (drawn["text"] == [f"t{i}" for i in drawn.index]).all()


def test_limited_follows_the_seed():
    assert limited(TRAIN, 30, seed=1).equals(limited(TRAIN, 30, seed=1))
    assert not limited(TRAIN, 30, seed=1).equals(limited(TRAIN, 30, seed=2))


@pytest.mark.parametrize("limit", [None, 100, 1000])
def test_no_limit_gives_all_rows_in_order(limit):
    assert limited(TRAIN, limit, seed=1).equals(TRAIN)


def test_split_dev_is_stratified_and_divides_all_rows():
    select, report = split_dev(TRAIN, 0.25, seed=3, stratify=True)
    assert len(select) == 75 and len(report) == 25
    assert select["label"].sum() == 15 and report["label"].sum() == 5
    assert sorted([*select.index, *report.index]) == list(range(100))


def test_split_dev_follows_the_seed():
    assert split_dev(TRAIN, 0.5, 1, True)[0].equals(split_dev(TRAIN, 0.5, 1, True)[0])
    assert not split_dev(TRAIN, 0.5, 1, True)[0].equals(split_dev(TRAIN, 0.5, 2, True)[0])


def test_split_dev_of_a_regression():
    scores = TRAIN.assign(label=[i / 20 for i in range(100)])
    select, report = split_dev(scores, 0.5, seed=1, stratify=False)
    assert len(select) == len(report) == 50


def test_split_dev_refuses_what_cannot_be_divided(refused):
    lone = TRAIN.assign(label=[0] * 99 + [1])
    refused(lambda: split_dev(lone, 0.5, 1, True), "holdout", "can be divided", "100 rows", "Add dev rows")
    refused(lambda: split_dev(TRAIN.head(1), 0.5, 1, False), "holdout", "can be divided", "1 rows", "Add dev rows")
