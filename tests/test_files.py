"""What the library asks of the machine."""

import os

from intertask.cli import _default_workers
from intertask.files import processors


def test_where_a_process_is_bound_to_no_processors_all_are_counted(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processors() == 6 and _default_workers(2) in (1, 3)  # one where there is a GPU
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1
