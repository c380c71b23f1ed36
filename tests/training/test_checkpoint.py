"""Long runs that are killed and stopped: they go on from their checkpoints, to the same bits."""

import math
import os
import resource
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from intertask.errors import Stopped
from intertask.run import Run
from intertask.studies import store
from intertask.training import checkpoint, prepare, train
from made_study import write_encoder
from made_task import write_fruit

MIXED = {"alongside": ["ripeness"], "single_scores": {"fruit": 90.0, "ripeness": 90.0}}
KINDS = {
    "a single task": {},
    "an average of several": MIXED
    | {"selection": "average", "sampling": "dynamic_softmax", "batch_schedule": "heterogeneous"},
    "each at its best": MIXED | {"sampling": "dynamic_gap", "epoch_length": "shortest", "num_train_epochs": 5},
    "by examples, accumulated": MIXED
    | {"max_examples": 170, "sampling": "uniform", "gradient_accumulation_steps": 2, "eval_steps": 3},
    "corrupted texts": {"task": "mini/text", "limit": 64},
    "low-rank additions": {"tuning": "lora"},
    "a frozen encoder": {"tuning": "frozen", "pooling": "mean", "classifier": "small"},
    "a rate that is halved": {
        "lr_scheduler_type": "reduce_lr_on_plateau", "learning_rate": 4e-6, "amsgrad": True, "eval_steps": 1
    },
    "scaled gradients": {"precision": "float16", "device": "cpu"},
    "half the bits": {"precision": "bfloat16", "device": "cpu"},
    "out of patience": {"learning_rate": 1e-12, "early_stopping_patience": 2, "num_train_epochs": 9},
}  # fmt: skip
STEPS = {"num_train_epochs": 2, "learning_rate": 2e-3, "per_device_train_batch_size": 8, "max_length": 16}


LOOP = import_module("intertask.training.train")


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(scope="module")
def fruit(tmp_path_factory) -> dict:
    """A task and an encoder of one layer."""
    folder = tmp_path_factory.mktemp("fruit")
    return {"task": "fruit", "task_file": str(write_fruit(folder)), "encoder": str(write_encoder(folder / "encoder"))}


def trained(fruit, parameters):
    run = Run(**fruit | STEPS | parameters)
    return train(run, prepare(run), run.encoder)


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """Begins another attempt at the run `it`, of which a checkpoint is written at every step and evaluation."""
    store.open_pool()
    for name, value in {"LONG": 0.0, "EVERY": 0.0, "LOSABLE": 0.0, "LARGEST_SHARE": math.inf}.items():
        monkeypatch.setattr(checkpoint, name, value)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power is cut here

    def begin(number: int) -> Path:
        monkeypatch.setenv("INTERTASK_STAGING", str(store.pool() / ".staging" / f"it.{number}"))
        return store.checkpoints("it")

    return begin


def same(one, other) -> None:
    """Bit by bit."""
    pd.testing.assert_frame_equal(one.curve, other.curve, check_exact=True)
    assert (one.steps, list(one.tasks)) == (other.steps, list(other.tasks))
    for name, outcome in one.tasks.items():
        pd.testing.assert_frame_equal(outcome.predictions, other.tasks[name].predictions, check_exact=True)
        assert outcome.model_dump(exclude={"task"}) == other.tasks[name].model_dump(exclude={"task"})
    for module in ("encoder", "heads"):
        weights = getattr(other.model, module).state_dict()
        for name, tensor in getattr(one.model, module).state_dict().items():
            assert torch.equal(tensor, weights[name]), name


def kill_at(monkeypatch, name: str, count: int, how=None) -> None:
    """Has the call of that number of a function of the training be the last."""
    owner = LOOP if hasattr(LOOP, name) else LOOP.Training
    genuine, calls = getattr(owner, name), []

    def call(*given):
        calls.append(given)
        if len(calls) == count:
            how() if how else killed()
        return genuine(*given)

    monkeypatch.setattr(owner, name, call)


def killed():
    raise Killed


@pytest.mark.parametrize("parameters", KINDS.values(), ids=KINDS)
def test_a_run_that_is_killed_twice_and_stopped_ends_with_the_same_bits(parameters, fruit, attempt, monkeypatch):
    undisturbed = trained(fruit, parameters)
    kills = [("update", 3, None, Killed), ("evaluate", 1, None, Killed)]
    kills.append(("update", 2, lambda: os.kill(os.getpid(), signal.SIGTERM), Stopped))
    for number, (name, count, how, end) in enumerate(kills, start=1):
        folder = attempt(number)
        with monkeypatch.context() as patched, pytest.raises(end):
            kill_at(patched, name, count, how)
            trained(fruit, parameters)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert len([one for one in folder.iterdir() if not one.name.startswith(".")]) == 1
    attempt(4)
    resumed = trained(fruit, parameters)
    same(undisturbed, resumed)
    assert (undisturbed.resumed, resumed.resumed) == (0, 3)
    assert set(undisturbed.seconds) == {"load", "train", "evaluate"}
    assert set(resumed.seconds) == {"load", "train", "evaluate", "checkpoint"}


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def stopped(fruit, attempt, monkeypatch):
    """The folder of a run that was stopped at its 10th step, of 16, and began a second attempt."""
    folder = attempt(1)
    with monkeypatch.context() as patched, pytest.raises(Stopped, match=r"step 10, 62% .* goes on from its checkpoint"):
        kill_at(patched, "update", 10, lambda: os.kill(os.getpid(), signal.SIGTERM))
        trained(fruit, {})
    assert kept(folder) == ["000000010.000001.1"]  # after an evaluation
    return attempt(2)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a bit": lambda folder: flipped(folder / "optimizer.safetensors"),
    "the end": lambda folder: os.truncate(folder / "state.json", 1000),
    "a file": lambda folder: (folder / "model.safetensors").unlink(),
    "its place": lambda folder: folder.rename(folder.with_name(f".{folder.name}")),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_of_a_damaged_checkpoint_it_is_said_and_the_one_before_is_taken(damage, fruit, stopped, capsys):
    (whole,) = stopped.iterdir()
    damage(Path(shutil.copytree(whole, stopped / "000000013.000001.1")))
    result = trained(fruit, {})
    said = capsys.readouterr().out
    assert ("A checkpoint is left out" in said) == (damage is not DAMAGES["its place"])  # which is of one half built
    assert "It goes on from step 10, 62% of the training." in said
    same(trained_anew(fruit), result)
    assert result.resumed == 1 and kept(stopped) == ["000000016.000002.2"]


def test_a_stray_folder_is_no_checkpoint(fruit, stopped, capsys):
    (stopped / "checkpoint-999").mkdir()
    result = trained(fruit, {})
    assert "A checkpoint is left out" in capsys.readouterr().out and result.resumed == 1
    same(trained_anew(fruit), result)


def test_where_every_checkpoint_is_anothers_the_run_begins_anew(fruit, stopped, capsys, monkeypatch):
    (whole,) = stopped.iterdir()
    monkeypatch.setenv("INTERTASK_STAGING", str(store.pool() / ".staging" / "other.1"))
    shutil.copytree(whole, store.checkpoints("other") / whole.name)
    result = trained(fruit, {})
    assert result.resumed == 0 and "expected what Intertask wrote there for other by the" in capsys.readouterr().out
    same(trained_anew(fruit), result)


def test_what_other_code_kept_is_left_out(fruit, stopped, capsys, monkeypatch):
    monkeypatch.setattr(checkpoint, "__file__", __file__)
    assert trained(fruit, {"num_train_epochs": 1}).resumed == 0
    assert "found other content" in capsys.readouterr().out


def trained_anew(fruit):
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("INTERTASK_STAGING")
        return trained(fruit, {})


def test_a_checkpoint_is_of_json_and_safetensors_and_best_states_are_not_written_again(fruit, attempt, monkeypatch):
    folder, consider, files = attempt(1), checkpoint.Checkpoints.consider, {}

    def watched(checkpoints):
        consider(checkpoints)
        assert len(kept(folder)) == 1
        for path in folder.glob("*/*"):
            assert path.stat().st_mode & 0o666 == folder.stat().st_mode & 0o666  # as the umask says
            files.setdefault(path.name, set()).add(path.stat().st_ino)

    monkeypatch.setattr(checkpoint.Checkpoints, "consider", watched)
    trained(fruit, MIXED)
    bests = {name for name in files if name.startswith("best-")}
    others = {"model", "optimizer", "mixture", "generators"}
    assert files.keys() - bests == {"state.json", *(f"{name}.safetensors" for name in others)}
    assert len(bests) > 1 and all(len(files[name]) == 1 for name in bests)
    assert len(files["model.safetensors"]) > 1


def test_a_disk_that_is_full_leaves_the_run_going_without_a_checkpoint(fruit, attempt, capsys):
    folder, before = attempt(1), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        result = trained(fruit, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    same(trained_anew(fruit), result)
    said = capsys.readouterr().out
    assert said.count("No checkpoint could be written") == 1 and "File too large" in said and not kept(folder)


def test_a_checkpoint_does_not_take_the_last_of_a_disk(fruit, attempt, capsys, monkeypatch):
    folder = attempt(1)
    monkeypatch.setattr(checkpoint, "SPARE", float(shutil.disk_usage(folder.parent).total))
    trained(fruit, {"num_train_epochs": 1})
    assert "at step 1, 12% of the training: [Errno 28] No space left" in capsys.readouterr().out and not kept(folder)


def test_where_the_pool_was_moved_no_checkpoint_begins_it_anew(fruit, attempt, tmp_path, capsys):
    attempt(1)
    store.results_root().rename(tmp_path / "elsewhere")
    trained(fruit, {"num_train_epochs": 1})
    assert "No checkpoint could be written at step 1, 12%" in capsys.readouterr().out
    assert not store.results_root().exists()


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_run_of_less_than_ten_minutes_and_one_by_hand_write_none(by_hand, fruit, attempt, monkeypatch):
    folder = attempt(1)
    if by_hand:
        monkeypatch.delenv("INTERTASK_STAGING")
        result = trained(fruit, {})
    else:
        monkeypatch.setattr(checkpoint, "LONG", 600.0)
        monkeypatch.setattr(checkpoint, "LOSABLE", 60.0)
        with monkeypatch.context() as patched, pytest.raises(Stopped, match="has no checkpoint and begins anew"):
            kill_at(patched, "update", 10, lambda: os.kill(os.getpid(), signal.SIGTERM))
            trained(fruit, {})
        result = trained(fruit, {})
    assert not folder.exists() and "checkpoint" not in result.seconds


def test_a_shorter_run_that_is_stopped_keeps_what_took_a_minute(fruit, attempt, monkeypatch, capsys):
    undisturbed = trained(fruit, {})
    folder = attempt(1)
    monkeypatch.setattr(checkpoint, "LONG", 600.0)
    with monkeypatch.context() as patched, pytest.raises(Stopped, match="goes on from its checkpoint"):
        kill_at(patched, "update", 10, lambda: os.kill(os.getpid(), signal.SIGTERM))
        trained(fruit, {})
    assert kept(folder) == ["000000010.000001.1"] and store.reached("it") == "000000010.000001"
    attempt(2)
    same(undisturbed, trained(fruit, {}))
    assert "goes on from step 10" in capsys.readouterr().out and len(kept(folder)) == 1


def test_in_a_thread_no_signal_is_heeded(fruit, attempt):
    attempt(1)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(trained, fruit, {"num_train_epochs": 1}).result().steps == 8


def test_checkpoints_come_with_epochs_and_minutes_and_take_little_of_the_time(tmp_path, monkeypatch):
    """Writing takes 6 s here, of which 120 s must be worth it; epochs end every 100 s, and once there is none."""
    seconds, written = [0.0], []
    monkeypatch.setenv("INTERTASK_STAGING", str(tmp_path / "it.1"))
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: seconds[0])
    place = SimpleNamespace(position=1, total=100, step=1)
    clock = SimpleNamespace(trained=6.0, stop=lambda _: None)
    mixture = SimpleNamespace(ends_epoch=False)
    checkpoints = checkpoint.Checkpoints(SimpleNamespace(mixture=mixture, progress=place, clock=clock))

    def write():
        written.append(seconds[0])
        checkpoints.last, checkpoints.cost = seconds[0] + 6, 6.0

    monkeypatch.setattr(checkpoints, "_write", write)
    for seconds[0] in range(1, 1000):
        mixture.ends_epoch = seconds[0] % 100 == 0 and seconds[0] <= 400
        checkpoints.consider()
    assert written == [100, 300, 606, 912]
    clock.trained = 5.9  # in a hundredth: a run of less than ten minutes
    seconds[0] = 2000
    checkpoints.consider()
    assert len(written) == 4
