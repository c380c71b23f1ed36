"""Tasks of a user's own, of every format, as a user would write them: YAML beside CSV or JSON lines, and nothing else."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from intertask.cli import app
from intertask.encoders import save_encoder
from intertask.encoders.mini import build_tokenizer
from intertask.run import Run
from intertask.tasks.load import load_task
from intertask.training import prepare, train, view

FRUITS = ("apple", "plum")
WORDS = {"apple": "NOUN", "plum": "NOUN", "the": "DET", "a": "DET", "is": "VERB", "red": "ADJ", "old": "ADJ"}


def sentences(count: int):
    """Texts "the {adjective} {fruit} is {n}", and which fruit, which adjective and which number is in them."""
    for i in range(count):
        fruit, adjective = FRUITS[i % 2], ("red", "old")[i // 2 % 2]
        yield f"the {adjective} {fruit} is {i}", fruit, adjective, i


def classification(i, text, fruit, adjective):
    return {"text": text, "fruit": fruit}


def pair(i, text, fruit, adjective):
    return {"first": text, "second": f"a {fruit}" if adjective == "red" else "a pear", "same": int(adjective == "red")}


def options(i, text, fruit, adjective):
    """MultiRC: a row for each answer option, the options of a question next to each other."""
    return {"passage": f"{i // 2} apple", "question": "which ?", "option": fruit, "right": int(fruit == "apple")}


def regression(i, text, fruit, adjective):
    return {"text": text, "ripeness": 1.5 + 2 * (fruit == "plum")}


def choice_columns(i, text, fruit, adjective):
    return {"text": text, "first": "apple", "second": "plum", "third": "pear" * (i % 3 > 0), "answer": fruit[0]}


def choice_list(i, text, fruit, adjective):
    return {"text": text, "options": ["apple", "plum", "pear"][: 2 + i % 2], "answer": FRUITS.index(fruit)}


def cloze_columns(i, text, fruit, adjective):
    return {"text": text, "query": "@placeholder is here", "a": "apple", "b": "plum", "answer": fruit}


def cloze_list(i, text, fruit, adjective):
    return {"text": text, "query": "@placeholder is here", "names": [*FRUITS, "pear"], "answers": [fruit]}


def span_columns(i, text, fruit, adjective):
    return {"text": text, "start": 2, "end": 3, "kind": fruit}


def span_characters(i, text, fruit, adjective):
    start = text.index(fruit)
    return {"text": text, "place": [start, start + len(fruit)], "kind": fruit}


def two_spans(i, text, fruit, adjective):
    targets = [
        {"span1": [0, 1], "span2": [2, 3], "label": f"det {fruit}"},
        {"span1": [1, 2], "span2": [2, 3], "label": [f"adj {fruit}", adjective]},
    ]
    return {"text": text, "targets": targets, "info": {"document": i}}


def span_in_each(i, text, fruit, adjective):
    second = f"a {'plum' if adjective == 'red' else fruit} here"
    return {"first": text, "second": second, "in_first": [2, 3], "in_second": [1, 2], "same": fruit in second}


def tagged_text(i, text, fruit, adjective):
    return {"words": text, "tags": " ".join(WORDS.get(word, "NUM") for word in text.split())}


def tagged_list(i, text, fruit, adjective):
    return {name: value.split() for name, value in tagged_text(i, text, fruit, adjective).items()}


def question(i, text, fruit, adjective):
    return {"question": "which fruit ?", "passage": text, "answer": fruit}


def squad(i, text, fruit, adjective):
    start = text.index(fruit)
    answers = {"text": [fruit, f"{adjective} {fruit}"], "answer_start": [start, start - len(adjective) - 1]}
    return {"id": f"q{i}", "question": "which fruit ?", "context": text, "answers": answers}


def plain(i, text, fruit, adjective):
    return {"text": text}


OWN = {
    "classification.csv": (classification, "format: classification\ninputs: [text]\nlabel: fruit"),
    "classification.jsonl": (pair, "format: classification\ninputs: [first, second]\nlabel: same\nmetrics: [f1]"),
    "groups.csv": (
        options,
        """
        format: classification
        inputs: [passage, question, option]
        label: right
        group: [passage, question]
        metrics: [f1, question_exact_match]
        """,
    ),
    "regression.csv": (regression, "format: regression\ninputs: [text]\nlabel: ripeness\nlabel_range: [0, 5]"),
    "multiple_choice.csv": (
        choice_columns,
        """
        format: multiple_choice
        inputs: [text]
        choices: [first, second, third]
        label: answer
        labels: [a, p, x]
        """,
    ),
    "multiple_choice.jsonl": (
        choice_list,
        "format: multiple_choice\ninputs: [text]\nchoices: [options]\nlabel: answer",
    ),
    "cloze.csv": (cloze_columns, "format: cloze\ninputs: [text, query]\nchoices: [a, b]\nlabel: answer"),
    "cloze.jsonl": (cloze_list, "format: cloze\ninputs: [text, query]\nchoices: [names]\nlabel: answers"),
    "spans.csv": (
        span_columns,
        "format: span_classification\ninputs: [text]\nspans: ['start:end']\nlabel: kind\nmetrics: [accuracy]",
    ),
    "characters.jsonl": (
        span_characters,
        "format: span_classification\ninputs: [text]\nspans: [place]\nspan_unit: characters\nlabel: kind",
    ),
    "edge_probing.jsonl": (
        two_spans,
        """
        format: span_classification
        inputs: [text]
        spans: [targets.span1, targets.span2]
        label: targets.label
        unused: [info]
        """,
    ),
    "span_in_each.jsonl": (
        span_in_each,
        """
        format: span_classification
        inputs: [first, second]
        spans: [in_first, in_second]
        label: same
        metrics: [accuracy]
        """,
    ),
    "tagging.csv": (tagged_text, "format: tagging\ninputs: [words]\nlabel: tags"),
    "tagging.jsonl": (tagged_list, "format: tagging\ninputs: [words]\nlabel: tags"),
    "qa.csv": (question, "format: extractive_qa\ninputs: [question, passage]\nlabel: answer"),
    "squad.jsonl": (squad, "format: extractive_qa\ninputs: [question, context]\nlabel: answers\nunused: [id]"),
    "masked.csv": (plain, "format: masked_language_modelling\ninputs: [text]"),
    "causal.jsonl": (plain, "format: causal_language_modelling\ninputs: [text]"),
}
"""File's name -> what makes its rows, and the entry that a user writes for it."""


def write_rows(path, rows: list[dict]) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_task(folder, file: str, make, entry: str, train: int = 48, dev: int = 16) -> str:
    """The task `own` in own.yaml, with two files of rows beside it."""
    rows = [make(i, text, fruit, adjective) for text, fruit, adjective, i in sentences(train + dev)]
    write_rows(folder / f"train_{file}", rows[:train])
    write_rows(folder / f"dev_{file}", rows[train:])
    lines = [f"files: {{train: train_{file}, validation: dev_{file}}}", *entry.strip().splitlines()]
    path = folder / "own.yaml"
    path.write_text("own:\n" + "".join(f"  {line.strip()}\n" for line in lines))
    return str(path)


def checked(code: int, *arguments) -> str:
    result = CliRunner().invoke(app, ["task", "check", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def trained(task_file: str, **changes):
    values = {"learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 8, "max_length": 32}
    run = Run(task="own", task_file=task_file, **values | changes)
    return train(run, prepare(run, load_task("own", task_file)), run.encoder)


@pytest.fixture(scope="module")
def left_to_right(tmp_path_factory):
    """A GPT-2 of one layer with random weights."""
    from transformers import GPT2Config, GPT2Model, set_seed

    set_seed(0)
    tokenizer = build_tokenizer()
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=64, n_embd=32, n_layer=1, n_head=2)
    folder = tmp_path_factory.mktemp("gpt")
    save_encoder(GPT2Model(config), tokenizer, folder)
    return str(folder)


@pytest.mark.parametrize("file", OWN)
def test_a_task_of_every_format_is_checked_and_trained(file, tmp_path, left_to_right):
    task_file = write_task(tmp_path, file, *OWN[file])
    output = checked(0, task_file, "--encoder", "mini/bert", "--max-length", "32")
    assert "own: " in output and "48" in output and "examples cut" in output
    result = trained(task_file, encoder=left_to_right if file.startswith("causal") else "mini/bert")
    scores = result.scores["validation"]
    assert set(scores) == {*result.task.entry.metrics, "main"} and np.isfinite(list(scores.values())).all()
    assert view.splits(result.task).loc["validation", "examples"] == 16
    assert len(view.examples(result.task, 3)) == 3 and len(view.mistakes(result, 2)) <= 2
