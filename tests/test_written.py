"""The one reader of YAML: lines, keys, and what it does not take for something else."""

import pytest

from intertask.written import Strict, as_written, escaped, read_yaml


def read(folder, text: str):
    path = folder / "own.yaml"
    path.write_text(text)
    return read_yaml(path, "keys", "Begin.")


def test_every_key_and_item_has_its_line(tmp_path):
    written = read(tmp_path, "a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")
    assert written.content == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert written.lines == {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4, ("b", 1, "d"): 5}
    assert written.place("b", 1, "d").endswith("own.yaml, line 5")
    assert written.place("b", 1, "e").endswith("own.yaml, line 4"), "of a key that is not there, the one above"
    assert written.place("b", 0, "e").endswith("own.yaml, line 3") and written.place("e") == str(tmp_path / "own.yaml")
    alone = read(tmp_path, "b:\n  c: 2\n")
    assert alone.place("b", 0, "c").endswith("line 2"), "one value stands for a list of it"


def test_what_a_form_says_anew_stands_where_it_says_it(tmp_path):
    written = read(tmp_path, "a: [1, 2]\nb: 3\nmini:\n  a: [4]\n").with_form("mini")
    assert [written.place(*keys)[-6:] for keys in (("a",), ("a", 0), ("a", 1), ("b",))] == [
        "line 4", "line 4", "line 4", "line 2"
    ]  # fmt: skip


def test_aliases_and_merges_are_read_and_placed(tmp_path):
    written = read(tmp_path, "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: *a\n")
    assert written.content == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}
    assert written.lines[("b", "x")] == 1 and written.lines[("b", "y")] == 4


def test_a_merge_is_said_once(tmp_path, refused):
    refused(lambda: read(tmp_path, "a: &a {x: 1}\nb: {<<: *a,\n <<: *a}\n"), "line 3: expected each key once", "'<<'")


def test_plain_values_are_themselves(tmp_path):
    text = "a: [1, -2, 1_000, 0, 1.5, .5, 1.0e-5, yes, ~, '010', \"1:30\", 1e5]\n"
    assert read(tmp_path, text).content["a"] == [1, -2, 1000, 0, 1.5, 0.5, 1e-5, True, None, "010", "1:30", "1e5"]


def test_a_value_is_written_as_people_do(tmp_path):
    values = [3.0, 2e-5, 0.5, True, None, "balanced", "no", ["mini/qqp", {"task": "a", "limit": 2}], {"b": 5.0}]
    written = ["3", "2.0e-05", "0.5", "true", "null", "balanced", "'no'", "[mini/qqp, {task: a, limit: 2}]", "{b: 5}"]
    assert [as_written(one) for one in values] == written
    assert read(tmp_path, f"a: {as_written(values)}\n").content["a"] == values


def test_a_mark_of_utf_8_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "own.yaml").write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\n")
    assert read_yaml(tmp_path / "own.yaml", "keys", "Begin.").content == {"a": "é"}


class Numbers(Strict):
    whole: int = 0
    share: float | None = None
    names: list[int | str] = []
    flag: bool = False
    anything: dict = {}


@pytest.mark.parametrize(
    "fields", [{"whole": True}, {"share": False}, {"names": [1, True]}, {"anything": {"a": [True]}}]
)
def test_a_truth_value_is_no_number(fields, refused):
    refused(lambda: Numbers(**fields), "expected a number or text, found", "put quotes around it")


def test_a_truth_value_is_one_where_it_may_be():
    assert Numbers(flag=True, whole=1, names=["yes"]).flag is True


def test_what_would_steer_a_terminal_is_shown():
    assert escaped("a\x1b[31m\x07\r\x9b\u202e\n\té") == "a\\x1b[31m\\x07\\r\\x9b\\u202e\n\té"
