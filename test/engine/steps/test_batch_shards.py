"""Sizes of batches that the checks before training propose are those that training accepts."""

import pytest

from fastreid.config import explicit_config, get_cfg
from fastreid.data import CommDataset
from fastreid.data.pipeline.shards import check_shard_sizes
from fastreid.data.samplers.build import build_domain_sampler, build_train_sampler, draws_identities
from fastreid.engine.steps import batch_shards
from fastreid.engine.steps.batch_shards import is_divisible, takes_meta_steps

DOMAINS = 3
SAMPLERS = (
    "TrainingSampler",
    "NaiveIdentitySampler",
    "BalancedIdentitySampler",
    "SetReWeightSampler",
    "ImbalancedDatasetSampler",
)


def train_set():
    return CommDataset.of_sets(
        {
            f"d{domain}": [
                (f"d{domain}_{pid}_{k}.jpg", f"d{domain}_{pid}", f"d{domain}_0")
                for pid in range(12)
                for k in range(2)
            ]
            for domain in range(DOMAINS)
        }
    )


def is_accepted(cfg, data, world_size):
    """What `build_reid_train_loader` and `build_domain_train_loaders` check."""
    images = cfg.DATALOADER.NUM_INSTANCE if draws_identities(cfg) else 1
    meta = takes_meta_steps(cfg)
    try:
        check_shard_sizes(cfg.SOLVER.IMS_PER_BATCH, images, world_size, has_meta_steps=meta)
        build_train_sampler(cfg, data)
        for domain in range(DOMAINS if meta else 0):
            build_domain_sampler(cfg, data, domain)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("head", ["EmbeddingHead", "MetaEmbeddingHead"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposed_sizes_is_divisible_and_no_smaller_one_is_left_out(sampler, head, monkeypatch):
    data, cfg = train_set(), get_cfg()
    cfg.MODEL.HEADS.NAME, cfg.DATALOADER.SAMPLER_TRAIN = head, sampler
    cfg.DATALOADER.SET_WEIGHT = [1, 0, 1]
    cfg = explicit_config(cfg).clone()
    cfg.defrost()
    for world_size in (1, 2, 4):
        monkeypatch.setattr(batch_shards, "get_world_size", lambda count=world_size: count)
        for cfg.DATALOADER.NUM_INSTANCE in (1, 2, 4):
            proposed, accepted = [], []
            for size in range(2, 21, 2):
                cfg.SOLVER.IMS_PER_BATCH = size
                proposed += [size] * is_divisible(cfg, size)
                accepted += [size] * is_accepted(cfg, data, world_size)
            assert proposed == accepted, (world_size, cfg.DATALOADER.NUM_INSTANCE)
