"""Cells of a matrix, what stands behind them, and their order; answers worked out by hand."""

import pandas as pd
import pytest

from intertask.analysis import cells
from intertask.analysis.read import read_both, read_runs, read_scores
from intertask.errors import IntertaskError
from made_runs import glue_roles, make_regimes, scored
from made_store import make_store

GAINS = {"mini/mnli": 2, "mini/mnli[shuffle_labels=true]": -1, None: 0}


@pytest.fixture
def runs(tmp_path):
    make_store(tmp_path, lambda target, task, seed: 60 + 10 * (target == "mini/cola") + GAINS[task] * (seed + 1))
    return read_runs("demo", tmp_path)


def cell(table, supporting="mini/mnli", target="mini/rte"):
    return table[(table["supporting"] == supporting) & (table["target"] == target)].iloc[0]


def test_the_cells_are_those_of_the_transfer_table(runs):
    assert cells.regime_pairs(runs) == ["stilts - single"]
    assert cells.matrix_panels(runs)[["encoder", "data"]].to_numpy().tolist() == [["mini/bert", "all training data"]]
    found = cell(cells.cells_table(runs, "stilts - single"))
    assert (found["before"], found["after"], found["delta"], found["n"], found["family"]) == (60, 66, 6, 5, 4)


def test_a_cell_has_its_restarts_tests_and_budgets(runs):
    found = cell(cells.cells_table(runs, "stilts - single"))
    pairs = cells.of_cell(cells.restart_pairs(runs, "stilts - single"), found)
    assert pairs["delta"].tolist() == [2, 4, 6, 8, 10] and pairs["seed"].tolist() == [0, 1, 2, 3, 4]
    assert cells.cell_tests(found, pairs)["p_permutation"].item() == pytest.approx(2 / 32)  # all signs alike, of 2^5
    budgets = cells.cell_budgets(runs, pairs)
    assert len(budgets) == 10 and set(budgets["steps"]) == {24} and set(budgets["examples_seen"]) == {750}
    assert budgets.loc[budgets["when"] == "after", "run"].tolist() == pairs["after_run"].tolist()


def test_what_is_not_there_is_said(runs):
    with pytest.raises(IntertaskError, match="mtl - single"):
        cells.cells_table(runs, "mtl - single")


def test_alongside_is_compared_with_alone_and_with_before(tmp_path):
    roles = glue_roles(lambda *_: scored(60.0), ["rte"], ["mnli"], 2)
    mixed = {"stage": "target", "regime": "mtl", "mixing": "even, 2 - 1", "supporting": "mnli", "target": "rte"}
    roles += [mixed | {"run": f"mixed-{seed}", "seed": seed, "record": {"tasks": {"rte": scored(70.0 + seed)}}}
              for seed in (0, 1)]  # fmt: skip
    make_regimes(tmp_path, roles)
    runs = read_runs("made", tmp_path)
    alongside = "mtl, even, 2 - 1"
    assert cells.regime_pairs(runs) == ["stilts - single", f"{alongside} - single", f"{alongside} - stilts"]
    for pair in cells.regime_pairs(runs)[1:]:
        assert cells.cells_table(runs, pair)["delta"].tolist() == [10.5]
        assert cells.restart_pairs(runs, pair)["delta"].tolist() == [10, 11]


def test_two_studies_differ_by_the_difference_of_their_differences(runs, tmp_path):
    make_store(tmp_path / "other", lambda target, task, seed: 60.0 + (task is not None) * (seed - 2))
    both = [runs, read_runs("demo", tmp_path / "other")]
    tables = [cells.cells_table(one, "stilts - single") for one in both]
    pairs = [cells.restart_pairs(one, "stilts - single") for one in both]
    apart = cell(cells.cell_contrast(*tables, pairs))
    assert (apart["delta"], apart["after"], apart["before"], apart["n"]) == (6, 6, 0, 5)
    # sd of 2, 4, …, 10 is √10, of -2, …, 2 √2.5; the error √((10 + 2.5) / 5), t with 8 degrees of freedom 2.306
    assert apart["high"] - apart["low"] == pytest.approx(2 * 2.306 * 2.5**0.5, rel=1e-4)


def test_a_metric_that_a_task_lacks_leaves_its_cell_empty(tmp_path):
    own = {"scores": {"validation": {"main": 50.0, "f1": 40.0}}}
    roles = glue_roles(lambda target, *_: scored(60.0) | (own if target == "a" else {}), ["a", "b"], ["c"], 2)
    make_regimes(tmp_path, roles)
    runs = read_runs("made", tmp_path)
    table = cells.cells_table(cells.with_metric(runs, read_scores("made", tmp_path), "f1"), "stilts - single")
    assert table["before"].tolist()[0] == 40 and table["n"].tolist() == [2, 0]


def test_rows_and_columns_are_ordered():
    wide = {"a": [0, 0, 9], "b": [9, 9, 0], "c": [0, 1, 9]}
    table = pd.DataFrame(wide, index=["x", "y", "z"]).T.stack().reset_index()
    table = table.set_axis(["supporting", "target", "delta"], axis=1).assign(control=False)
    runs = pd.DataFrame({"supporting": ["a", "b", "c"], "supporting_n_train": [1, 3, 2], "target": ["x", "y", "z"]})
    runs["n_train"] = [None, 5, 6]
    assert cells.ordered(table, runs, "as given") == (["a", "b", "c"], ["x", "y", "z"])
    assert cells.ordered(table, runs, "by size") == (["b", "c", "a"], ["z", "y", "x"])
    rows, columns = cells.ordered(table, runs, "clustered")
    assert rows[1] in "ac" and columns[1] in "xy"  # the two that are alike stand beside each other
    rows, _ = cells.ordered(table.assign(control=table["supporting"] == "a"), runs, "as given")
    assert rows == ["b", "c", "a"]


def test_colours_end_at_the_largest_or_at_a_quantile():
    table = pd.DataFrame({"delta": [-97.0, *[1.0] * 99, None]})
    assert cells.colour_ends(table) == 97 and cells.colour_ends(table, quantile=True) == 1
    assert cells.colour_ends(table[:0]) == 1


def test_runs_and_scores_come_from_one_reading(tmp_path):
    make_store(tmp_path, lambda *_: 60.0)
    runs, scores = read_both("demo", tmp_path)
    pd.testing.assert_frame_equal(runs, read_runs("demo", tmp_path))
    pd.testing.assert_frame_equal(scores, read_scores("demo", tmp_path))
