"""Predictions of other tools, example by example: read, refused, and paired as one's own are."""

import json

import pandas as pd
import pytest
import yaml

from intertask.analysis.cells import restart_pairs
from intertask.analysis.flips import flips
from intertask.analysis.inference import transfer_intervals
from intertask.analysis.read import read_predictions, read_runs, read_scores
from intertask.analysis.score_tables import keep
from intertask.errors import IntertaskError
from intertask.metrics import span_counts, span_f1
from made_store import make_store, write_predictions

GOLD = [0, 1] * 10
WRONG = {  # by regime and seed, which of the 20 examples
    ("single", 0): [*range(8)], ("single", 1): [*range(4, 14)], ("stilts", 0): [0, 1, 2], ("stilts", 1): [0, 5, 9, 19],
}  # fmt: skip
NAMES = ["not_entailment", "entailment"]
RIGHT = {"row": "doc_id", "right": "acc"}
SAID = {"row": "doc_id", "label": "target", "prediction": "said"}


def said(key) -> list[int]:
    return [1 - label if row in WRONG[key] else label for row, label in enumerate(GOLD)]


def log(key, names) -> list[dict]:
    """As an evaluation harness logs its samples: a document with its number, what was wanted, and what came of it."""
    return [
        {"doc_id": row, "doc": {"premise": "a"}, "target": names[label], "arguments": [["a", " b"]],
         "filtered_resps": [names[given]], "said": names[given], "acc": float(label == given)}
        for row, (label, given) in enumerate(zip(GOLD, said(key), strict=True))
    ]  # fmt: skip


def source(folder, columns, names=NAMES, change=None, **values):
    files = []
    for regime, seed in WRONG:
        file, rows = f"{regime}{seed}.jsonl", log((regime, seed), names)
        rows = change(rows, (regime, seed)) if change else rows
        (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
        files.append({"file": file, "values": {"seed": seed} | ({"supporting": "x"} if regime == "stilts" else {})})
    keys = {"title": "Theirs", "predictions": files, "columns": columns}
    (folder / "theirs.yaml").write_text(yaml.safe_dump(keys | {"values": {"encoder": "e", "target": "t"} | values}))
    return folder / "theirs.yaml"


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


def intervals(study):
    runs = read_runs(study, predictions=True)
    return transfer_intervals(runs, read_scores(study), read_predictions(runs))


@pytest.fixture
def own(results):
    """Intervals of two pairs of our own runs with the same predictions."""

    def score(target, task, seed):
        return 100 - 5 * len(WRONG["stilts" if task else "single", seed])

    make_store(results, score, name="own", targets=["mini/rte"], supporting=["mini/mnli"], seeds=2)
    runs = read_runs("own", results)
    for row in runs[runs["stage"] == "target"].itertuples():
        write_predictions(results, row.run, "validation", GOLD, said((row.regime, row.seed)))
    return intervals("own")


@pytest.mark.parametrize(("columns", "names"), [(RIGHT, NAMES), (SAID, NAMES), (SAID, [0, 1])])
def test_paired_intervals_of_logs_are_those_of_our_own_runs(columns, names, own, results, tmp_path):
    keep(source(tmp_path, columns, names), "theirs")
    found = intervals("theirs")
    over = ["examples", "examples_low", "examples_high", "both_low", "both_high", "examples_detectable"]
    pd.testing.assert_frame_equal(found[over], own[over])
    assert found["examples"].tolist() == [20] and found["examples_low"].notna().all()
    scores = read_runs("theirs").set_index(["regime", "seed"])["score"]
    assert scores.to_dict() == {key: 100 - 5 * len(wrong) for key, wrong in WRONG.items()}


def test_predictions_are_read_where_the_table_lies(results, tmp_path, monkeypatch):
    keep(source(tmp_path, RIGHT), "theirs")
    there = read_predictions(read_runs("theirs"))
    (results / "runs").mkdir()
    monkeypatch.setenv("INTERTASK_POOLS", str(results))
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path / "mine"))
    pd.testing.assert_frame_equal(read_predictions(read_runs("theirs")), there)


def test_another_metric_is_counted_from_labels_and_predictions(results, tmp_path):
    keep(source(tmp_path, SAID, [0, 1], metric="f1"), "theirs")
    # single, seed 0: of the first eight none is right, of ten ones six are found, and four zeros are called one
    assert read_runs("theirs").set_index(["regime", "seed"])["score"]["single", 0] == pytest.approx(60)
    keep(source(tmp_path, SAID | {"right": "acc"}, [0, 1], metric="f1"), "both")  # of what is right, 75
    assert read_runs("both")["score"].tolist() == read_runs("theirs")["score"].tolist()


def test_two_metrics_of_a_run_are_counted_from_the_same_answers(results, tmp_path):
    path = source(tmp_path, SAID, [0, 1], metric="accuracy")
    said = yaml.safe_load(path.read_text())
    for one in said["predictions"][:]:
        text = (tmp_path / one["file"]).read_text()
        (tmp_path / f"f1_{one['file']}").write_text(text)
        said["predictions"].append({"file": f"f1_{one['file']}", "values": one["values"] | {"metric": "f1"}})
    path.write_text(yaml.safe_dump(said))
    keep(path, "theirs")
    runs = read_runs("theirs", predictions=True)
    assert runs.set_index(["regime", "seed"])["score"]["single", 0] == pytest.approx((60 + 60) / 2)
    assert len(read_predictions(runs)) == 4 * 20 and intervals("theirs")["both_low"].notna().all()
    (tmp_path / "f1_single0.jsonl").write_text(text)  # of another run
    with pytest.raises(IntertaskError, match="t: expected one answer of a run to each example, found two to row 1"):
        keep(path, "others")


SENTENCES = (
    "B-x I-x O", "O B-y", "S-x O B-x", "O", "B-x I-y O O", "B-x B-x", "I-x I-x O B-y", "O B-x E-x", "B-x", "B-y O S-y"
)  # fmt: skip


def tags_said(key) -> list[list[str]]:
    """Of sentences in which the run is wrong, the tags backwards."""
    sentences = [one.split() for one in (*SENTENCES, *SENTENCES)]
    return [one[::-1] if row in WRONG[key] else one for row, one in enumerate(sentences)]


@pytest.mark.parametrize("as_written", [list, " ".join])
def test_spans_of_tags_are_counted_and_paired_as_those_of_our_own_runs(as_written, results, tmp_path):
    def tagged(rows, key):
        both = zip(rows, (*SENTENCES, *SENTENCES), tags_said(key), strict=True)
        return [row | {"target": as_written(gold.split()), "said": as_written(own)} for row, gold, own in both]

    keep(source(tmp_path, SAID, change=tagged, metric="span_f1"), "theirs")
    found, names = intervals("theirs"), sorted({tag for one in SENTENCES for tag in one.split()})
    scores = read_runs("theirs").set_index(["regime", "seed"])["score"]
    gold = [tag for one in (*SENTENCES, *SENTENCES) for tag in one.split()]
    groups = [row for row, one in enumerate((*SENTENCES, *SENTENCES)) for _ in one.split()]
    words = {key: [tag for one in tags_said(key) for tag in one] for key in WRONG}
    ids = {key: [[names.index(tag) for tag in one] for one in (gold, own)] for key, own in words.items()}
    assert scores.to_dict() == {key: pytest.approx(100 * span_f1(*one, groups, names)) for key, one in ids.items()}

    make_store(
        results, lambda target, task, seed: float(scores["stilts" if task else "single", seed]), name="own",
        targets=["mini/wnut17"], supporting=["mini/mnli"], seeds=2,
    )  # fmt: skip
    runs = read_runs("own", results)
    for row in runs[runs["stage"] == "target"].itertuples():
        counts = span_counts(*ids[row.regime, row.seed], groups, names)
        write_predictions(results, row.run, "validation", *ids[row.regime, row.seed], row=groups, **counts)
    runs, scores = read_runs("own", predictions=True), read_scores("own").query("metric != 'main'")
    own = transfer_intervals(runs, scores.assign(metric="span_f1"), read_predictions(runs))
    over = ["examples", "examples_low", "examples_high", "both_low", "both_high", "examples_detectable"]
    pd.testing.assert_frame_equal(found[over], own[over])
    assert found["examples"].tolist() == [20] and found["examples_low"].notna().all()


def test_which_examples_flip_is_not_shown_of_them(results, tmp_path):
    keep(source(tmp_path, RIGHT, target="mini/rte"), "theirs")
    runs = read_runs("theirs")
    with pytest.raises(IntertaskError, match="is not shown of scores that were not measured here"):
        flips(runs, restart_pairs(runs, "stilts - single"))


def unread(rows, key):
    """One answer of one run, wrong in any case, as a harness logs what its filter does not find."""
    return [{**rows[0], "said": "[invalid]"}, *rows[1:]] if key == ("single", 0) else rows


def pointed(rows, key):
    return [row | {"target": float(row["target"]), "said": str(row["said"])} for row in unread(rows, key)]


def in_words(rows, key):
    said = [row | {"said": str(row["said"] == 1).lower()} for row in rows]
    return unread([row | {"target": bool(row["target"])} for row in said], key)


@pytest.mark.parametrize("change", [unread, pointed, in_words])
def test_an_answer_that_was_not_understood_is_a_wrong_one_and_changes_no_other(change, own, results, tmp_path):
    keep(source(tmp_path, SAID, [0, 1], change), "theirs")
    scores = read_runs("theirs").set_index(["regime", "seed"])["score"]
    assert scores.to_dict() == {key: 100 - 5 * len(wrong) for key, wrong in WRONG.items()}
    over = ["examples", "examples_low", "examples_high", "both_low", "both_high"]
    pd.testing.assert_frame_equal(intervals("theirs")[over], own[over])


def test_predictions_are_kept_once_and_read_only_as_they_were_kept(results, tmp_path):
    path, kept = source(tmp_path, RIGHT), results / "theirs" / "predictions.jsonl"
    keep(path, "theirs")
    before = kept.stat().st_mtime_ns
    keep(path, "theirs")
    assert kept.stat().st_mtime_ns == before and len(kept.read_text().splitlines()) == 80
    kept.write_text(kept.read_text()[:-40])
    with pytest.raises(IntertaskError, match="predictions.jsonl: expected the table as it was kept"):
        read_predictions(read_runs("theirs"))


def shorter(rows, key):
    return rows[:-1] if key == ("stilts", 1) else rows


def relabelled(rows, key):
    return [row | {"target": NAMES[0]} for row in rows] if key == ("stilts", 1) else rows


def doubled(rows, key):
    return [row | {"acc": 2 * row["acc"]} for row in rows]


def filtered(rows, key):
    return [row | {"filter": name} for row in rows for name in ("strict", "flexible")]


def cut(rows, key):
    return [row | {"target": ["B-x", "O"], "said": ["B-x"]} for row in rows]


def later(rows, key):
    return [row | {"doc_id": row["doc_id"] + 90} for row in rows]


@pytest.mark.parametrize(
    ("columns", "change", "values", "words"),
    [
        ({"row": "doc_id"}, None, {}, "encoder, target, row, label, prediction, found no label and no prediction"),
        ({"row": "id", "right": "acc"}, None, {}, "row is to be 'id', no such column"),
        ({"rows": "doc_id"}, None, {}, "there is no column 'rows' to map to. Did you mean 'row'"),
        (RIGHT, shorter, {}, "the same examples of every run, found row 19 with other labels, or not in each .1 such"),
        (SAID, relabelled, {}, "the same examples of every run, found row 1 with other labels"),
        (RIGHT, lambda rows, _: rows + rows[:1], {}, "row 21: expected each example once, found 0 twice. Map what"),
        (RIGHT, filtered, {}, "row 2: expected .* found 0 twice. Keep the lines of one filter: strict or flexible."),
        (RIGHT, None, {"metric": "span_f1"}, "found no label and no prediction among"),
        (SAID, None, {"metric": "span_f1"}, "row 1, label: expected tags in IOB2 or BIOES, a list .* 'not_entailment'"),
        (SAID, cut, {"metric": "span_f1"}, "row 1, prediction: expected as many tags as the label has, found 1 for 2"),
        (RIGHT | {"right": "filtered_resps"}, None, {}, r"row 1, right: expected one value, found \['"),
        (RIGHT, doubled, {}, "row 9, right: expected 1 or 0, found 2.0"),
        (RIGHT | {"row": "said"}, None, {}, "row: expected the example's number in the split, from 0 on, found '"),
        (RIGHT, None, {"metric": "bleu"}, "metric: expected one of accuracy, .*, found bleu"),
        (RIGHT, None, {"metric": "f1"}, "found no label and no prediction among .* by which accuracy is counted and n"),
        (
            SAID,
            None,
            {"metric": "f1"},
            "row 1: expected label and prediction as 0 or 1, for f1, found 'not_entailment'",
        ),
        (SAID, unread, {"metric": "pearson"}, "row 1: .* as numbers, for pearson, found 'not_entailment' and '.inval"),
        (RIGHT, later, {"target": "copa"}, "copa: expected rows 0 to 99 of its split validation, found row 109"),
    ],
)
def test_what_is_no_table_of_predictions_is_refused(columns, change, values, words, results, tmp_path):
    with pytest.raises(IntertaskError, match=words):
        keep(source(tmp_path, columns, change=change, **values), "theirs")
    assert not (results / "theirs").exists()


def test_what_a_harness_calls_target_is_taken_for_no_task(results, tmp_path):
    path = source(tmp_path, RIGHT)
    path.write_text(path.read_text().replace("target: t", ""))
    with pytest.raises(IntertaskError, match="single0.jsonl: expected target, the name of the task, .* is what was wa"):
        keep(path, "theirs")


def test_a_file_without_tables_is_refused(results, tmp_path):
    path = tmp_path / "theirs.yaml"
    path.write_text("title: Theirs\npredictions: []\n")
    with pytest.raises(IntertaskError, match="expected a file under source or predictions, found none"):
        keep(path, "theirs")


def test_a_file_that_is_not_there_is_refused(tmp_path, results):
    path = source(tmp_path, RIGHT)
    path.write_text(path.read_text().replace("single1.jsonl", "sngle1.jsonl"))
    with pytest.raises(IntertaskError, match=r"sngle1.jsonl: expected a readable data file.* Did you mean 'single1.js"):
        keep(path, "theirs")
