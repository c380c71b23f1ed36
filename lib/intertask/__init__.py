"""Intertask: does training an encoder on another task first help it on the task you care about?"""

import sys

# jsonschema, by which Jupyter checks notebooks, would build a grammar of internet addresses that no notebook has: 2 s
sys.modules.setdefault("rfc3987_syntax", None)

__version__ = "0.1.0"

RESULT_VERSION = 7
"""Part of every run's identity: raised when a change of the library changes what a run gives."""
