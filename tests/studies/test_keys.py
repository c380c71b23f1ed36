"""Every key of a study under every regime: it decides something, or it is refused before anything starts."""

import pytest
import yaml

from intertask.errors import IntertaskError
from intertask.studies.graph import expand
from intertask.studies.study import Study, load_study

REGIMES = ["single", "stilts", "mtl", "mtl_all", "mtl_finetune"]
GOOD = {"title": "t", "encoders": ["mini/bert"], "targets": ["mini/rte", "mini/mrpc"], "seeds": 2}

# Two values of each key, and the regimes that refuse it.
TABLE = {
    "encoders": (["mini/bert"], ["mini/gpt"], []),
    "supporting": (["mini/stsb"], ["mini/cola"], ["single"]),
    "targets": (["mini/rte", "mini/mrpc"], ["mini/rte", "mini/wnli"], []),
    "seeds": (2, 3, []),
    "limits": ([None], [50, 60], []),
    "supporting_limits": ([None], [50, 60], ["single"]),
    "intermediate_choice": ("per_restart", "first", ["single", "mtl", "mtl_all", "mtl_finetune"]),
    "same_task": ("omit", "train", ["single", "mtl", "mtl_all", "mtl_finetune"]),
    "mixing": ([{"name": "a"}], [{"name": "a", "loss_scaling": "proportional"}], ["single", "stilts"]),
    "sweep": ({}, {"learning_rate": [1e-3, 1e-4]}, ["mtl", "mtl_all"]),
    "small_data": (None, {"at_most": 10_000, "num_train_epochs": 9}, []),
    "holdout": (0.0, 0.5, []),
    "evaluate_on": ({}, {"mini/rte": ["mini/ax"]}, []),
    "task_file": ("", "tasks.yaml", []),
    "threads": (1, 2, []),
    "device": ("auto", "cpu", []),
    "train": ({}, {"learning_rate": 1e-3}, []),
    "pretraining": ({}, {"num_train_epochs": 1}, []),
    "intermediate": ({}, {"learning_rate": 1e-3}, ["single", "mtl", "mtl_all", "mtl_finetune"]),
    "target": ({}, {"learning_rate": 1e-3}, []),
    "per_task": ({}, {"mini/rte": {"learning_rate": 1e-3}}, ["mtl", "mtl_all"]),
    "per_target": ({}, {"mini/rte": {"learning_rate": 1e-3}}, ["mtl", "mtl_all"]),
    "parts": ([{"name": "a"}], [{"name": "a", "limits": [50]}], []),
}
OF_THE_REPORT = {"title", "paper", "report", "report_on", "counts", "wnli", "keep"}
OF_OTHER_FORMS = {"mini", "quick"}


def written(folder, regime: str, **changes) -> str:
    supporting = {} if regime == "single" else {"supporting": ["mini/stsb"]}
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(GOOD | supporting | {"regimes": [regime]} | changes))
    return str(path)


def runs(path: str) -> set[str]:
    return set(expand(*load_study(path), planned=True).runs)


def test_the_table_has_every_key():
    assert TABLE.keys() | OF_THE_REPORT | OF_OTHER_FORMS | {"regimes"} == Study.model_fields.keys()


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("key", TABLE)
def test_a_key_decides_something_or_is_refused(key, regime, tmp_path):
    one, other, refusing = TABLE[key]
    more = {"supporting": ["mini/rte"]} if key == "same_task" and regime == "stilts" else {}
    if regime in refusing:
        with pytest.raises(
            IntertaskError, match=rf"own.yaml, line \d+: {key}: only .* obey it, found regimes: {regime}\."
        ):
            load_study(written(tmp_path, regime, **{key: other}))
    else:
        first = runs(written(tmp_path, regime, **{key: one}, **more))
        assert first != runs(written(tmp_path, regime, **{key: other}, **more))


@pytest.mark.parametrize("regime", REGIMES)
def test_how_wnli_is_averaged_is_said_where_there_is_wnli(regime, tmp_path):
    with pytest.raises(IntertaskError, match="wnli: WNLI is none of the targets"):
        load_study(written(tmp_path, regime, wnli="floor"))
    assert load_study(written(tmp_path, regime, wnli="floor", targets=["mini/wnli"]))[1].wnli == "floor"


CONTROL = {"task": "mini/stsb", "shuffle_labels": True}
SET = {"name": "two", "tasks": ["mini/stsb", "mini/cola"], "sampling": "uniform"}


@pytest.mark.parametrize(
    "regimes, changes, message",
    [
        (["mtl"], {"mixing": [{"name": "a"}, {"name": "b", "regimes": ["mtl_all"]}]}, "mixing b: it is for mtl_all"),
        (["mtl", "mtl_all"], {"mixing": [{"name": "a", "regimes": ["mtl"]}]}, "regimes mtl_all: no entry of mixing"),
        (["mtl_all"], {"supporting": ["mini/cola", CONTROL]}, "supporting mini/stsb.*: mtl_all trains no control"),
        (["mtl_all"], {"supporting": ["mini/rte"]}, "supporting mini/rte: mtl_all trains it as a target already"),
        (
            ["mtl_all"],
            {"supporting": ["mini/stsb", {"task": "mini/stsb", "limit": 9}]},
            "mini/stsb: .*two entries name it",
        ),
        (["mtl"], {"supporting": [SET]}, "supporting two: sampling: only stilts"),
        (
            ["stilts"],
            {"supporting": [{"task": "mini/stsb", "sampling": "log"}]},
            "sampling is of a set, found one task",
        ),
        (["stilts"], {"supporting": [{"task": "mini/stsb", "limit": 9}], "supporting_limits": [5]}, "limit of its own"),
        (["single"], {"per_task": {"mini/rt": {"dropout": 0.2}}}, "no run on mini/rt alone. Did you mean 'mini/rte'"),
        (
            ["stilts"],
            {"per_target": {"mini/stsb": {"dropout": 0.2}}},
            "per_target mini/stsb: mini/stsb is none of the ta",
        ),
        (["single"], {"encoders": ["someone/bert"], "pretraining": {"dropout": 0.2}}, "pretraining: none of the enc"),
        (["single"], {"parts": [{"name": "a", "intermediate_choice": "first"}]}, "intermediate_choice: only stilts"),
        (["single"], {"parts": [{"name": "a", "wnli": "floor"}]}, "wnli is of the whole study, found it in a part"),
        (["single"], {"per_task": {"mini/rte": {"holdout": 0.5}}}, "It is a key of the study: holdout: 0.5"),
        (["single"], {"sweep": {"limit": [5, 6]}}, "Limits are keys of the study"),
        (["single"], {"train": {"random_weights": True}}, "It is an encoder's: encoders"),
        (["mtl"], {"mixing": [{"name": "a", "budget": "steps", "max_steps": 9}]}, "decides how long.*found max_steps"),
        (["single"], {"train": {"lora_r": 4}}, "train lora_r: no run has tuning: lora"),
        (["single"], {"encoders": [{"encoder": "mini/bert", "lora_alpha": 4}]}, "lora_alpha: no run has tuning: lora"),
        (["stilts"], {"train": {"sampling": "uniform"}}, "train sampling: no run that obeys it trains several tasks"),
        (["mtl"], {"pretraining": {"heads": "shared"}}, "pretraining heads: no run that obeys it trains several"),
        (["stilts"], {"supporting": [SET], "target": {"sampling": "log"}}, "target sampling: no run that obeys it"),
        (["mtl", "single"], {"sweep": {"sampling": ["log", "uniform"]}}, "sweep sampling: no run that obeys it"),
        (
            ["mtl"],
            {"mixing": [{"name": "a", "batch_loss": "mean"}]},
            "mixing a: batch_loss: every batch is of one task",
        ),
        (
            ["single"],
            {"per_task": {"mini/rte": {"limit_seed": 1}}},
            "per_task mini/rte: limit_seed: no run has a limit",
        ),
        (["single"], {"train": {"max_steps": 9, "num_train_epochs": 2}}, "num_train_epochs: max_steps decides"),
        (
            ["single"],
            {"train": {"lr_scheduler_type": "reduce_lr_on_plateau"}, "target": {"warmup_steps": 9}},
            "warmup_steps: reduce_lr_on_plateau begins at the whole rate",
        ),
        (["mtl"], {"train": {"eval_steps_per_task": True}}, "eval_steps_per_task: no eval_steps are there"),
        (["single"], {"train": {"classifier": "small", "pooling": "mean"}}, "pooling: the classifier reads all words"),
        (["single"], {"pretraining": {"reuse_head": True}}, "pretraining reuse_head: no run starts from another"),
        (["stilts"], {"same_task": "train"}, "same_task: no target is its own supporting task"),
        (["stilts"], {"intermediate_choice": "best", "seeds": 1}, "of one seed there is one intermediate encoder"),
        (
            ["stilts"],
            {"supporting": ["mini/rte"], "targets": ["mini/rte"]},
            "line 3: regimes stilts: every supporting task is",
        ),
        (
            ["single", "mtl"],
            {"supporting": ["mini/rte"], "targets": ["mini/rte"]},
            "regimes mtl: every supporting task is",
        ),
        (["single"], {"evaluate_on": {"mini/rte": ["mini/ax", "mini/ax"]}}, "evaluate_on names mini/ax twice"),
        (["single"], {"evaluate_on": {"mini/rte": ["mini/rte"]}}, "evaluate_on names mini/rte twice"),
        (["single"], {"evaluate_on": {"mini/rte": []}}, "list should have at least 1 item"),
        (["mtl_all"], {"targets": ["mini/rte"], "supporting": []}, "mtl_all: there is one task, and nothing to mix"),
        (["single"], {"encoders": ["own", "./own"]}, "line 1: encoders names .*own twice"),
        (
            ["single"],
            {"encoders": [{"encoder": "mini/bert", "name": "a\nb"}]},
            "a name in one line, without blanks around",
        ),
        (["single"], {"encoders": [{"encoder": ""}]}, "encoder: string should have at least 1 character"),
        (["mtl"], {"mixing": [{"name": " a"}]}, "mixing.0.name: expected a name in one line"),
        (["single"], {"small_data": {"at_most": 9}}, "expected settings beside at_most, found none"),
        (["mtl"], {"mixing": [{"name": ""}]}, "mixing.0.name: string should have at least 1 character"),
        (["mtl"], {"mixing": [{"name": "a", "regimes": []}]}, "mixing.0.regimes: list should have at least 1 item"),
        (["mtl"], {"supporting": [{"name": "two", "tasks": ["mini/stsb"] * 2}]}, "tasks names mini/stsb twice"),
        (["stilts"], {"supporting": [{"name": "mini/rte", "task": "mini/stsb"}]}, "nothing else's, found mini/rte"),
        (["stilts"], {"supporting": [SET | {"name": "all"}]}, "expected a name that is nothing else's, found all"),
        (["single"], {"quick": {"seds": 1}}, "no key 'seds' in a study under quick. Did you mean 'seeds'"),
    ],
)
def test_what_no_run_would_obey_is_named(regimes, changes, message, tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(IntertaskError, match=message):
        load_study(written(tmp_path, regimes[0], **{"regimes": regimes} | changes))


def test_settings_that_some_run_obeys_are_let_be(tmp_path):
    for changes in (
        {"train": {"lora_r": 4}, "sweep": {"tuning": ["lora", "full"]}},
        {"train": {"sampling": "log"}, "supporting": [SET]},
        {"train": {"batch_loss": "mean", "batch_schedule": "heterogeneous"}, "regimes": ["mtl"]},
        {"train": {"limit_seed": 1}, "supporting_limits": [9]},
        {"train": {"max_steps": 9}, "pretraining": {"num_train_epochs": 1}},
    ):
        assert load_study(written(tmp_path, "stilts", **changes))


def test_what_one_part_obeys_another_may_have_from_the_study(tmp_path):
    parts = [{"name": "alone", "regimes": ["single"]}, {"name": "after", "regimes": ["stilts"]}]
    name, study = load_study(written(tmp_path, "stilts", parts=parts, intermediate_choice="first"))
    assert [own.regimes for _, own in study.expanded_parts()] == [["single"], ["stilts"]]
    with pytest.raises(IntertaskError, match="supporting: only mtl, mtl_all, mtl_finetune, stilts obey it"):
        load_study(written(tmp_path, "stilts", parts=parts[:1], intermediate_choice="first"))


def test_mini_and_quick_answer_for_their_own_keys(tmp_path):
    forms = {"quick": {"targets": ["mini/rte"]}, "targets": ["mini/rte", "mini/wnli"], "wnli": "floor"}
    assert load_study(written(tmp_path, "single", **forms), mini=True, quick=True)[1].wnli == "floor"
    with pytest.raises(IntertaskError, match="same_task: only stilts"):
        load_study(written(tmp_path, "single", mini={"same_task": "train"}), mini=True)


def test_a_task_that_one_part_trains_may_have_settings_of_its_own(tmp_path):
    parts = [{"name": "a", "targets": ["mini/rte"]}, {"name": "b", "targets": ["mini/mrpc"]}]
    of_each = {"mini/rte": {"dropout": 0.2}, "mini/mrpc": {"dropout": 0.3}}
    assert load_study(written(tmp_path, "single", parts=parts, per_task=of_each))
    with pytest.raises(IntertaskError, match="per_task mini/cola: the study trains no run on mini/cola alone"):
        load_study(written(tmp_path, "single", parts=parts, per_task=of_each | {"mini/cola": {"dropout": 0.3}}))


def test_a_list_may_say_beforehand_what_its_parts_say(tmp_path):
    parts = [{"name": "a", "targets": ["mini/rte"]}, {"name": "b", "targets": ["mini/mrpc"]}]
    assert load_study(written(tmp_path, "single", parts=parts))
    with pytest.raises(IntertaskError, match="targets: every part says its own"):
        load_study(written(tmp_path, "single", parts=parts, targets=["mini/rte", "mini/mrpc", "mini/cola"]))


def test_a_head_is_reused_where_a_run_starts_from_another(tmp_path):
    untrained, own = {"encoder": "mini/bert", "random_weights": True}, {"reuse_head": True}
    with pytest.raises(IntertaskError, match="target reuse_head: no run starts from another one"):
        load_study(written(tmp_path, "single", encoders=[untrained], target=own))
    assert load_study(written(tmp_path, "stilts", encoders=[untrained], target=own))
    assert load_study(written(tmp_path, "single", encoders=["someone/bert"], target=own))  # whose own it may be


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"regimes": ["stilt"]}, "found 'stilt'. Did you mean 'stilts'?"),
        ({"train": {"batch_size": 8}}, "'batch_size'. Here it is per_device_train_batch_size."),
        ({"train": {"warmup_ratio": 0.1}}, "'warmup_ratio'. Here it is warmup_steps"),
    ],
)
def test_a_wrong_value_and_a_name_from_elsewhere_have_their_hint(tmp_path, changes, hint):
    with pytest.raises(IntertaskError) as caught:
        load_study(written(tmp_path, "single", **changes))
    assert hint in str(caught.value) and "line " in str(caught.value)
