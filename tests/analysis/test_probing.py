"""Probes by encoder, on a made-up store of three models and two probes whose numbers can be worked out."""

import json
import shutil

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from intertask.analysis import figures, probing
from intertask.analysis.read import read_predictions, read_records, read_runs
from intertask.errors import IntertaskError
from intertask.report import build_report
from made_store import reseal, run_id, write_index, write_run

MODELS = ("untrained", "frozen, layer 0", "frozen, layer 1")
RIGHT = {"untrained": 50, "frozen, layer 0": 80, "frozen, layer 1": 90}  # of 100 examples, with either seed


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Probe `a` by every model; probe `b` by the first alone, with one of two seeds done."""
    roles = []
    for probe in "ab":
        for model in MODELS:
            for seed in range(2):
                run = run_id(probe, seed, model)
                role = {
                    "run": run,
                    "stage": "target",
                    "encoder": model,
                    "task": probe,
                    "regime": "single",
                    "target": probe,
                }
                roles.append(role | {"supporting": None, "limit": None, "seed": seed})
                roles[-1] |= {"supporting_run": None, "supporting_seed": None}
                if probe == "a" or (model, seed) == ("untrained", 0):
                    made(tmp_path, run, probe, seed, RIGHT[model])
    write_index(tmp_path, "probes", roles, report=["probing"])
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    return tmp_path


def made(results, run, probe, seed, right):
    """100 examples of label 1 of which `right` are given 1, and on test three fewer."""
    scores = {
        split: {"accuracy": score, "main": score} for split, score in (("validation", right), ("test", right - 3))
    }
    write_run(results, run, probe, seed, right, scores=scores, majority=dict.fromkeys(scores, {"main": 50.0}))
    rows = pd.DataFrame({"row": range(100), "label": 1})
    parts = [
        rows.assign(split=split, prediction=(rows.row < score["main"]).astype(int)) for split, score in scores.items()
    ]
    folder = results / "runs" / run / "predictions"
    folder.mkdir()
    pd.concat(parts).to_parquet(folder / f"{probe}.parquet", index=False)
    reseal(folder.parent)


def table_of(store, split="validation", confidence=0.95):
    runs = probing.probed(read_runs("probes", store))
    runs = probing.scored(runs, read_records(runs, store), split)
    return probing.probing_table(runs, read_predictions(runs, split, store), confidence)


def test_the_table_by_hand(store):
    table = table_of(store).set_index(["probe", "model"])
    assert list(table.index) == [(probe, model) for probe in "ab" for model in MODELS]
    cell = table.loc["a", "frozen, layer 0"]
    assert (cell.n, cell.n_expected, cell.examples, cell.score, cell.majority, cell.degenerate) == (
        2,
        2,
        100,
        80,
        50,
        0,
    )
    # a share of 0.8 of 100 examples: 80 ± 1.96 · 4; the seeds agree in every example, so they add nothing
    assert cell.low == pytest.approx(80 - 7.84, abs=1) and cell.high == pytest.approx(80 + 7.84, abs=1)
    assert pd.isna(cell.seeds_low)  # both seeds score alike: no spread to estimate
    assert table.loc["a", "untrained"].degenerate == 2
    missing = table.loc["b", "frozen, layer 1"]
    assert (missing.n, missing.n_expected, missing.examples) == (0, 2, 0) and missing[["score", "low"]].isna().all()


def test_a_printed_table_is_scored_as_it_says():
    runs = probing.probed(read_runs("published/pruksachatkun2020_transfer").query("target == 'cb'"))
    table = probing.probing_table(probing.scored(runs, {}, "validation"), read_predictions(runs, "validation"))
    cell = table[table["model"].str.endswith("after qamr")].iloc[0]
    assert cell[["n", "n_expected", "score"]].tolist() == [1, 1, 95.1] and pd.isna(cell.degenerate)
    assert probing.scored(runs, {}, "test")["score"].isna().all()


def test_models_are_told_apart_by_all_but_the_seed(store):
    runs = read_runs("probes", store).query("target == 'a' and encoder == 'untrained' and seed == 0")
    others = [
        {"regime": "stilts", "supporting": "mnli"},
        {"regime": "stilts", "supporting": "mnli", "supporting_limit": 100},
        {"regime": "mtl", "supporting": "mnli", "mixing": "uniform"},
        {"regime": "stilts", "supporting": "a", "substituted": True},
    ]
    parts = [runs, *(runs.assign(run=str(place), **role) for place, role in enumerate(others)), runs.assign(part="B")]
    assert probing.probed(pd.concat(parts).astype({"supporting_limit": "Int64"}))["model"].tolist() == [
        "untrained",
        "untrained, after mnli",
        "untrained, after mnli, 100 examples",
        "untrained, with mnli, uniform",
    ]


def test_the_best_is_chosen_on_one_split_and_reported_on_the_other(store):
    best = probing.best_on_dev(table_of(store), table_of(store, "test"), "frozen")
    assert best[["probe", "model", "chosen_by", "score"]].values.tolist() == [["a", "frozen, layer 1", 90, 87]]


def test_in_words(store):
    words = probing.probing_in_words(table_of(store)).splitlines()
    assert words[0] == "- **untrained**: above the majority on 0 of 2 probes."
    assert words[2] == "- **frozen, layer 1**: above the majority on 1 of 1 probe."


def test_a_correlation_has_an_interval_too(store):
    for path in store.glob("runs/*/predictions/a.parquet"):  # half of the examples get the other label
        rows = pd.read_parquet(path)
        other = rows["row"] % 2
        rows.assign(label=other, prediction=(rows["prediction"] == other).astype(int)).to_parquet(path)
    for path in store.glob("runs/*/run.json"):
        tasks = path.read_text().replace('"accuracy"', '"matthews_correlation"')
        reseal(path.parent, tasks=json.loads(tasks)["tasks"])
    cell = table_of(store).set_index(["probe", "model"]).loc["a", "frozen, layer 0"]
    # 80 of 100 right, alike in both classes: 100 (.8 - .2)
    assert cell.low < 60 < cell.high and 20 < cell.high - cell.low < 45


def test_a_confidence_is_a_share(store):
    with pytest.raises(IntertaskError, match="share between 0 and 1"):
        table_of(store, confidence=95)


def test_the_heatmap_shows_scores_marks_and_what_is_missing(store):
    ax = figures.probing_heatmap(table_of(store), plt.subplots()[1])
    written = [text.get_text() for text in ax.texts]
    assert "90.0*" in written and "50.0" in written and any(words.endswith("1 of 2 seeds") for words in written)
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "untrained",
        "frozen, layer 0",
        "frozen, layer 1",
        "majority",
    ]
    assert sum(patch.get_hatch() == "///" for patch in ax.patches) == 2
    plt.close("all")


def test_the_notebook_shows_the_table_of_the_study_it_is_given(store, forked_kernels):
    html = (build_report("probes") / "probing.html").read_text()
    assert "frozen, layer 1</strong>: above the majority on 1 of 1 probe" in html
    assert "not run yet" in html  # the five runs of probe b that are missing stand first
    assert html.index("not run yet") < html.index("above the majority on 1 of 1 probe")


def test_the_notebook_with_nothing_done(store, forked_kernels):
    shutil.rmtree(store / "runs")
    html = (build_report("probes") / "probing.html").read_text()
    assert (
        html.partition("reason = not run yet")[2].partition("</table>")[0].count("<tr>") == 13
        and "above the majority on 0 of 0 probes" in html
    )
