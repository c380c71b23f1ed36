"""What all figures share: ink, and text and numbers as they are printed."""

import textwrap

AXIS = 18  # characters of a line in an axis label
INK, FAINT, ALERT = "#222222", "#767676", "#c44601"


def text(name: str, width: int = 60) -> str:
    """A name as matplotlib shows it literally (a `$` in it starts no formula), in lines of `width` characters."""
    return textwrap.fill(str(name), width).replace("$", r"\$")


def signed(points: float) -> str:
    """A difference with its sign, to .1 point, to .01 where that would round to zero and hide the side it is on."""
    return f"{points:+.1f}" if abs(points) >= 0.05 else f"{points:+.2f}" if abs(points) >= 0.005 else "0.0"
