"""Score against size on made stores, with answers worked out by hand."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from intertask.analysis import regime_plots
from intertask.analysis.data_size import LINES, check_axis, differences_in_words, size_differences, size_table
from intertask.analysis.read import read_runs
from intertask.errors import IntertaskError
from intertask.studies.worker import execute_notebook
from made_runs import make_regimes, scored

GAIN = {("stilts", 50): (2, 4), ("stilts", 200): (3, 5), ("mtl", 50): (0, 2), ("mtl", 200): (8, 10)}


def size_roles(done=lambda regime, limit, supporting_limit, seed: True, seeds: int = 2, limits=(100, 50)) -> list[dict]:
    """Target x at 100 and 50 examples, alone at 60 and 62, and GAIN more with 50 and 200 examples of s."""
    roles = []
    for size in (50, 200):
        for seed in range(seeds):
            record = {"tasks": {"s": scored(80.0, n_train=size)}, "steps": size}
            role = {"run": f"s-{size}-{seed}", "stage": "intermediate", "task": "s", "supporting": "s", "seed": seed}
            roles.append(role | {"supporting_limit": size, "record": record})
    for limit in limits:
        for regime, size in [("single", None), *GAIN]:
            for seed in range(seeds):
                role = {"stage": "target", "target": "x", "limit": limit, "regime": regime, "seed": seed}
                role |= {"run": f"x-{limit}-{regime}-{size}-{seed}"}
                gain = 0 if size is None else GAIN[regime, size][seed % 2]
                tasks = {"x": scored(60.0 + gain if size else 60.0 + 2 * seed, n_train=limit)}
                if size:
                    role |= {"supporting": "s", "supporting_limit": size}
                if regime == "stilts":
                    role |= {"supporting_run": f"s-{size}-{seed}", "parent": f"s-{size}-{seed}"}
                if regime == "mtl":
                    role |= {"mixing": "proportional"}
                    tasks |= {"s": scored(70.0, n_train=size)}
                found = {"record": {"tasks": tasks}} if done(regime, limit, size, seed) else {}
                roles.append(role | found)
    return roles


def made(results, *arguments, **more):
    make_regimes(results, size_roles(*arguments, **more))
    return read_runs("made", results)


def point(table, regime, limit, supporting_limit):
    own = table[(table["regime"] == regime) & (table["limit"] == limit)]
    return own[own["supporting_limit"] == supporting_limit].iloc[0] if supporting_limit else own.iloc[0]


def test_points_by_hand(tmp_path):
    table = size_table(made(tmp_path))
    assert len(table) == 2 * 5
    after = point(table, "stilts", 100, 50)  # 62, 64; t(.975, 1) = 12.7062
    assert after[["n_train", "supporting_n_train", "n", "n_expected", "mean"]].tolist() == [100, 50, 2, 2, 63]
    assert after["high"] == pytest.approx(63 + 12.7062 * math.sqrt(2 / 2), abs=1e-3)
    assert point(table, "mtl", 50, 200)["supporting_n_train"] == 200
    assert math.isnan(point(table, "single", 100, None)["supporting_n_train"])


def test_missing_and_single_seeds(tmp_path):
    table = size_table(made(tmp_path, lambda regime, limit, size, seed: regime == "mtl" and seed == 0))
    one, none = point(table, "mtl", 100, 50), point(table, "stilts", 100, 50)
    assert one[["n", "n_expected", "mean"]].tolist() == [1, 2, 60] and math.isnan(one["low"])
    assert none["n"] == 0 and math.isnan(none["mean"]) and math.isnan(none["n_train"])


def test_a_substituted_run_is_no_point(tmp_path):
    roles = size_roles()
    same = {"run": "x-100-single-None-0", "stage": "target", "target": "x", "limit": 100, "regime": "stilts"}
    make_regimes(tmp_path, [*roles, same | {"supporting": "x", "substituted": True, "seed": 0}])
    assert len(size_table(read_runs("made", tmp_path))) == 10


def test_differences_by_hand(tmp_path):
    table = size_differences(made(tmp_path))
    assert len(table) == 4
    large = table[(table["limit"] == 100) & (table["supporting_limit"] == 200)].iloc[0]
    # 68, 70 against 63, 65: 5 apart; pooled variance 2, standard error sqrt(2 (1/2 + 1/2)); t(.975, 2) = 4.3027
    assert large[["size_ratio", "difference", "n", "mtl", "stilts"]].tolist() == [2, 5, 2, 69, 64]
    assert large["low"] == pytest.approx(5 - 4.30265 * math.sqrt(2), abs=1e-4)
    assert table["size_ratio"].tolist() == [0.5, 2, 1, 4]
    assert table["difference"].tolist() == [-2, 5, -2, 5]
    words = differences_in_words(table)
    assert "**smaller than** the target: MTL is ahead in 0 of 1 comparisons" in words
    assert "**as large as** the target: MTL is ahead in 0 of 1" in words and "**larger than** the target" in words


def test_differences_without_a_partner_are_missing(tmp_path):
    table = size_differences(made(tmp_path, lambda regime, *_: regime == "mtl"))
    assert table["difference"].isna().all() and (table["n"] == 0).all()
    assert "nothing to compare" in differences_in_words(table)
    alone = size_differences(made(tmp_path / "b").query("regime != 'mtl'"))
    assert alone.empty and "nothing to compare" in differences_in_words(alone)
    one = size_differences(made(tmp_path / "c", seeds=1))
    assert one["difference"].tolist() == [-2, 5, -2, 5] and one["low"].isna().all()


def test_lines_differ_in_more_than_colour(tmp_path):
    table = size_table(made(tmp_path))
    for x, column in (("target", "n_train"), ("supporting", "supporting_n_train")):
        ax = regime_plots.size_lines(table, column, LINES[x], plt.subplots()[1])
        ax.figure.canvas.draw()
        assert len({line.get_linestyle() + str(line.get_marker()) for line in ax.lines}) == len(ax.lines)
        assert ax.get_xscale() == "log"
    labels = [found.get_text().replace("\n", " ") for found in ax.get_legend().get_texts()]
    assert labels[0] == "single, target limit 100 (n = 2)" and len(labels) == 6
    assert "mtl with s, proportional, target limit 50 (n = 2)" in labels
    level = ax.lines[0]
    assert list(level.get_ydata()) == [61, 61]  # single has no supporting task
    plt.close("all")


def test_differences_are_drawn_by_target_size(tmp_path):
    ax = regime_plots.size_differences(size_differences(made(tmp_path)), plt.subplots()[1])
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[-2, 5], [-2, 5]]
    assert list(ax.lines[0].get_xdata()) == pytest.approx([1, 4], rel=0.02)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.5", "1", "2", "4"]
    labels = [found.get_text() for found in ax.get_legend().get_texts()]
    assert labels == ["proportional, 50 target examples (n = 2)", "proportional, 100 target examples (n = 2)"]
    plt.close("all")


def test_bad_axes_and_empty_studies_are_refused(tmp_path):
    with pytest.raises(IntertaskError, match="expected one of target, supporting; found 'steps'"):
        check_axis("steps")
    runs = made(tmp_path)
    with pytest.raises(IntertaskError, match="Take data_size out"):
        size_table(runs[runs["stage"] != "target"])


@pytest.mark.parametrize(
    ("x", "seeds", "done"),
    [("target", 2, "all"), ("supporting", 1, "all"), ("supporting", 2, "mtl"), ("target", 2, "nothing")],
)
def test_the_notebook(tmp_path, monkeypatch, x, seeds, done):
    monkeypatch.setenv("PYTHONWARNINGS", "error,ignore::PendingDeprecationWarning")
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_regimes(tmp_path, size_roles(lambda regime, *_: done in ("all", regime), seeds))
    notebook = Path(__file__).parents[2] / "notebooks" / "analysis" / "data_size.ipynb"
    execute_notebook(notebook, tmp_path / "executed.ipynb", {"study": "made", "x": x})
    text = (tmp_path / "executed.ipynb").read_text()
    assert '"stderr"' not in text and ("<td>not run yet</td>" in text) == (done != "all")
    assert ("MTL is ahead in" in text) == (done == "all")
