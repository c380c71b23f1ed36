"""A made-up mirror, the Hub out of reach, corpora, and fingerprints."""

import re
import shutil
from importlib.util import find_spec
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub.errors import HTTPError, RepositoryNotFoundError

import minilanguage
from conftest import TRAIN
from intertask import cache, hub
from intertask.tasks import sources
from intertask.tasks.catalogue import find_entry
from intertask.tasks.load import load_task
from intertask.tasks.rows import _row_digest
from intertask.tasks.sources import fingerprint, locate

ENTRY = {"hub": "someone/pairs", "config": "two", "format": "classification", "inputs": ["a", "b"], "label": "gold"}
NAMES = {"names": {"0": "same", "1": "other"}}
HEADER = {
    "configs": [
        {
            "config_name": "two",
            "data_files": [
                {"split": "train", "path": ["two/train-*"]},
                {"split": "dev", "path": "two/dev-*"},
                {"split": "test", "path": "two/test-*"},
            ],
        },
        {"config_name": "default", "data_files": "plain/*.csv"},
    ],
    "dataset_info": [{"config_name": "two", "features": [{"name": "gold", "dtype": {"class_label": NAMES}}]}],
}


def table(n, gold=None):
    labels = [i % 2 for i in range(n)] if gold is None else [gold] * n
    return pd.DataFrame({"a": [f"a{i}" for i in range(n)], "b": [f"b{i}" for i in range(n)], "gold": labels})


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A local clone of two dozen rows: train in two shards, dev, and an unlabelled test split."""
    folder = tmp_path / "mirror" / "someone" / "pairs"
    (folder / "two").mkdir(parents=True)
    write_card(folder, HEADER)
    table(12).to_parquet(folder / "two" / "train-00000-of-00002.parquet")
    table(4).to_parquet(folder / "two" / "train-00001-of-00002.parquet")
    table(4).to_csv(folder / "two" / "dev-0.csv", index=False)
    table(4, gold=-1).to_parquet(folder / "two" / "test-0.parquet")
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path / "mirror"))
    return folder


def write_card(folder, header):
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(header)}---\ntext\n", encoding="utf-8")


@pytest.fixture
def pairs(tmp_path):
    """Writes a task file with the task `pairs` and returns its path."""

    def write(**changes):
        path = tmp_path / "tasks.yaml"
        path.write_text(yaml.safe_dump({"pairs": {"splits": {"validation": "dev"}, **ENTRY, **changes}}))
        return str(path)

    return write


def test_mirror_is_read_by_its_card(mirror, pairs):
    task = load_task("pairs", pairs())
    assert {split: len(frame) for split, frame in task.splits.items()} == {"train": 16, "validation": 4, "test": 4}
    assert task.entry.labels == ["same", "other"]
    assert task.splits["train"]["a"].tolist()[11:13] == ["a11", "a0"]
    assert "label" not in task.splits["test"]


def test_missing_optional_split_is_absent(mirror, pairs):
    (mirror / "two" / "test-0.parquet").unlink()
    assert list(load_task("pairs", pairs()).splits) == ["train", "validation"]


def test_missing_validation_files_are_refused(refused, mirror, pairs):
    (mirror / "two" / "dev-0.csv").unlink()
    refused(lambda: load_task("pairs", pairs()), "the splits train and validation", "no validation", "supply the data")


def test_missing_config_lists_the_configs(refused, mirror, pairs):
    parts = ["README.md", "'tow' among the configs two, default", "Name one"]
    refused(lambda: load_task("pairs", pairs(config="tow")), *parts)


@pytest.mark.parametrize("labels", [["other", "same"], ["same", "othr"]])
def test_labels_other_than_the_cards_are_refused(refused, mirror, pairs, labels):
    parts = ["the card of someone/pairs in id order, ['same', 'other']", f"found {labels}", "Copy the card's order"]
    refused(lambda: load_task("pairs", pairs(labels=labels)), *parts)


@pytest.mark.parametrize("kind", [{"sequence": {"class_label": NAMES}}, {"list": {"class_label": NAMES}}])
def test_names_of_tags_are_the_cards(mirror, pairs, kind):
    rows = pd.DataFrame({"a": [["x", "y"], ["z"]], "b": ["", ""], "gold": [[1, 0], [0]]})
    for path in mirror.glob("two/*"):
        path.unlink()
    for split in ("train", "dev"):
        rows.to_parquet(mirror / "two" / f"{split}-0.parquet")
    write_card(mirror, HEADER | {"dataset_info": [{"config_name": "two", "features": [{"name": "gold", **kind}]}]})
    task = load_task("pairs", pairs(format="tagging", inputs=["a"], unused=["b"]))
    assert task.entry.labels == list(NAMES["names"].values()) and task.splits["train"]["label"][0] == [[1], [0]]


def test_absent_repository_lists_the_mirror(refused, mirror, pairs):
    parts = ["INTERTASK_HUB", "a local clone of 'someone/pears'", "no folder", "Did you mean 'someone/pairs'?"]
    refused(lambda: load_task("pairs", pairs(hub="someone/pears")), *parts)
    refused(lambda: load_task("pairs", pairs(hub="x/y")), "Choices: someone/pairs.")


def test_absent_mirror_is_refused(refused, mirror, pairs, monkeypatch):
    monkeypatch.setenv("INTERTASK_HUB", str(mirror / "none"))
    refused(lambda: load_task("pairs", pairs()), "INTERTASK_HUB", "none", "unset INTERTASK_HUB")


def test_missing_card_is_refused(refused, mirror, pairs):
    (mirror / "README.md").unlink()
    refused(lambda: load_task("pairs", pairs()), "README.md", "the data set's card", "No such file", "Fetch")


@pytest.mark.parametrize("configs, found", [("[", "while parsing"), ("[two]", "must include `config_name`")])
def test_unreadable_card_is_refused(refused, mirror, pairs, configs, found):
    (mirror / "README.md").write_text(f"---\nconfigs: {configs}\n---\n")
    refused(lambda: load_task("pairs", pairs()), "README.md", "the data set's card", found, "Fetch")


@pytest.mark.parametrize("card", ["no header", "---\nconfigs: [{config_name: one}]\n---\n"])
def test_card_without_data_files_is_refused(refused, mirror, pairs, card):
    (mirror / "README.md").write_text(card)
    refused(lambda: load_task("pairs", pairs()), "a config with data files", "configs none", "under `files`")


def test_card_cannot_name_files_outside_its_folder(refused, mirror, pairs):
    table(4).to_csv(mirror.parent / "outside.csv", index=False)
    data_files = [{"split": split, "path": "../outside.csv"} for split in ("train", "dev")]
    write_card(mirror, {"configs": [{"config_name": "two", "data_files": data_files}]})
    refused(lambda: load_task("pairs", pairs()), "the splits train and validation", "found none", "supply the data")


def test_changed_mirror_is_read_anew_and_has_another_fingerprint(mirror, pairs):
    task_file = pairs()
    first = fingerprint(find_entry("pairs", task_file))
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert fingerprint(find_entry("pairs", task_file)) == first
    load_task("pairs", task_file)
    table(6).to_csv(mirror / "two" / "dev-0.csv", index=False)
    assert len(load_task("pairs", task_file).splits["validation"]) == 6
    assert fingerprint(find_entry("pairs", task_file)) != first


def test_moved_mirror_keeps_its_fingerprint(mirror, pairs, tmp_path, monkeypatch):
    first = fingerprint(find_entry("pairs", pairs()))
    shutil.move(tmp_path / "mirror", tmp_path / "moved")
    monkeypatch.setenv("INTERTASK_HUB", str(tmp_path / "moved"))
    assert fingerprint(find_entry("pairs", pairs())) == first


def test_fingerprint_tells_the_splits_apart(own_task):
    more = {"more.csv": TRAIN}
    one = own_task(more, files={"train": ["train.csv", "more.csv"], "validation": "dev.csv"})
    first = fingerprint(find_entry("reviews", one))
    other = own_task(more, files={"train": "train.csv", "validation": ["more.csv", "dev.csv"]})
    assert fingerprint(find_entry("reviews", other)) != first


def test_fingerprint_of_a_missing_file_is_refused(refused, own_task):
    task_file = own_task(files={"train": "no.csv", "validation": "dev.csv"})
    refused(lambda: fingerprint(find_entry("reviews", task_file)), "no.csv", "a readable data file", "Check the path")


@pytest.fixture
def hub_calls(monkeypatch, tmp_path):
    """No mirror, an empty cache, and a Hub whose answer the test sets; collects what was asked."""
    hub._download.cache_clear()
    calls = SimpleNamespace(timeouts=[], patterns=[], answer=None)

    def repo_info(self, repo_id, *, repo_type, revision, timeout):
        calls.timeouts.append(timeout)
        if calls.answer:
            raise calls.answer

    monkeypatch.delenv("INTERTASK_HUB", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", repo_info)
    return calls


def test_hub_out_of_reach_is_told_soon(refused, hub_calls, pairs):
    hub_calls.answer = HTTPError("name not known")
    parts = ["'someone/pairs'", "its files from the Hub", "out of reach", "INTERTASK_HUB"]
    refused(lambda: load_task("pairs", pairs()), *parts)
    assert hub_calls.timeouts == [3.0]


def test_repository_that_is_not_on_the_hub(refused, hub_calls, pairs):
    response = SimpleNamespace(status_code=401, headers={}, request=None)
    hub_calls.answer = RepositoryNotFoundError("no", response=response)
    parts = ["'someone/pairs'", "revision 'main'", "HTTP status 401", "Check the id"]
    refused(lambda: load_task("pairs", pairs()), *parts)


def test_hub_is_asked_for_the_card_and_this_config_alone(hub_calls, mirror, pairs, monkeypatch):
    monkeypatch.delenv("INTERTASK_HUB")

    def snapshot_download(repo_id, *, repo_type, revision, allow_patterns, etag_timeout, local_files_only):
        assert (repo_id, repo_type, revision, local_files_only) == ("someone/pairs", "dataset", "v2", False)
        hub_calls.patterns.append(allow_patterns)
        return str(mirror)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    files = locate(find_entry("pairs", pairs(revision="v2"))).files
    assert [path.name for path in files["validation"]] == ["dev-0.csv"]
    assert hub_calls.patterns == [["README.md"], ["README.md", "two/train-*", "two/dev-*", "two/test-*"]]


@pytest.fixture
def bare(mirror):
    """Writes the clone anew: tables of 3, 4 and more rows at the given paths, and a card if one is given."""
    shutil.rmtree(mirror / "two")
    (mirror / "README.md").unlink()

    def write(*paths, card=None):
        if card is not None:
            write_card(mirror, card)
        for rows, path in enumerate(paths, start=3):
            (mirror / path).parent.mkdir(parents=True, exist_ok=True)
            if path.endswith(".csv"):
                table(rows).to_csv(mirror / path, index=False)
            else:
                table(rows).to_parquet(mirror / path)
        return mirror

    return write


def found_rows(task_file):
    return {split: len(frame) for split, frame in load_task("pairs", task_file).splits.items()}


@pytest.mark.parametrize("dev", ["two/dev/0000.parquet", "two/partial-dev/0000.parquet"])
def test_converted_repository_is_read_by_its_layout(bare, pairs, dev):
    bare("two/train/0000.parquet", dev, "two/train/0001.parquet", "one/train/0000.parquet")
    assert found_rows(pairs(revision="refs/convert/parquet")) == {"train": 8, "validation": 4}


def test_converted_repository_has_the_config_default(bare, pairs):
    bare("default/train/0000.parquet", "default/validation/0000.parquet")
    task_file = pairs(revision="refs/convert/parquet", config="", splits={})
    assert found_rows(task_file) == {"train": 3, "validation": 4}


def test_converted_repository_without_the_split_is_refused(refused, bare, pairs):
    bare("two/train/0000.parquet")
    refused(lambda: load_task("pairs", pairs(revision="refs/convert/parquet")), "(no validation)")


def test_hub_is_asked_for_the_splits_of_a_converted_config(hub_calls, bare, pairs, monkeypatch):
    folder = bare("two/train/0000.parquet", "two/dev/0000.parquet")
    monkeypatch.delenv("INTERTASK_HUB")

    def snapshot_download(repo_id, *, allow_patterns, revision, **_):
        hub_calls.patterns.append((revision, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert list(locate(find_entry("pairs", pairs(revision="refs/convert/parquet"))).files) == ["train", "validation"]
    folders = [f"two/{part}{split}/*.parquet" for split in ("train", "dev", "test") for part in ("", "partial-")]
    assert [(revision, sorted(patterns)) for revision, patterns in hub_calls.patterns] == [
        ("refs/convert/parquet", sorted(["README.md", *folders]))
    ]


@pytest.mark.parametrize(
    "train, validation, other",
    [
        ("data/train-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet", "train/old.csv"),
        ("data/training/a.csv", "data/dev/b.csv", "train.csv"),
        ("my_train_file.csv", "some-valid.1.csv", "trainer.csv"),
        ("train1.csv", "val.csv", ".cache/train.csv"),
    ],
)
def test_splits_are_told_by_names_where_the_card_has_no_configs(bare, pairs, train, validation, other):
    bare(train, validation, other, card={"license": "mit"})
    assert found_rows(pairs(config="", splits={})) == {"train": 3, "validation": 4}


def test_card_without_configs_keeps_its_label_names(bare, pairs):
    bare("train.csv", "dev.csv", card={"dataset_info": {"features": HEADER["dataset_info"][0]["features"]}})
    assert load_task("pairs", pairs(config="", splits={})).entry.labels == ["same", "other"]


def test_files_that_name_no_split_are_all_of_train(refused, bare, pairs):
    bare("all.csv", "pretrain.csv", card={"license": "mit"})
    refused(lambda: load_task("pairs", pairs(config="", splits={})), "found train (no validation)")


def test_folder_without_data_is_refused(refused, bare, pairs):
    bare("train.txt", card={"license": "mit"})
    refused(lambda: load_task("pairs", pairs(config="", splits={})), "found none (no train)", "supply the data")


@pytest.fixture
def corpus(tmp_path, monkeypatch, own_task):
    """A task `reviews` over the corpus `made`; returns its folder and its task file."""
    monkeypatch.setenv("INTERTASK_CORPORA", str(tmp_path / "corpora"))
    folder = tmp_path / "corpora" / "made"
    (folder / "parts").mkdir(parents=True)
    for part in (1, 2):
        (folder / "parts" / f"train{part}.csv").write_text("text,stars\ngood,5\nbad,1\n")
    (folder / "dev.csv").write_text("text,stars\nwell,5\n")
    files = {"train": "parts/train*.csv", "validation": "dev.csv", "test": "test.csv"}
    return folder, own_task(files=files, corpus="made", get="Fetch it from the moon.")


def test_corpus_is_found_by_its_name(corpus):
    task = load_task("reviews", corpus[1])
    assert {split: len(frame) for split, frame in task.splits.items()} == {"train": 4, "validation": 1}


def test_corpora_without_a_folder_are_refused_with_the_way_to_them(refused, corpus, monkeypatch):
    monkeypatch.delenv("INTERTASK_CORPORA")
    refused(lambda: load_task("reviews", corpus[1]), "'made' in INTERTASK_CORPORA", "not set", "from the moon.")


def test_missing_file_of_a_corpus_is_refused_with_the_way_to_it(refused, corpus):
    (corpus[0] / "dev.csv").unlink()
    refused(lambda: load_task("reviews", corpus[1]), "made/dev.csv", "no such file", "from the moon.")


def test_corpus_for_evaluation_needs_its_test_split(refused, corpus, own_task):
    task_file = own_task(files={"test": "test.csv"}, corpus="made", get="Fetch it.")
    refused(lambda: load_task("reviews", task_file), "made/test.csv", "no such file", "Fetch it.")


def test_own_files_may_be_named_by_a_pattern(own_task):
    parts = {"part1.csv": "text,stars\na,1\n", "part2.csv": "text,stars\nb,5\n"}
    task_file = own_task(parts, files={"train": "part*.csv", "validation": "dev.csv"})
    assert load_task("reviews", task_file).splits["train"]["text"].tolist() == ["a", "b"]


def test_pattern_without_a_file_is_refused(refused, own_task):
    task_file = own_task(files={"train": "no*.csv", "validation": "dev.csv"})
    refused(lambda: load_task("reviews", task_file), "no*.csv", "no file that fits", "Check the path")


ROOMS = ("minilanguage", "intertask.probes", "intertask.tasks")


@pytest.fixture
def room_copies(empty_cache, tmp_path, monkeypatch):
    """The source of the made-up language, the probes and the readers, in copies to write to; returns their folder."""
    folder = tmp_path / "code"
    for room in ROOMS:
        shutil.copytree(find_spec(room).submodule_search_locations[0], folder / room)
    places = {room: SimpleNamespace(submodule_search_locations=[folder / room]) for room in ROOMS}
    monkeypatch.setattr(sources, "find_spec", places.get)
    monkeypatch.setattr(cache, "_known", {})
    return folder


def change(path):
    path.write_text(path.read_text() + "\n# A remark.\n")


def counted(monkeypatch, module, name):
    calls, made = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: calls.append(given) or made(*given))
    return calls


def test_a_comment_in_the_made_up_language_changes_no_fingerprint(room_copies, monkeypatch):
    made = counted(monkeypatch, minilanguage, "generate")
    entry = find_entry("mini/wnli")
    first = fingerprint(entry)
    assert fingerprint(entry) == first and made == [("wnli",)]
    change(room_copies / "minilanguage" / "grammar.py")
    assert fingerprint(entry) == first and len(made) == 2  # made anew, and the same
    change(room_copies / "intertask.probes" / "words.py")
    assert fingerprint(entry) == first and len(made) == 2


def test_a_comment_in_a_rule_changes_no_fingerprint(room_copies, own_task):
    plain, entry = (find_entry("reviews", own_task(**keys)) for keys in ({}, {"derive": "glue_diagnostic"}))
    first = fingerprint(entry)
    change(room_copies / "intertask.probes" / "convert.py")
    assert fingerprint(entry) == first != fingerprint(plain)


def test_a_refusal_of_derived_rows_names_the_files_that_were_read_now(refused, own_task, tmp_path, empty_cache):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        files = {split: f"{folder}/{split}.conllu" for split in ("train", "validation")}
        for split, path in files.items():
            word = "{0}\t{1}{0}\t_\tX\t_\t_\t{2}\tdep\t_\t_\n"
            texts = ("".join(word.format(at, split + name, at - 1) for at in range(1, 9)) for name in "abcd")
            (tmp_path / path).write_text("\n".join(texts) + "\n")
        task_file = own_task(files=files, derive="bigram_shift", inputs=["sense"], label="label", labels=None)
        refused(lambda task_file=task_file: load_task("reviews", task_file), files["train"], "one column 'sense'")


@pytest.mark.parametrize("changed", ["a cell", "the order", "the split", "a column", "a type"])
def test_other_rows_have_another_fingerprint(room_copies, monkeypatch, changed):
    rows = pd.DataFrame({"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0, 1]})
    monkeypatch.setattr(minilanguage, "generate", lambda name: {"train": rows, "validation": rows[:1]})
    first = fingerprint(find_entry("mini/wnli"))
    other = {
        "a cell": {"train": rows.replace("d", "e"), "validation": rows[:1]},
        "the order": {"train": rows[::-1], "validation": rows[:1]},
        "the split": {"train": rows, "validation": rows[1:]},
        "a column": {"train": rows.rename(columns={"label": "labels"}), "validation": rows[:1]},
        "a type": {"train": rows.astype({"label": str}), "validation": rows[:1]},
    }[changed]
    monkeypatch.setattr(minilanguage, "generate", lambda name: other)
    change(room_copies / "minilanguage" / "lexicon.yaml")
    assert fingerprint(find_entry("mini/wnli")) != first


def test_a_numpy_that_draws_other_numbers_gives_another_fingerprint(room_copies, monkeypatch):
    first = fingerprint(find_entry("mini/wnli"))
    monkeypatch.setattr(cache, "_libraries", lambda: ["another numpy"])
    monkeypatch.setattr(cache, "_known", {})  # as in a new process
    assert fingerprint(find_entry("mini/wnli")) == first
    made = minilanguage.generate("wnli")
    monkeypatch.setattr(cache, "_libraries", lambda: ["a third"])
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setattr(minilanguage, "generate", lambda name: made | {"train": made["train"][::-1]})
    assert fingerprint(find_entry("mini/wnli")) != first


def test_equal_rows_have_one_digest_however_they_are_held():
    texts = pd.DataFrame({"text": ["a", "é"], "span": [[0, 1], [1, 2]], "kind": [{"is": 1}, {"is": 2}]})
    parquet = texts.assign(
        text=texts["text"].astype("string[pyarrow]"),
        span=[np.array([0, 1], np.int32), np.array([1, 2])],
        kind=[{"is": np.int64(1)}, {"is": 2}],
    )
    parquet.index = [5, 6]
    assert _row_digest({"train": texts}) == _row_digest({"train": parquet})


def test_a_card_is_read_once(mirror, pairs, monkeypatch, empty_cache):
    read = counted(monkeypatch, sources, "_read_card")
    entry = find_entry("pairs", pairs())
    for _ in range(3):
        fingerprint(entry)
        locate(find_entry("pairs", pairs(label="gold")))
    assert len(read) == 1
    write_card(mirror, HEADER | {"license": "mit"})
    fingerprint(entry)
    assert len(read) == 2


def test_a_further_shard_is_seen(mirror, pairs):
    entry = find_entry("pairs", pairs())
    first = fingerprint(entry)
    table(2).to_csv(mirror / "two" / "dev-1.csv", index=False)
    assert fingerprint(entry) != first


def test_derived_task_without_validation_is_refused(refused, own_task):
    own = {"files": {"all": "all.tsv"}, "columns": ["part", "stars", "text"], "derive": "senteval"}
    task_file = own_task({"all.tsv": "tr\ta\tx\ntr\tb\ty\nva\ta\tx\nte\ta\tz\n"}, **own)
    assert {split: len(rows) for split, rows in load_task("reviews", task_file).splits.items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
    whole = {**own, "derive": "glue_diagnostic"}
    refused(lambda: load_task("reviews", own_task(**whole)), "the splits train and validation", "found all (no train)")


def test_columns_may_differ_between_splits(own_task):
    columns = {"train": ["text", "stars"], "validation": ["stars", "text"]}
    files = {"train": "a.tsv", "validation": "b.txt"}
    task_file = own_task({"a.tsv": "x\t1\ny\t2\n", "b.txt": "2\tz\n"}, files=files, columns=columns)
    splits = load_task("reviews", task_file).splits
    assert [frame["text"].tolist() for frame in splits.values()] == [["x", "y"], ["z"]]
