"""What of a study nothing obeys: keys, and entries of lists, that decide nothing of what is trained or reported."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from intertask.errors import IntertaskError, did_you_mean
from intertask.run import MIXED
from intertask.studies.graph import OBEYING, TOGETHER

if TYPE_CHECKING:
    from intertask.studies.study import Study

ALSO_ALONE = {"num_train_epochs", "max_steps", "per_device_train_batch_size", "eval_steps", "early_stopping_patience"}
OF_MIXTURES = MIXED - ALSO_ALONE
"""The parameters of a run that mean nothing where one task is trained."""


Ignored = Iterator[tuple[tuple[str, str], str]]
"""A key and, of a list, its entry; and why nothing obeys it."""


def ignored(study: "Study") -> dict[tuple[str, str], str]:
    """What nothing that is trained or reported obeys, and why."""
    found = {}
    for place, why in chain(_of_regimes(study), _of_supporting(study), _of_targets(study), _of_settings(study)):
        found.setdefault(place, why)
    return found


def _in_steps(study: "Study") -> set[str]:
    """The keys that mixtures obey whose budget is the steps of a stage before, which they describe."""
    counted = any(one.budget == "steps" for one in study.mixing)
    return {"intermediate", "per_task", "per_target", "supporting"} if counted else set()


def _of_regimes(study: "Study") -> Ignored:
    regimes, counted = {*study.regimes}, _in_steps(study)
    for key, obeying in OBEYING.items():
        if not regimes & (obeying.union(TOGETHER) if key in counted else obeying):
            obey = f"only {', '.join(sorted(obeying))} obey it"
            yield (key, ""), f"{obey}, found regimes: {', '.join(study.regimes)}"
    for one in study.mixing:
        if not regimes & {*one.regimes}:
            yield ("mixing", one.name), f"it is for {', '.join(one.regimes)}, of which the study has none"
    for regime in regimes.intersection(TOGETHER) - {regime for one in study.mixing for regime in one.regimes}:
        yield ("regimes", regime), "no entry of mixing is for it"
    if "mtl_all" in regimes and len(study.all_tasks()) == 1:
        yield ("regimes", "mtl_all"), "there is one task, and nothing to mix"
    trained = [one for one in study.supporting if one.tasks]
    pairs = {(target, *one.tasks) for target in study.targets for one in trained}
    for regime in regimes & {"mtl", "mtl_finetune", "stilts"}:
        kept = [one for one in pairs if one[0] not in one[1:] or regime == "stilts" and len(one) > 2]
        if regime == "stilts" and (study.same_task != "omit" or trained != study.supporting):
            continue
        if not kept:
            why = "every supporting task is the target itself" if trained else "every supporting model is ready-made"
            yield ("regimes", regime), f"{why}, for which it trains nothing"
    if all(task != other or others for task, other, *others in pairs):
        yield ("same_task", ""), "no target is its own supporting task"
    if study.supporting and not trained:
        for key in ("intermediate", "intermediate_choice", "supporting_limits"):
            yield (key, ""), "every supporting model is ready-made, and none is trained"
    if len(study.seeds) == 1:
        yield ("intermediate_choice", ""), "of one seed there is one intermediate encoder"


def _of_supporting(study: "Study") -> Ignored:
    regimes = {*study.regimes}
    bases = [one.encoder for one in study.encoders if not one.settings.get("random_weights")]
    for one in (one for one in study.supporting if one.model):
        if "stilts" not in regimes:
            yield ("supporting", one.label), "of a ready-made model only stilts makes use"
        if one.base not in bases:
            yield (
                ("supporting", one.label),
                f"its base {one.base} is none of the encoders.{did_you_mean(one.base, bases)}",
            )
    for one in study.supporting:
        if one.settings and "supporting" not in _in_steps(study) and not regimes & OBEYING["intermediate"]:
            yield ("supporting", one.label), f"{', '.join(one.settings)}: only stilts trains the set by itself"
        if regimes <= {"single", "mtl_all"} and one.shuffle_labels:
            yield ("supporting", one.label), "mtl_all trains no control"
        if regimes <= {"single", "mtl_all"} and one.tasks and not {*one.tasks} - {*study.targets}:
            yield ("supporting", one.label), "mtl_all trains it as a target already"
    others = [task for one in study.supporting if not one.shuffle_labels for task in {*one.tasks} - {*study.targets}]
    for task in {task for task in others if "mtl_all" in regimes and others.count(task) > 1}:
        yield ("supporting", task), "mtl_all trains a task once, and two entries name it"
    if study.supporting and all(one.limit or one.model for one in study.supporting):
        yield ("supporting_limits", ""), "every supporting task has a limit of its own"
    if not any(one.pretrained_here for one in study.encoders):
        yield ("pretraining", ""), "none of the encoders is pretrained here, as mini/bert is"


def _of_targets(study: "Study") -> Ignored:
    if not any(task.rsplit("/", 1)[-1] == "wnli" for task in study.targets):
        yield ("wnli", ""), "WNLI is none of the targets"
    trained = [*study.targets, *(task for one in study.supporting for task in one.tasks)]
    for task in study.evaluate_on.keys() - {*trained}:
        yield ("evaluate_on", task), f"the study trains no run on {task}.{did_you_mean(task, trained)}"
    alone = [*study.targets, *(one.tasks[0] for one in study.supporting if len(one.tasks) == 1)]
    for task in study.per_task.keys() - {*alone}:
        yield ("per_task", task), f"the study trains no run on {task} alone.{did_you_mean(task, alone)}"
    for task in study.per_target.keys() - {*study.targets}:
        yield ("per_target", task), f"{task} is none of the targets.{did_you_mean(task, study.targets)}"


def _of_settings(study: "Study") -> Ignored:
    for key, before, settings in _settings(study):
        yield from (((key, f"{before}{name}"), why) for name, why in _idle(study, key, settings) if name in settings)


def _settings(study: "Study") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """All settings that the study says: their key, what stands before them there, and they themselves."""
    for key in ("train", "pretraining", "intermediate", "target", "sweep"):
        yield key, "", getattr(study, key)
    for key in ("per_task", "per_target"):
        yield from ((key, f"{task}: ", own) for task, own in getattr(study, key).items())
    for key in ("encoders", "supporting", "mixing"):
        yield from ((key, f"{one.label}: ", one.settings) for one in getattr(study, key))
    if study.small_data:
        yield "small_data", "", study.small_data.settings


def _idle(study: "Study", key: str, settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that decide nothing under a key, beside what else the study says; and why."""
    regimes = {*study.regimes}
    tunings = [own["tuning"] for _, _, own in _settings(study) if "tuning" in own]
    if not any("lora" in one for one in tunings):  # one, or those of a sweep
        yield from ((name, "no run has tuning: lora") for name in ("lora_r", "lora_alpha"))
    if not any("heterogeneous" in own.get("batch_schedule", "") for _, _, own in _settings(study)):
        yield "batch_loss", "every batch is of one task, unless batch_schedule is heterogeneous"
    sets = "stilts" in regimes and any(len(one.tasks) > 1 for one in study.supporting)
    together = bool(regimes.intersection(TOGETHER))
    alone = ("pretraining", "per_task", "per_target", "sweep")
    several = {"intermediate": sets, "target": together} | dict.fromkeys(alone, False)
    if key not in ("mixing", "supporting") and not several.get(key, sets or together):
        yield from ((name, "no run that obeys it trains several tasks") for name in OF_MIXTURES)
    trained = [one for one in study.encoders if one.pretrained_here or not one.encoder.startswith("mini/")]
    from_another = regimes & {"stilts", "mtl_finetune"} or trained  # here, or elsewhere with a head of its own
    if key == "pretraining" or settings.get("reuse_head") and not from_another:
        yield "reuse_head", "no run starts from another one, whose head it could be"
    limits = [*study.limits, *study.supporting_limits, *(one.limit for one in study.supporting)]
    if not any([*limits, study.pretraining.get("limit")]):
        yield from ((name, "no run has a limit") for name in ("limit_seed", "limit_stratified"))
    if "max_steps" in settings:
        yield "num_train_epochs", "max_steps decides how long is trained"
    if settings.get("lr_scheduler_type", study.train.get("lr_scheduler_type")) == "reduce_lr_on_plateau":
        yield "warmup_steps", "reduce_lr_on_plateau begins at the whole rate"
    if settings.get("eval_steps", study.train.get("eval_steps")) is None:
        yield "eval_steps_per_task", "no eval_steps are there to be multiplied"
    if settings.get("classifier", study.train.get("classifier", "linear")) != "linear":
        yield "pooling", "the classifier reads all words"


def refuse_ignored(study: "Study", content: dict[str, Any]) -> None:
    """Refuses the first key of a study's content, or entry of one, that no part of the study obeys.

    What a part says itself, that part must obey; what it has from the study, another may.
    """
    given = {key for key, value in content.items() if value not in ([], {}, None)}
    parts = [ignored(part) for _, part in study.expanded_parts()]
    places = [place for place in parts[0] if place[0] in given and all(place in one for one in parts)]
    found = [(place, parts[0][place]) for place in places] + _replaced(study, given)
    for part, own in zip(study.parts if "parts" in given else [], parts, strict=False):
        found += [(place, why) for place, why in own.items() if place[0] in part]
    for (key, entry), why in found:
        end = "" if why[-1] in ".?" else "."
        raise IntertaskError(f"{' '.join(filter(None, [key, entry]))}: {why}{end}", at=(key, entry))


def _replaced(study: "Study", given: set[str]) -> list[tuple[tuple[str, str], str]]:
    """The keys that every part replaces; a list may say beforehand what its parts say together."""
    found = []
    for key in sorted(given.intersection(*study.parts)) if study.parts else []:
        listed = isinstance(getattr(study, key), list)
        replaced = [value for _, part in study.expanded_parts() for value in getattr(part, key)] if listed else []
        if not listed or any(value not in replaced for value in getattr(study, key)):
            found.append(((key, ""), "every part says its own. Take this one out, or what is in no part"))
    return found
