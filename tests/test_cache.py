"""What many runs share is made once; a cache that is missing, broken or read-only costs time and nothing else."""

import mmap
import multiprocessing
import os
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from intertask import cache
from intertask.cache import remembered
from made_study import HANGING

pytestmark = pytest.mark.usefixtures("empty_cache")


PROCESSES = multiprocessing.get_context("fork")


class Maker:
    """Counts how often it was asked."""

    def __init__(self, value):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return self.value


def test_it_is_made_once_for_equal_inputs_and_anew_for_others():
    make = Maker({"a": 1})
    assert remembered("test", ["x", 1], make) == remembered("test", ["x", 1], make) == {"a": 1}
    assert make.calls == 1
    remembered("test", ["x", 2], make)
    remembered("other", ["x", 1], make)
    assert make.calls == 3


def test_no_half_file_is_left_and_a_broken_one_is_made_again():
    make = Maker("value")
    remembered("test", "x", make)
    (file,) = (cache.cache_folder() / "test").iterdir()
    for broken in (b"", file.read_bytes()[:-3], b"not one of ours", pickle.dumps("value")):
        file.write_bytes(broken)
        assert remembered("test", "x", make) == "value"
    assert make.calls == 5 and list((cache.cache_folder() / "test").iterdir()) == [file]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    make = Maker("value")
    assert remembered("test", "x", make) == remembered("test", "x", make) == "value"
    assert make.calls == 2


def test_a_write_that_fails_leaves_nothing_behind(monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(cache.os, "replace", full)
    assert remembered("test", "x", Maker("value")) == "value"
    assert not list((cache.cache_folder() / "test").iterdir())


def large() -> dict:
    """An array and a column of text that are parts of their file by themselves, and a small array that is not."""
    texts = pd.Series([f"text {i} é" for i in range(20_000)], dtype="str")
    return {"ids": np.arange(100_000, dtype=np.int32), "frame": texts.to_frame("text"), "few": np.arange(3)}


def mapped(array: np.ndarray) -> bool:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, memoryview) and isinstance(array.base.obj, mmap.mmap)


def test_large_arrays_and_texts_are_mapped_and_nobodys_writing_reaches_the_file():
    make = Maker(large())
    remembered("test", "x", make)
    kept = remembered("test", "x", make)
    assert mapped(kept["ids"]) and not mapped(kept["few"]) and kept["few"].tolist() == [0, 1, 2]
    kept["ids"][:] = -1
    again = remembered("test", "x", make)
    assert make.calls == 1 and np.array_equal(again["ids"], make.value["ids"])
    pd.testing.assert_frame_equal(again["frame"], make.value["frame"])


@pytest.mark.parametrize("kept", [0, 20, 5000, -64, -1])
def test_a_file_that_is_cut_short_is_made_anew(kept):
    make = Maker(large())
    remembered("test", "x", make)
    (file,) = (cache.cache_folder() / "test").iterdir()
    file.write_bytes(file.read_bytes()[:kept])
    for calls in (2, 2):
        assert np.array_equal(remembered("test", "x", make)["ids"], make.value["ids"])
        assert make.calls == calls


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.9999, 1.0])
def test_a_flipped_bit_anywhere_is_noticed(share):
    make = Maker(large())
    remembered("test", "x", make)
    (file,) = (cache.cache_folder() / "test").iterdir()
    content = bytearray(file.read_bytes())
    content[int(share * (len(content) - 1))] ^= 1
    file.write_bytes(content)
    assert np.array_equal(remembered("test", "x", make)["ids"], make.value["ids"]) and make.calls == 2


def test_a_file_under_the_name_of_another_is_made_anew():
    remembered("test", "x", Maker("x"))
    (file,) = (cache.cache_folder() / "test").iterdir()
    make = Maker("y")
    remembered("test", "y", make)
    (other,) = set((cache.cache_folder() / "test").iterdir()) - {file}
    other.write_bytes(file.read_bytes())
    assert remembered("test", "y", make) == "y" and make.calls == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("place", ["", "test"])
def test_nothing_is_read_or_written_in_the_folder_of_another_user(place):
    remembered("test", "x", Maker("value"))
    os.chown(cache.cache_folder() / place, 12345, 12345)
    make = Maker("value")
    assert remembered("test", "x", make) == remembered("test", "y", make) == "value" and make.calls == 2
    assert len(list((cache.cache_folder() / "test").iterdir())) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_the_file_of_another_user_is_not_read():
    make = Maker("value")
    remembered("test", "x", make)
    (file,) = (cache.cache_folder() / "test").iterdir()
    os.chown(file, 12345, 12345)
    assert remembered("test", "x", make) == "value" and make.calls == 2


def test_what_cannot_be_kept_as_it_is_is_refused():
    with pytest.raises(TypeError, match="expected plain values, arrays and frames to keep, found Maker"):
        remembered("test", "x", lambda: {"a": [Maker(1)]})


def nobody_known() -> None:
    for name in ("HOME", "INTERTASK_CACHE", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    os.setuid(54321)
    assert cache.cache_folder() is None and remembered("test", "x", lambda: 1) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_user_whom_the_machine_does_not_know_does_without():
    remembered("test", "x", Maker(1))  # with all that is imported on the way
    process = PROCESSES.Process(target=nobody_known)
    process.start()
    process.join(HANGING)
    assert process.exitcode == 0


def test_files_are_as_the_umask_says():
    before = os.umask(0o027)
    try:
        remembered("test", "x", Maker("value"))
    finally:
        os.umask(before)
    (file,) = (cache.cache_folder() / "test").iterdir()
    assert file.stat().st_mode & 0o777 == 0o640 and file.parent.stat().st_mode & 0o777 == 0o750


def test_where_there_is_no_more_room_the_longest_unused_gives_way(monkeypatch):
    files = {}
    for place, name in enumerate("abc"):
        remembered("test", name, Maker(name))
        (files[name],) = set((cache.cache_folder() / "test").iterdir()) - {*files.values()}
        os.utime(files[name], (place, place))
    size = files["a"].stat().st_size
    monkeypatch.setattr(cache, "MOST", 3 * size)
    remembered("test", "a", Maker("a"))  # which makes it the youngest
    remembered("test", "d", Maker("d"), size=size)
    assert [name for name, file in files.items() if file.exists()] == ["a", "c"]
    assert remembered("other", "e", Maker("e"), size=size) == "e" and files["c"].exists()  # each kind by itself


@pytest.mark.parametrize(("most", "free"), [(999, 10**9), (10**9, 1999)])
def test_what_is_larger_than_the_room_is_made_every_time_and_nothing_gives_way(monkeypatch, most, free):
    remembered("test", "x", Maker("x"))
    free -= sum(file.stat().st_size for file in (cache.cache_folder() / "test").iterdir())
    monkeypatch.setattr(cache, "MOST", most)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    make = Maker("large")
    for _ in range(2):
        remembered("test", "y", make, size=1000)
    assert make.calls == 2 and len(list((cache.cache_folder() / "test").iterdir())) == 1
    remembered("test", "y", make, size=999), remembered("test", "y", make, size=999)
    assert make.calls == 3


def slowly(began, go, made):
    """In a process of its own: asks for what takes until `go`, and says so in `made` if it has to make it."""

    def make():
        made.put(os.getpid())
        began.set()
        go.wait(HANGING)
        return large()

    began.set()
    value = remembered("test", "slow", make)
    assert np.array_equal(value["ids"], large()["ids"])


def start(go, made):
    began = PROCESSES.Event()
    process = PROCESSES.Process(target=slowly, args=(began, go, made))
    process.start()
    assert began.wait(HANGING)
    return process


def test_of_two_processes_at_once_one_makes_it_and_both_have_it():
    go, made = PROCESSES.Event(), PROCESSES.Queue()
    both = [start(go, made), start(go, made)]
    first = made.get(timeout=HANGING)
    go.set()
    for process in both:
        process.join(HANGING)
        assert process.exitcode == 0
    assert made.empty() and first in [process.pid for process in both]


def test_the_next_makes_it_where_one_died_over_it():
    never, go, made = PROCESSES.Event(), PROCESSES.Event(), PROCESSES.Queue()
    dead = start(never, made)
    assert made.get(timeout=HANGING) == dead.pid
    heir = start(go, made)
    dead.kill()
    assert made.get(timeout=HANGING) == heir.pid
    go.set()
    heir.join(HANGING)
    assert heir.exitcode == 0


def test_where_files_cannot_be_locked_it_is_made_all_the_same(monkeypatch):
    def refuse(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(cache.fcntl, "lockf", refuse)
    make = Maker("value")
    assert remembered("test", "x", make) == remembered("test", "x", make) == "value" and make.calls == 1


def test_the_users_cache_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("INTERTASK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "intertask"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(cache.cache_folder()) == "/home/someone/.cache/intertask"
