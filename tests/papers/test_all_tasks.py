"""One supporting task or all of them: Weller's tables by hand."""

import math

import pandas as pd
import pytest

from intertask.analysis.read import read_runs
from intertask.analysis.regimes import regime_differences
from intertask.errors import IntertaskError
from intertask.papers.all_tasks import against, all_tasks, by_method, mean_differences
from made_regimes import make_regimes

SIZES = {"a": 400, "b": 200, "c": 100}


def scores(target, supporting, variant, seed):
    """Single 61, STILTs 61, all tasks 59; alongside 71 with a larger task and 51 with a smaller one."""
    if supporting == "all":
        return 58.0 + seed
    if variant:
        return 60.0 + seed + (10 if SIZES[supporting] > SIZES[target] else -10)
    return 60.0 + seed


def gaps(target, supporting, variant, seed):
    """As `scores`, but a and c were not trained together, and of b alone only seed 0 is done."""
    if (variant and {target, supporting} == {"a", "c"}) or (target == "b" and supporting is None and seed):
        return None
    return scores(target, supporting, variant, seed)


def made(folder, score, **settings):
    make_regimes(folder, score, SIZES, **settings)
    runs = read_runs("regimes", folder)
    return all_tasks(runs, regime_differences(runs))


def test_weller_by_hand(tmp_path):
    table = made(tmp_path, scores)
    by_method = table.pivot(index="method", columns="target", values="score")
    assert by_method.loc["single"].tolist() == [61, 61, 61]
    assert by_method.loc["STILTs, average"].tolist() == [61, 61, 61]
    assert by_method.loc["MTL, average"].tolist() == [51, 61, 71]
    assert by_method.loc["size heuristic, average"].tolist() == [61, 66, 71]
    assert by_method.loc["oracle"].tolist() == [61, 71, 71]
    assert by_method.loc["all tasks"].tolist() == [59, 59, 59]
    counts = table.drop_duplicates("method").set_index("method")[["n", "n_expected"]]
    assert counts.loc["single"].tolist() == [3, 3] and counts.loc["MTL, average"].tolist() == [2, 2]
    assert counts.loc["oracle"].tolist() == [4, 4]


def test_it_prints_as_the_paper_does(tmp_path):
    table = by_method(made(tmp_path, scores, variants=("size", "uniform")))
    assert table.index.tolist() == [
        "single", "STILTs, average", "MTL, average (size)", "MTL, average (uniform)", "size heuristic, average (size)",
        "size heuristic, average (uniform)", "oracle (size)", "oracle (uniform)", "all tasks (size)",
        "all tasks (uniform)",
    ]  # fmt: skip
    assert table.columns.tolist() == ["a", "b", "c", "mean over targets"]
    assert table.loc["oracle (size)"].tolist() == ["61.0 (4)", "71.0 (4)", "71.0 (4)", "67.7 (3)"]


def test_what_is_missing_is_marked(tmp_path):
    table = by_method(made(tmp_path, gaps))
    assert table.loc["single"].tolist() == ["61.0 (3)", "60.0 (1 of 3)", "61.0 (3)", "60.7 (3, 1 incomplete)"]
    mtl = table.loc["MTL, average (proportional)"].tolist()
    assert mtl == ["51.0 (1 of 2)", "61.0 (2)", "71.0 (1 of 2)", "61.0 (3, 2 incomplete)"]
    # c after a is the larger's case, MTL, which is missing; a after c is STILTs', which is there.
    chosen = table.loc["size heuristic, average (proportional)"].tolist()
    assert chosen == ["61.0 (2)", "66.0 (2)", "71.0 (1 of 2)", "66.0 (3, 1 incomplete)"]


def test_nothing_is_empty_and_not_zero(tmp_path):
    table = made(tmp_path, lambda target, supporting, *_: 60.0 if supporting is None and target == "a" else None)
    shown = by_method(table)
    assert shown.loc["single"].tolist() == ["60.0 (3)", "", "", "60.0 (1 of 3)"]
    assert shown.drop("single").eq("").all(axis=None)
    means = mean_differences(against(table))
    assert means["difference"].isna().all() and (means["n"] == 0).all()


def test_differences_over_targets_by_hand(tmp_path):
    table = made(tmp_path, scores)
    differences = against(table)
    means = mean_differences(differences).set_index(["baseline", "method"])
    heuristic = means.loc[("single", "size heuristic, average (proportional)")]
    half = 4.3026527 * 5 / math.sqrt(3)  # differences 0, 5, 10
    assert heuristic[["n", "n_expected"]].tolist() == [3, 3]
    assert heuristic[["difference", "low", "high"]].tolist() == pytest.approx([5, 5 - half, 5 + half])
    against_all = means.loc[("all tasks (proportional)", "single")]
    assert against_all["difference"] == 2 and against_all["note"] == "all differences are equal"
    assert not (differences["baseline"] == differences["method"]).any()
    with pytest.raises(IntertaskError, match="Nothing to compare with"):
        against(table[~table["method"].isin(["single", "all tasks"])])


def test_a_panel_for_every_limit_of_the_supporting_task(tmp_path):
    make_regimes(tmp_path, scores, SIZES)
    runs = read_runs("regimes", tmp_path)
    pairs = runs[runs["regime"].isin(["stilts", "mtl", "mtl_all"])]
    limited = pairs.assign(
        supporting_limit=pd.array([50] * len(pairs), dtype="Int64"), run=pairs["run"] + "-50", score=pairs["score"] + 1
    )
    both = pd.concat([runs, limited])
    table = all_tasks(both, regime_differences(both))
    of_limit = table[table["supporting_limit"] == 50].pivot(index="method", columns="target", values="score")
    assert of_limit.loc["MTL, average"].tolist() == [52, 62, 72] and of_limit.loc["single"].tolist() == [61, 61, 61]
    assert of_limit.loc["all tasks"].tolist() == [60, 60, 60] and len(table) == 2 * 6 * 3
    together = table[table["method"] == "all tasks"]
    assert together["n"].tolist() == [3] * 6 and together.loc[together["supporting_limit"].isna(), "score"].eq(59).all()
