"""A whole tiny study: real notebooks, kernels and processes; a BERT of one layer; six runs of a second or two each."""

import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import psutil
import yaml

from intertask.studies.claims import PUBLISHED, attempt_of
from made_driver import drive
from made_task import write_fruit

HANGING = 300
"""Seconds after which what a test waits for is taken to hang, however much else the machine does: no measure."""

STUDY = {
    "title": "Does ripeness help fruit?",
    "supporting": ["ripeness"],
    "targets": ["fruit"],
    "seeds": 2,
    "task_file": "tasks.yaml",
    "train": {"learning_rate": 1e-2, "num_train_epochs": 2, "per_device_train_batch_size": 8, "max_length": 16},
    "report": ["transfer_matrix", "restarts"],
}


def write_encoder(folder: Path, seed: int = 0) -> Path:
    """A BERT of one layer with random weights and no pooler."""
    from transformers import BertConfig, BertModel, set_seed

    from intertask.encoders.mini import build_tokenizer
    from intertask.encoders.pretrained import save_encoder

    set_seed(seed)
    tokenizer = build_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    save_encoder(BertModel(config, add_pooling_layer=False), tokenizer, folder)
    return folder


def write_study(folder: Path, **changes) -> Path:
    """The study `tiny` with its data and an encoder of its own beside it."""
    write_fruit(folder)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(STUDY | {"encoders": [str(write_encoder(folder / "encoder"))]} | changes))
    return path


def succeed(*arguments, results: Path, start=drive) -> str:
    process = start(*arguments, results=results)
    output = process.communicate(timeout=HANGING)[0]
    assert process.returncode == 0, output
    return output


def wait_for(condition, seconds: float = HANGING):
    """Asks until the condition holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        threading.Event().wait(0.02)
    return found


def kin(driver) -> list[psutil.Process]:
    try:
        return [p for p in psutil.Process(driver.pid).children(recursive=True) if alive(p)]
    except psutil.NoSuchProcess:
        return []


def alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it may end between two questions
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def fork_server(driver) -> psutil.Process:
    """The warm process: runs and their kernels are forked from it."""
    return wait_for(lambda: warm(driver))[0]


def warm(driver) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):  # whoever ends meanwhile is no reason not to ask again
        children = [p for p in psutil.Process(driver.pid).children() if "forkserver" in " ".join(p.cmdline())]
        return [p for p in children if p.name() not in ("seed", "tracker")]  # of `made_driver`
    return []


def workers(driver) -> list[psutil.Process]:
    return fork_server(driver).children()


def kernels(driver) -> list[psutil.Process]:
    """Kernels, warm or plain: the children of the workers."""
    with suppress(psutil.NoSuchProcess):
        return [kernel for worker in workers(driver) for kernel in worker.children()]
    return []


def attempts(results: Path) -> int:
    """How many there were at runs, whatever became of them."""
    return len([one for one in results.glob("runs/.claims/[!.]*") if one.suffix != ".end"])


def records(results: Path) -> dict:
    return {path.parent.name: json.loads(path.read_text()) for path in results.glob("runs/*/run.json")}


def published(results: Path) -> list[str]:
    """The runs that were put into the pool, each as often as that happened, by the log of claims."""
    ends = [end for end in results.glob("runs/.claims/*.end") if end.read_text().startswith(PUBLISHED)]
    return sorted(attempt_of(end.stem)[0] for end in ends)


def failed_in_a_cell(results) -> None:
    """No run is there, and of one that failed its cell and its notebook."""
    failures = {path.parent: json.loads(path.read_text()) for path in results.glob("runs/.failed/*/failure.json")}
    (folder,) = [folder for folder, failure in failures.items() if failure["cell"] is not None]
    assert (folder / "notebook.ipynb").is_file() and folder.name not in records(results)


def own(record: dict) -> dict:
    """What a record says of its first task."""
    return record["tasks"][record["task"]]


def predictions(results: Path, run: str, record: dict) -> pd.DataFrame:
    return pd.read_parquet(results / "runs" / run / "predictions" / f"{record['task']}.parquet")


def scores(results: Path) -> dict:
    """Scores and every logit: what must be the same however a study came to its end."""
    found = records(results)
    logits = {run: predictions(results, run, record).logits for run, record in found.items()}
    return {run: (own(record)["scores"], [tuple(values) for values in logits[run]]) for run, record in found.items()}


def states(results: Path) -> dict:
    """What must not change when nothing is to do."""
    files = [path for path in results.glob("runs/*/*") if not path.parent.name.startswith(".")]
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


@contextmanager
def read_only(folder):
    """A folder that nobody can write to: by its mode, or, as root, who may write anyway, by a read-only mount."""
    if os.getuid():
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
