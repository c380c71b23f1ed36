"""Zero-shot scores: intermediate models that are scored on a target by a map of labels, beside those trained on it."""

import pandas as pd

from intertask.analysis.read import read_predictions
from intertask.analysis.statistics import mean_table
from intertask.analysis.transfer import LIMITS, refuse_mixtures, target_runs

ZERO_SHOT = "zero-shot"
"""In the place of a regime: no training example of the target was seen."""


def maps_in_words(settings: dict) -> list[str]:
    """Each map of labels that a study's `evaluate_on` says, in a line."""
    return [
        f"{task} as {other['task']}: " + ", ".join(f"{one} is {there}" for one, there in other["labels"].items())
        for task, other in _maps(settings)
    ]


def _maps(settings: dict) -> list[tuple[str, dict]]:
    """The trained task and the further one; a name alone has the same labels, and is another dev set of that task."""
    said = settings.get("evaluate_on", {}).items()
    return [(task, other) for task, others in said for other in others if not isinstance(other, str)]


def zero_shot_table(
    runs: pd.DataFrame, records: dict[str, dict], settings: dict, confidence: float = 0.95
) -> pd.DataFrame:
    """One row per target, encoder, regime (ZERO_SHOT, `single` or `stilts`), supporting task and limits.

    The targets are those on which `evaluate_on` scores intermediate models by a map of labels. n of n_expected restarts
    found; score: their mean main score, 0-100, with Student's t over them, low and high; majority: the mean of the
    majority class's; examples: of the target, seen in training; constant: of the restarts whose predictions are
    there, those that give every row one answer. Of a set of supporting tasks its first counts, and one that holds the
    target is none. Empty where the study has no such map.

    runs, records, settings: of `read_runs`, `read_records` and `read_settings`.
    """
    mapped: dict[str, list[str]] = {}
    for task, other in _maps(settings):
        mapped.setdefault(other["task"], []).append(task)
    trained, found = target_runs(runs, "single", "stilts"), [runs.head(0)]
    for target, tasks in mapped.items():
        found += [_before(runs, records, target, tasks), trained[trained["target"] == target]]
    more = {"majority": ("majority", "mean"), "examples": ("n_train", "max")}
    more |= {"constant": ("constant_predictions", lambda known: known.sum(min_count=1))}
    keys = ["target", "encoder", "regime", "supporting", *LIMITS]
    return mean_table(pd.concat(found), keys, "score", confidence, **more).drop(columns=["p", "note"])


def _before(runs: pd.DataFrame, records: dict[str, dict], target: str, tasks: list[str]) -> pd.DataFrame:
    """The intermediate runs on these tasks with what they scored on the target, as rows of a regime of their own."""
    own = runs[(runs["stage"] == "intermediate") & runs["regime"].isna() & runs["task"].isin(tasks)]
    own = own.drop_duplicates(["encoder", "supporting", *LIMITS, "run"])
    refuse_mixtures(own)
    own = own[[target not in records.get(run, {"tasks": ()})["tasks"] for run in own["run"]]]
    own = own.assign(target=target, regime=ZERO_SHOT, limit=pd.NA, n_train=0)
    for name, of in (("score", "scores"), ("majority", "majority")):
        told = [records.get(run, {"tasks": {}})["tasks"].get(task, {}) for run, task in own[["run", "task"]].to_numpy()]
        own[name] = pd.Series([one.get(of, {}).get(target, {}).get("main") for one in told], own.index, dtype=float)
    answers = read_predictions(own, target).groupby("run")["prediction"].nunique()
    own["constant_predictions"] = own["run"].map(answers).eq(1).astype("boolean").mask(~own["run"].isin(answers.index))
    return own.astype({"limit": "Int64", "n_train": "Int64"})


def zero_shot_in_words(table: pd.DataFrame) -> str:
    """What a `zero_shot_table` says of each intermediate model, as a Markdown list."""
    words = []
    for row in table[table["regime"] == ZERO_SHOT].itertuples():
        found = f"{row.score:.1f}, n {row.n} of {row.n_expected}; the majority has {row.majority:.1f}; "
        side = "above" if row.low > row.majority else "below" if row.high < row.majority else ""
        interval = f"the interval over restarts, {row.low:.1f} to {row.high:.1f}, " + (
            f"is wholly {side} that" if side else "holds that"
        )
        found += "no interval" if pd.isna(row.low) else interval
        found += f"; {row.constant} give every row one answer" if pd.notna(row.constant) and row.constant else ""
        found = found if row.n else f"missing, n 0 of {row.n_expected}"
        words.append(f"- **{row.supporting} → {row.target}**, {row.encoder}: {found}.")
    return "\n".join(words) or (
        "No intermediate model is scored on a target by a map of labels. A study says one under `evaluate_on`, as "
        "`params/zero_shot.yaml` does."
    )
