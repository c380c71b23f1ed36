"""A study: a short YAML file of encoders, tasks, regimes, seeds and settings."""

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from intertask.encoders.mini import PRETRAINING
from intertask.errors import IntertaskError, did_you_mean, nearest, refusal
from intertask.files import project_root
from intertask.run import MIXED, Further, Member, Run
from intertask.studies.graph import REGIMES, TOGETHER, Row
from intertask.studies.obeyed import refuse_ignored
from intertask.tasks.catalogue import counterpart
from intertask.tasks.schema import OneOrMore
from intertask.weighting import DYNAMIC
from intertask.written import PLACED, Strict, Written, escaped, faults_in_words, parsed_yaml, read_yaml, yaml_text

SETTINGS = MIXED | {name for name, field in Run.model_fields.items() if not field.json_schema_extra["of"]}
"""Those that a study's `train`, `pretraining`, `intermediate` and `target` may set."""

ELSEWHERE = {
    "limit": "Limits are keys of the study: limits: [1000] of the targets, supporting_limits: [1000].",
    "holdout": "It is a key of the study: holdout: 0.5.",
    "device": "It is a key of the study: device: cpu.",
    **dict.fromkeys(("fp16", "bf16"), "Here it is precision: float16, or bfloat16."),
    "random_weights": "It is an encoder's: encoders: [{encoder: mini/bert, random_weights: true}].",
}
"""What one may look for among the settings, and where it is said."""

OTHERWISE = {
    "learning_rate": ("lr",),
    "lr_scheduler_type": ("scheduler", "lr_scheduler"),
    "max_length": ("max_seq_length", "max_seq_len"),
    "num_train_epochs": ("epochs", "num_epochs", "max_epochs"),
    "per_device_train_batch_size": ("batch_size", "train_batch_size"),
    "early_stopping_patience": ("patience",),
    "warmup_steps (below 1: a share of all steps)": ("warmup_ratio", "warmup_proportion"),
}
ELSEWHERE |= {other: f"Here it is {name}." for name, others in OTHERWISE.items() for other in others}

OF_THE_WHOLE = {"title", "paper", "task_file", "wnli", "parts", "report", "report_on", "counts", "mini", "quick"}
"""The keys of a study that a part has no say in."""

Regime = Literal[REGIMES]


def checked(values: Any, known: set[str], what: str) -> dict[str, Any]:
    """Checks names and values by building a run of them; numbers written `1e-5` (YAML's strings) become numbers."""
    if not isinstance(values, dict):
        raise IntertaskError(f"expected settings such as {{learning_rate: 2.0e-5}}, found {values!r}")
    for name in values:
        if name not in known:
            hint = f" {ELSEWHERE[name]}" if name in ELSEWHERE else did_you_mean(name, sorted(known))
            raise IntertaskError(f"there is no {what} {name!r}.{hint}", at=(name,))
    sampling = values.get("sampling", "")
    if isinstance(sampling, list) or sampling in DYNAMIC:  # these need to know the tasks
        values = {name: value for name, value in values.items() if name != "sampling"}
        return checked(values, known, what) | {"sampling": sampling}
    run = Run.checked({"task": "any", **values}, "settings")
    return {name: getattr(run, name) for name in values}


def _settings(known: set[str]) -> Any:
    return Annotated[dict[str, Any], BeforeValidator(lambda given: checked(given, known, "training setting")), PLACED]


Settings, OfPretraining = _settings(SETTINGS), _settings(SETTINGS | {"limit"})


class Open(Strict):
    """Keys of its own, and beside them, where they stand, settings: those of KNOWN, or any."""

    model_config = ConfigDict(extra="allow")
    KNOWN: ClassVar[tuple[set[str], str] | None] = None
    FOLDERS: ClassVar[tuple[str, ...]] = ()
    """The keys that may name a folder beside the study."""

    @model_validator(mode="after")
    def _settings_are_known(self) -> Self:
        if self.KNOWN:
            self.model_extra.update(checked(self.model_extra, *self.KNOWN))
        return self

    @property
    def settings(self) -> dict[str, Any]:
        return self.model_extra

    def beside(self, folder: Path, where: str) -> Self:
        """With the full paths of what lies in a study's folder; what results call it stays. where: a key, in words."""
        named = {key: getattr(self, key) for key in self.FOLDERS if getattr(self, key)}
        places = {key: _beside(folder, source, where) for key, source in named.items()}
        return self if places == named else self.model_copy(update=places | {"name": self.label})


def _plain(name: str) -> str:
    if name != name.strip() or not name.isprintable():
        raise ValueError("expected a name in one line, without blanks around it")
    return name


Name = Annotated[str, AfterValidator(_plain)]


def _beside(folder: Path, source: str, key: str) -> str:
    """The full path of an encoder that lies in a study's folder; any other name as it is."""
    if source.startswith("mini/") or Path(source).is_absolute():
        return source
    if not (folder / source).is_dir():
        if Path(source).is_dir():
            found, remedy = f"it in {Path.cwd()}", f"Say {Path(source).resolve()}."
            raise refusal(f"{key}: {source}", f"a folder beside the study, in {folder}", found, remedy)
        return source
    return str((folder / source).resolve())


class Encoder(Open):
    """An encoder, and how it is used where that is not as the rest of the study says.

    `{encoder: …, tuning: frozen, layer: 3, pooling: mean}`; `tuning` and `layer` are of the target stage alone: what an
    intermediate task trains, it trains whole.
    """

    KNOWN = SETTINGS | {"random_weights"}, "training setting"
    ALONE = "encoder"
    FOLDERS = ("encoder",)

    encoder: str = Field(min_length=1)
    name: Name = Field("", description="what results call it; empty: the encoder with its settings")

    @property
    def pretrained_here(self) -> bool:
        """Whether a study pretrains it, as its first run."""
        return self.encoder in PRETRAINING and not self.settings.get("random_weights")

    @property
    def label(self) -> str:
        """As `mini/bert[tuning=frozen,layer=1]`, or its own name."""
        if self.name:
            return self.name
        settings = ",".join(f"{name}={json.dumps(value).strip(chr(34))}" for name, value in self.settings.items())
        return f"{self.encoder}[{settings}]" if settings else self.encoder


class Supporting(Open):
    """A supporting task, or a named set of tasks that are trained in one mixture (Wang et al. 2019, section 4).

    `{task: mini/mnli, shuffle_labels: true}` is a negative control; `{name: glue, tasks: [rte, mnli], limit: 15000,
    sampling: power_0.75}` a set with a cap for each task. Numbers as `sampling` are in the order of `tasks`.
    `{model: owner/name, base: owner/base}` is a ready-made model instead, which others trained from the encoder `base`:
    in stilts that encoder's targets start from it.
    """

    KNOWN = MIXED, "mixing setting"
    ALONE = "task"
    FOLDERS = ("model", "base")

    tasks: OneOrMore = Field([], validation_alias=AliasChoices("task", "tasks"))
    model: str = Field("", description="ready-made: a Hub id, with @revision too, or a local folder")
    base: str = Field("", description="the study's encoder that it was trained from")
    name: Name = ""
    shuffle_labels: bool = False
    limit: int | None = Field(None, ge=1, description="training examples of each task; null: all")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.model:
            self._check_ready_made()
        elif not self.tasks:
            raise IntertaskError("supporting: expected a task, tasks or a ready-made model, found none.")
        elif self.base:
            raise IntertaskError(f"supporting {self.label}: base is of a ready-made model, found no model. Drop it.")
        if len(self.tasks) > 1 and not self.name:
            raise IntertaskError(f"supporting: expected a name for the set {', '.join(self.tasks)}, found none.")
        _refuse_twice("tasks", self.tasks)
        if len(self.tasks) == 1 and self.settings:
            raise IntertaskError(
                f"supporting {self.label}: {', '.join(self.settings)} is of a set, found one task. Say it under "
                "`intermediate` or `per_task`."
            )
        return self

    def _check_ready_made(self) -> None:
        if not self.base:
            raise IntertaskError(
                f"supporting {self.label}: expected base, the encoder that {self.model} was trained from, found none."
            )
        said = {"tasks": self.tasks, "shuffle_labels": self.shuffle_labels, "limit": self.limit} | self.settings
        if trained := [name for name, value in said.items() if value]:
            raise IntertaskError(
                f"supporting {self.label}: {', '.join(trained)} is of what is trained here, found a ready-made model. "
                "Drop one."
            )

    @property
    def label(self) -> str:
        if self.name or self.model:
            return self.name or self.model
        own = [f"limit={self.limit}"] * bool(self.limit) + ["shuffle_labels=true"] * self.shuffle_labels
        return self.tasks[0] + (f"[{','.join(own)}]" if own else "")

    def members(self, limit: int | None = None) -> list[Member]:
        """The tasks as members of a mixture; `limit` is the study's, for those that have none of their own."""
        own = {"shuffle_labels": self.shuffle_labels, "limit": self.limit or limit}
        return [Member(task=task, **own) for task in self.tasks]


class Mixing(Open):
    """One way to train tasks together, by name; a study may compare several.

    Numbers as `sampling` go by role: of mtl and mtl_finetune the target's, then those of the supporting task or set; of
    mtl_all the targets' in the study's order, then those of the supporting tasks that are no targets. budget: own: by
    num_train_epochs; steps: as many optimizer steps as stilts takes for the pair, both stages (of mtl_all: as all
    single runs together); target_examples: until the target was seen as often as in its stilts stage.
    """

    KNOWN = MIXED, "mixing setting"

    name: Name = Field(min_length=1)
    regimes: list[Literal[TOGETHER]] = Field(list(TOGETHER), min_length=1)
    budget: Literal["own", "steps", "target_examples"] = "own"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.budget != "own" and (twice := {"max_steps", "num_train_epochs"} & self.settings.keys()):
            raise IntertaskError(
                f"mixing {self.name}: budget: {self.budget} decides how long it trains, found {', '.join(twice)} too. "
                "Drop one."
            )
        return self

    @property
    def label(self) -> str:
        return self.name


class Notebook(Open):
    """An analysis notebook of the report, with the parameters that it gets beside the study's name."""

    ALONE = "notebook"

    notebook: str = Field(pattern=r"^\w+$", description="its file's name, without folder and ending")

    @property
    def label(self) -> str:
        return self.notebook


class Count(Open):
    """What a paper says it trained, beside what this study trains: runs whose index rows match the settings."""

    what: str
    paper: int | None = None
    because: str = Field("", description="why ours differs")

    @model_validator(mode="after")
    def _of_the_index(self) -> Self:
        for key in self.settings.keys() - Row.__dataclass_fields__.keys():
            raise IntertaskError(
                f"a run's role has no {key!r}.{did_you_mean(key, Row.__dataclass_fields__)}", at=(key,)
            )
        return self


class SmallData(Open):
    """Settings of runs with little training data (Pruksachatkun et al. 2020, section 3: 40 epochs instead of 10)."""

    KNOWN = SETTINGS, "training setting"

    at_most: int = Field(ge=1, description="training examples")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.settings:
            raise IntertaskError("small_data: expected settings beside at_most, found none. Say what is different.")
        return self


LISTS = ("encoders", "supporting", "targets", "regimes", "seeds", "limits", "supporting_limits", "mixing", "report")


def _refuse_twice(name: str, values: list[Any]) -> None:
    first: dict[str, int] = {}
    if twice := [value for i, value in enumerate(values) if first.setdefault(repr(value), i) < i]:
        raise IntertaskError(f"{name} names {twice[0]} twice.", at=tuple(name.split(".")))


OF_A_TABLE = ("source", "predictions")
"""The keys by which a file describes a table of scores rather than a study."""


def _known_keys(content: dict[str, Any], known: Collection[str], where: str = "") -> dict[str, Any]:
    for key in content:
        if key not in known:
            at = (*where.split()[1:], key)
            hint = f" {ELSEWHERE[key]}" if key in ELSEWHERE else nearest(key, OF_A_TABLE) or did_you_mean(key, known)
            if key in SETTINGS:
                hint = f" It is a training setting: train: {{{key}: …}}."
            raise IntertaskError(f"there is no key {key!r} in a study{where}.{hint}", at)
    return content


BEGIN = "Begin with `title:`. A CSV of scores is named in such a file, under `source:`."
"""What to do where a file is neither a study nor one that names a table of scores."""

MOST_SEEDS = 10_000
LONGEST_STUDY_NAME = 200


def _seeds(given: Any) -> Any:
    if not isinstance(given, list | int) or isinstance(given, int) and not 1 <= given <= MOST_SEEDS:
        raise ValueError(f"expected 1 to {MOST_SEEDS:,} restarts, or a list of seeds")
    return list(range(given)) if isinstance(given, int) else given


class Study(Strict):
    """What a study file may say."""

    model_config = ConfigDict(frozen=False)

    title: str
    paper: str = Field("", description="whose experiment this is")
    encoders: list[Annotated[Encoder, PLACED]] = Field(min_length=1)
    supporting: list[Annotated[Supporting, PLACED]] = []
    targets: list[str] = Field(min_length=1)
    regimes: list[Regime] = Field(["single", "stilts"], min_length=1)
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], BeforeValidator(_seeds)] = Field(min_length=1)
    limits: list[Annotated[int, Field(ge=1)] | None] = Field(
        [None], min_length=1, description="training examples of the target; null: all; a sweep is on the first"
    )
    supporting_limits: list[Annotated[int, Field(ge=1)] | None] = Field(
        [None], min_length=1, description="training examples of each supporting task that has no limit of its own"
    )
    intermediate_choice: Literal["per_restart", "first", "best", "nearest_mean", "nearest_median"] = Field(
        "per_restart", description="which of the intermediate encoders, one per seed, a restart starts from"
    )
    same_task: Literal["omit", "substitute", "train"] = Field(
        "omit", description="a target that is its own supporting task: left out, its single run instead, or trained"
    )
    wnli: Literal["trained", "majority", "floor"] = Field("trained", description="how WNLI enters averages")
    mixing: list[Annotated[Mixing, PLACED]] = [Mixing(name="proportional")]
    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        {}, description="settings to choose from, per task, on single runs; mixtures keep the study's"
    )
    small_data: Annotated[SmallData | None, PLACED] = None
    holdout: float = Field(0.0, ge=0, lt=1, description="share of the target's dev set that reports")
    report_on: Literal["validation", "test"] = Field(
        "validation", description="the split whose scores of the targets are reported; choices are made on validation"
    )
    keep: Literal["best", "all", "none"] = Field("none", description="which target runs store their encoder")
    evaluate_on: dict[str, Annotated[list[Annotated[Further, PLACED]], Field(min_length=1)]] = Field(
        {}, description="{mnli: [glue_diagnostic]}: tasks that every run on mnli is scored on too"
    )
    task_file: str = Field("", description="YAML with the user's own tasks, beside the study")
    threads: int = Field(1, ge=1, description="per run")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="what runs are computed on")
    train: Settings = Field({}, description="of the intermediate and the target stage")
    pretraining: OfPretraining = {}
    intermediate: Settings = {}
    target: Settings = {}
    per_task: dict[str, Settings] = Field({}, description="further settings of runs on that task alone, in any stage")
    per_target: dict[str, Settings] = Field({}, description="of those alone in which the task is the target, and above")
    parts: list[dict[str, Any]] = Field([], description="each a name and keys that replace the study's")
    report: list[Annotated[Notebook, PLACED]] = [Notebook(notebook="restarts")]
    counts: list[Annotated[Count, PLACED]] = []
    mini: dict[str, Any] = Field({}, description="keys that replace the study's under --mini")
    quick: dict[str, Any] = Field({}, description="further ones under --quick")

    _given: dict[str, Any] = PrivateAttr()
    _file: Path | None = PrivateAttr(None)

    def __init__(self, **given: Any):
        super().__init__(**given)
        self._given = given

    @property
    def file(self) -> Path | None:
        """The file that it was read from."""
        return self._file

    @property
    def given(self) -> dict[str, Any]:
        """The keys and values from which it was made, without defaults."""
        return self._given

    @model_validator(mode="before")
    @classmethod
    def _known(cls, content: dict[str, Any]) -> dict[str, Any]:
        return _known_keys(content, cls.model_fields)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if {*self.regimes} - {"single", "mtl_all"} and not self.supporting:
            message = "all regimes but single and mtl_all need at least one task under supporting."
            raise IntertaskError(message, at=("regimes",))
        if self.report_on == "test" and self.holdout:
            message = "report_on: expected it alone, found holdout too, which reports a part of dev. Drop one."
            raise IntertaskError(message, at=("report_on",))
        for task, others in self.evaluate_on.items():
            _refuse_twice("evaluate_on", [task, *(one.task for one in others)])
        for name in LISTS:
            _refuse_twice(name, [getattr(value, "label", value) for value in getattr(self, name)])
        taken = {"all", *self.targets, *(task for one in self.supporting for task in one.tasks)}
        for place, one in enumerate(self.supporting):
            if one.name in taken - {*one.tasks[: len(one.tasks) == 1]}:
                message = f"supporting: expected a name that is nothing else's, found {one.name}. Rename it."
                raise IntertaskError(message, at=("supporting", place, "name"))
        for place, mixing in enumerate(self.mixing):
            if mixing.budget == "target_examples" and "mtl_all" in {*mixing.regimes} & {*self.regimes}:
                raise IntertaskError(
                    f"mixing {mixing.name}: budget target_examples is about one target, and mtl_all has many. "
                    "Say regimes: [mtl].",
                    at=("mixing", place),
                )
        for name, values in self.sweep.items():
            try:
                for value in values:
                    checked({name: value}, SETTINGS, "training setting")
            except IntertaskError as error:
                raise IntertaskError(f"sweep: {error}", at=("sweep", *error.at)) from None
            _refuse_twice(f"sweep.{name}", values)
        for place, part in enumerate(self.parts):
            self._check_part(place, part)
        _refuse_twice("parts", [part["name"] for part in self.parts])
        for form in ("mini", "quick"):
            _known_keys(getattr(self, form), Study.model_fields.keys() - {"mini", "quick", "counts"}, f" under {form}")
        return self

    def _check_part(self, place: int, part: dict[str, Any]) -> None:
        at = "parts", place
        if not (isinstance(part.get("name"), str) and part["name"]):
            raise IntertaskError(f"parts.{place}: expected a name, found {part.get('name')!r}. Give it one.", at=at)
        if whole := OF_THE_WHOLE & part.keys():
            message = f"parts: {', '.join(sorted(whole))} is of the whole study, found it in a part."
            raise IntertaskError(message, at=(*at, min(whole)))
        try:
            self.with_keys(part)  # for its refusals alone: `expanded_parts` makes it again
        except ValidationError as error:
            keys = error.errors()[0]["loc"]
            raise IntertaskError(f"parts {part['name']}: {faults_in_words(error, part)}", at=(*at, *keys)) from None
        except IntertaskError as error:
            raise IntertaskError(f"parts {part['name']}: {error}", at=(*at, *error.at)) from None

    def all_tasks(self, limit: int | None = None, supporting_limit: int | None = None) -> list[Member]:
        """What mtl_all trains together: the targets, then the supporting tasks that are none, but no control."""
        targets = [Member(task=target, limit=limit) for target in self.targets]
        found = [member for one in self.supporting for member in one.members(supporting_limit)]
        others = {one.task: one for one in found if one.task not in self.targets and not one.shuffle_labels}
        return targets + list(others.values())

    def with_keys(self, keys: dict[str, Any]) -> "Study":
        """The study with some of its keys replaced; those of a part, whose name is none, included."""
        keys = {key: value for key, value in keys.items() if key != "name"}
        return Study(**(self.model_dump(exclude={"parts"}) | keys))

    def expanded_parts(self) -> list[tuple[str | None, "Study"]]:
        """The name and the keys of each part; a study without parts is its own."""
        return [(part.get("name"), self.with_keys(part)) for part in self.parts] or [(None, self)]


def read_source(path: Path) -> Written:
    """What a YAML file says that may describe a table of scores."""
    return read_yaml(path, "keys such as title and source", BEGIN)


def is_source(path: Path) -> bool:
    """Whether a YAML file describes a table of scores, rather than a study."""
    return bool({*OF_A_TABLE} & read_source(path).content.keys())


def load_study(name: str, mini: bool = False, quick: bool = False) -> tuple[str, Study]:
    """A study's short name and content, from a file or from `params/<name>.yaml`; with `mini` on the mini suite."""
    path = study_file(name)
    return study_from(path, yaml_text(path), mini, quick)


def study_from(path: Path, text: str, mini: bool = False, quick: bool = False) -> tuple[str, Study]:
    """`load_study` of a text that stands in that file, or will."""
    short = study_name(path) + "-mini" * mini + "-quick" * quick
    written = parsed_yaml(path, text, "keys such as title, encoders and targets", BEGIN)
    content, own = written.content, written.content
    if any(isinstance(entry, dict) and "format" in entry for entry in content.values()):
        remedy = f"`intertask task check {path.name}` shows them; a study names the file: task_file: {path.name}."
        raise refusal(path, "a study", "a file of tasks", remedy)
    if {*OF_A_TABLE} & content.keys():
        raise IntertaskError(
            f"{path}: expected a study, found a table of scores (source), for which nothing is run: "
            "`intertask report` and `intertask scores` read it."
        )
    with written.placed():
        study = Study(**content)
    if mini:
        for form in ("mini", "quick")[: 1 + quick]:
            written = written.with_form(form)
        own = study.mini | (study.quick if quick else {})
    with written.placed():
        study = on_the_mini_suite(written.content) if mini else study
        refuse_ignored(study, own)
        for key in ("encoders", "supporting"):
            setattr(study, key, [one.beside(path.parent, key) for one in getattr(study, key)])
        _refuse_twice("encoders", [" ".join([one.encoder, *map(str, one.settings.items())]) for one in study.encoders])
    if study.task_file:
        study.task_file = str((path.parent / study.task_file).resolve())
    study.parts = [_with_models_beside(path.parent, part) for part in study.parts]
    study._file = path
    return short, study


def _with_models_beside(folder: Path, part: dict[str, Any]) -> dict[str, Any]:
    """A part with full paths, as `Open.beside`."""
    kinds = {"encoders": Encoder, "supporting": Supporting}
    placed = {
        key: [kind.model_validate(one).beside(folder, key).model_dump() for one in part[key]]
        for key, kind in kinds.items()
        if key in part
    }
    return part | placed


def on_the_mini_suite(content: dict[str, Any]) -> Study:
    """The study with every task replaced by its mini counterpart."""
    content = {key: value for key, value in content.items() if key not in ("mini", "quick", "counts")}
    Study(**content)  # for its refusals, before its tasks are replaced
    return Study(**_counterparts(content))


def _counterparts(content: dict[str, Any]) -> dict[str, Any]:
    """The same keys with mini tasks; of tasks that have one counterpart, one is left."""

    def mini(said: Any) -> Any:
        """Of a task's name, of a mapping under `task` or `tasks`, or of a list of these."""
        if isinstance(said, str):
            return counterpart(said)
        if isinstance(said, list):
            found = list(map(mini, said))
            return [one for place, one in enumerate(found) if one not in found[:place]]
        return {key: mini(own) if key in ("task", "tasks") else own for key, own in said.items()}

    def by_task(settings: dict[str, Any]) -> dict[str, Any]:
        return {counterpart(task): own for task, own in settings.items()}

    replace = {
        "targets": mini,
        "supporting": mini,
        "evaluate_on": lambda by: by_task({task: mini(others) for task, others in by.items()}),
        "per_task": by_task,
        "per_target": by_task,
        "parts": lambda parts: list(map(_counterparts, parts)),
    }
    return {key: replace[key](value) if key in replace else value for key, value in content.items()}


NO_STUDIES = {"clusters", "runs", "tasks"}
"""What lies in `params/` beside the studies: places to run, parameters of single runs, and task files of studies."""


def study_file(name: str) -> Path:
    if os.path.isfile(name):
        return Path(name).resolve()
    params = project_root() / "params"
    if os.path.isfile(path := params / f"{name}.yaml"):
        return path.resolve()
    hint = did_you_mean(name, studies_in_params())
    raise IntertaskError(f"There is no study {name}: neither a file nor in {params}.{hint}")


def studies_in_params() -> list[str]:
    """The names of the studies in `params/`."""
    params = project_root() / "params"
    files = [file.relative_to(params) for file in params.rglob("*.yaml")]
    return sorted(str(file.with_suffix("")) for file in files if file.parts[0] not in NO_STUDIES)


TAKEN = {"runs", "by_hand", "published", "reports"}
"""What lies in the results folder beside the studies."""

REPORT = "report"
"""The folder in a study's own."""


def study_name(path: Path) -> str:
    """Path within `params/` without the ending (`weller2022/pairwise`), or the file's own stem.

    It names the folder of the study's results; refused where that would be another's.
    """
    params = project_root() / "params"
    inside = os.path.relpath(path, params)
    name = (inside if not inside.startswith("..") else path.name).removesuffix(path.suffix)
    first, *others = [part.lower() for part in name.split("/")]
    taken = first in TAKEN or REPORT in others
    if (
        taken
        or len(name.encode()) > LONGEST_STUDY_NAME
        or any(re.match(r"\W", part) for part in name.split("/"))
        or not name.isprintable()
    ):
        expected = (
            f"a study's file whose name is that of its results: at most {LONGEST_STUDY_NAME} bytes, begun with a letter"
        )
        found = f"'{escaped(name)}'" + ", which names something else there" * bool(taken)
        raise refusal(escaped(str(path)), expected, found, "Rename the file.")
    return name
