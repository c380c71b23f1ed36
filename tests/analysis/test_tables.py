"""Frames as they are shown and written to files."""

import re

import pandas as pd
import pytest

from intertask.analysis.tables import export, shown
from intertask.errors import IntertaskError


def test_shown_rounds_and_leaves_missing_cells_empty():
    frame = pd.DataFrame({
        "limit": pd.array([1000, None], dtype="Int64"),
        "delta": [1.25, None],
        "p": [0.00004, 0.25],
        "low": [float("nan")] * 2,
        "note": [None, "<b>"],
    })  # fmt: skip
    assert shown(frame, digits=2).values.tolist() == [[1000, "1.25", "4e-05", "", ""], ["", "", "0.25", "", "<b>"]]


def test_prose_is_told_below_its_table_once_escaped_and_whole():
    long = "an interval needs restarts of both, and here " + "there are none, " * 5
    frame = pd.DataFrame(
        {"target": ["a", "b", "c", "<d>"], "note": [long, None, "<b>", long], "reason": ["", "<b>"] * 2}
    )
    displayed = shown(frame)._repr_html_()
    table, *below = displayed.split("\n<p>")
    rows = [re.findall("<td>(.*?)</td>", row) for row in table.split("<tr>")]
    assert [row for row in rows if row] == [
        ["a", "[1]", ""],
        ["b", "", "[2]"],
        ["c", "[2]", ""],
        ["&lt;d&gt;", "[1]", "[2]"],
    ]
    assert below == [f"[1] {long}</p>", "[2] &lt;b&gt;</p>"]
    assert shown(frame)["note"].tolist() == [long, "", "<b>", long]


@pytest.fixture
def awkward():
    return pd.DataFrame({
        "task & co": ["a_b", "50 % $x$ #1", "[1, 2]\\{~^}"],
        "mean": [1.25, None, 2.0],
        "low": [0.123456789, None, None],
        "n_expected": pd.array([3, None, 2], dtype="Int64"),
    })  # fmt: skip


def test_an_exported_table_reads_back_unrounded_with_its_gaps(awkward, tmp_path):
    view = export(awkward, "scores", f"{tmp_path}/new/folder", digits=2)
    assert view.equals(shown(awkward, 2))
    back = pd.read_csv(tmp_path / "new" / "folder" / "scores.csv", dtype={"n_expected": "Int64"})
    pd.testing.assert_frame_equal(back, awkward)
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {"scores.csv", "scores.tex"}


def test_exported_latex_is_escaped_and_balanced(awkward, tmp_path):
    export(awkward.iloc[::-1], "scores", str(tmp_path), digits=2)
    latex = (tmp_path / "scores.tex").read_text()
    assert re.findall(r"\\(begin|end){(\w+)}", latex) == [("begin", "tabular"), ("end", "tabular")]
    assert [rule for rule in re.findall(r"\\(\w+rule)", latex)] == ["toprule", "midrule", "bottomrule"]
    assert r"\begin{tabular}{lrrr}" in latex and r"task \& co & mean & low & n\_expected \\" in latex
    rows = latex.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert rows[1:] == [r"50 \% \$x\$ \#1 &  &  &  \\", r"a\_b & 1.25 & 0.12 & 3 \\"]
    # a `[` after the former row's `\\` would be taken for its argument
    assert rows[0] == r"{[}1, 2]\textbackslash \{\textasciitilde \textasciicircum \} & 2.00 &  & 2 \\"
    bare = re.sub(r"\\[\\&%$#_{}]", "", latex)
    assert bare.count("{") == bare.count("}") and not re.search("[%$#_^~]", bare)
    assert {line.count("&") for line in bare.splitlines() if "&" in line} == {3}


def test_a_named_index_is_exported_and_none_is_written_without_a_folder(awkward, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export(awkward, "scores", "")
    assert not list(tmp_path.iterdir())
    export(awkward.set_index("task & co")[["mean"]], "scores", ".")
    assert (tmp_path / "scores.csv").read_text().startswith("task & co,mean\na_b,1.25\n")
    assert r"\begin{tabular}{lr}" in (tmp_path / "scores.tex").read_text()


def test_an_export_replaces_its_file_whole_or_says_where_it_cannot(awkward, tmp_path):
    (tmp_path / "scores.csv").write_text("old " * 1000)
    export(awkward, "scores", str(tmp_path))
    assert "old" not in (tmp_path / "scores.csv").read_text()
    with pytest.raises(IntertaskError, match=r"export: expected a folder .* found '.*scores.csv'"):
        export(awkward, "scores", f"{tmp_path}/scores.csv")


def test_a_small_loss_is_shown_as_nothing_without_a_sign():
    assert shown(pd.DataFrame({"delta": [-0.04, -0.06]}))["delta"].tolist() == ["0.0", "-0.1"]
