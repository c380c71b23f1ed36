"""Ready-made models as intermediates: who starts from them, how they are marked, and which do not fit."""

import shutil
from pathlib import Path

import pytest
import yaml

from intertask.analysis.figures import transfer_heatmap
from intertask.analysis.read import read_runs
from intertask.analysis.transfer import replicates_in_words, transfer_table
from intertask.errors import IntertaskError
from intertask.studies.check import examined
from intertask.studies.graph import expand
from intertask.studies.study import Study, load_study
from intertask.views.dry_run import dry_run_page
from made_encoders import write
from made_study import own, records, succeed, write_encoder, write_study

MODEL = {"model": "someone/bert-mnli@v1", "base": "mini/bert"}
GOOD = {"title": "T", "encoders": ["mini/bert"], "supporting": ["mini/mnli", MODEL], "targets": ["mini/rte"]}
GOOD |= {"seeds": 2}


def rows(**changes):
    graph = expand("s", Study(**GOOD | changes), planned=True)
    return graph, [row for row in graph.rows if row.ready_made]


def test_the_encoders_of_its_base_start_from_it_as_they_are_set():
    encoders = ["mini/bert", {"encoder": "mini/bert", "layer": 1}, "mini/gpt"]
    encoders += [{"encoder": "mini/bert", "random_weights": True}]
    graph, found = rows(encoders=encoders, supporting_limits=[None, 100], train={"learning_rate": 1e-3})
    starts = [(row.encoder, row.seed, row.supporting_limit) for row in found]
    names = ["mini/bert", "mini/bert[layer=1]"]
    assert starts == [(name, seed, limit) for name in names for limit in (None, 100) for seed in (0, 1)]
    runs = [graph.runs[row.run] for row in found]
    assert {(run.encoder, run.parent, run.learning_rate) for run in runs} == {(MODEL["model"], None, 1e-3)}
    assert [run.layer for run in runs] == 4 * [None] + 4 * [1] and len({row.run for row in found}) == 4
    assert {(row.regime, row.stage, row.supporting, row.supporting_run, row.control) for row in found} == {
        ("stilts", "target", MODEL["model"], MODEL["model"], False)
    }


def test_with_tasks_alongside_it_has_no_part():
    graph, found = rows(regimes=["stilts", "mtl", "mtl_all", "mtl_finetune"])
    assert {row.regime for row in found} == {"stilts"}
    assert {row.supporting for row in graph.rows if row.regime and row.regime.startswith("mtl")} == {"mini/mnli", "all"}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"regimes": ["mtl"]}, "supporting someone/bert-mnli@v1: of a ready-made model only stilts makes use"),
        ({"encoders": ["mini/gpt"]}, "its base mini/bert is none of the encoders. Did you mean 'mini/gpt'"),
        ({"encoders": [{"encoder": "mini/bert", "random_weights": True}]}, "its base mini/bert is none of the enc"),
        ({"supporting": [MODEL], "intermediate": {"dropout": 0.2}}, "intermediate: every supporting model is ready-m"),
        ({"supporting": [MODEL], "intermediate_choice": "first"}, "intermediate_choice: every supporting model"),
        ({"supporting": [MODEL], "supporting_limits": [9]}, "supporting_limits: every supporting"),
        ({"supporting": [MODEL], "regimes": ["stilts", "mtl"]}, "regimes mtl: every supporting model is ready-made"),
        ({"supporting": [MODEL, MODEL]}, "supporting names someone/bert-mnli@v1 twice"),
        (
            {"parts": [{"name": "a"}, {"name": "b", "supporting": [MODEL], "regimes": ["mtl"]}]},
            "mtl: every supporting mod",
        ),
    ],
)
def test_what_it_is_no_part_of_is_refused(tmp_path, changes, message):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(GOOD | changes))
    with pytest.raises(IntertaskError, match=message):
        load_study(str(path))


def test_folders_beside_the_study_are_found(tmp_path):
    for name in ("base", "model"):
        write_encoder(tmp_path / name)
    entry = {"model": "model", "base": "base"}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(GOOD | {"encoders": ["base"], "supporting": [entry]}))
    (found,) = load_study(str(path))[1].supporting
    assert (found.model, found.base, found.label) == (str(tmp_path / "model"), str(tmp_path / "base"), "model")
    parts = {"supporting": [entry], "parts": [{"name": "a", "supporting": [entry]}]}
    path.write_text(yaml.safe_dump(GOOD | {"encoders": ["base"]} | parts))
    _, study = load_study(str(path))
    assert [one.base for _, part in study.expanded_parts() for one in part.supporting] == [str(tmp_path / "base")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The tiny study with a ready-made model, which is the base with other weights."""
    folder = tmp_path_factory.mktemp("study")
    write_encoder(folder / "ready", seed=7)
    entry = {"model": "ready", "name": "theirs", "base": "encoder"}
    write_study(folder, encoders=["encoder"], supporting=[entry], regimes=["single", "stilts"])
    return folder


def test_it_is_paired_by_seed_and_marked_in_a_real_study(folder, tmp_path, ax):
    graph = expand(*load_study(str(folder / "tiny.yaml")))
    said = dry_run_page(graph, graph.runs, 1)
    assert "fruit after theirs (ready-made)" in said and "4 trainings" in said
    succeed("run", str(folder / "tiny.yaml"), results=tmp_path)
    runs = read_runs("tiny", tmp_path)
    assert runs["done"].all() and runs.value_counts("ready_made").to_dict() == {False: 2, True: 2}
    starts = {record["id"]: record["encoder"] for record in records(tmp_path).values()}
    assert {Path(starts[run]).name for run in runs.loc[runs["ready_made"], "run"]} == {"ready"}
    scores = {record["id"]: own(record)["scores"]["validation"]["main"] for record in records(tmp_path).values()}
    (row,) = transfer_table(runs).itertuples()
    by_seed = runs.assign(own=runs["run"].map(scores)).pivot(index="seed", columns="regime", values="own")
    assert row.n == 2 and row.delta == pytest.approx((by_seed["stilts"] - by_seed["single"]).mean())
    assert row.ready_made and row.pseudo_replicates and "†" in replicates_in_words(transfer_table(runs))
    assert "In 1 of 1 cell (‡) others trained the supporting model" in replicates_in_words(transfer_table(runs))
    assert "2 of 2 seeds † ‡" in " ".join(one.get_text() for one in transfer_heatmap(transfer_table(runs), ax).texts)


def misfits(tmp_path):
    """Of a base of BERT's kind with letters: a smaller one, another kind, another vocabulary, another reading."""
    write(tmp_path / "small", "bert", num_hidden_layers=1)
    write(tmp_path / "roberta", "roberta")
    for name, old, new in [("vocabulary", '"a": 4', '"ä": 4'), ("reading", '"[CLS] $A [SEP]"', "")]:
        shutil.copytree(tmp_path / "base", tmp_path / name)
        file = tmp_path / name / "tokenizer.json"
        text = file.read_text()
        file.write_text(text.replace(old, new) if new else text.replace('"type_id": 1', '"type_id": 0'))


@pytest.mark.parametrize(
    "name, message",
    [
        ("small", "num_hidden_layers 2, as its base .*base has, found 1. Name the encoder that it was trained from"),
        ("roberta", "model_type bert, as its base .* has, found roberta"),
        ("vocabulary", "the tokens of its base .*, found others .*, and 1 more"),
        ("base", ""),
    ],
)
def test_a_model_that_does_not_fit_its_base_is_refused_before_any_training(folder, tmp_path, reached, name, message):
    write(tmp_path / "base", "bert")
    misfits(tmp_path)
    entry = {"model": str(tmp_path / name), "name": "theirs", "base": str(tmp_path / "base")}
    study = load_study(str(folder / "tiny.yaml"))[1]
    given = study.given | {"encoders": [str(tmp_path / "base")], "supporting": [entry]}
    study = Study(**given | {"task_file": study.task_file})
    problems = examined(study, expand("s", study).runs).problems
    if not message:
        assert not problems
        return
    with pytest.raises(IntertaskError, match=message):
        raise IntertaskError(problems[0])
    assert "studies/ready.py check_ready_made" in reached
