"""Stopovers beside printed gaps: on a made store whose differences are worked out by hand, and on the printed table."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from scipy import stats

from intertask.analysis.read import read_runs
from intertask.analysis.transfer import deltas, transfer_table
from intertask.files import results_root
from intertask.papers import hidden_stilts, paper_figures
from made_notebook import execute_notebook
from made_store import SHUFFLED, make_store

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "analysis" / "hidden_stilts.ipynb"
GAINS = {None: 0.0, "mini/mnli": 4.0, "mini/mnli" + SHUFFLED: 1.0}
SPREAD = [0.0, 1.0, 2.0]


def score(target, task, seed):
    """After MNLI 4 points more, and seed by seed 0, 1, 2 more still; after its control 1 point more."""
    return 60 + seed**2 + GAINS[task] + SPREAD[seed] * (task == "mini/mnli")


@pytest.fixture
def runs():
    make_store(results_root(), score, targets=("mini/rte", "mini/cola"), seeds=3)
    return read_runs("demo")


def test_scores_without_and_with_by_hand(runs):
    table = hidden_stilts.scores_by_stopover(runs)
    assert table["target"].tolist() == 3 * ["mini/rte"] + 3 * ["mini/cola"]
    assert table["stopover"].tolist()[:3] == ["none", "mini/mnli", "mini/mnli" + SHUFFLED]
    assert table["score"].tolist()[:3] == pytest.approx([60 + 5 / 3, 65 + 5 / 3, 61 + 5 / 3])
    assert table["control"].tolist()[:3] == [False, False, True] and (table["n"] == 3).all()
    assert not table["ready_made"].any()  # as of every store that was made before there was such a column
    low, high = stats.t.interval(0.95, 2, 60 + 5 / 3, stats.sem([60, 61, 64]))
    assert table.loc[0, ["score_low", "score_high"]].tolist() == pytest.approx([low, high])


def test_what_a_stopover_does_beyond_its_control_by_hand(runs):
    row, _ = hidden_stilts.beyond_control(runs).itertuples()
    low, high = stats.t.interval(0.95, 2, 4, stats.sem([3, 4, 5]))  # 4, 5, 6 less 1
    assert (row.supporting, row.beside, row.n) == ("mini/mnli", "mini/mnli" + SHUFFLED, 3)
    assert (row.difference, row.low, row.high) == pytest.approx((4, low, high))
    assert hidden_stilts.beyond_control(runs[~runs["control"]]).empty


def test_what_is_printed_of_one_encoder():
    gains = hidden_stilts.printed_gains(hidden_stilts.printed_scores()).set_index("target")
    assert gains["gain"].to_dict() == pytest.approx({"rte": 4.37, "mrpc": 0.52, "stsb": 0.23})
    assert set(gains["encoder"]) == {"RoBERTa-large (Liu 2019)"}


def test_gaps_are_those_that_a_stopover_could_widen():
    table = hidden_stilts.printed_scores()
    found = hidden_stilts.gaps(table)
    assert (found["gap"] > 0).all() and not (found["higher_stopover"] == "none").any()
    assert set(found["lower_stopover"]) == {"none", "not told"}
    own = found[(found["higher"] == "RoBERTa-base with LoRA (Hu 2022)") & (found["lower"] == "RoBERTa-base (Liu 2019)")]
    assert own.set_index("target")["gap"].to_dict() == pytest.approx({"rte": 7.9, "stsb": 0.3})  # on MRPC it is lower
    assert own["higher_stopover"].tolist() == ["mnli", "not told"]


def test_gaps_beside_what_was_measured(runs):
    table = transfer_table(runs)
    beside = hidden_stilts.beside_gaps(hidden_stilts.gaps(hidden_stilts.printed_scores()), table, "mnli")
    assert set(beside["target"]) == {"rte"} and (beside["gain"] == 5).all()
    own = beside[
        (beside["higher"] == "RoBERTa-base with LoRA (Hu 2022)") & (beside["lower"] == "RoBERTa-base (Liu 2019)")
    ]
    (row,) = own.itertuples()
    assert row.share == pytest.approx(500 / 7.9) and row.high == pytest.approx(5 + 4.302653 / 3**0.5)  # sd 1, two df
    assert row.could_be == "not all of it"  # 7.48 is below 7.9
    within, above = (beside["gap"] <= row.low).sum(), (beside["gap"] > row.high).sum()
    assert within and above and len(beside) > within + above
    words = hidden_stilts.gaps_in_words(beside)
    assert words.startswith(
        "- **mini/mnli → rte**, mini/bert, all training data: the stopover does +5.0 points here [+2.5, +7.5], abo"
    )
    assert f"it could account for {within} in full, and not for {above}; left open are" in words
    of_none = hidden_stilts.beside_gaps(hidden_stilts.gaps(hidden_stilts.printed_scores()), table, "swag")
    assert set(of_none["higher_stopover"]) == {"mnli"}  # of what is not told, SWAG is meant, which nobody ran
    two = hidden_stilts.gaps_in_words(pd.concat([beside, beside.assign(supporting="mini/snli", gain=9.0)]))
    assert len(two.splitlines()) == 2 and "- **mini/snli → rte**" in two and "+9.0 points here" in two
    assert hidden_stilts.gaps_in_words(beside[:0]).startswith("No printed gap")


def test_without_an_interval_nothing_is_said_to_be_reached(runs):
    table = transfer_table(runs[runs["seed"].isna() | (runs["seed"] == 0)])
    beside = hidden_stilts.beside_gaps(hidden_stilts.gaps(hidden_stilts.printed_scores()), table, "mnli")
    assert beside["could_be"].isna().all() and "has no interval" in hidden_stilts.gaps_in_words(beside)


def test_what_is_known_of_the_encoders(runs):
    words = hidden_stilts.known_in_words(runs, {"mini/bert": "it read made-up text", "other": "much"})
    assert "- **mini/bert**: it read made-up text." in words and "of other is of no encoder" in words
    assert hidden_stilts.known_in_words(runs, {}) == "- Nothing is noted here of mini/bert."


def test_a_line_for_each_stopover_and_each_printed_gain(runs, ax):
    table = transfer_table(runs).query("target == 'mini/rte'")
    gains = hidden_stilts.printed_gains(hidden_stilts.printed_scores()).query("target == 'rte'")
    paper_figures.stopover_lines(table, deltas(runs), gains, ax)
    labels = [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]
    assert labels[0] == "mini/mnli, mini/bert (n = 3)" and labels[2] == "printed: mnli, RoBERTa-large (Liu 2019)"
    diamonds = ax.lines[-1]
    assert diamonds.get_marker() == "D" and list(diamonds.get_xdata()) == pytest.approx([4.37])
    crosses = next(line for line in ax.lines if line.get_marker() == "x")
    assert sorted(crosses.get_xdata()) == pytest.approx([4, 5, 6])


def test_the_notebook_reads_a_study_with_runs_missing(tmp_path):
    make_store(results_root(), lambda *of: None if of[1] and of[2] == 2 else score(*of), seeds=3)
    execute_notebook(NOTEBOOK, tmp_path / "executed.ipynb", {"study": "demo", "known": {"mini/bert": "it read text"}})
    cells = {cell["id"]: cell for cell in nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells}
    assert "the stopover does +4.5 points here" in str(cells["gaps"].outputs)
    assert "it read text" in str(cells["known"].outputs) and len(cells["figure"].outputs) == 2
