"""Everything that can be refused before a study trains: its tasks and their data, its encoders, its notebooks."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from itertools import product
from pathlib import Path

from intertask.cache import remembered
from intertask.encoders.pretrained import encoder_fingerprint
from intertask.errors import IntertaskError, did_you_mean, number_of, refusal
from intertask.files import file_digest, processors, project_root
from intertask.origin import computed_by
from intertask.parameters import check_values, declared
from intertask.run import Further, Run
from intertask.studies.length import steps, training_size, training_sizes
from intertask.studies.study import Notebook, Study
from intertask.tasks.catalogue import find_entry, reading_code
from intertask.tasks.load import Task, check_trainable, load_task, with_further
from intertask.tasks.sample import split_dev
from intertask.weighting import probabilities


@dataclass
class Verdict:
    """What is wrong, so that no run should start, and what one should know before they do; a message for each."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """What is worth knowing, for a person. Raises IntertaskError where something is wrong."""
        if self.problems:
            raise IntertaskError("\n".join(self.problems))
        return [f"To know: {remark}" for remark in self.remarks]

    def tried(self, check, *arguments):
        """What the check returns; None where it refuses, which is a problem then."""
        try:
            return check(*arguments)
        except IntertaskError as error:
            self.problems += [line for line in str(error).splitlines() if line not in self.problems]


def examined(study: Study, todo: dict[str, Run]) -> Verdict:
    """Whether the runs to do can start. Loads all data that they train and are scored on.

    Of encoders it reads configurations, tokenizers and the headers of their weights.
    """
    remarks = (_trained_on, _limits_above_the_data, _not_stratified, _beyond_the_end, _never_told)
    verdict = Verdict(remarks=[sentence for one in remarks for sentence in one(todo.values())])
    if all("single" not in part.regimes for _, part in study.expanded_parts()):
        verdict.remarks.append("regimes: without single there is no score of a target alone, and no transfer is told.")
    verdict.tried(_check_threads, todo.values())
    if study.report_on == "test":
        for target in dict.fromkeys(target for _, part in study.expanded_parts() for target in part.targets):
            verdict.tried(_labelled_test, target, study.task_file)
    verdict.remarks += verdict.tried(_never_drawn, todo.values()) or []
    for one in study.report:
        verdict.tried(notebook_parameters, one)
    for model, base in _ready_made(study, todo.values()):
        from intertask.studies.ready import check_ready_made  # here: with torch

        verdict.tried(check_ready_made, model, base)
    load = cache(partial(verdict.tried, _trainable))
    for runs in _alike(todo.values()):
        found = verdict.tried(_known_readable, runs, load) or []
        verdict.remarks += [f"Encoder {runs[0].encoder}: {sentence}" for sentence in found]
    verdict.remarks = list(dict.fromkeys(verdict.remarks))  # of several groups
    return verdict


def _ready_made(study: Study, runs: Iterable[Run]) -> dict[tuple[str, str], None]:
    """The ready-made models from which runs start, each with its base."""
    starts = {run.encoder for run in runs if not run.parent}
    found = [(one.model, one.base) for _, own in study.expanded_parts() for one in own.supporting if one.model]
    return dict.fromkeys(pair for pair in found if pair[0] in starts)


def _trained_on(runs: Iterable[Run]) -> Iterator[str]:
    """The splits that read a file of the same task's training data."""
    for task, task_file in dict.fromkeys((m.task, run.task_file) for run in runs for m in run.members):
        files = find_entry(task, task_file).files
        for split, own in files.items():
            if split != "train" and (same := [file for file in own if file in files.get("train", [])]):
                yield f"{task}: {split} reads {Path(same[0]).name}, which train reads too."


def _limits_above_the_data(runs: Iterable[Run]) -> Iterator[str]:
    asked = {(m.task, run.task_file, m.limit): None for run in runs for m in run.members if m.limit}
    for task, task_file, limit in asked:
        if limit > (size := training_size(task, task_file)):
            yield f"limit {limit:,} of {task} takes all of its {size:,} training examples."


def _not_stratified(runs: Iterable[Run]) -> Iterator[str]:
    """The tasks that have no single label per example, by which their limit could be drawn."""
    from intertask.formats import find_format

    asked = {(m.task, run.task_file): None for run in runs if run.limit_stratified for m in run.members if m.limit}
    for task, task_file in asked:
        if not find_format(found := find_entry(task, task_file).format).one_label:
            yield f"limit_stratified: {task} ({found}) has no single label per example: its limit is drawn as without."


def _beyond_the_end(runs: Iterable[Run]) -> Iterator[str]:
    """What a run is too short for."""
    for run, name in product(runs, ("warmup_steps", "eval_steps")):
        if (said := getattr(run, name) or 0) > 1 and said > (whole := steps(run)):
            yield f"{name} {said:g} of {run.label} is more than its {whole:,} steps."


def _never_told(runs: Iterable[Run]) -> Iterator[str]:
    """The labels of further tasks that no label of the trained task stands for."""
    asked = {(m.task, one): run.task_file for run in runs for m in run.members for one in m.evaluate_on if one.labels}
    for (task, one), task_file in asked.items():
        never = [label for label in find_entry(one.task, task_file).labels or [] if label not in one.labels.values()]
        if never:
            yield f"evaluate_on, {one.task}: no label of {task} stands for {', '.join(never)}, which none will get."


def _never_drawn(runs: Iterable[Run]) -> list[str]:
    """Which tasks of a mixture are too rare for an epoch; refuses a sampling that says nothing of its sizes."""
    found = []
    for run in (run for run in runs if len(run.members) > 1):
        sizes = training_sizes(run)
        drawn = probabilities(run.sampling, sizes) * sum(sizes)
        rare = [one.task for one, count in zip(run.members, drawn, strict=True) if count < 0.5]
        rare *= run.epoch_length == "sum"  # the shortest has one of each at least
        found += [f"sampling: an epoch of {run.label} has no example of {task}." for task in rare]
    return found


def _check_threads(runs: Iterable[Run]) -> None:
    most = max((run.threads for run in runs), default=0)
    if most > processors():
        expected = f"at most the {number_of(processors(), 'processor')} of this machine"
        raise refusal("threads", expected, f"{most}", "Lower it, or start the study on another machine.")


def _labelled_test(target: str, task_file: str) -> None:
    splits = load_task(target, task_file).splits
    if "label" not in splits.get("test", ()):
        found = "one without labels" if "test" in splits else f"{', '.join(splits)} alone"
        remedy = "Supply it, or take report_on out."
        raise refusal(f"report_on: test, {target}", "a labelled test split", found, remedy)


def analysis_notebook(name: str) -> Path:
    folder = project_root() / "notebooks" / "analysis"
    if (path := folder / f"{name}.ipynb").is_file():
        return path
    known = sorted(path.stem for path in folder.glob("*.ipynb"))
    raise IntertaskError(f"report: there is no notebook {name} in {folder}.{did_you_mean(name, known)}")


def notebook_code(one: Notebook) -> list[str]:
    """What the code cells of the notebook hold, in its order."""
    path = analysis_notebook(one.notebook)
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        remedy = "Save it again in JupyterLab."
        raise refusal(path, "a notebook", f"{type(error).__name__}: {error}", remedy) from None


def notebook_parameters(one: Notebook) -> None:
    """Refuses parameters that the notebook would refuse when the report is made."""
    types = declared(notebook_code(one))
    try:
        check_values(one.settings, types)
    except IntertaskError as error:
        raise IntertaskError(f"report, {one.notebook}: {error}") from None


def _way(run: Run) -> list:
    """How a run's heads read an encoder, how they are weighed, and by what they are computed."""
    taken = computed_by(run.device, run.precision)
    reads = [run.layer, run.scalar_mix, run.classifier, run.both_orders, run.reuse_head and not run.parent]
    return [*reads, json.dumps(run.class_weight, sort_keys=True), taken["device"], taken["precision"]]


def _members(run: Run) -> list[tuple[str, str, tuple[Further, ...], float]]:
    """What `_trainable` asks of each task of a run."""
    return [(member.task, run.task_file, tuple(member.evaluate_on), run.holdout) for member in run.members]


def _trainable(name: str, task_file: str, further: tuple[Further, ...], holdout: float):
    """The task, refused where no run can train on it or be scored on what is to be scored."""
    task = load_task(name, task_file)
    check_trainable(task)
    for other in further:
        with_further(task, other.task, other.labels, task_file)
    if holdout:
        split_dev(task.splits["validation"], holdout, 0, task.form.one_label)  # refused for any seed or for none
    return task


def _decisive(run: Run) -> list:
    """What `prepared_encoder` refuses by; of the encoder its files, wherever they lie."""
    names = ("random_weights", "pooling", "max_length", "tuning", "lora_r", "gradient_checkpointing")
    return [
        encoder_fingerprint(run.encoder),
        *(getattr(run, name) for name in names),
        run.language_modelling_weight > 0,
    ]


def _alike(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs that want their encoder prepared alike; of each group one for each way and each task to read."""
    groups: dict[tuple, dict[tuple, Run]] = {}
    for run in runs:
        groups.setdefault((run.encoder, *_decisive(run)), {}).setdefault((*_way(run), *_members(run)), run)
    return [list(group.values()) for group in groups.values()]


def _known_readable(runs: list[Run], load: Callable[..., Task | None]) -> list[str]:
    """`_readable`, of the same runs once: what was sound then is so now."""
    return remembered("readable", _what_is_read(runs), partial(_readable, runs, load))


def _what_is_read(runs: list[Run]) -> list:
    """All that `_readable` depends on: the encoder, the settings, the data; versions, and our own code."""
    own = [*Path(__file__).parents[1].glob("encoders/*.py"), Path(__file__).with_name("ready.py")]
    code = [*reading_code(), *map(file_digest, sorted(own))]
    libraries = [version(name) for name in ("torch", "transformers", "tokenizers", "peft")]
    named = {"task", "evaluate_on"}
    texts = [[*_way(run), run.identity()["data"], run.holdout] for run in runs]
    texts += [one.model_dump(mode="json", include=named) for run in runs for one in run.members]
    return [_decisive(runs[0]), texts, libraries, code]


def _readable(runs: list[Run], load: Callable[..., Task | None]) -> list[str]:
    """What to know of the encoder that runs want prepared alike; refused as each would be, for its data too.

    load: of what `_members` gives the task; None where it was refused.
    """
    from intertask.encoders.pretrained import misgivings
    from intertask.studies.ready import check_texts, check_weights, prepared_encoder, unknown_words

    first, verdict = runs[0], Verdict()
    tasks = [[load(*asked) for asked in _members(run)] for run in runs]  # first: without them no encoder is asked for
    encoder, tokenizer = prepared_encoder(first, first.encoder, weights=False)  # a parent's is of the same shapes
    for run, own in zip(runs, tasks, strict=True):
        if run.class_weight and all(own):
            verdict.tried(check_weights, run, own)
        for task in filter(None, own):
            verdict.tried(check_texts, run, task, encoder, tokenizer)
            verdict.remarks += unknown_words(task, tokenizer)
    if verdict.problems or not all(map(all, tasks)):
        raise IntertaskError("\n".join(verdict.problems))
    verdict.remarks += misgivings(first.encoder, tokenizer)
    return verdict.remarks
