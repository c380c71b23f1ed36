import json

import pytest
import yaml

from intertask.errors import IntertaskError

TRAIN = "text,stars\ngood,5\nbad,1\nso so,3\nfine,5\n"
DEV = "text,stars\nwell,5\nno,1\n"
ENTRY = {
    "files": {"train": "train.csv", "validation": "dev.csv"},
    "format": "classification",
    "inputs": ["text"],
    "label": "stars",
}


@pytest.fixture
def own_task(tmp_path):
    """Writes tasks.yaml with the task `reviews` (ENTRY with changes; None takes a key out) and data files beside it.

    A file's content is text, bytes, or a list of records for JSON lines.
    """

    def write(contents=None, /, **changes):
        entry = {key: value for key, value in {**ENTRY, **changes}.items() if value is not None}
        task_file = tmp_path / "tasks.yaml"
        task_file.write_text(yaml.safe_dump({"reviews": entry}, sort_keys=False), encoding="utf-8")
        for name, content in {"train.csv": TRAIN, "dev.csv": DEV, **(contents or {})}.items():
            if isinstance(content, list):
                content = "".join(json.dumps(record) + "\n" for record in content)
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(task_file)

    return write


@pytest.fixture
def refused():
    """Calls a function that must raise IntertaskError and checks that the message holds each of the parts."""

    def check(call, *parts):
        with pytest.raises(IntertaskError) as caught:
            call()
        for part in parts:
            assert part in str(caught.value)
        return str(caught.value)

    return check
