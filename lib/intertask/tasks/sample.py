"""Parts of a split, by seed; every result keeps the original row numbers in its index."""

import numpy as np
import pandas as pd

from intertask.errors import refusal


def limited(train: pd.DataFrame, limit: int | None, seed: int, stratify: bool = False) -> pd.DataFrame:
    """`limit` rows drawn without replacement, in their original order; all rows if `limit` is None or not below.

    Stratified, as many of each label as its share of `limit` is, rounded so that they make `limit`: of a share below
    half a row there may be none.
    """
    if limit is None or limit >= len(train):
        return train
    rng = np.random.default_rng(seed)
    if not stratify:
        # in their order: which comes when is the order seed's to say
        return train.sample(n=limit, random_state=rng).sort_index()
    share = train["label"].value_counts().sort_index() * limit / len(train)
    counts = share.astype(int)
    counts[(counts - share).sort_values(kind="stable").index[: limit - counts.sum()]] += 1  # the largest remainders
    drawn = [train[train["label"] == label].sample(n=n, random_state=rng) for label, n in counts.items()]
    return pd.concat(drawn).sort_index()


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
        raise refusal("holdout", "a dev set that can be divided", f"{len(dev)} rows: {error}", remedy) from None
    return select.sort_index(), report.sort_index()
