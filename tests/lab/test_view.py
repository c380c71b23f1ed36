"""What a widget says where there is no widget, and the Lab that `make lab` starts."""

import base64

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from intertask.lab.view import View
from made_lab import browser_page, copied, jupyter_lab


class Two(View):
    """Two cells."""

    def picture(self):
        figure, ax = plt.subplots()
        ax.plot([1, 2])
        plt.close(figure)
        return figure

    def table(self):
        return pd.DataFrame({"task": ["<script>alert(1)</script>"], "score": [50.0]})


def test_a_view_is_a_widget_a_picture_and_a_table():
    bundle = Two()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle and bundle["text/plain"] == "Two cells."
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "<script>" not in bundle["text/html"] and "&lt;script&gt;" in bundle["text/html"]


def test_a_view_without_a_picture_and_a_table_says_what_it_is():
    assert View()._repr_mimebundle_().keys() == {"application/vnd.jupyter.widget-view+json", "text/plain"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with jupyter_lab(copied(tmp_path_factory.mktemp("lab"))) as address:
        yield address


def test_the_lab_opens_at_the_tour_with_the_repository_beside_it(lab):
    with browser_page() as page:
        page.goto(lab.format(""))
        page.wait_for_selector(".jp-Notebook h1", timeout=60_000)
        assert "Does a stop on the way help?" in page.inner_text(".jp-Notebook h1")
        page.locator(".jp-BreadCrumbs-home").click()
        for folder in ("params", "results"):
            page.locator(".jp-DirListing-itemText", has_text=folder).wait_for()
