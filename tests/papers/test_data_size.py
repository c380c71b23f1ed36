"""Score against size on made stores, with answers worked out by hand."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

from intertask.analysis.read import read_runs
from intertask.analysis.statistics import check_choice
from intertask.errors import IntertaskError
from intertask.papers import paper_figures
from intertask.papers.data_size import (
    LINES,
    OVER_TARGETS,
    SIZE_COLUMNS,
    averages_in_words,
    seed_averages,
    size_differences,
    size_differences_in_words,
    size_table,
    sized,
    slopes,
    slopes_in_words,
    trends_in_words,
)
from made_notebook import execute_notebook
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
                    role |= {"supporting_run": f"s-{size}-{seed}", "parents": [f"s-{size}-{seed}"]}
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
    words = size_differences_in_words(table)
    assert "**smaller than** the target: MTL is ahead in 0 of 1 comparison," in words
    assert "**as large as** the target: MTL is ahead in 0 of 1" in words and "**larger than** the target" in words


def test_differences_of_a_study_without_supporting_tasks_are_none(tmp_path):
    assert size_differences(made(tmp_path).query("regime == 'single'")).empty


def test_differences_without_a_partner_are_missing(tmp_path):
    table = size_differences(made(tmp_path, lambda regime, *_: regime == "mtl"))
    assert table["difference"].isna().all() and (table["n"] == 0).all()
    assert "nothing to compare" in size_differences_in_words(table)
    alone = size_differences(made(tmp_path / "b").query("regime != 'mtl'"))
    assert alone.empty and "nothing to compare" in size_differences_in_words(alone)
    one = size_differences(made(tmp_path / "c", seeds=1))
    assert one["difference"].tolist() == [-2, 5, -2, 5] and one["low"].isna().all()


def test_lines_differ_in_more_than_colour(tmp_path):
    table = size_table(made(tmp_path))
    for x, column in (("target", "n_train"), ("supporting", "supporting_n_train")):
        ax = paper_figures.size_lines(table, column, LINES[x], plt.subplots()[1])
        ax.figure.canvas.draw()
        assert len({line.get_linestyle() + str(line.get_marker()) for line in ax.lines}) == len(ax.lines)
        assert ax.get_xscale() == "log"
    labels = [found.get_text().replace("\n", " ") for found in ax.get_legend().get_texts()]
    assert labels[0] == "single, target limit 100 (n = 2)" and len(labels) == 6
    assert "mtl with s, proportional, target limit 50 (n = 2)" in labels
    level = ax.lines[0]
    assert list(level.get_ydata()) == [61, 61]  # single has no supporting task
    plt.close("all")


def test_the_same_data_under_two_limits_is_two_marks_and_one_line():
    table = pd.DataFrame({"regime": "single", "n_train": [10.0, 20, 20], "mean": [50.0, 60, 70], "n": 1})
    ax = paper_figures.size_lines(table.assign(low=np.nan, high=np.nan), "n_train", ["regime"], plt.subplots()[1])
    line, marks = ax.lines
    assert [*zip(*line.get_data(), strict=True)] == [(10, 50), (20, 65)] and line.get_markevery() == [0]
    assert [*zip(*marks.get_data(), strict=True)] == [(20, 60), (20, 70)] and marks.get_linestyle() == "None"


def test_panels_share_the_styles_of_their_lines():
    table = pd.DataFrame({"regime": ["single", "stilts"], "n_train": 10.0, "mean": 50.0, "low": 40.0, "high": 60.0})
    table = table.assign(n=2, style=[0, 1])
    both = paper_figures.size_lines(table, "n_train", ["regime"], plt.subplots()[1])
    lone = paper_figures.size_lines(table[1:], "n_train", ["regime"], plt.subplots()[1])
    assert lone.lines[0].get_color() == both.lines[1].get_color() != both.lines[0].get_color()
    assert lone.lines[0].get_marker() == both.lines[1].get_marker() != both.lines[0].get_marker()


def test_differences_are_drawn_by_target_size(tmp_path):
    ax = paper_figures.difference_lines(size_differences(made(tmp_path)), plt.subplots()[1])
    assert [list(line.get_ydata()) for line in ax.lines[:2]] == [[-2, 5], [-2, 5]]
    assert list(ax.lines[0].get_xdata()) == pytest.approx([1, 4], rel=0.02)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.5", "1", "2", "4"]
    labels = [found.get_text() for found in ax.get_legend().get_texts()]
    assert labels == ["proportional, 50 target examples (n = 2)", "proportional, 100 target examples (n = 2)"]
    plt.close("all")


def test_bad_axes_and_empty_studies_are_refused(tmp_path):
    with pytest.raises(IntertaskError, match="expected one of target, supporting; found 'steps'"):
        check_choice("x", "steps", SIZE_COLUMNS)
    runs = made(tmp_path)
    with pytest.raises(IntertaskError, match="Take this notebook out"):
        size_table(runs[runs["stage"] != "target"])


@pytest.mark.parametrize(
    ("x", "seeds", "done"),
    [("target", 2, "all"), ("supporting", 1, "all"), ("supporting", 2, "mtl"), ("target", 2, "nothing")],
)
def test_the_notebook(tmp_path, monkeypatch, x, seeds, done):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_regimes(tmp_path, size_roles(lambda regime, *_: done in ("all", regime), seeds))
    notebook = Path(__file__).parents[2] / "notebooks" / "analysis" / "data_size.ipynb"
    execute_notebook(notebook, tmp_path / "executed.ipynb", {"study": "made", "x": x})
    text = (tmp_path / "executed.ipynb").read_text()
    assert '"stderr"' not in text and ("reason = not run yet" in text) == (done != "all")
    assert ("MTL is ahead in" in text) == (done == "all")


SIZES_OF_S = (100, 200, 800)
ABOVE = {0: (0, 3, 3), 1: (0, 1, 3)}
"""Seed -> what the average gains at each of the sizes of s."""


def average_roles(done=lambda target, size, seed: True, **more) -> list[dict]:
    """Targets a and wnli alone at 60 and 40, the same for each seed, and after s at three sizes, ABOVE that."""
    roles = []
    for seed in (0, 1):
        for place, size in enumerate((None, *SIZES_OF_S)):
            limit = None if size == 800 else size
            before = (
                {"supporting": "s", "supporting_limit": limit, "supporting_run": f"s-{size}-{seed}"} if size else {}
            )
            if size:
                made = {"tasks": {"s": scored(80.0, n_train=size)}}
                role = {"stage": "intermediate", "task": "s", "supporting": "s", "seed": seed, "record": made}
                roles.append(role | {"run": f"s-{size}-{seed}", "supporting_limit": limit})
            for target, score in (("a", 60.0), ("wnli", 40.0)):
                role = {"run": f"{target}-{size}-{seed}", "stage": "target", "target": target, "seed": seed} | before
                role |= {"regime": "stilts" if size else "single"}
                above = ABOVE[seed][place - 1] if size else 0
                record = {"tasks": {target: scored(score + above, n_train=500)}}
                roles.append(role | ({"record": record} if done(target, size, seed) else {}) | more)
    return roles


def averaged(results, *arguments, wnli="trained", **more):
    make_regimes(results, average_roles(*arguments, **more))
    return seed_averages(read_runs("made", results), wnli)


def test_averages_by_hand(tmp_path):
    runs = averaged(tmp_path)
    assert set(runs["target"]) == {OVER_TARGETS} and len(runs) == 2 * 4
    alone = runs[runs["regime"] == "single"]
    assert alone["score"].tolist() == [50, 50] and alone["supporting_n_train"].isna().all()
    after = runs[runs["seed"] == 0][["supporting_n_train", "score"]].iloc[1:]
    assert after.to_numpy().tolist() == [[100, 50], [200, 53], [800, 53]]
    floor = seed_averages(read_runs("made", tmp_path), "floor")  # majority 50: (60 + 50) / 2
    assert floor.loc[floor["seed"] == 0, "score"].tolist() == [55, 55, 56.5, 56.5]
    points = size_table(runs)
    assert points["mean"].tolist() == [50, 50, 52, 53] and points["n"].tolist() == [2] * 4


def test_a_seed_counts_only_where_all_targets_are_there(tmp_path):
    runs = averaged(tmp_path, lambda target, size, seed: (target, size, seed) != ("wnli", 200, 1))
    points = size_table(runs).set_index("supporting_n_train")
    assert points.loc[200, ["n", "n_expected", "mean"]].tolist() == [1, 2, 53]
    (line,) = slopes(runs, "supporting").to_dict("records")
    assert (line["n"], line["n_expected"], line["note"]) == (1, 2, "needs two seeds or more")
    assert "seeds: 1 of 2" in slopes_in_words(pd.DataFrame([line]), "supporting")


def test_a_target_that_is_left_out_leaves_no_average_and_one_that_is_substituted_does(tmp_path):
    left_out = [role for role in average_roles() if role["run"] != "a-200-0" and role["run"] != "a-200-1"]
    make_regimes(tmp_path, left_out)
    runs = read_runs("made", tmp_path)
    points = size_table(seed_averages(runs))
    assert points["mean"].isna().tolist() == [False, False, True, False]
    assert "over these targets (2): a, wnli. 1 of 4 points have none" in averages_in_words(runs, points)
    roles = average_roles()
    for role in roles:
        if role["run"].startswith("a-200"):
            del role["record"]
            role |= {"run": f"a-None-{role['seed']}", "substituted": True}
    make_regimes(tmp_path / "b", roles)
    runs = seed_averages(read_runs("made", tmp_path / "b"))
    assert runs.loc[runs["supporting_n_train"] == 200, "score"].tolist() == [
        51.5,
        50.5,
    ]  # (60 + 43) and (60 + 41), halved
    assert size_table(runs)["n"].tolist() == [2] * 4


def test_two_runs_of_one_seed_are_refused(tmp_path):
    twice = [role | {"run": role["run"] + "-b", "part": "b"} for role in average_roles() if role["stage"] == "target"]
    make_regimes(tmp_path, [*average_roles(), *twice])
    with pytest.raises(IntertaskError, match="Two different single runs of a with seed 0 would count as one"):
        seed_averages(read_runs("made", tmp_path))


def test_slopes_by_hand(tmp_path):
    table = slopes(averaged(tmp_path), "supporting")
    (line,) = table.to_dict("records")  # single has no size, and so no slope
    # doublings -4/3, -1/3, 5/3 about their mean, sum of squares 14/3: (0, 3, 3) gives 4 / (14/3), (0, 1, 3) 14/3 of it
    slope, half = (4 + 14 / 3) / 2 / (14 / 3), 12.70620 * (14 / 3 - 4) / 2 / (14 / 3)
    assert line["slope"] == pytest.approx(slope) and line["high"] - slope == pytest.approx(half, rel=1e-5)
    assert [line[name] for name in ("sizes", "smallest", "largest", "n", "family")] == [3, 100, 800, 2, 1]
    assert line["p_holm"] == line["p"] and line["low"] > 0  # 0.93 less 0.91
    words = slopes_in_words(table, "supporting")
    assert words == (
        "- **mini/bert: stilts after s**: +0.9 points per doubling (+0.02 to +1.8; seeds: 2; 3 sizes, 100 to 800)"
    )
    counted = trends_in_words(table)
    assert "leaving out zero: 1 of 1; that clearly fall: 0; that may do either: 0; without an interval: 0." in counted
    assert "1 of the 1 with a p. 1 of 1 line rest on 3 sizes or fewer" in counted
    falling = table.assign(low=-2.0, high=-1.0, p_holm=0.2, sizes=4)
    assert "leaving out zero: 0 of 1; that clearly fall: 1; that may do either: 0" in trends_in_words(falling)
    assert "too: 0 of the 1 with a p. 0 of 1 line " in trends_in_words(falling)


def test_slopes_over_the_targets_own_data(tmp_path):
    table = slopes(made(tmp_path), "target")
    assert len(table) == 5 and table["sizes"].tolist() == [2] * 5
    assert table["slope"].tolist() == [0] * 5 and table["note"].tolist() == ["all slopes are equal"] * 5
    assert " on x: 0.0 points per doubling (all slopes are equal;" in slopes_in_words(table, "target")


def test_probes_are_not_averaged(tmp_path):
    make_regimes(tmp_path, average_roles())
    runs = read_runs("made", tmp_path)
    probes = runs.assign(part=runs["part"].mask(runs["target"] == "wnli", "probes"))
    assert set(seed_averages(probes).query("seed == 0")["score"]) == {60, 63}
    assert averages_in_words(probes, size_table(seed_averages(probes))) == "Every average is over these targets (1): a."


def test_a_line_with_scores_of_unknown_sizes_has_no_slope_but_one_that_is_half_done_has_a_row(tmp_path):
    runs = averaged(tmp_path)
    assert slopes(runs.assign(supporting_n_train=np.nan), "supporting").empty
    done = runs["supporting_n_train"] == 100
    half = runs.assign(**{name: runs[name].where(done) for name in ("score", "supporting_n_train")})
    (line,) = slopes(half, "supporting").to_dict("records")
    assert (line["n"], line["n_expected"], line["sizes"]) == (0, 2, 1)


def test_lines_without_sizes_or_with_none_done_have_no_slope(tmp_path):
    one = averaged(tmp_path).query("supporting_limit == 100")
    table = slopes(one, "supporting")
    assert table.empty and trends_in_words(table) == ""
    assert slopes_in_words(table, "supporting").endswith("the study's `supporting_limits` sets sizes.")
    (line,) = slopes(averaged(tmp_path / "b", lambda *_: False), "supporting").to_dict("records")
    assert line["n"] == 0 and math.isnan(line["slope"])
    assert slopes_in_words(pd.DataFrame([line]), "supporting").endswith("after s**: no seed has every size yet.")


def test_a_score_of_unknown_size_is_not_drawn(tmp_path):
    points, runs = size_table(averaged(tmp_path)), read_runs("made", tmp_path)
    assert averages_in_words(runs, points) == "Every average is over these targets (2): a, wnli."
    unknown = points.assign(supporting_n_train=points["supporting_n_train"].where(points["supporting_limit"] == 100))
    assert sized(unknown, "supporting")["mean"].tolist() == [50, 50]  # single and the smallest size
    assert "2 of 4 averages come after a supporting task of unknown size" in averages_in_words(runs, unknown)
    assert len(sized(points, "supporting")) == 4 and sized(points, "target").empty


def test_a_line_over_several_encoders_says_which(tmp_path):
    table = size_table(made(tmp_path))
    both = pd.concat([table, table.assign(encoder="org/other")])
    ax = paper_figures.size_lines(both, "n_train", ["encoder", *LINES["target"]], plt.subplots()[1])
    labels = [found.get_text().replace("\n", " ") for found in ax.get_legend().get_texts()]
    assert labels[0] == "mini/bert: single (n = 2)" and "org/other: single (n = 2)" in labels and len(labels) == 10
    plt.close("all")


CURVES = Path(__file__).parents[2] / "notebooks" / "analysis" / "learning_curves.ipynb"


@pytest.mark.parametrize("done", ["all", "some", "nothing"])
def test_the_notebook_of_learning_curves(tmp_path, monkeypatch, done):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    kept = {"all": lambda *_: True, "some": lambda target, size, seed: seed == 0 or size == 100}
    make_regimes(tmp_path, average_roles(kept.get(done, lambda *_: False)), wnli="floor")
    execute_notebook(CURVES, tmp_path / "executed.ipynb", {"study": "made", "export": str(tmp_path / "out")})
    cells = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
    outputs = {cell.id: str(cell.get("outputs")) for cell in cells}
    assert "stderr" not in str(outputs) and "WNLI counts at least" in outputs["rule"]
    assert ("image/png" in outputs["curves"]) == (done != "nothing")
    said = {"all": "+0.5 points per doubling (+0.01 to +0.9", "some": "needs two seeds", "nothing": "no seed has every"}
    assert said[done] in outputs["slopes"]
    points = pd.read_csv(tmp_path / "out" / "averages.csv")
    assert points["n"].tolist() == {"all": [2] * 4, "some": [1, 2, 1, 1], "nothing": [0] * 4}[done]
    names = {"averages", "targets", "slopes_supporting", "slopes_target"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"{n}.{kind}" for n in names for kind in ("csv", "tex")
    }


def test_the_notebook_of_learning_curves_over_the_targets_data(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_regimes(tmp_path, size_roles())
    execute_notebook(CURVES, tmp_path / "executed.ipynb", {"study": "made"})
    outputs = {c.id: str(c.get("outputs")) for c in nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells}
    assert "image/png" in outputs["targets"] and "without an interval: 5" in outputs["target-slopes"]
    assert "stderr" not in str(outputs)
