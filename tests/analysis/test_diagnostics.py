"""A diagnostic set by category: R3 by hand, sets of linked rows, intervals, and the notebook on a made store."""

import math
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from intertask.analysis.diagnostics import (
    breakdown,
    breakdown_in_words,
    by_category,
    categories,
    confusions,
    diagnosed,
    mean_r3,
    scored_on,
    sentence_sets,
    summed_by_set,
    without_predictions,
)
from intertask.analysis.figures import diagnostic_dots
from intertask.analysis.read import read_predictions, read_runs
from intertask.analysis.statistics import example_interval, matthews
from intertask.errors import IntertaskError
from intertask.report import build_report
from intertask.tasks.load import load_task, scored_rows
from made_store import write_index, write_predictions, write_run

ENTRY = SimpleNamespace(inputs=["premise", "hypothesis"], tags=["logic", "knowledge"])
TRUE = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
PREDICTED = [0, 0, 0, 1, 0, 1, 1, 1, 2, 2]
CONFUSION = np.array([[3, 1, 0], [1, 2, 0], [0, 1, 2]])


def diagnostic_rows(labels=TRUE, logic="negation;temporal") -> pd.DataFrame:
    """Rows of which no two share a sentence; the first four are about logic, the last three about knowledge."""
    texts = {"premise": [f"p{i}" for i in range(len(labels))], "hypothesis": [f"h{i}" for i in range(len(labels))]}
    tags = {"logic": [logic] + ["negation"] * 3 + [""] * 6, "knowledge": [""] * 7 + ["world"] * 3}
    return pd.DataFrame(texts | tags).assign(label=labels)


def predicted(predictions, labels=TRUE, run="a", model="m") -> pd.DataFrame:
    rows = {"row": range(len(labels)), "label": labels, "prediction": predictions}
    return pd.DataFrame(rows).assign(run=run, model=model)


def cell(table, coarse="", fine=""):
    return table[(table["coarse"] == coarse) & (table["fine"] == fine)].iloc[0]


def interval_over_sets(counts, sets, confidence):
    return example_interval(summed_by_set(counts, sets), mean_r3, confidence)


def test_r3_by_hand():
    # s = 10, c = 7, p = (4, 4, 2), t = (4, 3, 3): (70 - 34) / sqrt((100 - 36) (100 - 34)) = 36 / 64.9923
    assert matthews(CONFUSION) == pytest.approx(0.553912, abs=1e-6)
    assert matthews(CONFUSION) == pytest.approx(matthews_corrcoef(TRUE, PREDICTED))
    assert matthews(np.eye(3)) == 1
    assert matthews(np.ones((3, 3))) == 0


def test_r3_is_undefined_with_one_label_only():
    found = matthews(np.array([[[3, 0], [2, 0]], [[3, 2], [0, 0]], [[1, 0], [0, 1]]]))
    assert np.isnan(found).tolist() == [True, True, False] and found[2] == 1


def test_a_row_with_two_tags_is_in_both_categories_and_once_in_the_coarse_one():
    masks = categories(diagnostic_rows(), ENTRY.tags)
    counts = {key: int(mask.sum()) for key, mask in masks.items()}
    assert list(counts.items()) == [
        (("", ""), 10), (("logic", ""), 4), (("logic", "negation"), 4), (("logic", "temporal"), 1),
        (("knowledge", ""), 3), (("knowledge", "world"), 3),
    ]  # fmt: skip


def test_rows_that_share_a_sentence_are_one_set():
    pairs = [("a", "b"), ("b", "a"), ("d", "e"), ("c", "b"), ("f", "g")]
    sets = sentence_sets(pd.DataFrame(pairs, columns=ENTRY.inputs), ENTRY.inputs)
    assert sets[0] == sets[1] == sets[3] and len({sets[0], sets[2], sets[4]}) == 3


def test_swapped_pairs_are_drawn_together():
    """Asking every question twice adds no evidence: same interval. As if they were independent, it would be shorter."""
    once = confusions(predicted(PREDICTED), diagnostic_rows())
    twice = np.concatenate([once, once])
    interval = interval_over_sets(once, np.arange(10), 0.95)
    assert interval_over_sets(twice, np.tile(np.arange(10), 2), 0.95) == interval
    apart = interval_over_sets(twice, np.arange(20), 0.95)
    assert apart[1] - apart[0] < 0.9 * (interval[1] - interval[0])
    assert interval[0] < 55.4 < interval[1]


def test_the_interval_is_the_same_every_time_and_wider_with_more_confidence():
    counts = confusions(predicted(PREDICTED), diagnostic_rows())
    assert interval_over_sets(counts, np.arange(10), 0.95) == interval_over_sets(counts, np.arange(10), 0.95)
    narrow = interval_over_sets(counts, np.arange(10), 0.5)
    wide = interval_over_sets(counts, np.arange(10), 0.95)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_no_interval_where_nothing_varies():
    right = confusions(predicted(TRUE), diagnostic_rows())
    assert all(map(math.isnan, interval_over_sets(right, np.arange(10), 0.95)))  # every resample is all right
    assert all(map(math.isnan, interval_over_sets(right, np.zeros(10), 0.95)))  # a single set


def test_breakdown_by_hand():
    constant = predicted([0] * 10, run="b")
    table = breakdown(pd.concat([predicted(PREDICTED), constant]), diagnostic_rows(), ENTRY)
    everything, knowledge = cell(table), cell(table, "knowledge", "world")
    assert everything["r3"] == pytest.approx(55.3912 / 2, abs=1e-4)  # the constant seed counts as 0
    assert everything["n"] == everything["sets"] == 10 and everything["seeds"] == 2 and everything["undefined"] == 1
    assert everything["accuracy"] == pytest.approx(100 * (7 + 4) / 20)
    # t(.975, 1) = 12.7062 times the standard error of 55.3912 and 0, which is half their difference
    assert everything["seeds_high"] - everything["r3"] == pytest.approx(12.7062 * 55.3912 / 2, rel=1e-5)
    assert knowledge["r3"] == 0 and knowledge["undefined"] == 2 and math.isnan(knowledge["low"])  # one true label
    assert knowledge["accuracy"] == pytest.approx(100 * 2 / 6) and knowledge["few_sets"]
    alone = cell(breakdown(predicted(PREDICTED), diagnostic_rows(), ENTRY))
    assert math.isnan(alone["seeds_low"]) and alone["low"] < alone["r3"] < alone["high"]


def test_label_ids_may_be_those_of_the_task_that_was_trained_on():
    renamed = [[2, 0, 1][label] for label in TRUE]
    table = breakdown(predicted([[2, 0, 1][label] for label in PREDICTED], renamed), diagnostic_rows(), ENTRY)
    assert cell(table)["r3"] == pytest.approx(55.3912, abs=1e-4)


@pytest.mark.parametrize(
    "changed", [predicted(PREDICTED).head(9), predicted(PREDICTED, TRUE[::-1]), pd.concat([predicted(PREDICTED)] * 2)]
)
def test_other_rows_or_labels_than_the_run_was_scored_on_are_refused(changed):
    with pytest.raises(IntertaskError, match=r"run a: expected predictions of the 10 rows .* Put the data back"):
        breakdown(changed, diagnostic_rows(), ENTRY)
    with pytest.raises(IntertaskError, match="between 0 and 1"):
        breakdown(predicted(PREDICTED), diagnostic_rows(), ENTRY, 95)


def test_the_table_reads_as_the_papers():
    models = pd.concat([predicted(PREDICTED, model="z"), predicted(TRUE, run="b", model="a")])
    table = breakdown(models, diagnostic_rows(logic="negation"), ENTRY)
    wide = by_category(table)
    assert wide.columns.tolist() == ["category", "n", "sets", "z", "a"]
    assert wide["category"].tolist() == ["all rows", "logic", "negation", "knowledge", "world"]
    assert wide["a"].tolist()[0] == "100.0" and wide["z"].tolist()[0].startswith("55.4 [")
    assert wide["a"].tolist()[-1] == "0.0 undefined"
    words = breakdown_in_words(table)
    assert "**a**: in 0 of 2 fine categories" in words and "counted as 0, in 2 of 2 scores" in words
    assert "highest" not in words
    assert "world is highest" in breakdown_in_words(table.assign(few_sets=False, undefined=0, r3=table["n"] * -1.0))


def test_the_figure_has_a_mark_and_a_bar_per_model_and_category():
    models = pd.concat([predicted(PREDICTED, model="z"), predicted(TRUE, run="b", model="a $x$")])
    table = breakdown(models, diagnostic_rows(), ENTRY)
    _, ax = plt.subplots()
    diagnostic_dots(table, ax)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["all rows (10)", "logic (4)", "negation (4)", "temporal (1)", "knowledge (3)", "world (3)"]
    marks = [line for line in ax.get_lines() if line.get_marker() in ("o", "s")]
    assert [mark.get_marker() for mark in marks] == ["o", "s"]
    assert marks[0].get_xdata()[0] == pytest.approx(55.39, abs=0.01)
    bars = [bar for collection in ax.collections for bar in collection.get_segments() if len(bar)]
    assert np.isnan(marks[0].get_xdata()[-1])
    assert [word.get_text() for word in ax.texts].count(" undefined") == 2 * 5  # all but "all rows" have one true label
    assert len(bars) == table["low"].notna().sum() > 0
    plt.close("all")


def make_diagnostic_store(results, done=("right", "constant", "lost"), **settings) -> pd.DataFrame:
    """A study of four seeds on mini/mnli: one all right on mini/ax, one constant, one whose file is lost, one not run;
    and one seed after mini/snli."""
    rows = scored_rows(load_task("mini/ax"))
    common = {"encoder": "mini/bert", "task": "mini/mnli", "limit": None, "stage": "target", "target": "mini/mnli"}
    common |= {"supporting": None, "supporting_run": None, "supporting_seed": None}
    names = ["right", "constant", "lost", "expected", "after"]
    roles = [
        common | {"run": name, "regime": "stilts" if name == "after" else "single", "seed": seed}
        for seed, name in enumerate(names)
    ]
    roles[-1] |= {"supporting": "mini/snli", "seed": 0}
    settings = {
        "evaluate_on": {"mini/mnli": ["mini/ax"]},
        "task_file": "",
        "report": ["diagnostic_breakdown"],
    } | settings
    write_index(results, "demo", roles, **settings)
    for run in done:
        write_run(results, run, "mini/mnli", 0, 80.0)
    for run in {"right", "constant"} & set(done):
        prediction = rows["label"] if run == "right" else 0
        write_predictions(results, run, "mini/ax", rows["label"], prediction)
    return rows


def test_missing_predictions_are_missing_with_a_reason(tmp_path):
    make_diagnostic_store(tmp_path)
    runs = diagnosed(read_runs("demo", tmp_path), ["mini/mnli"])
    assert runs["model"].unique().tolist() == ["mini/bert: mini/mnli", "mini/bert: mini/mnli, after mini/snli"]
    predictions = read_predictions(runs, "mini/ax", tmp_path)
    assert predictions["run"].unique().tolist() == ["right", "constant"] and len(predictions) == 600
    assert read_predictions(runs, "mini/rte", tmp_path).empty
    absent = without_predictions(runs, predictions)
    assert absent[["run", "reason"]].values.tolist() == [
        ["lost", "done, but the store holds none of its predictions"],
        ["expected", "not run yet"],
        ["after", "not run yet"],
    ]


def test_a_run_in_two_roles_and_a_control_are_models_of_their_own():
    role = {"encoder": "e", "task": "mnli", "limit": 5, "supporting": None, "seed": 0, "target": None}
    before = role | {"stage": "intermediate", "regime": None}
    together = {"supporting": "qqp", "target": "mnli", "supporting_limit": None}
    runs = pd.DataFrame(
        [
            before | {"run": "a", "supporting": "mnli"},
            before | {"run": "b", "supporting": "mnli[shuffle_labels=true]"},
            role | {"run": "c", "stage": "pretraining", "regime": None},
            role | {"run": "a", "stage": "target", "regime": "single", "target": "mnli"},
            before | {"run": "d", "supporting": "mnli and qqp"},  # a set, of which mnli is the first
            before | together | {"run": "e", "mixing": "uniform"},
            before | together | {"run": "f", "mixing": "dynamic"},
        ]
    )
    assert diagnosed(runs, ["mnli"]).set_index("run")["model"].to_dict() == {
        "a": "e: mnli, 5 examples",
        "b": "e: mnli[shuffle_labels=true], 5 examples, as intermediate",
        "d": "e: mnli and qqp, 5 examples, as intermediate",
        "e": "e: mnli, 5 examples, mtl with qqp, uniform, as intermediate",
        "f": "e: mnli, 5 examples, mtl with qqp, dynamic, as intermediate",
    }
    for stage, kind in (("target", "single"), ("intermediate", "intermediate")):
        again = runs[(runs["run"] == "a") & (runs["stage"] == stage)].assign(run="of another part")
        with pytest.raises(IntertaskError, match=f"Two different {kind} runs of mnli with seed 0 would count as one"):
            diagnosed(pd.concat([runs[runs["stage"] == stage], again]), ["mnli"])


def test_the_diagnostic_is_the_first_or_the_named_one():
    settings = {"evaluate_on": {"mnli": ["ax", "own"], "snli": ["own"]}}
    assert scored_on(settings) == ("ax", ["mnli"])
    assert scored_on(settings, "own") == ("own", ["mnli", "snli"])
    with pytest.raises(IntertaskError, match="scores no run on 'owm'. Did you mean 'own'"):
        scored_on(settings, "owm")
    with pytest.raises(IntertaskError, match=r"evaluate_on: {mnli: \[glue_diagnostic\]}, or take this notebook out"):
        scored_on({})


def test_the_notebook_on_a_made_store(tmp_path, forked_kernels):
    make_diagnostic_store(tmp_path / "results")
    folder = build_report("demo")
    cells = nbformat.read(folder / "diagnostic_breakdown.ipynb", as_version=4).cells
    outputs = {cell.id: str(cell.get("outputs")) for cell in cells}
    assert "the store holds none of its predictions" in outputs["missing"] and "not run yet" in outputs["missing"]
    assert "50.0 [50.0" not in outputs["coarse"] and "50.0" in outputs["coarse"]  # 100 and an undefined 0
    assert "image/png" in outputs["figure"]
    assert not any(output.get("name") == "stderr" for cell in cells for output in cell.get("outputs", []))


def test_the_notebook_with_nothing_done(tmp_path, forked_kernels):
    make_diagnostic_store(tmp_path / "results", done=())
    text = (build_report("demo") / "diagnostic_breakdown.html").read_text()
    _, _, after = text.partition("reason = not run yet")
    assert after.partition("</table>")[0].count("<tr>") == 6 and "there is nothing to say" in text
