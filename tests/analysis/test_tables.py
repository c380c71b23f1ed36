"""Frames as they are shown and written to files."""

import re

import pandas as pd
import pytest
from bs4 import BeautifulSoup

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


def read(frame):
    """What a displayed frame says: sentences above, headings, rows, texts below; `#` marks a cell of a number."""
    page = BeautifulSoup(shown(frame)._repr_html_(), "html.parser")
    table = page.table
    row = lambda tr, cell: [one.text + "#" * ("number" in one.get("class", "")) for one in tr.find_all(cell)]  # noqa: E731
    above, below = ([p.text for p in find("p")[::step]] for find, step in
                    ((table.find_all_previous, -1), (table.find_all_next, 1)))  # fmt: skip
    return above, row(table.thead, "th"), [row(tr, "td") for tr in table.tbody.find_all("tr")], below


def test_prose_is_told_below_its_table_once_escaped_and_whole():
    long = "an interval needs restarts of both, and here " + "there are none, " * 5
    frame = pd.DataFrame(
        {"target": ["a", "b", "c", "<d>"], "note": [long, None, "<b>", long], "reason": ["", "<b>"] * 2}
    )
    _, heads, rows, below = read(frame)
    assert heads == ["target", "note", "reason"]
    assert rows == [["a", "[1]", ""], ["b", "", "[2]"], ["c", "[2]", ""], ["<d>", "[1]", "[2]"]]
    assert below == [f"[1] {long}", "[2] <b>"]
    assert shown(frame)["note"].tolist() == [long, "", "<b>", long]


def test_what_is_empty_or_the_same_in_every_row_is_a_sentence_and_what_matters_comes_first():
    frame = pd.DataFrame({
        "encoder": ["<e>"] * 2, "limit": [float("nan")] * 2, "supporting": ["a", "b"], "n": [5, 5],
        "single": [50.0, 50.0], "degenerate": [False, True], "delta": [1.25, None], "p": [0.04, 0.004],
    })  # fmt: skip
    above, heads, rows, _ = read(frame)
    assert above == ["In every row: encoder = <e>; n = 5. Empty: limit."]
    assert heads == ["supporting", "delta#", "p#", "single#", "degenerate"]
    assert rows == [["a", "1.2#", "0.04#", "50.0#", "False"], ["b", "#", "0.004#", "50.0#", "True"]]
    above, heads, *_ = read(frame.head(1))
    assert above == ["Empty: limit."] and heads[:3] == ["encoder", "supporting", "delta#"]


def test_what_an_interval_is_of_stands_before_it_and_sizes_are_whole():
    frame = pd.DataFrame({
        "model": ["a", "b"], "n_train": [6000.0, None], "sets": [3, 4],
        "r3": [1.25, 2.0], "low": [1.0, 1.5], "high": [2.0, 2.5], "seeds_low": [0.5, 1.0],
    })  # fmt: skip
    _, heads, rows, _ = read(frame)
    assert heads == ["model", "r3#", "low#", "high#", "n_train#", "sets#", "seeds_low#"]
    assert rows[0] == ["a", "1.2#", "1.0#", "2.0#", "6000#", "3#", "0.5#"] and rows[1][4] == "#"
    assert read(frame.assign(delta=[3.0, 4.0]))[1][:4] == ["model", "delta#", "low#", "high#"]


def test_only_an_index_that_names_something_is_shown():
    frame = pd.DataFrame({"score": [1.0, 2.0]}, index=[7, 3])
    assert read(frame)[1] == ["score#"]
    assert read(frame.set_index(pd.Index(["a", "b"])))[2] == [["a", "1.0#"], ["b", "2.0#"]]
    assert read(frame.set_index(pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")])))[2][0] == ["a", "x", "1.0#"]
    assert read(frame.rename_axis("row"))[1:3] == (["row#", "score#"], [["7#", "1.0#"], ["3#", "2.0#"]])


def test_a_task_may_have_the_name_of_a_heading():
    frame = pd.DataFrame({"row": [1.5, 2.5]}, index=pd.Index(["a", "b"], name="row"))
    assert read(frame)[1:3] == (["row", "row#"], [["a", "1.5#"], ["b", "2.5#"]])


def test_only_a_text_too_long_for_a_line_is_wrapped():
    wraps = shown(pd.DataFrame({"claim": ["a" * 40, "<" + "b" * 40]}))._repr_html_()
    assert wraps.count('<td class="long" ') == 1 and '<td class="long" style="text-align: left">&lt;b' in wraps


def test_equal_rows_keep_a_column():
    assert read(pd.DataFrame({"task": ["a", "a"], "n": [1, 1]}))[:3] == (
        ["In every row: n = 1."],
        ["task"],
        [["a"]] * 2,
    )


def test_a_table_without_rows_is_a_sentence():
    assert shown(pd.DataFrame({"task": []}))._repr_html_() == "<p>No rows: there is nothing of this kind.</p>"
    assert shown(pd.DataFrame())._repr_html_().startswith("<p>No rows")


def test_more_rows_than_fit_are_folded_whole_and_only_jupyter_gets_the_script(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    frame = pd.DataFrame({"task": [f"<{place}>" for place in range(31)], "delta": range(31)})
    short, long = (shown(part)._repr_html_() for part in (frame.head(30), frame))
    assert "<details>" not in short and "<summary>31 rows: task, delta</summary>" in long
    assert long.count("<tr>") == 32 and "<script" not in long
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    first, second = shown(frame)._repr_html_(), shown(frame)._repr_html_()
    assert long in first and long in second and "<script" not in shown(frame.head(30))._repr_html_()
    assert len(first) < 300_000 and len(second) < len(long) + 1_000


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


def test_what_has_no_name_stays_in_the_table():
    lengths = pd.DataFrame({"median": [3, 4]}, index=pd.MultiIndex.from_tuples([("train", "text"), ("dev", "text")]))
    page = shown(lengths)._repr_html_()
    assert "In every row" not in page and page.count(">text</td>") == 2
