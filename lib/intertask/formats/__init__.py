"""One file per format, and everything that is said of a format in it: see `base.Format`.

A new format is a new file here, with a class of the file's name. A user's own is any class derived from `Format` that
Python can import; an entry names it with its module, `format: my_lab.Ordinal`.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from intertask.errors import did_you_mean, refusal
from intertask.formats.base import Encoded, Format


def _of_name(module: str) -> type[Format] | None:
    found = vars(import_module(f"{__name__}.{module}")).values()
    forms = (form for form in found if isinstance(form, type) and issubclass(form, Format))
    return next((form for form in forms if form.__name__.lower() == module.replace("_", "")), None)


_NAMES = [module.name for module in iter_modules(__path__)]
FORMATS: dict[str, type[Format]] = {name: form for name in _NAMES if (form := _of_name(name))}
"""Name -> class of every format of the library."""


@cache
def find_format(name: str) -> type[Format]:
    """The class of the format `name`, of the library or, as module.Class, of the user's own."""
    module, _, own = name.rpartition(".")
    try:
        form = getattr(import_module(module), own) if module else FORMATS[name]
    except Exception as error:  # a module of the user's own may raise whatever there is
        found = f"'{name}'" + (f" ({error})" if module else "")
        remedy = did_you_mean(name, FORMATS) + " A format of your own is named as module.Class."
        raise refusal("Key 'format'", "the name of a format", found, remedy) from None
    if not (isinstance(form, type) and issubclass(form, Format)):
        expected = "the name of a format, a class derived from intertask.formats.Format"
        raise refusal("Key 'format'", expected, f"'{name}', which is none", "Derive it, or name another class.")
    return form


__all__ = ["FORMATS", "Encoded", "Format", "find_format"]
