"""The papers' tables side by side, and the audit: figures recomputed here from the CSVs, by pandas alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from intertask.analysis.read import read_runs
from intertask.errors import IntertaskError
from intertask.papers import audit, literature, paper_figures
from made_notebook import execute_notebook
from made_store import make_store

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "analysis" / "literature.ipynb"
NAMES = [f"published/{name}" for name in ("wang2019_glue", "phang2018_glue", "pruksachatkun2020_transfer")]


@pytest.fixture
def printed(monkeypatch):
    """The repository's own results folder, whatever another test said."""
    monkeypatch.setenv("INTERTASK_RESULTS", str(PUBLISHED.parent))
    return lambda name: pd.read_csv(PUBLISHED / f"{name}.csv")


@pytest.fixture
def own(monkeypatch, tmp_path):
    """A results folder of the test's own."""
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    return tmp_path


def made(folder, **tables):
    (folder / "published").mkdir()
    for name, rows in tables.items():
        (folder / "published" / f"{name}.csv").write_text("encoder,supporting,target,score\n" + rows)
    return [f"published/{name}" for name in tables]


def test_deltas_side_by_side_by_hand(own):
    names = made(
        own,
        one="a,,x,50\na,,y,60\na,,z,60\na,s,x,53\na,s,y,58\na,s,z,61\n",
        two="b,,x,40\nb,,y,40\nb,,z,40\nb,s,x,44\nb,s,y,41\nb,s,z,45\nb,t,x,39\n",
    )
    table = literature.effects(names)
    assert literature.found(table, "s", "x")["delta"].tolist() == [3, 4]
    assert literature.found(table, "*", "x")["supporting"].tolist() == ["s", "s", "t"]
    pairs = literature.shared_pairs(table)
    assert pairs.index.tolist() == [("s", "x"), ("s", "y"), ("s", "z")]  # t is in one table alone
    (row,) = literature.agreement(table).itertuples()
    # +3 -2 +1 against +4 +1 +5: x and z agree; two of three are up, and three of three: chance 2/3
    assert (row.n, row.same_sign, row.same_source) == (3, 2, False) and row.chance == pytest.approx(200 / 3)
    assert row.spearman == pytest.approx(0.5)  # ranks 3 1 2 and 2 1 3
    words = literature.agreement_in_words(literature.agreement(table))
    assert words.startswith(
        "- **between two sources**: the signs of 2 of 3 shared deltas agree, 67 %; independent signs"
    )
    assert "would in 67 %. Of 1 pair of settings the interval lies above chance in 0, below in 0." in words
    assert "within" not in words


def test_equal_encoders_of_two_tables_stay_apart_and_nothing_shared_is_said(own):
    names = made(own, one="a,,x,50\na,s,x,53\n", two="a,,x,40\na,s,x,44\n", three="a,,x,44\n")
    table = literature.effects(names)
    assert table["setting"].tolist() == [f"a, all training data, published/{name}" for name in ("one", "two")]
    lone = literature.effects(names[:1])
    assert "nothing to compare" in literature.agreement_in_words(literature.agreement(lone))


def test_tables_without_transfer_have_no_deltas_and_a_name_counts_once(own):
    names = made(own, one="a,,x,50\na,s,x,53\n", two="a,,x,44\n")
    assert len(literature.effects([names[0]] * 2)) == 1
    with pytest.raises(IntertaskError, match="after a supporting task"):
        literature.effects(names[1:])


@pytest.mark.parametrize("name", ["wang2019_glue", "phang2018_glue", "phang2018_submission"])
def test_printed_averages_follow_but_for_one(name, printed):
    """All but RandomE, by .06, from the cells alone."""
    table = printed(name)
    keys = [key for key in ("table", "row", "limit", "split") if key in table]
    cells = table[~table["target"].str.startswith("average")]
    by_task = cells.groupby([*keys, "target"], dropna=False)["score"].mean().unstack("target")
    if name.startswith("wang"):
        split = by_task.index.get_level_values("split")
        by_task["wnli"] = np.maximum(by_task["wnli"], np.where(split == "test", 65.1, 56.3))
    assert by_task.shape[1] == 9 and by_task.notna().all(axis=None)
    average = table[table["target"] == "average"].set_index(keys)["score"]
    off = (average - by_task.mean(axis=1)).abs() > 0.06 + 1e-9
    assert off[off].index.get_level_values("row").tolist() == ["RandomE"] * (name == "wang2019_glue")
    computed = literature.averages().query("source == @name and average == 'average'")
    assert sorted(computed["recomputed"]) == pytest.approx(sorted(by_task.mean(axis=1)))


def test_the_average_without_two_tasks_does_not_follow(printed):
    table = printed("phang2018_glue").query("limit.isna() and split == 'validation' and row == 'BERT'")
    cells = table[~table["target"].str.startswith("average") & ~table["target"].isin(["mnli", "qqp"])]
    mean = cells.groupby("target")["score"].mean().mean()
    short = literature.averages_in_short(literature.averages()).set_index(["source", "table", "average"])
    ours = literature.averages().query("source == 'phang2018_glue' and row == 'BERT' and average != 'average'").iloc[0]
    assert (ours["printed"], round(ours["recomputed"], 2), ours["n"]) == (78.4, 78.74, 7) and mean == ours["recomputed"]
    assert (short.loc[("phang2018_glue", 1, "average without mnli and qqp"), ["rows", "follow"]] == [24, 2]).all()


def test_average_deltas_of_figure_2_follow(printed):
    figure = printed("pruksachatkun2020_transfer").query("part == 'targets' and supporting.notna()")
    wide = figure.pivot(index="supporting", columns="target", values="delta")
    off = wide["average"] - wide.drop(columns="average").mean(axis=1)
    assert wide.shape == (11, 11) and off.abs().max() <= 0.1 and off.abs().idxmax() == "mnli"
    ours = literature.averages().query("source == 'pruksachatkun2020_transfer' and row != 'none'").set_index("row")
    assert ours["difference"].to_dict() == pytest.approx(off.to_dict())


def test_scores_of_the_figure_are_baseline_plus_delta(printed):
    figure = printed("pruksachatkun2020_transfer")
    baseline = figure[figure["supporting"].isna()].set_index("target")["score"]
    after = figure[figure["supporting"].notna()]
    assert len(baseline) == 36 and len(after) == 36 * 11
    assert (after["score"] - after["delta"] - after["target"].map(baseline)).abs().max() < 1e-9


def test_the_kept_audit_is_what_the_tables_give(printed):
    kept = PUBLISHED.parent / "reports" / "literature" / "claims.csv"
    assert audit.audit().to_csv(index=False) == kept.read_text()


def test_claims(printed):
    table = audit.claims().set_index("claim")
    assert table.loc["qqp harms every target", "found"] == "copa +0.7, wic +1.4"
    assert (
        table.loc["qqp harms every target", "follows"] is np.False_
        or not table.loc["qqp harms every target", "follows"]
    )
    assert table.loc["encoders evaluated", "found"].startswith("56 rows; 53 without")
    same = printed("wang2019_diagnostic").query("row in ['MT En-De', 'MT En-Ru']").groupby("target")["score"].nunique()
    assert (same == 1).all() and not table.loc["MT En-De and MT En-Ru are different encoders", "follows"]
    test = printed("phang2018_glue").query("split == 'test' and target == 'average'").set_index("row")["score"]
    assert test["BERT on STILTs"] - test["BERT"] == pytest.approx(1.4)
    bert = printed("wang2019_glue").query("encoder == 'BERT-base (Wang 2019)' and split == 'validation'")
    bert = bert[bert["target"] == "average"].set_index("row")["score"]
    below = (bert.drop("Single-TaskB") < bert["Single-TaskB"]).sum()
    assert (
        f"{below} of {len(bert) - 1} rows" in table.loc["intermediate training of BERT often harms (average)", "found"]
    )
    assert table["follows"].isna().sum() == 1  # one word, "almost", is the reader's to judge


def test_an_altered_cell_is_noticed(own):
    """The audit reads the tables: one QQP cell turned makes its claim follow, one average makes it fail."""
    folder = own / "published"
    folder.mkdir()
    for path in PUBLISHED.glob("*.csv"):
        text = path.read_text()
        if path.stem == "pruksachatkun2020_transfer":
            text = text.replace(",86.7,0.7,", ",85.3,-0.7,").replace(",71.9,1.4,", ",69.1,-1.4,")
        if path.stem == "wang2019_glue":
            text = text.replace("average,validation,main,78.8", "average,validation,main,77.8")
        (folder / path.name).write_text(text)
    assert audit.claims().set_index("claim").loc["qqp harms every target", "follows"]
    short = literature.averages_in_short(literature.averages()).set_index(["source", "table"])
    assert short.loc[("wang2019_glue", 3), "follow"] == 39


def test_agreement_of_two_papers_recomputed(printed):
    table = literature.effects(NAMES)
    agreed = literature.agreement(table)
    row = agreed[agreed["one"].str.startswith("BERT-base") & agreed["other"].str.startswith("RoBERTa")].iloc[0]

    def deltas(name, encoder):
        runs = read_runs(f"published/{name}").query("encoder == @encoder and limit.isna()")
        base = runs[runs["regime"] == "single"].set_index("target")["score"]
        after = runs[runs["regime"] == "stilts"].set_index(["supporting", "target"])["score"]
        return after - after.index.get_level_values("target").map(base)

    both = pd.concat(
        [
            deltas("wang2019_glue", "BERT-base (Wang 2019)"),
            deltas("pruksachatkun2020_transfer", "RoBERTa-large (Pruksachatkun 2020)"),
        ],
        axis=1,
        join="inner",
    )
    both = both[(both != 0).all(axis=1)]  # rte after qqp: no difference at all in one of the two
    assert row["n"] == len(both) == 5 and row["same_sign"] == (np.sign(both[0]) == np.sign(both[1])).sum()
    assert row["spearman"] == pytest.approx(stats.spearmanr(both[0], both[1]).statistic)


@pytest.mark.parametrize("supporting", ["mnli", "nothing"])
def test_the_notebook(tmp_path, monkeypatch, supporting):
    """With a study of one's own beside the papers; and where no table has the pair."""
    make_store(tmp_path, lambda *_: 60.0, seeds=2)
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))
    execute_notebook(NOTEBOOK, tmp_path / "out.ipynb", {"study": "demo", "supporting": supporting})
    text = (tmp_path / "out.ipynb").read_text()
    assert ("image/png" in text) == (supporting == "mnli") and "qqp harms every target" in text


def test_the_papers_are_drawn_side_by_side(ax):
    row = {"encoder": "e", "supporting": "s", "low": np.nan, "high": np.nan, "n": 1}
    table = pd.DataFrame(
        [
            row | {"target": "x", "setting": "a", "delta": 2.0, "low": 1.0, "high": 3.0, "n": 4},
            row | {"target": "x", "setting": "b", "delta": -0.04},
            row | {"target": "y", "setting": "b", "delta": 0.0},
        ]
    )
    assert paper_figures.literature_heatmap(table, ax) is ax
    assert [found.get_text() for found in ax.texts] == ["+2.0*", "n = 4", "-0.04", "0.0"]
    assert sum(patch.get_hatch() == "///" for patch in ax.patches) == 1  # a has no y
