"""Writes the files of a study with several regimes, as runs over one or more tasks leave them: no training."""

import json
from pathlib import Path

from intertask.files import write_sealed
from made_store import SHUFFLED, write_index

COMMON = dict.fromkeys(
    ["part", "regime", "supporting", "target", "limit", "supporting_limit", "supporting_run", "supporting_seed"]
)
COMMON |= {"encoder": "mini/bert", "mixing": None}


def scored(score: float, n_train: int = 100, majority: float = 50.0, select: float | None = None, seen: int = 300):
    """What a record says of one task; select: the score of the rows that choices are made on, where held out."""
    split = "validation" if select is None else "validation_report"
    mains = {split: score} | ({} if select is None else {"validation_select": select})
    scores = {name: {"accuracy": main, "main": main} for name, main in mains.items()}
    return {
        "scores": scores,
        "majority": {name: {"accuracy": majority, "main": majority} for name in scores},
        "reported": split,
        "selection": "best checkpoint on validation",
        "degenerate": score <= majority,
        "constant_predictions": False,
        "sizes": {"train": n_train, **dict.fromkeys(scores, 50)},
        "truncated": {},
        "cut_spans": {},
        "cut_words": {},
        "best_step": 10,
        "examples_seen": seen,
        "distinct_examples": min(seen, n_train),
        "overlap": {},
    }


def write_record(results: Path, run: str, tasks: dict[str, dict], seed: int = 0, steps: int = 10, **fields) -> None:
    """A finished run: run.json with `tasks`, each of `scored`."""
    record = {
        "id": run,
        "identity": {"tuning": "full", "computed_by": {"device": "cpu", "precision": "float32"}},
        "task": next(iter(tasks)),
        "encoder": "mini/bert",
        "parent": None,
        "choices": {},
        "tasks": tasks,
        "steps": steps,
        "examples_seen": sum(own["examples_seen"] for own in tasks.values()),
        "seconds": {"load": 0.1, "train": 2.0, "evaluate": 0.2},
        "examples_per_second": 100.0,
        "device": "cpu",
        "threads": 1,
        "versions": {"torch": "2.13.0", "intertask": "0.1.0"},
        "git_commit": "0123456789abcdef",
        "finished": f"2026-01-02T03:04:{seed:02d}+00:00",
        "seed": seed,
        "limit": None,
        "shuffle_labels": False,
    }
    (results / "runs" / run).mkdir(parents=True, exist_ok=True)
    write_sealed(results / "runs" / run / "run.json", run, json.dumps(record | {"files": {}} | fields))


def make_regimes(results: Path, roles: list[dict], name: str = "made", **study) -> None:
    """A study from its index rows; each row may hold `record`, the keyword arguments of `write_record`: a finished run.

    What a row does not say is missing, as in COMMON; rows of one run repeat `run`, and one of them holds its record.
    """
    for role in roles:
        if made := role.get("record"):
            write_record(results, role["run"], seed=role.get("seed", 0), **made)
    rows = [COMMON | {"task": role.get("target")} | {k: v for k, v in role.items() if k != "record"} for role in roles]
    write_index(results, name, rows, **study)


def glue_roles(score, targets, supporting, seeds: int, same_task: str = "substitute", **more) -> list[dict]:
    """Index rows of single and stilts; score(target, supporting or None, seed): of `scored`, or None for not done."""
    roles = []
    for task in supporting:
        for seed in range(seeds):
            made = {"tasks": {task: scored(80.0, n_train=400)}, "steps": 40}
            role = {"run": f"{task}-{seed}".replace("/", "-"), "stage": "intermediate", "task": task, "seed": seed}
            roles.append(role | {"supporting": task, "control": task.endswith(SHUFFLED), "record": made} | more)
    for target in targets:
        for task in (None, *supporting):
            for seed in range(seeds):
                role = {"stage": "target", "target": target, "seed": seed} | more
                role |= {"regime": "stilts" if task else "single", "supporting": task}
                role["control"] = str(task).endswith(SHUFFLED)
                alone = f"{target}-alone-{seed}-{more.get('limit')}".replace("/", "-")
                if task == target and same_task == "substitute":
                    roles.append(role | {"run": alone, "substituted": True})
                    continue
                source = f"{task}-{seed}".replace("/", "-")
                role |= {"supporting_run": source, "supporting_seed": seed, "parents": [source]} if task else {}
                role |= {"run": f"{source}-then-{alone}" if task else alone}
                found = score(target, task, seed)
                roles.append(role | ({"record": {"tasks": {target: found}}} if found else {}))
    return roles
