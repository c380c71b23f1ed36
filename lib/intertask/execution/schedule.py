"""How many runs there are at a time, in which order they start, and when the last of them will have ended."""

from graphlib import TopologicalSorter
from heapq import heapify, heappop, heappush

from intertask.files import processors
from intertask.origin import cards, devices


def longest_paths(parents: dict[str, list[str]], seconds: dict[str, float]) -> dict[str, float]:
    """Per run: its own seconds and those of the longest chain of runs that start from it; parents come first."""
    paths = dict(seconds)
    for run_id, needed in reversed(parents.items()):
        for parent in needed:
            if parent in parents:
                paths[parent] = max(paths[parent], seconds[parent] + paths[run_id])
    return paths


def time_left(
    parents: dict[str, list[str]], seconds: dict[str, float], running: dict[str, float], workers: int
) -> float:
    """Seconds until all runs have ended, where the most urgent one that can start goes to the next free worker.

    parents: of the runs that wait, parents first, each with its `seconds`; running: what those under way still need.
    """
    urgency = longest_paths(parents, {run_id: seconds[run_id] for run_id in parents})
    known = parents.keys() | running.keys()
    sorter = TopologicalSorter({run_id: known.intersection(parents.get(run_id, ())) for run_id in known})
    sorter.prepare()
    ready, ending, now = [], [(left, run_id) for run_id, left in running.items()], 0.0
    heapify(ending)
    while sorter:
        for run_id in sorter.get_ready():
            if run_id not in running:
                heappush(ready, (-urgency[run_id], run_id))
        while ready and len(ending) < workers:
            run_id = heappop(ready)[1]
            heappush(ending, (now + seconds[run_id], run_id))
        now, ended = heappop(ending)
        sorter.done(ended)
    return now


def workers_for(todo: int, threads: int, asked: int = 0, per_card: int = 1, device: str = "auto") -> int:
    """How many runs at a time: as many as the GPUs hold, at most; where there are none, those that were asked for, else
    as many as the processors carry at the study's threads per run. Never more than there are to do."""
    gpus = () if device == "cpu" else cards() or [one for one in devices() if one == "mps"]
    held = len(gpus) * per_card
    default = held or max(1, processors() // threads)
    return min(asked or default, held or asked or default, max(1, todo))
