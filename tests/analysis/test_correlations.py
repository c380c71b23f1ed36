"""Correlations between targets on small frames and made stores, with answers worked out by hand or by scipy."""

import math
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from intertask.analysis import correlation_figures
from intertask.analysis.correlations import (
    AVERAGE,
    OBSERVATION,
    WNLI_RULES,
    average_in_words,
    caption,
    cluster_intervals,
    correlation_table,
    family_in_words,
    left_out_in_words,
    measured,
    needed_r,
    observations,
    observed_tasks,
    pairwise_r,
    panels,
    tasks_of,
    with_average,
    with_holm,
)
from intertask.analysis.read import read_runs, read_scores
from intertask.analysis.statistics import check_choice
from intertask.errors import IntertaskError
from made_notebook import execute_notebook
from made_runs import glue_roles, make_regimes, scored

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "analysis" / "target_correlations.ipynb"
GAIN = {None: 0, "mini/mnli": 6, "mini/qnli": -3, "mini/mnli[shuffle_labels=true]": 1}


TARGETS = ("mini/rte", "mini/cola", "mini/wnli")


def made_score(target, task, seed):
    """rte rises with the gain and cola falls; wnli is always 40, its majority 50."""
    if target == "mini/wnli":
        return scored(40.0)
    return scored(60.0 + (GAIN[task] + seed) * (1 if target == "mini/rte" else -2))


def made(results, score=made_score, supporting=tuple(GAIN)[1:], seeds=2, targets=TARGETS, **more):
    make_regimes(results, glue_roles(score, targets, supporting, seeds, **more))
    return read_runs("made", results), read_scores("made", results)


def wide_of(values: dict, supporting=None, encoder="e") -> pd.DataFrame:
    """Observations with the given columns; every row is a supporting task of its own unless it is said otherwise."""
    n = len(next(iter(values.values())))
    about = dict.fromkeys(OBSERVATION) | {"encoder": encoder, "regime": "stilts", "seed": range(n)}
    about["supporting"] = supporting if supporting is not None else [f"s{place}" for place in range(n)]
    return pd.DataFrame(about | values).astype({"limit": "Int64"})


# Observations


def test_an_observation_is_a_model_before_its_target(tmp_path):
    runs, scores = made(tmp_path)
    rows = measured(runs, scores, {})
    wide = observations(rows)
    assert tasks_of(wide) == list(TARGETS) and len(wide) == 4 * 2
    own = wide[(wide["supporting"] == "mini/mnli") & (wide["seed"] == 1)]
    assert own[list(TARGETS)].iloc[0].tolist() == [67, 46, 40]
    assert len(observations(rows, single=False)) == 6 and len(observations(rows, controls=False)) == 6
    table = observed_tasks(wide, rows)
    assert table["n"].tolist() == [8, 8, 8] and set(table["metric"]) == {"main"} and set(table["n_observations"]) == {8}


def test_what_is_no_observation(tmp_path):
    runs, scores = made(tmp_path, supporting=("mini/mnli",), targets=("mini/rte", "mini/mnli"))
    assert runs["substituted"].sum() == 2  # mnli after mnli: nothing was measured
    wide = observations(measured(runs, scores, {}))
    assert wide["mini/mnli"].notna().sum() == 2 and wide["mini/rte"].notna().sum() == 4
    together = runs.assign(regime=runs["regime"].mask(runs["regime"] == "stilts", "mtl"))
    assert len(observations(measured(together, scores, {}))) == 2
    with pytest.raises(IntertaskError, match="expected target runs with regime single or stilts"):
        measured(runs[runs["regime"].isna()], scores, {})


def test_missing_runs_stay_missing_and_a_run_in_two_parts_counts_once(tmp_path):
    runs, scores = made(tmp_path, lambda *of: None if of[0] == "mini/cola" and of[2] == 0 else made_score(*of))
    twice = pd.concat([runs.assign(part="a"), runs.assign(part="b")])
    wide = observations(measured(twice, scores, {}))
    assert len(wide) == 8 and wide["mini/cola"].isna().tolist() == [True, False] * 4
    none, nothing = made(tmp_path / "none", lambda *_: None)
    empty = observations(measured(none, nothing, {}))
    assert empty.empty and tasks_of(empty) == list(TARGETS)


def test_two_runs_for_one_observation_are_refused(tmp_path):
    runs, scores = made(tmp_path)
    double = pd.concat([runs, runs.assign(run=runs["run"] + "-again")])
    again = pd.concat([scores, scores.assign(run=scores["run"] + "-again")])
    with pytest.raises(IntertaskError, match="Two different single runs of mini/rte with seed 0 would count as one"):
        observations(measured(double, again, {}))


def with_metrics(results):
    """A study on rte and qqp; qqp has accuracy and f1."""
    runs, scores = made(results, lambda *of: scored(60.0 + of[2]), targets=("mini/rte", "mini/qqp"))
    scores = scores[scores["metric"] == "main"]
    qqp = scores[scores["target"] == "mini/qqp"]
    parts = [qqp.assign(metric="accuracy", score=qqp["score"] - 10), qqp.assign(metric="f1", score=qqp["score"] + 10)]
    return runs, pd.concat([scores, *parts])


def test_a_metric_is_chosen_by_target(tmp_path):
    runs, scores = with_metrics(tmp_path)
    plain = measured(runs, scores, {"qqp": "f1", "stsb": "pearson"})  # stsb is no target, and that is no matter
    assert set(observations(plain)["mini/qqp"]) == {70, 71} and set(observations(plain)["mini/rte"]) == {60, 61}
    assert plain.drop_duplicates("target")["metric"].tolist() == ["main", "f1"]
    assert set(observations(measured(runs, scores, {"mini/qqp": "accuracy"}))["mini/qqp"]) == {50, 51}
    with pytest.raises(IntertaskError, match="mini/qqp has no 'F1'.*Did you mean 'f1'.*main score is taken"):
        measured(runs, scores, {"qqp": "F1"})


def test_a_main_score_of_different_metrics_is_refused(tmp_path):
    runs, scores = with_metrics(tmp_path)
    without = scores[~(scores["metric"].eq("f1") & scores["seed"].eq(0))]
    with pytest.raises(IntertaskError, match=r"mini/qqp would mix metrics: of 8 .*f1 \(4 runs\).*\{qqp: accuracy\}"):
        measured(runs, without, {})
    assert observations(measured(runs, without, {"qqp": "f1"}))["mini/qqp"].notna().sum() == 4
    assert observations(measured(runs, without, {"qqp": "accuracy"}))["mini/qqp"].notna().sum() == 8


def test_the_average_is_over_main_scores_with_the_rule_for_wnli(tmp_path):
    runs, scores = made(tmp_path, lambda *of: None if of[:2] == ("mini/rte", None) else made_score(*of))
    rows = measured(runs, scores, {})
    wide = with_average(observations(rows), rows)
    after = wide[(wide["supporting"] == "mini/mnli") & (wide["seed"] == 0)].iloc[0]
    assert after[AVERAGE] == pytest.approx((66 + 48 + 50) / 3) and after["mini/wnli"] == 40
    assert wide.loc[wide["supporting"].isna(), AVERAGE].isna().all()  # without rte it is another number
    trained = with_average(observations(rows), rows, "trained")
    assert trained[AVERAGE].dropna().iloc[0] == pytest.approx((66 + 48 + 40) / 3)
    assert "at least with the majority" in average_in_words(rows, "floor") and "not known" not in average_in_words(
        rows, "floor"
    )
    words = average_in_words(rows.assign(majority=np.nan), "floor")
    assert "In 8 of 8 runs the majority is not known; there WNLI counts with the score" in words
    assert "so is the average" in average_in_words(rows.assign(majority=np.nan), "majority")
    assert observed_tasks(wide, rows)["metric"].iloc[-1] == "mean of the main scores"


def test_panels_do_not_pool_limits():
    parts = [wide_of({"a": [1.0, 2], "b": [1.0, 2]}, encoder=encoder) for encoder in "xyx"]
    parts[2]["limit"] = pd.array([50, 50], dtype="Int64")
    names = {name: len(own) for name, own in panels(pd.concat(parts))}
    assert names == {
        "x, all training data": 2, "x, 50 training examples": 2, "y, all training data": 2,
        "all encoders, all training data": 4,
    }  # fmt: skip


# Correlations


def test_correlations_are_scipys_over_the_rows_that_have_both():
    rng = np.random.default_rng(3)
    values = pd.DataFrame(rng.normal(size=(20, 3)), columns=list("abc")).mask(rng.random((20, 3)) < 0.2)
    values["c"] = values["c"].round(0)  # ties
    for method, test in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        table = pairwise_r(values, list(combinations("abc", 2)), method)
        for row in table.itertuples():
            both = values[[row.task_a, row.task_b]].dropna()
            assert row.n == len(both) < 20
            assert (row.r, row.p) == pytest.approx(tuple(test(*both.to_numpy().T)), abs=1e-12)


def test_undefined_correlations_are_missing_with_a_note():
    wide = wide_of({"a": [1.0, 2, 3, np.nan], "b": [5.0] * 4, "c": [np.nan, np.nan, 1, 2], "d": [2.0, 4, 6, 1]})
    table = correlation_table(wide, list(combinations("abcd", 2)), "pearson").set_index(["task_a", "task_b"])
    assert table.loc[("a", "b"), "note"] == "a score does not vary" and math.isnan(table.loc[("a", "b"), "r"])
    few = table.loc[("a", "c")]
    assert few["n"] == 1 and math.isnan(few["r"]) and few["note"] == "fewer than three observations"
    exact = table.loc[("a", "d")]
    assert (exact["r"], exact["p"], exact["n"]) == (pytest.approx(1), pytest.approx(0, abs=1e-6), 3)
    assert exact["note"] == "no interval: 3 clusters, fewer than ten" and math.isnan(exact["low"])
    holm = with_holm(table.reset_index())
    assert holm["family"].tolist() == [1] * 6 and holm["p_holm"].isna().sum() == 5  # c and d have two in common
    assert "are 1 of a family of 1 distinct pair;" in family_in_words(holm, "pearson")


def test_clusters_are_means_by_supporting_task():
    supporting = ["s", "s", "t", "t", "u", "u"]
    a, b = [1.0, 3, 4, 6, 7, 9], [2.0, 2, 1, 3, 3, 3]  # means 2, 5, 8 and 2, 2, 3: r = .866, p = 1/3
    row = correlation_table(wide_of({"a": a, "b": b}, supporting), [("a", "b")], "pearson").iloc[0]
    assert (row["n"], row["clusters"], row["p_clusters"]) == (6, 3, pytest.approx(1 / 3))
    assert row["p"] == pytest.approx(stats.pearsonr(a, b).pvalue)


def test_over_several_encoders_the_encoder_is_the_cluster():
    a, b = [1.0, 3, 4, 6, 7, 9], [2.0, 2, 1, 3, 3, 3]
    wide = wide_of({"a": a, "b": b}, list("stsuvw"), encoder=["x", "x", "y", "y", "z", "z"])
    table = correlation_table(wide, [("a", "b")], "pearson").set_index("panel")
    assert table.loc["all encoders, all training data", ["n", "clusters"]].tolist() == [6, 3]
    assert table.loc["all encoders, all training data", "p_clusters"] == pytest.approx(1 / 3)  # means as above


def test_an_encoder_of_which_too_little_is_known_has_no_panel_beside_others():
    """Of one or two observations there is no correlation, and restarts of one model have only their seeds in common."""
    values = {"a": [1.0, 2, 3, 4], "b": [1.0, 3, 2, 4]}
    single = [None] * 4
    wide = pd.concat(
        [wide_of(values, encoder="known"), wide_of(values, single, "restarts"), wide_of(values, encoder="few")[:2]],
        ignore_index=True,
    )
    assert [name for name, _ in panels(wide)] == ["known, all training data", "all encoders, all training data"]
    assert left_out_in_words(wide).startswith("2 of 3 panels of one encoder are left out")
    two = wide[wide["encoder"] != "few"]  # of two encoders there is no correlation either
    assert len(panels(two)) == 3 and left_out_in_words(two) == ""


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_pairs_count_the_means_of_the_rows_that_have_both(method):
    rng = np.random.default_rng(1)
    values = pd.DataFrame(rng.normal(size=(30, 3)), columns=list("abc"))
    values = values.assign(c=values["c"].mask(rng.random(30) < 0.3))  # ab has all rows, ac and bc have the same ones
    wide = wide_of(dict(values), [f"s{row % 12}" for row in range(30)])
    table = correlation_table(wide, list(combinations("abc", 2)), method)
    for row in table.itertuples():
        own = values[[row.task_a, row.task_b]].dropna()
        means = own.groupby(own.index % 12).mean()
        assert row.p_clusters == pytest.approx(getattr(stats, method + "r")(*means.to_numpy().T).pvalue)


def test_a_cluster_counts_with_the_observations_that_have_both():
    """a of one seed and b of another are no pair."""
    wide = wide_of({"a": [1.0, np.nan] * 3 + [5], "b": [np.nan, 2.0] * 3 + [6]}, ["s", "s", "t", "t", "u", "u", "v"])
    row = correlation_table(wide, [("a", "b")], "pearson").iloc[0]
    assert (row["n"], row["clusters"]) == (1, 1) and math.isnan(row["p_clusters"])


def jackknifed(x, y, of, method):
    """low and high by hand: the correlation without each cluster in turn, on Fisher's z; of: the rows' clusters."""
    z = [math.atanh(method(x[of != k], y[of != k]).statistic) for k in np.unique(of)]
    n = len(z)
    half = stats.t.ppf(0.975, n - 1) * math.sqrt((n - 1) / n * sum((one - sum(z) / n) ** 2 for one in z))
    r = math.atanh(method(x, y).statistic)
    return math.tanh(r - half), math.tanh(r + half)


@pytest.mark.parametrize("method, test", [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)])
def test_the_interval_leaves_out_each_cluster_in_turn(method, test):
    rng, of = np.random.default_rng(0), np.repeat(range(12), [1, 2, 3, 4] * 3)
    x = rng.normal(size=(30, 3)).round(1)
    values = pd.DataFrame(x, columns=list("abc"))
    values.loc[of == 11, "c"] = np.nan  # so eleven clusters have b and c
    table = cluster_intervals(values, pd.Series(of), [("a", "b"), ("b", "c")], method, 0.95)
    assert table["clusters"].tolist() == [12, 11] and table["note"].tolist() == ["", ""]
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx(jackknifed(x[:, 0], x[:, 1], of, test))
    own = of != 11
    assert table.loc[1, ["low", "high"]].tolist() == pytest.approx(jackknifed(x[own, 1], x[own, 2], of[own], test))


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_equal_restarts_of_a_supporting_task_say_no_more_than_one(method):
    values = pd.DataFrame(np.random.default_rng(1).normal(size=(12, 2)), columns=["a", "b"])
    once = cluster_intervals(values, pd.Series(range(12)), [("a", "b")], method, 0.95)
    tripled = values.loc[np.repeat(range(12), 3)].reset_index(drop=True)
    thrice = cluster_intervals(tripled, pd.Series(np.repeat(range(12), 3)), [("a", "b")], method, 0.95)
    pd.testing.assert_frame_equal(once, thrice)
    assert once["low"][0] < once["high"][0]


@pytest.mark.parametrize("a", [[0.0] * 11 + [1], [2.0 * k for k in range(12)]], ids=["one moves it", "on a line"])
def test_a_correlation_that_rests_on_one_supporting_task_has_no_interval(a):
    values = pd.DataFrame({"a": a, "b": np.arange(12.0)})
    row = cluster_intervals(values, pd.Series(range(12)), [("a", "b")], "pearson", 0.95).iloc[0]
    assert math.isnan(row["low"]) and math.isnan(row["high"])
    assert row["note"] == "no interval: without one cluster a score does not vary, or r is 1"


def restarts(rng, code, between):
    """Three columns of unrelated scores; a share `between` of their variance is between supporting tasks."""
    own = rng.normal(size=(len(code), 3))
    return math.sqrt(between) * rng.normal(size=(code.max() + 1, 3))[code] + math.sqrt(1 - between) * own


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_the_interval_covers(method):
    """60 studies of 20 supporting tasks x 6 restarts, r .5: 95 % +- 2.8; over rows it would be less than 70 %."""
    rng, code, columns = np.random.default_rng(5), np.repeat(range(20), 6), {}
    true = 0.5 if method == "pearson" else 6 / math.pi * math.asin(0.25)
    for study in range(60):
        x = restarts(rng, code, 0.9)
        columns |= {f"a{study}": x[:, 0], f"b{study}": 0.5 * x[:, 0] + math.sqrt(0.75) * x[:, 1]}
    pairs = [(f"a{study}", f"b{study}") for study in range(60)]
    intervals = cluster_intervals(pd.DataFrame(columns), pd.Series(code), pairs, method, 0.95)
    assert ((intervals["low"] <= true) & (true <= intervals["high"])).sum() >= 52


def test_the_means_of_clusters_keep_their_level():
    """Of 400 unrelated pairs 5 % +- 1.1 are found; taking three restarts as independent, about 16 %."""
    rng, code = np.random.default_rng(5), np.repeat(range(20), 3)
    values = pd.concat([pd.DataFrame(restarts(rng, code, 0.7)[:, :2]) for _ in range(400)], axis="columns")
    values.columns = [f"{k}" for k in range(800)]
    pairs = [(f"{k}", f"{k + 1}") for k in range(0, 800, 2)]
    means = pairwise_r(values.groupby(code).mean(), pairs, "pearson")["p"]
    assert 0.02 < (means < 0.05).mean() < 0.085 and (pairwise_r(values, pairs, "pearson")["p"] < 0.05).mean() > 0.12


# Families


def test_holm_over_distinct_pairs_and_over_the_papers_block():
    pairs = [("t", "u"), ("t", "p"), ("u", "p"), (AVERAGE, "t")]
    p = [0.01, 0.012, 0.5, 1e-9]
    table = pd.DataFrame(pairs, columns=["task_a", "task_b"]).assign(panel="x", p=p, p_clusters=[0.04, 0.04, np.nan, 0])
    corrected = with_holm(table, ["t", "u"])
    assert corrected["p_holm"].tolist()[:3] == pytest.approx(multipletests(p[:3], method="holm")[1])
    assert corrected["p_clusters_holm"].tolist()[:2] == pytest.approx([0.08, 0.08])
    # t and u with themselves, p = 0; t-u twice: 0, 0, .01, .01, .012, .5
    assert corrected["p_holm_block"].tolist()[:3] == pytest.approx([0.04, 0.04, 0.5])
    assert set(corrected["family"]) == {3} and set(corrected["family_block"]) == {6}
    assert corrected.iloc[3][["p_holm", "p_clusters_holm", "p_holm_block"]].isna().all()


def test_what_so_few_observations_can_show():
    assert needed_r(33, 350, "spearman") == pytest.approx(0.614, abs=5e-4)
    least = needed_r(11, 350, "pearson")
    assert least == pytest.approx(0.903, abs=5e-4)
    t = least * math.sqrt(9 / (1 - least**2))
    assert 2 * stats.t.sf(t, 9) == pytest.approx(0.05 / 350)
    assert math.isnan(needed_r(2, 5, "pearson")) and math.isnan(needed_r(11, 0, "pearson"))
    # of 24 orders of four ranks 2 are |r| = 1 and 6 more |r| = .8: p 2/24 and 8/24
    assert needed_r(4, 1, "spearman", 0.1) == 1 and needed_r(4, 1, "spearman", 0.34) == pytest.approx(0.8)
    assert math.isnan(needed_r(4, 1, "spearman"))


def test_few_ranks_have_few_orders():
    """Of 3 ranks one order in three is as close as any can be; Student's t would give p = 0."""
    rows = pairwise_r(
        pd.DataFrame({"a": [1.0, 2, 3], "b": [2.0, 4, 9], "c": [9.0, 4, 5]}), [("a", "b"), ("a", "c")], "spearman"
    )
    assert rows["p"].tolist() == pytest.approx([1 / 3, 1])
    five = pd.DataFrame({"a": range(5), "b": [0, 1, 2, 4, 3]})  # |r| >= .9: the order, 4 swaps of neighbours, reversed
    assert pairwise_r(five, [("a", "b")], "spearman")["p"].item() == pytest.approx(10 / 120)


def test_ties_leave_fewer_orders():
    """Of four models two at the majority: 6 orders differ, of which 2 are as close; without ties 2 of 24 would be."""
    tied = pd.DataFrame({"a": [50.0, 50, 60, 60, 70], "b": [1.0, 2, 3, 4, np.nan], "c": [50.0, 50, 50, 50, 60]})
    rows = pairwise_r(tied, [("a", "b"), ("a", "c"), ("b", "c")], "spearman")
    assert rows["r"].iloc[0] == pytest.approx(2 / 5**0.5) and rows["p"].iloc[0] == pytest.approx(2 / 6)
    assert rows["p"].iloc[1] == pytest.approx(1 / 5)  # the one 60 has one place of five where the 70 is
    assert math.isnan(rows["p"].iloc[2])  # where both are, c does not vary


def test_the_family_in_words(tmp_path):
    wide = wide_of({"a": [1.0, 2, 3, 4, 5, 6], "b": [1.0, 2, 3, 4, 6, 5], "c": [1.0, 5, 2, 2, 4, 3]})
    table = with_holm(correlation_table(wide, list(combinations("abc", 2)), "pearson"), "ab")
    words = family_in_words(table, "pearson")
    assert "are 1 of a family of 3 distinct pairs" in words and "1 in the block of 6 cells" in words
    assert f"first step needs, with 6 observations, |r| of {needed_r(6, 3, 'pearson'):.3f} or more (" in words
    assert "0 with an interval that leaves out zero" in words
    assert "with the means of 6 clusters, more than there can be." in family_in_words(table, "spearman", 0.001)
    assert caption(table, "pearson").endswith("Pearson, n = 6; 1 of a family of 3 pairs have Holm's p < 0.05")
    assert "no run is done" in family_in_words(table[:0], "pearson")
    assert "no pair has a correlation yet" in family_in_words(with_holm(table[["panel", "task_a", "task_b", "n",
        "clusters", "low", "high"]].assign(p=np.nan, p_clusters=np.nan)), "pearson")  # fmt: skip


def test_legal_values():
    with pytest.raises(IntertaskError, match="method: expected one of pearson, spearman; found 'kendall'"):
        correlation_table(wide_of({"a": [1.0]}), [], "kendall")
    with pytest.raises(IntertaskError, match="wnli: expected one of trained, majority, floor"):
        check_choice("wnli", "never", WNLI_RULES)


def printed(folder, text):
    path = folder / "printed.csv"
    path.write_text(text)
    return str(path)


# Figures and the notebook


def test_the_triangle_shows_each_pair_once_with_its_mark(ax):
    wide = wide_of({"a": [1.0, 2, 3], "b": [3.0, 2, 1], "c": [5.0] * 3})

    table = with_holm(correlation_table(wide, list(combinations("abc", 2)), "pearson"))
    correlation_figures.correlation_heatmap(table, ["a", "b", "c"], ["a", "b"], ax)
    words = [found.get_text() for found in ax.texts]
    assert sorted(words) == ["-1.00*", "n=3", "n=3", "no interval\nn=3"]  # nothing for a task with itself
    assert sum(patch.get_hatch() == "///" for patch in ax.patches) == 2


def test_a_correlation_that_rounds_to_zero_is_not_negative(ax):
    table = pd.DataFrame({"task_a": ["a"], "task_b": "b", "r": -0.004, "low": -0.1, "high": 0.1, "n": 9})
    correlation_figures.correlation_heatmap(table.assign(p_holm=0.01, p_clusters_holm=1.0), ["b"], ["a"], ax)
    assert ax.texts[0].get_text() == "0.00"  # nor marked: not on the means of clusters


def outputs(folder, monkeypatch, **parameters):
    monkeypatch.setenv("INTERTASK_RESULTS", str(folder))
    execute_notebook(NOTEBOOK, folder / "executed.ipynb", {"study": "made", **parameters})
    cells = nbformat.read(folder / "executed.ipynb", as_version=4).cells
    assert not any(output.get("name") == "stderr" for cell in cells for output in cell.get("outputs", []))
    return {cell.id: str(cell.get("outputs")) for cell in cells}


def test_the_notebook_beside_a_printed_table(tmp_path, monkeypatch):
    made(tmp_path)
    name = printed(tmp_path, "task_a,task_b,pearson\nrte,cola,0.5\nrte,average,0.5\n")
    shown = outputs(tmp_path, monkeypatch, published=name)
    assert shown["matrix"].count("image/png") == 1 and shown["published-figure"].count("image/png") == 1
    assert "are 1 of a family of 1 distinct pair;" in shown["family"]  # wnli is constant
    assert "a score does not vary" in shown["numbers"] and "fewer than ten" in shown["numbers"]
    assert "the largest 1.50; the sign is the opposite in" in shown["published"]  # rte and cola: -1 against .5
    assert "at least with the majority" in shown["wnli"]


@pytest.mark.parametrize("done", ["some", "nothing"])
def test_the_notebook_with_much_missing(tmp_path, monkeypatch, done):
    made(tmp_path, lambda *of: made_score(*of) if done == "some" and of[1] == "mini/mnli" else None)
    shown = outputs(tmp_path, monkeypatch, single=False, method="spearman")
    assert "not run yet" in shown["missing"] and "No printed table was named" in shown["published"]
    if done == "some":
        assert (
            "fewer than three observations" in shown["numbers"] and "no pair has a correlation yet" in shown["family"]
        )
    else:
        assert "no run is done" in shown["family"] and "image/png" not in shown["matrix"]


def test_several_encoders_have_a_panel_of_all(tmp_path, monkeypatch):
    roles = [
        role | {"encoder": encoder, "run": f"{encoder}-{role['run']}", "supporting_run": None}
        for encoder in ("one", "two")
        for role in glue_roles(made_score, TARGETS, tuple(GAIN)[1:], 2)
    ]
    make_regimes(tmp_path, roles)
    shown = outputs(tmp_path, monkeypatch)
    assert shown["matrix"].count("image/png") == 3 and "all encoders, all training data" in shown["family"]
    plt.close("all")
