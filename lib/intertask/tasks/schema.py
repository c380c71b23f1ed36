"""The fields of one task entry: where the data is, what is read and what is predicted."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from intertask.errors import IntertaskError, did_you_mean, refusal

METRICS = {
    "classification": ["accuracy", "f1", "f1_macro", "matthews_correlation"],
    "regression": ["pearson", "spearman"],
    "multiple_choice": ["accuracy"],
    "masked_language_modelling": ["accuracy"],
}
"""Format -> the metrics that it knows."""

DEFAULT_METRICS = {**METRICS, "classification": ["accuracy"]}

Split = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Column = Annotated[str, Field(min_length=1)]


class TaskEntry(BaseModel):
    """One task as data: exactly one source (`hub`, `files` or `mini`), the columns that are read, and the labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{1,60}$")]
    # Hub id of a data set, owner/name; the same folder in a mirror.
    hub: Annotated[str, Field(pattern=r"^(|[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)$")] = ""
    config: str = ""
    revision: str = "main"
    # Split -> CSV, TSV, JSONL or Parquet files, relative to the YAML file.
    files: dict[Split, list[str]] = {}
    # Name in the mini suite.
    mini: str = ""
    format: Literal["classification", "regression", "multiple_choice", "masked_language_modelling"]
    # Text columns, in the order in which the encoder reads them.
    inputs: Annotated[list[Column], Field(min_length=1, max_length=2)]
    # Of multiple_choice: a column for each choice, or one that holds a list (`endings`, or `choices.text` in a struct).
    choices: list[Column] = []
    label: str = ""
    # Label names in id order; None: those of the data set's card, else the values in train, sorted.
    # Of multiple_choice, what the label column says for the first choice, the second …; None: 0, 1 …
    labels: list[str] | None = None
    # Lowest and highest label of a regression.
    label_range: tuple[float, float] | None = None
    # The main score is the mean of these.
    metrics: Annotated[list[str], Field(min_length=1)]
    # Our split -> the source's, where the names differ, and splits beyond train, validation and test.
    # Naming only `test` makes the task evaluation-only.
    splits: dict[Split, str] = {}
    # Rows with this label are dropped on reading.
    drop_label: int | str | None = None
    # Columns that are kept beside the label, to break scores down by.
    tags: list[Column] = []
    # Columns that are left out on purpose; a column that no key names is refused.
    unused: list[str] = []
    # Rows per split of the full data set, after drop_label.
    sizes: dict[str, int] = {}
    paper: str = ""
    licence: str = ""
    note: str = ""

    @property
    def choice_columns(self) -> list[str]:
        """The columns that hold the choices; a dot leads into a struct."""
        return [column.partition(".")[0] for column in self.choices]

    @property
    def evaluation_only(self) -> bool:
        """True for a task that has no train and validation split, as the GLUE diagnostic set."""
        return set(self.splits or self.files) == {"test"}

    def content(self) -> dict[str, Any]:
        """All that defines the task, without paths and prose, as plain JSON values: part of a run's identity.

        Fields at their default are left out, so that a field added to this class later changes no identity.
        """
        aside = {"files", "unused", "sizes", "paper", "licence", "note"}
        return self.model_dump(mode="json", exclude=aside, exclude_defaults=True)

    @model_validator(mode="before")
    @classmethod
    def _default_metrics(cls, fields: Any) -> Any:
        return {"metrics": DEFAULT_METRICS.get(str(fields.get("format")), ["accuracy"]), **fields}

    @field_validator("files", mode="before")
    @classmethod
    def _one_file_is_a_list(cls, files: Any) -> Any:
        if not isinstance(files, dict):
            return files
        return {split: [paths] if isinstance(paths, str) else paths for split, paths in files.items()}

    @field_validator("labels", mode="before")
    @classmethod
    def _whole_numbers_are_names(cls, labels: Any) -> Any:
        if not isinstance(labels, list):
            return labels
        return [str(label) if type(label) is int else label for label in labels]

    @model_validator(mode="after")
    def _consistent(self) -> "TaskEntry":
        self._check_source()
        self._check_columns()
        self._check_labels()
        for metric in self.metrics:
            if metric not in METRICS[self.format]:
                known = METRICS[self.format]
                raise ValueError(
                    f"expected metrics of the format {self.format} ({', '.join(known)}), found '{metric}'."
                    + (did_you_mean(metric, known) or " Name one of these.")
                )
        return self

    def _check_source(self) -> None:
        given = [key for key in ("hub", "files", "mini") if getattr(self, key)]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"expected exactly one source among hub, files and mini, found {found}. Give one.")
        if self.config and not self.hub:
            raise ValueError(f"expected config only beside hub, found it beside {given[0]}. Take it out.")

    def _check_columns(self) -> None:
        named = [*self.inputs, *self.choice_columns, *([self.label] if self.label else []), *self.tags, *self.unused]
        if twice := sorted({column for column in named if named.count(column) > 1}):
            raise ValueError(f"expected each column in one role, found '{twice[0]}' twice. Name it once.")
        for name in ("label", "choices"):
            if name in [*self.inputs, *self.tags]:
                raise ValueError(
                    f"expected '{name}' to be no input or tag (it is a column's name once read), found it there. "
                    "Rename that column in the data."
                )
        if bool(self.choices) != (self.format == "multiple_choice"):
            raise ValueError(
                f"expected choices for multiple_choice and for nothing else, found {self.choices} for {self.format}. "
                "Name the columns of the choices, or mend the format."
            )

    def _check_labels(self) -> None:
        unlabelled = self.format == "masked_language_modelling"
        if unlabelled and (self.label or len(self.inputs) > 1):
            raise ValueError(
                f"expected one input and no label for {self.format}, found "
                f"{len(self.inputs)} inputs and label '{self.label}'. Take the rest out."
            )
        if not unlabelled and not self.label:
            raise ValueError(f"expected the label column for {self.format}, found no key label. Add it.")
        named = self.format in ("classification", "multiple_choice")
        if self.labels is not None and (not named or len(set(self.labels)) < 2):
            raise ValueError(
                f"expected labels only for classification and multiple_choice, two or more, found {self.labels}. "
                "Mend them."
            )
        if self.labels is not None and len(set(self.labels)) < len(self.labels):
            raise ValueError(f"expected each label name once, found {self.labels}. Take the double out.")
        if self.label_range and (self.format != "regression" or self.label_range[0] >= self.label_range[1]):
            raise ValueError(
                f"expected label_range only for regression, as [lowest, highest], found {list(self.label_range)}. "
                "Mend it."
            )


def parse_entry(name: str, fields: Any, where: str) -> TaskEntry:
    """The entry `name` from what YAML gave; raises IntertaskError that names `where` (the file), the task and key."""
    where = f"{where}, task '{name}'"
    if not isinstance(fields, dict):
        raise refusal(where, "a mapping of keys", repr(fields), "Indent the keys below the task's name.")
    keys = sorted(TaskEntry.model_fields.keys() - {"name"})
    for key in fields:
        if key not in keys:
            raise refusal(where, "only keys of a task entry", f"'{key}'", did_you_mean(str(key), keys))
    try:
        return TaskEntry.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise _readable(where, error) from None


def _readable(where: str, error: ValidationError) -> IntertaskError:
    first = error.errors()[0]
    if first["type"] == "value_error":
        return IntertaskError(f"{where}: {first['ctx']['error']}")
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return refusal(where, f"the key '{key}'", "none", "Add it.")
    remedy = f"Mend the key '{key}'."
    if isinstance(first["input"], bool):
        remedy = f"YAML reads a bare yes, no, on or off as a truth value: put quotes around it in '{key}'."
    return refusal(f"{where}, key '{key}'", first["msg"].replace("Input should be ", ""), repr(first["input"]), remedy)
