"""MTL against STILTs: tests, the size heuristic, its rivals and budgets by hand, and the notebook on made stores."""

import itertools
import math
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from scipy import stats

from intertask.analysis import regimes, statistics
from intertask.analysis.read import read_runs
from intertask.errors import IntertaskError
from made_notebook import execute_notebook
from made_regimes import make_regimes

SIZES = {"a": 400, "b": 200, "c": 100}
CELLS = 6
NOTEBOOKS = Path(__file__).parents[2] / "notebooks" / "analysis"


def scores(target, supporting, variant, seed):
    """STILTs 61, single 60, all 58; proportional: 10 points more or less as the heuristic says; matched: 5 less."""
    if supporting in (None, "all"):
        return (58.0 if supporting else 60.0) + seed
    gain = {None: 0, "matched": -5, "proportional": 10 if SIZES[supporting] > SIZES[target] else -10}[variant]
    return 60.0 + seed + gain


def seen(target, supporting, variant):
    """Proportional: of both tasks as much as the smaller has; matched: the target as often as alone."""
    if variant == "proportional":
        return 3 * min(SIZES[target], SIZES[supporting]), 30
    return 3 * SIZES[target], 3 * (SIZES[target] + SIZES[supporting]) // 10


@pytest.fixture
def runs(tmp_path):
    make_regimes(tmp_path, scores, SIZES, seen, ("proportional", "matched"))
    return read_runs("regimes", tmp_path)


def gaps(target, supporting, variant, seed):
    """b before a: one seed not done, one failed; alongside: not done, so nor is its other direction; c never varies."""
    if (target, supporting, variant) == ("a", "b", None):
        return (None, "loss became NaN", 60.0)[seed]
    if target == "c":
        return 56.0
    return None if {target, supporting} == {"a", "c"} and variant else 60.0 + seed


def two_samples(*samples):
    described = [pd.Series(own, dtype="float64").agg(["count", "mean", "std"]) for own in samples]
    frames = [own.rename({"count": "n", "std": "sd"}).to_frame().T for own in described]
    return statistics.two_sample_t(*frames).iloc[0]


def test_two_samples_by_hand():
    # Means 2 and 5, variances 1 and 7, pooled 4: standard error 2 * sqrt(2 / 3), 4 degrees of freedom.
    half = 2.7764451 * 2 * math.sqrt(2 / 3)
    test = two_samples([1, 2, 3, math.nan], [3, 4, 8])
    assert test[["difference", "low", "high"]].tolist() == pytest.approx([-3, -3 - half, -3 + half])
    assert test.note == ""
    assert test.p == pytest.approx(stats.ttest_ind([1, 2, 3], [3, 4, 8]).pvalue)


def test_the_same_scores_in_another_order_do_not_differ():
    first = [100 * right / 277 for right in (151, 153, 166, 158, 161)]
    orders = [two_samples(first, order) for order in itertools.permutations(first)]
    assert {test.difference for test in orders} == {0} and regimes.by_sign(pd.Series([0.0])).item() == "neither"


def test_two_samples_of_which_one_does_not_vary():
    test = two_samples([56, 56, 56], [57, 58, 59])
    # Pooled variance 1/2, standard error sqrt(1/2 * 2/3)
    assert test.low == pytest.approx(-2 - 2.7764451 / math.sqrt(3)) and test.p < 0.05
    assert "does not vary" in test.note


@pytest.mark.parametrize(
    ("first", "second", "difference", "note"),
    [([], [1, 2], math.nan, "two seeds"), ([3], [1, 2], 1.5, "two seeds"), ([3, 3], [1, 1], 2, "neither varies")],
)
def test_two_samples_without_a_spread_give_no_interval(first, second, difference, note):
    test = two_samples(first, second)
    assert test.difference == pytest.approx(difference, nan_ok=True) and note in test.note
    assert math.isnan(test.low) and math.isnan(test.high) and math.isnan(test.p)


def test_the_matrix_by_hand(runs):
    table = regimes.regime_differences(runs)
    assert table.groupby("mixing").size().to_dict() == {"proportional": CELLS, "matched": CELLS}
    half = 2.7764451 * math.sqrt(2 / 3)  # both samples have variance 1
    cell = table[(table["mixing"] == "proportional") & (table["target"] == "c") & (table["supporting"] == "a")].iloc[0]
    assert cell[["mtl", "stilts", "difference", "low", "high"]].tolist() == pytest.approx(
        [71, 61, 10, 10 - half, 10 + half]
    )
    assert cell[["n_mtl", "n_mtl_expected", "n_stilts", "n_stilts_expected", "n_paired"]].tolist() == [3] * 5
    assert cell[["target_size", "supporting_size", "size_ratio"]].tolist() == [100, 400, 4]
    assert cell["family"] == CELLS and cell["p_holm"] == pytest.approx(CELLS * cell["p"])
    assert math.isnan(cell["p_paired"]) and not cell["pseudo_replicates"]  # every paired difference is 10
    assert (table.loc[table["mixing"] == "proportional", "heuristic"] == table["better"].iloc[:CELLS]).all()
    assert set(table.loc[table["mixing"] == "matched", "better"]) == {"STILTs"}


def test_paired_seeds_have_a_test_of_their_own(runs):
    gains = {0: 1.0, 1: 2.0, 2: 3.0}
    mtl = (runs["regime"] == "mtl") & (runs["mixing"] == "matched")
    stilts = runs["regime"] == "stilts"
    runs = runs.assign(score=runs["score"].mask(mtl, runs["seed"].map(gains) + 60).mask(stilts, 60.0))
    table = regimes.regime_differences(runs)
    assert table.loc[table["mixing"] == "matched", "p_paired"].iloc[0] == pytest.approx(0.0742, abs=5e-5)  # t 3.4641


def test_a_task_of_its_own_and_the_control_are_left_out(runs):
    control = runs[runs["supporting"] == "a"].assign(supporting="again", control=True)
    same = runs[(runs["regime"] == "stilts") & (runs["target"] == "b")].assign(supporting="b", substituted=True)
    assert len(regimes.regime_differences(pd.concat([runs, control, same]))) == 2 * CELLS


def test_a_run_that_serves_two_parts_counts_once_and_two_runs_are_refused(runs):
    assert regimes.regime_differences(pd.concat([runs, runs.assign(part="again")])).equals(
        regimes.regime_differences(runs)
    )
    other = runs.assign(run=runs["run"] + "-other")
    with pytest.raises(IntertaskError, match="Two different stilts runs of a and b with seed 0"):
        regimes.regime_differences(pd.concat([runs, other]))


def test_a_study_without_both_regimes_is_refused(runs):
    for regime in ("mtl", "stilts"):
        with pytest.raises(IntertaskError, match="no pair of tasks has both regimes"):
            regimes.regime_differences(runs[runs["regime"] != regime])
    with pytest.raises(IntertaskError, match="no pair of tasks has both regimes"):
        regimes.regime_differences(runs[runs["regime"] == "single"])


def test_data_limits_are_cells_of_their_own(runs):
    limited = runs.assign(supporting_limit=pd.array([50] * len(runs), dtype="Int64"), run=runs["run"] + "-50")
    table = regimes.regime_differences(pd.concat([runs, limited]))
    assert len(table) == 4 * CELLS and table["supporting_limit"].isna().sum() == 2 * CELLS


def rule(table, mixing, cells, name):
    rows = regimes.rules(table)
    return rows[(rows["mixing"] == mixing) & (rows["cells"] == cells) & (rows["rule"] == name)].iloc[0]


def test_the_heuristic_where_it_holds(runs):
    table = regimes.regime_differences(runs)
    heuristic = rule(table, "proportional", "p < 0.1", "size heuristic")
    assert heuristic[["n", "abstains", "right", "accuracy"]].tolist() == [6, 0, 6, 100]
    assert heuristic["low"] == pytest.approx(100 * 6 / (6 + 1.959964**2)) and heuristic["high"] == pytest.approx(100)
    assert heuristic["score"] == 66  # 71 where MTL is chosen, 61 where STILTs is
    assert rule(table, "proportional", "all", "always MTL")[["right", "score"]].tolist() == [3, 61]
    assert rule(table, "proportional", "all", "ratio threshold")[["right", "score"]].tolist() == [6, 66]
    assert regimes.misjudged(table[table["mixing"] == "proportional"]).empty


def test_the_heuristic_where_a_matched_budget_ends_it(runs):
    table = regimes.regime_differences(runs)
    heuristic = rule(table, "matched", "p_holm < 0.1", "size heuristic")
    assert heuristic[["n", "right", "accuracy", "score"]].tolist() == [6, 3, 50, 58.5]
    assert heuristic["low"] == pytest.approx(18.76, abs=0.005) and heuristic["high"] == pytest.approx(81.24, abs=0.005)
    assert rule(table, "matched", "all", "always STILTs")[["right", "score"]].tolist() == [6, 61]
    assert rule(table, "matched", "all", "ratio threshold")["right"] == 6
    wrong = regimes.misjudged(table)
    assert list(zip(wrong["supporting"], wrong["target"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    words = regimes.heuristic_in_words(table)
    assert "right in 6 of 6 cells with p < 0.1, 100 % [61, 100]" in words and "Significant and wrong: none" in words
    assert "right in 3 of 6 cells with p < 0.1" in words and "a → b, a → c, b → c" in words


def test_the_threshold_is_chosen_without_the_target():
    cells = pd.DataFrame({
        "target": ["a", "a", "b", "b", "c", "c"],
        "size_ratio": [4.0, 16.0, 4.0, 16.0, 4.0, 16.0],
        "better": ["STILTs", "MTL", "STILTs", "MTL", "MTL", "MTL"],
    })  # fmt: skip
    assert regimes.size_threshold(cells) == 8  # 5 of 6 right; always MTL: 4
    # Without a or b, 8 and 0 are both right in 3 of 4: 8 is the nearer to equal sizes.
    assert regimes.thresholds(cells).tolist() == [8, 8, 8, 8, 8, 8]
    assert regimes.size_threshold(cells.assign(better="MTL")) == 0
    assert regimes.size_threshold(cells.assign(better="STILTs")) == math.inf
    assert math.isnan(regimes.thresholds(cells[cells["target"] == "a"]).iloc[0])


def test_equal_sizes_abstain(tmp_path):
    make_regimes(tmp_path, lambda target, supporting, variant, seed: 60.0 + seed + 4 * bool(variant), {"a": 9, "b": 9})
    table = regimes.regime_differences(read_runs("regimes", tmp_path))
    assert set(table["heuristic"]) == {"neither"} and regimes.misjudged(table).empty
    heuristic = rule(table, "proportional", "all", "size heuristic")
    assert heuristic[["n", "abstains", "right", "score"]].tolist() == [2, 2, 0, 63]  # the mean of 61 and 65
    assert math.isnan(heuristic["accuracy"]) and math.isnan(heuristic["low"])
    assert "nothing to judge among cells (it abstains in 2 more)" in regimes.heuristic_in_words(table)


def test_budget_by_hand(runs):
    table = regimes.regime_differences(runs)
    cell = table[(table["mixing"] == "proportional") & (table["target"] == "a") & (table["supporting"] == "c")].iloc[0]
    assert cell["target_examples_ratio"] == 0.25 and cell["distinct_examples_ratio"] == 1
    assert cell["steps_ratio"] == 30 / (120 + 30) and cell["target_steps_ratio"] == 30 / 120
    spent = regimes.budget(table).set_index(["mixing", "supporting", "ratio"])
    # a after b, a after c, b after c: a half, a quarter, a half
    smaller = spent.loc[("proportional", "smaller", "target_examples_ratio")]
    assert smaller[["n", "median", "min", "max"]].tolist() == [3, 0.5, 0.25, 0.5]
    assert spent.loc[("proportional", "larger", "target_examples_ratio"), "median"] == 1
    matched = spent.loc["matched"]
    assert (matched.xs("target_examples_ratio", level="ratio")["max"] == 1).all()
    assert (matched.xs("steps_ratio", level="ratio")["median"] == 1).all()
    assert "0.50 (median of 3 cells) where the supporting task is smaller" in regimes.budget_in_words(table)


def test_a_variant_without_a_name_is_one(runs):
    named = runs[runs["mixing"] != "matched"]
    table, expected = regimes.regime_differences(named.assign(mixing=None)), regimes.regime_differences(named)
    assert table["p_holm"].notna().all() and table.drop(columns="mixing").equals(expected.drop(columns="mixing"))
    for tabulated in (regimes.rules, regimes.budget):
        assert tabulated(table).drop(columns="mixing").equals(tabulated(expected).drop(columns="mixing"))
    for said in (regimes.heuristic_in_words, regimes.budget_in_words):
        assert said(table) == said(expected).replace(", proportional**", "**") != said(expected)


def test_seeds_share_a_supporting_model_only_where_all_models_are_named(runs):
    one = runs["supporting_run"].mask(runs["regime"] == "stilts", "one")
    shared = regimes.regime_differences(runs.assign(supporting_run=one))["pseudo_replicates"]
    unsaid = regimes.regime_differences(runs.assign(supporting_run=one.mask(runs["seed"] == 0)))["pseudo_replicates"]
    single = regimes.regime_differences(runs[runs["seed"] == 0].assign(supporting_run=None))["pseudo_replicates"]
    assert not regimes.regime_differences(runs)["pseudo_replicates"].any()
    assert shared.all() and unsaid.isna().all() and single.isna().all()


def test_missing_runs_stay_missing(tmp_path):
    make_regimes(tmp_path, gaps, SIZES)
    table = regimes.regime_differences(read_runs("regimes", tmp_path)).set_index(["supporting", "target"])
    few, none, constant = table.loc[("b", "a")], table.loc[("c", "a")], table.loc[("b", "c")]
    assert few[["n_stilts", "n_stilts_expected", "stilts", "difference"]].tolist() == [1, 3, 60, 1]
    assert math.isnan(few["p"]) and "two seeds" in few["note"]
    assert none["n_mtl"] == 0 and math.isnan(none["mtl"]) and math.isnan(none["difference"])
    assert pd.isna(none["better"]) and none["heuristic"] == "STILTs" and math.isnan(none["steps_ratio"])
    assert constant["difference"] == 0 and constant["note"] == "neither varies over seeds"
    assert constant["better"] == "neither" and math.isnan(constant["p_holm"])
    # a → b and c → b alone have a p, of no difference
    assert (table["family"] == 2).all() and table["p_holm"].notna().sum() == 2
    everything = rule(table.reset_index(), "proportional", "all", "size heuristic")
    assert everything[["n", "right"]].tolist() == [4, 0]  # the only difference, of b before a, is against it


def test_nothing_done_yet(tmp_path):
    make_regimes(tmp_path, lambda *_: None, SIZES)
    table = regimes.regime_differences(read_runs("regimes", tmp_path))
    assert table["difference"].isna().all() and (table["family"] == 0).all()
    assert (regimes.rules(table)["n"] == 0).all() and regimes.misjudged(table).empty
    assert "nothing to judge" in regimes.heuristic_in_words(table)
    assert "nothing known yet" in regimes.budget_in_words(table)


def test_parameters_are_checked(runs):
    table = regimes.regime_differences(runs)
    with pytest.raises(IntertaskError, match="alpha is the p value"):
        regimes.rules(table, alpha=10)
    with pytest.raises(IntertaskError, match="between 0 and 1"):
        regimes.regime_differences(runs, confidence=95)


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """A function that executes one of the notebooks on the made study and gives its cells' outputs by id."""
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))

    def execute(name, study="regimes"):
        executed = tmp_path / f"{name}.ipynb"
        execute_notebook(NOTEBOOKS / f"{name}.ipynb", executed, {"study": study})
        cells = nbformat.read(executed, as_version=4).cells
        assert not any(output.get("name") == "stderr" for cell in cells for output in cell.get("outputs", []))
        return {cell.id: str(cell.get("outputs")) for cell in cells}

    return execute


def test_the_notebooks_where_the_heuristic_holds_and_where_it_ends(tmp_path, outputs):
    make_regimes(tmp_path, scores, SIZES, seen, ("proportional", "matched"))
    shown = outputs("size_heuristic")
    assert all(shown[cell].count("image/png") == n for cell, n in (("matrix", 2), ("ratio", 1), ("exposure", 1)))
    assert "right in 6 of 6 cells" in shown["words"] and "a → b, a → c, b → c" in shown["words"]
    assert "mixing = matched" in shown["failures"] and shown["failures"].count("<tr>") == 4
    shown = outputs("all_tasks")
    assert "oracle (matched)" in shown["table"] and shown["figure"].count("image/png") == 1


def test_the_notebooks_with_missing_runs_and_a_constant_column(tmp_path, outputs):
    make_regimes(tmp_path, gaps, SIZES)
    shown = outputs("size_heuristic")
    assert "loss became NaN" in shown["missing"] and "neither varies over seeds" in shown["numbers"]
    assert "1 of 2" in outputs("all_tasks")["table"]


def test_the_notebooks_with_nothing_done(tmp_path, outputs):
    make_regimes(tmp_path, lambda *_: None, SIZES)
    assert "nothing to judge" in outputs("size_heuristic")["words"]
    shown = outputs("all_tasks")
    assert "nan" not in shown["table"] + shown["numbers"]


def test_the_notebook_on_a_printed_table_that_names_no_variant(outputs):
    shown = outputs("size_heuristic", "published/phang2018_mtl")
    assert "**GPT (Phang 2018)**: nothing to judge among cells with p < 0.1" in shown["words"]
    assert "nothing known yet" in shown["budget-words"] and "image/png" not in shown["ratio"]
