import pytest

from fastreid.config import explicit_config, get_cfg
from fastreid.data import CommDataset
from fastreid.data.pipeline.shards import Shard, contiguous_shard_rows, meta_shard_rows
from fastreid.engine import pair_check
from fastreid.engine.pair_check import missing_pairs, warn_of_missing_pairs
from fastreid.engine.steps import batch_shards
from fastreid.engine.steps.batch_shards import shards_by_step
from fastreid.modeling import LOSS_REGISTRY
from fastreid.utils.registry import Registry

PAIRWISE = "('CrossEntropyLoss', 'TripletLoss', 'CircleLoss', 'Cosface')"


def train_set(num_identities=4, images=2, domains=1):
    names = tuple(f"d{domain}" for domain in range(domains))
    return CommDataset.of_sets(
        {
            name: [
                (f"{name}_{pid}_{k}.jpg", f"{name}_{pid}", f"{name}_0")
                for pid in range(num_identities)
                for k in range(images)
            ]
            for name in names
        }
    )


def cfg_of(batch, images, *words, sampler="NaiveIdentitySampler"):
    cfg = get_cfg()
    cfg.merge_from_list([*("MODEL.LOSSES.NAME", PAIRWISE), *words])
    cfg.SOLVER.IMS_PER_BATCH, cfg.DATALOADER.NUM_INSTANCE = batch, images
    cfg.DATALOADER.SAMPLER_TRAIN = sampler
    return cfg


def acl(batch, images, *words):
    cfg = cfg_of(batch, images, "MODEL.HEADS.NAME", "MetaEmbeddingHead", *words)
    cfg.MODEL.LOSSES.NAME = ("CrossEntropyLoss", "TripletLoss")
    cfg.DATASETS.NAMES = ("d0", "d1", "d2")
    return cfg


@pytest.fixture
def processes(monkeypatch):
    def choose(count):
        for module in (batch_shards, pair_check):
            monkeypatch.setattr(module, "get_world_size", lambda: count)

    return choose


def reported(cfg, *args, **options):
    return missing_pairs(explicit_config(cfg), train_set(*args, **options))


@pytest.mark.parametrize("sampler", ["NaiveIdentitySampler", "BalancedIdentitySampler"])
def test_one_identity_in_a_batch_has_no_negative(sampler):
    found = reported(cfg_of(4, 4, sampler=sampler))
    assert [sentence.split()[0] for sentence in found] == ["TripletLoss", "CircleLoss", "Cosface"]
    assert found[0] == (
        "TripletLoss never gets a negative pair in a basic step, and is 0: SOLVER.IMS_PER_BATCH 4 "
        "holds one identity there; the smallest that holds two is 8."
    )
    assert reported(cfg_of(8, 4, sampler=sampler)) == []


def test_one_image_of_each_identity_has_no_positive():
    found = reported(cfg_of(4, 1))
    assert "TripletLoss never gets a positive pair in a basic step, and only pushes" in found[0]
    assert "Cosface never gets a positive pair in a basic step, and is 0" in found[2]
    assert "DATALOADER.NUM_INSTANCE is 1; set it to 2 or more" in found[0]


def test_losses_that_are_not_configured_are_not_checked():
    assert reported(cfg_of(4, 4, "MODEL.LOSSES.NAME", "('CrossEntropyLoss',)")) == []


def test_a_users_own_loss_on_pairs_is_checked_if_it_declares_its_effect(monkeypatch):
    losses = Registry("LOSS")
    losses.register(type("OwnPairLoss", (), {"without_positives": "does nothing"}))
    for name in ("CrossEntropyLoss", "TripletLoss"):
        losses.register(LOSS_REGISTRY.get(name))
    monkeypatch.setattr(pair_check, "LOSS_REGISTRY", losses)
    found = reported(cfg_of(4, 1, "MODEL.LOSSES.NAME", "('CrossEntropyLoss', 'OwnPairLoss')"))
    assert [sentence.split(":")[0] for sentence in found] == [
        "OwnPairLoss never gets a positive pair in a basic step, and does nothing"
    ]


def test_what_random_batches_can_hold_by_chance_is_enough():
    for sampler in ("TrainingSampler", "ImbalancedDatasetSampler", "SetReWeightSampler"):
        assert reported(cfg_of(2, 1, sampler=sampler)) == []
        kinds = [s.split("gets a ")[1].split()[0] for s in reported(cfg_of(1, 1, sampler=sampler))]
        assert kinds == ["negative", "positive"] * 3


def test_random_batches_cannot_hold_what_the_data_lack():
    alone = reported(cfg_of(8, 1, sampler="TrainingSampler"), num_identities=1)
    assert len(alone) == 3
    assert "TripletLoss never gets a negative pair" in alone[0]
    assert "have a single identity" in alone[0]
    single = reported(cfg_of(8, 1, sampler="TrainingSampler"), images=1)
    assert len(single) == 3
    assert "gets a positive pair" in single[0]
    assert "no identity has two images" in single[0]


def test_pairs_are_counted_within_the_shard_of_a_process(processes):
    processes(2)
    found = reported(cfg_of(8, 4))
    assert "in a basic step on 2 of 2 processes, and is 0" in found[0]
    assert found[0].endswith("the smallest that holds two is 16.")
    assert reported(cfg_of(16, 4)) == []


def test_meta_steps_take_half_a_batch_of_each_domain():
    found = reported(acl(8, 4), domains=3)
    assert len(found) == 2
    assert "loss_triplet_mtest never gets a negative pair in the meta-test half of a" in found[0]
    assert "loss_triplet_add never gets a negative pair in the meta-train half of a" in found[1]
    assert all(sentence.endswith("is 16.") for sentence in found)
    assert reported(acl(16, 4), domains=3) == []
    assert reported(acl(8, 4, "SOLVER.META.PERIOD", "0"), domains=3) == []


def test_contiguous_parts_of_four_processes_hold_one_domain_each(processes):
    processes(4)
    (found,) = reported(acl(64, 4), domains=3)
    assert "loss_triplet_add never gets a positive pair" in found
    assert "on 4 of 4 processes, and does not pull domains together" in found
    assert "SOLVER.META_SHARD mixed" in found
    assert reported(acl(64, 4, "SOLVER.META_SHARD", "mixed"), domains=3) == []


def test_two_domains_leave_one_that_is_seen():
    cfg = acl(16, 4)
    cfg.DATASETS.NAMES = ("d0", "d1")
    (found,) = reported(cfg, domains=2)
    assert found.endswith("DATASETS.NAMES must have three or more domains for it.")


@pytest.mark.parametrize("shard", ["contiguous", "mixed"])
@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_shards_are_those_that_the_loaders_cut(processes, shard, world_size):
    processes(world_size)
    batch, domains, held_out = 32, 4, 1
    cfg = explicit_config(acl(batch, 2, "SOLVER.META_SHARD", shard))
    _, seen, tested = shards_by_step(cfg, domains, batch)
    for rank in range(world_size):
        process = Shard(rank, world_size)
        rows = []
        for domain in range(domains):
            cut = contiguous_shard_rows(batch // 2, process)
            if shard == "contiguous":
                options = {"num_domains": domains, "batch_size": batch // 2, "shard": process}
                cut = meta_shard_rows(domain, held_out=lambda _: held_out, **options)
            part = cut(0)
            rows.append(part.stop - part.start)
        assert tested[rank].rows == rows.pop(held_out)
        assert list(seen[rank].rows_per_domain) == rows
        assert seen[rank].rows == sum(rows)


def test_what_is_missing_is_logged_as_warnings(caplog):
    warn_of_missing_pairs(explicit_config(cfg_of(4, 4)), train_set())
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
