"""The fields of one task entry: where the data is, what is read and what is predicted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from intertask.errors import IntertaskError, did_you_mean, number_of, refusal
from intertask.written import Strict, Written, alone, keys_of

PART = "[A-Za-z0-9_][A-Za-z0-9_.-]*"  # begins with no dot: names become those of files
NAME = f"^{PART}(/{PART})*$"
LONGEST_NAME = 60  # characters
HELD_OUT = ("validation_select", "validation_report")
"""The splits that a run with `holdout` makes of `validation`."""


def _no_made_split(name: str) -> str:
    if name in HELD_OUT:
        raise ValueError("another name, for a run with holdout makes a split of this one")
    return name


Split = Annotated[str, Field(pattern=f"^{PART}$"), AfterValidator(_no_made_split)]
Column = Annotated[str, Field(min_length=1)]
OneOrMore = Annotated[list[str], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)]
Share = Annotated[float, Field(gt=0, lt=1)]
LabelName = Annotated[str, BeforeValidator(lambda given: str(given) if type(given) is int else given)]


class TaskEntry(Strict):
    """One task as data: exactly one source (`hub`, `files` or `mini`), the columns that are read, and the labels.

    A column with a dot leads into a struct or into a list of structs.
    """

    name: Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]
    # Hub id of a data set, owner/name; the same folder in a mirror.
    hub: Annotated[str, Field(pattern=r"^(|[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)$")] = ""
    config: str = ""
    revision: str = "main"
    # Split -> CSV, TSV, JSONL, Parquet, CoNLL or CoNLL-U files, relative to the YAML file; * is any characters.
    files: dict[Split, OneOrMore] = {}
    # A corpus that the user fetches: `files` lie in the folder of that name in INTERTASK_CORPORA; `get` says how to.
    corpus: Annotated[str, Field(pattern=f"^({PART})?$")] = ""
    get: str = ""
    # Names of the columns of files without a header, or split -> names.
    columns: list[Column] | dict[Split, list[Column]] = []
    # Name in the mini suite.
    mini: str = ""
    # A rule of `probes` that makes the rows from what the source holds; the keys below then name its columns.
    derive: str = ""
    # A format of `formats`, or module.Class of the user's own.
    format: str
    # Text columns, in the order in which the encoder reads them; those after the first are joined to one text.
    # Of tagging: a list of words, or a text of words separated by blanks.
    inputs: Annotated[list[Column], Field(min_length=1)]
    # Of multiple_choice and cloze: a column for each choice, or one with a list (`endings`, `choices.text`).
    choices: list[Column] = []
    # Of span_classification: one or two columns of [start, end), or "start:end", two columns of numbers; with two
    # inputs a span in each. In a list of structs (`targets.span1`) a row has a target for each of its items.
    spans: Annotated[list[Annotated[Column, Field(pattern="^[^:]+(:[^:]+)?$")]], Field(max_length=2)] = []
    span_unit: Literal["words", "characters"] = "words"
    # Of multi_label and span_classification also a list of names, of tagging a name for each word; of extractive_qa and
    # cloze a text, several, or SQuAD's {text, answer_start}; of sequence_to_sequence the text to write. Of multi_label
    # also several columns, one of 0 and 1 for each label, which has its name.
    label: str | list[Column] = ""
    # Of what is written, in which words or pieces of words, learned from train, and how many types of them: None, as
    # many as train has, at most 20,000 (Wang et al. 2019, appendix B: words of English, pieces of translations).
    vocabulary: Literal["", "words", "bpe"] = ""
    vocabulary_size: int | None = Field(None, ge=1)
    # Of sequence_to_sequence: whether the decoder attends to the encoder's states, as for SkipThought in the paper.
    attention: bool = False
    # Label names in id order; None: those of the data set's card, else the values in train, sorted.
    # Of multiple_choice, what the label column says for the first choice, the second …; None: 0, 1 …
    labels: list[LabelName] | None = None
    # Labels, or patterns such as R-*, that the F1 of span_classification leaves out.
    unscored_labels: list[str] = []
    # Of multi_label: what parts the labels of a text, as a CSV holds them; empty: the label column holds lists.
    separator: str = ""
    # Of multi_label: the probability from which on a label is predicted, of all or by name; of others 0.5.
    threshold: Share | dict[LabelName, Share] = {}
    # Of multi_label: whether an example may have no label at all.
    allow_empty: bool = False
    # Of classification and regression on two inputs: whether these may change places.
    symmetric: bool = False
    # Of extractive_qa: whether questions without an answer are data too, as in SQuAD 2.0.
    unanswerable: bool = False
    # Lowest and highest label of a regression.
    label_range: tuple[float, float] | None = None
    # Of regression: whether labels may lie outside label_range, where most are; the loss is then Huber's.
    outliers: bool = False
    # The main score is the mean of these.
    metrics: Annotated[list[str], Field(min_length=1)]
    # Our split -> the source's, where the names differ, and splits beyond train, validation and test.
    # Naming only `test` makes the task evaluation-only.
    splits: dict[Split, str] = {}
    # Rows with this label are dropped on reading.
    drop_label: int | str | None = None
    # Columns that are kept beside the label, to break scores down by.
    tags: list[Column] = []
    # Columns, also inputs, whose values together tell which examples question_exact_match scores as one.
    group: list[Column] = []
    # Columns that are left out on purpose; a column that no key names is refused.
    unused: list[str] = []
    # Rows per split of the full data set, after drop_label.
    sizes: dict[str, int] = {}
    paper: str = ""
    licence: str = ""
    note: str = ""
    # The mini task that stands for this one when a study runs on the mini suite.
    counterpart: str = ""

    def __hash__(self) -> int:
        return hash(self.name)  # other fields hold lists, which have no hash

    def columns_in(self, split: str) -> list[str]:
        """Names of the columns of a split's files where these have no header; else none."""
        return self.columns.get(split, []) if isinstance(self.columns, dict) else self.columns

    @property
    def structured_columns(self) -> list[str]:
        """The columns that hold choices, spans and groups, each once."""
        return _roots([*self.choices, *self.spans, *self.group])

    @property
    def label_columns(self) -> list[str]:
        """The columns that hold labels: none, one, or one for each label."""
        return [column.partition(".")[0] for column in self._labels_in]

    @property
    def label_said(self) -> str:
        """The label column or columns, as a refusal names them."""
        return ", ".join(self._labels_in)

    @property
    def named_labels(self) -> list[str] | None:
        """The label names, in id order, as far as the entry says them: also those of label columns."""
        return self.label if isinstance(self.label, list) else self.labels

    @property
    def _labels_in(self) -> list[str]:
        return self.label if isinstance(self.label, list) else [self.label] if self.label else []

    @property
    def evaluation_only(self) -> bool:
        """True for a task that has no train and validation split, as the GLUE diagnostic set."""
        return set(self.splits or self.files) == {"test"}

    def content(self) -> dict[str, Any]:
        """All that defines the task, without paths and prose, as plain JSON values: part of a run's identity.

        Fields at their default are left out, so that a field added to this class later changes no identity.
        """
        aside = {"files", "corpus", "get", "unused", "sizes", "paper", "licence", "note", "counterpart"}
        return self.model_dump(mode="json", exclude=aside, exclude_defaults=True)

    @model_validator(mode="before")
    @classmethod
    def _default_metrics(cls, fields: Any) -> Any:
        from intertask.formats import find_format  # here: it needs torch, and what only reads results does not

        if "metrics" in fields or not isinstance(fields.get("format"), str):
            return fields
        with _said_of("format"):
            form = find_format(fields["format"])
        return {**fields, "metrics": list(form.default_metrics or form.metrics)}

    @model_validator(mode="after")
    def _consistent(self) -> "TaskEntry":
        from intertask.formats import find_format

        with _said_of("format"):
            form = find_format(self.format)
        self._check_source()
        self._check_keys(form)
        self._check_columns()
        self._check_labels(form)
        for metric in self.metrics:
            if metric not in form.metrics:
                raise IntertaskError(
                    f"expected metrics of the format {self.format} ({', '.join(form.metrics)}), found '{metric}'."
                    + (did_you_mean(metric, form.metrics) or " Name one of these."),
                    at=("metrics", self.metrics.index(metric)),
                )
        return self

    def _check_source(self) -> None:
        given = [key for key in ("files", "hub", "mini") if getattr(self, key)]
        if len(given) != 1:
            found, at = " and ".join(given) or "none", given[1:] or self._empty("hub", "files", "mini")
            raise IntertaskError(
                f"expected exactly one source among hub, files and mini, found {found}. Give one.", at=tuple(at[:1])
            )
        for key, source in {"config": "hub", "corpus": "files", "columns": "files"}.items():
            if getattr(self, key) and source not in given:
                found = f"it beside {given[0]}"
                raise IntertaskError(f"expected {key} only beside {source}, found {found}. Take it out.", at=(key,))
        known = {"train", "validation", "test", *self.files, *self.splits}
        for key, named in {"columns": self.columns, "sizes": self.sizes}.items():
            if isinstance(named, dict) and (other := next((split for split in named if split not in known), None)):
                hint = did_you_mean(other, known)
                raise IntertaskError(f"expected splits under {key}, found '{other}'.{hint}", at=(key, other))
        if self.derive:
            from intertask.probes import find_rule  # here: with pandas, which most entries do not need

            with _said_of("derive"):
                find_rule(self.derive)
        if self.corpus and not self.get:
            message = f"expected `get`, how to come by the corpus {self.corpus}, found none. Add it."
            raise IntertaskError(message, at=("corpus",))

    def _check_keys(self, form: type) -> None:
        from intertask.formats import FORMATS

        for key in dict.fromkeys(key for known in FORMATS.values() for key in known.keys):
            given = getattr(self, key)
            if given and key not in form.keys or not given and key in form.needs:
                knowing = [name for name, known in FORMATS.items() if key in known.keys]
                raise IntertaskError(
                    f"expected {key} for {' and '.join(knowing)} and for nothing else, found {given or 'none'} for "
                    f"{self.format}. Mend the key {key}, or the format.",
                    at=(key,) if given else tuple(self._empty(key)) or ("format",),
                )
        fewest, most = form.inputs
        if not fewest <= len(self.inputs) <= most:
            expected = number_of(fewest, "input") if fewest == most else f"{fewest} to {most} inputs"
            message = f"expected {expected} for {self.format}, found {self.inputs}. Mend them."
            raise IntertaskError(message, at=("inputs",))

    def _check_columns(self) -> None:
        label = [column for column in self.label_columns if column not in self.structured_columns]
        group = [column for column in self.group if column not in self.inputs]  # texts that are equal may be the group
        structured = _roots([*self.choices, *self.spans, *group])
        named = [*self.inputs, *structured, *label, *self.tags, *self.unused]
        if twice := sorted({column for column in named if named.count(column) > 1}):
            roles = ("inputs", "choices", "spans", "group", "label", "tags", "unused")
            last = [role for role in roles if twice[0] in _roots(self._columns_of(role))][-1]
            raise IntertaskError(
                f"expected each column in one role, found '{twice[0]}' twice. Name it once.", at=(last,)
            )
        for name in ("label", "choices", "spans", "group"):
            if name in [*self.inputs, *self.tags]:
                raise IntertaskError(
                    f"expected '{name}' to be no input or tag (it is a column's name once read), found it there. "
                    "Rename that column in the data.",
                    at=("inputs" if name in self.inputs else "tags",),
                )
        if bool(self.group) != ("question_exact_match" in self.metrics):
            raise IntertaskError(
                f"expected group with the metric question_exact_match and without it not, found group {self.group} "
                f"and metrics {self.metrics}. Add the one or take out the other.",
                at=("group" if self.group else "metrics",),
            )
        if self.symmetric and len(self.inputs) != 2:
            message = f"expected two inputs beside symmetric, found {self.inputs}. Take symmetric out."
            raise IntertaskError(message, at=("symmetric",))

    def _check_labels(self, form: type) -> None:
        from intertask.formats.columns import spelled

        if self.label and not form.labelled:
            message = f"expected no label for {self.format}, found '{self.label_said}'. Take it out."
            raise IntertaskError(message, at=("label",))
        if form.labelled and not self.label:
            message = f"expected the label column for {self.format}, found no key label. Add it."
            raise IntertaskError(message, at=tuple(self._empty("label")) or ("format",))
        if self.drop_label is not None and (form.several_targets or form.label_dtype is object):
            raise IntertaskError(
                f"expected drop_label where an example has one label, found it for {self.format}. Take it out.",
                at=("drop_label",),
            )
        if "." in self.label_said and "spans" not in form.keys:
            raise IntertaskError(
                f"expected the label of {self.format} in a column of its own, found '{self.label_said}', a key within "
                "one. Write it as a column.",
                at=("label",),
            )
        if isinstance(self.label, list):
            self._check_label_columns(form)
        names, at = self.named_labels or [], ("label" if isinstance(self.label, list) else "labels",)
        if self.named_labels is not None and len(set(names)) < 2:
            raise IntertaskError(f"expected labels, two or more, found {names}. Mend them.", at=at)
        if len(set(map(spelled, names))) < len(names):
            raise IntertaskError(f"expected each label name once, found {names}. Take the double out.", at=at)
        if self.outliers and not self.label_range:
            message = "expected label_range beside outliers, where most labels are, found none. Add it."
            raise IntertaskError(message, at=("outliers",))
        if self.label_range and self.label_range[0] >= self.label_range[1]:
            message = f"expected label_range as [lowest, highest], found {list(self.label_range)}. Mend it."
            raise IntertaskError(message, at=("label_range",))

    def _check_label_columns(self, form: type) -> None:
        if not form.several_columns:
            message = f"expected one label column for {self.format}, found {self.label}. Name one."
            raise IntertaskError(message, at=("label",))
        if found := [key for key in ("labels", "separator", "allow_empty") if getattr(self, key)]:
            raise IntertaskError(
                f"expected no {found[0]} beside label columns, whose names and zeros say it, found it. Take it out.",
                at=(found[0],),
            )

    def _columns_of(self, role: str) -> list[str]:
        return self._labels_in if role == "label" else getattr(self, role)

    def _empty(self, *keys: str) -> list[str]:
        """Of keys that say nothing those that are written nevertheless."""
        return [key for key in keys if key in self.model_fields_set]


@contextmanager
def _said_of(key: str) -> Iterator[None]:
    """What is refused in the block is refused of this key."""
    try:
        yield
    except IntertaskError as error:
        raise IntertaskError(str(error), at=(key,)) from None


def _roots(columns: list[str]) -> list[str]:
    """The columns of the data that "start:end" and "targets.span1" name, each once."""
    parts = [part for column in columns for part in column.split(":")]
    return list(dict.fromkeys(part.partition(".")[0] for part in parts))


def parse_entry(name: str, fields: Any, where: str | Written) -> TaskEntry:
    """The entry `name` from what YAML gave; raises IntertaskError that names `where` (the file), the task and key."""

    def place(*keys: str | int) -> str:
        return f"{where.place(name, *keys) if isinstance(where, Written) else where}, task '{name}'"

    if not isinstance(fields, dict):
        raise refusal(place(), "a mapping of keys", f"{fields!r:.80}", "Indent the keys below the task's name.")
    keys = sorted(TaskEntry.model_fields.keys() - {"name"})
    for key in fields:
        if key not in keys:
            raise refusal(place(key), "only keys of a task entry", f"'{key}'", did_you_mean(key, keys))
    try:
        return TaskEntry.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise _readable(place, error, fields) from None
    except IntertaskError as error:
        raise IntertaskError(f"{place(*error.at)}: {error}") from None


def _readable(place: Callable[..., str], error: ValidationError, fields: dict[str, Any]) -> IntertaskError:
    key = error.errors()[0]["loc"][0]
    first = max((one for one in error.errors() if one["loc"][0] == key), key=lambda one: len(one["loc"]))
    if first["type"] == "missing":
        return refusal(place(), f"the key '{key}'", "none", "Add it.")
    keys = keys_of(first["loc"], fields) or [key]
    if key == "name":
        first["msg"] = (
            f"at most {LONGEST_NAME} letters, digits, _ . and -, in parts joined by /, none begun with a dot or -"
        )
    expected, found = (
        first["msg"].removeprefix("Input should be ").removeprefix("Value error, "),
        f"{first['input']!r:.200}",
    )
    key = ".".join(map(str, keys))
    return refusal(f"{place(*keys)}, key '{key}'", expected, found, alone(first) or f"Mend the key '{key}'.")
