"""What a study of several regimes expands into: who starts from whom, what is shared, how long it trains."""

from collections import Counter

import pytest
import yaml

from intertask.analysis.read import read_runs
from intertask.errors import IntertaskError
from intertask.run import Run
from intertask.studies import store
from intertask.studies.graph import expand
from intertask.studies.study import Study, load_study

SIZES = {"mini/rte": 250, "mini/mrpc": 500, "mini/stsb": 800, "mini/wnli": 64}
GOOD = {
    "title": "t",
    "encoders": ["mini/bert"],
    "supporting": ["mini/rte", "mini/mrpc"],
    "targets": ["mini/rte", "mini/mrpc"],
    "regimes": ["single", "mtl"],
    "seeds": 2,
    "train": {"per_device_train_batch_size": 32, "num_train_epochs": 3},
}


def graph(**changes):
    return expand("g", Study(**GOOD | changes))


def rows(graph, **role):
    return [row for row in graph.rows if all(getattr(row, name) == value for name, value in role.items())]


def run_of(graph, **role) -> Run:
    (row,) = rows(graph, **role)
    return graph.runs[row.run]


def test_a_pair_is_trained_once_for_both_directions():
    found = graph()
    pairs = rows(found, regime="mtl")
    assert [(row.target, row.supporting) for row in pairs[:1]] == [("mini/mrpc", "mini/rte")]
    assert len(pairs) == 4 and len({row.run for row in pairs}) == 2
    run = found.runs[pairs[0].run]
    assert [member.task for member in run.members] == ["mini/mrpc", "mini/rte"] and run.parent == found.rows[0].run


def numbers(run: Run) -> dict:
    return dict(zip([member.task for member in run.members], run.sampling, strict=True))


def test_numbers_go_by_role_and_not_by_the_alphabet():
    mixing = [{"name": "few of the target", "sampling": [0.1, 0.9]}]
    found = graph(regimes=["mtl"], mixing=mixing, seeds=1)
    for target, other in [("mini/rte", "mini/mrpc"), ("mini/mrpc", "mini/rte")]:
        assert numbers(run_of(found, regime="mtl", target=target)) == {target: 0.1, other: 0.9}
    assert len({row.run for row in rows(found, regime="mtl")}) == 2
    half = graph(regimes=["mtl"], mixing=[{"name": "half", "sampling": [0.5, 0.5]}], seeds=1)
    assert len({row.run for row in rows(half, regime="mtl")}) == 1  # nothing distinguishes the target
    as_setting = graph(regimes=["mtl"], train={"sampling": [0.1, 0.9]}, seeds=1)
    assert numbers(run_of(as_setting, regime="mtl", target="mini/rte")) == {"mini/rte": 0.1, "mini/mrpc": 0.9}


def test_numbers_of_all_tasks_are_the_targets_then_those_of_the_others():
    mixing = [{"name": "a", "sampling": [1, 2, 3, 4]}]
    supporting = ["mini/stsb", "mini/mrpc", "mini/wnli"]
    found = graph(regimes=["mtl_all"], mixing=mixing, supporting=supporting, seeds=1)
    expected = {"mini/rte": 1, "mini/mrpc": 2, "mini/stsb": 3, "mini/wnli": 4}
    assert numbers(run_of(found, regime="mtl_all", target="mini/rte")) == expected


def test_numbers_of_a_set_are_in_its_order():
    both = {"name": "both", "tasks": ["mini/wnli", "mini/stsb"], "sampling": [1, 3]}
    mixing = [{"name": "a", "sampling": [5, 1, 3]}]
    found = graph(regimes=["stilts", "mtl"], supporting=[both], mixing=mixing, targets=["mini/rte"], seeds=1)
    assert numbers(run_of(found, stage="intermediate")) == {"mini/wnli": 1, "mini/stsb": 3}
    assert numbers(run_of(found, regime="mtl")) == {"mini/rte": 5, "mini/wnli": 1, "mini/stsb": 3}


def test_a_pair_that_is_trained_task_after_task_begins_with_the_target():
    mixing = [{"name": "a", "batch_schedule": "partition"}]
    found = graph(regimes=["mtl"], mixing=mixing, seeds=1)
    assert {row.target: found.runs[row.run].task for row in rows(found, regime="mtl")} == {
        "mini/rte": "mini/rte",
        "mini/mrpc": "mini/mrpc",
    }


def test_all_tasks_are_trained_with_every_limit_of_the_supporting_ones():
    found = graph(regimes=["mtl_all"], supporting=["mini/stsb"], supporting_limits=[50, None], seeds=1)
    limits = {row.supporting_limit: found.runs[row.run].members for row in rows(found, target="mini/rte")}
    assert {limit: {one.task: one.limit for one in members} for limit, members in limits.items()} == {
        50: {"mini/stsb": 50, "mini/rte": None, "mini/mrpc": None},
        None: {"mini/stsb": None, "mini/rte": None, "mini/mrpc": None},
    }


def test_training_goes_on_from_what_random_weights_became():
    untrained = {"encoder": "mini/bert", "random_weights": True}
    found = graph(regimes=["stilts"], encoders=[untrained], supporting=["mini/stsb"], targets=["mini/rte"], seeds=1)
    assert run_of(found, stage="intermediate").random_weights
    assert not run_of(found, regime="stilts").random_weights


def test_a_single_run_serves_as_intermediate_too():
    found = graph(regimes=["single", "stilts"])
    assert {row.run for row in rows(found, stage="intermediate")} == {row.run for row in rows(found, regime="single")}


def test_all_together_is_one_run_per_seed():
    found = graph(regimes=["mtl_all"], supporting=["mini/stsb", {"task": "mini/wnli", "shuffle_labels": True}])
    together = rows(found, regime="mtl_all")
    assert len(together) == 4 and len({row.run for row in together}) == 2
    members = found.runs[together[0].run].members
    assert {member.task for member in members} == {"mini/rte", "mini/mrpc", "mini/stsb"}  # and no control


def test_the_target_alone_after_the_mixture():
    found = graph(regimes=["mtl_finetune"], seeds=1)
    last = run_of(found, regime="mtl_finetune", target="mini/rte")
    before = found.runs[last.parent]
    assert [member.task for member in before.members] == ["mini/rte", "mini/mrpc"] and before.keep_encoder
    assert last.alongside == []


def test_a_set_is_one_stage_with_a_cap_for_each_task():
    glue = {"name": "glue", "tasks": ["mini/rte", "mini/stsb"], "limit": 100, "sampling": "uniform"}
    found = graph(regimes=["stilts"], supporting=[glue], targets=["mini/mrpc"], seeds=1)
    before = run_of(found, stage="intermediate")
    assert [(member.task, member.limit) for member in before.members] == [("mini/rte", 100), ("mini/stsb", 100)]
    assert (before.sampling, before.selection) == ("uniform", "average")
    assert rows(found, regime="stilts")[0].supporting == "glue"


def test_budgets_by_hand():
    mixing = [{"name": name, "budget": name} for name in ("own", "steps", "target_examples")]
    found = graph(mixing=mixing, seeds=1)
    wanted = [("own", "mini/rte"), ("steps", "mini/rte"), ("target_examples", "mini/rte")]
    wanted += [("target_examples", "mini/mrpc")]
    own, steps, first, second = (run_of(found, regime="mtl", mixing=name, target=target) for name, target in wanted)
    assert (own.max_steps, own.max_examples) == (None, None)
    assert steps.max_steps == 3 * 8 + 3 * 16  # 250 and 500 examples in batches of 32
    assert (first.task, first.max_examples) == ("mini/rte", 750)
    assert (second.task, second.max_examples) == ("mini/mrpc", 1500)
    everything = graph(mixing=[mixing[1]], regimes=["mtl_all"], targets=list(SIZES), seeds=1)
    steps = {name: 3 * -(-size // 32) for name, size in SIZES.items()}
    assert run_of(everything, regime="mtl_all", target="mini/rte").max_steps == sum(steps.values())
    assert len(everything.runs) == 2


def test_dynamic_sampling_waits_for_the_single_runs():
    mixing = [{"name": "dynamic", "sampling": "dynamic_softmax"}]
    found = graph(regimes=["mtl"], mixing=mixing, targets=["mini/rte"], supporting=["mini/mrpc"])
    run = found.runs[rows(found, regime="mtl")[0].run]
    assert {task: len(runs) for task, runs in run.single_scores.items()} == {"mini/rte": 2, "mini/mrpc": 2}
    assert {i for runs in run.single_scores.values() for i in runs} == {r.run for r in rows(found, stage="reference")}
    places = {row.run: place for place, row in enumerate(found.rows)}
    assert all(places[parent] < places[row.run] for row in found.rows for parent in row.parents)


@pytest.mark.parametrize("same_task, count, trained", [("omit", 0, 0), ("substitute", 2, 0), ("train", 2, 2)])
def test_a_task_that_is_its_own_supporting_task(same_task, count, trained):
    found = graph(regimes=["single", "stilts"], supporting=["mini/rte"], targets=["mini/rte"], same_task=same_task)
    own = rows(found, regime="stilts")
    assert len(own) == count and all(row.substituted == (same_task == "substitute") for row in own)
    assert len(found.runs) == 1 + 2 + trained  # pretraining, single, and the second training on the same task


@pytest.mark.parametrize(
    "choice, parents", [("per_restart", [1, 1]), ("first", [1, 1]), ("best", [2, 2]), ("nearest_mean", [2, 2])]
)
def test_what_a_restart_starts_from(choice, parents):
    found = graph(regimes=["stilts"], supporting=["mini/rte"], targets=["mini/mrpc"], intermediate_choice=choice)
    runs = [found.runs[row.run] for row in rows(found, regime="stilts")]
    starts = [[run.parent] if isinstance(run.parent, str) else run.parent for run in runs]
    assert [len(start) for start in starts] == parents
    assert [row.parents for row in rows(found, regime="stilts")] == starts  # the index knows every candidate
    assert (starts[0] == starts[1]) == (choice != "per_restart")
    assert len(rows(found, stage="intermediate")) == (1 if choice == "first" else 2)
    assert runs[0].parent_rule == (choice if parents[0] > 1 else "best")
    assert all(found.runs[one].keep_encoder for start in starts for one in start)


def test_a_sweep_on_single_runs_decides_for_every_run_on_the_task():
    sweep = {"learning_rate": [1e-3, 1e-4], "dropout": [0.1, 0.2]}
    found = graph(regimes=["single", "stilts"], sweep=sweep)
    assert Counter(row.task for row in rows(found, stage="sweep")) == {"mini/rte": 4, "mini/mrpc": 4}
    run = found.runs[rows(found, regime="stilts", target="mini/rte")[0].run]
    assert run.settings_from == [row.run for row in rows(found, stage="sweep") if row.task == "mini/rte"]
    settings = [(found.runs[one].learning_rate, found.runs[one].dropout) for one in run.settings_from]
    assert settings == [(1e-3, 0.1), (1e-3, 0.2), (1e-4, 0.1), (1e-4, 0.2)]


def test_epochs_depend_on_the_training_size():
    found = graph(small_data={"at_most": 300, "num_train_epochs": 40}, limits=[None, 200], seeds=1)
    epochs = {
        (row.target, row.limit): found.runs[row.run].num_train_epochs for row in rows(found, regime="single")
    }  # fmt: skip
    assert epochs == {
        ("mini/rte", None): 40, ("mini/rte", 200): 40, ("mini/mrpc", None): 3, ("mini/mrpc", 200): 40,
    }  # fmt: skip


def test_settings_of_a_target_are_not_those_of_the_same_task_before_another():
    both = {"mini/rte": {"classifier": "large", "learning_rate": 1e-4}}
    made = graph(
        seeds=1,
        train={},
        supporting=["mini/rte", "mini/stsb"],
        targets=["mini/rte", "mini/mrpc"],
        regimes=["stilts"],
        same_task="train",
        intermediate={"classifier": "medium"},
        target={"classifier": "small", "dropout": 0.3},
        per_task={"mini/rte": {"learning_rate": 1e-3}},
        per_target=both,
    )
    found = {(row.stage, row.task): made.runs[row.run] for row in made.rows if row.stage != "pretraining"}
    said = {key: (run.classifier, run.learning_rate, run.dropout) for key, run in found.items()}
    assert said == {
        ("intermediate", "mini/rte"): ("medium", 1e-3, None),
        ("intermediate", "mini/stsb"): ("medium", 2e-5, None),
        ("target", "mini/rte"): ("large", 1e-4, 0.3),
        ("target", "mini/mrpc"): ("small", 2e-5, 0.3),
    }


def test_parts_replace_keys_and_are_united():
    parts = [{"name": "many", "seeds": 3, "targets": ["mini/wnli"]}, {"name": "few", "limits": [50]}]
    found = graph(regimes=["single"], parts=parts)
    assert Counter((row.part, row.target, row.limit) for row in rows(found, regime="single")) == {
        ("many", "mini/wnli", None): 3,
        ("few", "mini/rte", 50): 2,
        ("few", "mini/mrpc", 50): 2,
    }
    assert found.counted({"part": "few", "regime": "single"}) == 4


def written(folder, **content) -> str:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(GOOD | content))
    return str(path)


def test_a_study_on_the_mini_suite(tmp_path):
    real = {
        "encoders": ["distilbert/distilroberta-base"],
        "supporting": ["mnli", {"name": "two", "tasks": ["snli", "rte"]}],
        "targets": ["cola", "mrpc", "mini/rte"],
        "evaluate_on": {"mnli": ["glue_diagnostic"]},
        "parts": [{"name": "one", "targets": ["wnli"]}],
        "mini": {"encoders": ["mini/bert"], "seeds": 2},
        "quick": {"seeds": 1},
    }
    name, study = load_study(written(tmp_path, **real), mini=True)
    assert (name, study.encoders[0].label, study.seeds) == ("own-mini", "mini/bert", [0, 1])
    assert study.targets == ["mini/cola", "mini/mrpc", "mini/rte"] and study.parts[0]["targets"] == ["mini/wnli"]
    assert [one.tasks for one in study.supporting] == [["mini/mnli"], ["mini/snli", "mini/rte"]]
    assert study.model_dump()["evaluate_on"] == {"mini/mnli": ["mini/ax"]}
    name, study = load_study(written(tmp_path, **real), mini=True, quick=True)
    assert (name, study.seeds) == ("own-mini-quick", [0])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"mixing": [{"name": "a", "smpling": "log"}]}, "no mixing setting 'smpling'. Did you mean 'sampling'"),
        ({"mixing": [{"name": "a", "sampling": "lg"}]}, "sampling.*found 'lg'"),
        ({"mixing": [{"name": "a", "sampling": "dynamic_sofmax"}]}, "sampling.*found 'dynamic_sofmax'"),
        (
            {"regimes": ["mtl_all"], "mixing": [{"name": "a", "budget": "target_examples"}]},
            r"mtl_all has many. Say regimes: \[mtl\]",
        ),
        ({"supporting": [{"tasks": ["mini/rte", "mini/stsb"]}]}, "expected a name for the set mini/rte, mini/stsb"),
        ({"sweep": {"learning_rte": [1]}}, "no training setting 'learning_rte'. Did you mean 'learning_rate'"),
        ({"sweep": {"learning_rate": [-1]}}, "learning_rate: input should be greater than 0"),
        ({"parts": [{"name": "a", "target": {}, "seds": 1}]}, "no key 'seds' in a study. Did you mean 'seeds'"),
        ({"intermediate": {"limit": 5}}, r"supporting_limits: \[1000\]"),
        ({"small_data": {"num_train_epochs": 40}}, "small_data.at_most: field required"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    with pytest.raises(IntertaskError, match=message):
        load_study(written(tmp_path, **changes))


@pytest.mark.parametrize(
    "regime, changes, tasks",
    [
        ("mtl", {"mixing": [{"name": "a", "sampling": [1, 2, 3]}]}, "mini/rte, mini/stsb"),
        ("mtl_all", {"mixing": [{"name": "a", "sampling": [1]}]}, "mini/rte, mini/mrpc, mini/stsb"),
        (
            "stilts",
            {"supporting": [{"name": "s", "tasks": ["mini/rte", "mini/stsb"], "sampling": [1]}]},
            "mini/rte, mini/stsb",
        ),
    ],
)
def test_numbers_are_as_many_as_the_tasks_before_anything_starts(tmp_path, regime, changes, tasks):
    with pytest.raises(IntertaskError, match=f"sampling: expected a number for each of {tasks}, in this order, found"):
        expand(*load_study(written(tmp_path, **{"regimes": [regime], "supporting": ["mini/stsb"], **changes})))


def record(score: float, **identity) -> dict:
    return {"task": "t", "identity": identity, "tasks": {"t": {"scores": {"validation": {"main": score}}}}}


@pytest.fixture
def four(monkeypatch):
    """Runs a, b, c and d with dev scores 60, 70, 70 and 90; they differ in learning rate and dropout."""
    runs = {
        "a": record(60.0, learning_rate=1e-3, seed=0),
        "b": record(70.0, learning_rate=1e-4, seed=0),
        "c": record(70.0, learning_rate=1e-3, dropout=0.2, seed=0),
        "d": record(90.0, learning_rate=1e-4, dropout=0.2, seed=0),
    }
    monkeypatch.setattr(store, "required", runs.__getitem__)
    return list(runs)


@pytest.mark.parametrize("rule, chosen", [("best", "d"), ("nearest_mean", "b"), ("nearest_median", "b")])
def test_of_candidates_one_is_chosen(four, rule, chosen):
    assert store.chosen(Run(task="t", parent=four, parent_rule=rule)).parent == chosen  # of equals the first


def test_the_best_of_a_sweep_gives_what_the_runs_differ_in(four):
    run = store.chosen(Run(task="t", settings_from=four, learning_rate=5e-5, num_train_epochs=7))
    assert (run.learning_rate, run.dropout, run.num_train_epochs, run.seed) == (1e-4, 0.2, 7, 0)
    assert store.chosen(Run(task="t", settings_from=["a", "b"])).dropout is None


def test_the_score_alone_is_the_mean_over_the_single_runs(four):
    mixed = Run(task="t", alongside=["u"], sampling="dynamic_gap", single_scores={"t": four[:2], "u": 55.0})
    assert store.chosen(mixed).single_scores == {"t": 65.0, "u": 55.0}


def test_the_choice_is_part_of_the_identity():
    ids = {
        Run(task="mini/rte", parent=parent, parent_rule=rule).id()
        for parent in (["a", "b"], ["a", "c"], "a")
        for rule in ("best", "nearest_mean")
    }
    assert len(ids) == 6


def test_an_index_without_the_newer_columns_reads_as_before(tmp_path, monkeypatch):
    from made_store import make_store

    make_store(tmp_path, lambda *_: 60.0, seeds=1)
    runs = read_runs("demo", tmp_path)
    assert not runs["substituted"].any() and runs["mixing"].isna().all()
