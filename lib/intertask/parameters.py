"""The contract of a notebook's parameters cell: papermill only warns of what it does not know; here it is an error."""

import ast
import builtins
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from intertask.errors import IntertaskError, did_you_mean

PLAIN = str | int | float | bool | list | dict | None


def injected(namespace: dict[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """The values of the known parameters in a notebook's `globals()`, called in the cell after the parameters cell.

    The parameters cell comes before the imports, so on the first call every plain value in the namespace is a
    parameter, and an unknown name is refused. Later calls, in JupyterLab, see the notebook's other variables too.
    """
    known = list(known)
    if not namespace.get("_parameters_checked"):
        names = [name for name, value in namespace.items() if isinstance(value, PLAIN) and name not in ("In", "Out")]
        refuse_unknown([name for name in names if not name.startswith("_")], known)
    namespace["_parameters_checked"] = True
    return {name: namespace[name] for name in known if name in namespace}


def check_parameters(namespace: dict[str, Any]) -> None:
    """Refuses a parameter that the notebook's parameters cell does not name, or whose value is of another type."""
    types = declared(namespace["In"])
    check_values(injected(namespace, types), types)


def check_values(values: Mapping[str, Any], types: Mapping[str, type]) -> None:
    """Refuses a value that no parameter is named by, or that is of another type than its parameter."""
    refuse_unknown(values, types)
    for name, value in values.items():
        if type(value) is not types[name]:
            raise IntertaskError(f"{name}: expected {types[name].__name__}, found {value!r}.")


def declared(cells: Iterable[str]) -> dict[str, type]:
    """The names and types of the parameters cell, the one that holds nothing but `name: type = value`.

    They are read in the text of the cells that were executed (IPython's `In`), since Python 3.14 keeps a module's
    annotations for each piece of code that it compiles, and IPython compiles every statement by itself: of a cell's
    annotations only the last would be left.
    """
    for cell in reversed(list(cells)):
        with suppress(SyntaxError):  # tried and mended in JupyterLab
            lines = ast.parse(cell).body
            if lines and all(isinstance(line, ast.AnnAssign) for line in lines):
                return {line.target.id: getattr(builtins, line.annotation.id) for line in lines}
    raise IntertaskError("Expected a parameters cell before this one, found that none was executed. Run it first.")


def refuse_unknown(names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise IntertaskError(f"There is no parameter {name!r}.{did_you_mean(name, known)}")
