"""Intertask: does training an encoder on another task first help it on the task you care about?"""

__version__ = "0.1.0"

RESULT_VERSION = 6
"""Part of every run's identity: raised when a change of the library changes what a run gives."""
