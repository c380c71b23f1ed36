"""The catalogue as a table, and what of it is at hand without asking the network."""

import json
import shutil

import pandas as pd
import pytest
from huggingface_hub import constants

from intertask import hub
from intertask.tasks.catalogue import catalogue, find_entry
from intertask.tasks.schema import TaskEntry
from intertask.views.listing import at_hand, catalogue_line, catalogue_page, catalogue_table, search_catalogue, source
from intertask.views.overview import WIDTH

FIELDS = {"format": "classification", "inputs": ["text"], "label": "gold"}


@pytest.fixture(autouse=True)
def network(monkeypatch, tmp_path):
    """An empty cache of the Hub's; asking the Hub fails the test."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "_hub_answers", lambda *_: pytest.fail("the Hub was asked"))
    hub._download.cache_clear()


@pytest.fixture
def clone(tmp_path):
    """A clone of nyu-mll/glue with one of its configs."""
    folder = tmp_path / "mirror" / "nyu-mll" / "glue"
    (folder / "rte").mkdir(parents=True)
    files = [{"split": split, "path": f"rte/{split}.parquet"} for split in ("train", "validation")]
    (folder / "README.md").write_text(
        f"---\n{json.dumps({'configs': [{'config_name': 'rte', 'data_files': files}]})}\n---\n"
    )
    for split in ("train", "validation"):
        pd.DataFrame({"sentence1": ["a"]}).to_parquet(folder / "rte" / f"{split}.parquet")
    return folder


def test_the_table_has_a_row_for_every_task():
    table = catalogue_table()
    assert sorted(table["name"]) == sorted(catalogue())
    rte = table.set_index("name").loc["rte"]
    assert (rte.format, rte.train, rte.validation, rte.metrics) == ("classification", 2490, 277, "accuracy")
    assert rte.source == "Hub nyu-mll/glue, rte" and rte.licence and not rte.at_hand
    assert table.set_index("name").loc["mini/rte", ["source", "at_hand"]].tolist() == ["mini suite", True]
    assert pd.isna(table.set_index("name").loc["ax", "train"])
    assert set(catalogue_table("regression")["format"]) == {"regression"}


def test_what_the_mirror_holds_is_at_hand(clone, monkeypatch):
    monkeypatch.setenv("INTERTASK_HUB", str(clone.parents[1]))
    assert at_hand(find_entry("rte"))
    assert not at_hand(find_entry("cola")) and not at_hand(find_entry("boolq"))
    (clone / "rte" / "train.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert not at_hand(find_entry("rte"))


def test_what_the_cache_holds_is_at_hand(clone, tmp_path):
    assert not at_hand(find_entry("rte"))
    snapshots = tmp_path / "cache" / "datasets--nyu-mll--glue"
    (snapshots / "refs").mkdir(parents=True)
    (snapshots / "refs" / "main").write_text("0" * 40)
    shutil.copytree(clone, snapshots / "snapshots" / ("0" * 40))
    assert at_hand(find_entry("rte")) and not at_hand(find_entry("cola"))


def test_the_users_files_are_at_hand_when_they_are_there(tmp_path):
    files = {split: [str(tmp_path / f"{split}.csv")] for split in ("train", "validation")}
    entry = TaskEntry(name="own", files=files, **FIELDS)
    assert not at_hand(entry) and source(entry) == "files"
    for (path,) in files.values():
        with open(path, "w") as file:
            file.write("text,gold\n")
    assert at_hand(entry)


def test_the_page_fits_a_terminal_and_names_every_task():
    table = catalogue_table()
    lines = catalogue_page(table).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert {line.split()[0] for line in lines if line and line[0] != " "} >= set(catalogue())
    hands = table["at_hand"].sum()
    assert f"{len(table)} tasks, {hands} at hand." in catalogue_page(table)
    assert catalogue_page(table.head(0)).startswith("0 tasks, 0 at hand. ")


def test_a_search_takes_every_word_in_name_format_source_and_paper():
    table = catalogue_table()
    assert [*search_catalogue(table, "MINI rte")["name"]] == ["mini/rte"]
    assert {*search_catalogue(table, "warstadt")["name"]} == {"cola"}
    assert {*search_catalogue(table, form="regression")["name"]} == {"stsb", "mini/stsb", "mini/prices"}
    assert search_catalogue(table, "rte .*").empty and len(search_catalogue(table)) == len(table)
    assert search_catalogue(table, at_hand=True)["at_hand"].all()
    line = catalogue_line(next(search_catalogue(table, "mini/rte").itertuples()))
    assert line == "mini/rte · classification · 250 · at hand"
