"""Values as JSON and buffers, and back: plain values, arrays and frames, and nothing that could run code when read."""

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported where a value needs them: the catalogue is read without pandas
    import numpy as np
    import pandas as pd

ALIGNED = 64
"""Bytes that each buffer begins at a multiple of, as Arrow wants it."""

COPIED = 2**16
"""Bytes below which a buffer is copied: larger ones stay where they are, and keep the whole file mapped."""


def pack(value: Any) -> tuple[bytes, list[memoryview]]:
    """A header and the buffers that it counts.

    value: None, texts, numbers, lists, tuples and dicts of such, numpy arrays, and frames of pandas whose columns are
    numbers, texts or objects of these kinds. Raises TypeError on anything else, and on what would not come back as it
    was.
    """
    buffers: list[memoryview] = []
    tree = _packed(value, buffers)
    return json.dumps([[buffer.nbytes for buffer in buffers], tree]).encode(), buffers


def unpack(header: bytes, buffers: memoryview) -> Any:
    """The value of which `pack` gave the header, and its buffers, padded to ALIGNED, one behind another."""
    sizes, tree = json.loads(header)
    parts, first = [], 0
    for size in sizes:
        part = buffers[first : first + size]
        parts.append(part if size >= COPIED else memoryview(bytearray(part)))
        first += size + -size % ALIGNED
    return _unpacked(tree, parts)


def _packed(value: Any, buffers: list[memoryview]) -> Any:
    """A scalar, or [kind, …]."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | dict) and _plain(value):
        return ["plain", value]
    import numpy as np
    import pandas as pd

    if type(value) in (list, tuple):
        return [type(value).__name__, [_packed(item, buffers) for item in value]]
    if type(value) is dict:
        return ["dict", [[_packed(part, buffers) for part in item] for item in value.items()]]
    if isinstance(value, pd.DataFrame):
        columns = [_packed_column(value.iloc[:, place], buffers) for place in range(value.shape[1])]
        return ["frame", _packed_index(value.index, buffers), _packed_index(value.columns, buffers), columns]
    if isinstance(value, np.generic):
        return ["scalar", _packed(np.asarray(value), buffers)]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return ["objects", value.shape, _packed_cells(value.ravel(), buffers)]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject and value.dtype.fields is None:
        buffers.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return ["array", value.dtype.str, value.shape, len(buffers) - 1]
    raise TypeError(f"expected plain values, arrays and frames to keep, found {type(value).__name__}: {value!r:.80}")


def _plain(value: list | dict) -> bool:
    """Whether JSON gives the same back: no array is in it, no tuple, and no key that is not text."""
    try:
        return json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError):
        return False


def _packed_column(column: "pd.Series | pd.Index", buffers: list[memoryview]) -> list:
    import numpy as np
    import pandas as pd
    import pyarrow

    if isinstance(column.dtype, pd.StringDtype):
        table = pyarrow.table({"text": pyarrow.array(column.array, pyarrow.large_string())})
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        buffers.append(memoryview(sink.getvalue()))
        return ["text", str(column.dtype), len(buffers) - 1]
    if not isinstance(column.dtype, np.dtype):
        raise TypeError(f"expected columns of numbers, texts or objects to keep, found {column.dtype}")
    return _packed(column.to_numpy(), buffers)


def _packed_cells(cells: "np.ndarray", buffers: list[memoryview]) -> list:
    """A list; arrays of one type as one, with their shapes."""
    import numpy as np

    kinds = {(cell.dtype, cell.ndim) if isinstance(cell, np.ndarray) else None for cell in cells}
    if len(kinds) != 1 or None in kinds or cells[0].dtype.hasobject:
        return _packed(cells.tolist(), buffers)
    shapes, flat = np.array([cell.shape for cell in cells]), np.concatenate([cell.ravel() for cell in cells])
    return ["arrays", _packed(shapes, buffers), _packed(flat, buffers)]


def _packed_index(index: "pd.Index", buffers: list[memoryview]) -> list:
    import numpy as np
    import pandas as pd

    if isinstance(index, pd.MultiIndex):
        levels = [_packed_index(level, buffers) for level in index.levels]
        codes = [_packed(np.asarray(code), buffers) for code in index.codes]
        return ["levels", levels, codes, _packed(list(index.names), buffers)]
    if isinstance(index, pd.RangeIndex):
        return ["range", [index.start, index.stop, index.step], index.name]
    return ["index", _packed_column(index, buffers), _packed(index.name, buffers)]


def _unpacked(node: Any, parts: list[memoryview]) -> Any:
    """Raises ValueError on what another version has packed."""
    if not isinstance(node, list):
        return node
    if node[0] == "plain":
        return node[1]
    import numpy as np
    import pandas as pd

    match node:
        case ["list", items]:
            return [_unpacked(item, parts) for item in items]
        case ["tuple", items]:
            return tuple(_unpacked(item, parts) for item in items)
        case ["dict", items]:
            return {_unpacked(key, parts): _unpacked(value, parts) for key, value in items}
        case ["array", kind, shape, number]:
            return np.frombuffer(parts[number], kind).reshape(shape)
        case ["scalar", array]:
            return _unpacked(array, parts)[()]
        case ["objects", shape, items]:
            array = np.empty(math.prod(shape), dtype=object)
            for place, item in enumerate(_unpacked(items, parts)):  # one by one, or lists of one length would be rows
                array[place] = item
            return array.reshape(shape)
        case ["arrays", shapes, flat]:
            shapes = _unpacked(shapes, parts)
            cells = np.split(_unpacked(flat, parts), np.cumsum(shapes.prod(axis=1))[:-1])
            return [cell.reshape(shape) for cell, shape in zip(cells, shapes, strict=True)]
        case ["text", kind, number]:
            import pyarrow

            with pyarrow.ipc.open_stream(pyarrow.py_buffer(parts[number])) as stream:
                return pd.array(stream.read_all()["text"], dtype=kind)
        case ["frame", index, names, columns]:
            content = dict(enumerate(_unpacked(column, parts) for column in columns))
            frame = pd.DataFrame(content, index=_unpacked(index, parts), copy=False)
            return frame.set_axis(_unpacked(names, parts), axis="columns")
        case ["range", bounds, name]:
            return pd.RangeIndex(*bounds, name=name)
        case ["index", values, name]:
            values = _unpacked(values, parts)
            return pd.Index(values, dtype=values.dtype, name=_unpacked(name, parts))
        case ["levels", levels, codes, names]:
            levels, codes = ([_unpacked(part, parts) for part in given] for given in (levels, codes))
            return pd.MultiIndex(levels, codes, names=_unpacked(names, parts), verify_integrity=False)
    raise ValueError(f"nothing that is packed so: {node[0]}")
