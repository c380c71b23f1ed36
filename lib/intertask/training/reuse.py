"""What lies beside a stored encoder of its heads, and with what of it a new task's head begins."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from intertask.encoders.own_head import own_weights
from intertask.errors import refusal
from intertask.formats import Format
from intertask.run import Run
from intertask.studies.ready import own_order

HEADS = "heads.safetensors"
"""Beside a stored encoder: the heads that were trained with it."""

WHOSE = "tasks"
"""In its metadata, beside what the formats of its heads learned: of every task its head, and its entry with the labels'
names."""

FRESH = "its head is fresh"


def stored_tasks(folder: Path) -> dict[str, dict[str, Any]]:
    """Of every task whose head lies beside a stored encoder: `head`, its key, and `entry`, with the labels' names."""
    with safe_open(folder / HEADS, "pt") as stored:
        tasks = (stored.metadata() or {}).get(WHOSE)
    if tasks is None:
        remedy = "Make the run anew: intertask run STUDY --redo RUN."
        raise refusal(folder / HEADS, "heads with the names of their tasks and labels", "none", remedy)
    return json.loads(tasks)


def learned_before(folder: Path, head: str) -> str:
    """What the format of the head stored in the folder had learned; empty: nothing, or there is no such head."""
    if not (folder / HEADS).is_file():
        return ""
    with safe_open(folder / HEADS, "pt") as stored:
        return (stored.metadata() or {}).get(head, "")


def stored_head(folder: Path, key: str) -> dict[str, torch.Tensor]:
    """The weights of the head that was stored beside an encoder under a key; none: there is no such head."""
    stored = load_file(folder / HEADS) if (folder / HEADS).is_file() else {}
    return {name.removeprefix(f"{key}."): value for name, value in stored.items() if name.startswith(f"{key}.")}


def begin_as_stored(head: nn.Module, key: str, tasks: dict[str, Format], folder: Path) -> str:
    """Fills in a head with the one stored under its key, its outputs in the order of the labels, and says so.

    tasks: the formats of those that share it. Raises IntertaskError where the labels of the same task have other names.
    """
    weights, shapes = stored_head(folder, key), {name: one.shape for name, one in head.state_dict().items()}
    if not weights:
        return f"{FRESH}: none that was trained with the encoder is for it"
    if shapes != {name: one.shape for name, one in weights.items()}:
        return f"{FRESH}: the one that was trained with the encoder has another form"
    head.load_state_dict(weights)
    there = {name: one["entry"].get("labels") for name, one in stored_tasks(folder).items() if one["head"] == key}
    task = next((name for name in tasks if name in there), next(iter(tasks)))
    names = tasks[task].entry.labels
    if not names or last_layer(head).out_features != len(names):  # of no label an output
        return f"its head begins as that of {task if task in there else next(iter(there))}"
    if task in there and sorted(names) != sorted(there[task]):
        remedy = "Give them their names back, or leave reuse_head out."
        raise refusal(f"reuse_head, {task}", f"the labels of the head there, {there[task]}", f"{names}", remedy)
    same = next((one for one in (task, *there) if sorted(there.get(one, [])) == sorted(names)), None)
    if same is None:  # as the released code of Weller et al. 2022 shares heads
        whose = "; ".join(f"{one} ({', '.join(labels)})" for one, labels in there.items())
        return f"its head begins as that of {whose}, by position: its own labels are {', '.join(names)}"
    return f"its head begins as that of {same}" + rearranged(head, [there[same].index(name) for name in names], names)


def begin_as_own(head: nn.Module, tasks: dict[str, Format], run: Run, encoder: nn.Module, start: str | Path) -> str:
    """The same with the head that a ready-made checkpoint has, if that is one for the task (`ready.own_order`)."""
    found = [own_order(run, form, start) for form in tasks.values()][0]  # of all that share it, as `check`
    if not found:
        return f"{FRESH}: the encoder comes with none for it"
    (own, order), form = found, next(iter(tasks.values()))
    weights = own_weights(start, own)
    head.load_state_dict({name: weights.pop(name) for name in head.state_dict()})
    encoder.load_state_dict(weights, strict=False)  # the pooler's, where its first layer becomes that
    return f"its head begins as the encoder's own, of {own.kind}" + rearranged(head, order, form.entry.labels)


def rearranged(head: nn.Module, places: list[int], names: list[str]) -> str:
    """Puts the outputs of a head in another order, `places` in the one that they have; says so, if it is another."""
    if places == sorted(places):
        return ", whose labels have the same order"
    layer = last_layer(head)
    layer.load_state_dict({name: weights[places] for name, weights in layer.state_dict().items()})
    return f", its outputs put in the order {', '.join(names)}"


def last_layer(head: nn.Module) -> nn.Linear:
    return [layer for layer in head.modules() if isinstance(layer, nn.Linear)][-1]
