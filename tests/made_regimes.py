"""Writes the files of a study that trains before, alongside and on all tasks, with scores given by the test."""

from itertools import combinations, permutations
from pathlib import Path

from made_runs import COMMON, scored, write_record
from made_store import run_id, write_failure, write_index

EPOCHS, BATCH = 3, 10


def _steps(tasks: dict) -> int:
    return sum(own["examples_seen"] for own in tasks.values()) // BATCH


def as_single(size: int) -> dict:
    """What a task of that many examples has seen after EPOCHS."""
    return {"sizes": {"train": size, "validation": 277}, "examples_seen": EPOCHS * size, "distinct_examples": size}


def write_mixture(results: Path, run: str, seed: int, scores: dict, seen: dict, steps: int | None = None) -> None:
    """A finished run on tasks: scores, 0-100, by task; `seen`: `as_single` by task.

    One score of None leaves the run undone, a string is the reason why it failed.
    """
    if reasons := [score for score in scores.values() if isinstance(score, str)]:
        write_failure(results, run, reasons[0])
    if reasons or None in scores.values():
        return
    tasks = {task: scored(score) | seen[task] for task, score in scores.items()}
    write_record(results, run, tasks, seed, steps or _steps(tasks))


def make_regimes(
    results: Path, score, sizes: dict[str, int], seen=None, variants=("proportional",), seeds: int = 3, name="regimes"
) -> None:
    """A study of regimes single, stilts, mtl and mtl_all, every task with every other.

    score(target, supporting or None or "all", variant or None, seed): the target's score, None for a run not done, or
    the reason why it failed; sizes: training examples by task. seen(target, supporting, variant): examples of the
    target and steps of the run in mtl (which both directions share), by default 3 epochs over both tasks.
    """
    roles = []
    single = {task: as_single(size) for task, size in sizes.items()}

    def add(regime, target, seed, run, stage="target", **role):
        of = {"stage": stage, "regime": regime, "target": target, "task": target, "seed": seed, "run": run}
        roles.append(COMMON | of | role)

    for seed in range(seeds):
        for task in sizes:
            write_mixture(results, run_id(task, seed), seed, {task: score(task, None, None, seed)}, single)
            add("single", task, seed, run_id(task, seed))
            supports = run_id(task, seed, "supporting")
            write_mixture(results, supports, seed, {task: 80.0}, single)
            role = {"stage": "intermediate", "task": task, "supporting": task, "seed": seed, "run": supports}
            roles.append(COMMON | role)
        for supporting, target in permutations(sizes, 2):
            parent = run_id(supporting, seed, "supporting")
            run = run_id(target, seed, parent)
            write_mixture(results, run, seed, {target: score(target, supporting, None, seed)}, single)
            before = {"supporting_run": parent, "supporting_seed": seed, "parents": [parent]}
            add("stilts", target, seed, run, supporting=supporting, **before)
        for variant in variants:
            for pair in combinations(sizes, 2):
                _write_pair(results, pair, variant, seed, score, single, seen)
                for target, supporting in (pair, pair[::-1]):
                    run = run_id(pair[0], seed, *pair, variant)
                    add("mtl", target, seed, run, supporting=supporting, mixing=variant)
            run = run_id("all", seed, variant)
            write_mixture(results, run, seed, {task: score(task, "all", variant, seed) for task in sizes}, single)
            for task in sizes:
                add("mtl_all", task, seed, run, supporting="all", mixing=variant)
    report = ["size_heuristic", "all_tasks"]
    write_index(results, name, roles, targets=list(sizes), supporting=list(sizes), report=report)


def _write_pair(results, pair, variant, seed, score, single, seen) -> None:
    scores = {task: score(task, other, variant, seed) for task, other in (pair, pair[::-1])}
    both, steps = {task: dict(single[task]) for task in pair}, None
    if seen:
        for task, other in (pair, pair[::-1]):
            both[task]["examples_seen"], steps = seen(task, other, variant)
    write_mixture(results, run_id(pair[0], seed, *pair, variant), seed, scores, both, steps)
