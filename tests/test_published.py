"""The papers' tables: their columns are documented, their values are possible, and each is read as a study."""

from pathlib import Path

import pandas as pd
import pytest

from intertask.analysis.read import read_runs, read_scores
from intertask.analysis.score_tables import TABLE_COLUMNS
from intertask.tasks.catalogue import catalogue

FOLDER = Path(__file__).parents[1] / "results" / "published"
README = (FOLDER / "README.md").read_text()
FILES = sorted(FOLDER.glob("*.csv"))
OTHERS = ["wang2019_correlations"]  # not of scores of runs
READ = [path for path in FILES if path.stem not in OTHERS]
COUNTS = {  # encoders x supporting tasks, as the papers' tables are laid out
    "hidden_stilts": 4 * 3 + 1 + 3,
    "phang2018_glue": 7 * 5 * 9,
    "phang2018_mtl": 4,
    "phang2018_submission": 2 * 5 * 9,
    "pruksachatkun2020_transfer": 12 * 35,
    "talmor2019_multiqa": 2 * (6 * 5 + 6),
    "wang2019_diagnostic": (20 + 18 + 18) * 4,
    "wang2019_multitask": 6 * 4 + 4 * 2,
    "wang2019_glue": (21 + 19 + 18) * 9,
}


def test_every_file_is_documented():
    assert FILES and all(f"`{path.name}`" in README for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_cell_is_out_of_range(path):
    table = pd.read_csv(path)
    (value,) = {"score", "pearson"} & {*table.columns}
    assert table[value].notna().all() and table[value].between(*((-1, 1) if value == "pearson" else (-20, 100))).all()
    assert not table.duplicated(
        table.columns.difference([value, "delta", "below_majority", "substituted"]).tolist()
    ).any()


@pytest.mark.parametrize("path", READ, ids=lambda path: path.stem)
def test_each_is_read_as_a_study(path, monkeypatch, tmp_path):
    monkeypatch.setenv("INTERTASK_RESULTS", str(tmp_path))  # they are the project's, wherever the results are
    table = pd.read_csv(path)
    own = {"table", "figure", "row", "delta", "statistic", "source"}
    assert all(f"`{name}`" in README for name in table.columns) and {*table.columns} - own <= {*TABLE_COLUMNS}
    runs, scores = read_runs(f"published/{path.stem}"), read_scores(f"published/{path.stem}")
    assert len(runs) == COUNTS[path.stem] and runs["done"].all()
    table = table.reindex(columns=table.columns.union(["split", "derived"]))
    kept = table[table["derived"].isna() & table["split"].ne("test")]
    metrics = scores[(scores["split"] == "validation") & ((scores["metric"] != "main") | ("metric" not in table))]
    assert metrics["score"].sum() == pytest.approx(kept["score"].sum())


def test_targets_are_named_as_in_the_catalogue():
    known = {*catalogue()}
    for name in ("hidden_stilts", "wang2019_glue", "phang2018_glue", "pruksachatkun2020_transfer"):
        targets = {*read_runs(f"published/{name}")["target"]}
        assert targets <= known, targets - known
