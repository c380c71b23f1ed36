"""Scores of multi-task models themselves, by sampling, loss scaling and set of tasks: Wang et al. 2019, Tables 6, 7."""

import pandas as pd

from intertask.analysis.averages import counted, task_average
from intertask.analysis.statistics import paired_t
from intertask.analysis.tables import of_expected, panel_name
from intertask.analysis.transfer import LIMIT_TYPES, PANEL
from intertask.errors import IntertaskError

VARIANT = [*PANEL, "part", "mixing"]
DEFAULTS = {"sampling": "proportional", "loss_scaling": "uniform"}


def mixed(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of the models trained on all tasks (`mtl_all`), done or not, one per task; refused if there is none.

    `part` is never missing: a study without parts is one set, `all tasks`.
    """
    own = runs[(runs["stage"] == "target") & (runs["regime"] == "mtl_all")]
    if own.empty:
        raise IntertaskError(
            "Expected runs of regime mtl_all, found none in the study. "
            "Give it regimes: [mtl_all], or take this notebook out of the study's report."
        )
    return own.assign(part=own["part"].fillna("all tasks"))


def settings_of(study: dict, part: str, name: str) -> dict[str, str]:
    """`sampling` and `loss_scaling` of a variant of the study's `mixing`, by its name; a part's own come first.

    study: of `read_settings`. What the variant does not say is the study's `train`, or else a run's default.
    """
    parts = [own for own in study.get("parts") or [] if own.get("name") == part]
    variants = [variant for own in (*parts, study) for variant in own.get("mixing") or []]
    variant = next((variant for variant in variants if variant.get("name") == name), {})
    said = DEFAULTS | (study.get("train") or {}) | (variant.get("settings") or {}) | variant
    return {key: _in_words(said[key] or default) for key, default in DEFAULTS.items()}


def _in_words(setting) -> str:
    return setting if isinstance(setting, str) else ", ".join(f"{share:g}" for share in setting)


def set_scores(runs: pd.DataFrame, study: dict, wnli: str = "trained", confidence: float = 0.95) -> pd.DataFrame:
    """One row per encoder, data limits, set of tasks (part) and variant, in the study's order; scores 0-100.

    tasks: how many are averaged; mean, low, high, sd (ddof=1): over the n of n_expected seeds in which every task of
    the set has its score, of the average over the set, Student's t; sampling, loss_scaling: of the variant; row: the
    sampling, with the variant's name where several share it. runs: of `mixed`; wnli: of `counted`.
    """
    rows = []
    for key, own in counted(runs, wnli).groupby(VARIANT, sort=False, dropna=False):
        tasks = own["target"].unique()
        seeds = [
            task_average(seed.set_index("target")["score"], tasks)
            for _, seed in own.groupby("seed", sort=False, dropna=False)
        ]
        test = paired_t(seeds, confidence)
        row = dict(zip(VARIANT, key, strict=True)) | {"tasks": len(tasks), "n": test.n, "n_expected": len(seeds)}
        row |= {"mean": test.mean, "low": test.low, "high": test.high, "sd": pd.Series(seeds).std()}
        rows.append(row | settings_of(study, row["part"], row["mixing"]))
    table = pd.DataFrame(rows).astype(LIMIT_TYPES)
    shared = table.duplicated([*PANEL, "part", "sampling", "loss_scaling"], keep=False)
    return table.assign(row=table["sampling"].mask(shared, table["sampling"] + " (" + table["mixing"] + ")"))


def by_set(table: pd.DataFrame, loss_scaling: str) -> pd.DataFrame:
    """Table 6: samplings by sets of tasks, at one loss scaling; one PANEL of `set_scores`."""
    return _by_sampling(table[table["loss_scaling"] == loss_scaling], "part")


def by_loss_scaling(table: pd.DataFrame) -> pd.DataFrame:
    """Table 7: samplings by loss scalings; one PANEL and set of tasks of `set_scores`."""
    return _by_sampling(table, "loss_scaling")


def _by_sampling(table: pd.DataFrame, columns: str) -> pd.DataFrame:
    cells = table.assign(cell=[cell_text(cell) for cell in table.itertuples()])
    frame = cells.pivot(index="row", columns=columns, values="cell")
    frame = frame.reindex(index=table["row"].unique(), columns=table[columns].unique())
    return frame.fillna("–").rename_axis(index=None, columns=panel_name(*table[PANEL].iloc[0]))


def cell_text(cell) -> str:
    """Mean, interval and seeds: `69.1 [68.0, 70.2] (3)`; words where no seed is complete."""
    seeds = f"({of_expected(cell.n, cell.n_expected)})"
    if cell.n == 0:
        return f"missing {seeds}"
    interval = "" if pd.isna(cell.low) else f" [{cell.low:.1f}, {cell.high:.1f}]"
    return f"{cell.mean:.1f}{interval} {seeds}"


def spread_in_words(table: pd.DataFrame) -> str:
    """For each set, how far the means of its variants lie apart beside how far seeds of one variant do, as Markdown."""
    lines = []
    for (*panel, part), own in table.groupby([*PANEL, "part"], sort=False, dropna=False):
        found = own[own["mean"].notna()]
        if len(found) < 2:
            continue
        best = found.loc[found["mean"].idxmax()]
        apart = found["mean"].max() - found["mean"].min()
        within = f"{own['sd'].median():.1f}" if own["sd"].notna().any() else "unknown: no variant has two seeds"
        lines.append(
            f"- **{part}** ({panel_name(*panel)}): {len(found)} variants lie {apart:.1f} points apart, "
            f"highest {best['mixing']}; the standard deviation over seeds (median of the variants) is {within}."
        )
    return "\n".join(lines) or "No set has two variants with a score yet, so there is nothing to compare."


def exposure(runs: pd.DataFrame) -> pd.DataFrame:
    """What each variant saw of each task: one row per encoder, limits, part, variant and task, in the study's order.

    examples_seen, n_train: means over the n of n_expected runs that are done; passes: examples_seen / n_train, how
    often the average training example was seen. runs: of `mixed`.
    """
    seen = runs.assign(passes=runs["examples_seen"] / runs["n_train"])
    return seen.groupby([*VARIANT, "target"], sort=False, dropna=False).agg(
        n=("passes", "count"),
        n_expected=("run", "size"),
        n_train=("n_train", "mean"),
        examples_seen=("examples_seen", "mean"),
        passes=("passes", "mean"),
    ).reset_index()  # fmt: skip
