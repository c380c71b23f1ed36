"""Predictions of a finished run on any file: as the run recorded them, by name, part by part, whole or not at all."""

import json
import math
import re
import shutil
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from intertask.cli import app
from intertask.errors import IntertaskError
from intertask.formats import find_format
from intertask.run import Run
from intertask.tasks.catalogue import find_entry
from intertask.tasks.data_files import read_parts
from intertask.tasks.rows import raw_splits
from intertask.tasks.sources import Source
from intertask.tasks.splits import other_rows
from intertask.training import prepare, train
from intertask.training.model import HEADS, WHOSE
from intertask.training.record import save
from intertask.use import predict
from intertask.use.predict import predict_file
from made_store import reseal, write_failure

FEW = {"limit": 32, "max_steps": 4, "max_length": 64, "learning_rate": 1e-3, "keep_encoder": True}
DEV = "sentence1\tsentence2\tlabel\n" + 3 * "the dog sees anna .\tanna is seen .\tentailment\n"


def kept(task, **settings):
    """What a run that learns as good as nothing recorded of its task, and its folder."""
    run = Run(task=task, **(FEW | settings))
    result = train(run, prepare(run), "mini/bert")
    return result.main, save(result, run)


def written(frame, path):
    """The rows as a file of that kind."""
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        rows = [json.dumps(row, default=lambda one: one.tolist()) for row in frame.to_dict("records")]
        path.write_text("\n".join(rows))
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


def dev_of(task):
    return raw_splits(find_entry(task), Source({}))["validation"].reset_index(drop=True)


def predicted(folder, file, **more) -> tuple[pd.DataFrame, list[str]]:
    """What it writes, and what it says."""
    said, csv = [], file.with_name("out.csv")
    predict_file(str(folder), file, csv, say=said.append, **more)
    return pd.read_csv(csv, dtype={"prediction": str}, keep_default_na=False, na_values={"p(0)": ""}), said


@pytest.fixture(scope="module", autouse=True)
def module_results(tmp_path_factory):
    """Runs by hand lie here for all tests of this file."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture(autouse=True)
def results(module_results, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(module_results))


@pytest.fixture(scope="module")
def rte(module_results):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERTASK_RESULTS", str(module_results))
        return kept("mini/rte")


@pytest.mark.parametrize(
    "task, kind",
    [
        ("mini/multirc", "jsonl"),
        ("mini/stsb", "csv"),
        ("mini/copa", "parquet"),
        ("mini/ccg", "parquet"),
        ("mini/ner", "jsonl"),
        ("mini/goemotions", "parquet"),
        ("mini/qamr", "jsonl"),
        ("mini/wnut17", "jsonl"),
        ("mini/squad_v2", "jsonl"),
    ],
)
def test_the_dev_set_as_a_file_is_predicted_as_the_run_recorded(tmp_path, monkeypatch, task, kind):
    monkeypatch.setattr(predict, "ROWS_IN_MEMORY", 100)  # several parts; a question of MultiRC lies in two
    outcome, folder = kept(task)
    form, recorded = outcome.task.form, outcome.predictions.query("split == 'validation'")
    table, said = predicted(folder, written(dev_of(task), tmp_path / f"dev.{kind}"))

    names = form.entry.labels
    assert table["row"].tolist() == list(range(1, len(outcome.task.splits["validation"]) + 1))
    given = table["prediction"].tolist()
    if form.several_targets:
        given = [cell for row in given for cell in json.loads(row)]
    if form.label_dtype is np.float64:
        assert np.allclose(np.array(given, float), recorded["prediction"], atol=2e-6)
    elif form.label_dtype is object and names:
        given = given if form.several_targets else [json.loads(cell) for cell in given]
        assert given == [[names[i] for i in one] for one in recorded["prediction"]]
    else:
        assert given == [names[one] if names else one for one in recorded["prediction"]]
    if names and form.keeps_logits:
        cells = [table[f"p({name})"] for name in names]
        cells = [cell.map(json.loads).explode() if form.several_targets else cell for cell in cells]
        logits = np.exp(np.stack(recorded["logits"]).astype(float))
        shares = logits / (1 + logits) if form.label_dtype is object else logits / logits.sum(axis=1, keepdims=True)
        assert np.allclose(np.stack(cells, axis=1).astype(float), shares, atol=2e-6)
    scores, majority = outcome.scores["validation"], outcome.majority["validation"]
    words = ", ".join(f"{metric} {value:.1f} ({majority[metric]:.1f})" for metric, value in scores.items())
    assert said[-1] == f"{len(table)} labelled rows: {words}; in brackets {form.baseline}"


def test_columns_may_stand_in_any_order_beside_others_and_without_labels(tmp_path, rte):
    outcome, folder = rte
    dev = dev_of("mini/rte").assign(note="=1+1")
    recorded = [outcome.task.entry.labels[i] for i in outcome.predictions.query("split == 'validation'")["prediction"]]
    labelled, said = predicted(folder, written(dev[["label", "note", "sentence2", "sentence1"]], tmp_path / "a.tsv"))
    assert labelled["prediction"].tolist() == recorded
    assert said[0] == f"{tmp_path}/a.tsv: {len(dev)} rows; not read: note" and "labelled rows: accuracy" in said[-1]
    for hidden in (dev.drop(columns="label"), dev.assign(label="hidden")):
        table, said = predicted(folder, written(hidden, tmp_path / "b.csv"))
        pd.testing.assert_frame_equal(table, labelled)
        assert "rows, without labels; not read: note" in said[0] and said[-1].endswith(f"{len(dev)} rows predicted")


def test_the_command_writes_to_standard_output_or_a_file(tmp_path, rte):
    (tmp_path / "two.tsv").write_text(DEV + "the dog sees anna .\t" + "a dog " * 90 + "\tnot_entailment\n")
    one = CliRunner().invoke(app, ["predict", str(rte[1]), str(tmp_path / "two.tsv")])
    assert one.exit_code == 0, one.output
    assert one.stdout.splitlines()[0] == "row,prediction,p(entailment),p(not_entailment)"
    assert len(one.stdout.splitlines()) == 5 and "4 labelled rows: accuracy" in one.stderr
    assert "4 rows predicted, 1 of them cut at max_length 64" in one.stderr and "\r" not in one.stderr  # no bar
    csv = tmp_path / "out.csv"
    two = CliRunner().invoke(app, ["predict", str(rte[1]), str(tmp_path / "two.tsv"), "--csv", str(csv)])
    assert csv.read_text() == one.stdout and f"{csv}: 4 rows predicted" in two.stdout


def test_the_threshold_that_was_best_on_dev_reaches_there_what_the_run_recorded(tmp_path, refused):
    outcome, folder = kept("mini/squad_v2")
    file, details = written(dev_of("mini/squad_v2"), tmp_path / "dev.jsonl"), outcome.details["validation"]
    for name in ("exact_match", "token_f1"):
        best = float(re.search(rf"(\S+) for {name} on validation", predicted(folder, file)[1][1])[1])
        table, said = predicted(folder, file, threshold=best)
        assert f"{name} {details[f'best_{name}']:.1f} (" in said[-1]
        assert said[1].startswith(
            f"No answer is given where it scores more than {best:g} above the best answer; best ("
        )
        assert best == details[f"best_{name}_threshold"]  # a rounded one may fall on the other side of an example
    assert (table["prediction"] == "").sum() == (outcome.predictions["no_answer"] > best).sum()
    assert "scores more than 0 above" in predicted(folder, file)[1][1]
    one = CliRunner().invoke(app, ["predict", str(folder), str(file), "--threshold", "-1e9"])
    assert one.exit_code == 0 and set(pd.read_csv(StringIO(one.stdout), keep_default_na=False)["prediction"]) == {""}
    refused(lambda: predicted(folder, file, threshold=math.nan), "--threshold: expected a number between -inf and inf")


def test_a_threshold_of_labels_is_that_of_all_of_them(tmp_path, rte, refused):
    _, folder = kept("mini/goemotions")
    file = written(dev_of("mini/goemotions"), tmp_path / "dev.parquet")
    table, said = predicted(folder, file, threshold=0.3)
    columns = [name for name in table if name.startswith("p(")]
    given = [[name[2:-1] for name in columns if row[name] >= 0.3] for _, row in table.iterrows()]
    assert [json.loads(cell) for cell in table["prediction"]] == given and any(given)
    refused(lambda: predicted(folder, file, threshold=1.0), "--threshold: expected a number between 0 and 1, found 1.0")
    (tmp_path / "two.tsv").write_text(DEV)
    words = (
        "--threshold: expected a task of multi_label, or of extractive_qa with unanswerable: true, found classification"
    )
    refused(lambda: predicted(rte[1], tmp_path / "two.tsv", threshold=0.3), words)


def test_probabilities_by_hand():
    def table(task, predictions, logits, rows, of=None, cut=False):
        form = find_format(task.format)(task)
        made = {"row": of or rows, "prediction": predictions, "logits": [np.array(one) for one in logits], "cut": cut}
        return predict._named(form, pd.Index(rows, name="row"), pd.DataFrame(made)).to_dict("list")

    two = find_entry("mini/rte").model_copy(update={"labels": ["yes", "no"]})
    found = table(two, [0], [[math.log(3), 0.0]], [7])
    assert found == {"row": [7], "prediction": ["yes"], "p(yes)": [0.75], "p(no)": [0.25]}
    choice = find_entry("mini/copa").model_copy(update={"labels": ["0", "1", "2"]})
    found = table(choice, [1], [[0.0, math.log(4), -np.inf]], [1])
    assert (found["p(0)"], found["p(1)"]) == ([0.2], [0.8]) and np.isnan(found["p(2)"][0])  # no third choice
    spans = find_entry("mini/ner").model_copy(update={"labels": ["A", "B"]})
    cells = [[[0], [0, 1]], [[math.log(3), -math.log(4)], [0.0, math.log(9)]]]
    found = table(spans, *cells, [1, 2], of=[2, 2])  # a row without a target, one with two
    assert found["prediction"] == ["[]", '[["A"], ["A", "B"]]']
    assert found["p(A)"] == ["[]", "[0.75, 0.5]"] and found["p(B)"] == ["[]", "[0.2, 0.9]"]
    tags = find_entry("mini/ccg").model_copy(update={"labels": ["N", "V"]})
    found = table(tags, [1, 0], [[0.0, math.log(4)], [math.log(3), 0.0]], [1], of=[1, 1])
    assert found == {"row": [1], "prediction": ['["V", "N"]'], "p": ["[0.8, 0.75]"]}
    found = table(tags, [1, 0], [[0.0, math.log(4)], [math.log(3), 0.0]], [1], of=[1, 1], cut=[False, True])
    assert found == {"row": [1], "prediction": ['["V", null]'], "p": ["[0.8, null]"]}


def test_words_that_are_cut_have_no_tag(made, tmp_path):
    rows = [["a"] * 30, ["b"] * 3]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"words": one}) + "\n" for one in rows))
    table, said = predicted(made("tags").folder, tmp_path / "t.jsonl")  # a blank is a token too, of 24
    (long, short), shares = map(json.loads, table["prediction"]), [*map(json.loads, table["p"])]
    assert len(long) == 30 and None not in long[:11] and long[11:] == shares[0][11:] == [None] * 19
    assert None not in short + shares[1] and said[-1].endswith("2 rows predicted, 1 of them cut at max_length 24")


def test_ids_that_names_of_labels_contradict_are_refused(tmp_path, refused):
    (tmp_path / "t.csv").write_text("label,sentence1,sentence2\n1,x,y\n1,x,y\n")
    rows = next(read_parts(tmp_path / "t.csv", 9))
    for labels in (["true", "false"], ["1 star", "2 stars"]):
        entry = find_entry("mini/rte").model_copy(update={"labels": labels})
        refused(lambda of=entry: other_rows(of, rows, True), "t.csv, row 1", "each number at its place", f"{labels}")


def test_a_label_that_the_task_drops_is_predicted_and_not_scored(tmp_path):
    entry = find_entry("mini/rte").model_copy(update={"labels": ["a", "b"], "drop_label": -1})
    (tmp_path / "t.csv").write_text("label,sentence1,sentence2\n-1,x,y\nb,x,y\n1,x,y\n")
    with pytest.raises(IntertaskError, match="row 2.*labels of one column all as numbers or all as names"):
        other_rows(entry, next(read_parts(tmp_path / "t.csv", 9)), True)
    (tmp_path / "t.csv").write_text("label,sentence1,sentence2\n-1,x,y\n1,x,y\n1,x,y\n")  # ids, though none is 0
    rows = other_rows(entry, next(read_parts(tmp_path / "t.csv", 9)), True)
    assert rows.index.tolist() == [1, 2, 3] and rows["label"].fillna(-9).tolist() == [-9, 1, 1]


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("t.tsv", "text\tlabel\na\tentailment\n", ["one column 'sentence1'", "0 among ['text', 'label']"]),
        ("t.tsv", "sentence1\tsentence_2\na\tb\n", ["one column 'sentence2'", "Did you mean 'sentence_2'"]),
        ("t.tsv", DEV + "a\tb\tentailed\n", ["row 4, label column", "one of entailment", "'entailed'", "Did you"]),
        ("t.tsv", DEV + "a\tb\t\n", ["t.tsv, row 4", "a label in every row of a labelled split", "null"]),
        ("t.tsv", DEV + "a\tb\n", ["t.tsv, row 4 (line 5)", "3 well-formed fields", "2 fields"]),
        ("t.tsv", "sentence1\tsentence2\n", ["t.tsv", "at least one row", "none"]),
        ("t.csv", "", ["t.csv", "one column 'sentence1'", "an empty file"]),
        ("t.jsonl", '{"sentence1": "", "sentence2": ""}\n{"sentence1": ""}\n', ["row 2, column 'sentence2'", "null"]),
        ("t.jsonl", '{"sentence1": "a"\n', ["t.jsonl, row 1 (line 1)", "valid JSON"]),
        ("t.csv", b"sentence1,sentence2\n\xff,b\n", ["t.csv, line 2", "text in UTF-8", "iconv"]),
        ("t.parquet", "PAR1", ["a complete Parquet file"]),
        ("t.xlsx", "x", ["a file name that ends in .csv"]),
        ("", "", ["a file that can be read"]),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_before_the_model_is_loaded(tmp_path, monkeypatch, rte, refused, name, content, words):
    monkeypatch.setattr(predict, "stored_model", None)
    monkeypatch.setattr(predict, "ROWS_IN_MEMORY", 2)
    if name:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(lambda: predict_file(str(rte[1]), tmp_path / name, tmp_path / "out.csv"), *words)
    assert not (tmp_path / "out.csv").exists()


def test_a_run_that_cannot_predict_is_refused_and_says_how_to_make_one(tmp_path, module_results, rte, refused):
    file = tmp_path / "t.tsv"
    file.write_text(DEV)

    def fails(run, *words, **more):
        refused(lambda: predict_file(str(run), file, tmp_path / "out.csv", **more), *words)

    _, without = kept("mini/rte", keep_encoder=False, seed=1)
    fails(without, "a run that kept its encoder", f"-f {without}/parameters.yaml -p keep_encoder True")
    shutil.copytree(without, module_results / "runs" / without.name)
    fails(without.name[:20], "a run that kept its encoder", f"--redo {without.name} --keep")
    write_failure(module_results, "mini-rte.bert.s9-0123456789ab", "the loss became NaN")
    fails("mini-rte.bert.s9", "that it failed (cell 4: the loss became NaN)", "--retry-failed")
    fails("mini-mnli", "There is no run 'mini-mnli'")
    fails(rte[1], "a task that the run trained", "Name one of mini/rte", task="mini/cola")
    predict_file(str(rte[1]), file, tmp_path / "out.csv", task="mini/rte", say=lambda _: None)
    former = find_entry("mini/rte").content() | {"metrics": ["micro_f1"]}
    words = {"mini/rte": ["a run scored by accuracy, f1", "found micro_f1", "Train it with this version"]}
    for task in ("mini/text", "mini/translation"):
        words[task] = [task, "a task that gives each text a label", find_entry(task).format]
    for task, said in words.items():
        folder = shutil.copytree(rte[1], tmp_path / rte[1].name, dirs_exist_ok=True)
        told = {task: {"head": "task:", "entry": former if task == "mini/rte" else find_entry(task).content()}}
        heads = folder / "encoder" / HEADS
        save_file(load_file(heads), heads, {WHOSE: json.dumps(told)})
        reseal(folder)
        fails(folder, *said)
    one = tmp_path / "same.csv"
    one.write_text(DEV.replace("\t", ","))
    refused(lambda: predict_file(str(rte[1]), one, one), "another file than the one that is read")


def test_of_a_mixture_a_task_is_named_and_its_checkpoint_told(tmp_path, refused):
    _, folder = kept("mini/rte", alongside=["mini/cola"])
    file = written(dev_of("mini/cola"), tmp_path / "t.jsonl")
    refused(lambda: predict_file(str(folder), file, None), "none named of 2", "mini/rte, mini/cola")
    table, said = predicted(folder, file, task="mini/cola")
    assert len(table) == len(dev_of("mini/cola"))
    assert "The encoder is that of the best checkpoint for mini/rte: for mini/cola it may not be its best one." in said


def test_a_prediction_that_fails_leaves_what_was_there(tmp_path, monkeypatch, rte):
    monkeypatch.setattr(predict, "ROWS_IN_MEMORY", 2)
    done, real = [], predict.predict

    def failing(*arguments):
        done.append(1)
        if len(done) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(predict, "predict", failing)
    (tmp_path / "t.tsv").write_text(DEV)
    (tmp_path / "out.csv").write_text("former\n")
    with pytest.raises(KeyboardInterrupt):
        predict_file(str(rte[1]), tmp_path / "t.tsv", tmp_path / "out.csv", say=lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "t.tsv"]
    assert (tmp_path / "out.csv").read_text() == "former\n"
