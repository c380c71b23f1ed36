"""Parts of a split, by seed; every result keeps the original row numbers in its index."""

import numpy as np
import pandas as pd

from intertask.errors import refusal
from intertask.tasks.schema import ANSWERED, TARGETS, TaskEntry


def limited(train: pd.DataFrame, limit: int | None, seed: int) -> pd.DataFrame:
    """`limit` rows drawn without replacement, in their original order; all rows if `limit` is None or not below."""
    if limit is not None and limit < 1:
        raise refusal("limit", "None or at least 1 example", str(limit), "Correct it in the parameters.")
    if limit is None or limit >= len(train):
        return train
    return train.sample(n=limit, random_state=np.random.default_rng(seed)).sort_index()


def split_dev(dev: pd.DataFrame, holdout: float, seed: int, stratify: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(the part that selects, the part that reports); `holdout` in (0, 1) is the share of rows that report.

    Stratified, both parts hold each class in the same share. A class with a single row, or a part with fewer
    rows than there are classes, cannot be divided so and is refused rather than put in one part unsaid.
    """
    from sklearn.model_selection import train_test_split  # half a second that most runs need not pay

    if not 0 < holdout < 1:
        raise refusal("holdout", "a share above 0 and below 1", str(holdout), "0.5 halves the dev set.")
    try:
        select, report = train_test_split(
            dev, test_size=holdout, random_state=seed, stratify=dev["label"] if stratify else None
        )
    except ValueError as error:
        remedy = "Add dev rows, change holdout, or go without it."
        raise refusal("holdout", "a dev set that can be divided", f"{len(dev)} rows: {error}", remedy) from None
    return select.sort_index(), report.sort_index()


def shuffled_labels(train: pd.DataFrame, entry: TaskEntry, seed: int) -> pd.DataFrame:
    """The rows with their labels permuted: the negative control that keeps texts and label counts.

    Where a row has several targets, the labels of all targets are permuted. Where the label is an answer that stands
    in the row, the question is permuted instead. Where a row has fewer choices than the place it is given, the count
    begins again at its first.
    """
    rng = np.random.default_rng(seed)
    if entry.format in ANSWERED:
        question = entry.inputs[0 if entry.format == "extractive_qa" else 1]
        return train.assign(**{question: rng.permutation(train[question])})
    if entry.format in TARGETS:
        labels = [target for row in train["label"] for target in row]
        shuffled = iter([labels[i] for i in rng.permutation(len(labels))])
        return train.assign(label=train["label"].map(lambda row: [next(shuffled) for _ in row]))
    labels = rng.permutation(train["label"])
    return train.assign(label=labels % train["choices"].map(len) if "choices" in train else labels)
