"""Mixtures: which task when, what its loss weighs, what was seen; one pass over several tasks is as good as many."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.training import prepare, train
from intertask.training.batches import schedule
from intertask.training.mixing import (
    Mixture,
    examples_per_epoch,
    micro_batches,
    weights,
)
from intertask.training.model import build_model, head_key
from intertask.training.train import Clock, Training
from intertask.weighting import loss_scales, probabilities, reweighted
from made_task import write_fruit

SCHEDULES = ["homogeneous", "heterogeneous", "forced_heterogeneous", "partition"]


def mixture(sizes, **parameters) -> Mixture:
    names = [f"t{place}" for place in range(len(sizes))]
    given = {"per_device_train_batch_size": 32, "single_scores": dict.fromkeys(names, 80.0)} | parameters
    run = Run(task=names[0], alongside=names[1:], **given)
    rng = np.random.default_rng(0)
    lengths = [rng.integers(3, 60, size) for size in sizes]
    return Mixture(run, lengths, [run.single_scores[name] for name in names], rng)


def epochs(mixed: Mixture, count: int) -> list[list]:
    found, batches = [], iter(mixed)
    for _ in range(count):
        found.append([])
        ended = False
        while not ended:
            batch, ended = next(batches)
            found[-1].append(batch)
    return found


@pytest.mark.parametrize(
    "sampling, expected",
    [
        ("proportional", [0.2, 0.8]),
        ("uniform", [0.5, 0.5]),
        ("log", [math.log(100) / math.log(40_000), math.log(400) / math.log(40_000)]),
        ("power_0.5", [1 / 3, 2 / 3]),
        ("power_1", [0.2, 0.8]),
        ([3, 1], [0.75, 0.25]),
        ("dynamic_softmax", [0.2, 0.8]),  # its first epoch
    ],
)
def test_probabilities_by_hand(sampling, expected):
    assert probabilities(sampling, [100, 400]) == pytest.approx(expected)


@pytest.mark.parametrize("sampling", ["proportional", "log", [2.0]])
def test_a_single_task_is_always_drawn(sampling):
    assert probabilities(sampling, [1]).tolist() == [1.0]


@pytest.mark.parametrize(
    "sampling, sizes", [("log", [1, 1]), ("power_1000", [100, 400]), ([1e308, 1e308], [1, 1])], ids=str
)
def test_weights_that_say_nothing_are_refused(sampling, sizes):
    """Divided by their sum they are no numbers, and an epoch of these never ends."""
    with pytest.raises(IntertaskError, match="sampling: expected weights with a finite sum above 0, found"):
        probabilities(sampling, sizes)


@pytest.mark.parametrize(
    "scaling, expected", [("uniform", [1, 1]), ("proportional", [0.25, 1]), ("power_0.5", [0.5, 1])]
)
def test_loss_scales_by_hand(scaling, expected):
    assert loss_scales(scaling, [100, 400]) == pytest.approx(expected)


@pytest.mark.parametrize(
    "sampling, current, expected",
    [
        ("dynamic_softmax", [60, 60], [1 / (1 + math.exp(-0.2)), 1 / (1 + math.exp(0.2))]),
        ("dynamic_softmax", [100, 0], [1 / (1 + math.exp(0.8)), 1 / (1 + math.exp(-0.8))]),  # .31 and .69 at most
        ("dynamic_gap", [60, 55], [0.8, 0.2]),  # gaps .2 and .05
        ("dynamic_gap", [90, 55], [0, 1]),  # the first is better than alone
        ("dynamic_gap", [90, 70], [0.5, 0.5]),  # both are
    ],
)
def test_dynamic_weights_by_hand(sampling, current, expected):
    assert reweighted(sampling, [80, 60], current) == pytest.approx(expected)


def test_dynamic_sampling_follows_the_last_scores():
    mixed = mixture([100, 400], sampling="dynamic_gap", batch_schedule="heterogeneous")
    history = [[60, 75], [80, 60], [90, 90]]  # alone both have 80
    drawn = []
    for scores in [*history, None]:
        before = mixed.seen.copy()
        epochs(mixed, 1) if scores is None else _one_epoch(mixed, scores)
        drawn.append((mixed.seen - before).tolist())
    assert drawn == [[100, 400], [400, 100], [0, 500], [250, 250]]


def _one_epoch(mixed, scores) -> None:
    """One epoch, at whose end the dev scores are those."""
    for task, index in [part for batch in mixed.batches for part in batch]:
        mixed.seen[task] += len(index)
    mixed.reweigh(scores)
    mixed._begin_epoch()


def test_examples_per_epoch_by_hand():
    even = np.array([0.5, 0.5])
    assert examples_per_epoch(np.array([0.2, 0.8]), [100, 400], 32, "sum").tolist() == [100, 400]
    assert examples_per_epoch(even, [100, 400], 32, "sum").tolist() == [250, 250]
    assert examples_per_epoch(even, [100, 401], 32, "sum").tolist() == [251, 250]  # of equal remainders the first
    # sixteen of each in a batch, and six such batches until the small task has less than sixteen left
    assert examples_per_epoch(even, [100, 400], 32, "shortest").tolist() == [96, 96]
    # MNLI and WNLI in the released code of Weller et al. 2022: 128 x .0016 rounds to none, and one is the least
    assert examples_per_epoch(np.array([0.9984, 0.0016]), [392_702, 634], 128, "shortest").tolist() == [
        128 * 634,
        634,
    ]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("sampling", ["proportional", "uniform", "log", "power_0.75", [0.1, 0.2, 0.7]])
def test_what_is_drawn_is_what_theory_says_and_is_counted(name, sampling):
    sizes = [64, 250, 1200]
    mixed = mixture(sizes, sampling=sampling, batch_schedule=name)
    count = 7
    drawn = [[], [], []]
    for batch in [batch for epoch in epochs(mixed, count) for batch in epoch]:
        for task, index in batch:
            drawn[task] += index.tolist()
    expected = count * sum(sizes) * probabilities(sampling, sizes)
    assert np.abs(np.array(list(map(len, drawn))) - expected).max() < count  # shared out anew in each epoch
    assert mixed.seen.tolist() == list(map(len, drawn))
    assert mixed.distinct == [len(set(examples)) for examples in drawn]
    for examples, size in zip(drawn, sizes, strict=True):  # no example twice before every one was seen
        times = np.bincount(examples, minlength=size)
        assert times.max() - times.min() <= 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_shows_everything_once_in_full_batches(name):
    rng = np.random.default_rng(0)
    lengths = [rng.integers(3, 60, size) for size in (70, 300)]
    drawn = [rng.permutation(70), rng.permutation(300)]
    batches = schedule(name, drawn, lengths, 32, rng)
    for task, size in enumerate((70, 300)):
        assert sorted(e for batch in batches for t, index in batch for e in index if t == task) == list(range(size))
    tasks = [[task for task, _ in batch] for batch in batches]
    sizes = sorted(sum(len(index) for _, index in batch) for batch in batches)
    match name:
        case "homogeneous":
            assert sizes == [6, 12] + [32] * 11  # 70 is twice 32 and 6, 300 nine times and 12
            assert all(len(own) == 1 for own in tasks) and tasks != sorted(tasks)
        case "partition":
            assert tasks == [[0]] * 3 + [[1]] * 10
        case "heterogeneous":
            assert sizes[1:] == [32] * 11 and sum(len(own) == 2 for own in tasks) > 6
        case "forced_heterogeneous":
            shares = [[len(index) for _, index in batch] for batch in batches]
            assert len(batches) == 12 and {first for first, _ in shares} == {5, 6}  # 70 in twelve batches
            assert {second for _, second in shares} == {25}


def test_forced_batches_are_exact_where_an_epoch_ends_with_the_shortest():
    mixed = mixture([100, 6000], sampling=[0.25, 0.75], epoch_length="shortest", batch_schedule="forced_heterogeneous")
    (batches,) = epochs(mixed, 1)
    assert [[len(index) for _, index in batch] for batch in batches] == [[8, 24]] * 12


def test_heterogeneous_batches_hold_like_lengths():
    mixed = mixture([3200, 3200], batch_schedule="heterogeneous")
    (batches,) = epochs(mixed, 1)
    spread = [np.ptp(np.concatenate([mixed.lengths[task][index] for task, index in batch])) for batch in batches]
    assert max(spread) <= 4  # of lengths from 3 to 59


def test_weights_of_losses_by_hand():
    batch = [(0, np.arange(8)), (1, np.arange(24))]
    scales = np.array([0.5, 1.0])

    def examples(task, index):
        return len(index)

    assert weights(batch, batch, scales, "sum_of_means", examples) == [0.5, 1.0]
    assert weights(batch, batch, scales, "mean", examples) == [0.5 * 8 / 32, 24 / 32]
    parts = micro_batches(batch, 4)
    assert [[len(index) for _, index in part] for part in parts] == [[2, 6]] * 4
    assert sum(weights(batch, part, scales, "mean", examples)[1] for part in parts) == pytest.approx(24 / 32)
    assert len(micro_batches([(0, np.arange(2))], 4)) == 2

    def tokens(task, index):
        return int((1 + index).sum())  # of the eight 36, of the first two 3

    assert weights(batch, parts[0], scales, "sum_of_means", tokens)[0] == 0.5 * (8 * 3 / 36) / 8
    assert weights(batch, parts[0], scales, "mean", tokens)[0] == 0.5 * (8 * 3 / 36) / 32
    assert weights(batch, batch, scales, "mean", tokens) == [0.5 * 8 / 32, 24 / 32]
    assert weights(batch, parts[0], scales, "mean", lambda *_: 0) == [0, 0]  # nothing to predict


@pytest.fixture(scope="module")
def fruit(tmp_path_factory):
    return str(write_fruit(tmp_path_factory.mktemp("fruit")))


MANY = ["mini/rte", "mini/stsb", "mini/hellaswag", "mini/wic", "mini/ccg", "mini/qamr", "mini/text", "mini/record"]


@pytest.fixture(scope="module")
def model():
    """One encoder with a head for each of many formats."""
    run = Run(task=MANY[0], alongside=[{"task": task, "limit": 40} for task in MANY[1:]], max_length=96)
    return build_model(run, prepare(run), "mini/bert")


def gradients(model) -> torch.Tensor:
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    for p in model.parameters():
        p.grad = None
    return found


def test_one_pass_over_many_formats_is_as_good_as_one_pass_each(model):
    model.train(False)  # no dropout
    batch = [(place, np.arange(3) + place) for place in range(len(MANY))]
    apart = [model.losses([one], np.random.default_rng(place))[0] for place, one in enumerate(batch)]
    sum(apart).backward()
    of_apart = gradients(model)
    corrupted = MANY.index("mini/text")  # what is masked is drawn: give it the same draw
    rng = np.random.default_rng(corrupted)
    together = model.losses(batch, rng)
    sum(together).backward()
    torch.testing.assert_close(torch.stack(together), torch.stack(apart), atol=1e-6, rtol=0)
    torch.testing.assert_close(gradients(model), of_apart, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("batch_loss", ["sum_of_means", "mean"])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(model, batch_loss):
    model.train(False)
    batch, scales = [(0, np.arange(8)), (1, np.arange(4))], np.linspace(0.5, 1, len(MANY))
    batch += [(MANY.index(task), np.arange(8)) for task in ("mini/ccg", "mini/qamr")]  # words, and windows
    same_in_parts(model, batch, scales, batch_loss)


OF_TOKENS = {
    "causal_language_modelling": ("mini/gpt", {"unused": ["written"]}),
    "bidirectional_language_modelling": ("mini/bilm", {"unused": ["written"]}),
    "sequence_to_sequence": ("mini/bert", {"label": "written"}),
}


@pytest.mark.parametrize("name", OF_TOKENS)
def test_a_batch_of_texts_in_parts_has_the_gradient_of_all_their_tokens(name, tmp_path):
    encoder, more = OF_TOKENS[name]
    texts = ["an apple", "it is", "the red apple is on the table", "so"] * 3
    pd.DataFrame({"text": texts, "written": texts[::-1]}).to_csv(tmp_path / "a.csv", index=False)
    entry = {"files": {"train": "a.csv", "validation": "a.csv"}, "format": name, "inputs": ["text"], **more}
    (tmp_path / "tasks.yaml").write_text(json.dumps({"texts": entry}))
    run = Run(task="texts", task_file=str(tmp_path / "tasks.yaml"), encoder=encoder, dropout=0.0)
    model = build_model(run, prepare(run), run.encoder)
    for module in model.encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.train()
    same_in_parts(model, [(0, np.arange(9))], np.ones(1), "sum_of_means")


def test_a_batch_in_parts_has_the_auxiliary_gradient_of_all_its_tokens(tmp_path):
    texts = ["an apple", "it is", "the red apple is on the table", "so"] * 3
    pd.DataFrame({"text": texts, "label": [0, 1, 1] * 4}).to_csv(tmp_path / "a.csv", index=False)
    entry = {"files": {"train": "a.csv", "validation": "a.csv"}, "format": "classification", "inputs": ["text"]}
    (tmp_path / "tasks.yaml").write_text(json.dumps({"texts": entry | {"label": "label"}}))
    auxiliary = {"language_modelling_weight": 0.5, "pooling": "last"}
    run = Run(task="texts", task_file=str(tmp_path / "tasks.yaml"), encoder="mini/gpt", **auxiliary)
    model = build_model(run, prepare(run), run.encoder)
    model.train(False)
    same_in_parts(model, [(0, np.arange(9))], np.ones(1), "sum_of_means")


def test_parts_of_a_batch_weigh_by_the_questions_with_an_answer_in_a_window(tmp_path):
    far = "so " * 30  # between the two halves of an answer, which thus lies in no window
    rows = [{"text": "an apple is here", "ask": "what ?", "answer": "apple"}] * 3
    rows += [{"text": f"apple {far}pear", "ask": "what ?", "answer": f"apple {far}pear"}] * 5
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    entry = {"files": {"train": "a.jsonl", "validation": "a.jsonl"}, "format": "extractive_qa"}
    entry |= {"inputs": ["ask", "text"], "label": "answer"}
    (tmp_path / "tasks.yaml").write_text(json.dumps({"asked": entry}))
    run = Run(task="asked", task_file=str(tmp_path / "tasks.yaml"), encoder="mini/bert", max_length=24)
    model = build_model(run, prepare(run), run.encoder)
    assert [model.terms[0](0, np.arange(first, 8)) for first in (0, 2, 3)] == [3, 1, 0]
    model.train(False)
    same_in_parts(model, [(0, np.arange(8))], np.ones(1), "sum_of_means")


def same_in_parts(model, batch, scales, batch_loss) -> None:
    found = []
    for parts, at_once in [(1, {}), (4, {}), (2, {"train": 1})]:
        run, model.at_once = Run(task="any", gradient_accumulation_steps=parts, batch_loss=batch_loss), at_once
        training = Training(run, model, Clock())
        training.scales = scales
        found.append((training.gradient(batch), gradients(model)))
    for loss, gradient in found[1:]:
        torch.testing.assert_close(found[0][0], loss)
        torch.testing.assert_close(found[0][1], gradient, atol=1e-6, rtol=1e-4)


def trained(task_file, **parameters):
    values = {"learning_rate": 2e-3, "num_train_epochs": 2, "per_device_train_batch_size": 8, "max_length": 16}
    run = Run(task_file=task_file, **{"task": "fruit", "alongside": ["ripeness"]} | values | parameters)
    return train(run, prepare(run), "mini/bert")


@pytest.mark.parametrize("name", SCHEDULES)
def test_two_tasks_are_learned_together_and_scored_each_at_its_best(fruit, name):
    result = trained(fruit, batch_schedule=name, num_train_epochs=4)
    best = result.curve.groupby("task")["main"].max()
    for task, outcome in result.tasks.items():
        assert outcome.scores["validation"]["main"] == best[task] > outcome.majority["validation"]["main"]
        assert outcome.examples_seen == 4 * 64 and outcome.distinct_examples == 64
    assert list(result.tasks) == ["fruit", "ripeness"] and result.main is result.tasks["fruit"]


def test_the_average_selects_one_checkpoint_for_all(fruit):
    result = trained(fruit, selection="average", num_train_epochs=3)
    means = result.curve.groupby("step")["main"].mean()
    assert {outcome.best_step for outcome in result.tasks.values()} == {means.idxmax()}


def test_the_model_is_left_at_the_best_checkpoint_of_the_first_task(fruit):
    result = trained(fruit, num_train_epochs=3)
    part = result.model.parts[0]
    batch = result.model.batch(part, part.encoded["validation"], np.arange(8), None)
    result.model.train(False)
    with torch.inference_mode():
        logits = result.model.logits(part, batch).numpy()
    own = result.main.predictions.query("split == 'validation'").head(8)
    np.testing.assert_allclose(logits, np.stack(own.logits), atol=1e-5)


def test_training_ends_by_steps_or_by_examples_of_the_first_task(fruit):
    assert trained(fruit, max_steps=5).steps == 5
    result = trained(fruit, max_examples=40, sampling=[1, 3], batch_schedule="forced_heterogeneous")
    assert result.main.examples_seen == 40 and result.tasks["ripeness"].examples_seen == 120
    assert result.steps == 20  # two and six to a batch


def test_an_epoch_that_ends_with_the_shortest_ends_the_training_too(fruit):
    parameters = {"sampling": "dynamic_softmax", "single_scores": {"fruit": 100, "ripeness": 90}}
    result = trained(fruit, **parameters, epoch_length="shortest", batch_schedule="heterogeneous", limit=16)
    # first .2 and .8, that is 2 and 6 in each of 8 batches; then as the dev scores say
    first, *_, last = result.curve.p[::2]
    assert first == 0.2 and last != 0.2
    each = [max(1, round(8 * share)) for share in (last, 1 - last)]
    batches = min(16 // each[0], 64 // each[1])
    steps = math.ceil(batches * sum(each) / 8)
    assert result.curve.step.tolist() == [8, 8, 8 + steps, 8 + steps]
    assert result.main.examples_seen == 16 + batches * each[0]
    assert result.tasks["ripeness"].examples_seen == 48 + batches * each[1]


def test_heads_are_shared_by_tasks_with_as_many_labels():
    run = Run(task="mini/rte", alongside=["mini/wnli", "mini/mnli", "mini/stsb"], heads="shared")
    tasks = prepare(run)
    shared = build_model(run, tasks, "mini/bert")
    rte, wnli, mnli, stsb = shared.parts
    assert shared.head(rte) is shared.head(wnli) and len({id(shared.head(p)) for p in (rte, mnli, stsb)}) == 3
    own = build_model(run.model_copy(update={"heads": "per_task"}), tasks, "mini/bert")
    assert len(own.heads) == 4


def test_every_task_has_a_head_whatever_its_name_is():
    names = ["my.task", "my_task", "my/task", "train", "keys", "type", "a.b_c", "a_b.c"]
    assert len(torch.nn.ModuleDict({head_key(name): torch.nn.Identity() for name in names})) == len(names)


@pytest.mark.parametrize("heads, reused", [("shared", True), ("per_task", False)])
def test_a_head_is_reused_where_the_parent_has_one_that_fits(tmp_path, heads, reused):
    from intertask.training.model import save_model

    first = Run(task="mini/wnli", heads=heads)
    parent = build_model(first, prepare(first), "mini/bert")
    save_model(parent, tmp_path / "encoder")
    run = Run(task="mini/rte", heads=heads, reuse_head=True, head_seed=5)
    child = build_model(run, prepare(run), tmp_path / "encoder")
    weights = [model.head(model.parts[0]).linear.weight for model in (child, parent)]
    assert torch.equal(weights[0], weights[1][[1, 0]]) == reused  # wnli names not_entailment first


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"alongside": ["fruit"]}, "expected each task of a mixture once, found fruit twice"),
        (
            {"sampling": [1, 2, 3]},
            r"expected a number for each of fruit, ripeness, in this order, found \[1.0, 2.0, 3.0\]",
        ),
        ({"sampling": "dynamic_gap"}, "dynamic_gap needs the score that each task has alone: .* found none"),
        ({"max_steps": 3, "max_examples": 3}, "expected one of them, found both"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(parameters, message):
    with pytest.raises(IntertaskError, match=message):
        Run(**{"task": "fruit", "alongside": ["ripeness"]} | parameters)


@pytest.mark.parametrize("sampling", ["propotional", "power_x", [0.5, -1]])
def test_a_sampling_that_does_not_exist_is_refused(sampling):
    with pytest.raises(IntertaskError, match="sampling"):
        Run.checked({"task": "fruit", "alongside": ["ripeness"], "sampling": sampling})
