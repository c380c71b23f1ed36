"""Intervals and tests by hand, and on simulated studies whose truth is known (the whole table: benchmarks/coverage)."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.coverage import RESTARTS, WORLDS, drawn_accuracy, held, right
from intertask.analysis import inference, statistics
from intertask.analysis.read import read_predictions, read_runs, read_scores
from intertask.analysis.statistics import benjamini_hochberg, holm, paired_t
from intertask.analysis.transfer import deltas, transfer_table
from made_notebook import execute_notebook
from made_runs import glue_roles, make_regimes, scored
from made_store import make_store, reseal, write_predictions

EXAMPLES = 50
MNLI, SHUFFLED = "mini/mnli", "mini/mnli[shuffle_labels=true]"


def scores(target, supporting, seed):
    """Gains of 2, 4, 6 with mini/mnli, of -2, 0, 2 with shuffled labels."""
    return 60.0 + {None: 0, MNLI: 2 * (seed + 1), SHUFFLED: 2 * (seed - 1)}[supporting]


def predict(results, runs):
    """Predictions of EXAMPLES rows that give each target run its score."""
    for run, score in runs.loc[runs["stage"] == "target", ["run", "score"]].dropna().itertuples(index=False):
        given = [int(row < score * EXAMPLES / 100) for row in range(EXAMPLES)]
        write_predictions(results, run, "validation", [1] * EXAMPLES, given)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_store(tmp_path, scores, targets=("mini/rte", "mini/cola"), seeds=3)
    predict(tmp_path, read_runs("demo"))
    return tmp_path


def intervals(confidence=0.95):
    runs = read_runs("demo")
    table = inference.transfer_intervals(runs, read_scores("demo"), read_predictions(runs), confidence)
    return table.set_index(["supporting", "target"])


def test_over_examples_by_hand():
    drawn = drawn_accuracy(np.arange(100) < 80)
    low, high, note = statistics.over_examples(drawn, 100)
    assert (low, high) == pytest.approx((80 - 7.84, 80 + 7.84), abs=1) and note == ""  # 1.96 sqrt(.8 · .2 / 100)
    assert statistics.over_examples(drawn, 100, 0.5)[1] < high
    # with 20 examples the tails are those of sqrt(20 / 19) t(.975, 19) = 2.1474 under the normal: 1.588 %
    assert statistics.over_examples(np.arange(2001.0), 20)[:2] == pytest.approx((31.76, 1968.24), abs=0.05)


@pytest.mark.parametrize("drawn, examples, note", [(np.arange(99.0), 19, "19 examples"), (np.ones(99), 50, "no other")])
def test_over_examples_says_why_there_is_none(drawn, examples, note):
    low, high, why = statistics.over_examples(drawn, examples)
    assert math.isnan(low) and math.isnan(high) and note in why


def test_over_seeds_and_examples_by_hand():
    rng = np.random.default_rng(0)
    differences = np.array([1.0, 2, 3, 4, 5])
    alone = paired_t(differences)
    still = np.repeat(differences[:, None], 2000, axis=1)
    assert statistics.over_seeds_and_examples(differences, still, 100) == pytest.approx((alone.low, alone.high))
    common = rng.normal(0, 2, 2000)  # examples that move all seeds alike: their spread is added, as squares
    half = math.hypot(alone.high - 3, 1.9842 * common.std() * math.sqrt(100 / 99))  # t(.975, 99)
    found = statistics.over_seeds_and_examples(differences, still + common, 100)
    assert found == pytest.approx((3 - half, 3 + half), rel=1e-4)
    own = rng.normal(0, 2, (5, 2000))  # that move each seed on its own: the spread over seeds holds that already
    low, high = statistics.over_seeds_and_examples(differences, still + own, 100)
    assert (low, high) == pytest.approx((alone.low, alone.high), abs=0.1)


def test_over_seeds_and_examples_needs_two_seeds():
    assert np.isnan(statistics.over_seeds_and_examples([1.0], np.ones((1, 10)), 100)).all()


def test_permutations_by_hand():
    assert statistics.paired_permutation([1, 2, 3]) == (0.25, 0.25)  # +++ and --- of 8
    assert statistics.paired_permutation([1, 2, 3, 4, 5])[0] == pytest.approx(2 / 32)
    # of the signs of 1, 2, 3: sums +4 or more are 4 (2+3-1), 6; and their mirror images: 4 of 8
    assert statistics.paired_permutation([-1, 2, 3]) == (0.5, 0.25)
    assert statistics.paired_permutation(np.arange(1.0, 21)) == (2 / 10_000, 2 / 10_000)
    assert all(math.isnan(value) for value in statistics.paired_permutation([4.0]))


def test_benjamini_hochberg_by_hand():
    p = pd.Series([0.01, math.nan, 0.04, 0.03, 0.5])
    # sorted .01, .03, .04, .5 times 4/1, 4/2, 4/3, 1; from the largest down, none above the next
    expected = [0.04, math.nan, 0.16 / 3, 0.16 / 3, 0.5]
    assert benjamini_hochberg(p).tolist() == pytest.approx(expected, nan_ok=True)
    assert holm(p).tolist() == pytest.approx([0.04, math.nan, 0.09, 0.09, 0.5], nan_ok=True)
    assert benjamini_hochberg(pd.Series([math.nan])).isna().all()


def test_the_minimum_detectable_effect_has_its_power_in_the_noncentral_t():
    effect = statistics.minimum_detectable_effect(2.0, 5, alpha=0.1)
    critical, shift = stats.t.ppf(0.95, 4), effect / 2 * math.sqrt(5)
    assert stats.nct.sf(critical, 4, shift) + stats.nct.cdf(-critical, 4, shift) == pytest.approx(0.8, abs=1e-4)
    assert statistics.minimum_detectable_effect(2, 3) > statistics.minimum_detectable_effect(2, 5)
    assert math.isnan(statistics.minimum_detectable_effect(2, 1)) and math.isnan(
        statistics.minimum_detectable_effect(0, 5)
    )


def test_what_the_seeds_of_a_cell_allow_by_hand(store):
    runs = read_runs("demo")
    table = inference.with_tests(transfer_table(runs), runs).set_index(["supporting", "target"])
    gain = table.loc[MNLI, "mini/rte"]
    spread = 2.0  # both cells: 2, 4, 6 and -2, 0, 2 around their means; squares 16 over 2 + 2 degrees of freedom
    assert gain.detectable == pytest.approx(statistics.minimum_detectable_effect(spread, 3))
    assert gain.p_permutation == 0.25 == gain.p_smallest and table.loc[SHUFFLED, "mini/rte"].p_permutation == 1
    # two cells gain alike, two not at all: the smaller p is corrected by 4 / 2
    assert gain.p_bh == pytest.approx(2 * gain.p) and gain.p_holm == pytest.approx(4 * gain.p)
    assert table.columns[-1] == "note" and table["family"].eq(4).all()


def test_a_target_of_which_no_cell_has_two_pairs_has_no_spread(tmp_path):
    make_store(tmp_path, scores, seeds=1)
    runs = read_runs("demo", tmp_path)
    table = inference.with_tests(transfer_table(runs), runs)
    assert table[["detectable", "p_bh", "p_permutation"]].isna().all(axis=None)
    assert inference.pooled_spread(deltas(runs))["sd"].isna().all()


def test_cells_where_nothing_was_learned_tell_nothing_of_the_spread(store):
    """With mini/mnli 2, 4, 6; the control, of which all or one seed learned nothing, -20, 0, 20."""
    runs = read_runs("demo")
    control = (runs["supporting"] == SHUFFLED) & (runs["target"] == "mini/rte")
    runs.loc[control, "score"] = 60.0 + 20 * (runs.loc[control, "seed"] - 1)
    for nothing, sd in ((control, 2.0), (control & (runs["seed"] == 0), math.sqrt((8 + 800) / 4))):
        pairs = deltas(runs.assign(degenerate=nothing.astype("boolean")))
        assert inference.pooled_spread(pairs).set_index("target").loc["mini/rte", "sd"] == pytest.approx(sd)
    nothing = runs.assign(degenerate=pd.array([True] * len(runs), dtype="boolean"))
    assert inference.with_tests(transfer_table(nothing), nothing)["detectable"].isna().all()


def test_the_examples_of_a_cell_by_hand(store):
    table = intervals()
    gain = table.loc[MNLI, "mini/rte"]
    # 60, 60, 60 against 62, 64, 66 of 50: examples 30, 31, 32 make 6, 4, 2 points in the three seeds: means over seeds
    # 2 (three seeds), 4 / 3, 2 / 3 points each time that they are drawn
    sd = math.sqrt(sum(points**2 for points in (2, 4 / 3, 2 / 3)) * 49 / 50)
    assert gain.examples == 50 and gain.examples_note == ""
    assert gain.examples_low >= 0 and gain.examples_high == pytest.approx(4 + 1.96 * sd, abs=1.2)
    assert gain.examples_detectable == pytest.approx(
        statistics.minimum_detectable_effect(sd * math.sqrt(50), 50), rel=0.1
    )
    assert gain.both_low < paired_t([2, 4, 6]).low and gain.both_high > paired_t([2, 4, 6]).high
    assert table.loc[SHUFFLED, "mini/rte"].both_low < 0 < table.loc[SHUFFLED, "mini/rte"].both_high


def test_a_cell_without_all_its_predictions_has_no_interval_and_says_so(store):
    runs = read_runs("demo")
    lost = runs[(runs["supporting"] == MNLI) & (runs["target"] == "mini/rte")]["run"].iloc[0]
    (store / "runs" / lost / "predictions" / "mini" / "rte.parquet").unlink()
    table = intervals()
    assert table.loc[MNLI, "mini/rte"].examples_note == "predictions of 1 of 6 runs are not at hand"
    assert math.isnan(table.loc[MNLI, "mini/rte"].examples_low)
    assert table.loc[SHUFFLED, "mini/rte"].examples_note == ""


def test_scores_without_predictions_without_seeds_as_a_paper_prints_them(store):
    runs = read_runs("demo")
    printed = runs[runs["seed"] == 0].assign(seed=pd.array([pd.NA] * (runs["seed"] == 0).sum(), dtype="Int64"))
    scores = read_scores("demo")
    table = inference.transfer_intervals(printed, scores, read_predictions(printed[:0], "validation"))
    assert len(table) == 4 and (table["examples_note"] == "predictions of 2 of 2 runs are not at hand").all()
    tested = inference.with_tests(transfer_table(printed), printed)
    words = inference.detectable_in_words(tested, table)
    assert "- **mini/rte**: nothing can be said" in words
    assert inference.optimism(printed, scores).empty


def test_a_metric_that_predictions_do_not_tell_is_named(store):
    runs, scores = read_runs("demo"), read_scores("demo").replace({"metric": {"accuracy": "question_exact_match"}})
    table = inference.transfer_intervals(runs, scores, read_predictions(runs))
    assert (table["examples_note"] == "predictions do not tell question_exact_match").all()


def test_over_targets_by_hand(store):
    table = transfer_table(read_runs("demo"))
    table.loc[table["target"] == "mini/cola", "delta"] = 6.0
    row = inference.over_targets(table).set_index("supporting").loc[MNLI]
    expected = paired_t([4, 6])
    assert (row.n, row.n_expected, row.delta) == (2, 2, 5) and (row.low, row.p) == (expected.low, expected.p)
    assert inference.over_targets(table[table["target"] == "mini/rte"])["note"].iloc[0] == "needs two targets or more"


def test_what_could_have_been_seen_in_words(store):
    runs = read_runs("demo")
    tested = inference.with_tests(transfer_table(runs), runs)
    words = inference.detectable_in_words(tested, intervals().reset_index())
    least = statistics.minimum_detectable_effect(2, 3)
    assert (
        f"- **mini/rte**: with 3 seeds you could have seen differences of {least:.1f} points; on 50 examples" in words
    )
    assert "p < 0.05 in 80% of studies" in words and len(words.splitlines()) == 4
    alone = inference.detectable_in_words(tested.assign(detectable=np.nan), intervals().reset_index())
    assert "- **mini/rte**: on 50 examples, these models held fixed, you could have seen differences of" in alone


def held_out(target, supporting, seed):
    """The rows that chose are 3, 5 and 7 points above the others, one more after a supporting task."""
    return scored(60.0, select=63.0 + 2 * seed + bool(supporting))


def test_optimism_by_hand(tmp_path):
    make_regimes(tmp_path, glue_roles(held_out, ("a",), ("s",), seeds=3))
    runs, scores = read_runs("made", tmp_path), read_scores("made", tmp_path)
    table = inference.optimism(runs, scores)
    row, expected = table.iloc[0], paired_t([3.5, 5.5, 7.5])  # six runs, but three divisions of the dev set
    assert len(table) == 1 and (row.runs, row.n, row.report, row.select) == (6, 3, 60, 65.5)
    assert (row.optimism, row.low, row.high) == (expected.mean, expected.low, expected.high)
    assert "score +5.5 points" in inference.optimism_in_words(table) and "1 of 1" in inference.optimism_in_words(table)
    of_two = inference.optimism_in_words(pd.concat([table, table.assign(encoder="other")]))
    assert "(mean over 2 rows of the table)" in of_two  # of two encoders, and one target


def test_where_rows_are_held_out_each_seed_is_scored_on_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_regimes(tmp_path, glue_roles(held_out, ("a",), ("s",), seeds=2))
    runs = read_runs("made")
    for run, seed, regime in runs.loc[runs["stage"] == "target", ["run", "seed", "regime"]].itertuples(index=False):
        rows = pd.DataFrame({"row": range(60 + 20 * seed), "label": 1}).tail(40)  # 20 to 59, 40 to 79
        rows = rows.assign(split="validation_report", prediction=int(regime == "stilts"))
        folder = tmp_path / "runs" / run / "predictions"
        folder.mkdir()
        pd.concat([rows, rows.assign(split="validation_select", prediction=0)]).to_parquet(folder / "a.parquet")
        reseal(folder.parent)
    scores = read_scores("made").replace({"metric": {"main": "accuracy"}})
    cell = inference.transfer_intervals(runs, scores, read_predictions(runs)).iloc[0]
    # of the report rows stilts has all right and single none: 100 points, whichever are drawn
    assert cell.examples == 60 and cell.examples_note == "no other choice of these examples gives another value"


def test_without_rows_held_out_there_is_no_optimism_to_measure(store):
    table = inference.optimism(read_runs("demo"), read_scores("demo"))
    assert table.empty and "`holdout` in the study" in inference.optimism_in_words(table)


def within(share: float, expected: float, studies: int) -> bool:
    """Whether a share, in percent, is within three standard errors of what is expected."""
    return abs(share - expected) <= 300 * math.sqrt(expected * (100 - expected)) / 100 / math.sqrt(studies)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_interval_over_seeds_covers(n):
    single, stilts, truth = RESTARTS["normal"](np.random.default_rng(n), 400, n)
    tests = [paired_t(own) for own in stilts - single]
    assert within(held([t.low for t in tests], [t.high for t in tests], truth)[0], 95, 400)


@pytest.mark.parametrize("m", [20, 71, 277])
def test_the_interval_over_examples_covers_where_the_models_are_held_fixed(m):
    rng = np.random.default_rng(m)
    better = rng.choice([1, -1, 0], (400, m), p=[0.2, 0.1, 0.7])
    found = [statistics.over_examples(own, m)[:2] for own in drawn_accuracy(better)]
    assert within(held(*np.transpose(found), 10)[0], 95, 400)


@pytest.mark.parametrize("world, n, at_most", [("examples", 3, 93), ("examples", 10, 75), ("seeds", 3, 65)])
def test_the_interval_over_seeds_and_examples_covers_where_the_other_two_do_not(world, n, at_most):
    found, truth = right(np.random.default_rng(n), 400, n, 71, **WORLDS[world])
    better = found[:, 1].astype(int) - found[:, 0]
    differences, drawn = 100 * better.mean(-1), drawn_accuracy(better)
    both = [statistics.over_seeds_and_examples(d, of, 71) for d, of in zip(differences, drawn, strict=True)]
    assert 92 <= held(*np.transpose(both), truth)[0] <= 99
    alone = [paired_t(own)[1:3] for own in differences]
    if world == "seeds":  # where restarts differ, an interval over examples says little, and the other way round
        alone = [statistics.over_examples(own, 71)[:2] for own in drawn.mean(1)]
    assert held(*np.transpose(alone), truth)[0] <= at_most


def test_holm_keeps_the_error_of_the_family(monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)  # statsmodels calls it at every correction
    p = stats.ttest_1samp(np.random.default_rng(0).normal(size=(200, 10, 5)), 0, axis=-1).pvalue
    any_false = 100 * np.mean([(holm(pd.Series(own)) < 0.05).any() for own in p])
    uncorrected = 100 * (p < 0.05).any(1).mean()
    assert any_false <= 5 + 300 * math.sqrt(0.05 * 0.95 / 200) and uncorrected > 30


@pytest.mark.parametrize("n", [3, 5, 10])
def test_an_effect_of_the_size_that_is_stated_is_found_as_often_as_stated(n):
    effect = statistics.minimum_detectable_effect(2.0, n)
    tests = [paired_t(own) for own in np.random.default_rng(n).normal(effect, 2, (400, n))]
    assert within(100 * np.mean([t.p < 0.05 for t in tests]), 80, 400)


def executed(name, folder, study):
    notebook = Path(__file__).parents[2] / "notebooks" / "analysis" / f"{name}.ipynb"
    execute_notebook(notebook, folder / "executed.ipynb", {"study": study})
    text = (folder / "executed.ipynb").read_text()
    assert '"stderr"' not in text
    return text


def test_the_matrix_notebook_shows_what_examples_and_seeds_tell(store):
    text = executed("transfer_matrix", store, "demo")
    assert "with 3 seeds you could have seen differences of" in text and "on 50 examples" in text
    assert all(f">{name}</th>" in text for name in ("examples_low", "both_high", "p_bh", "p_smallest"))


def test_the_restarts_notebook_shows_optimism(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    make_regimes(tmp_path, glue_roles(held_out, ("a",), ("s",), seeds=3))
    assert "score +5.5 points against" in executed("restarts", tmp_path, "made")
