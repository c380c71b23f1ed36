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
    refused(lambda: split_dev(TRAIN.head(1), 0.5, 1, False), "holdout", "can be divided", "1 rows", "Add dev rows")


def test_a_stratified_limit_draws_of_each_label_its_share_for_any_seed():
    rare = TRAIN.assign(label=[0] * 91 + [1] * 6 + [2] * 3)
    counts = [limited(rare, 50, seed, stratify=True)["label"].value_counts().to_dict() for seed in range(8)]
    assert counts == [{0: 46, 1: 3, 2: 1}] * 8  # shares 45.5, 3, 1.5: of equal remainders the lowest label's
    drawn = [limited(rare, 50, seed, stratify=True) for seed in (1, 1, 2)]
    assert drawn[0].equals(drawn[1]) and not drawn[0].equals(drawn[2]) and drawn[0].index.is_monotonic_increasing
    assert drawn[0].index.is_unique and len({limited(rare, 50, s)["label"].sum() for s in range(8)}) > 1
    assert limited(rare, 10, 0, stratify=True)["label"].value_counts().to_dict() == {0: 9, 1: 1}
    assert limited(rare, 100, 0, stratify=True) is rare


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
