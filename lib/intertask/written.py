"""What users write: YAML files, of which nothing is guessed, and models of what they say."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, WrapValidator, model_validator

from intertask.errors import IntertaskError, nearest, refusal

MOST_VALUES = 100_000  # of a file, with what aliases make of it: ten lines of them can stand for a billion
DEEPEST = 40  # collections in collections
DIGITS = 18  # of a whole number; what counts, and seeds, are of 64 bits

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TAG = "tag:yaml.org,2002:"
SCALARS = {
    "str": r"(?s).*",
    "int": rf"[-+]?(0|[1-9][0-9_]{{0,{DIGITS - 1}}})",
    "float": r"[-+]?[0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?",
    "bool": r"(?i)yes|no|true|false|on|off",
    "null": r"(?i)~|null|",
}
"""What a plain value may be, and how it is written: 010 (which YAML reads as 8), 1:30 (90) and .inf mean other things
to most who write them."""

NOTHING = ("none", "null", "nan", "n/a", "na", "-")
"""What people write where nothing is, in small letters: as a name it is doubtful."""

UNPRINTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal, or turn the direction of a line; and halves of one, which nothing can be sent."""


def escaped(text: str) -> str:
    """The text as a terminal may be sent it: what would steer it is shown, as \\x1b for an escape."""
    return UNPRINTED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Dumper(yaml.SafeDumper):
    """Writes a whole number without a fraction, and what occurs twice twice, as people do."""

    def represent_float(self, data: float) -> yaml.Node:
        return self.represent_int(int(data)) if data.is_integer() else super().represent_float(data)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(float, _Dumper.represent_float)


def as_written(value: Any) -> str:
    """A value in one line, as it stands in a params file: 3 for 3.0, true, [mini/qqp]."""
    options = {"default_flow_style": True, "sort_keys": False, "allow_unicode": True, "width": math.inf}
    return yaml.dump(value, Dumper=_Dumper, **options).removesuffix("...\n").strip()


@dataclass(frozen=True)
class Written:
    """A YAML file's content, and the line of each key and item of a list, by the keys that lead to it."""

    path: Path
    content: dict[str, Any]
    lines: dict[tuple[str | int, ...], int]

    def place(self, *keys: str | int) -> str:
        """As "study.yaml, line 7": where a key stands, or the nearest above it that does."""
        found: tuple[str | int, ...] = ()
        for key in keys:
            if (*found, key) in self.lines:
                found += (key,)
            elif key != 0:  # one value may stand for a list of it
                break
        return f"{self.path}, line {self.lines[found]}" if found else str(self.path)

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Within it what a model of the content refuses is refused with the line where that is written."""
        try:
            yield
        except ValidationError as error:
            raise IntertaskError(faults_in_words(error, self.content, self)) from None
        except IntertaskError as error:
            raise IntertaskError(f"{self.place(*error.at)}: {error}") from None

    def with_form(self, form: str) -> "Written":
        """The same, of keys that the mapping `form` replaces with the values and the lines that they have there."""
        own = {keys[1:]: line for keys, line in self.lines.items() if keys[0] == form and keys[1:]}
        replaced = {keys[0] for keys in own}
        lines = {keys: line for keys, line in self.lines.items() if keys[0] not in replaced} | own
        return Written(self.path, self.content | self.content.get(form, {}), lines)


def read_yaml(path: Path, expected: str, remedy: str) -> Written:
    """The mapping in a YAML file; expected, remedy: what is said of one that holds something else.

    Raises IntertaskError, with the line, where a key is doubled or no text, where text is not in UTF-8, and where a
    value is none that JSON has, or is written so that YAML may mean another.
    """
    return parsed_yaml(path, yaml_text(path), expected, remedy)


def yaml_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a mark of it."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise refusal(path, "a readable YAML file", error.strerror, "Check the path and the file.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        found = f"the byte {error.object[error.start]:#04x}, which is none"
        remedy = "Save it in UTF-8, in the editor that wrote it."
        raise refusal(f"{path}, line {line}", "a readable YAML file in UTF-8", found, remedy) from None


def parsed_yaml(path: Path, text: str, expected: str, remedy: str) -> Written:
    """`read_yaml` of what was read already."""
    loader = None
    try:
        _refuse_nesting(path, text)
        loader = Loader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            found = "nothing" if root is None else f"{loader.construct_document(root)!r:.80}"
            raise refusal(path, expected, found, remedy)
        lines = _Lines(path).of(root)
        return Written(path, loader.construct_document(root), lines)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise _malformed(path, text, error) from None
    finally:
        if loader:
            loader.dispose()


def _refuse_nesting(path: Path, text: str) -> None:
    """Before anything is made of it: that goes as deep as the text does, and no stack is endless."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            where = f"{path}, line {event.start_mark.line + 1}"
            raise refusal(where, f"at most {DEEPEST} levels", "deeper nesting", "Close a bracket.")


def _malformed(path: Path, text: str, error: Exception) -> IntertaskError:
    mark, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", None)
        where = path if position is None else f"{path}, line {text.count(chr(10), 0, position) + 1}"
        return refusal(where, "a readable YAML file", " ".join(str(error).split()), "Mend it there.")
    problem = str(error.problem)
    found = problem.removeprefix("found ") if problem.startswith("found ") else f"none: {problem}"
    if begun and begun.line < mark.line:
        found += f" (in what begins in line {begun.line + 1})"
    line = "".join(text.splitlines()[mark.line : mark.line + 1])
    tab = "\t" in line[: len(line) - len(line.lstrip())]
    remedy = "Indent with blanks: YAML takes no tabs." if tab else "Close brackets and quotes, and indent alike."
    return refusal(f"{path}, line {mark.line + 1}", "a readable YAML file", found, remedy)


class _Lines:
    """Walks through the nodes of a file, refuses what may mean something else, and notes the lines."""

    def __init__(self, path: Path):
        self.path = path
        self.sizes: dict[yaml.Node, int] = {}  # 0 as long as it is being counted

    def of(self, root: yaml.MappingNode) -> dict[tuple, int]:
        total = self._size(root)
        if total > MOST_VALUES:
            found = f"{total:,}" + f", by aliases (*) of {len(self.sizes):,}" * (total > len(self.sizes))
            raise refusal(self.path, f"at most {MOST_VALUES:,} values", found, "Write less, and out what is meant.")
        return dict(self._noted(root, ()))

    def _size(self, node: yaml.Node) -> int:
        if self.sizes.get(node) == 0:
            raise self._refusal(node, "values that end", "one that holds itself (*)", "Take the alias out.")
        if node not in self.sizes:
            self.sizes[node] = 0
            self._check(node)
            inner = node.value if isinstance(node, yaml.CollectionNode) else []
            if isinstance(node, yaml.MappingNode):
                self._check_keys(node)
                inner = [value for _, value in inner]
            self.sizes[node] = 1 + sum(map(self._size, inner))
        return self.sizes[node]

    def _check(self, node: yaml.Node) -> None:
        tag = node.tag.removeprefix(TAG)
        if isinstance(node, yaml.CollectionNode):
            if tag != ("map" if isinstance(node, yaml.MappingNode) else "seq"):
                raise self._refusal(node, "lists and mappings alone", f"the kind {node.tag}", "Take the tag out.")
            return
        if tag not in SCALARS or not re.fullmatch(SCALARS[tag], node.value):
            expected = f"text, a truth value, or a number in plain digits (at most {DIGITS})"
            raise self._refusal(node, expected, node.value[:80], "Put quotes around it if it is text.")
        if tag == "float" and not math.isfinite(float(node.value.replace("_", ""))):
            raise self._refusal(node, "a finite number", node.value[:80], "Write a smaller one.")
        if found := UNPRINTED.search(node.value):
            raise self._refusal(node, "text that can be printed", f"the character {found[0]!r}", "Take it out.")

    def _check_keys(self, node: yaml.MappingNode) -> None:
        first: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if key.tag != f"{TAG}merge":
                if key.tag != f"{TAG}str":
                    found = key.value if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
                    raise self._refusal(key, "keys that are text", f"{found}", "Put quotes around it.")
                self._check(key)
            if key.value in first:
                found = f"{key.value!r} in line {first[key.value].start_mark.line + 1} already"
                raise self._refusal(key, "each key once", found, "Take one out, or rename it.")
            first[key.value] = key

    def _noted(self, node: yaml.Node, path: tuple) -> Iterator[tuple[tuple, int]]:
        """What a merge (<<) brings comes first: a key of the mapping's own replaces it."""
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.SequenceNode):
            inner = list(enumerate(inner))
        for key, value in sorted(inner, key=lambda pair: getattr(pair[0], "value", "") != "<<"):
            if isinstance(key, yaml.Node) and key.tag == f"{TAG}merge":
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    yield from self._noted(merged, path)
                continue
            place, at = (path + (key,), value) if isinstance(key, int) else (path + (key.value,), key)
            yield place, at.start_mark.line + 1
            yield from self._noted(value, place)

    def _refusal(self, node: yaml.Node, expected: str, found: str, remedy: str) -> IntertaskError:
        return refusal(f"{self.path}, line {node.start_mark.line + 1}", expected, found, remedy)


class Strict(BaseModel):
    """A model of what users write: a truth value is never taken for a number, and a number is finite."""

    model_config = ConfigDict(allow_inf_nan=False, extra="forbid", frozen=True)
    ALONE: ClassVar[str | None] = None
    """The key whose value may stand for all: `mini/bert` for `{encoder: mini/bert}`."""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, values: Any) -> Any:
        values = {cls.ALONE: values} if cls.ALONE and isinstance(values, str) else values
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if type(value) in (bool, list, dict) and name in _without_truth(cls):
                for keys, found in _truths(value, (name,)):
                    raise IntertaskError(
                        f"key '{'.'.join(map(str, keys))}': expected a number or text, found {found}. YAML reads a "
                        "bare yes, no, on or off as a truth value: put quotes around it.",
                        at=keys,
                    )
        return values


@cache
def _without_truth(model: type[BaseModel]) -> set[str]:
    """The fields that nowhere admit a truth value."""
    return {name for name, field in model.model_fields.items() if not _admits_truth(field.annotation)}


def _admits_truth(annotation: Any) -> bool:
    if annotation in (bool, Any) or isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True  # a model says it of its own fields
    return any(
        _admits_truth(part) for part in get_args(annotation) if part is Any or isinstance(part, type) or get_args(part)
    )


def _truths(value: Any, keys: tuple) -> Iterator[tuple[tuple, bool]]:
    if isinstance(value, bool):
        yield keys, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _truths(one, (*keys, key))


class _Within(ValueError):
    """An IntertaskError as pydantic wants it, which then adds where in the model it came up."""


def _placed(value: Any, handler: Any) -> Any:
    try:
        return handler(value)
    except IntertaskError as error:
        raise _Within(error) from None


PLACED = WrapValidator(_placed)
"""For what a model holds and refuses with an IntertaskError: the place within the model is added to it."""


def faults_in_words(error: ValidationError, content: Any, written: Written | None = None) -> str:
    """pydantic's findings about some content in one line: where, what was expected, what was found."""
    return "; ".join(_in_words(item, content, written) for item in error.errors())


def keys_of(path: Sequence[str | int], content: Any) -> list[str | int]:
    """Of pydantic's path what the content has: not which of several types it tried."""
    keys: list[str | int] = []
    for part in path:
        if part in content if isinstance(content, Mapping) else isinstance(part, int) and isinstance(content, list):
            keys.append(part)
            content = content[part]
    return keys


def _in_words(item: Mapping[str, Any], content: Any, written: Written | None) -> str:
    error = item.get("ctx", {}).get("error")
    inner = error.args[0] if isinstance(error, _Within) else None
    keys = item["loc"] if item["type"] == "missing" else keys_of(item["loc"], content)
    where = f"{written.place(*keys, *(inner.at if inner else ()))}: " if written else ""
    key = ".".join(map(str, keys)) or "value"
    if inner:
        return f"{where}{key}: {inner}"
    if item["type"] == "missing":
        return f"{where}{key}: field required, found none"
    hint = alone(item) or _meant(str(item["input"]), item.get("ctx", {}).get("expected", ""))
    said = error or item["msg"].lower().removesuffix(" after validation, not 0")
    return f"{where}{key}: {said}, found {item['input']!r:.200}" + (f".{hint}" if hint else "")


def alone(item: Mapping[str, Any]) -> str:
    """The hint of brackets where pydantic found one value in place of a list, else ""."""
    value = item["input"]
    return f" Write [{value}]." if item["type"] == "list_type" and isinstance(value, str | int | float) else ""


def _meant(said: str, expected: str) -> str:
    """The hint of one of the names in `expected`; what is no processor is not taken for cpu."""
    names = re.findall("'([^']+)'", expected)
    return nearest("cuda" if said == "gpu" and "cuda" in names else said, names)
