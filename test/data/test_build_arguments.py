"""The arguments that fast-reid's users pass to the loader builders, each of which takes effect."""

import itertools
import logging

import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.data import (
    CommDataset,
    ImageDataset,
    build_domain_train_loaders,
    build_reid_test_loader,
    build_reid_train_loader,
)
from fastreid.data.datasets import DATASET_REGISTRY
from fastreid.data.samplers import NaiveIdentitySampler
from test.data import pipeline_case as case


@pytest.fixture
def items(tmp_path):
    return case.write_items(tmp_path)


@pytest.fixture
def numbered_items(items):
    return [(path, number // 3, number % 3) for number, (path, _, _) in enumerate(items)]


@pytest.fixture
def cfg():
    cfg = get_cfg()
    cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [32, 16]
    cfg.DATALOADER.SAMPLER_TRAIN = "NaiveIdentitySampler"
    cfg.DATALOADER.NUM_INSTANCE = 2
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.SOLVER.IMS_PER_BATCH = 8
    cfg.TEST.IMS_PER_BATCH = 10
    return cfg


@pytest.fixture
def registered(own_registries, items, numbered_items):
    """A data set "Toy" with four query and four gallery images."""

    class Toy(ImageDataset):
        dataset_name = "Toy"

        def __init__(self, root, **options):
            super().__init__(items, numbered_items[:4], numbered_items[4:8], **options)

    DATASET_REGISTRY.register(Toy)


class Backwards:
    """An endless sampler without a method draw."""

    def __init__(self, size):
        self.size = size

    def __iter__(self):
        while True:
            yield from range(self.size - 1, -1, -1)


class Constant:
    """A transform that gives an image of one value."""

    def __init__(self, value):
        self.value = value

    def __call__(self, image, rng):
        return np.full((3, 32, 16), self.value, np.uint8)


def paths_of(loader, count=1):
    with loader:
        return np.concatenate([b["img_paths"] for b in case.take(loader, count)]).tolist()


def test_a_train_set_replaces_those_of_the_config(cfg, items):
    train_set = CommDataset(items[:12])
    loader = build_reid_train_loader(cfg, train_set=train_set)
    assert loader.dataset is train_set
    assert set(paths_of(loader, 3)) <= {path for path, _, _ in items[:12]}
    assert build_reid_train_loader(cfg, train_set).dataset is train_set


def test_the_sampler_of_the_config_draws_from_a_given_train_set(cfg, items):
    expected = itertools.islice(NaiveIdentitySampler(items, 8, num_instances=2, seed=cfg.SEED), 16)
    loader = build_reid_train_loader(cfg, train_set=CommDataset(items))
    assert paths_of(loader, 2) == [items[index][0] for index in expected]


@pytest.mark.parametrize("with_train_set", [False, True])
def test_a_sampler_decides_which_images_are_drawn(cfg, items, registered, with_train_set):
    cfg.DATASETS.NAMES = ("Toy",)
    train_set = CommDataset(items) if with_train_set else None
    loader = build_reid_train_loader(cfg, train_set=train_set, sampler=Backwards(len(items)))
    assert paths_of(loader, 2) == [path for path, _, _ in items[:-17:-1]]


def test_a_batch_with_a_given_sampler_need_not_consist_of_identities(cfg, items):
    cfg.SOLVER.IMS_PER_BATCH = 5
    loader = build_reid_train_loader(
        cfg, train_set=CommDataset(items), sampler=Backwards(len(items))
    )
    assert len(paths_of(loader)) == 5


def test_a_given_sampler_that_ends_is_an_error_that_names_its_class(cfg, items):
    loader = build_reid_train_loader(cfg, train_set=CommDataset(items), sampler=range(4))
    with loader, pytest.raises(ValueError, match="The sampler range ended after 4 images"):
        next(iter(loader))


def test_a_given_sampler_can_be_resumed(cfg, items):
    def loader():
        sampler = NaiveIdentitySampler(items, 8, num_instances=2, seed=4)
        return build_reid_train_loader(cfg, train_set=CommDataset(items), sampler=sampler)

    with loader() as whole:
        expected = case.take(whole, 8)
    with loader() as first, loader() as second:
        case.take(first, 6)
        assert first.sampler_state["index"] > 0
        second.seek(6, sampler_state=first.sampler_state)
        case.assert_same_batches(case.take(second, 2), expected[6:])


def test_transforms_replace_those_of_the_config(cfg, items):
    with build_reid_train_loader(
        cfg, train_set=CommDataset(items), transforms=Constant(7)
    ) as loader:
        assert np.unique(next(iter(loader))["images"]).tolist() == [7]


def test_transforms_of_the_train_set_are_used_as_in_fast_reid(cfg, items):
    train_set = CommDataset(items, Constant(5), relabel=True)
    with build_reid_train_loader(cfg, train_set=train_set, transforms=Constant(7)) as loader:
        assert np.unique(next(iter(loader))["images"]).tolist() == [5]


def test_domain_loaders_use_transforms_of_the_train_set_and_of_the_argument(cfg, items):
    for train_set, options in (
        (CommDataset(items, Constant(5)), {}),
        (CommDataset(items), {"transforms": Constant(5)}),
    ):
        (loader,) = build_domain_train_loaders(cfg, train_set, **options)
        with loader:
            assert np.unique(next(iter(loader))["images"]).tolist() == [5]


def test_combineall_overrides_the_config(cfg, registered):
    cfg.DATASETS.NAMES = ("Toy",)
    sizes = []
    for in_config, argument in ((False, None), (True, None), (False, True), (True, False)):
        cfg.DATASETS.COMBINEALL = in_config
        with build_reid_train_loader(cfg, combineall=argument) as loader:
            sizes.append(len(loader.dataset))
    assert sizes == [24, 32, 32, 24]


def test_a_test_set_by_its_name(cfg, registered):
    loader, num_query = build_reid_test_loader(cfg, dataset_name="Toy")
    with loader:
        assert (len(loader.dataset), num_query) == (8, 4)


def test_a_test_set_is_read_in_its_order_with_its_number_of_queries(cfg, numbered_items):
    test_set = CommDataset(numbered_items, relabel=False)
    loader, num_query = build_reid_test_loader(cfg, test_set=test_set, num_query=9)
    assert num_query == 9
    assert paths_of(loader, 3) == [path for path, _, _ in numbered_items]


def test_without_num_query_a_given_test_set_has_no_queries_as_in_fast_reid(cfg, numbered_items):
    loader, num_query = build_reid_test_loader(
        cfg, "ignored", test_set=CommDataset(numbered_items, relabel=False)
    )
    loader.close()
    assert num_query == 0


@pytest.mark.parametrize("by_name", [False, True])
def test_transforms_replace_those_of_the_config_in_tests(cfg, numbered_items, registered, by_name):
    test_set = None if by_name else CommDataset(numbered_items, relabel=False)
    loader, _ = build_reid_test_loader(
        cfg, dataset_name="Toy", test_set=test_set, transforms=Constant(7)
    )
    with loader:
        assert np.unique(next(iter(loader))["images"]).tolist() == [7]


def test_arguments_that_do_not_match_are_rejected(cfg, items, numbered_items):
    with pytest.raises(TypeError, match="train_set must be a fastreid.data.CommDataset, not list"):
        build_reid_train_loader(cfg, train_set=items)
    with pytest.raises(TypeError, match="test_set must be a fastreid.data.CommDataset, not list"):
        build_reid_test_loader(cfg, test_set=numbered_items)
    with pytest.raises(ValueError, match="needs a dataset_name or a test_set"):
        build_reid_test_loader(cfg)
    test_set = CommDataset(numbered_items, relabel=False)
    for number in (-1, 25):
        with pytest.raises(ValueError, match=f"num_query is {number}, but test_set has 24 images"):
            build_reid_test_loader(cfg, test_set=test_set, num_query=number)
    with pytest.raises(ValueError, match="The sampler Namespace must have a method __iter__"):
        build_reid_train_loader(
            cfg, train_set=CommDataset(items), sampler=type("Namespace", (), {})()
        )


def test_missing_files_of_a_given_set_are_named_unless_training_skips_them(
    cfg, items, numbered_items
):
    missing = [("/missing/a.png", "A_0", "A_0"), *items[1:]]
    with pytest.raises(ValueError, match="Image files that do not exist: 1 .*/missing/a.png"):
        build_reid_train_loader(cfg, train_set=CommDataset(missing))
    with pytest.raises(ValueError, match="/missing/a.png"):
        build_reid_test_loader(cfg, test_set=CommDataset([("/missing/a.png", 0, 0)], relabel=False))
    cfg.DATALOADER.ON_ERROR = "skip"
    build_reid_train_loader(cfg, train_set=CommDataset(missing)).close()


def test_the_warning_about_single_images_counts_those_of_a_given_set(cfg, items, caplog):
    with caplog.at_level(logging.WARNING):
        build_reid_train_loader(cfg, train_set=CommDataset(items[2:])).close()
    assert "1 of 8 identities have a single image" in caplog.text
