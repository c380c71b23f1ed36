"""What all figures share: ink, and text and numbers as they are printed."""

import base64
import io
import re
import textwrap
from html import escape

BREAKS = re.compile(r"(\s+)|(?<=\w-)|(?=\[)|(?<==)")
AXIS = 21  # characters of a line in an axis label: as long as [shuffle_labels=true]
LEAST = 10  # points that an axis of scores spans: one example more or less does not fill it
INK, FAINT, ALERT = "#222222", "#767676", "#c44601"


def text(name: str, width: int = 60) -> str:
    """A name as matplotlib shows it literally (a `$` in it starts no formula), in lines of `width` characters, broken
    where words end and around the settings of `task[setting=value]`."""
    wrapper = textwrap.TextWrapper(width, break_on_hyphens=False)
    wrapper.wordsep_simple_re = BREAKS
    return wrapper.fill(str(name)).replace("$", r"\$")


def signed(points: float) -> str:
    """A difference with its sign, to .1 point, to .01 where that would round to zero and hide the side it is on."""
    return f"{points:+.1f}" if abs(points) >= 0.05 else f"{points:+.2f}" if abs(points) >= 0.005 else "0.0"


def with_room(ax):
    """The ax, its vertical axis of scores widened to LEAST points where they differ by less."""
    low, high = ax.get_ylim()
    room = max(0, LEAST - (high - low)) / 2
    ax.set_ylim(low - room, high + room)
    return ax


def drawn(figure, form: str) -> bytes:
    """A figure of matplotlib as a file of the form `svg`, `pdf` or `png`."""
    held = io.BytesIO()
    figure.savefig(held, format=form, bbox_inches="tight")
    return held.getvalue()


def themed_svg(figure, words: str) -> str:
    """A figure as HTML with the theme's ink on the theme's ground, for who cannot see it in `words`."""
    for part in (figure, *figure.axes):
        part.patch.set_visible(False)
    svg = drawn(figure, "svg").decode().replace(INK, "currentColor")
    style = "color: var(--jp-ui-font-color1)"
    return f'<div role="img" aria-label="{escape(words)}" style="{style}">{svg[svg.index("<svg") :]}</div>'


def png_text(figure) -> str:
    return base64.b64encode(drawn(figure, "png")).decode()
