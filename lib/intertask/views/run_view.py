"""What `experiments/train.ipynb` shows: small frames and figures of a run, its data and its mistakes."""

import html
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from intertask.encoders.pretrained import load_tokenizer
from intertask.errors import number_of
from intertask.formats.base import hot
from intertask.run import Run
from intertask.studies import store
from intertask.studies.ready import MOST_UNKNOWN, unknown_words
from intertask.tasks.load import Task
from intertask.training.data import reporting_split, selection_split
from intertask.training.train import Outcome, Result
from intertask.views import run_figures
from intertask.views.drawing import text
from intertask.views.findings import label_findings
from intertask.views.overview import MOST_LABELS, examples, shortened, shown_texts, splits  # noqa: F401, notebooks ask for them

MOST_BARS = 25


class Parameters(pd.DataFrame):
    """A column `value` by name, of which those at their default lie folded."""

    def _repr_html_(self) -> str:
        named = (self["value"], self["set"])
        chosen, others = (pd.DataFrame({"value": named[0][which]}).to_html() for which in (named[1], ~named[1]))
        return f"{chosen}<details><summary>{(~named[1]).sum()} at their default</summary>{others}</details>"


def parameters(run: Run) -> Parameters:
    """Every parameter with its value, and whether it was `set` to another than the papers' default."""
    defaults = Run.defaults()
    rows = {name: [str(value), value != defaults[name]] for name, value in run.model_dump().items()}
    return Parameters.from_dict(rows, orient="index", columns=["value", "set"])


def headline(result: Result) -> dict[str, str]:
    """What the run is and what it scored, in a line for each task, as `display(…, raw=True)` takes it."""
    run, lines = result.run, []
    before = store.trained_before(run)
    start = run.encoder + (f" after {', '.join(before)}" if before else "")
    for name, outcome in result.tasks.items():
        scores, floor = outcome.scores[outcome.reported], outcome.majority[outcome.reported]
        lines.append(
            f"{name} from {start}, seed {run.seed}: main {scores['main']:.1f} on {outcome.reported} "
            f"({number_of(outcome.sizes[outcome.reported], 'example')}; {outcome.task.form.baseline} "
            f"{floor['main']:.1f})"
        )
    return {"text/plain": "\n".join(lines), "text/html": "".join(f"<p>{html.escape(line)}</p>" for line in lines)}


def score_table(result: Result) -> pd.DataFrame:
    """Every metric of every labelled split beside the majority's, 0–100; perplexity as it is. Below them what formats
    say besides: best_… with the threshold that is the best for that very split."""
    rows = [
        {"task": name, "split": split + " (zero-shot)" * (split in outcome.task.told), "metric": metric}
        | {"score": value, "majority": outcome.majority[split][metric]}
        for name, outcome in result.tasks.items()
        for split, metrics in outcome.scores.items()
        for metric, value in metrics.items()
    ]
    rows += [
        {"task": name, "split": split, "metric": said, "score": value}
        for name, outcome in result.tasks.items()
        for split, details in outcome.details.items()
        for said, value in details.items()
    ]
    return pd.DataFrame(rows).set_index(["task", "split", "metric"]).round(1)


def seen(result: Result) -> pd.DataFrame:
    """What the training saw of each task of the mixture: examples, how many of them distinct, and passes."""
    rows = {
        name: {"training examples": len(outcome.task.splits["train"]), "seen": outcome.examples_seen}
        | {"distinct": outcome.distinct_examples, "best step": outcome.best_step, "of": result.steps}
        for name, outcome in result.tasks.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.assign(passes=(table["seen"] / table["training examples"]).round(2))


def overlap(tasks: dict[str, Task]) -> pd.DataFrame:
    """Of each task's dev examples, how many are in the training data of the tasks trained before it or alongside."""
    rows = {name: {"dev examples": len(one.splits[reporting_split(one)])} | one.overlap for name, one in tasks.items()}
    return pd.DataFrame.from_dict(rows, orient="index").astype("Int64")


def rare_labels(tasks: dict[str, Task]) -> str:
    """A sentence for each split, as the run uses it, that lacks labels or has few of one, or that there is none."""
    found = [f"{name}: {sentence}" for name, task in tasks.items() for sentence in label_findings(task)]
    return "\n".join(found) or "No label is rare in what this run uses."


def unknown(tasks: dict[str, Task], encoder: str | Path) -> str:
    """A sentence for each split of which the encoder's tokenizer knows too few tokens, or that there is none."""
    tokenizer = load_tokenizer(encoder)
    found = [sentence for task in tasks.values() for sentence in unknown_words(task, tokenizer)]
    return "\n".join(found) or f"The tokenizer knows {1 - MOST_UNKNOWN:.0%} of the tokens of each split, or more."


def heads(result: Result) -> str:
    """Of each task, as what its head began."""
    begins = result.model.begins or dict.fromkeys(result.tasks, "its head was fresh")
    return "\n".join(f"{name}: {said}." for name, said in begins.items())


def computed_on(result: Result) -> str:
    """The device and the precision that were taken."""
    return f"Computed on {result.model.device.type} in {result.model.precision}."


def curve(result: Result) -> Figure:
    """Score and loss of each task over the training, to be shown."""
    curves = list(result.curve.groupby("task", sort=False))
    layout = "constrained" if len(curves) > 1 else None
    figure, axes = plt.subplots(len(curves), figsize=(6, 3 * len(curves)), squeeze=False, layout=layout)
    for (name, own), ax in zip(curves, axes.flat, strict=True):
        run_figures.learning_curve(own, ax)
        if len(curves) > 1:
            ax.set_ylabel(f"{text(name)}, 0–100")
    plt.close(figure)  # the cell shows it: left open, matplotlib would draw it once more at the end of the cell
    return figure


def predictions(result: Result, task: str = "") -> Figure | None:
    """The reported split of a task of the run, by default the first: a confusion matrix, F1 by label where there are
    many or several at once, a scatter, the overlap with the answers; nothing for a vocabulary of labels."""
    outcome = result.tasks[task or result.run.task]
    form = outcome.task.form
    if not form.figure:
        return None
    rows, names = form.decisions(_reported(outcome))
    figure, ax = plt.subplots()
    if form.figure == "scatter":
        figure.set_size_inches(4, 4)
        most = form.entry.label_range if form.entry.outliers else None
        run_figures.regression_scatter(rows["label"], rows["prediction"], ax, most)
    elif form.figure == "overlap":
        figure.set_size_inches(6, 3)
        run_figures.answer_overlap(pd.Series(100 * (1 - form.error(rows))), ax)
    elif form.figure == "label_f1" or len(names) > MOST_LABELS:
        table = f1_by_label(rows, names).head(MOST_BARS)
        figure.set_size_inches(6, 1 + 0.25 * len(table))
        run_figures.label_f1(table, ax)
    else:
        figure.set_size_inches(2 + 0.7 * len(names), 2 + 0.7 * len(names))
        run_figures.confusion(rows["label"].astype(int), rows["prediction"].astype(int), names, ax)
    plt.close(figure)
    return figure


def f1_by_label(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Columns label, f1 (0–100) and n, how often it occurs; the most frequent first. Labels never seen are left out."""
    gold, given = (hot(rows[column], len(names)) for column in ("label", "prediction"))
    n = gold.sum(0)
    f1 = 200 * (gold & given).sum(0) / np.maximum(n + given.sum(0), 1)
    table = pd.DataFrame({"label": names, "f1": f1, "n": n})
    return table[table["n"] > 0].sort_values("n", ascending=False, kind="stable")


def mistakes(result: Result, count: int, task: str = "") -> pd.DataFrame:
    """The worst mistakes on the reported split: the most confident wrong labels, the largest errors, the answers with
    the least in common with an accepted one or, of a language model, the tokens most often missed."""
    outcome = result.tasks[task or result.run.task]
    rows, entry = _reported(outcome), outcome.task.entry
    if not entry.label:
        wrong = rows.loc[rows["label"] != rows["prediction"], ["label", "prediction"]]
        form = next(part.format for part in result.model.parts if part.name == outcome.task.entry.name)
        tokens = wrong.map(lambda token: form.token(int(token), result.model.tokenizer))
        return tokens.value_counts().head(count).to_frame("times").reset_index()
    rows = rows.assign(target=rows.groupby("row").cumcount(), error=outcome.task.form.error(rows))
    worst = rows.query("error > 0").nlargest(count, "error")
    data = outcome.task.splits[outcome.reported].loc[worst["row"]]
    names = {name: [outcome.task.form.shown(cell) for cell in worst[name]] for name in ("label", "prediction")}
    return shown_texts(outcome.task, data, worst["target"]).assign(**names, error=worst["error"].round(2).to_numpy())


def written(result: Result, count: int, task: str = "") -> pd.DataFrame | None:
    """What a model that writes makes of the first examples of the reported split, word by word the likeliest, beside
    what is right; nothing for other tasks."""
    outcome = result.tasks[task or result.run.task]
    if not outcome.task.form.writes:
        return None
    rows, form = _reported(outcome).head(count), outcome.task.form
    shown = shown_texts(outcome.task, outcome.task.splits[outcome.reported].loc[rows["row"]], pd.Series(0, rows.index))
    texts = {"to write": rows["label"].map(form.shown), "written": rows["prediction"]}
    return shown.assign(**{name: list(map(shortened, column)) for name, column in texts.items()})


def _reported(outcome: Outcome) -> pd.DataFrame:
    return outcome.predictions[outcome.predictions["split"] == outcome.reported]


def verdict(result: Result) -> str:
    """A sentence for each task: is it degenerate, and on what was it chosen and scored?"""
    lines = []
    for name, outcome in result.tasks.items():
        main, floor = outcome.scores[outcome.reported]["main"], outcome.majority[outcome.reported]["main"]
        word = "does NOT beat" if outcome.degenerate else "beats"
        learned = ": a degenerate run" if outcome.degenerate else ""
        constant = ", with one prediction for every example" if outcome.constant_predictions else ""
        than = outcome.task.form.baseline
        lines.append(
            f"{name}: the main score, {main:.1f} on {outcome.reported}, {word} {than} {floor:.1f}{learned}{constant}. "
            f"The checkpoint, of step {outcome.best_step} of {result.steps}, was chosen on "
            f"{selection_split(outcome.task)}."
        )
    return "\n".join(lines)
