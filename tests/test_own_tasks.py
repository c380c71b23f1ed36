"""Tasks of a user's own, of every format, as a user would write them: YAML beside CSV or JSON lines."""

import csv
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from intertask.cli import app
from intertask.encoders.mini import build_tokenizer
from intertask.encoders.pretrained import save_encoder
from intertask.errors import IntertaskError
from intertask.formats import FORMATS
from intertask.run import Run
from intertask.training import prepare, train
from intertask.training.record import save
from intertask.use.export import export_run
from intertask.use.predict import predict_file
from intertask.views import run_view
from made_driver import command
from made_study import succeed, write_study

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


def price(i, text, fruit, adjective):
    return {"text": text, "price": (1.5 + 2 * (fruit == "plum")) * (100 if i == 7 else 1)}


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


def named(i, text, fruit, adjective):
    tags = ["O", "B-size" if adjective == "old" else "O", f"B-{fruit}", "O", f"I-{fruit}" if i % 3 else "O"]
    return {"words": text.split(), "tags": tags}


def label_text(i, text, fruit, adjective):
    return {"text": text, "kinds": fruit + f" | {adjective}" * (i % 3 > 0)}


def label_list(i, text, fruit, adjective):
    return {"first": text, "second": f"a {adjective} one", "kinds": [fruit, adjective][: i % 3]}


def label_columns(i, text, fruit, adjective):
    return {"text": text, "plum": int(fruit == "plum"), "red": int(adjective == "red")}


def label_truths(i, text, fruit, adjective):
    return {"text": text, "plum": fruit == "plum", "red": "True" if adjective == "red" else 0.0}


def question(i, text, fruit, adjective):
    return {"question": "which fruit ?", "passage": text, "answer": fruit}


def squad(i, text, fruit, adjective):
    start = text.index(fruit)
    answers = {"text": [fruit, f"{adjective} {fruit}"], "answer_start": [start, start - len(adjective) - 1]}
    return {"id": f"q{i}", "question": "which fruit ?", "context": text, "answers": answers}


def unsure(i, text, fruit, adjective):
    return {"question": "which fruit ?", "passage": text, "answer": fruit if adjective == "red" else ""}


def reply(i, text, fruit, adjective):
    return {"text": text, "reply": f"yes, a {fruit}"}


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
    "outliers.csv": (
        price,
        "format: regression\ninputs: [text]\nlabel: price\nlabel_range: [0, 5]\noutliers: true\nmetrics: [spearman]",
    ),
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
    "names.jsonl": (named, "format: tagging\ninputs: [words]\nlabel: tags\nmetrics: [span_f1]"),
    "multi_label.csv": (label_text, "format: multi_label\ninputs: [text]\nlabel: kinds\nseparator: '|'"),
    "multi_label.jsonl": (
        label_list,
        """
        format: multi_label
        inputs: [first, second]
        label: kinds
        allow_empty: true
        threshold: {apple: 0.3}
        metrics: [f1_micro, f1_macro, f1_samples, accuracy]
        """,
    ),
    "columns.csv": (label_columns, "format: multi_label\ninputs: [text]\nlabel: [plum, red]"),
    "columns.jsonl": (
        label_truths,
        "format: multi_label\ninputs: [text]\nlabel: [plum, red]\nthreshold: {red: 0.3}\nmetrics: [f1_macro]",
    ),
    "qa.csv": (question, "format: extractive_qa\ninputs: [question, passage]\nlabel: answer"),
    "unsure.csv": (unsure, "format: extractive_qa\ninputs: [question, passage]\nlabel: answer\nunanswerable: true"),
    "squad.jsonl": (squad, "format: extractive_qa\ninputs: [question, context]\nlabel: answers\nunused: [id]"),
    "replies.csv": (
        reply,
        "format: sequence_to_sequence\ninputs: [text]\nlabel: reply\nmetrics: [perplexity, token_accuracy, bleu]",
    ),
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
    return train(run, prepare(run), run.encoder)


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
    scores = result.main.scores["validation"]
    assert set(scores) == {*result.main.task.entry.metrics, "main"} and np.isfinite(list(scores.values())).all()
    assert run_view.splits(result.main.task).loc["validation", "examples"] == 16
    assert len(run_view.examples(result.main.task, 3)) == 3 and len(run_view.mistakes(result, 2)) <= 2
    run_view.predictions(result)
    plt.close("all")


def test_columns_of_labels_are_trained_alone_before_and_alongside_and_predict_files(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "results"))
    other = write_task(tmp_path, "classification.csv", *OWN["classification.csv"])
    entries = yaml.safe_load(Path(other).read_text().replace("own:", "fruit:"))
    task_file = write_task(tmp_path, "columns.csv", *OWN["columns.csv"])
    Path(task_file).write_text(yaml.safe_dump(yaml.safe_load(Path(task_file).read_text()) | entries))
    values = {"learning_rate": 5e-3, "num_train_epochs": 12, "per_device_train_batch_size": 8, "max_length": 32}
    run = Run(task="own", task_file=task_file, keep_encoder=True, **values)
    result = train(run, prepare(run), run.encoder)
    folder = save(result, run)
    assert result.main.task.entry.labels == ["plum", "red"] and result.main.task.splits["train"]["label"][0] == [1]
    assert result.main.scores["validation"]["main"] > 90 > result.main.majority["validation"]["main"]
    after = Run(
        task="fruit", task_file=task_file, parent=run.id(), alongside=["own"], **values | {"num_train_epochs": 1}
    )
    mixed = train(after, prepare(after), folder / "encoder").tasks
    assert {name: one.task.entry.labels for name, one in mixed.items()} == {
        "fruit": ["apple", "plum"],
        "own": ["plum", "red"],
    }

    exported = export_run(str(folder), tmp_path / "exported", say=lambda _: None)
    assert json.loads((exported / "config.json").read_text())["id2label"] == {"0": "plum", "1": "red"}
    said = []
    rows = [{"text": text, "plum": int(fruit == "plum"), "red": 0, "id": i} for text, fruit, _, i in sentences(4)]
    for name, changes in {
        "labelled.csv": {},
        "zeros.jsonl": {"plum": 0, "red": False},
        "hidden.csv": {"plum": -1, "red": -1},
        "empty.jsonl": {"plum": None, "red": None},
        "without.csv": {"plum": ..., "red": ...},
    }.items():
        told = [{key: one for key, one in (row | changes).items() if one is not ...} for row in rows]
        write_rows(tmp_path / name, told)
        predict_file(str(folder), tmp_path / name, tmp_path / f"{name}.out", say=said.append)
        table = pd.read_csv(tmp_path / f"{name}.out")
        assert table["prediction"].tolist() == ['["red"]', '["plum", "red"]', "[]", '["plum"]']
        assert table.columns.tolist() == ["row", "prediction", "p(plum)", "p(red)"]
    assert ["without labels; not read: id" in line for line in said if "rows;" in line or "rows, " in line] == [
        False, False, True, True, True
    ]  # fmt: skip
    assert "4 labelled rows: f1_micro 66.7" in said[2]
    write_rows(tmp_path / "one.csv", [{"text": "a", "plum": 1}])
    with pytest.raises(IntertaskError, match="one.csv: expected one column 'red', found 0 among"):
        predict_file(str(folder), tmp_path / "one.csv", None)


def test_what_a_threshold_would_reach_stands_below_the_scores(tmp_path):
    result = trained(write_task(tmp_path, "unsure.csv", *OWN["unsure.csv"]))
    table = run_view.score_table(result).loc[("own", "validation")]
    assert table.index[:3].tolist() == ["exact_match", "token_f1", "main"] and table["majority"].notna().sum() == 3
    details = result.main.details["validation"]
    assert details["best_token_f1"] >= result.main.scores["validation"]["token_f1"] >= 0
    assert table.loc["best_token_f1", "score"] == round(details["best_token_f1"], 1)
    assert table["majority"].isna().sum() == len(details) == 8


def ripeness(i, text, fruit, adjective):
    return {"text": text, "ripeness": (adjective == "red") + (fruit == "plum")}


def test_a_format_of_ones_own_is_a_class_that_an_entry_names(tmp_path):
    task_file = write_task(
        tmp_path, "ripe.csv", ripeness, "format: made_format.Ordinal\ninputs: [text]\nlabel: ripeness"
    )
    assert "own: made_format.Ordinal, scored by spearman" in checked(0, task_file)
    result = trained(task_file, num_train_epochs=8)
    assert result.main.task.entry.labels == ["0", "1", "2"]
    assert result.main.scores["validation"]["spearman"] > 80
    assert set(run_view.mistakes(result, 16)["error"]) <= {1, 2}
    assert run_view.predictions(result).axes[0].get_xlabel() == "predicted label"
    plt.close("all")


def test_the_code_of_a_format_of_ones_own_is_part_of_the_run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    code = "from made_format import Ordinal as Base\n\nclass Mine(Base):\n    pass\n"
    (tmp_path / "mine.py").write_text(code)
    task_file = write_task(tmp_path, "ripe.csv", ripeness, "format: mine.Mine\ninputs: [text]\nlabel: ripeness")
    first = Run(task="own", task_file=task_file).id()
    (tmp_path / "mine.py").write_text(code + "    keys = ()\n")
    assert Run(task="own", task_file=task_file).id() != first


@pytest.mark.parametrize(
    "name", ["made_format.Cardinal", "no_such_lab.Ordinal", "ordinal", "made_format.PooledHead", "math.pi"]
)
def test_a_format_that_is_none_is_refused(name, tmp_path):
    task_file = write_task(tmp_path, "ripe.csv", ripeness, f"format: {name}\ninputs: [text]\nlabel: ripeness")
    said = checked(2, task_file)
    assert "task 'own': Key 'format': expected the name of a format, " in said and f"found '{name}'" in said


def test_a_study_of_own_tasks_is_checked_run_and_scored_from_the_command_line(tmp_path):
    entries = {}
    for file in ("edge_probing.jsonl", "qa.csv"):
        write_task(tmp_path, file, *OWN[file])
        entries |= {file.split(".")[0]: yaml.safe_load((tmp_path / "own.yaml").read_text())["own"]}
    train = {"learning_rate": 1e-3, "num_train_epochs": 1, "max_length": 32}
    study = write_study(
        tmp_path, targets=list(entries), supporting=[], regimes=["single"], seeds=1, train=train, report=[]
    )
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump(entries))
    assert "tiny is sound: 2 runs" in succeed("check", study, results=tmp_path / "results")
    assert "All runs of tiny are finished" in succeed(
        "run", study, "--workers", 1, results=tmp_path / "results", start=command
    )
    scores = succeed("scores", study, results=tmp_path / "results")
    assert "edge_probing,validation,f1_micro," in scores and "qa,validation,token_f1," in scores


ODD = [
    "😀 a plum",
    "\u202eثمرة\u202c a plum",
    "a\0plum",
    "{plum} {0} {{",
    "%s %(plum)d %",
    '"""plum\'\'\' \\"',
    "$a_{plum}$ `plum`",
]
ODD += [
    "</script><script>window.pwned=1</script> plum",
    "<img src=x onerror=x()>",
    "a\u2028plum\x85",
    "plum " * 2_000_000,
]
ODD_LABELS = ["</script> {x} %s", '"""🍑']


def test_texts_and_names_of_any_kind_are_trained_on_and_shown(tmp_path):
    """The last text has 10 MB."""
    study = write_study(
        tmp_path, title="{odd} %s </script> 🍑", targets=["odd"], supporting=[], regimes=["single"], seeds=1,
        train={"learning_rate": 1e-3, "num_train_epochs": 1, "max_length": 32}, report=["restarts"],
    )  # fmt: skip
    for name, count in (("train", 22), ("dev", 12)):
        rows = [{"text": ODD[i % len(ODD)], "fruit": ODD_LABELS[i % 2]} for i in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    entry = {"files": {"train": "train.jsonl", "validation": "dev.jsonl"}, "format": "classification"}
    entry |= {"inputs": ["text"], "label": "fruit", "labels": ODD_LABELS}
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"odd": entry}))
    results = tmp_path / "{results} %s 🍑"
    succeed("run", study, results=results)
    assert "odd,validation,accuracy," in succeed("scores", study, results=results)
    (notebook,) = results.glob("runs/odd*/notebook.ipynb")
    assert notebook.stat().st_size < 10**6
    index = Path(succeed("report", study, results=results).splitlines()[-1]).read_text()
    assert "</script> 🍑" not in index and "&lt;/script&gt; 🍑" in index


def spoiled(folder, file: str, number: int, changes: dict) -> str:
    """The task with one of its training rows changed."""
    task_file = write_task(folder, file, *OWN[file])
    train = folder / f"train_{file}"
    if train.suffix == ".jsonl":
        rows = [json.loads(line) for line in train.read_text().splitlines()]
    else:
        with train.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    rows[number] |= changes
    write_rows(train, rows)
    return task_file


@pytest.mark.parametrize(
    "file, changes, parts",
    [
        ("spans.csv", {"end": 6}, ["a span within the text's 5 words", "[2, 6)"]),
        ("spans.csv", {"start": -1}, ["a span within the text's 5 words", "[-1, 3)"]),
        ("spans.csv", {"start": "two"}, ["two whole numbers", "('two', '3')"]),
        ("characters.jsonl", {"place": [8, 8]}, ["its end behind its start", "[8, 8)"]),
        ("characters.jsonl", {"place": None}, ["a span as [start, end)", "None"]),
        ("edge_probing.jsonl", {"targets": [{"span1": [0, 1], "label": "det"}]}, ["a span as [start, end)", "None"]),
        ("multiple_choice.csv", {"second": "", "third": ""}, ["two or more texts", "['apple']"]),
        (
            "multiple_choice.jsonl",
            {"options": "['a', 'b']"},
            ["two or more texts", "holds no list"],
        ),
        ("characters.jsonl", {"place": "[1, 2]"}, ["two whole numbers, found '[1, 2]'", '["start:end"]']),
        ("multiple_choice.jsonl", {"options": ["apple", "plum"], "answer": 2}, ["one of the row's 2 choices", "3"]),
        ("cloze.csv", {"answer": "pear"}, ["an answer that is among the choices", "['pear']"]),
        ("qa.csv", {"answer": "pear"}, ["an answer that stands in the passage", "'pear'"]),
        ("qa.csv", {"answer": "Plum"}, ["an answer that stands in the passage", "'Plum'"]),
        ("squad.jsonl", {"answers": {"text": ["plum"], "answer_start": [7]}}, ["stands in the passage", "'plum'"]),
        ("squad.jsonl", {"answers": {"text": [], "answer_start": []}}, ["an answer", "none", "unanswerable: true"]),
        ("tagging.csv", {"tags": "DET NOUN"}, ["as many tags as words, 5", "found 2"]),
        ("tagging.jsonl", {"tags": []}, ["as many tags as words", "found 0"]),
        ("tagging.jsonl", {"words": ["the", "\u200b", "plum", "is", "1"]}, ["words", "one character that shows"]),
        ("multi_label.csv", {"kinds": ""}, ["a label or several", "allow_empty"]),
        ("columns.jsonl", {"red": 0.5}, ["label column 'red': expected 0 or 1, or false or true, found '0.5'"]),
        ("columns.csv", {"red": 2}, ["label column 'red': expected 0 or 1, or false or true, found '2'"]),
        ("regression.csv", {"ripeness": 7}, ["a number from 0 to 5", "'7'"]),
        ("classification.csv", {"fruit": ""}, ["a label in every row", "null"]),
    ],
)
def test_a_bad_row_is_refused_with_its_place(file, changes, parts, tmp_path):
    output = checked(2, spoiled(tmp_path, file, 3, changes))
    for part in [f"train_{file}, row 4", *parts]:
        assert part in output


def test_a_broken_line_is_refused_with_its_number(tmp_path):
    task_file = write_task(tmp_path, "qa.csv", *OWN["qa.csv"])
    path = tmp_path / "train_qa.csv"
    path.write_text(path.read_text() + '"which ?","a red plum\n')
    assert "train_qa.csv, row 49 (line 50)" in checked(2, task_file)
    task_file = write_task(tmp_path, "squad.jsonl", *OWN["squad.jsonl"])
    path = tmp_path / "train_squad.jsonl"
    path.write_text("\n" + path.read_text() + '{"id": "q7", "question": "wh')
    assert "train_squad.jsonl, row 49 (line 50): expected valid JSON" in checked(2, task_file)


def long_texts(places):
    """Rows of span_columns; those at `places` have their span behind forty words."""

    def row(i, text, fruit, adjective):
        before = "a " * 40 if i in places else ""
        start = 2 + len(before.split())
        return {"text": before + text, "start": start, "end": start + 1, "kind": fruit}

    return row


def test_spans_that_truncation_cuts_are_counted(tmp_path):
    task_file = write_task(tmp_path, "spans.csv", long_texts((3, 20)), OWN["spans.csv"][1])
    output = checked(0, task_file, "--encoder", "mini/bert", "--max-length", "32")
    assert "examples cut spans cut train 11 13 50 50 2 2 validation 11 13 13 13 0 0" in output
    assert trained(task_file).main.cut_spans == {"train": 2, "validation": 0}


def test_too_many_spans_that_truncation_cuts_are_refused(tmp_path):
    task_file = write_task(tmp_path, "spans.csv", long_texts(range(0, 48, 8)), OWN["spans.csv"][1])
    expected = "at most 5% of the spans of own lose tokens, found 6 of 48 at 32 tokens. Raise max_length"
    assert expected in checked(2, task_file, "--encoder", "mini/bert", "--max-length", "32")
    with pytest.raises(IntertaskError, match="found 6 of 48 at 32 tokens"):
        trained(task_file)
    assert "0 0 validation" in checked(0, task_file, "--encoder", "mini/bert", "--max-length", "64")


ROWS = [
    ("a red plum", "plum"),
    ("an apple", "apple"),
    ("a red plum", "plum"),
    ("a red plum", "apple"),
    (" ", "apple"),
]


def write_reviews(folder, **fields) -> str:
    """Ten rows of train, of which three are there before, one with another label; three of dev."""
    rows = [*ROWS, *[(f"a plum {i}", "plum") for i in range(5)]]
    dev = [("an apple", "apple"), ("a red plum", "apple"), ("a pear", "apple")]
    for name, examples in {"train": rows, "dev": dev}.items():
        write_rows(folder / f"{name}.csv", [dict(zip(("text", "fruit"), row, strict=True)) for row in examples])
    entry = {"files": {"train": "train.csv", "validation": "dev.csv"}, "format": "classification", "inputs": ["text"]}
    path = folder / "own.yaml"
    path.write_text(json.dumps({"own": entry | {"label": "fruit"} | fields, "other": entry | {"label": "friut"}}))
    return str(path)


def test_what_may_surprise_is_said_and_not_refused(tmp_path):
    output = checked(0, write_reviews(tmp_path, sizes={"train": 12}), "own")
    for sentence in (
        "validation has 3 examples: one of them is 33.3 points of accuracy.",
        "train has 10 examples; the entry's `sizes` says 12.",
        "train: 1 of 10 examples (10.0 %) have an empty text in text, the first: number 5.",
        "validation lacks 1 of 2 labels: plum.",
        "labels with fewer than 10 examples in train: plum (7), apple (3).",
        "train: 2 of 10 examples (20.0 %) repeat an earlier one, 1 of them with another label; the first: 'a red plum'",
        "validation: 2 of 3 examples (66.7 %) are in train as well, the first: 'an apple'",
    ):
        assert sentence in output
    assert "% apple 30.0 100.0" in output and "% plum 70.0 0.0" in output and "train 70.0 70.0" in output


def test_every_task_of_the_file_is_checked_and_what_is_wrong_comes_last(tmp_path):
    output = checked(2, write_reviews(tmp_path))
    assert "# own: classification" in output
    assert output.index("# own") < output.index("one column 'friut', found 0 among ['text', 'fruit']. ")
    assert "Did you mean 'own'?" in checked(2, write_reviews(tmp_path), "wn")


def test_the_same_text_with_another_span_or_other_choices_is_another_example(tmp_path):
    def row(i, text, fruit, adjective):
        return {"text": "the red plum is here", "start": i, "end": i + 1, "kind": fruit}

    output = checked(0, write_task(tmp_path, "spans.csv", row, OWN["spans.csv"][1], train=3, dev=2))
    assert "repeat" not in output and "in train as well" not in output


def test_a_list_written_as_text_is_refused(tmp_path):
    def row(i, text, fruit, adjective):
        return {name: str(value) for name, value in tagged_list(i, text, fruit, adjective).items()}

    output = checked(2, write_task(tmp_path, "tagging.csv", row, OWN["tagging.csv"][1]))
    assert "row 1, column 'tags': expected a list, or text, found \"['DET'" in output


def test_an_example_without_targets_is_shown(tmp_path):
    output = checked(0, spoiled(tmp_path, "edge_probing.jsonl", 0, {"targets": []}))
    assert "- text: the red apple is 0 label: none - text: [the]1 red [plum]2 is 1 label: det plum" in output


def test_the_page_on_tasks_shows_every_format_with_its_metrics():
    section = (Path(__file__).parents[1] / "docs" / "tasks.md").read_text(encoding="utf-8")
    for name, form in FORMATS.items():
        assert f"`{name}`" in section
        assert all(f"`{metric}`" in section for metric in form.metrics)
