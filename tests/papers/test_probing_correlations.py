"""Probes against targets on small frames and made stores, with answers worked out by hand or by least squares."""

import math
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from intertask.analysis import correlation_figures
from intertask.analysis.correlations import AVERAGE, OBSERVATION, correlation_table, measured, observations, with_holm
from intertask.analysis.read import read_runs, read_scores
from intertask.errors import IntertaskError
from intertask.papers import paper_figures
from intertask.papers.probing_correlations import (
    block_pairs,
    delta_table,
    kept,
    kept_in_words,
    leave_one_out,
    losses,
    partial_r,
    partial_table,
    probe_summary,
    split_tasks,
    strongest,
)
from made_notebook import execute_notebook
from made_runs import glue_roles, make_regimes, scored

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "analysis" / "probing_correlations.ipynb"
PROBES = ["p", "q", "r", "v", "w"]
TASKS = ["t", "u", *PROBES]


def wide_of(values: dict, supporting=None) -> pd.DataFrame:
    """Observations after the given supporting tasks, by default each after another."""
    n = len(next(iter(values.values())))
    about = dict.fromkeys(OBSERVATION) | {"encoder": "e", "regime": "stilts", "seed": range(n)}
    about["supporting"] = supporting if supporting is not None else [f"s{place}" for place in range(n)]
    return pd.DataFrame(about | values).astype({"limit": "Int64"})


def singles(scores: dict) -> pd.DataFrame:
    """Rows of `measured`: single runs of encoder e with these scores, one or several by target."""
    rows = [(target, score) for target, own in scores.items() for score in np.atleast_1d(own)]
    frame = pd.DataFrame(rows, columns=["target", "score"]).assign(encoder="e", regime="single", limit=None)
    return frame.astype({"limit": "Int64"})


def forgetful(n: int = 24, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """t and p share a skill; u, q, r, v and w share only that they are forgotten after every fourth supporting task."""
    rng = np.random.default_rng(seed)
    skill, lost, noise = rng.normal(size=n), -4.0 * (np.arange(n) % 4 == 0), rng.normal(size=(n, 6))
    values = {"t": skill + 0.2 * noise[:, 5], "u": lost + noise[:, 0], "p": skill}
    values |= {name: lost + noise[:, place] for place, name in enumerate("qrvw", start=1)}
    return wide_of({name: own + 60 for name, own in values.items()}), singles(dict.fromkeys(TASKS, 60.0))


# Which are probes


def test_probes_are_named_or_in_their_part():
    tasks = ["mini/rte", "mini/dpr", "edge/pos", "senteval/tense"]
    runs = pd.DataFrame({"stage": "target", "target": tasks, "part": ["a", "a", "a", "probes"]})
    assert split_tasks(runs, []) == (tasks[:3], ["senteval/tense"])
    assert split_tasks(runs, ["dpr", "edge/*"]) == (["mini/rte"], tasks[1:])
    with pytest.raises(IntertaskError, match="no target is called 'edge/poss'.*Did you mean 'edge/pos'"):
        split_tasks(runs, ["edge/poss"])
    with pytest.raises(IntertaskError, match="found no probes: mini/rte.*Say which targets are probes"):
        split_tasks(runs[:3], [])
    with pytest.raises(IntertaskError, match="found only probes"):
        split_tasks(runs, ["*"])


def test_the_block_has_each_pair_once():
    assert block_pairs(["t", "u"], ["p"]) == [("t", "u"), ("t", "p"), ("u", "p")]
    pairs = block_pairs([f"t{k}" for k in range(10)], [f"p{k}" for k in range(25)])
    assert len(pairs) == len(set(pairs)) == 295
    table = pd.DataFrame(pairs, columns=["task_a", "task_b"]).assign(panel="x", p=0.5, p_clusters=0.5)
    assert set(with_holm(table, [f"t{k}" for k in range(10)])["family_block"]) == {350}


# Forgetting


def test_losses_are_below_single_in_standard_deviations_of_the_probe():
    wide = wide_of({"t": [1.0, 2, 3], "p": [50.0, 60, 70], "q": [5.0] * 3, "r": [np.nan, 1, 3]})
    found = losses(wide, singles({"p": [60.0, 62], "q": 9.0}), ["p", "q", "r"])
    assert found["p"].tolist() == [1.1, 0.1, 0]  # single 61, sd 10
    assert found["q"].isna().all() and found["r"].isna().all()  # q does not vary; of r there is no single run


def test_a_partial_correlation_is_that_of_what_a_line_leaves_over():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 3))
    left = [x[:, k] - np.polyval(np.polyfit(x[:, 2], x[:, k], 1), x[:, 2]) for k in (0, 1)]
    assert partial_r(np.corrcoef(x.T)) == pytest.approx(np.corrcoef(left)[0, 1])
    same = np.ones((3, 3))
    assert math.isnan(partial_r(same)) and math.isnan(partial_r(np.full((3, 3), np.nan)))


def test_a_probe_is_not_held_against_itself():
    wide, rows = forgetful()
    loss = losses(wide, rows, PROBES)
    table = partial_table(wide, loss, [("u", "q")], "pearson").iloc[0]
    without = loss[["p", "r", "v", "w"]].mean(axis=1)  # never q
    three = np.corrcoef(np.array([wide["u"], wide["q"], without]))
    assert table["r_partial"] == pytest.approx(partial_r(three)) and table["n_partial"] == 24
    r = table["r_partial"]
    assert table["p_partial"] == pytest.approx(2 * stats.t.sf(abs(r) * math.sqrt(21 / (1 - r**2)), 21))
    ranks = partial_table(wide, loss, [("u", "q")], "spearman").iloc[0]
    by_rank = pd.DataFrame({"u": wide["u"], "q": wide["q"], "lost": without.round(9)}).rank().corr().to_numpy()
    assert ranks["r_partial"] == pytest.approx(partial_r(by_rank))


def test_without_single_runs_or_forgetting_nothing_is_held_fixed():
    wide, rows = forgetful()
    for own in (rows[:0], rows.assign(score=-100.0)):
        table = partial_table(wide, losses(wide, own, PROBES), [("t", "p")], "pearson")
        assert table["r_partial"].isna().all() and table["p_partial"].isna().all()


# Leaving one out


def test_leaving_one_out_by_hand():
    wide = wide_of({"t": [1.0, 2, 3, 4, 9], "p": [1.0, 2, 3, 4, -9]}, ["a", "a", "b", "b", "c"])
    row = leave_one_out(wide, [("t", "p")], "pearson").iloc[0]
    assert (row["moved_by"], row["without"], row["highest"]) == ("c", pytest.approx(1), pytest.approx(1))
    without = [stats.pearsonr(*wide.loc[wide["supporting"] != task, ["t", "p"]].to_numpy().T) for task in "abc"]
    assert row["lowest"] == pytest.approx(min(test.statistic for test in without))
    assert row["p_worst"] == pytest.approx(max(test.pvalue for test in without))


def test_a_task_that_alone_carries_a_correlation_is_named():
    wide = wide_of({"t": [60.0] * 5 + [0], "p": [1.0, 2, 3, 4, 5, -50]})
    row = leave_one_out(wide, [("t", "p")], "spearman").iloc[0]
    assert row["moved_by"] == "s5" and math.isnan(row["without"]) and math.isnan(row["p_worst"])


# What keeps


def trials(wide, rows, method="pearson"):
    pairs = block_pairs(["t", "u"], PROBES)
    table = with_holm(correlation_table(wide, pairs, method), ["t", "u"])
    partial = partial_table(wide, losses(wide, rows, PROBES), pairs, method)
    return kept(table, partial, leave_one_out(wide, pairs, method))


def test_a_shared_skill_stays_and_shared_forgetting_goes():
    both = trials(*forgetful()).set_index(["task_a", "task_b"])
    skill, forgetting = both.loc[("t", "p")], both.loc[("u", "q")]
    assert skill["significant"] and skill["keeps"]
    assert forgetting["significant"] and forgetting["by_clusters"] and forgetting["leaving_one_out"]
    assert not forgetting["given_forgetting"] and not forgetting["keeps"]
    summary = probe_summary(both.reset_index(), PROBES).set_index("probe")
    assert summary.loc["p", ["targets", "significant", "keeps"]].tolist() == [2, 1, "t"]
    assert summary.loc["q", ["significant", "by_clusters", "given_forgetting", "keeps"]].tolist() == [1, 1, 0, ""]
    words = kept_in_words(summary.reset_index())
    stay = ", ".join(summary.index[summary["keeps"] != ""])
    assert f"5 of 5 probes correlate significantly with a target; {len(stay.split(', '))} of them keep it" in words
    assert f"three trials: {stay}." in words and "0 by clusters" in words and "0 leaving one out" in words
    assert "no run is done" in kept_in_words(summary.reset_index()[:0])


def test_one_collapsed_task_is_found_out():
    """Of 12 supporting tasks x 2 restarts one ruins t and p; otherwise they have nothing to do with each other."""
    rng = np.random.default_rng(4)
    ruined = -40.0 * (np.repeat(range(12), 2) == 5)
    values = {name: 60 + rng.normal(size=24) + ruined * (name in "tp") for name in TASKS}
    wide = wide_of(values, np.repeat([f"s{k}" for k in range(12)], 2))
    cell = trials(wide, singles(dict.fromkeys(TASKS, 60.0))).set_index(["task_a", "task_b"]).loc[("t", "p")]
    assert cell["significant"] and cell["by_clusters"] and cell["moved_by"] == "s5"
    assert not cell["leaving_one_out"] and not cell["keeps"] and abs(cell["without"]) < 0.5


def test_the_pairs_to_draw():
    both = pd.DataFrame({"r": [0.1, -0.9, np.nan, 0.5], "significant": [False, True, False, True]})
    assert strongest(both)["r"].tolist() == [-0.9, 0.5]
    assert strongest(both.assign(significant=False))["r"].tolist() == [-0.9, 0.5, 0.1]
    many = pd.DataFrame({"r": np.linspace(-0.5, 0.4, 91), "significant": True})
    assert strongest(many)["r"].round(2).tolist()[:2] == [-0.5, -0.49] and len(strongest(many)) == 40
    assert len(strongest(many.assign(significant=False))) == 20


# Deltas


def skilled(target, task, seed):
    """60 alone; after x 4 more, after y 2 less, and one more with every seed; probe q falls where the others rise."""
    gain = {None: 0, "x": 4, "y": -2, "z": 1}[task]
    return scored(60.0 + seed + gain * (-1 if target == "q" else 1))


def made(results, score=skilled, seeds=2, supporting=("x", "y", "z")):
    make_regimes(results, glue_roles(score, ["t", "u", "p", "q"], list(supporting), seeds))
    return read_runs("made", results)


def test_deltas_with_the_average_of_the_targets(tmp_path):
    table = delta_table(made(tmp_path), ["t", "u"]).set_index(["supporting", "target"])
    assert table.loc[("x", "q"), "delta"] == -4 and table.loc[("x", AVERAGE), "delta"] == 4
    assert table.loc[("x", AVERAGE), ["n", "n_expected", "baseline"]].tolist() == [2, 2, 60.5]
    assert table.loc[("y", "t"), ["baseline", "group"]].tolist() == [60.5, 0] and table.loc[("y", "q"), "group"] == 2
    twice = made(tmp_path)  # seed 0 alone serves another part of the study too
    twice = pd.concat([twice, twice[twice["regime"].eq("single") & twice["seed"].eq(0)].assign(part="again")])
    assert delta_table(twice, ["t", "u"])["baseline"].tolist() == table["baseline"].tolist()
    absent = made(tmp_path)
    absent = delta_table(absent[~(absent["target"].eq("u") & absent["supporting"].eq("x"))], ["t", "u"])
    mean = absent.set_index(["supporting", "target"]).loc[("x", AVERAGE)]
    assert math.isnan(mean["delta"]) and (mean["n"], mean["n_expected"]) == (1, 2)  # u is not of the study after x
    gaps = made(tmp_path / "gaps", lambda *of: None if of[:2] == ("u", "x") else skilled(*of))
    gaps = delta_table(gaps, ["t", "u"]).set_index(["supporting", "target"])
    assert math.isnan(gaps.loc[("x", AVERAGE), "delta"]) and gaps.loc[("y", AVERAGE), "delta"] == -2


def test_the_delta_heatmap_shows_numbers_gaps_and_the_baseline(tmp_path, ax):
    runs = made(tmp_path, lambda *of: None if of[:2] == ("u", "x") or of[1:] == ("z", 1) else skilled(*of))
    paper_figures.delta_heatmap(delta_table(runs, ["t", "u"]), ["t", "u", AVERAGE, "p", "q"], ax)
    words = [found.get_text() for found in ax.texts]
    assert words.count("+4.0") == 2 and words.count("-4.0") == 1 and words.count("60.5") == 5
    assert words[words.index("+1.0") + 1] == "(1 of 2)"
    assert sum(patch.get_hatch() == "///" for patch in ax.patches) == 2
    assert len(ax.lines) == 2  # around the average


def test_the_block_is_blank_where_nothing_is_significant(ax):
    wide, _ = forgetful()
    table = with_holm(correlation_table(wide, block_pairs(["t", "u"], PROBES), "pearson"), ["t", "u"])
    drawn = table.assign(blank=table["p_holm"] >= 0.05)
    correlation_figures.correlation_heatmap(drawn, ["t", "u"], ["t", "u", *PROBES], ax)
    words = [found.get_text() for found in ax.texts]
    assert sum("." in word and "[" not in word for word in words) == int((~drawn["blank"]).sum()) == 5
    assert len(words) == 10 and sum(word.endswith("n=24") for word in words) == 5


def test_nobody_is_named_who_moves_nothing(ax):
    both = trials(*forgetful()).head(1).assign(moved_by=np.nan)
    paper_figures.robustness(both, ax)
    assert ax.get_yticklabels()[0].get_text() == f"{both['task_a'].item()} – {both['task_b'].item()}"


def test_the_ranges_name_who_moves_them(ax):
    both = trials(*forgetful())
    paper_figures.robustness(strongest(both), ax)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 5 and all(" – " in name and "(s" in name for name in names)
    undefined = both.assign(without=np.nan, lowest=np.nan, highest=np.nan, r_partial=np.nan)
    assert "undefined" in [found.get_text() for found in paper_figures.robustness(undefined, ax).texts]


# The notebook


@pytest.mark.parametrize("done", ["all", "some", "nothing"])
def test_the_notebook(tmp_path, monkeypatch, done):
    chosen = {
        "all": lambda *of: True,
        "some": lambda *of: of[1] in (None, "x") and of[0] != "q",
        "nothing": lambda *_: False,
    }
    made(tmp_path, lambda *of: skilled(*of) if chosen[done](*of) else None)
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    parameters = {"study": "made", "probes": ["p", "q"], "single": done == "all", "show_all": True}
    execute_notebook(NOTEBOOK, tmp_path / "executed.ipynb", parameters)
    cells = nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
    assert not any(output.get("name") == "stderr" for cell in cells for output in cell.get("outputs", []))
    shown = {cell.id: str(cell.get("outputs")) for cell in cells}
    assert ("not run yet" in shown["missing"]) == (done != "all") and "image/png" in shown["delta"]
    assert ("image/png" in shown["matrix"]) == (done != "nothing")
    said = {"all": "of a family of 5 distinct pairs", "some": "no pair has a correlation", "nothing": "no run is done"}
    assert said[done] in shown["family"]
    assert ("fewer than three observations" in shown["numbers"]) == (done == "some")
    assert ("Nothing can be said yet" in shown["kept"]) == (done == "nothing")


def test_observations_of_a_store_make_the_same_block(tmp_path):
    runs = made(tmp_path)
    wide = observations(measured(runs, read_scores("made", tmp_path), {}), single=False)
    row = correlation_table(wide, [("t", "q")], "pearson").iloc[0]
    t, q = [64, 65, 58, 59, 61, 62], [56, 57, 62, 63, 59, 60]
    assert row["r"] == pytest.approx(stats.pearsonr(t, q).statistic) and (row["n"], row["clusters"]) == (6, 3)
