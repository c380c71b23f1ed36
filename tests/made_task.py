"""A small task of the user's own, learned without pretraining: which of two fruits does a sentence name?"""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ENTRY = {
    "files": {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"},
    "format": "classification",
    "inputs": ["text"],
    "label": "fruit",
    "labels": ["apple", "plum"],
}


def write_fruit(folder: Path, train: int = 64, dev: int = 32) -> Path:
    """Writes the task `fruit`, and `ripeness` (a regression on the same texts), and returns their task file."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, count in {"train": train, "dev": dev, "test": 8}.items():
        fruit = np.arange(count) % 2
        words = [f"the {'plum' if one else 'apple'} number {rng.integers(1000)} is here" for one in fruit]
        frame = pd.DataFrame({"text": words, "fruit": np.array(["apple", "plum"])[fruit], "ripeness": fruit * 5.0})
        frame[["text", "fruit"]].to_csv(folder / f"{split}.csv", index=False)
        frame[["text", "ripeness"]].to_csv(folder / f"{split}_ripeness.csv", index=False)
    pd.read_csv(folder / "test.csv")[["text"]].to_csv(folder / "test.csv", index=False)
    ripeness = {
        "files": {"train": "train_ripeness.csv", "validation": "dev_ripeness.csv"},
        "format": "regression",
        "inputs": ["text"],
        "label": "ripeness",
        "label_range": [0, 5],
    }
    path = folder / "tasks.yaml"
    path.write_text(yaml.safe_dump({"fruit": ENTRY, "ripeness": ripeness}))
    return path
