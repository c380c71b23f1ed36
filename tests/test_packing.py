"""What is kept comes back as it was, by value and by type, and what would not is refused."""

import numpy as np
import pandas as pd
import pytest

from intertask.packing import ALIGNED, pack, unpack


def back(value):
    header, buffers = pack(value)
    return unpack(header, memoryview(b"".join(bytes(one) + bytes(-one.nbytes % ALIGNED) for one in buffers)))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "é\ud800",
        True,
        2**80,
        0.1,
        float("inf"),
        [1, [2.5, None], {"a": "b"}],
        (["no", "yes"], {"train": 1}),
        {"a": (1.0, 2.0), 3: None, ("b", 1): []},
        [],
        {},
    ],
    ids=repr,
)
def test_a_plain_value_keeps_its_type(value):
    assert repr(back(value)) == repr(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int32).reshape(2, 3).T,
        np.zeros((0, 2), np.float32),
        np.array(7, np.uint64),
        np.array(["2020-01-01"], "M8[ns]"),
        np.array([True, False]),
        np.array([[1, "a"], [None, [2]]], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_keeps_its_type_and_shape(array):
    found = back({"x": array})["x"]
    assert found.dtype == array.dtype and found.shape == array.shape and found.tolist() == array.tolist()
    assert type(back(np.int64(3))) is np.int64


def test_a_frame_keeps_cells_names_and_index():
    cells = {
        "text": pd.Series(["one", None, "drei"], dtype="str"),
        "number": [1.5, float("nan"), -0.0],
        "choices": [["a", "b"], ["c", "d"], ["e", "f"]],
        "spans": [np.zeros((1, 2), np.int32), np.ones((0, 2), np.int32), np.full((2, 2), 7, np.int32)],
        "anything": pd.Series([None, {"a": np.array([1])}, float("nan")], dtype=object),
    }
    frame = pd.DataFrame(cells)
    frame.index = pd.MultiIndex.from_tuples([("f", 1), ("f", 2), ("g", 1)], names=["file", "row"])
    for one in (frame, frame.reset_index(drop=True), frame.iloc[:0], frame.set_axis(range(5), axis="columns")):
        found = back(one)
        pd.testing.assert_frame_equal(found, one, check_index_type="exact")
        assert [type(cell) for cell in found.to_numpy().ravel()] == [type(cell) for cell in one.to_numpy().ravel()]


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        pd.DataFrame({"x": pd.Categorical(["a"])}),
        np.zeros(1, [("a", "i4")]),
        pd.DataFrame({"x": [pd.Timestamp(0)]}, dtype=object),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_is_refused(value):
    with pytest.raises(TypeError, match="to keep, found"):
        pack([value])
