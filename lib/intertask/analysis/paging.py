"""Long tables in JupyterLab, in pages and searchable, by itables' DataTables; nothing is loaded from elsewhere."""

import gzip
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

PAGER = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
LIBRARY = """<script type="module">
const library = (window.intertaskPaging ??= Promise.withResolvers());
const unpacked = async (packed) =>
  new Response((await fetch("data:;base64," + packed)).body.pipeThrough(new DecompressionStream("gzip"))).text();
const address = URL.createObjectURL(new Blob([await unpacked("%s")], { type: "text/javascript" }));
const style = Object.assign(document.createElement("style"), { textContent: await unpacked("%s") });
document.head.append(style);
const module = await import(address);
module.set_or_remove_dark_class();
library.resolve(module);
</script>"""


def paged(table: str) -> str:
    """A folded table of `tables.as_html` and, where Jupyter runs the notebook, the script that unfolds it in pages.

    What papermill executes stays folded: whoever opens it has not trusted it, and no script of it would run.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        return table
    return f"{table}<script>{PAGER}</script>{next(_library)}"


def _once() -> Iterator[str]:
    """The library, some 260 kB, with a kernel's first table alone: all tables of a notebook share it."""
    from itables.options import dt_bundle  # here, or every run would wait for it

    packed = [b64encode(gzip.compress(Path(dt_bundle).with_suffix(kind).read_bytes())) for kind in (".js", ".css")]
    yield LIBRARY % tuple(part.decode() for part in packed)
    while True:
        yield ""


_library = _once()
