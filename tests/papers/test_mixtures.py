"""Wang et al.'s Tables 6 and 7 on made stores, with answers worked out by hand."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from intertask.analysis.averages import task_average
from intertask.analysis.read import read_runs, read_settings
from intertask.errors import IntertaskError
from intertask.papers import paper_figures
from intertask.papers.mixtures import by_loss_scaling, by_set, exposure, mixed, set_scores, settings_of, spread_in_words
from made_notebook import execute_notebook
from made_runs import make_regimes, scored

SETS = {"GLUE": ("mini/rte", "mini/cola", "mini/wnli"), "S1": ("mini/rte", "mini/cola")}
MIXING = [{"name": "proportional"}, {"name": "both", "sampling": "uniform", "loss_scaling": "power_0.75"}]
STUDY = {"mixing": MIXING, "parts": [{"name": "GLUE"}, {"name": "S1"}], "wnli": "floor"}
SCORES = {"mini/rte": 60, "mini/cola": 70, "mini/wnli": 40}


def mixing_roles(done=lambda part, mixing, seed: True, seeds: int = 3, sets=SETS, names=("proportional", "both")):
    """One run per set, variant and seed, a row per task: SCORES, plus the seed, plus 3 with `both`; 100 examples, of
    which rte's are seen 200 times, cola's 50 times and wnli's 800 times."""
    roles = []
    for part, tasks in sets.items():
        for name in names:
            for seed in range(seeds):
                seen = dict(zip(tasks, (200, 50, 800), strict=False))
                gain = seed + 3 * (name == "both")
                made = {task: scored(float(SCORES[task] + gain), seen=seen[task], majority=55.0) for task in tasks}
                role = {"run": f"{part}-{name}-{seed}", "stage": "target", "regime": "mtl_all", "seed": seed}
                role |= {"supporting": "all", "part": part, "mixing": name}
                record = {"record": {"tasks": made}} if done(part, name, seed) else {}
                roles += [role | {"target": task} | (record if task == tasks[0] else {}) for task in tasks]
    return roles


def made(results, *arguments, **settings):
    make_regimes(results, mixing_roles(*arguments), **STUDY | settings)
    return mixed(read_runs("made", results)), read_settings("made", results)


def row(table, part, mixing):
    return table[(table["part"] == part) & (table["mixing"] == mixing)].iloc[0]


def test_a_set_is_the_mean_of_its_tasks_and_then_of_the_seeds(tmp_path):
    runs, study = made(tmp_path)
    table = set_scores(runs, study)
    plain = row(table, "S1", "proportional")  # 65, 66, 67; t(.975, 2) = 4.3027
    assert plain[["tasks", "n", "n_expected", "mean", "sd"]].tolist() == [2, 3, 3, 66, 1]
    assert plain["low"] == pytest.approx(66 - 4.30265 / math.sqrt(3), abs=1e-4)
    assert row(table, "GLUE", "proportional")["mean"] == pytest.approx((61 + 71 + 41) / 3)
    floored = row(set_scores(runs, study, wnli="floor"), "GLUE", "both")
    assert floored["mean"] == pytest.approx((64 + 74 + 55) / 3)


def test_two_limits_of_the_supporting_tasks_are_two_rows(tmp_path):
    runs, study = made(tmp_path)
    limits = [runs.assign(supporting_limit=n, score=runs["score"] + more, run=f"{n}-" + runs["run"])
              for n, more in ((100, 0), (400, 20))]  # fmt: skip
    both = pd.concat(limits).astype({"supporting_limit": "Int64"})
    table = set_scores(both, study)
    own = table[(table["part"] == "S1") & (table["mixing"] == "proportional")]
    assert own[["supporting_limit", "n", "mean"]].values.tolist() == [[100, 3, 66], [400, 3, 86]]
    assert spread_in_words(table).count("400 of the supporting task") == 2
    assert len(exposure(both)) == 2 * len(exposure(runs))


def test_a_table_without_seeds_is_one_seed(tmp_path):
    runs, _ = made(tmp_path, lambda *_: True, 1)
    table = set_scores(runs.assign(seed=pd.array([None] * len(runs), dtype="Int64")), {})
    assert row(table, "S1", "proportional")[["n", "n_expected", "mean"]].tolist() == [1, 1, 65]


def test_variants_are_found_by_name(tmp_path):
    runs, study = made(tmp_path)
    found = row(set_scores(runs, study), "GLUE", "both")
    assert (found["sampling"], found["loss_scaling"], found["row"]) == ("uniform", "power_0.75", "uniform")
    default = {"sampling": "proportional", "loss_scaling": "uniform"}
    assert settings_of({}, "all tasks", "proportional") == default
    assert settings_of({"train": {"sampling": "log"}, "mixing": [{"name": "a"}]}, "x", "a")["sampling"] == "log"
    own = {"mixing": [{"name": "a"}], "parts": [{"name": "x", "mixing": [{"name": "a", "sampling": [0.25, 0.75]}]}]}
    assert settings_of(own, "x", "a")["sampling"] == "0.25, 0.75" and settings_of(own, "y", "a") == default
    assert settings_of({"mixing": None, "parts": None}, "x", "a") == default


def test_the_tables_cross_sampling_with_sets_and_loss_scalings(tmp_path):
    runs, study = made(tmp_path)
    table = set_scores(runs, study)
    six = by_set(table, "uniform")
    assert six.columns.tolist() == ["GLUE", "S1"] and six.index.tolist() == ["proportional"]
    assert six.loc["proportional", "S1"] == "66.0 [63.5, 68.5] (3)"
    seven = by_loss_scaling(table[table["part"] == "S1"])
    assert seven.loc["uniform"].tolist() == ["–", "69.0 [66.5, 71.5] (3)"]


def test_variants_that_differ_in_something_else_keep_their_names(tmp_path):
    study = {"mixing": [{"name": "proportional"}, {"name": "both", "batch_schedule": "heterogeneous"}]}
    runs, study = made(tmp_path, **study)
    table = set_scores(runs, study)
    assert by_set(table, "uniform").index.tolist() == ["proportional (proportional)", "proportional (both)"]


def test_a_task_that_is_missing_makes_the_seed_missing(tmp_path):
    runs, study = made(tmp_path, lambda part, mixing, seed: seed == 0 and part == "S1")
    table = set_scores(runs, study)
    one = row(table, "S1", "proportional")
    assert one["n"] == 1 and one["mean"] == 65 and math.isnan(one["low"]) and math.isnan(one["sd"])
    assert by_set(table, "uniform").loc["proportional"].tolist() == ["missing (0 of 3)", "65.0 (1 of 3)"]
    assert "no variant has two seeds" in spread_in_words(table) and "**GLUE**" not in spread_in_words(table)
    runs.loc[runs["target"] == "mini/cola", "score"] = math.nan
    assert row(set_scores(runs, study), "S1", "proportional")["n"] == 0


def test_spread_in_words(tmp_path):
    runs, study = made(tmp_path)
    words = spread_in_words(set_scores(runs, study))
    assert "**S1** (mini/bert, all training data): 2 variants lie 3.0 points apart, highest both" in words
    assert "is 1.0." in words


def test_exposure_by_hand(tmp_path):
    table = exposure(made(tmp_path, lambda part, mixing, seed: seed < 2)[0])
    assert len(table) == 2 * (3 + 2)
    first = table.iloc[0]
    assert first[["mixing", "target", "n", "n_expected"]].tolist() == ["proportional", "mini/rte", 2, 3]
    assert first[["n_train", "examples_seen", "passes"]].tolist() == [100, 200, 2]


def test_the_heatmap_of_what_was_seen(tmp_path):
    table = exposure(made(tmp_path, lambda part, mixing, seed: mixing == "both")[0])
    ax = paper_figures.exposure_heatmap(table[table["part"] == "S1"], plt.subplots()[1])
    assert [found.get_text() for found in ax.texts] == ["2×", "200", "0.5×", "50"]
    assert sum(patch.get_hatch() == "///" for patch in ax.patches) == 2
    paper_figures.exposure_heatmap(
        table[table["part"].eq("S1") & table["n"].eq(0)], plt.subplots()[1]
    ).figure.canvas.draw()
    plt.close("all")


def test_a_study_without_multi_task_models_is_refused(tmp_path):
    runs, _ = made(tmp_path)
    with pytest.raises(IntertaskError, match="take this notebook out of the study's report"):
        mixed(runs.assign(regime="mtl"))
    assert mixed(runs.assign(part=None).astype({"part": "str"}))["part"].unique().tolist() == ["all tasks"]


def test_an_average_over_a_set():
    assert task_average({"a": 60, "b": 70, "c": 0}, ["a", "b"]) == 65
    assert task_average({"mini/wnli": 30, "b": 70}, ["mini/wnli", "b"], wnli_majority=50) == 60
    assert math.isnan(task_average({"a": 60}, ["a", "b"])) and math.isnan(task_average({}, []))


@pytest.mark.parametrize(("seeds", "done"), [(3, True), (1, True), (2, False)])
def test_the_notebook(tmp_path, monkeypatch, seeds, done):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_regimes(tmp_path, mixing_roles(lambda part, *_: done or part == "S1", seeds), **STUDY)
    executed = tmp_path / "executed.ipynb"
    notebook = Path(__file__).parents[2] / "notebooks" / "analysis" / "mixing.ipynb"
    execute_notebook(notebook, executed, {"study": "made"})
    text = executed.read_text()
    assert ("missing (0 of 2)" in text) == (not done) and "image/png" in text and '"stderr"' not in text
    assert "[63.5, 68.5] (3)" in text if seeds == 3 else "points apart" in text


def test_the_papers_tables_are_printed_as_the_paper_prints_them():
    study = "published/wang2019_multitask"
    table = set_scores(mixed(read_runs(study)), read_settings(study))
    assert by_set(table, "uniform").loc["log"].tolist() == ["68.8 (1)", "54.3 (1)", "82.9 (1)", "31.2 (1)"]  # Table 6
    scaled = by_loss_scaling(table[table["part"] == "GLUE"]).loc["power_0.75"]
    assert scaled.to_dict() == {"uniform": "69.3 (1)", "proportional": "69.1 (1)", "power_0.75": "69.0 (1)"}  # Table 7


def test_the_notebook_on_a_table_of_scores(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    rows = [f"e,mtl_all,{mixing},{task},{score}" for mixing, score in (("a", 60), ("b", 70)) for task in ("x", "y")]
    (tmp_path / "t.csv").write_text("\n".join(["encoder,regime,mixing,target,score", *rows]))
    notebook = Path(__file__).parents[2] / "notebooks" / "analysis" / "mixing.ipynb"
    execute_notebook(notebook, tmp_path / "executed.ipynb", {"study": "t"})
    text = (tmp_path / "executed.ipynb").read_text()
    assert "70.0 (1)" in text and "2 variants lie 10.0 points apart" in text
