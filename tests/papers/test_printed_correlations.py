"""Printed correlations beside recomputed ones, on small tables with answers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from intertask.analysis.correlations import (
    OBSERVATION,
    correlation_table,
)
from intertask.errors import IntertaskError
from intertask.papers import paper_figures
from intertask.papers.printed_correlations import against_in_words, against_published, published_correlations


def wide_of(values: dict, supporting=None, encoder="e") -> pd.DataFrame:
    """Observations with the given columns; every row is a supporting task of its own unless it is said otherwise."""
    n = len(next(iter(values.values())))
    about = dict.fromkeys(OBSERVATION) | {"encoder": encoder, "regime": "stilts", "seed": range(n)}
    about["supporting"] = supporting if supporting is not None else [f"s{place}" for place in range(n)]
    return pd.DataFrame(about | values).astype({"limit": "Int64"})


# Published correlations


def printed(folder, text):
    path = folder / "printed.csv"
    path.write_text(text)
    return str(path)


def test_published_beside_recomputed(tmp_path):
    name = printed(
        tmp_path, "table,setting,task_a,task_b,pearson\n8,e,b,a,0.5\n8,e,a,a,1\n8,f,a,b,-0.25\n8,e,a,z,0.1\n"
    )
    published = published_correlations(name, "pearson")
    assert published.columns.tolist() == ["encoder", "task_a", "task_b", "value"] and len(published) == 4
    wide = wide_of({"mini/a": [1.0, 2, 3], "mini/b": [1.0, 3, 2]})  # r = .5
    table = correlation_table(wide, [("mini/a", "mini/b")], "pearson")
    both = against_published(table, published)
    assert both[["encoder", "n", "published", "recomputed"]].values.tolist() == [["e", 3, 0.5, pytest.approx(0.5)]]
    other = against_published(table.assign(panel="g, all training data", encoder="g"), published)
    assert other.set_index("encoder")["difference"].to_dict() == pytest.approx({"e": 0, "f": 0.75})
    words = against_in_words(other)
    assert "beside the printed f: 1 pair; the mean absolute difference is 0.75" in words and "opposite in 1" in words
    assert "No pair of tasks" in against_in_words(other[:0])


def test_a_printed_matrix_counts_each_pair_once_and_encoders_are_told_by_their_whole_name(tmp_path):
    name = printed(
        tmp_path, 'encoder,setting,task_a,task_b,pearson\nf,x,a,b,0.5\nf,x,b,a,0.5\n"f, layer 6",x,a,b,0.25\n'
    )
    wide = wide_of({"a": [1.0, 2, 3], "b": [1.0, 3, 2]}, encoder="f, layer 6")
    both = against_published(correlation_table(wide, [("a", "b")], "pearson"), published_correlations(name, "pearson"))
    assert both[["encoder", "published"]].values.tolist() == [["f, layer 6", 0.25]]


def test_a_printed_table_that_is_not_there_or_of_another_kind(tmp_path):
    with pytest.raises(IntertaskError, match="there is no table 'none' in"):
        published_correlations("none", "pearson")
    name = printed(tmp_path, "task_a,task_b,pearson\na,b,0.5\n")
    with pytest.raises(IntertaskError, match="has no column spearman, only task_a, task_b, pearson. Set method"):
        published_correlations(name, "spearman")
    assert published_correlations(name, "pearson")["encoder"].isna().all()


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "found no heading"),
        ("task_a,task_b,pearson\na,b\n", "row 2: expected 3 cells"),
        ("task_a,task_b,pearson\na,b,high\n", "pearson: expected numbers; found high in row 2"),
        ("task_a,task_b,pearson\na,caf\xe9,1\n".encode("latin-1"), "in UTF-8"),
    ],
)
def test_a_damaged_printed_table_is_refused_with_its_row(tmp_path, text, words):
    (tmp_path / "printed.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(IntertaskError, match=words):
        published_correlations(str(tmp_path / "printed.csv"), "pearson")


def test_the_scatter_draws_every_pair_that_is_known(ax):
    both = pd.DataFrame({"published": [0.5, -0.5, 0.1], "recomputed": [0.4, 0.5, np.nan], "task_a": "a", "task_b": "b"})
    both["encoder"] = "f"
    paper_figures.published_scatter(both.assign(difference=both["recomputed"] - both["published"]), ax)
    assert ax.lines[-1].get_xdata().tolist() == [0.5, -0.5, 0.1] and ax.get_xlabel() == "printed: f"
    assert [(found.get_text(), found.xy) for found in ax.texts] == [("a – b", (-0.5, 0.5))]
