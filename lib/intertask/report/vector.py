"""Figures as vectors in a page: nothing in them acts, and their cells say under the pointer what they hold."""

import html
import re

import nh3

from intertask.views.matrix import TITLE

TAGS = {"svg", "g", "defs", "path", "use", "clipPath", "pattern", "rect", "image", "title"}
"""What matplotlib draws with."""

ATTRIBUTES = {"svg": {"viewBox"}, "path": {"d"}, "use": {"href"}, "image": {"href"}, "pattern": {"patternUnits"}}
ATTRIBUTES |= {"*": {"id", "x", "y", "width", "height", "transform", "clip-path", "style"}}


def inline_svg(drawn: str, alt: str) -> str:
    """A figure as an element of a page, without anything that acts or loads; alt: its text. Empty without a path.

    A group whose name (matplotlib: gid) begins with `views.matrix.TITLE` gets the rest for its title. All other names
    of groups, which the figures of one page would share, are left out.
    """
    svg = nh3.clean(drawn, tags=TAGS, attributes=ATTRIBUTES, attribute_filter=_within, url_schemes={"data"})
    found = re.search("<svg.*<path.*</svg>", re.sub('<g id="([^"]*)">', _group, svg), re.DOTALL)
    named = f'<svg role="img" aria-label="{html.escape(alt or "Figure without a description")}"'
    return found[0].replace("<svg", named, 1) if found else ""


def _within(tag: str, attribute: str, value: str) -> str | None:
    """The value of an attribute that names nothing but what lies in the figure itself."""
    if attribute == "href":
        return value if value.startswith("data:image/png;base64," if tag == "image" else "#") else None
    return None if re.search(r"url\((?!['\"]?#)", value) else value


def _group(start: re.Match) -> str:
    name = html.unescape(start[1])
    title = name.removeprefix(TITLE)
    return f"<g><title>{html.escape(title)}</title>" if title != name else "<g>"
