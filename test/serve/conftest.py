import pytest

from .serving import make_checkpoint_place, make_place, served


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("place"))


@pytest.fixture(scope="session")
def checkpoint_place(tmp_path_factory):
    return make_checkpoint_place(tmp_path_factory.mktemp("checkpoint_place"))


@pytest.fixture(scope="module")
def client(place):
    """A client of a server with default limits."""
    with served(place, limits={"searches_per_minute": 10_000}) as client:
        yield client
