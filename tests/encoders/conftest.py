import pytest

from made_encoders import write


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """The folder of a tiny encoder by its architecture's name, written once."""
    folders = {}

    def get(name: str):
        if name not in folders:
            folders[name] = write(tmp_path_factory.mktemp(name), name)
        return folders[name]

    return get
