"""What runs are computed on and in: what auto takes, what is refused, and that float16 loses no gradients."""

import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from intertask import origin
from intertask.origin import computed_by
from intertask.run import Run
from intertask.training import prepare, train
from intertask.training.model import build_model
from intertask.views import run_view
from made_study import write_encoder
from made_task import write_fruit

LOOP = import_module("intertask.training.train")

STEPS = {"num_train_epochs": 2, "learning_rate": 2e-3, "per_device_train_batch_size": 8, "max_length": 16}


@pytest.fixture(scope="module")
def fruit(tmp_path_factory) -> dict:
    """A task and an encoder of one layer."""
    folder = tmp_path_factory.mktemp("fruit")
    return {"task": "fruit", "task_file": str(write_fruit(folder)), "encoder": str(write_encoder(folder / "encoder"))}


def run_of(fruit, **parameters) -> Run:
    return Run(**{"device": "cpu"} | fruit | STEPS | parameters)


def trained(fruit, **parameters):
    run = run_of(fruit, **parameters)
    return train(run, prepare(run), run.encoder)


@pytest.mark.parametrize(
    ("system", "nodes", "cuda", "mps", "found"),
    [
        ("linux", False, True, False, ("cpu",)),  # torch is not even asked
        ("linux", True, True, False, ("cuda", "cpu")),
        ("linux", True, False, False, ("cpu",)),
        ("darwin", False, False, True, ("mps", "cpu")),
        ("darwin", False, False, False, ("cpu",)),
    ],
)
def test_the_devices_that_are_there(system, nodes, cuda, mps, found, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(origin.Path, "glob", lambda *_: iter(["nvidia0"] if nodes else []))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert origin.devices.__wrapped__() == found


@pytest.mark.parametrize(("cards", "precisions"), [("11", "bfloat16 float32 float16"), ("10", "float32 float16")])
def test_bfloat16_is_taken_where_every_card_has_it_and_not_by_emulation(cards, precisions, tmp_path, monkeypatch):
    """By another process, to which this torch says what its cards can do."""
    (tmp_path / "torch.py").write_text(f"""
class cuda:
    card = None
    class device:
        def __init__(self, card): self.card = card
        def __enter__(self): cuda.card = self.card
        def __exit__(self, *_): cuda.card = None
    def device_count(): return {len(cards)}
    def is_bf16_supported(including_emulation=True): return including_emulation or {cards!r}[cuda.card] == "1"
""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv(origin.BFLOAT16, "")
    monkeypatch.delenv(origin.BFLOAT16)
    monkeypatch.setattr(origin, "devices", lambda: ("cuda", "cpu"))
    assert origin._abilities_here.__wrapped__()["cuda"] == precisions
    assert os.environ[origin.BFLOAT16] == min(cards)  # for the processes of its runs


AMPERE = {"cpu": "float32 bfloat16 float16", "cuda": "bfloat16 float32 float16"}
TURING = AMPERE | {"cuda": "float32 float16"}
MAC = {"cpu": "float32 bfloat16 float16", "mps": "float32 float16"}


@pytest.mark.parametrize(
    ("machine", "asked", "taken"),
    [
        (AMPERE, ("auto", "auto"), ("cuda", "bfloat16")),
        (AMPERE, ("cpu", "auto"), ("cpu", "float32")),
        (AMPERE, ("auto", "float16"), ("cuda", "float16")),
        (TURING, ("auto", "auto"), ("cuda", "float32")),
        (
            TURING,
            ("cuda", "bfloat16"),
            "precision, device cuda: expected one that is there: float32, float16, found",
        ),
        (MAC, ("auto", "auto"), ("mps", "float32")),
        (
            MAC,
            ("mps", "bfloat16"),
            "precision, device mps: expected one that is there: float32, float16, found",
        ),
        (
            MAC,
            ("cuda", "auto"),
            "device: expected one that is there: mps, cpu, found cuda. Name one of these",
        ),
    ],
)
def test_what_is_taken_of_a_machine_s_devices(machine, asked, taken, monkeypatch, refused):
    monkeypatch.setattr(origin, "elsewhere", machine | dict.fromkeys(origin.COMPUTING, "1.0"))
    if isinstance(taken, str):
        refused(lambda: Run(task="mini/rte", device=asked[0], precision=asked[1]).id(), taken)
    else:
        found = computed_by(*asked)
        assert (found["device"], found["precision"]) == taken


def test_what_was_taken_counts_however_it_was_said(monkeypatch):
    monkeypatch.setattr(origin, "devices", lambda: ("cpu",))
    same = [{}, {"device": "cpu"}, {"precision": "float32"}, {"device": "cpu", "precision": "float32"}]
    assert len({Run(task="mini/rte", **said).id() for said in same}) == 1
    ids = {Run(task="mini/rte", precision=precision).id() for precision in ("auto", "bfloat16", "float16")}
    assert len(ids) == 3


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_it_learns_in_half_the_bits_with_weights_in_all(fruit, precision):
    result = trained(fruit, precision=precision, num_train_epochs=8)
    assert result.main.scores["validation"]["main"] > 90 > result.main.majority["validation"]["main"]
    assert {weights.dtype for weights in result.model.parameters()} == {torch.float32}
    assert run_view.computed_on(result) == f"Computed on cpu in {precision}."
    whole = trained(fruit, num_train_epochs=8)
    logits = [np.stack(one.main.predictions.logits) for one in (result, whole)]
    assert not np.array_equal(*logits), "it was computed in float32"


@pytest.mark.parametrize(
    "parameters",
    [
        {"task": "mini/translation"}, {"task": "mini/text_words", "encoder": "mini/elmo"}, {"task": "mini/qamr"},
        {"task": "mini/text"}, {"task": "mini/mrpc", "encoder": "mini/bilstm", "classifier": "small"},
    ],
    ids=lambda parameters: parameters["task"],
)  # fmt: skip
def test_every_kind_of_head_and_encoder_computes_in_float16(parameters):
    run = Run(**parameters, device="cpu", precision="float16", limit=8, max_steps=1, max_length=48)
    tasks = prepare(run)
    for one in tasks.values():
        one.splits.update({split: rows.head(8) for split, rows in one.splits.items()})
    assert np.isfinite(train(run, tasks, run.encoder).curve["train_loss"]).all()


def test_what_a_frozen_encoder_reads_is_kept_in_float32_for_every_precision(fruit, empty_cache):
    found = [trained(fruit, tuning="frozen", pooling="mean", precision=p) for p in ("float32", "bfloat16")]
    kept = [one.model.parts[0].encoded["train"].features for one in found]
    assert np.array_equal(*kept)
    assert not np.array_equal(*[np.stack(one.main.predictions.logits) for one in found])


def test_a_gradient_too_large_for_float16_leaves_its_step_out_and_halves_the_scale(fruit):
    run = run_of(fruit, precision="float16")
    training = LOOP.Training(run, build_model(run, prepare(run), run.encoder), LOOP.Clock())
    training.scaler._init_scale = 2.0**40
    training.model.train()
    before = training.model.state()
    training.step()
    for old, new in zip(before, training.model.state(), strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert training.scaler.get_scale() == 2.0**39 and training.progress.step == 1
    training.scaler.load_state_dict(training.scaler.state_dict() | {"scale": 2.0**4})
    training.step()
    head = training.model.state()[-1]
    assert not any(torch.equal(weights, head[name]) for name, weights in before[-1].items())
    assert training.scaler.get_scale() == 2.0**4


def test_in_float32_nothing_is_scaled(fruit):
    run = run_of(fruit)
    training = LOOP.Training(run, build_model(run, prepare(run), run.encoder), LOOP.Clock())
    loss = torch.ones(())
    assert training.scaler.scale(loss) is loss and training.scaler.state_dict() == {}


class Doubles(TorchDispatchMode):
    """Notes which operations make numbers in double precision, which MPS does not have."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **kwargs or {})
        # that takes an array over, on the processor; who wants it elsewhere moves it
        made_here = [] if function == torch.ops.aten.lift_fresh.default else made
        for one in made_here if isinstance(made_here, tuple | list) else [made_here]:
            if isinstance(one, torch.Tensor) and one.dtype in (torch.float64, torch.complex128):
                self.found.add(str(function))
        return made


@pytest.mark.parametrize("task", ["mini/rte", "mini/stsb", "mini/copa", "mini/ner", "mini/qamr", "mini/text"])
def test_a_training_asks_for_nothing_in_double_precision(task):
    """As far as MPS can be followed without a Mac."""
    run = Run(task=task, device="cpu", limit=8, max_steps=1, max_length=32, per_device_train_batch_size=8)
    tasks = prepare(run)
    for one in tasks.values():
        one.splits.update({split: rows.head(8) for split, rows in one.splits.items()})
    with Doubles() as doubles:
        train(run, tasks, run.encoder)
    assert not doubles.found


def test_what_dropout_draws_on_a_mac_is_part_of_a_training_s_state(monkeypatch):
    drawn = [torch.tensor([1, 2], dtype=torch.uint8)]
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: drawn[0])
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: drawn.insert(0, state))
    rng, device = np.random.default_rng(0), torch.device("mps")
    state = LOOP.generators(rng, device)
    drawn.insert(0, None)
    LOOP.restore(state, rng, device)
    assert torch.equal(drawn[0], torch.tensor([1, 2], dtype=torch.uint8))
    assert "device" not in LOOP.generators(rng, torch.device("cpu"))


def test_what_computes_on_a_mac_is_there():
    """torch's own words: fused AdamW, autocast and scaled gradients know the device."""
    from torch.utils._foreach_utils import _get_fused_kernels_supported_devices

    assert "mps" in _get_fused_kernels_supported_devices()
    assert torch.amp.autocast_mode.is_autocast_available("mps")
    assert "mps" in Path(torch.amp.grad_scaler.__file__).read_text()
