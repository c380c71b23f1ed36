"""What hypothesis makes of sound files, and of nothing: read or refused in words, and never a traceback.

Derandomised: the same inputs wherever and whenever the tests run.
"""

import copy
import csv
import io
import json
from contextlib import contextmanager

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_inputs import bad_studies, bad_tables, bad_tasks
from intertask import cache
from intertask.analysis.score_tables import as_runs, as_scores, keep, tidy
from intertask.cli import _show_task
from intertask.errors import IntertaskError
from intertask.studies.graph import expand
from intertask.studies.study import load_study
from intertask.tasks import catalogue, load
from intertask.tasks.catalogue import read_entries
from intertask.written import escaped

ODD = ["", "no", "~", "010", "1e5", ".inf", "-1", "-100", "0", "nan", "none", "=1+1", "é", "x" * 300, "9" * 30]
ODD += ['"', "'", "\t", "\n", "\r", ",", "*a", "&a ", "<<", "{", "[", "- ", ": ", "..", "/"]
ODD += ["\x00", "\u202e", "\u200d", "\ud800"]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["start", "text", *ODD]), inner),
    max_leaves=6,
)


@pytest.fixture(autouse=True, scope="module")
def code_that_stays():
    """The code that reads tasks is digested once, and not for each example."""
    digests = catalogue.reading_code()
    with pytest.MonkeyPatch.context() as patch:
        for module in (catalogue, load):
            patch.setattr(module, "reading_code", lambda: digests)
        yield


def made(count: int, **strategies):
    """A test of so many inputs, which are drawn alike every time."""
    slow = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    drawn = settings(max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=slow)
    return lambda test: drawn(given(**strategies)(test))


@contextmanager
def in_words():
    """Nothing but what a terminal can be sent is raised."""
    try:
        yield
    except IntertaskError as error:
        escaped(str(error)).encode()


def places(content, path=()):
    """Every key and item of what a YAML or JSON file holds."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def changed(draw, content, most=3):
    """The content with keys and items dropped, renamed, doubled, or of other values."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, most))):
        if not (there := list(places(content))):
            break
        *above, key = draw(st.sampled_from(there))
        holder = content
        for step in above:
            holder = holder[step]
        how = draw(st.sampled_from(["other", "other", "drop", "rename", "wrap", "double"]))
        if how == "drop":
            del holder[key]
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(ODD) | st.sampled_from([str(path[-1]) for path in there]))] = holder.pop(key)
        elif how == "wrap":
            holder[key] = draw(st.sampled_from([[holder[key]], {"a": holder[key]}, [holder[key]] * 2]))
        elif how == "double" and isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[key] = draw(values)
    return content


@st.composite
def damaged(draw, text):
    """The text, or bytes of it, cut, with parts doubled or taken out, or with others within."""
    for _ in range(draw(st.integers(0, 3))):
        first, last = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        new = draw(st.sampled_from(["", text[first:last] * 2, *ODD]) | st.text(max_size=5))
        text = text[:first] + new + text[draw(st.sampled_from([first, last, min(first + 1, len(text))])) :]
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    if content and draw(st.booleans()) and draw(st.booleans()):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content)


def files_like(*texts):
    """Files as the YAML texts are, with what they hold changed, or damaged themselves; and any text."""
    contents = [yaml.safe_load(text) for text in texts]
    dumped = st.sampled_from(contents).flatmap(changed).map(lambda one: yaml.safe_dump(one, sort_keys=False).encode())
    return dumped | st.sampled_from(texts).flatmap(damaged) | st.text(max_size=60).flatmap(damaged)


STUDIES = [
    bad_studies.STUDY,
    """\
title: T
encoders: [mini/bert, {name: x, encoder: mini/bilstm}]
targets: [mini/rte, mini/mnli]
supporting: [mini/qnli, {name: two, tasks: [mini/qqp, mini/sst2]}, {task: mini/cola, limit: 10, shuffle_labels: true}]
regimes: [single, stilts, mtl, mtl_all, mtl_finetune]
seeds: [1, 2]
limits: [100]
mixing: [{name: even, sampling: uniform}]
train: {learning_rate: 5.0e-4, num_train_epochs: 1, max_length: 32}
per_task: {mini/rte: {warmup_steps: 3}}
evaluate_on: {mini/mnli: [mini/ax]}
report: [transfer_matrix, {notebook: restarts, study: T}]
mini: {seeds: 1}
""",
    """\
title: T
encoders: [mini/bert]
targets: [mini/rte]
supporting: [mini/mnli]
seeds: 2
sweep: {learning_rate: [1.0e-3, 1.0e-4]}
small_data: {at_most: 100, num_train_epochs: 2}
pretraining: {max_steps: 10, limit: 100}
parts: [{name: a, regimes: [single]}, {name: b, limits: [50], holdout: 0.5}]
counts: [{what: runs, paper: 3, because: x}]
""",
]


@made(400, content=files_like(*STUDIES))
def test_studies(tmp_path, content):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with in_words():
        expand(*load_study(str(path)), planned=True)


TASKS = {
    "classification": {"inputs": ["text"], "label": "label"},
    "multi_label": {"inputs": ["text"], "label": "labels"},
    "regression": {"inputs": ["text"], "label": "label", "label_range": [0, 5]},
    "multiple_choice": {"inputs": ["text"], "choices": ["one", "two"], "label": "label"},
    "cloze": {"inputs": ["text", "query"], "choices": ["options"], "label": "label"},
    "span_classification": {"inputs": ["text"], "spans": ["s.span"], "label": "s.label"},
    "tagging": {"inputs": ["words"], "label": "tags"},
    "extractive_qa": {"inputs": ["question", "text"], "label": "answers"},
    "masked_language_modelling": {"inputs": ["text"]},
}
RECORDS = {
    "classification": [{"text": "a b", "label": "x"}, {"text": "c d", "label": "y"}],
    "multi_label": [{"text": "a b", "labels": ["x", "y"]}, {"text": "c d", "labels": ["y"]}],
    "regression": [{"text": "a b", "label": 1.5}, {"text": "c d", "label": 4}],
    "multiple_choice": [{"text": "a", "one": "b", "two": "c", "label": place} for place in (0, 1)],
    "cloze": [
        {"text": "Anna sings", "query": "@placeholder sings", "options": ["Anna", "Bob"], "label": name}
        for name in ("Anna", "Bob")
    ],
    "span_classification": [{"text": "a b c", "s": [{"span": [0, 1], "label": name}]} for name in "xy"],
    "tagging": [{"words": ["a", "b"], "tags": ["N", "V"]}, {"words": ["c"], "tags": ["V"]}],
    "extractive_qa": [
        {"question": "who", "text": "a b c", "answers": {"text": [word], "answer_start": [at]}}
        for word, at in (("a", 0), ("c", 4))
    ],
    "masked_language_modelling": [{"text": "a b c"}, {"text": "d e"}],
}


def entry(form, kind, **more):
    return {"files": {"train": f"train.{kind}", "validation": f"dev.{kind}"}, "format": form, **TASKS[form], **more}


def read_task(folder):
    """As `task check` does."""
    cache._known.clear()  # a file that is written twice within a tick of the clock
    with in_words():
        for name in read_entries(folder / "tasks.yaml"):
            _show_task(name, str(folder / "tasks.yaml"), "", 32)


@made(350, content=files_like(bad_tasks.TASKS, *(yaml.safe_dump({"t": entry(form, "jsonl")}) for form in TASKS)))
def test_task_files(tmp_path, content):
    (tmp_path / "tasks.yaml").write_bytes(content)
    read_task(tmp_path)


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize("form", TASKS)
def test_rows_of_json(form, tmp_path):
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"t": entry(form, "jsonl")}))
    (tmp_path / "dev.jsonl").write_text(lines(RECORDS[form]))
    rows = changed(RECORDS[form], 4).map(lambda records: lines(records).encode())

    @made(40, content=rows | rows | damaged(lines(RECORDS[form])))
    def read(content):
        (tmp_path / "train.jsonl").write_bytes(content)
        read_task(tmp_path)

    read()


def table(records, delimiter=","):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerows([list(records[0]), *(record.values() for record in records)])
    return stream.getvalue()


WORD = "{0}\t{1}\t_\tX\t_\t_\t{2}\tdep\t_\t_\n"
TABLES = {
    "csv": table(RECORDS["classification"] * 3),
    "tsv": table(RECORDS["classification"] * 3, "\t"),
    "conll": "a\tN\nb\tV\n\nc\tN\n",
    "conllu": "".join(WORD.format(at, "w", at - 1) for at in range(1, 4)) + "\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables(kind, tmp_path):
    more = {"columns": ["words", "tags"]} if kind == "conll" else {}
    tagged = {"conll": {}, "conllu": {"label": "upos", "unused": ["sent_id", "text", "feats", "head", "deprel"]}}
    own = entry("tagging" if kind in tagged else "classification", kind, **more) | tagged.get(kind, {})
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"t": own}))
    (tmp_path / f"dev.{kind}").write_text(TABLES[kind])

    @made({"csv": 750, "tsv": 150}.get(kind, 50), content=damaged(TABLES[kind]))
    def read(content):
        (tmp_path / f"train.{kind}").write_bytes(content)
        read_task(tmp_path)

    read()


SCORES = bad_tables.ROWS + "b,mnli,rte,2,65\nb,,cola,1,70\nb,mnli,cola,1,71\n"


@made(250, content=damaged(SCORES))
def test_tables_of_scores(tmp_path, content):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with in_words():
        found = tidy(path)
        as_runs(found, "t"), as_scores(found, "t")


SOURCE = """\
title: T
source: [{file: scores.csv, columns: {score: score}, values: {part: a}}]
columns: {target: target}
values: {limit: 5}
unit: points
report: [transfer_matrix]
"""


@made(250, content=files_like(bad_tables.SOURCE, SOURCE))
def test_source_files(tmp_path, content):
    (tmp_path / "scores.csv").write_text(SCORES)
    (tmp_path / "theirs.yaml").write_bytes(content)
    with in_words():
        keep(tmp_path / "theirs.yaml", "theirs")
