"""A made-up mirror, the Hub out of reach, fingerprints, and the real mirror where there is one."""

import re
import shutil
from types import SimpleNamespace

import huggingface_hub
import pandas as pd
import pytest
import yaml
from huggingface_hub.errors import HTTPError, RepositoryNotFoundError

from intertask import hub
from intertask.tasks.catalogue import catalogue, find_entry
from intertask.tasks.load import load_task
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


def test_unreadable_card_is_refused(refused, mirror, pairs):
    (mirror / "README.md").write_text("---\nconfigs: [\n---\n")
    refused(lambda: load_task("pairs", pairs()), "README.md", "the data set's card", "while parsing", "Fetch")


@pytest.mark.parametrize("card", ["no header", "---\nconfigs: [two]\n---\n"])
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
    one = own_task(files={"train": ["train.csv", "dev.csv"], "validation": "dev.csv"})
    first = fingerprint(find_entry("reviews", one))
    other = own_task(files={"train": "train.csv", "validation": ["dev.csv", "dev.csv"]})
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


MIRROR_ROW = re.compile(r"\| (\S+) \| (\S+) \| (\S+) \| (\d+) \| .* \|$", re.MULTILINE)


NOT_WHOLE = {"commonsenseqa"}  # the mirror has its dev set alone


@pytest.mark.parametrize("name", [name for name, entry in catalogue().items() if entry.hub and name not in NOT_WHOLE])
def test_real_mirror_has_the_rows_that_its_table_states(name, hub, monkeypatch):
    monkeypatch.setenv("INTERTASK_HUB", str(hub))
    task = load_task(name)
    stated = {}
    for repo, config, split, rows in MIRROR_ROW.findall((hub / "README.md").read_text(encoding="utf-8")):
        if (repo, config) == (task.entry.hub, task.entry.config or "default"):
            stated[split] = int(rows)
    read = {task.entry.splits.get(split, split): len(frame) for split, frame in task.splits.items()}
    assert read == stated and read
    assert len(fingerprint(task.entry)) == 16
