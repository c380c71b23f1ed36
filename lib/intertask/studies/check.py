"""Everything that can be refused before a study trains: its tasks and their data, its encoders, its notebooks."""

from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

import nbformat

from intertask.errors import IntertaskError, did_you_mean
from intertask.files import project_root
from intertask.parameters import check_values, declared
from intertask.run import Member, Run
from intertask.studies import store
from intertask.studies.study import Notebook, Study


def problems(study: Study, todo: dict[str, Run], finished: Iterable[str]) -> list[str]:
    """One message per problem; empty if the runs to do can start. Loads all data that they train and are scored on.

    Of encoders it reads configurations, tokenizers and the headers of their weights.
    """
    found = []

    def tried(check, *arguments):
        try:
            return check(*arguments)
        except IntertaskError as error:
            found.append(str(error))

    for one in study.report:
        tried(notebook_parameters, one)
    load = cache(partial(tried, _trainable))
    for run in todo.values():
        for member in run.members:
            load(*_data(run, member))
    for runs in _alike(todo.values()):
        if ready := tried(_shapes_of_encoder, runs[0]):
            for run in runs:
                for task in filter(None, (load(*_data(run, member)) for member in run.members)):
                    tried(_readable, run, task, *ready)
    for run_id in finished:
        tried(store.read, run_id)
    return list(dict.fromkeys(found))


def analysis_notebook(name: str) -> Path:
    folder = project_root() / "notebooks" / "analysis"
    if (path := folder / f"{name}.ipynb").is_file():
        return path
    known = sorted(path.stem for path in folder.glob("*.ipynb"))
    raise IntertaskError(f"report: there is no notebook {name} in {folder}.{did_you_mean(name, known)}")


def notebook_parameters(one: Notebook) -> None:
    """Refuses parameters that the notebook would refuse when the report is made."""
    cells = nbformat.read(analysis_notebook(one.notebook), as_version=4).cells
    types = declared(cell.source for cell in cells if cell.cell_type == "code")
    try:
        check_values(one.settings, types)
    except IntertaskError as error:
        raise IntertaskError(f"report, {one.notebook}: {error}") from None


def _data(run: Run, member: Member) -> tuple[str, str, tuple[str, ...], float]:
    return member.task, run.task_file, tuple(member.evaluate_on), run.holdout


def _trainable(name: str, task_file: str, further: tuple[str, ...], holdout: float):
    """The task, refused where no run can train on it or be scored on what is to be scored."""
    from intertask.tasks.load import check_trainable, load_as, load_task  # here: with torch
    from intertask.tasks.sample import split_dev

    task = load_task(name, task_file)
    check_trainable(task)
    for other in further:
        load_as(task, other, task_file)
    if holdout:
        split_dev(task.splits["validation"], holdout, 0, task.form.one_label)  # refused for any seed or for none
    return task


def _alike(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs by what is decisive for `prepared_encoder`; of each group one for each way and each task to read."""
    decisive = ("encoder", "random_weights", "pooling", "max_length", "tuning", "lora_r", "gradient_checkpointing")
    groups: dict[tuple, dict[tuple, Run]] = {}
    for run in runs:
        alike = *(getattr(run, name) for name in decisive), run.language_modelling_weight > 0
        members = [_data(run, member) for member in run.members]
        groups.setdefault(alike, {}).setdefault((run.layer, *members), run)
    return [list(group.values()) for group in groups.values()]


def _shapes_of_encoder(run: Run):
    from intertask.studies.ready import prepared_encoder

    return prepared_encoder(run, run.encoder, weights=False)  # a parent's is of the same shapes


def _readable(run: Run, task, encoder, tokenizer) -> None:
    """Refuses what the run would: what it cannot read of the encoder, or of too long texts."""
    from intertask.formats import find_format
    from intertask.studies.ready import check_reading

    form = find_format(task.entry.format)(task.entry, both_orders=run.both_orders)
    check_reading(run, encoder, tokenizer, form)
    form.head(encoder, run.pooling, run.dropout)
    for rows in task.splits.values() if form.needs_room else ():
        form.encode(rows, tokenizer, run.max_length)
