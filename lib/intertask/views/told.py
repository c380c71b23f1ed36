"""Text as HTML that shows it as it is."""

from html import escape

from intertask.written import escaped

WRAPPED = "white-space: pre-wrap; overflow-wrap: anywhere; word-break: normal; margin: 0; padding: 4px 8px; "
WRAPPED += "line-height: 1.35; font-family: var(--jp-code-font-family, monospace); color: var(--jp-ui-font-color1)"
BAR = "border-left: 4px solid var(--jp-error-color1, #b00)"


def told(text: str, sound: bool = True) -> str:
    """HTML that shows a text as it is, whatever it holds, and that a reader of screens says when it changes; a refusal
    is told by a word and a bar, not by colour alone."""
    bar, word = ("", "") if sound else (BAR, '<b style="padding-left: 8px">Refused</b>')
    return f'<div role="status" style="{bar}">{word}<pre style="{WRAPPED}">{escape(escaped(text))}</pre></div>'


def image(png: str, words: str) -> str:
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{png}">'


def head(text: str) -> str:
    return f"<h4>{escape(text)}</h4>"


def paragraph(text: object) -> str:
    return f"<p>{escape(str(text))}</p>"
