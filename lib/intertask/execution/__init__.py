"""Execution: what is to do, the places where it is done, and the processes of a run."""
