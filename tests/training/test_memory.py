"""Where memory runs out: batches in parts, with the gradient of the whole; and in words, with what to lower."""

import json
import os
import re
import resource
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.training import prepare, train
from intertask.training.memory import full_memory_in_words
from intertask.training.mixing import at_most, size
from intertask.training.model import Model, build_model
from made_study import write_encoder
from made_task import write_fruit

LOOP = import_module("intertask.training.train")

STEPS = {"num_train_epochs": 2, "learning_rate": 2e-3, "per_device_train_batch_size": 8, "max_length": 16}
MIXED = {"alongside": ["ripeness"], "batch_schedule": "heterogeneous"}


@pytest.fixture(scope="module")
def fruit(tmp_path_factory):
    return str(write_fruit(tmp_path_factory.mktemp("fruit")))


def trained(task_file, **parameters):
    run = Run(task_file=task_file, **{"task": "fruit"} | STEPS | parameters)
    return train(run, prepare(run), run.encoder)


def small_gpu(monkeypatch, train: int, evaluate: int) -> list[int]:
    """Has an encoder find no memory for more rows than that; returns the rows that it read at once, or tried to."""
    outputs, tried = Model.outputs, []

    def within(model, batches):
        tried.append(sum(len(batch["attention_mask"]) for batch in batches))
        most = train if torch.is_grad_enabled() else evaluate
        # of parts, not the first
        if tried[-1] > most and not (torch.is_grad_enabled() and train and len(tried) % 2):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total of …")
        return outputs(model, batches)

    monkeypatch.setattr(Model, "outputs", within)
    return tried


def test_a_batch_in_halves_by_hand():
    batch = [(0, np.arange(5)), (2, np.arange(3)), (1, np.array([7]))]
    found = [[(task, index.tolist()) for task, index in part] for part in at_most(batch, 3)]
    assert found == [
        [(0, [0]), (2, [0]), (1, [7])],
        [(0, [1])],
        [(0, [2]), (2, [1])],
        [(0, [3, 4]), (2, [2])],
    ]
    assert [size(part) for part in at_most(batch, 1)] == [1] * 9
    assert at_most(batch, 9) == [batch]


@pytest.fixture(scope="module")
def steady(tmp_path_factory) -> dict:
    """An encoder and a head without dropout."""
    folder = write_encoder(tmp_path_factory.mktemp("encoder"))
    config = json.loads((folder / "config.json").read_text())
    nothing = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config | nothing))
    return {"encoder": str(folder), "dropout": 0.0}


@pytest.mark.parametrize("parameters", [{}, MIXED | {"batch_loss": "mean", "gradient_accumulation_steps": 2}])
def test_batches_that_are_read_in_parts_train_as_whole_ones(parameters, fruit, steady, monkeypatch):
    whole = trained(fruit, **parameters, **steady)
    tried = small_gpu(monkeypatch, train=3, evaluate=9)
    parts = trained(fruit, **parameters, **steady)
    assert (whole.model.at_once, parts.model.at_once) == ({}, {"train": 2, "evaluate": 8})
    assert len([rows for rows in tried if rows > 9]) <= 4  # after which no more are tried
    assert parts.curve["train_loss"].tolist() == pytest.approx(whole.curve["train_loss"].tolist(), rel=1e-4)
    for name, outcome in parts.tasks.items():
        assert outcome.scores["validation"] == pytest.approx(whole.tasks[name].scores["validation"], abs=1e-3)


def test_an_attempt_for_which_there_was_no_room_leaves_nothing(fruit, monkeypatch):
    """Neither gradients of the parts that it had read, nor a trace in dropout and in what is masked."""
    parameters = {"task": "mini/text", "limit": 64, "gradient_accumulation_steps": 2, "num_train_epochs": 1}
    found = []
    for at_once in ({}, {"train": 2, "evaluate": 8}):
        with monkeypatch.context() as patched:
            patched.setattr(
                LOOP, "build_model", lambda *given, known=at_once: replace(build_model(*given), at_once=known)
            )
            small_gpu(patched, train=3, evaluate=9)
            found.append(trained(fruit, **parameters))
    pd.testing.assert_frame_equal(found[0].curve, found[1].curve, check_exact=True)
    assert found[0].model.at_once == found[1].model.at_once


def built(*given, at_once):
    return replace(build_model(*given), at_once=at_once)


def test_a_frozen_encoder_reads_in_parts_too(fruit, monkeypatch, empty_cache):
    small_gpu(monkeypatch, train=99, evaluate=9)
    assert trained(fruit, tuning="frozen", pooling="mean").model.at_once == {"evaluate": 8}


def test_a_single_row_without_room_is_said_with_what_to_lower(fruit, monkeypatch, refused):
    small_gpu(monkeypatch, train=0, evaluate=9)
    refused(
        lambda: trained(fruit),
        "fruit: expected room for the training, found that the memory is full (CUDA out of memory. Tried to allocate",
        "Lower per_device_train_batch_size (now 8), max_length (now 16) or per_device_eval_batch_size (now 64)",
    )


def test_where_main_memory_is_full_it_is_said_how_full_and_what_to_lower(fruit):
    """In a process of which the system lets the memory grow by little."""
    run = Run(task="mini/text", limit=2000, threads=1, **STEPS | {"per_device_train_batch_size": 2000})
    tasks, (reading, writing) = prepare(run), os.pipe()
    if not (child := os.fork()):
        try:
            taken = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_DATA, (taken + 200 * 2**20,) * 2)
            train(run, tasks, run.encoder)
        except IntertaskError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert re.search(
        r"mini/text: expected room .* tried to allocate \d+ bytes\. .*; the process has had \d\.\d of", said
    )
    assert "Lower per_device_train_batch_size (now 2000), max_length (now 16)" in said


def test_where_the_memory_of_a_mac_is_full_that_is_said_too(fruit, monkeypatch, refused):
    def full(*_):
        raise RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB). Tried to allocate 1.00 GB")

    monkeypatch.setattr(Model, "outputs", full)
    refused(lambda: trained(fruit), "that the memory is full (MPS backend out of memory (MPS allocated: 9.00 GB)")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("of another kind")])
def test_no_other_error_is_taken_for_a_want_of_memory(error, fruit, refused):
    def fail():
        with full_memory_in_words(Run(task="fruit", gradient_checkpointing=True)):
            raise error

    if isinstance(error, MemoryError):
        refused(fail, "found that the memory is full (no more could be had)", "eval_batch_size (now 64).")
    else:
        with pytest.raises(RuntimeError, match="of another kind"):
            fail()
