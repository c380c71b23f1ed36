"""The one error that is meant for the user: it says what was expected, what was found and what to do."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class IntertaskError(Exception):
    """Something in the user's hands is wrong; the message is all they need, so it is shown without a traceback.

    at: the keys that lead to it in what was written, where they are known.
    """

    def __init__(self, message: str, at: tuple[str | int, ...] = ()):
        super().__init__(message)
        self.at = at

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it in a notebook."""
        return [str(self)]


class Stopped(IntertaskError):
    """A training ended because it was asked to; it failed at nothing."""


def refusal(where: object, expected: str, found: str, remedy: str, at: tuple[str | int, ...] = ()) -> IntertaskError:
    """An IntertaskError in the usual form; `where` names the file, with the row or key where there is one."""
    return IntertaskError(f"{where}: expected {expected}, found {found}. {remedy.strip()}", at)


def error_words(error: Exception) -> str:
    """What a person is told of an error where no traceback is shown."""
    if isinstance(error, IntertaskError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}. This is a fault of Intertask's own."


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """The hint " Did you mean 'x'?" where a choice is close to `name`, else " Choices: a, b, c."; "" without any."""
    named = list(dict.fromkeys(choices))
    return nearest(name, named) or (f" Choices: {', '.join(named)}." if named else "")


def nearest(name: str, choices: Iterable[str]) -> str:
    """The hint " Did you mean 'x'?" where a choice is close to `name`, capitals aside, else ""."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f" Did you mean '{by_lower[close[0]]}'?" if close else ""


def number_of(number: int, one: str, more: str = "") -> str:
    """A number of things, as "1 run" or "2 runs left"."""
    return f"{number} {one if number == 1 else re.sub(r'(?<![aeo])y$', 'ie', one) + 's'} {more}".rstrip()


def unreadable(path: Path, error: OSError) -> IntertaskError:
    """The refusal of a data file that cannot be opened, with the one of its folder that may be meant."""
    remedy = "Check the path." + nearest(path.name, [one.name for one in path.parent.glob("*")])
    return refusal(path, "a readable data file", error.strerror, remedy)


def row_name(place: tuple[str, int]) -> str:
    """A place in the index of a raw frame, as "file, row n"."""
    return f"{place[0]}, row {place[1]}"
