"""In which order runs start, and when the last of them will have ended."""

from collections import defaultdict
from heapq import heapify, heappop, heappush


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
    needs, children = {}, defaultdict(list)
    for run_id, needed in parents.items():
        needs[run_id] = [parent for parent in needed if parent in parents or parent in running]
        for parent in needs[run_id]:
            children[parent].append(run_id)
    ready = [(-urgency[run_id], run_id) for run_id, needed in needs.items() if not needed]
    ending, now = [(left, run_id) for run_id, left in running.items()], 0.0
    heapify(ready)
    heapify(ending)
    while ready or ending:
        while ready and len(ending) < workers:
            run_id = heappop(ready)[1]
            heappush(ending, (now + seconds[run_id], run_id))
        now, ended = heappop(ending)
        for child in children[ended]:
            needs[child].remove(ended)
            if not needs[child]:
                heappush(ready, (-urgency[child], child))
    return now
