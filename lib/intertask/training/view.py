"""What `experiments/train.ipynb` shows: small frames and figures of a run, its data and its mistakes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from intertask.analysis import plots
from intertask.run import Run
from intertask.tasks.load import Task
from intertask.training.data import selection_split
from intertask.training.train import Result

LONGEST = 200  # characters of a text that a table shows


def parameters(run: Run) -> pd.DataFrame:
    """Every parameter with its value, and whether it is the papers' default."""
    defaults = {name: field.default for name, field in Run.model_fields.items()}
    rows = {name: [str(value), "" if value == defaults[name] else "set"] for name, value in run.model_dump().items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "differs from the default"])


def splits(task: Task) -> pd.DataFrame:
    """Examples per split and, for classification, the share of each label in percent."""
    rows = {}
    for split, frame in task.splits.items():
        rows[split] = {"examples": len(frame), **(_balance(task, frame) if "label" in frame else {})}
    return pd.DataFrame.from_dict(rows, orient="index").fillna("–")


def _balance(task: Task, frame: pd.DataFrame) -> dict[str, str]:
    if task.entry.labels:
        shares = frame["label"].value_counts(normalize=True)
        return {f"% {name}": f"{100 * shares.get(i, 0):.1f}" for i, name in enumerate(task.entry.labels)}
    return {
        "lowest": f"{frame.label.min():.2f}",
        "mean": f"{frame.label.mean():.2f}",
        "highest": f"{frame.label.max():.2f}",
    }


def examples(task: Task, count: int) -> pd.DataFrame:
    """The first training examples, with their labels' names."""
    rows = task.splits["train"].head(count)
    return _texts(task, rows).assign(**({"label": _names(task, rows["label"])} if "label" in rows else {}))


def scores(result: Result) -> pd.DataFrame:
    """Every metric of every labelled split beside the majority's, 0–100."""
    rows = [
        {"split": split, "metric": metric, "score": value, "majority": result.majority[split][metric]}
        for split, metrics in result.scores.items()
        for metric, value in metrics.items()
    ]
    return pd.DataFrame(rows).set_index(["split", "metric"]).round(1)


def curve(result: Result):
    figure, ax = plt.subplots(figsize=(6, 3))
    return plots.learning_curve(result.curve, ax)


def predictions(result: Result):
    """The reported split: a confusion matrix or a scatter; nothing to draw for a vocabulary of labels."""
    rows = _reported(result)
    if result.task.entry.format == "regression":
        return plots.regression_scatter(rows["label"], rows["prediction"], plt.subplots(figsize=(4, 4))[1])
    if not result.task.entry.labels:
        return None
    size = 2 + 0.7 * len(result.task.entry.labels)
    ax = plt.subplots(figsize=(size, size))[1]
    return plots.confusion(rows["label"].astype(int), rows["prediction"].astype(int), result.task.entry.labels, ax)


def mistakes(result: Result, count: int) -> pd.DataFrame:
    """The worst mistakes on the reported split: the most confident wrong classes, the largest errors, or, of a language
    model, the tokens most often missed."""
    rows = _reported(result)
    if result.task.entry.format == "masked_language_modelling":
        wrong = rows[rows["label"] != rows["prediction"]].astype({"label": int, "prediction": int})
        names = {
            name: result.model.tokenizer.convert_ids_to_tokens(wrong[name].tolist()) for name in ("label", "prediction")
        }
        return pd.DataFrame(names).value_counts().head(count).to_frame("times").reset_index()
    worst = rows.assign(error=_error(result.task, rows)).query("error > 0").nlargest(count, "error")
    texts = _texts(result.task, result.task.splits[result.reported].loc[worst["row"]])
    names = {name: _names(result.task, worst[name]).to_numpy() for name in ("label", "prediction")}
    return texts.assign(**names, error=worst["error"].round(2).to_numpy())


def _error(task: Task, rows: pd.DataFrame) -> np.ndarray:
    """Absolute error, or by how much the predicted class's logit exceeds the true one's."""
    if task.entry.format == "regression":
        return (rows["label"] - rows["prediction"]).abs().to_numpy()
    logits, at = np.stack(rows["logits"].to_numpy()), np.arange(len(rows))
    return logits[at, rows["prediction"].astype(int)] - logits[at, rows["label"].astype(int)]


def _reported(result: Result) -> pd.DataFrame:
    return result.predictions[result.predictions["split"] == result.reported]


def _texts(task: Task, rows: pd.DataFrame) -> pd.DataFrame:
    texts = rows[task.entry.inputs]
    if "choices" in rows:
        texts = texts.assign(choices=[_listed(task, choices) for choices in rows["choices"]])
    return texts.map(lambda text: text if len(text) <= LONGEST else text[:LONGEST] + " …")


def _listed(task: Task, choices: list[str]) -> str:
    return " ".join(f"({name}) {choice}" for name, choice in zip(task.entry.labels, choices, strict=False))


def _names(task: Task, labels: pd.Series) -> pd.Series:
    return labels.astype(int).map(dict(enumerate(task.entry.labels))) if task.entry.labels else labels.round(2)


def verdict(result: Result) -> str:
    """One sentence: is the run degenerate, and on what was it chosen and scored?"""
    main, floor = result.scores[result.reported]["main"], result.majority[result.reported]["main"]
    word = "does NOT beat (a degenerate run)" if result.degenerate else "beats"
    constant = ", with one prediction for every example" if result.constant_predictions else ""
    return (
        f"The main score, {main:.1f} on {result.reported}, {word} the majority's {floor:.1f}{constant}. "
        f"The checkpoint, of step {result.best_step} of {result.steps}, was chosen on {selection_split(result.task)}."
    )
