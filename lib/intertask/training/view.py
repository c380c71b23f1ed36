"""What `experiments/train.ipynb` shows: small frames and figures of a run, its data and its mistakes."""

from itertools import chain

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from intertask.analysis import plots
from intertask.formats.metrics import best_overlap
from intertask.run import Run
from intertask.tasks.load import Task
from intertask.training.data import selection_split
from intertask.training.train import Result

LONGEST = 200  # characters of a text that a table shows
MOST_LABELS = 12  # in a table of shares or a confusion matrix
MOST_BARS = 25
ANSWERS = ("extractive_qa", "cloze")
SPANS = ("span_classification", "tagging")


def parameters(run: Run) -> pd.DataFrame:
    """Every parameter with its value, and whether it is the papers' default."""
    defaults = {name: field.default for name, field in Run.model_fields.items()}
    rows = {name: [str(value), "" if value == defaults[name] else "set"] for name, value in run.model_dump().items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "differs from the default"])


def splits(task: Task) -> pd.DataFrame:
    """Examples per split, targets where an example has several, and how the labels are distributed."""
    rows = {}
    for split, frame in task.splits.items():
        rows[split] = {"examples": len(frame), **(_balance(task, frame) if "label" in frame else {})}
    return pd.DataFrame.from_dict(rows, orient="index").fillna("–")


def _balance(task: Task, frame: pd.DataFrame) -> dict[str, str]:
    """Shares of the labels in percent, of answers how many and how long, of numbers the range."""
    if task.entry.format in ANSWERS:
        words = frame["label"].map(lambda answers: len(answers[0].split()))
        return {"answers each": f"{frame['label'].map(len).mean():.1f}", "words in an answer": f"{words.mean():.1f}"}
    if not task.entry.labels:
        low, mean, high = frame["label"].min(), frame["label"].mean(), frame["label"].max()
        return {"lowest": f"{low:.2f}", "mean": f"{mean:.2f}", "highest": f"{high:.2f}"}
    targets = frame["label"].explode().explode() if task.entry.format in SPANS else frame["label"]
    shares = {name: 100 * share for name, share in _shares(targets, task.entry.labels).items()}
    shown = (
        dict(sorted(shares.items(), key=lambda item: -item[1])[:MOST_LABELS]) if len(shares) > MOST_LABELS else shares
    )
    rest = {f"% {len(shares) - len(shown)} other labels": sum(shares.values()) - sum(shown.values())}
    count = {"targets": str(frame["spans"].map(len).sum())} if task.entry.format in SPANS else {}
    percent = {f"% {name}": share for name, share in shown.items()} | (rest if len(shares) > len(shown) else {})
    return count | {name: f"{share:.1f}" for name, share in percent.items()}


def _shares(labels: pd.Series, names: list[str]) -> dict[str, float]:
    counts = labels.value_counts(normalize=True)
    return {name: counts.get(i, 0.0) for i, name in enumerate(names)}


def examples(task: Task, count: int) -> pd.DataFrame:
    """The first training examples, with their labels' names; of several targets in an example, the first."""
    rows = task.splits["train"].head(count)
    first = pd.Series(0, rows.index)
    labels = {"label": [_name(task, _target(task, row, 0)) for row in rows["label"]]} if "label" in rows else {}
    return _texts(task, rows, first).assign(**labels)


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
    """The reported split drawn: a confusion matrix, F1 by label where there are many or several at once, a scatter, the
    overlap with the answers; nothing for a vocabulary of labels."""
    rows, entry = _reported(result), result.task.entry
    if entry.format == "regression":
        return plots.regression_scatter(rows["label"], rows["prediction"], plt.subplots(figsize=(4, 4))[1])
    if entry.format in ANSWERS:
        overlap = [100 * best_overlap(*pair) for pair in zip(rows["label"], rows["prediction"], strict=True)]
        return plots.answer_overlap(pd.Series(overlap), plt.subplots(figsize=(6, 3))[1])
    if not entry.labels:
        return None
    if entry.format == "span_classification" or len(entry.labels) > MOST_LABELS:
        table = label_f1(rows, entry.labels).head(MOST_BARS)
        return plots.label_f1(table, plt.subplots(figsize=(6, 1 + 0.25 * len(table)))[1])
    size = 2 + 0.7 * len(entry.labels)
    ax = plt.subplots(figsize=(size, size))[1]
    return plots.confusion(rows["label"].astype(int), rows["prediction"].astype(int), entry.labels, ax)


def label_f1(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Columns label, f1 (0–100) and n, how often it occurs; the most frequent first. Labels never seen are left out."""
    counts = {}
    for column in ("label", "prediction"):
        cells = rows[column].map(lambda cell: list(np.atleast_1d(cell)))
        counts[column] = cells
    both = [set(map(int, a)) & set(map(int, b)) for a, b in zip(counts["label"], counts["prediction"], strict=True)]
    n, given, right = (pd.Series(list(chain.from_iterable(cells)), dtype=int).value_counts()
                       for cells in (counts["label"], counts["prediction"], both))  # fmt: skip
    f1 = 200 * right.reindex(n.index, fill_value=0) / (n + given.reindex(n.index, fill_value=0))
    return pd.DataFrame({"label": [names[i] for i in n.index], "f1": f1.to_numpy(), "n": n.to_numpy()})


def mistakes(result: Result, count: int) -> pd.DataFrame:
    """The worst mistakes on the reported split: the most confident wrong labels, the largest errors, the answers with
    the least in common with an accepted one or, of a language model, the tokens most often missed."""
    rows, entry = _reported(result), result.task.entry
    if not entry.label:
        wrong = rows[rows["label"] != rows["prediction"]].astype({"label": int, "prediction": int})
        names = {
            name: result.model.tokenizer.convert_ids_to_tokens(wrong[name].tolist()) for name in ("label", "prediction")
        }
        return pd.DataFrame(names).value_counts().head(count).to_frame("times").reset_index()
    rows = rows.assign(target=rows.groupby("row").cumcount(), error=_error(result.task, rows))
    worst = rows.query("error > 0").nlargest(count, "error")
    data = result.task.splits[result.reported].loc[worst["row"]]
    names = {name: [_name(result.task, cell) for cell in worst[name]] for name in ("label", "prediction")}
    shown = _texts(result.task, data, worst["target"])
    return shown.assign(**names, error=worst["error"].round(2).to_numpy())


def _error(task: Task, rows: pd.DataFrame) -> np.ndarray:
    """By how much a prediction is wrong: absolute error, lack of overlap, or how far a logit is on the wrong side."""
    if task.entry.format == "regression":
        return (rows["label"] - rows["prediction"]).abs().to_numpy()
    if task.entry.format in ANSWERS:
        return np.array([1 - best_overlap(*pair) for pair in zip(rows["label"], rows["prediction"], strict=True)])
    if rows["logits"].isna().all():
        return (rows["label"] != rows["prediction"]).to_numpy().astype(float)
    logits = np.stack(rows["logits"].to_numpy())
    gold, given = (_hot(rows[name], logits.shape[1]) for name in ("label", "prediction"))
    if "micro_f1" in task.entry.metrics:
        return (np.abs(logits) * (gold != given)).max(axis=1)
    return np.where(given, logits, -np.inf).max(axis=1) - np.where(gold, logits, -np.inf).max(axis=1)


def _hot(cells: pd.Series, width: int) -> np.ndarray:
    hot = np.zeros((len(cells), width), bool)
    for row, cell in zip(hot, cells, strict=True):
        row[np.atleast_1d(cell).astype(int)] = True
    return hot


def _reported(result: Result) -> pd.DataFrame:
    return result.predictions[result.predictions["split"] == result.reported]


def _texts(task: Task, rows: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """The inputs, and choices, as they are shown; the spans of each row's target between brackets."""
    texts = rows[task.entry.inputs]
    if "choices" in rows:
        texts = texts.assign(choices=[_listed(task, choices) for choices in rows["choices"]])
    if task.entry.format in SPANS:
        marked = [
            _marked(list(row), spans[at])
            for row, spans, at in zip(texts.to_numpy(), rows["spans"], target, strict=True)
        ]
        texts = pd.DataFrame(marked, columns=texts.columns, index=texts.index)
    return texts.map(lambda text: text if len(text) <= LONGEST else text[:LONGEST] + " …")


def _marked(texts: list[str], spans: np.ndarray) -> list[str]:
    """The texts with a target's spans between brackets, numbered where there are two; the last is put in first."""
    for k, (start, end) in sorted(enumerate(spans), key=lambda item: -item[1][0]):
        at, number = k % len(texts), k + 1 if len(spans) > 1 else ""
        texts[at] = f"{texts[at][:start]}[{texts[at][start:end]}]{number}{texts[at][end:]}"
    return texts


def _target(task: Task, labels, at: int):
    return labels[at] if task.entry.format in SPANS else labels


def _listed(task: Task, choices: list[str]) -> str:
    names = task.entry.labels or [str(place + 1) for place in range(len(choices))]
    return " ".join(f"({name}) {choice}" for name, choice in zip(names, choices, strict=False))


def _name(task: Task, label) -> str:
    """A label or prediction as text: the names of its ids, its answers, a number."""
    if task.entry.format in ANSWERS:
        return label if isinstance(label, str) else " | ".join(label)
    if task.entry.labels:
        return ", ".join(task.entry.labels[int(i)] for i in np.atleast_1d(label)) or "none"
    return f"{label:.2f}"


def verdict(result: Result) -> str:
    """One sentence: is the run degenerate, and on what was it chosen and scored?"""
    main, floor = result.scores[result.reported]["main"], result.majority[result.reported]["main"]
    word = "does NOT beat (a degenerate run)" if result.degenerate else "beats"
    constant = ", with one prediction for every example" if result.constant_predictions else ""
    return (
        f"The main score, {main:.1f} on {result.reported}, {word} the majority's {floor:.1f}{constant}. "
        f"The checkpoint, of step {result.best_step} of {result.steps}, was chosen on {selection_split(result.task)}."
    )
