import pandas as pd
import pytest

from intertask.analysis import figures
from intertask.analysis.read import read_runs
from intertask.analysis.transfer import deltas, transfer_table
from made_store import make_store


def scores(target, supporting, seed):
    """On rte mini/mnli gives 9, 10, 11 (significant); on cola it has no run; single seed 2 is below the majority."""
    if supporting is None:
        return 48.0 if seed == 2 and target == "mini/cola" else 60.0
    return None if target == "mini/cola" else 69.0 + seed


@pytest.fixture
def runs(tmp_path):
    make_store(tmp_path, scores, seeds=3)
    return read_runs("demo", tmp_path)


def words(ax):
    return [found.get_text() for found in ax.texts]


def test_heatmap_shows_sign_star_interval_and_seeds(runs, ax):
    assert figures.transfer_heatmap(transfer_table(runs), ax) is ax
    # 9, 10, 11: mean 10, half width 4.3027 / sqrt(3) = 2.48
    assert words(ax)[:2] == ["+10.0*", "[+7.5, +12.5]\n3 of 3 seeds"]
    assert words(ax).count("missing\n0 of 3 seeds") == 2
    assert [label.get_text() for label in ax.get_xticklabels()] == ["mini/rte", "mini/cola"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mini/mnli", "mini/mnli\n[shuffle_labels=true]"]
    assert ax.collections[0].get_clim() == (-10, 10)


def test_heatmap_marks_pseudo_replicates_and_one_seed(tmp_path, ax):
    make_store(tmp_path, lambda *_: 60.0, seeds=2, one_intermediate=True)
    figures.transfer_heatmap(transfer_table(read_runs("demo", tmp_path)), ax)
    assert words(ax)[:2] == ["0.0", "all differences are equal\n2 of 2 seeds †"]


def test_heatmap_marks_seeds_with_a_run_that_learned_nothing(runs, ax):
    table = transfer_table(runs.assign(degenerate=(runs["seed"] == 1).astype("boolean")))
    figures.transfer_heatmap(table, ax)
    assert words(ax)[1] == "[+7.5, +12.5]\n3 of 3 seeds 1°"
    figures.paired_differences(deltas(runs), table, ax)
    assert ax.get_yticklabels()[0].get_text().endswith("mini/rte 1°")


def test_heatmap_tells_a_pair_that_is_not_in_the_study_from_a_missing_one(runs, ax):
    table = transfer_table(runs)
    figures.transfer_heatmap(table[~((table["target"] == "mini/rte") & table["control"])], ax)
    assert words(ax).count("not in\nthe study") == 1 and words(ax).count("missing\n0 of 3 seeds") == 2


def test_heatmap_of_nothing_is_all_hatched(tmp_path, ax):
    make_store(tmp_path, lambda *_: None)
    figures.transfer_heatmap(transfer_table(read_runs("demo", tmp_path)), ax)
    assert words(ax) == ["missing\n0 of 5 seeds"] * 4


def test_paired_differences_shows_every_seed(runs, ax):
    table = transfer_table(runs)
    assert figures.paired_differences(deltas(runs), table, ax) is ax
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert sorted(crosses[0].get_xdata()) == [9, 10, 11]
    assert words(ax) == [" missing", " missing"]
    assert ax.get_yticklabels()[2].get_text() == "mini/mnli → mini/cola (0 of 3 seeds)"


def test_a_figure_has_room_for_the_largest_of_many(monkeypatch):
    table = pd.DataFrame({"delta": [1.0, -3.0, None, 2.0], "low": range(4)})
    assert figures.largest(table, "delta").equals(table)
    monkeypatch.setattr(figures, "MOST_DRAWN", 2)
    assert figures.largest(table, "delta")["delta"].tolist() == [-3.0, 2.0]


def test_restarts_counts_and_marks_degenerate_runs(runs, ax):
    cola = runs[(runs["stage"] == "target") & (runs["target"] == "mini/cola")]
    assert figures.restarts(cola, ax) is ax
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[0] == "none\n3 of 3 runs\n1 degenerate" and labels[1] == "mini/mnli\n0 of 3 runs\n0 degenerate"
    crosses, circles = ax.lines[:2]
    assert list(crosses.get_ydata()) == [60, 60] and list(circles.get_ydata()) == [48]
    assert words(ax) == ["majority"]


def test_restarts_of_two_limits_stand_apart(runs, ax):
    cola = runs[(runs["target"] == "mini/cola") & (runs["supporting"] == "mini/mnli")]
    both = pd.concat([cola.assign(supporting_limit=size, score=score) for size, score in ((100, 60.0), (400, 80.0))])
    figures.restarts(both.assign(done=True, degenerate=False), ax)
    labels = [label.get_text().splitlines()[:2] for label in ax.get_xticklabels()]
    assert labels == [["mini/mnli, 100", "examples"], ["mini/mnli, 400", "examples"]]
    assert [list(line.get_ydata()) for line in ax.lines if line.get_marker() == "x"] == [[60] * 3, [80] * 3]


def test_long_names_are_wrapped(tmp_path, ax):
    name = "someone/a-task-with-a-name-that-goes-on-and-on-for-more-than-any-figure-is-wide"
    make_store(tmp_path, lambda *_: 60.0, seeds=2, targets=(name,), supporting=(name,))
    runs = read_runs("demo", tmp_path)
    figures.transfer_heatmap(transfer_table(runs), ax)
    assert max(map(len, ax.get_yticklabels()[0].get_text().splitlines())) <= figures.AXIS


def test_signed_keeps_the_side_of_zero():
    assert [figures.signed(x) for x in (1.24, -3.0, -0.02, 0.049)] == ["+1.2", "-3.0", "-0.02", "+0.05"]


def test_panel_title():
    assert figures.panel_title("mini/bert", pd.NA) == "mini/bert, all training data"
    assert figures.panel_title("mini/bert", 1000) == "mini/bert, 1000 training examples"
    title = figures.panel_title("bert", 500, 1000, "dynamic")
    assert title == "bert, 500 training examples, 1000 of the supporting task\nmixing: dynamic"


def test_a_large_matrix_shows_whole_points_and_marks_alone(tmp_path, ax):
    rows = ["encoder,supporting,target,seed,score"]
    for target in range(16):
        for seed in range(3):
            rows.append(f"e,,t{target},{seed},{50 + seed}")
            for supporting in range(10):
                gain = 9 + (seed - 1) / 100 if (supporting, target) == (0, 0) else 2 * (seed - 1) - 3
                rows += (
                    [] if (supporting, target) == (9, 15) else [f"e,s{supporting},t{target},{seed},{50 + seed + gain}"]
                )
    (tmp_path / "large.csv").write_text("\n".join(rows))
    table = transfer_table(read_runs("large", tmp_path))
    assert figures.transfer_size(table) == (3 + 0.5 * 16, 1.5 + 0.35 * 10)
    figures.transfer_heatmap(table, ax)
    found = words(ax)
    # 9 of seeds .01 apart stays significant among 159 cells; -5, -3, -1 does not
    assert found[0] == "+9*" and found[1:159] == ["-3"] * 158 and found[159] == "·"
    small = table[table["target"].isin(["t0", "t1"])]
    assert figures.transfer_size(small) == (3 + 1.7 * 2, 1.5 + 10)
