"""The files in params/: every study and every single run says only what the lab understands."""

from pathlib import Path

import pytest
import yaml

from intertask.analysis.read import read_runs, read_settings
from intertask.analysis.score_tables import keep
from intertask.run import Run
from intertask.studies.check import analysis_notebook
from intertask.studies.graph import expand
from intertask.studies.study import NO_STUDIES, is_source, load_study
from intertask.tasks.catalogue import find_entry

PARAMS = Path(__file__).parents[1] / "params"
FILES = [path for path in PARAMS.rglob("*.yaml") if not NO_STUDIES & {*path.relative_to(PARAMS).parts}]
SOURCES = [path for path in FILES if is_source(path)]
STUDIES = [path for path in FILES if path not in SOURCES]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_is_sound(path):
    name, study = load_study(str(path))
    assert str(path) == str(PARAMS / f"{name}.yaml")
    further = [one.task for others in study.evaluate_on.values() for one in others]
    for task in [*study.targets, *(task for one in study.supporting for task in one.tasks), *further]:
        assert find_entry(task, study.task_file)
    assert all(analysis_notebook(one.notebook) for one in study.report)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_table_of_scores_is_sound(path):
    keep(path, "kept")
    report = read_settings("kept")["report"]
    assert read_runs("kept")["done"].all()
    assert report and all(analysis_notebook(one["notebook"]) for one in report)
    named = [one["study"] for one in report if one.get("study")]
    assert named and all(len(read_runs(name)) for name in named)


@pytest.mark.parametrize("path", sorted((PARAMS / "runs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_single_run_is_sound(path):
    assert find_entry(Run.checked(yaml.safe_load(path.read_text())).task)


def test_the_demo_is_what_its_claims_need():
    graph = expand(*load_study("demo"))
    study = graph.study
    assert len(study.supporting) >= 4 and sum(supporting.shuffle_labels for supporting in study.supporting) == 1
    assert len(study.targets) >= 4 and len(study.seeds) >= 5 and study.intermediate_choice == "per_restart"
    # one pretraining, 4 x 5 single, 4 x 5 intermediates, 4 x 4 x 5 stilts
    assert len(graph.runs) == 121
