"""The parameters of a run, as a notebook gives them."""

import pytest

from intertask.errors import IntertaskError
from intertask.run import Run


def test_parameters_come_from_the_names_before_the_imports():
    namespace = {"task": "mini/rte", "seed": 3, "limit": None, "In": [], "_private": 1, "Run": Run, "__name__": "x"}
    run = Run.from_notebook(namespace)
    assert (run.task, run.seed, run.limit) == ("mini/rte", 3, None)
    namespace |= {"seed": 4, "majority": 0.5}  # the cell is executed again, in JupyterLab, after the others
    assert Run.from_notebook(namespace).seed == 4


def test_an_unknown_parameter_is_refused():
    with pytest.raises(IntertaskError, match="no parameter 'sead'. Did you mean 'seed'?"):
        Run.from_notebook({"task": "mini/rte", "sead": 3})


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"seed": "three"}, "seed: .*valid integer.*found 'three'"),
        ({"holdout": 1}, "holdout: input should be less than 1, found 1"),
        ({"max_length": 2.5}, "max_length: .*found 2.5"),
        ({"task": 7}, "task: input should be a valid string, found 7"),
    ],
)
def test_a_wrong_value_is_refused(parameters, message):
    with pytest.raises(IntertaskError, match=message):
        Run.checked({"task": "mini/rte"} | parameters)


def test_a_number_written_as_text_is_a_number():
    assert Run.checked({"task": "mini/rte", "learning_rate": "1e-5"}).learning_rate == 1e-5


def test_where_and_whether_something_is_kept_is_not_identity():
    run = Run(task="mini/rte")
    assert run.model_copy(update={"keep_encoder": True}).id() == run.id()


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"threads": 2}, {"learning_rate": 1e-4}, {"limit": 9}, {"parent": "x-1"}]
)
def test_what_can_change_the_result_is_identity(change):
    assert Run(task="mini/rte", **change).id() != Run(task="mini/rte").id()


def test_only_runs_of_batches_in_parts_have_the_identity_of_how_these_are_weighed():
    whole, parts = (Run(task="mini/rte", gradient_accumulation_steps=count).identity() for count in (1, 2))
    assert parts == whole | {"gradient_accumulation_steps": 2, "parts_weighed_by": "the terms of each loss"}


def test_seeds_that_follow_the_master_seed_are_identified_by_value():
    assert Run(task="mini/rte", seed=3, order_seed=3).id() == Run(task="mini/rte", seed=3).id()


def test_a_run_id_is_a_safe_folder_name():
    run_id = Run(task="mini/mnli", shuffle_labels=True, seed=2).id()
    assert run_id.startswith("mini-mnli.shuffled.bert.s2-")
    assert len(run_id) < 80 and "/" not in run_id
