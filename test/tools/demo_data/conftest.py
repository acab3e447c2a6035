import pytest

from demo_data import ALL_DATASETS, Sizes, make_demo_data


@pytest.fixture(scope="session")
def demo_sizes() -> Sizes:
    return Sizes(train_ids=6, test_ids=5, images=4)


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory, demo_sizes):
    """All four sets, small; tests only read them."""
    root = tmp_path_factory.mktemp("datasets")
    make_demo_data(root, seed=3, sizes=demo_sizes)
    return root


@pytest.fixture(scope="session")
def all_sizes() -> Sizes:
    return Sizes(train_ids=8, test_ids=5, images=4)


@pytest.fixture(scope="session")
def all_sets(tmp_path_factory, all_sizes):
    """Every data set, tiny; tests only read them, except for files of splits."""
    root = tmp_path_factory.mktemp("all")
    make_demo_data(root, sizes=all_sizes, names=ALL_DATASETS)
    return root
