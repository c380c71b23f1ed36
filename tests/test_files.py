"""What the library asks of the machine, what it writes for spreadsheets, and where short-lived files lie."""

import csv
import io
import multiprocessing
import os
import signal
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from intertask import files
from intertask.execution.here import Here
from intertask.execution.schedule import workers_for
from intertask.files import csv_text, private_folder, processors, writing


def test_where_a_process_is_bound_to_no_processors_all_are_counted(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processors() == 6 and workers_for(9, threads=2) in (1, 3)  # one where there is a GPU
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.csv"

    def killed():
        with writing(path) as stream:
            stream.write("half")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context("fork").Process(target=killed)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL and not path.exists()
    (left,) = tmp_path.iterdir()  # which no listing shows
    assert left.name.startswith(".out.csv.")
    left.unlink()
    with pytest.raises(ZeroDivisionError), writing(path) as stream:
        stream.write("half")
        1 / 0  # noqa: B018
    assert not list(tmp_path.iterdir())
    with writing(path) as stream:
        stream.write("who")
        stream.write("le")
    assert [path.read_text()] == [one.read_text() for one in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-x", "@sum", "\tx", "\rx", "- 5"])
def test_no_cell_of_a_csv_is_a_formula(cell):
    frame = pd.DataFrame({cell: [cell, "a=b"], "n": [-1.5, 2]}, index=pd.Index([cell, "i"], name="@index"))
    rows = list(csv.reader(io.StringIO(csv_text(frame), newline="")))
    assert rows == [["'@index", f"'{cell}", "n"], [f"'{cell}", f"'{cell}", "-1.5"], ["i", "a=b", "2.0"]]


@pytest.mark.parametrize("number", ["-1", "+2.5", "-1e-05", "-inf"])
def test_numbers_of_a_csv_stay(number):
    assert csv_text(pd.DataFrame({"label": [number]}), index=False) == f"label\n{number}\n"


@pytest.fixture
def temporary(monkeypatch):
    """A function that makes a folder the one for short-lived files, and a short place beside it the only other."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        short = Path(folder)
        monkeypatch.setattr(files, "OTHER_PLACES", (str(short),))

        def use(place: Path) -> Path:
            place.mkdir(parents=True, exist_ok=True)
            monkeypatch.setattr(tempfile, "tempdir", str(place))
            return short

        yield use


def test_a_private_folder_is_its_users_alone_and_goes_with_its_block(temporary, tmp_path):
    short = temporary(tmp_path / "unused")
    own = short / "own"
    temporary(own)
    with private_folder() as folder:
        assert (
            folder.parent == own
            and folder.stat().st_mode & 0o777 == 0o700
            and [path.name for path in folder.iterdir()] == [files.HELD]
        )
        (folder / "left").touch()
    assert not list(own.iterdir())


def test_a_long_place_is_passed_over(temporary, tmp_path):
    short = temporary(tmp_path / ("x" * 100))
    with private_folder() as folder:
        assert folder.parent == short


def test_a_full_place_is_passed_over_and_with_no_other_refused(temporary, tmp_path, monkeypatch, refused):
    short = temporary(tmp_path / "unused")
    full = short / "full"
    temporary(full)
    write_bytes = Path.write_bytes

    def nearly_full(path, content):
        if full in path.parents:
            raise OSError("no space left")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", nearly_full)
    with private_folder() as folder:
        assert folder.parent == short
    monkeypatch.setattr(files, "OTHER_PLACES", ())
    refused(lambda: private_folder().__enter__(), "TMPDIR: expected a folder to write to", str(full), "free some space")
    assert not list(full.iterdir())


@pytest.fixture
def left(temporary, tmp_path) -> Path:
    """What a killed process left of its private folder; beside it lies a folder that only looks like one."""
    own = temporary(tmp_path / "unused") / "own"
    temporary(own)
    process = multiprocessing.get_context("fork").Process(target=_killed_within)
    process.start()
    process.join(60)
    (own / "intertask-baseline").mkdir()
    (folder,) = [path for path in own.iterdir() if (path / "left").exists()]
    assert process.exitcode == 9
    return folder


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_stays(left):
    with private_folder() as folder, private_folder():
        assert folder.is_dir() and not left.exists()
    assert [path.name for path in left.parent.iterdir()] == ["intertask-baseline"]


def test_a_driver_with_nothing_to_do_removes_it_too(left):
    with Here(workers=1):
        assert left.exists()
    assert [path.name for path in left.parent.iterdir()] == ["intertask-baseline"]


def _killed_within() -> None:
    with private_folder() as folder:
        (folder / "left").touch()
        os._exit(9)
