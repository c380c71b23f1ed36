"""Parts of a split, by seed; every result keeps the original row numbers in its index."""

import numpy as np
import pandas as pd

from intertask.errors import number_of, refusal


def limited(train: pd.DataFrame, limit: int | None, seed: int, stratify: bool = False) -> pd.DataFrame:
    """`limit` rows drawn without replacement, in their original order; all rows if `limit` is None or not below.

    Stratified, each label has its share of them, rounded up or down: of one whose share is below 1, one row or none.
    """
    if limit is None or limit >= len(train):
        return train
    rng = np.random.default_rng(seed)
    if not stratify:
        # in their order: which comes when is the order seed's to say
        return train.sample(n=limit, random_state=rng).sort_index()
    by_label = train.sample(frac=1, random_state=rng).sort_values("label", kind="stable")
    # evenly spaced from a random place: all rows are equally likely, and none is drawn twice
    places = (np.arange(limit) * len(train) + rng.integers(len(train))) // limit
    return by_label.iloc[places].sort_index()


def split_dev(dev: pd.DataFrame, holdout: float, seed: int, stratify: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(the part that selects, the part that reports); `holdout` in (0, 1) is the share of rows that report.

    Stratified, both parts hold each class in the same share. A class with a single row, or a part with fewer
    rows than there are classes, cannot be divided so and is refused rather than put in one part unsaid.
    """
    from sklearn.model_selection import train_test_split  # half a second that most runs need not pay

    classes = dev["label"] if stratify else None
    try:
        select, report = train_test_split(dev, test_size=holdout, random_state=seed, stratify=classes)
    except ValueError as error:
        remedy = "Add dev rows, change holdout, or go without it."
        raise refusal(
            "holdout", "a dev set that can be divided", f"{number_of(len(dev), 'row')}: {error}", remedy
        ) from None
    return select.sort_index(), report.sort_index()
