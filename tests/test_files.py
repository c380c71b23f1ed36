"""What the library asks of the machine, and what it writes for spreadsheets."""

import csv
import io
import os

import pandas as pd
import pytest

from intertask.cli import _default_workers
from intertask.files import csv_text, processors


def test_where_a_process_is_bound_to_no_processors_all_are_counted(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processors() == 6 and _default_workers(2) in (1, 3)  # one where there is a GPU
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-x", "@sum", "\tx", "\rx", "- 5"])
def test_no_cell_of_a_csv_is_a_formula(cell):
    frame = pd.DataFrame({cell: [cell, "a=b"], "n": [-1.5, 2]}, index=pd.Index([cell, "i"], name="@index"))
    rows = list(csv.reader(io.StringIO(csv_text(frame), newline="")))
    assert rows == [["'@index", f"'{cell}", "n"], [f"'{cell}", f"'{cell}", "-1.5"], ["i", "a=b", "2.0"]]


@pytest.mark.parametrize("number", ["-1", "+2.5", "-1e-05", "-inf"])
def test_numbers_of_a_csv_stay(number):
    assert csv_text(pd.DataFrame({"label": [number]}), index=False) == f"label\n{number}\n"
