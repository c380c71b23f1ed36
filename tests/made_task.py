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


def write_pairs(folder: Path) -> Path:
    """Writes ten pairs of texts as the tasks `pairs` (words) and `pieces` (BPE, attention), and returns their file."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {"dog": "Hund", "cat": "Kater", "man": "Mann", "boy": "Junge", "king": "König"}
    places = {"tree": "Baum", "house": "Turm"}
    rows = [
        (f"the {one} sees the {other}", f"der {names[one]} sieht, den {places[other]}")
        for one in names
        for other in places
    ]
    pd.DataFrame(rows, columns=["source", "target"]).to_csv(folder / "pairs.csv", index=False)
    files = "files: {train: pairs.csv, validation: pairs.csv, test: pairs.csv}"
    entry = f"{{{files}, format: sequence_to_sequence, inputs: [source], label: target"
    path = folder / "tasks.yaml"
    path.write_text(f"pairs: {entry}}}\npieces: {entry}, vocabulary: bpe, attention: true}}\n")
    return path
