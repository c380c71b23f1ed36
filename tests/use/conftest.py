"""Tasks of every format that can be exported, of letters, and finished runs on them."""

import random
from types import SimpleNamespace

import pytest
import torch
import yaml
from transformers import AutoModel

import made_encoders
from intertask.run import Run
from intertask.tasks.load import load_task
from intertask.training import prepare, train
from intertask.training.record import save

FILES = {"train": "{}_train.jsonl", "validation": "{}_dev.jsonl"}
WHOSE = {
    "pairs": {"format": "classification", "inputs": ["a", "b", "c"], "label": "y", "labels": ["no", "may be", "yes"]},
    "kinds": {"format": "multi_label", "inputs": ["a"], "label": "y", "separator": ",", "threshold": {"no": 0.4}},
    "marks": {"format": "regression", "inputs": ["a"], "label": "y", "label_range": [1, 5]},
    "tags": {"format": "tagging", "inputs": ["words"], "label": "tags"},
    "answers": {"format": "extractive_qa", "inputs": ["q", "p"], "label": "y"},
    "choices": {"format": "multiple_choice", "inputs": ["a"], "choices": ["choices"], "label": "y"},
    "text": {"format": "masked_language_modelling", "inputs": ["a"]},
}


def _row(task: str, draw: random.Random) -> dict:
    def words(count: int) -> str:
        return " ".join("".join(draw.choices("abcdefgh", k=draw.randint(1, 3))) for _ in range(count))

    if task == "tags":
        row = words(5).split()
        return {"words": row, "tags": ["X" if word < "e" else "Y" for word in row]}
    if task == "answers":
        passage = words(14)  # more than one window
        return {"q": words(1), "p": passage, "y": passage.split()[draw.randrange(14)]}
    if task == "choices":
        return {"a": words(3), "choices": [words(2) for _ in range(draw.randint(2, 4))], "y": draw.randrange(2)}
    if task == "text":
        return {"a": words(6)}
    labels = {"pairs": ["no", "may be", "yes"], "kinds": ["no", "yes", "no, may be"], "marks": [1.0, 2.5, 5.0]}
    # longer than max_length now and then
    return (
        {"a": words(draw.randint(1, 12))}
        | ({"b": words(3), "c": words(2)} if task == "pairs" else {})
        | {"y": draw.choice(labels[task])}
    )


@pytest.fixture(scope="session")
def letters(tmp_path_factory) -> str:
    """The task file."""
    import json

    folder = tmp_path_factory.mktemp("letters")
    entries = {}
    for name, entry in WHOSE.items():
        files = {split: file.format(name) for split, file in FILES.items()}
        draw = random.Random(name)
        for split, file in files.items():
            rows = [_row(name, draw) for _ in range(32 if split == "train" else 24)]
            (folder / file).write_text("".join(json.dumps(row) + "\n" for row in rows))
        entries[name] = {"files": files} | entry
    entries["others"] = entries["pairs"]
    (folder / "tasks.yaml").write_text(yaml.safe_dump(entries, sort_keys=False))
    return str(folder / "tasks.yaml")


@pytest.fixture(scope="session")
def encoders(tmp_path_factory):
    """The folder of a tiny encoder of an architecture, whose tokenizer has a mask too, and which tells places apart."""
    found = {}

    def get(name: str) -> str:
        if name not in found:
            folder = made_encoders.write(tmp_path_factory.mktemp(name), name, initializer_range=0.2)
            tokenizer = made_encoders.build_tokenizer(name)
            tokenizer.add_special_tokens({"mask_token": "[MASK]"})
            tokenizer.save_pretrained(folder)
            model = AutoModel.from_pretrained(folder)
            model.resize_token_embeddings(len(tokenizer))
            model.save_pretrained(folder)
            found[name] = str(folder)
        return found[name]

    return get


@pytest.fixture
def made(letters, encoders):
    """Trains a few steps on a task, at a rate that makes logits large, and stores the run by hand with its encoder."""

    def make(task: str, encoder: str = "bert", **settings) -> SimpleNamespace:
        torch.set_num_threads(1)
        encoder = encoder if "/" in encoder else encoders(encoder)
        values = {"learning_rate": 3e-3, "max_steps": 4, "max_length": 24, "keep_encoder": True, "threads": 1}
        if task == "answers":
            values["max_length"] = 32
        run = Run(task=task, task_file=letters, encoder=encoder, **values | settings)
        result = train(run, prepare(run), run.encoder)
        return SimpleNamespace(run=run, folder=save(result, run), dev=load_task(task, letters).splits["validation"])

    return make
