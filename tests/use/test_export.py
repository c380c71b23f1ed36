"""Exported folders, loaded by transformers alone, give what the runs recorded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import transformers

from intertask.studies.store import predictions_file
from intertask.training.model import stored_model
from intertask.use.export import export_run
from intertask.use.plain import AUTO_CLASSES

FORMATS = {
    "pairs": "classification",
    "kinds": "multi_label",
    "marks": "regression",
    "tags": "tagging",
    "answers": "extractive_qa",
    "choices": "multiple_choice",
    "text": "masked_language_modelling",
}
TINY = ["roberta", "deberta-v2", "modernbert"]


def recorded(one: SimpleNamespace) -> pd.DataFrame:
    return pd.read_parquet(predictions_file(one.folder, one.run.task)).query("split == 'validation'")


def job(one: SimpleNamespace, folder: Path, base: str = "") -> dict:
    """What `alone.py` is to do with an exported run."""
    task, dev = one.run.task, one.dev
    columns = {
        "pairs": lambda: [{"text": a, "text_pair": f"{b} {c}"} for a, b, c in dev[["a", "b", "c"]].values.tolist()],
        "kinds": lambda: dev["a"].tolist(),
        "marks": lambda: dev["a"].tolist(),
        "tags": lambda: dev["words"].tolist(),
        "answers": lambda: [[q, p, one.run.max_length // 3] for q, p in dev[["q", "p"]].values.tolist()],
        "choices": lambda: [[a, own] for a, own in dev[["a", "choices"]].values.tolist()],
        "text": lambda: [f"{text} [MASK] a" for text in dev["a"]],
    }
    return {
        "task": task,
        "class": AUTO_CLASSES[FORMATS[task]],
        "folder": str(folder),
        "base": base,
        "rows": columns[task](),
    }


def plainly(jobs: list[dict], tmp_path: Path) -> list:
    """What the jobs give in a process that has none of our code."""
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    script = [sys.executable, "-I", Path(__file__).with_name("alone.py"), tmp_path / "jobs.json", tmp_path / "out.json"]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "out.json").read_text())


@torch.inference_mode()
def masked(one: SimpleNamespace) -> list:
    """What the stored model itself says of the masks in the texts of `job`: the likeliest token, the best shares."""
    model = stored_model(one.run, one.folder / "encoder")
    (part,), found = model.parts, []
    for text in job(one, Path())["rows"]:
        batch = dict(model.tokenizer(text, return_tensors="pt"))
        batch["chosen"] = batch["input_ids"] == model.tokenizer.mask_token_id
        best = model.logits(part, batch)[0].softmax(-1).topk(5)
        found.append((best.indices[0].item(), best.values.tolist()))
    return found


def compare(one: SimpleNamespace, given: list) -> None:
    """Every prediction is the recorded one, every logit within 1e-4 of it."""
    task, rows = one.run.task, recorded(one)
    predictions, logits = zip(*given, strict=True)
    if task == "text":
        own = masked(one)
        assert [token for token, _ in own] == list(predictions)
        assert np.allclose(np.log([shares for _, shares in own]), np.log(logits), atol=1e-5)
        return
    if task == "pairs":
        assert [["no", "may be", "yes"][i] for i in rows["prediction"]] == list(predictions)
    if task == "kinds":
        assert all(
            {*np.array(["may be", "no", "yes"])[i]} == {*names}
            for i, names in zip(rows["prediction"], predictions, strict=True)
        )
    if task == "marks":
        assert np.allclose(rows["prediction"], predictions, atol=1e-4)
        return
    if task == "tags":
        assert [["X", "Y"][i] for i in rows["prediction"]] == [name for row in predictions for name in row]
        return
    if task in ("answers", "choices"):
        assert rows["prediction"].tolist() == list(predictions)
    if "logits" in rows:
        for mine, theirs in zip(rows["logits"], logits, strict=True):
            assert np.allclose(mine[: len(theirs)], theirs, atol=1e-4)


@pytest.fixture
def real(hub, monkeypatch) -> str:
    """A real small encoder's id, in a mirror."""
    name = "sentence-transformers/all-MiniLM-L6-v2"
    if not (hub / name).is_dir():
        pytest.skip(f"the mirror that INTERTASK_HUB names has no {name}, as the shared one has not")
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    return name


def test_every_format_of_every_architecture_predicts_as_recorded_without_us(made, encoders, tmp_path):
    runs, jobs = [], []
    for task in FORMATS:
        for encoder in TINY:
            one = made(task, encoder)
            folder = export_run(str(one.folder), tmp_path / f"{task}-{encoder}", say=lambda words: None)
            runs.append(one)
            jobs.append(job(one, folder))
    for encoder in TINY:
        one = made("pairs", encoder, tuning="lora", learning_rate=3e-2)
        whole, small = tmp_path / f"whole-{encoder}", tmp_path / f"adapter-{encoder}"
        export_run(str(one.folder), whole, say=lambda words: None)
        export_run(str(one.folder), small, adapter=True, say=lambda words: None)
        runs += [one, one]
        jobs += [job(one, whole), job(one, small, base=encoders(encoder))]
    for one, given in zip(runs, plainly(jobs, tmp_path), strict=True):
        compare(one, given)


def test_batches_are_padded_as_the_run_padded_whatever_the_encoder_says(made, encoders, tmp_path):
    encoder = shutil.copytree(encoders("bert"), tmp_path / "bert")
    settings = json.loads((encoder / "tokenizer_config.json").read_text())
    (encoder / "tokenizer_config.json").write_text(json.dumps(settings | {"padding_side": "left"}))
    one = made("marks", str(encoder), max_length=60)
    folder = export_run(str(one.folder), tmp_path / "out", say=lambda words: None)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    read = tokenizer(list(one.dev["a"]), padding=True, return_tensors="pt")
    assert len({*read["attention_mask"].sum(1).tolist()}) > 1
    with torch.inference_mode():
        assert np.allclose(model(**read).logits[:, 0], recorded(one)["prediction"], atol=1e-4)


def test_a_real_encoder_predicts_as_recorded(made, real, tmp_path):
    runs = [made(task, real, learning_rate=2e-4, max_steps=2) for task in ("pairs", "answers")]
    folders = [export_run(str(one.folder), tmp_path / one.run.task, say=lambda words: None) for one in runs]
    for one, given in zip(runs, plainly(list(map(job, runs, folders)), tmp_path), strict=True):
        compare(one, given)
    card = (folders[0] / "README.md").read_text()
    assert "base_model: sentence-transformers/all-MiniLM-L6-v2" in card and "two with an activation between" in card
    for path in (path for folder in folders for path in folder.iterdir()):
        assert str(tmp_path).encode() not in path.read_bytes() and str(runs[0].folder).encode() not in path.read_bytes()
