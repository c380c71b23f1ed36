"""The form without a browser: what it chooses, says, refuses and saves."""

import asyncio
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from intertask.errors import IntertaskError
from intertask.lab.explore import KINDS, explore
from made_notebook import execute_notebook
from made_store import make_store

GAINS = {"mini/mnli": 2, "mini/mnli[shuffle_labels=true]": -1, None: 0}


@pytest.fixture
def results(monkeypatch, tmp_path):
    folder = tmp_path / "found"
    for name in ("again", "demo"):  # of the same runs
        make_store(folder, lambda target, task, seed: 60 + GAINS[task] * (seed + 1), name=name)
    monkeypatch.setenv("INTERTASK_RESULTS", str(folder))
    return folder


def test_what_is_seen_is_kept_as_a_picture_and_a_table_and_can_be_saved(results):
    seen = explore("demo")
    bundle = seen._repr_mimebundle_()
    assert {"image/png", "text/html", "application/vnd.jupyter.widget-view+json"} <= bundle.keys()
    assert "mini/mnli[shuffle_labels=true]" in bundle["text/html"]
    files = {kind: seen.file(kind) for kind in KINDS}
    assert pd.read_csv(io.BytesIO(files["csv"]))["delta"].tolist() == [6, -3, 6, -3]
    assert files["pdf"].startswith(b"%PDF") and files["png"].startswith(b"\x89PNG")
    assert ElementTree.fromstring(files["svg"]).tag.endswith("svg")
    assert rb"\toprule" in files["tex"] and b"6.00" in files["tex"]


def test_the_code_that_it_says_draws_what_is_seen(results):
    seen = explore("demo")
    seen.form["controls"].value = False
    seen.form["second"].value = "again"
    again = {}
    exec(seen.code.value.replace("\nexplore(", "\nshown = explore("), again)
    pd.testing.assert_frame_equal(again["shown"].table(), seen.table())
    assert again["shown"].table()["of"].iloc[-1] == "first minus second"


def test_a_choice_that_another_thread_brings_while_one_is_drawn_is_not_lost(results, monkeypatch):
    async def chosen_while_drawing() -> tuple[int, int]:
        seen, between = explore("demo"), []
        beside = seen.form["second"].options.index("again")
        message = {"content": {"data": {"method": "update", "state": {"index": beside}, "buffer_paths": []}}}
        draw = seen.draw

        def slow() -> None:
            with ThreadPoolExecutor(1) as other:
                other.submit(seen.form["second"].comm.handle_msg, message | {"buffers": []}).result()
            monkeypatch.setattr(seen, "draw", draw)
            draw()
            between.append(len(seen.matrices))

        monkeypatch.setattr(seen, "draw", slow)
        seen.form["controls"].value = False
        await asyncio.sleep(0)
        return between[0], len(seen.matrices)

    assert asyncio.run(chosen_while_drawing()) == (1, 3)


def test_a_choice_that_is_not_there_is_refused_with_what_is(results):
    with pytest.raises(IntertaskError, match="encoder: expected one of mini/bert; found 'bert'"):
        explore("demo", encoder="bert")
    with pytest.raises(IntertaskError, match="No study 'dem'"):
        explore("dem")


def test_a_study_that_goes_or_grows_is_said_and_read_anew(results):
    seen = explore("demo")
    shutil.move(results / "demo", results.parent / "away")
    seen.again.click()
    assert "No study" in seen.message.value and seen.table() is None and seen.picture() is None
    shutil.move(results.parent / "away", results / "demo")
    make_store(results, lambda target, task, seed: 60 + GAINS[task] * (seed + 1), seeds=6)
    seen.again.click()
    assert seen.message.value == "" and set(seen.table()["n"]) == {6}


def test_scores_without_seeds_one_row_and_none(results, tmp_path):
    lines = ["encoder,regime,supporting,target,score", "bert,single,,rte,60", "bert,stilts,mnli,rte,66.5"]
    (results / "printed.csv").write_text("\n".join(lines) + "\n")
    (results / "alone.csv").write_text("\n".join(lines[:2]) + "\n")
    seen = explore("printed")
    assert seen.table()["delta"].tolist() == ["6.50"] and "no interval" in seen.maps[0].matrix["cells"][0]["said"]
    seen.maps[0].selected = ["mnli", "rte"]
    assert "predictions" in seen.below.children[-1].outputs[0]["data"]["text/html"]
    with pytest.raises(IntertaskError, match="no matrix to explore"):
        explore("alone")


def test_executed_by_papermill_the_notebook_keeps_a_picture_and_a_table(results, tmp_path):
    notebook = Path(__file__).parents[2] / "notebooks" / "explore.ipynb"
    execute_notebook(notebook, tmp_path / "executed.ipynb", {"study": "demo", "order": "clustered"})
    cells = json.loads((tmp_path / "executed.ipynb").read_text())["cells"]
    outputs = [output for one in cells for output in one.get("outputs", []) if "data" in output]
    assert {"image/png", "text/html"} <= outputs[-1]["data"].keys()
