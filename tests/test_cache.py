"""What many runs share is made once; a cache that is missing, broken or read-only costs time and nothing else."""

import pytest

from intertask import cache
from intertask.cache import remembered


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERTASK_CACHE", str(tmp_path / "cache"))


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
    (file,) = (cache.folder() / "test").iterdir()
    for broken in (b"", file.read_bytes()[:-3], b"not a pickle"):
        file.write_bytes(broken)
        assert remembered("test", "x", make) == "value"
    assert make.calls == 4 and list((cache.folder() / "test").iterdir()) == [file]


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
    assert not list((cache.folder() / "test").iterdir())


def test_the_users_cache_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("INTERTASK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "intertask"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(cache.folder()) == "/home/someone/.cache/intertask"
