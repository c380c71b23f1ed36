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


def test_what_the_front_page_says_of_the_papers_is_on_their_pages():
    front = " ".join(FRONT.read_text().split())
    pages = {page.stem: page.read_text() for page in (REPORTS / "literature").glob("*.md")}
    assert "the signs of 843 of 1352 shared deltas agree" in front and "843 of 1352" in pages["literature"]
    for page, pattern, said in (
        ("target_correlations", r"(\d+) of a family of 36", "(1, 1 and 7 of 36), over all encoders all do"),
        ("target_correlations", r"absolute difference is 0(\.\d+)", "differ by .09, .19 and .27 in the mean"),
        ("target_correlations", r"the opposite in (\d+)", "10 of 45 signs turned in two of them"),
        ("probing_correlations", r"(\d+) of a family of 295", "17 of 295 pairs are significant"),
        ("probing_correlations", r"; (\d+) of them keep it", "two probes of 25 keep a correlation"),
    ):
        assert said in front
        found = re.findall(pattern, pages[page])
        assert found in (["1", "1", "7", "36"], [".27", ".09", ".19"], ["10", "4", "10"], ["17"], ["2"])
    tables = BeautifulSoup(pages["literature"], "html.parser").find_all("table")
    (short,) = (table for table in tables if "follow" in [head.text for head in table.find_all("th")])
    cells = [
        [cell.text for cell in row.find_all("td")] for row in short.tbody.find_all("tr")
    ]  # source, table, average, …
    count = {kind: [sum(int(row[place]) for row in cells if (row[2] == "average") == kind) for place in (3, 4)]
             for kind in (True, False)}  # fmt: skip
    assert count[True][0] - count[True][1] == 1 and count[False] == [60, 11] and "11 of 60" in front
