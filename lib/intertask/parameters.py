"""The contract of a notebook's parameters cell: papermill only warns of what it does not know; here it is an error."""

from collections.abc import Iterable
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


def check_parameters(namespace: dict[str, Any], **types: type) -> None:
    """Refuses a parameter that the notebook does not know, or whose value is not of the type given for it."""
    for name, value in injected(namespace, types).items():
        if type(value) is not types[name]:
            raise IntertaskError(f"{name}: expected {types[name].__name__}, found {value!r}.")


def refuse_unknown(names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise IntertaskError(f"There is no parameter {name!r}.{did_you_mean(name, known)}")
