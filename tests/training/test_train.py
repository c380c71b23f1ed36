"""The training of one stage, on a task of a few dozen sentences with a real (small) encoder."""

import json
import os
import platform
import resource
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from intertask.encoders.pretrained import load_encoder
from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.tasks.load import load_task
from intertask.training import frozen, prepare, train
from intertask.training.model import build_model
from intertask.training.train import Best, Linear, Plateau, Progress, adamw, keep_memory
from made_task import write_fruit


@pytest.fixture(scope="module")
def fruit(tmp_path_factory):
    return str(write_fruit(tmp_path_factory.mktemp("fruit")))


def trained(task_file, **parameters):
    values = {
        "task": "fruit",
        "num_train_epochs": 4,
        "learning_rate": 2e-3,
        "per_device_train_batch_size": 8,
        "max_length": 16,
    }
    run = Run(task_file=task_file, **{**values, **parameters})
    return train(run, prepare(run), run.encoder)


@pytest.fixture(scope="module")
def result(fruit):
    return trained(fruit)


def test_it_learns(result):
    assert result.main.scores["validation"]["main"] > 90 > result.main.majority["validation"]["main"] == 50
    assert not result.main.degenerate and not result.main.constant_predictions
    assert (result.steps, result.main.examples_seen) == (32, 256)


def test_of_rows_without_targets_nothing_is_learned_or_scored(tmp_path):
    """In batches of one, as in parts of one."""
    target = [{"span": [1, 2], "label": "fruit"}, {"span": [2, 3], "label": "deed"}]
    rows = [{"text": "the apple fell", "targets": target * (place % 2)} for place in range(8)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    entry = {"files": {"train": "a.jsonl", "validation": "a.jsonl"}, "format": "span_classification"}
    entry |= {"inputs": ["text"], "spans": ["targets.span"], "label": "targets.label"}
    (tmp_path / "tasks.yaml").write_text(json.dumps({"found": entry}))
    one = {"per_device_train_batch_size": 1, "per_device_eval_batch_size": 1}
    outcome = trained(str(tmp_path / "tasks.yaml"), task="found", **one).main
    assert (outcome.examples_seen, len(outcome.predictions)) == (32, 8)
    assert np.isfinite(outcome.scores["validation"]["main"])


def test_the_same_run_gives_the_same_bits(fruit, result):
    again = trained(fruit)
    pd.testing.assert_frame_equal(result.main.predictions, again.main.predictions, check_exact=True)
    pd.testing.assert_frame_equal(result.curve, again.curve, check_exact=True)


@pytest.mark.parametrize("seed", ["seed", "order_seed", "head_seed", "dropout_seed"])
def test_every_seed_changes_the_result(fruit, result, seed):
    other = trained(fruit, **{seed: 7})
    assert not np.array_equal(np.stack(result.main.predictions.logits), np.stack(other.main.predictions.logits))


def test_the_scores_are_those_of_the_best_checkpoint(result):
    best = result.curve.main.max()
    assert result.main.scores["validation"]["main"] == best
    assert result.main.best_step == result.curve.set_index("step").main.idxmax()


def test_an_unlabelled_test_split_is_predicted_and_not_scored(result):
    test = result.main.predictions[result.main.predictions.split == "test"]
    assert len(test) == 8 and test.label.isna().all() and test.prediction.isin([0, 1]).all()
    assert list(result.main.scores) == ["validation"]


def test_regression_learns_in_its_own_units(fruit):
    result = trained(fruit, task="ripeness")
    predictions = result.main.predictions
    assert result.main.scores["validation"]["pearson"] > 90
    means = predictions.groupby("label").prediction.mean()  # nearer to their own label, 0 or 5, than to the other
    assert (means - means.index).abs().max() < 2.5


def test_shuffled_labels_teach_nothing_and_keep_their_counts(fruit):
    run = Run(task="fruit", task_file=fruit, shuffle_labels=True)
    plain, shuffled = load_task("fruit", fruit), prepare(run)["fruit"]
    assert shuffled.splits["train"].label.value_counts().to_dict() == {0: 32, 1: 32}
    assert not shuffled.splits["train"].label.equals(plain.splits["train"].label)
    assert shuffled.splits["validation"].label.equals(plain.splits["validation"].label)


def test_holdout_selects_on_one_part_and_reports_on_the_other(fruit):
    result = trained(fruit, holdout=0.25)
    assert {split: len(rows) for split, rows in result.main.task.splits.items()} == {
        "train": 64, "test": 8, "validation_select": 24, "validation_report": 8,
    }  # fmt: skip
    assert result.main.reported == "validation_report"
    assert result.curve.main.max() == result.main.scores["validation_select"]["main"]


def test_texts_without_a_target_teach_nothing_and_stop_no_run(tmp_path):
    """Also where a whole batch, or a part of one, has none."""
    span = [{"span": [1, 2], "fruit": "apple"}, {"span": [3, 4], "fruit": "plum"}]
    rows = pd.DataFrame({"text": ["the apple or plum"] * 12, "targets": [span, [], []] * 4})
    rows.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    entry = {"files": dict.fromkeys(["train", "validation"], "rows.jsonl"), "format": "span_classification"}
    entry |= {"inputs": ["text"], "spans": ["targets.span"], "label": "targets.fruit"}
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"fruit": entry}))
    sizes = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2, "per_device_eval_batch_size": 2}
    result = trained(str(tmp_path / "tasks.yaml"), **sizes, num_train_epochs=8)
    assert result.main.scores["validation"]["main"] == 100 and len(result.main.predictions) == 8


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_loss_that_is_not_finite_stops_the_run(fruit):
    with pytest.raises(IntertaskError, match=r"loss became (nan|inf) at step \d+: .*lower learning_rate"):
        trained(fruit, learning_rate=1e30, warmup_steps=0, max_grad_norm=1e30)


def test_a_run_that_says_the_same_of_every_example_is_marked_and_has_the_score_of_that(fruit):
    result = trained(fruit, learning_rate=3.0, warmup_steps=0, num_train_epochs=1)
    assert result.main.constant_predictions and result.main.degenerate
    assert result.main.scores["validation"]["main"] == 50.0


def test_training_stops_when_patience_is_out(fruit):
    result = trained(fruit, learning_rate=1e-12, early_stopping_patience=2, num_train_epochs=9)
    assert result.curve.epoch.tolist() == [1, 2, 3]
    assert result.main.best_step == 8


def test_evaluations_may_come_at_a_share_of_the_steps(fruit):
    assert trained(fruit, num_train_epochs=2, eval_steps=0.25).curve.step.tolist() == [4, 8, 12, 16]


def test_of_several_tasks_evaluations_come_as_much_later_as_there_are_tasks(fruit):
    """Wang et al. 2019, appendix B: of 9 tasks every 9,000 steps instead of every 1,000."""
    mixture = SimpleNamespace(batches=[[(0, [0])]] * 24, seen=[0])
    for times, due in {False: [5, 10, 15, 20, 24], True: [15, 24]}.items():
        run = Run(task="a", alongside=["b", "c"], num_train_epochs=1, eval_steps=5, eval_steps_per_task=times)
        progress, found = Progress(run, mixture), []
        for progress.step in range(1, 25):
            found += [progress.step] * progress.evaluates(False)
        assert found == due


def test_the_sequence_must_fit_the_encoder(fruit):
    with pytest.raises(IntertaskError, match="max_length: 512 tokens, but mini/bert reads at most 128"):
        trained(fruit, max_length=512)


def test_a_task_without_training_data_is_refused():
    with pytest.raises(IntertaskError, match="mini/ax has no train split"):
        prepare(Run(task="mini/ax"))


def test_of_equal_checkpoints_the_earliest_is_kept():
    class Counted:
        state = staticmethod(lambda: "state")

    best = Best()
    for step, score in enumerate([50.0, 60.0, 60.0, 55.0], start=1):
        best.update(score, step, Counted)
    assert (best.score, best.step, best.evaluations_since) == (60.0, 2, 2)


@pytest.mark.parametrize("warmup", [0, 3])
def test_the_schedule_is_the_linear_one_of_transformers(warmup):
    from transformers import get_linear_schedule_with_warmup

    rates = []
    progress = SimpleNamespace(position=0, total=10)
    for schedule_of in (
        lambda optimizer, warmup, _: Linear(optimizer, warmup, progress),
        get_linear_schedule_with_warmup,
    ):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
        schedule = schedule_of(optimizer, warmup, 10)
        rates.append([])
        for _ in range(10):
            rates[-1].append(schedule.get_last_lr()[0])
            optimizer.step()
            progress.position += 1
            schedule.step()
    assert rates[0] == pytest.approx(rates[1])


def test_amsgrad_is_torchs_of_adam_where_nothing_decays(fruit):
    """AdamW's decay is apart from its steps: without it this is Adam by AMSGrad, with which Wang et al. train."""
    run, weights = Run(task="fruit", amsgrad=True, weight_decay=0, learning_rate=0.1), []
    for other in (False, True):
        one = torch.nn.Parameter(torch.ones(3, 2))
        held = SimpleNamespace(parameters=lambda one=one: [one])
        optimizer = torch.optim.Adam([one], lr=0.1, amsgrad=True) if other else adamw(held, run)
        for step in (5.0, 1.0, 0.1, -2.0):
            one.grad = torch.full_like(one, step)
            optimizer.step()
        weights.append(one.detach())
    torch.testing.assert_close(*weights)


def test_training_ends_after_more_than_twenty_evaluations_without_a_gain(fruit):
    """Wang et al. 2019, appendix B: at the 21st, with early_stopping_patience: 21; a gain begins the count anew."""

    class Counted:
        state = staticmethod(lambda: "state")

    best, waited = Best(), []
    for score in [50.0, *[49.0] * 20, 50.5, *[50.5] * 21]:
        best.update(score, len(waited), Counted)
        waited.append(best.evaluations_since >= 21)
    assert waited.index(True) == len(waited) - 1 == 42


def test_the_rate_is_halved_where_nothing_is_gained_until_it_is_too_small():
    """At the fifth evaluation in a row without a gain, which an equal score is none."""
    plateau = Plateau(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=4e-6))
    rates = []
    for score in [50, 50, 49, 50, 48, 50.1, *[50] * 4, 50.1, *[50] * 5, *[50] * 5]:
        plateau.step()
        plateau.evaluated(score)
        rates.append(plateau.get_last_lr()[0])
        assert plateau.ended == (len(rates) == 21)
    assert rates == [4e-6] * 10 + [2e-6] * 5 + [1e-6] * 5 + [5e-7]


def test_training_ends_where_its_rate_has_become_too_small(fruit):
    settings = {"lr_scheduler_type": "reduce_lr_on_plateau", "learning_rate": 1.9e-6, "amsgrad": True}
    result = trained(fruit, eval_steps=1, num_train_epochs=10, **settings)
    best, waited = -1, 0
    for steps, score in enumerate(result.curve["main"], start=1):
        best, waited = max(best, score), 0 if score > best else waited + 1
        assert (waited == 5) == (steps == result.steps)


def test_biases_and_norms_are_not_decayed(fruit):
    run = Run(task="fruit", task_file=fruit, amsgrad=True)
    model = build_model(run, prepare(run), run.encoder)
    decayed, free = adamw(model, run).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2} and {p.ndim for p in free["params"]} == {1}
    assert len(decayed["params"]) + len(free["params"]) == len(model.parameters())
    assert decayed["amsgrad"] and free["amsgrad"]


def test_no_room_for_what_a_frozen_encoder_reads_is_said_before_it_is_mapped(tmp_path, monkeypatch, refused):
    """A process that writes to a mapping for which there is no room is killed."""
    with (tmp_path / "features").open("wb") as file:
        frozen._allocate(file, 5000)
        assert os.fstat(file.fileno()).st_blocks * 512 >= 5000
        monkeypatch.setattr(os, "posix_fallocate", lambda *_: os.stat("/nowhere"))
        refused(
            lambda: frozen._allocate(file, 5_000_000), "expected 5.0 MB for what a frozen encoder reads, found No such"
        )


def test_a_frozen_encoder_is_read_once_and_only_the_head_learns(fruit, monkeypatch):
    result = trained(fruit, tuning="frozen", pooling="mean", learning_rate=1e-2)
    fresh = build_model(result.run, {"fruit": result.main.task}, "mini/bert")
    for name, weights in result.model.encoder.state_dict().items():
        assert torch.equal(weights, fresh.encoder.state_dict()[name]), name
    monkeypatch.setattr(frozen, "read_splits", lambda model, batch_size: None)
    again = trained(fruit, tuning="frozen", pooling="mean", learning_rate=1e-2)  # the encoder reads every batch anew
    np.testing.assert_allclose(
        np.stack(result.main.predictions.logits), np.stack(again.main.predictions.logits), atol=1e-4
    )
    assert result.main.scores["validation"]["main"] > 60


def test_what_edited_code_read_of_an_encoder_is_not_taken_for_what_the_genuine_does(fruit, monkeypatch, empty_cache):
    read, read_now = frozen._read, []
    monkeypatch.setattr(frozen, "_read", lambda *given: read_now.append(given) or read(*given))
    counts = []
    for code in ("", "", "edited", "edited", ""):
        monkeypatch.setattr(frozen, "edited_code", lambda code=code: code)
        trained(fruit, tuning="frozen", pooling="mean", num_train_epochs=1)
        counts.append(len(read_now))
    assert 0 < counts[0] == counts[1] < counts[2] == counts[3] == counts[4]


@pytest.mark.parametrize(
    "encoder", [{"encoder": "mini/bilstm"}, {"encoder": "mini/bert"}, {"encoder": "mini/bert", "scalar_mix": True}]
)
def test_the_states_of_all_words_are_read_once_for_all_restarts(fruit, monkeypatch, empty_cache, encoder):
    settings = encoder | {"tuning": "frozen", "classifier": "small", "head_seed": 0, "num_train_epochs": 1}
    first = trained(fruit, **settings)
    features = first.model.parts[0].encoded["train"].features
    monkeypatch.setattr(frozen, "_read", lambda *_: pytest.fail("read again"))
    again, restart = trained(fruit, **settings), trained(fruit, **settings, seed=1)
    assert np.array_equal(again.model.parts[0].encoded["train"].features, features)
    pd.testing.assert_frame_equal(first.main.predictions, again.main.predictions, check_exact=True)
    assert not np.array_equal(np.stack(first.main.predictions.logits), np.stack(restart.main.predictions.logits))
    with pytest.raises(pytest.fail.Exception, match="read again"):
        trained(fruit, **settings | {"max_length": 4})  # other words


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_a_layer_is_what_the_head_reads(fruit, pooling):
    embeddings, last = (trained(fruit, tuning="frozen", layer=layer, pooling=pooling).model for layer in (0, None))
    batch = {"input_ids": torch.tensor([[2, 7, 3]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    hidden = last.encoder(**batch, output_hidden_states=True).hidden_states
    expected = (hidden[0].mean(1), hidden[-1].mean(1)) if pooling == "mean" else (hidden[0][:, 0], hidden[-1][:, 0])
    torch.testing.assert_close(embeddings.reads(embeddings.parts[0], *embeddings.outputs([batch]), batch), expected[0])
    torch.testing.assert_close(last.reads(last.parts[0], *last.outputs([batch]), batch), expected[1])


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"layer": 3}, "layer: expected 0 to 2, the layers of mini/bert, found 3"),
        ({"layer": 1, "pooling": "pooler"}, "the pooler reads the last layer only"),
        ({"task": "mini/text", "tuning": "frozen"}, "tuning: frozen, but mini/text reads another input every time"),
    ],
)
def test_what_cannot_be_read_is_refused(fruit, parameters, message):
    with pytest.raises(IntertaskError, match=message):
        trained(fruit, limit=8, **parameters)


def test_further_tasks_are_scored_at_the_best_checkpoint_with_their_own_order_of_labels(fruit, tmp_path):
    folder = tmp_path / "own"
    path = write_fruit(folder)
    entries = yaml.safe_load(path.read_text())
    (folder / "turned.csv").write_text("words,kind\nthe plum number 1 is here,plum\nthe apple number 2 is here,apple\n")
    turned = {"files": {"test": "turned.csv"}, "format": "classification", "inputs": ["words"], "label": "kind"}
    entries["turned"] = turned | {"labels": ["plum", "apple"]}
    path.write_text(yaml.safe_dump(entries))
    result = trained(str(path), evaluate_on=["turned"])
    rows = result.main.predictions[result.main.predictions.split == "turned"]
    assert rows.label.tolist() == [1, 0] and rows.row.tolist() == [0, 1]  # in fruit's order, apple before plum
    assert result.main.scores["turned"]["accuracy"] == 100 * (rows.label == rows.prediction).mean()
    with pytest.raises(
        IntertaskError, match="evaluate_on, ripeness: expected a classification with the labels of fruit"
    ):
        trained(str(path), evaluate_on=["ripeness"])


def test_on_a_single_task_the_trainer_is_this_short_loop(fruit):
    """Step by step: the same order, the same dropout, the same losses, the same weights, bit by bit."""
    from transformers import get_linear_schedule_with_warmup

    seeds = {"order_seed": 3, "dropout_seed": 4, "head_seed": 5}
    result = trained(fruit, eval_steps=1, num_train_epochs=2, max_length=64, **seeds)
    encoder, tokenizer = load_encoder("mini/bert", seed=5)
    torch.manual_seed(5)
    linear = torch.nn.Linear(128, 2)
    torch.nn.init.normal_(linear.weight, std=0.02)
    torch.nn.init.zeros_(linear.bias)
    rows = load_task("fruit", fruit).splits["train"]
    lengths = np.array([len(tokenizer(text).input_ids) for text in rows.text])
    weights = [*encoder.parameters(), *linear.parameters()]
    groups = [{"params": [w for w in weights if w.ndim > 1], "weight_decay": 0.01}]
    groups.append({"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, lr=2e-3, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, 0.1 * 16, 16)
    rng, losses = np.random.default_rng(3), []
    torch.manual_seed(4)
    for _ in range(2):
        order = rng.permutation(64)
        order = order[np.argsort(lengths[order], kind="stable")]
        for place in rng.permutation(8):
            batch = rows.iloc[order[8 * place : 8 * place + 8]]
            encoder.train()
            hidden = encoder(**tokenizer(batch.text.tolist(), padding=True, return_tensors="pt")).last_hidden_state
            logits = linear(torch.nn.functional.dropout(hidden[:, 0], 0.1))
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(batch.label.tolist()))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    np.testing.assert_array_equal(result.curve.train_loss, losses)


def test_a_head_learns_which_layers_it_reads(fruit):
    """It begins as the mean of all; frozen or not, it reads what the encoder's hidden states are."""
    for tuning in ("full", "frozen"):
        result = trained(fruit, tuning=tuning, scalar_mix=True, pooling="mean", learning_rate=1e-2)
        head = result.model.head(result.model.parts[0])
        assert len(head.weights) == 3 and head.weights.abs().max() > 0 and head.scale != 1
        assert head.weights.softmax(0).sum().item() == pytest.approx(1)
    torch.nn.init.zeros_(head.weights), torch.nn.init.ones_(head.scale)
    hidden = torch.randn(2, 5, 3, 128)
    expected = head.head(hidden.mean(2).mean(1), {})
    torch.testing.assert_close(head.eval()(hidden.flatten(2).mean(1), {}), expected)


def test_a_mix_of_all_layers_is_no_single_one():
    with pytest.raises(IntertaskError, match="scalar_mix: expected it without layer"):
        Run.checked({"task": "fruit", "scalar_mix": True, "layer": 1})
    with pytest.raises(IntertaskError, match="language_modelling_weight: expected the last layer, found layer"):
        Run.checked({"task": "fruit", "language_modelling_weight": 0.5, "layer": 1})


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc, whose settings these are")
def test_memory_that_was_had_is_not_had_anew():
    keep_memory()
    for _ in range(6):  # the first ones may find no place
        torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(6):
        torch.ones(2**24)
    pages = 6 * 4 * 2**24 / resource.getpagesize()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < pages / 2
