"""A diagnostic set by category: R3 of each model and what is uncertain about it (Wang et al. 2019, Tables 11, 12)."""

import numpy as np
import pandas as pd
from scipy import sparse

from intertask.analysis.statistics import example_interval, matthews, paired_t
from intertask.analysis.tables import category_label
from intertask.analysis.transfer import refuse_mixtures
from intertask.errors import IntertaskError, did_you_mean, number_of, refusal

FEW_SETS = 20
"""Below this many independent sets a bootstrap interval is too short: in a simulation with pairs and fours that succeed
or fail together, 95 % intervals held the true R3 in 82 to 91 % of draws with 6 or 10 sets, in 90 to 96 % from 20 on."""

BREAKDOWN_COLUMNS = ["model", "coarse", "fine", "n", "sets", "seeds", "r3", "low", "high", "seeds_low", "seeds_high"]
BREAKDOWN_COLUMNS += ["accuracy", "undefined", "few_sets"]


def scored_on(settings: dict, diagnostic: str = "") -> tuple[str, list[str]]:
    """The diagnostic task, the named one or else the study's first, and the tasks whose runs the study scores on it.

    settings: of `read_settings`. Raises IntertaskError if the study scores no run on it.
    """
    evaluate_on = {task: list(map(_name, others)) for task, others in settings.get("evaluate_on", {}).items()}
    known = list(dict.fromkeys(name for further in evaluate_on.values() for name in further))
    if not known:
        raise IntertaskError(
            "No diagnostic to break down: expected evaluate_on in the study, found none. Give it one, such as "
            "evaluate_on: {mnli: [glue_diagnostic]}, or take this notebook out of the study's report."
        )
    name = diagnostic or known[0]
    if name not in known:
        raise IntertaskError(f"diagnostic: the study scores no run on {name!r}.{did_you_mean(name, known)}")
    return name, [task for task, further in evaluate_on.items() if name in further]


def _name(further: str | dict) -> str:
    return further if isinstance(further, str) else further["task"]


def diagnosed(runs: pd.DataFrame, tasks: list[str]) -> pd.DataFrame:
    """The study's runs on `tasks`, one row each, done or not, with the column `model`: all but the seed, in words.

    A run that is an intermediate and a target at once appears once, as a target. Raises IntertaskError where one seed
    has two different runs, as in parts with different settings.
    """
    own = runs[runs["task"].isin(tasks) & runs["stage"].isin(["intermediate", "target"])]
    own = own.sort_values("stage", ascending=False, kind="stable").drop_duplicates("run").reset_index(drop=True)
    refuse_mixtures(own)
    return own.assign(model=[_trained_model(role) for role in own.itertuples()])


def _trained_model(role) -> str:
    before = ", as intermediate" * (role.stage == "intermediate")
    own = before and pd.isna(role.target)  # else it is a target, with another task alongside
    name = f"{role.encoder}: {role.supporting if own else role.task}"
    name += "" if pd.isna(role.limit) else f", {role.limit} examples"
    if own or pd.isna(role.supporting):
        return name + before
    what = role.supporting + ("" if pd.isna(role.supporting_limit) else f" ({role.supporting_limit})")
    if role.regime == "stilts":
        return f"{name}, after {what}"
    return f"{name}, {'mtl' if before else role.regime} with {what}, {role.mixing}{before}"


def without_predictions(runs: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The runs of `diagnosed` of which no prediction was read, with the reason."""
    absent = runs[~runs["run"].isin(predictions["run"])]
    reason = absent["reason"].where(~absent["done"], "done, but the store holds none of its predictions")
    return absent[["model", "seed", "run"]].assign(reason=reason).reset_index(drop=True)


def categories(rows: pd.DataFrame, tags: list[str]) -> dict[tuple[str, str], np.ndarray]:
    """(coarse, fine) to a mask over the rows; fine is "" for a coarse category, both are "" for all rows.

    A coarse category is all rows with any tag in its column, pooled, and no mean of fine scores. A row tagged "a;b" is
    in both a and b; jiant, the former toolkit, made "a;b" a category of its own, so its fine scores differ.
    """
    masks = {("", ""): np.ones(len(rows), dtype=bool)}
    for coarse in tags:
        found = [{tag.strip() for tag in cell.split(";")} - {""} for cell in rows[coarse]]
        masks[coarse, ""] = np.array([bool(own) for own in found])
        masks |= {(coarse, fine): np.array([fine in own for own in found]) for fine in sorted(set().union(*found))}
    return masks


def sentence_sets(rows: pd.DataFrame, inputs: list[str]) -> np.ndarray:
    """For each row the number of its set: rows that share a sentence, directly or through other rows, are one set.

    The diagnostic set asks about a pair in both directions and varies one premise several times. Such rows are not
    independent of one another, so they are resampled together. inputs: the two text columns.
    """
    sentences, _ = pd.factorize(rows[inputs].to_numpy(dtype=object).ravel())
    left, right = sentences.reshape(-1, 2).T
    links = sparse.coo_array((np.ones(len(rows)), (left, right)), shape=(sentences.max() + 1,) * 2)
    # both sentences of a row are in one set: the left one tells it
    return sparse.csgraph.connected_components(links, directed=False)[1][left]


def breakdown(predictions: pd.DataFrame, rows: pd.DataFrame, entry, confidence: float = 0.95) -> pd.DataFrame:
    """One row per model and category, in the order of `categories`, columns BREAKDOWN_COLUMNS; scores 0-100.

    n: examples; sets: of `sentence_sets` among them; seeds: runs; r3: mean over the seeds, where an undefined R3 counts
    as 0, in a resample too, which is what scikit-learn returns; undefined: how many did. Two intervals: low, high is a
    percentile bootstrap over the examples, set by set, with the models held fixed; seeds_low, seeds_high is Student's t
    over the seeds, with the examples held fixed. Each is missing where nothing varies. few_sets: fewer sets than
    FEW_SETS.
    predictions: of `read_predictions`, with the column `model`; rows, entry: the diagnostic task's.
    """
    sets, masks = sentence_sets(rows, entry.inputs), categories(rows, entry.tags)
    table = []
    for model, own in predictions.groupby("model", sort=False):
        answers = confusions(own, rows)
        for category, mask in masks.items():
            counts = summed_by_set(answers[mask], sets[mask])
            by_seed = 100 * matthews(counts.sum(0))
            seeds = paired_t(np.nan_to_num(by_seed), confidence)
            sizes = mask.sum(), len(counts), len(by_seed)
            over_sets = example_interval(counts, mean_r3, confidence)
            accuracy = 100 * np.trace(counts.sum((0, 1))) / counts.sum()
            more = accuracy, np.isnan(by_seed).sum(), len(counts) < FEW_SETS
            table.append((model, *category, *sizes, seeds.mean, *over_sets, seeds.low, seeds.high, *more))
    return pd.DataFrame(table, columns=BREAKDOWN_COLUMNS)


def confusions(predictions: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """A confusion matrix for each example and seed, shape (examples, seeds, K, K), from one model's predictions.

    Raises IntertaskError unless each run predicts each of the rows once and knows them by the same labels, whose ids
    may be others: those of the task that it was trained on.
    """
    matrices = []
    classes = int(predictions[["label", "prediction"]].to_numpy().max()) + 1
    for run, own in predictions.groupby("run", sort=False):
        own = own.sort_values("row")
        pairs = set(zip(own["label"], rows["label"], strict=False))
        same_labels = len(pairs) == own["label"].nunique() == rows["label"].nunique()
        if own["row"].tolist() != list(range(len(rows))) or not same_labels:
            expected = f"predictions of the {number_of(len(rows), 'row')} that the diagnostic task has now"
            remedy = "Put the data back that the run was scored on, or train it again."
            raise refusal(
                f"run {run}", expected, f"{number_of(len(own), 'prediction')}, of other rows or labels", remedy
            )
        matrix = np.zeros((len(own), classes, classes), dtype=int)
        matrix[range(len(own)), own["label"].astype(int), own["prediction"]] = 1
        matrices.append(matrix)
    return np.stack(matrices, axis=1)


def summed_by_set(counts: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Sums over the rows of each set, which are drawn together: (rows, …) to (sets, …); sets: of `sentence_sets`."""
    own, places = np.unique(sets, return_inverse=True)
    summed = np.zeros((len(own), *counts.shape[1:]), dtype=int)
    np.add.at(summed, places, counts)
    return summed


def mean_r3(confusion: np.ndarray) -> np.ndarray:
    """R3 x100, an undefined one as 0, averaged over the seeds: shape (..., seeds, K, K) to (...)."""
    return 100 * np.nan_to_num(matthews(confusion)).mean(-1)


def by_category(table: pd.DataFrame) -> pd.DataFrame:
    """A `breakdown` after Tables 11 and 12: a row per category, a column per model, cells "R3 [low, high]"."""
    cells = [
        f"{row.r3:.1f}"
        + ("" if pd.isna(row.low) else f" [{row.low:.1f}, {row.high:.1f}]")
        + (" undefined" if row.undefined == row.seeds else "")
        for row in table.itertuples()
    ]
    named = table.assign(category=[category_label(row.coarse, row.fine) for row in table.itertuples()], cell=cells)
    wide = named.set_index(["category", "n", "sets", "model"])["cell"].unstack(sort=False)
    return wide.reset_index().rename_axis(columns=None)


def breakdown_in_words(table: pd.DataFrame) -> str:
    """What a `breakdown` says of each model's fine categories, as a Markdown list."""
    words = []
    for model, own in table[table["fine"] != ""].groupby("model", sort=False):
        above, steady = own["low"] > 0, own["seeds_low"] > 0
        words.append(
            f"- **{model}**: in {above.sum()} of {number_of(len(own), 'fine category')} the interval over the "
            f"examples is wholly above zero, in {(above & steady).sum()} of these the one over the seeds too. R3 was "
            f"undefined, and counted as 0, in {own['undefined'].sum()} of {number_of(own['seeds'].sum(), 'score')}."
        )
        solid = own[~own["few_sets"] & (own["undefined"] < own["seeds"])]
        if len(solid):
            best, worst = solid.loc[solid["r3"].idxmax()], solid.loc[solid["r3"].idxmin()]
            words[-1] += (
                f" Of the categories with {FEW_SETS} sets or more, {best['fine']} is highest ({best['r3']:.1f}, "
                f"{number_of(best['n'], 'row')}) and {worst['fine']} lowest ({worst['r3']:.1f}, "
                f"{number_of(worst['n'], 'row')})."
            )
    return "\n".join(words) or "No run is done yet, so there is nothing to say."
