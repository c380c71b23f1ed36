"""As many pairs of sentences as MNLI has, as long as its own, tokenised in three ways, each in a process of its own."""

import json
import multiprocessing
import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SIZES = {"train": 400_000, "validation": 9_815, "test": 9_796}
MAX_LENGTH = 128
ENTRY = {
    "files": {split: f"{split}.parquet" for split in SIZES},
    "format": "classification",
    "inputs": ["premise", "hypothesis"],
    "label": "label",
    "labels": ["entailment", "neutral", "contradiction"],
}


def alone(call: Callable, *arguments) -> tuple[list[float], float]:
    """What the call returns, and the peak memory (MB) of the fresh process that it runs in."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(call, *arguments).result(), process.submit(_peak).result()


def _peak() -> float:
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024 / 1e6


def small_tokenizer():
    """That of the small encoder where INTERTASK_HUB holds it, else that of the mini suite: both BERT's WordPiece."""
    from parity import ENCODER
    from transformers import AutoTokenizer

    from intertask.encoders.mini import build_tokenizer

    folder = Path(os.environ.get("INTERTASK_HUB", "")) / ENCODER
    return AutoTokenizer.from_pretrained(folder) if folder.is_dir() else build_tokenizer()


def write_pairs(folder: Path) -> None:
    """Words of the tokenizer's vocabulary by Zipf's law, some 20 and 10 of them."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    vocabulary = sorted(word for word in small_tokenizer().get_vocab() if word.isascii() and word.isalpha())
    words = rng.permutation(np.array(vocabulary, object))
    share = 1 / np.arange(1, len(words) + 1)

    def texts(count: int, mean: float) -> list[str]:
        lengths = 1 + rng.poisson(rng.gamma(3, (mean - 1) / 3, count))
        drawn = rng.choice(words, lengths.sum(), p=share / share.sum())
        return [" ".join(text) + "." for text in np.split(drawn, lengths.cumsum()[:-1])]

    for split, count in SIZES.items():
        columns = {"premise": texts(count, 20), "hypothesis": texts(count, 10), "label": rng.integers(3, size=count)}
        pd.DataFrame(columns).to_parquet(folder / f"{split}.parquet")
    (folder / "tasks.yaml").write_text(json.dumps({"pairs": ENTRY}))


def by_lab(folder: Path, cache: Path) -> list[float]:
    """Seconds of tokenising train, and of all that a run does with the data before its first step."""
    os.environ["INTERTASK_CACHE"] = str(cache)
    from intertask.execution import preload  # noqa: F401  a run's environment, and what it has imported before it begins
    from intertask.formats import FORMATS
    from intertask.run import Run
    from intertask.training import prepare

    tokenizer = small_tokenizer()
    began = time.perf_counter()
    task_file = str(folder / "tasks.yaml")
    task = prepare(Run(task="pairs", task_file=task_file))["pairs"]
    form = FORMATS[task.entry.format](task.entry)
    tokenising = time.perf_counter()
    form.encode(task.splits["train"], tokenizer, MAX_LENGTH)
    tokenised = time.perf_counter()
    for split in task.splits.keys() - {"train"}:
        form.encode(task.splits[split], tokenizer, MAX_LENGTH)
    return [tokenised - tokenising, time.perf_counter() - began]


def by_call(folder: Path) -> list[float]:
    """Seconds of one call of the tokenizer."""
    import pandas as pd

    train, tokenizer = pd.read_parquet(folder / "train.parquet"), small_tokenizer()
    texts = [train[column].tolist() for column in ENTRY["inputs"]]
    began = time.perf_counter()
    tokenizer(*texts, truncation=True, max_length=MAX_LENGTH)
    return [time.perf_counter() - began]


def by_map(folder: Path, cache: Path) -> list[float]:
    """Seconds of `datasets`' map, in batches, which writes what it makes to its cache."""
    from datasets import Dataset

    tokenizer = small_tokenizer()
    train = Dataset.from_parquet(str(folder / "train.parquet"), cache_dir=str(cache))
    began = time.perf_counter()
    train.map(lambda rows: tokenizer(*map(rows.get, ENTRY["inputs"]), truncation=True, max_length=128), batched=True)
    return [time.perf_counter() - began]
