"""README and the pages in docs/: short, whole, and every link leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith("https://")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_to_a_file(page):
    assert not [link for link in links(page) if not (page.parent / link).exists()]


def test_readme_is_short_and_leads_to_every_page_the_glossary_first():
    leads = [link for link in links(ROOT / "README.md") if re.fullmatch(r"docs/\w+\.md", link)]
    listed = leads[leads.index("docs/glossary.md") :]
    assert {ROOT / link for link in listed} == {*(ROOT / "docs").glob("*.md")}
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100
