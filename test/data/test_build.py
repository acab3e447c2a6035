import contextlib
import itertools
import logging
from pathlib import Path

import numpy as np
import pytest

from fastreid.config import get_cfg
from fastreid.data import ImageDataset, build
from fastreid.data.samplers import NaiveIdentitySampler
from fastreid.utils import comm
from test.data import pipeline_case as case


class ToyRegistry:
    """Replaces DATASET_REGISTRY: data sets of written images, under the names of the domains."""

    def __init__(self):
        self.made = []
        self.items = {}
        self.shown = []

    def get(self, name):
        def make(**options):
            self.made.append((name, options))
            items = self.items[name]
            test = [(path, number // 3, number % 3) for number, (path, _, _) in enumerate(items)]
            data = ImageDataset(items, test[:5], test[5:])
            data.show_train = lambda: self.shown.append((name, "train"))
            data.show_test = lambda: self.shown.append((name, "test"))
            return data

        return make


@pytest.fixture
def registry(tmp_path, monkeypatch):
    registry = ToyRegistry()
    for name, identities in (("B", 6), ("A", 8), ("CUHK03", 7)):
        (tmp_path / name).mkdir()
        written = case.write_items(tmp_path / name, num_identities=identities)
        renamed = [(path, f"{name}{pid[1:]}", f"{name}{camid[1:]}") for path, pid, camid in written]
        registry.items[name] = renamed
    monkeypatch.setattr("fastreid.data.datasets.build.DATASET_REGISTRY", registry)
    return registry


@pytest.fixture
def cfg(registry):
    cfg = get_cfg()
    cfg.MODEL.HEADS.NAME = "MetaEmbeddingHead"
    cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [32, 16]
    cfg.DATASETS.NAMES = ("B", "A", "CUHK03")
    cfg.DATALOADER.SAMPLER_TRAIN = "NaiveIdentitySampler"
    cfg.DATALOADER.NUM_INSTANCE = 2
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.SOLVER.IMS_PER_BATCH = 8
    cfg.TEST.IMS_PER_BATCH = 10
    cfg.SEED = 7
    return cfg


def test_the_mixed_loader_covers_all_domains_in_their_order(cfg, registry):
    with build.build_reid_train_loader(cfg) as loader:
        assert loader.dataset.classes_per_domain == [6, 8, 7]
        assert loader.dataset.num_classes == 21
        assert loader.dataset.num_cameras == 9
        assert len(loader.dataset) == 63
        assert loader.batch_size == 8
        batches = case.take(loader, 10)
    assert registry.shown == [("B", "train"), ("A", "train"), ("CUHK03", "train")]
    paths = np.concatenate([batch["img_paths"] for batch in batches]).tolist()
    items = registry.items["B"] + registry.items["A"] + registry.items["CUHK03"]
    drawn = itertools.islice(NaiveIdentitySampler(items, 8, num_instances=2, seed=7), 80)
    assert paths == [items[index][0] for index in drawn]
    domain_of = {item[0]: "BAC".index(item[1][0]) for item in items}
    domains = np.concatenate([batch["domainids"] for batch in batches]).tolist()
    assert domains == [domain_of[path] for path in paths]


def test_domain_loaders_give_half_batches_of_one_domain_with_global_classes(cfg):
    with build.build_reid_train_loader(cfg) as mixed:
        loaders = build.build_domain_train_loaders(cfg, mixed.dataset, pool=mixed.pool)
        first_class = np.cumsum([0, *mixed.dataset.classes_per_domain])
        orders = []
        for domain, loader in enumerate(loaders):
            assert loader.pool is mixed.pool
            assert loader.batch_size == 4
            batches = case.take(loader, 4)
            targets = np.concatenate([batch["targets"] for batch in batches])
            assert first_class[domain] <= targets.min()
            assert targets.max() < first_class[domain + 1]
            assert {number for b in batches for number in b["domainids"]} == {domain}
            orders.append((targets - first_class[domain]).tolist())
            loader.close()
        assert orders[0] != orders[1] != orders[2]


def test_the_seed_determines_every_batch(cfg):
    def batches(seed):
        cfg.SEED = seed
        with build.build_reid_train_loader(cfg) as mixed:
            loaders = build.build_domain_train_loaders(cfg, mixed.dataset, pool=mixed.pool)
            drawn = case.take(mixed, 2) + [next(iter(loader)) for loader in loaders]
            for loader in loaders:
                loader.close()
        return drawn

    first = batches(3)
    case.assert_same_batches(batches(3), first)
    assert all(
        ours["img_paths"].tolist() != theirs["img_paths"].tolist()
        for ours, theirs in zip(batches(4), first)
    )


def test_the_test_loader_gives_queries_then_gallery_in_order(cfg, registry):
    loader, num_query = build.build_reid_test_loader(cfg, "A")
    with loader:
        batches = list(loader)
    assert num_query == 5
    assert registry.shown == [("A", "test")]
    assert [len(batch["targets"]) for batch in batches] == [10, 10, 4]
    paths = [path for batch in batches for path in batch["img_paths"].tolist()]
    assert paths == [item[0] for item in registry.items["A"]]
    assert batches[0]["targets"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert batches[0]["camids"].tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]


def test_data_sets_get_root_and_combineall(cfg, registry, monkeypatch):
    monkeypatch.delenv("FASTREID_DATASETS", raising=False)
    cfg.DATASETS.COMBINEALL = True
    build.build_reid_train_loader(cfg).close()
    root = str(Path("datasets").absolute())
    assert registry.made[0] == ("B", {"root": root, "combineall": True})
    assert registry.made[2] == ("CUHK03", {"root": root, "combineall": True})
    monkeypatch.setenv("FASTREID_DATASETS", "/elsewhere")
    build.build_reid_test_loader(cfg, "A")[0].close()
    assert registry.made[3] == ("A", {"root": "/elsewhere", "combineall": False})


@pytest.mark.parametrize(
    "name",
    [
        "TrainingSampler",
        "BalancedIdentitySampler",
        "SetReWeightSampler",
        "ImbalancedDatasetSampler",
    ],
)
def test_every_sampler_works_with_the_loader(cfg, name):
    cfg.DATALOADER.SAMPLER_TRAIN = name
    cfg.DATALOADER.SET_WEIGHT = [1, 0, 0, 1, 1, 0, 0, 0, 1]
    with build.build_reid_train_loader(cfg) as loader:
        assert next(iter(loader))["targets"].shape == (8,)


def test_identities_with_one_image_are_counted_in_one_warning(cfg, registry, caplog):
    registry.items["A"] = registry.items["A"][2:]
    with caplog.at_level(logging.WARNING):
        build.build_reid_train_loader(cfg).close()
    (record,) = caplog.records
    assert record.getMessage().startswith("1 of 21 identities have a single image")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("DATALOADER.SAMPLER_TRAIN", "Naive", "SAMPLER_TRAIN is 'Naive'; it can be one of"),
        ("DATALOADER.NUM_INSTANCE", 3, r"batch of 8 .* multiple of .*\(3\); .* are 6 and 9"),
        ("SOLVER.IMS_PER_BATCH", 64, "needs 32 identities, and the data has 21"),
        ("SOLVER.IMS_PER_BATCH", 0, "SOLVER.IMS_PER_BATCH is 0; it must be at least 1"),
        ("DATALOADER.NUM_WORKERS", -2, "DATALOADER.NUM_WORKERS is -2; it must be at least 0"),
        ("SEED", -1, "SEED is -1; it must be from 0 to 4294967295"),
        ("DATASETS.NAMES", ("A", "B", "A"), r"lists \['A'\] more than once"),
        ("DATASETS.NAMES", (), r"DATASETS.NAMES \(\) is empty"),
    ],
)
def test_settings_that_do_not_match_the_data_are_rejected(cfg, key, value, message):
    with pytest.raises(ValueError, match=message):
        cfg.merge_from_list([key, value])
        build.build_reid_train_loader(cfg)


@pytest.mark.parametrize(
    ("batch_size", "num_instances", "message"),
    [
        (28, 2, r"Domain B, half of SOLVER.IMS_PER_BATCH \(28\).* needs 7 identities.* has 6"),
        (12, 4, r"Domain B, half of .*\(12\): A batch of 6 images .* multiple of .*\(4\)"),
    ],
)
def test_a_domain_with_too_few_images_for_its_half_batch_is_named(
    cfg, batch_size, num_instances, message
):
    cfg.SOLVER.IMS_PER_BATCH = batch_size
    cfg.DATALOADER.NUM_INSTANCE = num_instances
    with build.build_reid_train_loader(cfg) as mixed, pytest.raises(ValueError, match=message):
        build.build_domain_train_loaders(cfg, mixed.dataset)


def test_invalid_test_settings_are_rejected(cfg, registry):
    cfg.TEST.IMS_PER_BATCH = 0
    with pytest.raises(ValueError, match="TEST.IMS_PER_BATCH is 0; it must be at least 1"):
        build.build_reid_test_loader(cfg, "A")
    registry.items["A"] = registry.items["A"][:5]
    with pytest.raises(ValueError, match="test set A has 5 query and 0 gallery images; it needs"):
        build.build_reid_test_loader(cfg, "A")


def test_an_error_names_the_batch_size_that_several_processes_need(cfg, monkeypatch):
    monkeypatch.setattr(comm, "get_world_size", lambda: 2)
    monkeypatch.setattr(comm, "local_rank_zero_first", contextlib.nullcontext)
    cfg.SOLVER.IMS_PER_BATCH = 3
    with pytest.raises(ValueError, match=r"multiple of 8 \(2 processes times .*; the nearest: 8\."):
        build.build_reid_train_loader(cfg)
