import pytest
import torch

from made_encoders import write


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    """Matrices as small as these gain nothing from several threads, which wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """The folder of a tiny encoder by its architecture's name, written once."""
    folders = {}

    def get(name: str):
        if name not in folders:
            folders[name] = write(tmp_path_factory.mktemp(name), name)
        return folders[name]

    return get
