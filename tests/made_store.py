"""Writes the files that a study leaves in the results folder, with scores given by the test: no training."""

import json
from hashlib import sha256
from pathlib import Path

import pandas as pd

from intertask.files import write_sealed
from intertask.studies.claims import Attempt, Observer

SHUFFLED = "[shuffle_labels=true]"


def run_id(task: str, seed: int | None, *parts: object) -> str:
    digest = sha256(repr((task, seed, *parts)).encode()).hexdigest()[:12]
    return f"{task.replace('/', '-').split(',')[0]}.mini-bert.s{seed}-{digest}"


def write_run(results: Path, run: str, task: str, seed: int, score: float, **fields) -> None:
    """A finished run: run.json alone, with `score` as accuracy and main score of the validation split; majority 50.

    `fields` replace what it says of the run, or of its task.
    """
    folder = results / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        "selection": "best checkpoint on validation",
        "reported": "validation",
        "scores": {"validation": {"accuracy": score, "main": score}},
        "majority": {"validation": {"accuracy": 50.0, "main": 50.0}},
        "degenerate": score <= 50,
        "constant_predictions": False,
        "sizes": {"train": 250, "validation": 277},
        "best_step": 16,
        "examples_seen": 750,
        "distinct_examples": 250,
        "limit": None,
    }
    own |= {name: value for name, value in fields.items() if name in own}
    record = {
        "id": run,
        "task": task,
        "tasks": {task: own},
        "identity": {"computed_by": {"device": "cpu", "precision": "float32"}},
        "encoder": "mini/bert",
        "parent": None,
        "settings": {},
        "seed": seed,
        "steps": 24,
        "examples_seen": own["examples_seen"],
        "seconds": {"load": 0.1, "train": 2.0, "evaluate": 0.2},
        "device": "cpu",
        "threads": 1,
        "versions": {"torch": "2.13.0", "intertask": "0.1.0"},
        "git_commit": "0123456789abcdef",
        "finished": f"2026-01-02T03:04:{seed or 0:02d}+00:00",
    }
    record |= {name: value for name, value in fields.items() if name not in own}
    write_sealed(folder / "run.json", run, json.dumps({"files": {}} | record))


def reseal(folder: Path, run: str = "", **changes) -> None:
    """Writes a run's record anew, changed, and with the files that are in its folder now; run: its id, if that is not
    the folder's name."""
    record = json.loads((folder / "run.json").read_text()) | changes
    del record["sha256"]
    files = {path for path in folder.rglob("*") if path.is_file()} - {folder / "run.json", folder / "notebook.ipynb"}
    record["files"] = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes()).hexdigest()}
        for path in files
    }
    write_sealed(folder / "run.json", run or folder.name, json.dumps(record))


def write_predictions(results: Path, run: str, split: str, labels, predictions, **more) -> None:
    """The predictions of one split of the run's task, as a finished run leaves them; more: columns, also `row`."""
    folder = results / "runs" / run
    rows = {"split": split, "row": range(len(labels)), "label": list(labels), "prediction": predictions}
    rows |= more
    path = folder / "predictions" / f"{json.loads((folder / 'run.json').read_text())['task']}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path, index=False)
    reseal(folder)


def write_failure(results: Path, run: str, reason: str, own: bool = True) -> None:
    folder = results / "runs" / ".failed" / run
    folder.mkdir(parents=True, exist_ok=True)
    failure = {"reason": reason, "cell": 4, "own": own, "when": "2026-01-02T03:04:05+00:00"}
    (folder / "failure.json").write_text(json.dumps(failure), encoding="utf-8")


def take_elsewhere(results: Path, run: str) -> Attempt:
    """An attempt at a run by a process of another machine, with its folder."""
    file = results / "runs" / ".claims" / run
    file.parent.mkdir(parents=True, exist_ok=True)
    attempt = Observer("another machine").take(file)
    told = json.loads(attempt.file.read_text()) | {"host": "elsewhere", "pid": 7}
    attempt.file.write_text(json.dumps(told) + "\n")
    (results / "runs" / ".staging" / attempt.name).mkdir(parents=True)
    return attempt


def write_index(results: Path, name: str, roles: list[dict], title: str = "A made study", **study) -> None:
    (results / name).mkdir(parents=True, exist_ok=True)
    roles = [{"control": False, "substituted": False, "parents": []} | role for role in roles]
    study = {"title": title} | study
    index = {"name": name, "title": title, "study": study, "given": study, "file": ""}
    index |= {"written": "2026-01-02T03:04:05+00:00"}
    write_sealed(results / name / "study.json", name, json.dumps(index | {"runs": roles}))


def rewrite_index(results: Path, name: str, given: dict | None = None, **study) -> None:
    """Changes what a study's snapshot says of its settings, and, of what its file said, all."""
    path = results / name / "study.json"
    index = json.loads(path.read_text())
    del index["sha256"]
    index["study"] |= study
    write_sealed(path, name, json.dumps(index | {"given": given or index["given"]}))


def make_store(
    results: Path,
    score,
    name: str = "demo",
    targets=("mini/rte", "mini/cola"),
    supporting=("mini/mnli", "mini/mnli[shuffle_labels=true]"),
    seeds: int = 5,
    one_intermediate: bool = False,
    title: str = "A made study",
) -> None:
    """A study of regimes single and stilts: `score(target, supporting or None, seed)` gives a target run's main score,
    None for a run not done yet, or the reason why it failed as a string."""
    pretraining = run_id("mini/text", 0)
    common = {"encoder": "mini/bert", "limit": None, "regime": None, "supporting": None, "target": None}
    common |= dict.fromkeys(["part", "mixing", "supporting_limit", "supporting_run", "supporting_seed"])
    roles = [common | {"run": pretraining, "stage": "pretraining", "task": "mini/text", "seed": 0}]
    write_run(results, pretraining, "mini/text", 0, 40.0)
    for task in supporting:
        for seed in range(1 if one_intermediate else seeds):
            run = run_id(task, seed)
            trained, control = task.removesuffix(SHUFFLED), task.endswith(SHUFFLED)
            write_run(results, run, trained, seed, 80.0)
            role = {"run": run, "stage": "intermediate", "task": trained, "supporting": task, "control": control}
            roles.append(common | role | {"seed": seed, "parents": [pretraining]})
    for target in targets:
        for task in (None, *supporting):
            for seed in range(seeds):
                supporting_seed = None if task is None else 0 if one_intermediate else seed
                parent = pretraining if task is None else run_id(task, supporting_seed)
                run = run_id(target, seed, parent)
                _write_outcome(results, run, target, seed, score(target, task, seed))
                role = {"run": run, "stage": "target", "regime": "stilts" if task else "single", "target": target}
                role |= {
                    "supporting": task,
                    "control": str(task).endswith(SHUFFLED),
                    "supporting_run": parent if task else None,
                }
                role |= {"supporting_seed": supporting_seed, "task": target, "seed": seed, "parents": [parent]}
                roles.append(common | role)
    write_index(results, name, roles, title, targets=list(targets), report=["transfer_matrix", "restarts"])


def write_test_scores(results: Path, name: str = "demo", below: float = 10) -> None:
    """Gives the target runs of a made study a test split, scored so many points below dev; majority 50."""
    index = json.loads((results / name / "study.json").read_text())["runs"]
    for role in (role for role in index if role["stage"] == "target"):
        path = results / "runs" / role["run"] / "run.json"
        if path.is_file():
            score = json.loads(path.read_text())["tasks"][role["task"]]["scores"]["validation"]["main"]
            scores = {"validation": {"main": score}, "test": {"main": score - below}}
            majority = dict.fromkeys(scores, {"main": 50.0})
            write_run(results, role["run"], role["task"], role["seed"], score, scores=scores, majority=majority)


def make_demo(results: Path, seeds: int = 3) -> None:
    """A study as `make demo` leaves it, smaller: the diagnostic set is scored on the runs on mini/mnli."""
    from intertask.tasks.load import load_task, scored_rows

    make_store(results, lambda target, task, seed: 60 + 5 * (task == "mini/mnli") + seed, seeds=seeds)
    rewrite_index(results, "demo", evaluate_on={"mini/mnli": ["mini/ax"]}, task_file="")
    labels = scored_rows(load_task("mini/ax"))["label"]
    for seed in range(seeds):
        for task in ("mini/mnli", f"mini/mnli{SHUFFLED}"):
            given = labels.where(labels.index % 3 > seed, 0) if task == "mini/mnli" else 0
            write_predictions(results, run_id(task, seed), "mini/ax", labels, given)


def _write_outcome(results: Path, run: str, task: str, seed: int, outcome: float | str | None) -> None:
    if isinstance(outcome, str):
        write_failure(results, run, outcome)
    elif outcome is not None:
        write_run(results, run, task, seed, outcome)
