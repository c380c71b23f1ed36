"""Study files: what they may say, and how a wrong one is refused."""

import re

import pytest
import yaml

from intertask.errors import IntertaskError
from intertask.studies.check import examined
from intertask.studies.graph import expand
from intertask.studies.study import Study, load_study
from made_task import write_fruit

GOOD = {
    "title": "T",
    "encoders": ["mini/bert"],
    "supporting": ["mini/mnli"],
    "targets": ["mini/rte"],
    "seeds": 2,
    "train": {"learning_rate": 5e-4},
}


def written(folder, **changes):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    return str(path)


def test_a_snapshot_keeps_the_study_as_written_beside_every_default(tmp_path):
    further = {"supporting": ["mini/mnli", {"task": "mini/mnli", "shuffle_labels": True}]}
    snapshot = expand(*load_study(written(tmp_path, **further))).snapshot()
    assert snapshot["given"] == GOOD | further and snapshot["study"].keys() > GOOD.keys()
    on_mini = expand(*load_study(written(tmp_path, supporting=["mnli"], mini={"seeds": 1}), mini=True)).snapshot()
    assert on_mini["given"] == GOOD | {"seeds": 1}


@pytest.mark.parametrize("key", ["task", "tasks"])
def test_a_set_of_tasks_is_one_of_mini_tasks_whichever_key_names_it(tmp_path, key):
    sets = [{"name": "both", key: ["mnli", "qqp"]}, {key: "sst2"}]
    _, study = load_study(written(tmp_path, supporting=sets), mini=True)
    assert [one.tasks for one in study.supporting] == [["mini/mnli", "mini/qqp"], ["mini/sst2"]]


def test_a_learning_rate_that_yaml_reads_as_text_is_a_number(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(GOOD | {"train": {}}).replace("train: {}", "train: {learning_rate: 1e-5}"))
    assert load_study(str(path))[1].train == {"learning_rate": 1e-5}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"suporting": []}, "no key 'suporting' in a study. Did you mean 'supporting'?"),
        ({"train": {"lerning_rate": 1e-5}}, "no training setting 'lerning_rate'. Did you mean 'learning_rate'?"),
        ({"train": {"learning_rate": "fast"}}, "learning_rate: input should be a valid number.*found 'fast'"),
        ({"train": {"learning_rate": -1}}, "learning_rate: input should be greater than 0, found -1"),
        (
            {"train": {"pooling": "least"}},
            "pooling: input should be 'first', 'pooler', 'mean' or 'last', found 'least'",
        ),
        ({"regimes": ["stils"]}, "regimes.0: input should be 'single', 'stilts', .*, found 'stils'"),
        ({"supporting": []}, "all regimes but single and mtl_all need at least one task under supporting"),
        ({"seeds": [1, 1]}, "seeds names 1 twice"),
        ({"target": {"limit": 5}}, r"keys of the study: limits: \[1000\]"),
        ({"limits": [0]}, "limits.0.*greater than or equal to 1, found 0"),
        ({"holdout": 0.5, "report_on": "test"}, "report_on: expected it alone, found holdout too"),
        ({"report_on": "train"}, "report_on: input should be 'validation' or 'test', found 'train'"),
        ({"holdout": 1.5}, "holdout: input should be less than 1, found 1.5"),
        ({"evaluate_on": {"mini/rt": ["mini/ax"]}}, "trains no run on mini/rt. Did you mean 'mini/rte'?"),
        ({"evaluate_on": {"mini/rte": "mini/ax"}}, "evaluate_on.mini/rte: input should be a valid list"),
        ({"encoders": [{"encoder": "mini/bert", "laier": 1}]}, "no training setting 'laier'. Did you mean 'layer'?"),
        ({"encoders": [{"layer": 1}]}, "encoders.0.encoder: field required"),
        ({"encoders": ["mini/bert", "mini/bert"]}, "encoders names mini/bert twice"),
        ({"title": None}, "title: input should be a valid string, found None"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, changes, message):
    path = written(tmp_path, **changes)
    with pytest.raises(IntertaskError, match=message) as error:
        load_study(path)
    assert str(error.value).startswith(path)


def test_a_study_that_is_not_there(tmp_path):
    with pytest.raises(IntertaskError, match="There is no study dmo: .* Did you mean 'demo'?"):
        load_study("dmo")


def ids(rows, **role):
    return [row.run for row in rows if all(getattr(row, name) == value for name, value in role.items())]


def test_the_graph_of_a_study():
    graph = expand("g", Study(**GOOD | {"targets": ["mini/rte", "mini/cola"], "limits": [None, 100]}))
    # one pretraining; 2 targets x 2 limits x 2 seeds single; 2 intermediates; the same targets after them
    assert len(graph.runs) == len(graph.rows) == 1 + 8 + 2 + 8
    pretraining, *_ = ids(graph.rows, stage="pretraining")
    intermediates = ids(graph.rows, stage="intermediate")
    assert {graph.runs[run].parent for run in intermediates} == {pretraining}
    assert {parent for row in graph.rows if row.regime == "stilts" for parent in row.parents} == set(intermediates)
    assert all(row.supporting_seed == row.seed for row in graph.rows if row.regime == "stilts")
    assert {run_id for run_id, run in graph.runs.items() if run.keep_encoder} == {pretraining, *intermediates}
    order = list(graph.runs)
    assert all(order.index(run.parent) < order.index(i) for i, run in graph.runs.items() if run.parent)


def test_one_intermediate_for_all_restarts_is_trained_once():
    graph = expand("g", Study(**GOOD | {"seeds": 3, "intermediate_choice": "first"}))
    assert len(ids(graph.rows, stage="intermediate")) == 1
    assert {row.supporting_seed for row in graph.rows if row.regime == "stilts"} == {0}
    assert len(ids(graph.rows, regime="stilts")) == 3


def test_role_is_not_identity():
    both = expand("g", Study(**GOOD | {"targets": ["mini/rte", "mini/mnli"]}))
    intermediate = ids(both.rows, stage="intermediate", supporting="mini/mnli")
    single = ids(both.rows, regime="single", target="mini/mnli")
    assert intermediate == single
    assert len(both.runs) == len(both.rows) - 2
    assert all(both.runs[run].keep_encoder for run in single)


def test_a_task_is_not_its_own_intermediate():
    graph = expand("g", Study(**GOOD | {"targets": ["mini/rte", "mini/mnli"]}))
    assert not ids(graph.rows, regime="stilts", target="mini/mnli")


def test_the_negative_control_is_a_run_of_its_own():
    graph = expand("g", Study(**GOOD | {"supporting": ["mini/mnli", {"task": "mini/mnli", "shuffle_labels": True}]}))
    assert {row.supporting for row in graph.rows if row.stage == "intermediate"} == {
        "mini/mnli",
        "mini/mnli[shuffle_labels=true]",
    }
    assert len(set(ids(graph.rows, stage="intermediate"))) == 4


def test_a_study_s_device_is_that_of_all_its_runs():
    runs = expand("g", Study(**GOOD | {"device": "cpu"}), planned=True).runs.values()
    assert {run.device for run in runs} == {"cpu"} and any(not run.parent for run in runs)


def test_identity_is_content(tmp_path):
    def run_ids(folder, **changes):
        study = Study(**GOOD | {"task_file": str(folder / "tasks.yaml"), "targets": ["fruit"]} | changes)
        return set(expand("g", study).runs)

    write_fruit(tmp_path / "a"), write_fruit(tmp_path / "b")
    first = run_ids(tmp_path / "a")
    assert run_ids(tmp_path / "b") == first, "the folder of the data does not count"
    assert len(run_ids(tmp_path / "a", threads=2) & first) == 1, "only pretraining keeps its own threads"
    with (tmp_path / "a" / "train.csv").open("a") as stream:
        stream.write("one more plum,plum\n")
    changed = run_ids(tmp_path / "a")
    assert len(changed & first) == 3, "pretraining and the two intermediates do not read the changed file"


def test_every_run_on_a_task_is_scored_on_its_further_tasks():
    supporting = ["mini/mnli", {"task": "mini/mnli", "shuffle_labels": True}, "mini/snli"]
    content = GOOD | {"supporting": supporting, "targets": ["mini/mnli", "mini/rte"], "seeds": 1}
    plain = expand("s", Study(**content))
    graph = expand("s", Study(**content, evaluate_on={"mini/mnli": ["mini/ax"]}))
    further = {run_id: run.model_dump()["evaluate_on"] for run_id, run in graph.runs.items()}
    found = {(row.stage, row.regime, row.supporting, row.task): further[row.run] for row in graph.rows}
    assert (
        found["target", "single", None, "mini/mnli"]
        == found["target", "stilts", "mini/snli", "mini/mnli"]
        == ["mini/ax"]
    )
    assert found["intermediate", None, "mini/mnli[shuffle_labels=true]", "mini/mnli"] == ["mini/ax"]
    assert not any(further for (*_, task), further in found.items() if task != "mini/mnli")
    snli = [run for run in graph.runs.values() if run.task == "mini/snli"]
    assert {run.id() for run in snli} == {run.id() for run in plain.runs.values() if run.task == "mini/snli"}


@pytest.mark.parametrize(
    "further, message",
    [
        (
            "mini/rte",
            "evaluate_on, mini/rte: expected a classification with the labels of mini/mnli.*found classification",
        ),
        ("mini/stsb", "evaluate_on, mini/stsb: expected .* found regression"),
        ("mini/ax", None),
    ],
)
def test_further_tasks_are_checked_before_training(further, message):
    study = Study(**GOOD | {"regimes": ["single"], "targets": ["mini/mnli"]}, evaluate_on={"mini/mnli": [further]})
    todo = {run_id: run for run_id, run in expand("s", study).runs.items() if run.task == "mini/mnli"}
    found = examined(study, todo).problems
    assert len(found) == (0 if message is None else 1)
    assert message is None or re.match(message, found[0])


def test_an_unknown_further_task_is_refused():
    study = Study(**GOOD | {"targets": ["mini/mnli"]}, evaluate_on={"mini/mnli": ["mini/axe"]})
    with pytest.raises(IntertaskError, match="Unknown task 'mini/axe'.* Did you mean 'mini/ax'"):
        expand("s", study)


def test_an_encoder_may_be_used_otherwise_than_the_rest_of_the_study(tmp_path):
    frozen = {"encoder": "mini/bert", "tuning": "frozen", "layer": 1}
    graph = expand(*load_study(written(tmp_path, encoders=["mini/bert", frozen], seeds=1)))
    names = {row.encoder for row in graph.rows}
    assert names == {"mini/bert", "mini/bert[layer=1,tuning=frozen]"}
    targets = {(row.encoder, row.regime): graph.runs[row.run] for row in graph.rows if row.stage == "target"}
    probe = targets["mini/bert[layer=1,tuning=frozen]", "stilts"]
    assert (probe.encoder, probe.tuning, probe.layer, probe.learning_rate) == ("mini/bert", "frozen", 1, 5e-4)
    # the intermediate task trains the whole encoder: one run for both
    assert probe.parent == targets["mini/bert", "stilts"].parent and graph.runs[probe.parent].tuning == "full"


def test_random_weights_are_not_pretrained(tmp_path):
    untrained = {"encoder": "mini/bert", "random_weights": True}
    graph = expand(*load_study(written(tmp_path, encoders=[untrained], regimes=["single"], supporting=[], seeds=1)))
    assert [row.stage for row in graph.rows] == ["target"] and not graph.runs[graph.rows[0].run].parent
