"""Everything that can be refused before a study trains: its tasks and their data, its encoders, its notebooks."""

from intertask.encoders.pretrained import encoder_folder
from intertask.errors import IntertaskError, did_you_mean
from intertask.files import project_root
from intertask.run import Run
from intertask.studies.study import Study


def problems(study: Study, todo: dict[str, Run]) -> list[str]:
    """One message per problem; empty if the runs to do can start. Loads all data that they train and are scored on."""
    found = []
    for encoder in {run.encoder: None for run in todo.values() if not run.encoder.startswith("mini/")}:
        found += _refusal(encoder_folder, encoder)
    members = [(member, run.task_file) for run in todo.values() for member in run.members]
    for task, task_file, further in {(m.task, task_file, tuple(m.evaluate_on)): None for m, task_file in members}:
        found += _refusal(_trainable, task, task_file, further)
    return found + [message for one in study.report for message in _refusal(analysis_notebook, one.notebook)]


def analysis_notebook(name: str):
    folder = project_root() / "notebooks" / "analysis"
    if (path := folder / f"{name}.ipynb").is_file():
        return path
    known = sorted(path.stem for path in folder.glob("*.ipynb"))
    raise IntertaskError(f"report: there is no notebook {name} in {folder}.{did_you_mean(name, known)}")


def _trainable(name: str, task_file: str, further: tuple[str, ...]) -> None:
    from intertask.tasks.load import check_trainable, load_as, load_task  # here: with torch

    task = load_task(name, task_file)
    check_trainable(task)
    for other in further:
        load_as(task, other, task_file)


def _refusal(check, *arguments) -> list[str]:
    try:
        check(*arguments)
    except IntertaskError as error:
        return [str(error)]
    return []
