"""Printed correlations beside recomputed ones (Wang et al. 2019, Tables 8-10)."""

from pathlib import Path

import pandas as pd

from intertask.analysis.averages import plain
from intertask.analysis.score_tables import cells, find_table, numbers
from intertask.errors import IntertaskError, did_you_mean, number_of
from intertask.files import project_root


def published_correlations(name: str, method: str) -> pd.DataFrame:
    """A printed table of correlations: columns encoder (missing where it has none), task_a, task_b and value.

    name: of a CSV in results/published, or the path of one, with the columns task_a, task_b, `method` and, if it likes,
    encoder or setting.
    """
    folder = project_root() / "results" / "published"
    path = Path(name) if name.endswith(".csv") else find_table(f"published/{name}")
    if not path or not path.is_file():
        known = [file.stem for file in sorted(folder.glob("*correlations*.csv"))]
        raise IntertaskError(f"published: there is no table {name!r} in {folder}.{did_you_mean(name, known)}")
    table = cells(path)
    if absent := {"task_a", "task_b", method}.difference(table):
        raise IntertaskError(
            f"published: {path.name} has no column {', '.join(sorted(absent))}, only {', '.join(table.columns)}. "
            "Set method to the kind of correlation that it holds."
        )
    table = table.assign(**{method: numbers(table[method], path)})
    table = table.rename(columns={method: "value"} | ({} if "encoder" in table else {"setting": "encoder"}))
    return table.reindex(columns=["encoder", "task_a", "task_b", "value"])


def against_published(table: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Printed correlations beside recomputed ones, with the difference: recomputed minus published.

    Columns: panel, encoder (of the printed table), task_a, task_b, n, published, recomputed, difference, same_encoder:
    whether the recomputed ones are of it too. table: of `correlation_table`;
    published: columns encoder, task_a, task_b, value, of `published_correlations`; a pair may stand either way round,
    with or without `mini/`. Where encoders have the same name, they are compared with themselves alone, else each panel
    with each of the published tables.
    """
    swapped = published.rename(columns={"task_a": "task_b", "task_b": "task_a"})
    printed = pd.concat([published, swapped])[["encoder", "task_a", "task_b", "value"]].drop_duplicates()
    own = table.rename(columns={"encoder": "own"})
    own = own.assign(a=own["task_a"].map(plain), b=own["task_b"].map(plain))
    both = own.merge(printed.rename(columns={"task_a": "a", "task_b": "b", "value": "published"}), on=["a", "b"])
    both["same_encoder"] = both["own"] == both["encoder"]
    both = both[both["same_encoder"]] if both["same_encoder"].any() else both
    both = both.rename(columns={"r": "recomputed"}).assign(difference=both["r"].astype(float) - both["published"])
    columns = ["panel", "encoder", "task_a", "task_b", "n", "published", "recomputed", "difference", "same_encoder"]
    return both[columns].reset_index(drop=True)


def against_in_words(both: pd.DataFrame) -> str:
    """How far printed and recomputed correlations lie apart, a sentence for each pair of tables, as Markdown."""
    lines = []
    for (panel, encoder), own in both.groupby(["panel", "encoder"], sort=False, dropna=False):
        known = own[own["difference"].notna()]
        if known.empty:
            continue
        opposite = int((known["published"] * known["recomputed"] < 0).sum())
        apart = known["difference"].abs()
        printed = "" if pd.isna(encoder) or own["same_encoder"].all() else f" beside the printed {encoder}"
        lines.append(
            f"- **{panel}**{printed}: {number_of(len(known), 'pair')}; the mean absolute difference is "
            f"{apart.mean():.2f}, the largest {apart.max():.2f}; the sign is the opposite in {opposite}."
        )
    return "\n".join(lines) or "No pair of tasks has both a printed and a recomputed correlation."
