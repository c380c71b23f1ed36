"""Phang et al.'s tables and the equal-cost baseline, on made stores with answers worked out by hand."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest

from intertask.analysis.averages import wnli_in_words
from intertask.analysis.read import read_runs, read_scores
from intertask.analysis.tables import row_label
from intertask.analysis.transfer import deltas
from intertask.errors import IntertaskError
from intertask.papers.best_of_each import (
    cell_table,
    cost_in_words,
    equal_cost,
    expected_best,
    glue_table,
    selected,
    with_averages,
    with_best,
)
from intertask.papers.paper_figures import cost_arrows as draw_equal_cost
from intertask.report.page import clean
from made_notebook import execute_notebook
from made_runs import glue_roles, make_regimes, scored

TARGETS = ("mini/rte", "mini/mnli", "mini/wnli")
MADE = {
    ("mini/rte", None): (60, 70), ("mini/mnli", None): (80, 82), ("mini/wnli", None): (40, 30),
    ("mini/rte", "mini/mnli"): (75, 65), ("mini/wnli", "mini/mnli"): (56, 20),
    ("mini/rte", "mini/cola"): (45, None), ("mini/mnli", "mini/cola"): (81, 79), ("mini/wnli", "mini/cola"): (50, 10),
}  # fmt: skip


def made(target, task, seed):
    score = MADE[target, task][seed]
    return None if score is None else scored(float(score), majority=55.0 if target == "mini/wnli" else 50.0)


def selected_runs(results, name="made"):
    return selected(read_runs(name, results), read_scores(name, results))


@pytest.fixture
def runs(tmp_path):
    make_regimes(tmp_path, glue_roles(made, TARGETS, ("mini/mnli", "mini/cola"), seeds=2))
    return selected_runs(tmp_path)


def cell(table, row, target):
    return table[(table["row"] == row) & (table["target"] == target)].iloc[0]


def test_a_cell_is_its_best_restart_or_their_mean(runs):
    best, mean = cell_table(runs), cell_table(runs, restarts="mean")
    assert len(best) == 9 and best["n_expected"].eq(2).all()
    assert cell(best, "single", "mini/rte")["score"] == 70 and cell(mean, "single", "mini/rte")["score"] == 65
    lost = cell(best, "mini/cola", "mini/rte")
    assert lost["score"] == 45 and lost["n"] == 1 and lost["below"] and not lost["substituted"]
    same = cell(best, "mini/mnli", "mini/mnli")
    assert same["substituted"] and same["score"] == 82 and same["n"] == 2 and best["substituted"].sum() == 1
    with pytest.raises(IntertaskError, match="expected one of best, mean; found 'median'"):
        cell_table(runs, restarts="median")


@pytest.mark.parametrize(("rule", "alone", "after"), [("trained", 40, 56), ("majority", 55, 55), ("floor", 55, 56)])
def test_wnli_counts_by_its_rule(runs, rule, alone, after):
    table = cell_table(runs, wnli=rule)
    single, stilts = cell(table, "single", "mini/wnli"), cell(table, "mini/mnli", "mini/wnli")
    assert (single["score"], stilts["score"]) == (alone, after)
    assert single["ruled"] == (rule != "trained") and stilts["ruled"] == (rule == "majority")


def test_best_of_each_takes_each_targets_best_cell(runs):
    best = with_best(cell_table(runs))
    assert cell(best, "best of each", "mini/rte")[["score", "chosen"]].tolist() == [75, "mini/mnli"]
    assert cell(best, "best of each", "mini/mnli")[["score", "chosen"]].tolist() == [82, "single"]  # not the stand-in
    assert cell(best, "best of each", "mini/wnli")["score"] == 56


def test_averages_leave_out_what_they_say(runs):
    table = with_averages(with_best(cell_table(runs, wnli="floor")))
    assert cell(table, "single", "Avg")["score"] == pytest.approx((70 + 82 + 55) / 3)
    assert cell(table, "single", "A.Ex")["score"] == pytest.approx((70 + 55) / 2)
    assert cell(table, "single", "A.Ex")["n"] == 2
    assert cell(table, "best of each", "Avg")["score"] == pytest.approx((75 + 82 + 56) / 3)


def test_what_is_missing_makes_missing(tmp_path):
    def lost(target, task, seed):
        return None if (target, task) == ("mini/rte", "mini/cola") else made(target, task, seed)

    make_regimes(tmp_path, glue_roles(lost, TARGETS, ("mini/mnli", "mini/cola"), seeds=2))
    table = with_averages(with_best(cell_table(selected_runs(tmp_path))))
    for row, target in [("mini/cola", "mini/rte"), ("mini/cola", "Avg"), ("best of each", "mini/rte")]:
        assert math.isnan(cell(table, row, target)["score"]), (row, target)
    assert math.isnan(cell(table, "best of each", "A.Ex")["score"])
    assert cell(table, "mini/mnli", "Avg")["score"] == pytest.approx((75 + 82 + 56) / 3)
    text = glue_table(table, list(TARGETS))["text/plain"]
    assert "missing (0 of 2)" in text and text.count("missing") == 6  # a cell, its two averages; the same of the best


def test_the_table_is_marked_in_html_and_in_text(runs):
    shown = glue_table(with_averages(with_best(cell_table(runs, wnli="floor"))), list(TARGETS[::-1]))
    text, html = shown["text/plain"], clean(shown["text/html"])
    assert "82.0= (2)" in text and "45.0↓ (1 of 2)" in text and "55.0* (2)" in text
    assert "<s>82.0= (2)</s>" in html and "<b>75.0 (2)</b>" in html and "mini/bert, all training data" in html
    assert html.count("<s>") == 1
    head = re.split(r"  +", text.splitlines()[0].strip())
    assert head == ["mini/bert, all training data", "Avg", "A.Ex", *TARGETS[::-1]]


def test_names_are_escaped_and_absent_cells_are_dashes(tmp_path):
    roles = glue_roles(lambda *_: scored(60.0), ("<b>x</b>", "mini/rte"), ("<i>s</i>", "mini/rte"), 1, same_task="omit")
    roles = [role for role in roles if role["stage"] == "intermediate" or role["supporting"] != role["target"]]
    make_regimes(tmp_path, roles)
    table = with_averages(with_best(cell_table(selected_runs(tmp_path))))
    shown = glue_table(table, [])
    assert "<i>" not in shown["text/html"] and "&lt;i&gt;s&lt;/i&gt;" in shown["text/html"]
    assert "–" in shown["text/plain"] and math.isnan(cell(table, "mini/rte", "Avg")["score"])
    assert cell(table, "best of each", "Avg")["score"] == 60


def test_a_limit_of_the_supporting_task_is_a_row(tmp_path):
    roles = glue_roles(lambda *_: scored(60.0), ("mini/rte",), ("mini/cola",), 1)
    more = glue_roles(lambda *_: scored(70.0), ("mini/rte",), ("mini/cola",), 1, supporting_limit=50)
    more = [role | {"run": role["run"] + "-50"} for role in more if role.get("supporting")]
    make_regimes(tmp_path, [*roles, *more])
    assert cell_table(selected_runs(tmp_path))["row"].tolist() == ["single", "mini/cola", "mini/cola, 50 examples"]
    assert row_label("s", pd.NA, "zero_shot") == "s, zero_shot" and row_label(None, pd.NA, "same_task") == "same_task"
    assert [row_label("all", limit, "mtl_all") for limit in (pd.NA, 9)] == ["with all", "with all, 9 examples"]
    assert (
        row_label("s", pd.NA, "mtl") == "with s"
        and row_label("s", 9, "mtl_finetune") == "with s, 9 examples, then alone"
    )


def test_choices_are_made_on_the_rows_for_choosing(tmp_path):
    """By the reported rows seed 0 and `b` would be best; by those for choosing it is seed 1 and `a`."""
    by = {None: ((70, 50), (60, 90)), "a": ((50, 10), (61, 95)), "b": ((80, 20), (79, 30))}
    make_regimes(
        tmp_path,
        glue_roles(
            lambda target, task, seed: scored(float(by[task][seed][0]), select=float(by[task][seed][1])),
            ("x",), ("a", "b"), 2,
        ),
    )  # fmt: skip
    table = with_best(cell_table(selected_runs(tmp_path)))
    assert table["score"].tolist() == [60, 61, 79, 61] and table["chosen"].iloc[-1] == "a"


def test_what_stands_in_is_no_transfer(runs):
    paired = deltas(runs)
    assert len(paired) == 5 * 2 and (paired["supporting"] != paired["target"]).all()


def test_a_study_without_target_runs_is_refused(runs):
    with pytest.raises(IntertaskError, match="Take this notebook out of the study's report"):
        cell_table(runs[runs["regime"].isna()])


def test_rules_in_words():
    assert "majority class's score" in wnli_in_words("majority", TARGETS)
    assert "none of" in wnli_in_words("majority", ["mini/rte"])


def test_expected_best_by_hand():
    assert expected_best([50, 70, 60], 1) == pytest.approx(60)
    # two draws of three: the largest is 70 in 5 of 9 cases, 60 in 3, 50 in 1
    assert expected_best([50, 70, 60], 2) == pytest.approx((5 * 70 + 3 * 60 + 50) / 9)
    assert expected_best([60, 60, 70, math.nan], 2) == pytest.approx((5 * 70 + 4 * 60) / 9)
    assert expected_best([40, 80], 1.5) == pytest.approx(80 - 40 * 0.5**1.5)
    assert expected_best([5.0], 7) == 5 and math.isnan(expected_best([], 2))
    assert expected_best([50, 60], 1000) == pytest.approx(60)
    with pytest.raises(IntertaskError, match="above 0; found 0"):
        expected_best([1.0], 0)


def test_expected_best_chosen_by_something_else():
    # chosen on dev: the one with 90 on dev is the best of two in 3 of 4 cases, and is worth 60
    assert expected_best([70, 60], 2, chosen_by=[50, 90]) == pytest.approx((3 * 60 + 70) / 4)
    assert expected_best([70, 60], 2, chosen_by=[50, 50]) == pytest.approx(65)  # equal on dev: either


def test_equal_cost_by_hand(runs):
    table = equal_cost(runs).set_index(["supporting", "target"])
    assert ("mini/mnli", "mini/mnli") not in table.index and len(table) == 5
    row = table.loc[("mini/mnli", "mini/rte")]
    # 40 steps before and 10 after, against 10 of one restart
    assert row["k"] == 5 and row["single"] == 65 and row["stilts"] == 70 and (row["n"], row["n_single"]) == (2, 2)
    assert row["best_of_k"] == pytest.approx(60 / 2**5 + 70 * (1 - 1 / 2**5))
    assert row["gain"] == pytest.approx(70 - row["best_of_k"]) and math.isnan(row["low"])
    assert "k is above the 2 restarts" in row["note"]
    words = cost_in_words(table)  # on rte and wnli the mean is above one restart's; on wnli not above the best of five
    assert (
        "Of 5 cells" in words
        and "mean of single restarts in 2, " in words
        and "same in 1; none has an interval." in words
    )
    assert "In 5 cells k is above" in words


def test_runs_that_all_score_the_same_gain_nothing(tmp_path):
    """As where every run predicts the majority: the mean of three equal scores is above that of two by rounding."""
    score = scored(100 * 119 / 277)
    lost = glue_roles(lambda _, task, seed: score if task or seed else None, ("a",), ("s",), seeds=3)
    make_regimes(tmp_path, lost)
    table = equal_cost(selected_runs(tmp_path))
    assert (table["n"].item(), table["n_single"].item(), table["gain"].item()) == (3, 2, 0)
    words = cost_in_words(table)
    assert "mean of single restarts in 0, " in words and "same in 0; none has an interval." in words


def many(target, task, seed):
    return scored(60.0 + seed % 5 + (10 if task else 0))


def test_equal_cost_has_an_interval_from_ten_independent_restarts_on(tmp_path):
    make_regimes(tmp_path, glue_roles(many, ("x",), ("s",), 10))
    runs = selected_runs(tmp_path)
    (row,) = equal_cost(runs).itertuples()
    # the mean 72 after; the best of five draws from 60..64 twice each: 64 - (1 + 2^5 + 3^5 + 4^5) / 5^5
    assert row.best_of_k == pytest.approx(64 - 1300 / 3125) and row.note == ""
    assert row.low < row.gain < row.high and row.low > 0
    assert "of 1 with an interval, 1 lie wholly above zero" in cost_in_words(equal_cost(runs))
    (shared,) = equal_cost(runs.assign(supporting_run="one")).itertuples()
    assert "only 1 supporting model:" in shared.note and math.isnan(shared.low)
    few = runs[runs["seed"] < 9]
    assert "needs 10 restarts" in equal_cost(few)["note"].iloc[0]
    (without,) = equal_cost(runs.assign(steps=pd.NA, supporting_steps=pd.NA).astype(runs.dtypes)).itertuples()
    assert math.isnan(without.k) and math.isnan(without.gain) and "how many steps" in without.note


def test_equal_cost_with_nothing_done(tmp_path):
    make_regimes(tmp_path, glue_roles(lambda *_: None, ("x",), ("s",), 2))
    table = equal_cost(selected_runs(tmp_path))
    assert table["note"].tolist() == ["runs are missing"] and "Nothing can be said" in cost_in_words(table)


def test_the_figure_shows_three_marks_a_cell(runs):
    import matplotlib.pyplot as plt

    table = equal_cost(runs)
    fig, ax = plt.subplots()
    assert draw_equal_cost(table, ax) is ax
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "mini/mnli → mini/rte (k = 5.0)" and len(labels) == 5
    fig.canvas.draw()
    plt.close(fig)


MISSING = re.compile(r"(reason =|\[1\]) not run yet")  # of all that are missing, or of one


@pytest.mark.parametrize(("done", "restarts"), [("most", "best"), ("one seed", "mean"), ("nothing", "best")])
def test_the_notebook(tmp_path, monkeypatch, restarts, done):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    score = (lambda *_: None) if done == "nothing" else made
    roles = glue_roles(score, TARGETS, ("mini/mnli", "mini/cola"), seeds=1 if done == "one seed" else 2)
    make_regimes(tmp_path, roles, wnli="floor", targets=list(TARGETS))
    notebook = Path(__file__).parents[2] / "notebooks" / "analysis" / "best_of_each.ipynb"
    execute_notebook(notebook, tmp_path / "executed.ipynb", {"study": "made", "restarts": restarts})
    text = (tmp_path / "executed.ipynb").read_text()
    assert '"stderr"' not in text and "image/png" in text and "WNLI counts at least with the majority" in text
    assert ("<s>" in text) == (done != "nothing") and bool(MISSING.search(text)) == (done != "one seed")
    assert ("Nothing can be said yet" in text) == (done == "nothing")


def test_the_notebook_on_a_printed_table(tmp_path):
    notebook = Path(__file__).parents[2] / "notebooks" / "analysis" / "best_of_each.ipynb"
    execute_notebook(notebook, tmp_path / "executed.ipynb", {"study": "published/phang2018_mtl"})
    text = (tmp_path / "executed.ipynb").read_text()
    assert "best of each" in text and "with mnli, then alone" in text
