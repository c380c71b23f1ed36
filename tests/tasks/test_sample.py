import numpy as np
import pandas as pd
import pytest

from intertask.run import Run
from intertask.tasks.load import load_task
from intertask.tasks.sample import limited, split_dev
from intertask.training import prepare

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
    refused(lambda: split_dev(TRAIN.head(1), 0.5, 1, False), "holdout", "can be divided", "1 row: ", "Add dev rows")


def test_limited_without_strata_draws_what_it_always_drew():
    assert limited(TRAIN, 5, seed=0).index.tolist() == [26, 30, 50, 61, 81]


def test_limited_by_strata_gives_each_label_its_share():
    rare = pd.DataFrame({"label": [*[0] * 900, *[1] * 95, *[2] * 5]})
    drawn = [limited(rare, 100, seed, stratify=True) for seed in range(200)]
    assert {len(rows) for rows in drawn} == {100} and all(rows.index.is_unique for rows in drawn)
    assert all(rows.index.is_monotonic_increasing for rows in drawn)
    assert {(rows["label"] == 0).sum() for rows in drawn} == {90}
    # 9.5 and 0.5 of the others: up or down, as often
    assert {tuple((rows["label"] == i).sum() for i in (1, 2)) for rows in drawn} == {(9, 1), (10, 0)}
    assert 70 < sum((rows["label"] == 2).any() for rows in drawn) < 130
    assert drawn[1].equals(limited(rare, 100, 1, stratify=True)) and not drawn[1].equals(drawn[2])


def test_limited_by_strata_draws_every_row_as_often():
    rows = pd.DataFrame({"label": [0, 1, 0, 2, 0, 1, 0]})
    counts = sum(np.isin(rows.index, limited(rows, 3, seed, stratify=True).index) for seed in range(2000))
    assert counts == pytest.approx(2000 * 3 / 7, rel=0.1)  # 3.3 standard deviations of 22
    assert limited(rows, 6, 0, stratify=True).index.size == 6


def test_a_run_stratifies_what_has_one_label_and_draws_the_rest_as_ever():
    beside = [{"task": "mini/stsb", "limit": 50}]
    plain, by_label = (
        prepare(Run(task="mini/cola", limit=100, alongside=beside, seed=3, limit_stratified=stratified))
        for stratified in (False, True)
    )
    whole = load_task("mini/cola").splits["train"]["label"].mean()
    assert by_label["mini/cola"].splits["train"]["label"].sum() == round(100 * whole)
    assert not plain["mini/cola"].splits["train"].equals(by_label["mini/cola"].splits["train"])
    assert plain["mini/stsb"].splits["train"].equals(by_label["mini/stsb"].splits["train"])
