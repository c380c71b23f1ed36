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
    always = {row["right"]: row["n"] for row in table_with(computed, "rule")
              if row["rule"] == "always MTL" and row["cells"] == "p < 0.1"}  # fmt: skip
    assert always["15"] == "21" and '"always MTL" is right in 15 of the 21' in FRONT.read_text()
    steps = {row["supporting"]: row["median"] for row in table_with(computed, "ratio")
             if row["mixing"].endswith("target examples") and row["ratio"] == "steps_ratio"}  # fmt: skip
    assert steps == {"larger": "0.50", "smaller": "1.45"} and "0.50 times the steps" in FRONT.read_text()
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
    right = {side: sum(cell["better"] == cell["heuristic"] == side for cell in cells) for side in ("MTL", "STILTs")}
    assert right == {"MTL": 2, "STILTs": 5} and "right in 5 of 6 cells" in front and "right in 2 of 6" in front
    assert sum(cell["better"] == "STILTs" for cell in cells) == 9 and '"Always STILTs" is right in 9 of 12' in front
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
    signs = r"\*\*: the signs of (\d+) of (\d+) shared deltas agree, (\d+) %; independent signs would in (\d+) %"
    of_family = r"\*\*: (\d+) of a family of 36 .*; (\d+) on the means of clusters; (\d+) with an interval"
    for page, pattern, expected, said in (
        ("literature", signs, [("186", "317", "59", "50"), ("657", "1035", "63", "52")],
         "the signs of 186 of 317 shared deltas agree, 59 %, where independent signs would in 50 %; within one, 657 of "
         "1035 (63 %, where 52 % would)"),
        ("target_correlations", of_family, [("0", "0", "0"), ("2", "2", "1"), ("7", "7", "6"), ("36", "0", "0")],
         "(0 of 36 on BiLSTM, 2 on ELMo, 7 on BERT; 0, 1 and 6 with an interval that leaves out zero)"),
        ("target_correlations", r"needs, with (\d+) observations", ["20", "18", "18", "56"], "56 models count"),
        ("target_correlations", r"difference is 0(\.\d+)", [".09", ".18", ".27"], "differ by .09, .18 and .27"),
        ("target_correlations", r"the opposite in (\d+)", ["5", "8", "10"], "with 5, 8 and 10 of 45 signs turned"),
        ("probing_correlations", r"(\d+) of 25 probes correlate", ["3"], "with three of 25 probes"),
        ("probing_correlations", r"; (\d+) of them keep it", ["2"], "Two probes keep a correlation"),
        ("learning_curves", r"above zero in (\d+) of (\d+) lines", [("75", "76")], "75 of 76 lines rise"),
    ):  # fmt: skip
        assert said in front
        assert re.findall(pattern, pages[page]) == expected
    short = table_with(pages["literature"], "follow")
    count = {kind: [sum(int(row[name]) for row in short if (row["average"] == "average") == kind)
                    for name in ("rows", "follow")] for kind in (True, False)}  # fmt: skip
    assert count[True][0] - count[True][1] == 1 and count[False] == [60, 15] and "15 of 60" in front


def test_what_the_front_page_says_of_the_probes_is_in_their_table():
    front = " ".join(FRONT.read_text().split())
    pairs = table_with((REPORTS / "literature" / "probing_correlations.md").read_text(), "p_holm_block")
    targets = {pair["task_a"] for pair in pairs}
    kinds = {name: [pair for pair in pairs if (pair["task_b"] in targets | {"record"}) == (name == "targets")]
             for name in ("targets", "probes")}  # fmt: skip
    found = {name: sum(pair["significant"] == "True" for pair in own) for name, own in kinds.items()}
    assert f"{found['probes']} of {len(kinds['probes'])} pairs of a target and a probe are significant" in front
    assert f"and {found['targets']} of {len(kinds['targets'])} pairs of targets" in front
    kept = {(pair["task_a"], pair["task_b"]) for pair in kinds["probes"] if pair["keeps"] == "True"}
    assert kept == {("cosmosqa", "cola"), ("record", "senteval/odd_man_out")}
