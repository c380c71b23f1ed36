"""The coarse categories of a diagnostic set over many models: by hand, from runs and from a table, and the notebook."""

import math
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from intertask.analysis.diagnostics import diagnosed
from intertask.analysis.read import read_runs, read_scores
from intertask.analysis.transfer import PAIR
from intertask.errors import IntertaskError
from intertask.papers.diagnostic_tables import (
    by_model,
    differences,
    differences_in_words,
    leaders,
    leaders_in_words,
    model_table,
    observed,
    printed_r3,
    source_in_words,
    tally,
)
from intertask.tasks.load import load_task, scored_rows
from made_notebook import execute_notebook
from made_runs import make_regimes, scored
from made_store import write_index, write_predictions, write_run

ENTRY = SimpleNamespace(inputs=["premise", "hypothesis"], tags=["logic", "knowledge"])
LABELS = [0, 1] * 20
CONTROL = "noise"


def rows() -> pd.DataFrame:
    """Forty rows of which two and two share a premise; the first 24 are about logic, the last 16 about knowledge."""
    texts = {"premise": [f"p{i // 2}" for i in range(40)], "hypothesis": [f"h{i}" for i in range(40)]}
    tags = {"logic": ["negation"] * 24 + [""] * 16, "knowledge": [""] * 24 + ["world"] * 16}
    return pd.DataFrame(texts | tags).assign(label=LABELS)


def answers(wrong: int) -> list[int]:
    """All right but for the first so many rows on knowledge."""
    return LABELS[:24] + [1 - label for label in LABELS[24 : 24 + wrong]] + LABELS[24 + wrong :]


def r3(wrong: int) -> float:
    return 100 * matthews_corrcoef(LABELS[24:], answers(wrong)[24:])


WRONG = {(None, 0): 8, (None, 1): 12, ("snli", 0): 2, ("snli", 1): 2, (CONTROL, 0): 8, (CONTROL, 1): 16}


def made(wrong=WRONG, lost=()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs of one encoder as of `diagnosed`, and what they predicted; lost: runs without predictions."""
    common = {"stage": "target", "encoder": "e", "task": "mnli", "target": "mnli", "limit": None, "mixing": None}
    common |= {"supporting_limit": None, "substituted": False, "n_train": 10, "supporting_n_train": 10, "part": None}
    common |= {"ready_made": False}
    runs, predictions = [], []
    for (supporting, seed), errors in wrong.items():
        run = f"{supporting}-{seed}"
        role = {"supporting": supporting, "control": supporting == CONTROL, "seed": seed, "run": run}
        role |= {"regime": "stilts" if supporting else "single"}
        runs.append(common | role | {"supporting_run": f"s{seed}" if supporting else None})
        own = pd.DataFrame({"row": range(40), "label": LABELS, "prediction": answers(errors)}).assign(run=run)
        predictions += [own] if run not in lost else []
    kinds = dict.fromkeys(["limit", "supporting_limit", "seed"], "Int64") | {"supporting": "str", "mixing": "str"}
    nothing = pd.DataFrame({"run": [], "row": [], "label": [], "prediction": []})
    return pd.DataFrame(runs).astype(kinds), pd.concat(predictions or [nothing])


def tabulated(*arguments, **more):
    runs, predictions = made(*arguments, **more)
    counts = tally(predictions, rows(), ENTRY)
    return observed(runs, counts), counts


def cell(table, category, supporting=None):
    own = table[table["target"] == category]
    return own[own["supporting"].isna() if supporting is None else own["supporting"] == supporting].iloc[0]


def test_scores_by_run_are_r3_of_the_rows_of_a_category():
    runs, counts = tabulated()
    assert counts.runs == ["None-0", "None-1", "snli-0", "snli-1", f"{CONTROL}-0", f"{CONTROL}-1"]
    assert {name: own.shape for name, own in counts.counts.items()} == {
        "logic": (12, 6, 2, 2), "knowledge": (8, 6, 2, 2), "all rows": (20, 6, 2, 2),
    }  # fmt: skip
    assert len(runs) == 3 * 6 and set(runs["encoder"]) == {"e: mnli"}
    knowledge = runs[runs["target"] == "knowledge"].set_index("run")["score"]
    assert knowledge["None-1"] == pytest.approx(r3(12)) == -50 and knowledge["snli-0"] == pytest.approx(r3(2)) == 75
    assert set(runs.loc[runs["target"] == "logic", "score"]) == {100}
    everything = runs[(runs["target"] == "all rows") & (runs["run"] == "None-0")]["score"].iloc[0]
    assert everything == pytest.approx(100 * matthews_corrcoef(LABELS, answers(8)))


def test_the_table_has_both_intervals_each_where_something_varies():
    table = model_table(*tabulated())
    alone, after = cell(table, "knowledge"), cell(table, "knowledge", "snli")
    assert alone[["n", "n_expected", "sets", "model"]].tolist() == [2, 2, 8, "single"]
    # 0 and -50: standard error 25; t(.975, 1) = 12.7062
    assert alone["mean"] == -25 and alone["high"] == pytest.approx(-25 + 12.7062 * 25, rel=1e-5)
    assert alone["sets_low"] < -25 < alone["sets_high"]
    assert after["mean"] == 75 and math.isnan(after["low"]) and after["sets_low"] < 75  # the seeds agree
    assert math.isnan(cell(table, "logic")["sets_low"])  # all right in any resample


def test_the_interval_over_sets_draws_rows_that_share_a_sentence_together():
    """Two errors in one set of two rows are one observation: apart, they would make a shorter interval."""
    together = model_table(*tabulated({(None, 0): 8}))
    runs, predictions = made({(None, 0): 8})
    own = tally(predictions, rows().assign(premise=[f"q{i}" for i in range(40)]), ENTRY)
    apart = model_table(observed(runs, own), own)
    widths = [
        cell(table, "knowledge")["sets_high"] - cell(table, "knowledge")["sets_low"] for table in (together, apart)
    ]
    assert widths[1] < 0.85 * widths[0] and cell(apart, "knowledge")["sets"] == 16


def test_differences_are_paired_by_seed():
    table = differences(*tabulated())
    knowledge = cell(table, "knowledge", "snli")
    # 75 - 0 and 75 + 50: mean 100, standard error 25
    assert knowledge[["delta", "n", "over", "note"]].tolist() == [100, 2, "seeds", ""]
    assert knowledge["low"] == pytest.approx(100 - 12.7062 * 25, rel=1e-5)
    assert 0 < knowledge["sets_low"] < 100 < knowledge["sets_high"]
    logic = cell(table, "logic", "snli")
    assert logic["delta"] == 0 and logic["over"] == "" and logic["note"] == "all differences are equal"
    control = cell(table, "knowledge", CONTROL)  # 0 - 0 and -100 + 50
    assert control["delta"] == -25 and control["control"] and table["family"].iloc[0] == 4
    words = differences_in_words(table)
    assert words.startswith("3 differences: 2 gains and 0 losses. By the interval over the seeds,")
    assert "over 4 cells with a p, 0 are left. 1 have no interval" in words


def test_with_one_seed_the_difference_is_judged_over_the_sentence_sets():
    one = {key: wrong for key, wrong in WRONG.items() if key[1] == 0}
    table = differences(*tabulated(one | {("snli", 0): 0}))
    knowledge = cell(table, "knowledge", "snli")
    assert knowledge[["delta", "n", "over", "note"]].tolist() == [100, 1, "sentence sets", ""]
    assert knowledge["low"] == knowledge["sets_low"] > 0 and knowledge["high"] == knowledge["sets_high"]
    assert math.isnan(knowledge["p_holm"])
    control = cell(table, "knowledge", CONTROL)  # the same answers: every resample gives 0
    assert control["delta"] == 0 and control["over"] == "" and control["note"] == "needs two seeds or more"
    words = differences_in_words(table)
    assert "over the sentence sets, 2 gains and 0 losses of 2 are beyond the noise." in words
    assert "another restart may give another difference" in words and "Holm" not in words


def test_seeds_that_agree_leave_the_judgement_to_the_sentence_sets():
    table = differences(*tabulated(WRONG | {("snli", 1): 6}))  # 75 - 0 and 25 + 50
    knowledge = cell(table, "knowledge", "snli")
    assert knowledge[["delta", "n", "over", "note"]].tolist() == [75, 2, "sentence sets", ""]


def test_a_pair_of_which_one_run_is_lost_does_not_count():
    table = differences(*tabulated(lost=["None-1"]))
    knowledge = cell(table, "knowledge", "snli")
    assert knowledge[["delta", "n", "n_expected", "over"]].tolist() == [75, 1, 2, "sentence sets"]
    assert cell(model_table(*tabulated(lost=["None-1"])), "knowledge")[["n", "n_expected"]].tolist() == [1, 2]
    nothing, counts = tabulated(lost=[f"{supporting}-{seed}" for supporting, seed in WRONG])
    assert differences(nothing, counts)["delta"].isna().all() and (model_table(nothing, counts)["n"] == 0).all()
    assert by_model(model_table(nothing, counts), "seeds")["logic"].tolist() == ["missing (0 of 2)"] * 3
    assert leaders_in_words(model_table(nothing, counts)).startswith("No two models have a score yet")
    assert "0 runs with predictions, 6 without" in source_in_words(nothing, counts)


def test_without_a_supporting_task_there_is_nothing_to_compare():
    table = differences(*tabulated({(None, 0): 8, (None, 1): 12}))
    assert table.empty and differences_in_words(table).startswith("No model with a supporting task")


def test_other_rows_are_refused():
    _, predictions = made()
    with pytest.raises(IntertaskError, match="expected predictions of the 39 rows"):
        tally(predictions, rows().head(39), ENTRY)


def test_models_of_two_tasks_are_two_panels():
    runs, predictions = made()
    other = runs.assign(task="snli2", run="b-" + runs["run"])
    both = pd.concat([predictions, predictions.assign(run="b-" + predictions["run"])])
    counts = tally(both, rows(), ENTRY)
    table = differences(observed(pd.concat([runs, other]), counts), counts)
    assert table["encoder"].unique().tolist() == ["e: mnli", "e: snli2"] and len(table) == 2 * 6


def test_the_best_is_marked_only_where_its_interval_leaves_out_the_next():
    table = model_table(*tabulated())
    sets, seeds = leaders(table, "sentence sets").set_index("target"), leaders(table, "seeds").set_index("target")
    assert sets.loc["knowledge", ["model", "next", "next_mean", "clear"]].tolist() == ["snli", "single", -25, True]
    assert not seeds["clear"].any()  # snli's two seeds agree, so there is no interval over them
    wide = by_model(table, "sentence sets")
    assert wide.columns.tolist() == ["encoder", "model", "logic", "knowledge", "all rows"]
    assert wide["model"].tolist() == ["single", "snli", "noise"]
    assert wide["logic"].tolist() == ["100.0 (2)"] * 3
    assert wide.loc[1, "knowledge"].startswith("75.0 [") and wide.loc[1, "knowledge"].endswith("] (2)*")
    assert "*" not in "".join(wide.loc[0, ["knowledge", "all rows"]]) and "*" not in str(by_model(table, "seeds"))
    words = leaders_in_words(table)
    assert "- **e: mnli**: logic: single (100.0), next snli (100.0), no interval; knowledge: snli (75.0), next" in words
    assert "next single (-25.0), clear over the sentence sets;" in words
    near = table.assign(sets_low=table["sets_low"].where(table["mean"] != 75, -25))
    assert not leaders(near, "sentence sets").set_index("target").loc["knowledge", "clear"]
    assert "next single (-25.0), not clear" in leaders_in_words(near)


def make_table(results, seeds=(0,)) -> None:
    """A study whose runs have the metric r3, as a table of figures has: two encoders, without and after a task."""
    figures = {("E", None): (20.0, 30.0), ("E", "x"): (25.0, 29.0), ("F", None): (40.0, 41.0), ("F", "x"): (40.0, 44.0)}
    roles = []
    for (encoder, supporting), own in figures.items():
        for category, figure in zip(("lexical_semantics", "logic"), own, strict=True):
            for seed in seeds:
                made = scored(figure + seed)
                made["scores"]["validation"]["r3"] = figure + seed
                run = f"{encoder}-{supporting}-{category}-{seed}"
                role = {"run": run, "stage": "target", "target": category, "encoder": encoder, "seed": seed}
                role |= {"supporting": supporting, "regime": "stilts" if supporting else "single"}
                roles.append(role | {"part": "diagnostic", "record": {"tasks": {category: made}}})
    other = {"run": "other", "stage": "target", "target": "rte", "regime": "single", "encoder": "E", "seed": 0}
    make_regimes(results, [*roles, other | {"record": {"tasks": {"rte": scored(70.0)}}}])


def test_a_table_of_figures_has_scores_and_differences_but_no_interval(tmp_path):
    make_table(tmp_path)
    runs = printed_r3(read_runs("made", tmp_path), read_scores("made", tmp_path))
    assert runs["target"].unique().tolist() == ["lexical semantics", "logic"] and len(runs) == 8
    runs = runs.assign(seed=pd.array([None] * 8, dtype="Int64"))  # a paper's figure has none
    assert source_in_words(runs, None).startswith("4 models of a table of figures: no predictions")
    table = model_table(runs)
    assert by_model(table, "sentence sets").to_numpy().tolist() == [
        ["E", "single", "20.0 (1)", "30.0 (1)"], ["E", "x", "25.0 (1)", "29.0 (1)"],
        ["F", "single", "40.0 (1)", "41.0 (1)"], ["F", "x", "40.0 (1)", "44.0 (1)"],
    ]  # fmt: skip
    assert "logic: x (44.0), next single (41.0), no interval." in leaders_in_words(table)
    changes = differences(runs)
    assert changes["delta"].tolist() == [5, -1, 0, 3] and changes["over"].eq("").all()
    words = differences_in_words(changes)
    assert words == (
        "4 differences: 2 gains and 1 loss. 4 have no interval: without restarts or predictions a difference cannot "
        "be told from noise."
    )
    assert not runs.duplicated([*PAIR, "supporting"]).any()


def test_a_study_that_trains_has_no_printed_figures(tmp_path):
    make_regimes(tmp_path, [{"run": "a", "stage": "target", "target": "logic", "regime": "single", "seed": 0,
                             "record": {"tasks": {"logic": scored(70.0)}}}])  # fmt: skip
    assert printed_r3(read_runs("made", tmp_path), read_scores("made", tmp_path)).empty


def test_models_with_other_data_or_mixtures_before_are_other_models():
    role = {"encoder": "e", "task": "mnli", "limit": None, "stage": "target", "supporting": "snli", "seed": 0}
    role |= {"supporting_limit": None, "mixing": None, "regime": "stilts", "target": "mnli"}
    others = [{}, {"supporting_limit": 100}, {"regime": "mtl", "mixing": "by size"}]
    others.append({"regime": "single", "supporting": None})
    runs = pd.DataFrame([role | {"run": str(place)} | other for place, other in enumerate(others)])
    runs = runs.astype({"supporting_limit": "Int64"})
    assert diagnosed(runs, ["mnli"])["model"].tolist() == [
        "e: mnli, after snli", "e: mnli, after snli (100)", "e: mnli, mtl with snli, by size", "e: mnli",
    ]  # fmt: skip


NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "analysis" / "diagnostic_tables.ipynb"


def make_study(results, seeds: int, done: bool = True) -> None:
    """Models of mini/mnli, alone and after mini/snli, that answer mini/ax; the second knows more."""
    diagnostic, draw = scored_rows(load_task("mini/ax")), np.random.default_rng(0)
    common = {"encoder": "mini/bert", "task": "mini/mnli", "target": "mini/mnli", "stage": "target", "limit": None}
    roles = []
    for supporting in (None, "mini/snli"):
        for seed in range(seeds):
            role = {"run": f"{supporting}-{seed}".replace("/", "-"), "seed": seed, "supporting": supporting}
            role |= {"regime": "stilts" if supporting else "single"}
            roles.append(common | role | dict.fromkeys(["supporting_run", "supporting_seed"]))
            if done:
                write_run(results, role["run"], "mini/mnli", seed, 80.0)
                right = draw.random(len(diagnostic)) < (0.9 if supporting else 0.3)
                given = np.where(right, diagnostic["label"], draw.integers(0, 3, len(diagnostic)))
                write_predictions(results, role["run"], "mini/ax", diagnostic["label"], given)
    write_index(results, "made", roles, evaluate_on={"mini/mnli": ["mini/ax"]}, task_file="")


@pytest.mark.parametrize("kind", ["seeds", "one seed", "nothing", "table"])
def test_the_notebook(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    if kind == "table":
        make_table(tmp_path)
    else:
        make_study(tmp_path, 1 if kind == "one seed" else 2, done=kind != "nothing")
    execute_notebook(NOTEBOOK, tmp_path / "executed.ipynb", {"study": "made", "export": str(tmp_path / "out")})
    cells = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
    outputs = {cell.id: str(cell.get("outputs")) for cell in cells}
    assert "stderr" not in str(outputs) and "image/png" in outputs["differences"]
    said = {
        "seeds": "By the interval over the seeds", "one seed": "By the interval over the sentence sets, 5 gains",
        "nothing": "there is no difference to test", "table": "4 have no interval",
    }  # fmt: skip
    assert said[kind] in outputs["words"]
    assert ("not run yet" in outputs["missing"]) == (kind == "nothing")
    wide = pd.read_csv(tmp_path / "out" / "diagnostic_examples.csv")
    assert wide["model"].tolist() == (["single", "x"] * 2 if kind == "table" else ["single", "mini/snli"])
    assert ("*" in str(wide.to_numpy())) == (kind in ("seeds", "one seed"))
    names = ("diagnostic_examples", "diagnostic_seeds", "diagnostic_scores", "diagnostic_differences")
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(names)
