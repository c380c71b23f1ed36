"""A whole tiny study: real notebooks, kernels and processes; a BERT of one layer; six runs of a second or two each."""

import json
import threading
import time
from pathlib import Path

import pandas as pd
import yaml

from made_driver import drive
from made_task import write_fruit

STUDY = {
    "title": "Does ripeness help fruit?",
    "supporting": ["ripeness"],
    "targets": ["fruit"],
    "seeds": 2,
    "task_file": "tasks.yaml",
    "train": {"learning_rate": 1e-2, "num_train_epochs": 2, "per_device_train_batch_size": 8, "max_length": 16},
    "report": ["transfer_matrix", "restarts"],
}


def write_encoder(folder: Path) -> Path:
    """A BERT of one layer with random weights and no pooler."""
    from transformers import BertConfig, BertModel, set_seed

    from intertask.encoders.mini import build_tokenizer
    from intertask.encoders.pretrained import save_encoder

    set_seed(0)
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
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return output


def wait_for(condition, seconds: float = 300):
    """Asks until the condition holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        threading.Event().wait(0.02)
    return found


def records(results: Path) -> dict:
    return {path.parent.name: json.loads(path.read_text()) for path in results.glob("runs/*/run.json")}


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
