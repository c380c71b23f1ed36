"""The reports that are kept in the repository: what their front page says is what they say."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "results" / "reports"
FRONT = REPORTS / "README.md"
PAGES = sorted(REPORTS.glob("*/*.md"))


def test_there_are_pages():
    assert PAGES and FRONT.is_file()


@pytest.mark.parametrize("page", [FRONT, *PAGES], ids=lambda page: page.stem)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    assert links and all((page.parent / link).is_file() for link in links if not link.startswith("https://"))
    assert not re.search(r"(/tmp|/home|/work|/root)/", page.read_text())


def test_the_front_pages_figures_are_those_of_the_page_that_computed_them():
    computed = (REPORTS / "weller2022-pairwise-mini" / "size_heuristic.md").read_text()
    rows = re.findall(
        r"^\| `(.+?)` \| (\S+); (\S+) \| (.+?), (.+?) \| (.+?), (.+?) \|$", FRONT.read_text(), re.MULTILINE
    )
    assert len(rows) == 3
    survivors = []
    for mixing, larger, smaller, significant, share, everywhere, whole in rows:
        said = next(line for line in computed.splitlines() if line.startswith(f"- **mini/bert, {mixing}**: right in"))
        assert f"{significant} cells with p < 0.1, {share};" in said and f"{everywhere} cells, {whole}." in said
        survivors += re.findall(r"right in (\d+) of (\d+) cells with p_holm", said)
        seen = next(line for line in computed.splitlines() if line.startswith(f"- **mini/bert, {mixing}**: target ex"))
        assert f" {larger} (median of 36 cells) where the supporting task is larger" in seen
        assert f" {smaller} (median of 36 cells) where the supporting task is smaller" in seen
    assert "({}, {} and {}), none of them against the rule".format(*(of for _, of in survivors)) in FRONT.read_text()
    assert all(right == of for right, of in survivors)
    assert rows[0][3] == "right in 32 of 35" and rows[2][3] == "right in 12 of 21"  # as the README of the project says
    assert all(count in (ROOT / "README.md").read_text() for count in ("in 32 of 35 significant cells", "in 12 of 21"))


def test_what_the_front_page_says_of_the_real_tasks_is_on_their_page():
    front, page = FRONT.read_text(), (REPORTS / "regimes-real" / "size_heuristic.md").read_text()
    assert "right in 3 of 3 cells with p < 0.1" in page and "right in 7 of 12 cells" in page
    assert "in 7 of 12 cells, and in 3 of 3 with p < 0.1" in front
    cells = table_with(page, "p_paired")
    assert len(cells) == 12 and all(cell["n_mtl"] == cell["n_stilts"] == "3" for cell in cells)
    clear = [cell for cell in cells if float(cell["p"]) < 0.1]
    assert {(cell["supporting"], cell["target"]) for cell in clear} == {
        ("rte", "stsb"),
        ("mrpc", "stsb"),
        ("rte", "cola"),
    }
    assert all(cell["better"] == cell["heuristic"] == "STILTs" for cell in clear)
    seen = [row for row in table_with(page, "ratio") if row["ratio"] == "target_examples_ratio"]
    assert {row["supporting"]: (row["min"], row["max"]) for row in seen} == {
        "larger": ("0.98", "1.00"), "smaller": ("0.44", "0.75")
    }  # fmt: skip
    assert "0.44 to 0.75 times as often" in front
    assert sum(int(row["done"]) for row in table_with(page, "done")) == 12 + 48 + 36 + 36  # roles; 66 trainings


def table_with(page: str, heading: str) -> list[dict[str, str]]:
    """The rows of the one table of a page that has a column of this name."""
    found = []
    for table in BeautifulSoup(page, "html.parser").find_all("table"):
        heads = [head.text for head in table.thead.find_all("tr")[-1].find_all("th")]
        if heading in heads:
            found.append([dict(zip(heads, [cell.text for cell in row.find_all(["th", "td"])], strict=True))
                          for row in table.tbody.find_all("tr")])  # fmt: skip
    (rows,) = found
    return rows


def test_what_the_front_page_says_of_the_papers_is_on_their_pages():
    front = " ".join(FRONT.read_text().split())
    pages = {page.stem: page.read_text() for page in (REPORTS / "literature").glob("*.md")}
    assert "the signs of 843 of 1352 shared deltas agree" in front and "843 of 1352" in pages["literature"]
    for page, pattern, expected, said in (
        (
            "target_correlations",
            r"(\d+) of a family of 36",
            ["1", "1", "7", "36"],
            "(1, 1 and 7 of 36), over all encoders all do",
        ),
        (
            "target_correlations",
            r"absolute difference is 0(\.\d+)",
            [".27", ".09", ".19"],
            "differ by .09, .19 and .27 in the mean",
        ),
        ("target_correlations", r"the opposite in (\d+)", ["10", "4", "10"], "10 of 45 signs turned in two of them"),
        ("probing_correlations", r"(\d+) of a family of 295", ["17"], "17 of 295 pairs are significant"),
        ("probing_correlations", r"; (\d+) of them keep it", ["2"], "two probes of 25 keep a correlation"),
    ):
        assert said in front
        assert re.findall(pattern, pages[page]) == expected
    short = table_with(pages["literature"], "follow")
    count = {kind: [sum(int(row[name]) for row in short if (row["average"] == "average") == kind)
                    for name in ("rows", "follow")] for kind in (True, False)}  # fmt: skip
    assert count[True][0] - count[True][1] == 1 and count[False] == [60, 11] and "11 of 60" in front
