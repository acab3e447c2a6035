"""The registry of samplers, and functions that build samplers from the config.

To add a sampler, register a class in `SAMPLER_REGISTRY`; docs/own_code.md has an example.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from fastreid.config import CfgNode
from fastreid.utils.messages.own_code import locating_errors
from fastreid.utils.registry import Registry

from ..common import CommDataset
from .data_sampler import SubsetSampler, TrainingSampler
from .imbalance_sampler import ImbalancedDatasetSampler
from .own_sampler import CheckedSampler
from .reweight_sampler import SetReWeightSampler
from .triplet_sampler import BalancedIdentitySampler, NaiveIdentitySampler

logger = logging.getLogger(__name__)

_LARGEST_SEED = 2**32 - 1
_IDENTITY_SAMPLERS: dict[str, Callable[..., Iterable[int]]] = {
    "NaiveIdentitySampler": NaiveIdentitySampler,
    "BalancedIdentitySampler": BalancedIdentitySampler,
}
# Samplers of users are called with the config and the training set. The built-in samplers are
# registered so that their names are listed and cannot be used twice.
SAMPLER_REGISTRY = Registry("SAMPLER")
for _sampler in (
    TrainingSampler,
    *_IDENTITY_SAMPLERS.values(),
    SetReWeightSampler,
    ImbalancedDatasetSampler,
):
    SAMPLER_REGISTRY.register(_sampler)


def draws_identities(cfg: CfgNode) -> bool:
    """Tell whether the sampler draws whole identities: K images of one, then K of the next.

    Args:
        cfg: DATALOADER.SAMPLER_TRAIN.
    """
    return cfg.DATALOADER.SAMPLER_TRAIN in _IDENTITY_SAMPLERS


def build_train_sampler(cfg: CfgNode, train_set: CommDataset) -> Iterable[int]:
    """Build DATALOADER.SAMPLER_TRAIN over all source domains.

    Args:
        cfg: DATALOADER, SOLVER.IMS_PER_BATCH, SEED.
        train_set: training images.

    Raises:
        ValueError: a setting does not match the data; the message names the key.
    """
    _check_seed(cfg)
    name = cfg.DATALOADER.SAMPLER_TRAIN
    items = train_set.img_items
    batch_size = cfg.SOLVER.IMS_PER_BATCH
    if batch_size < 1:
        raise ValueError(f"SOLVER.IMS_PER_BATCH is {batch_size}; it must be at least 1.")
    by_identity = {"num_instances": cfg.DATALOADER.NUM_INSTANCE, "seed": cfg.SEED}
    if name == "TrainingSampler":
        return TrainingSampler(len(items), seed=cfg.SEED)
    if name == "ImbalancedDatasetSampler":
        return ImbalancedDatasetSampler(items, seed=cfg.SEED)
    if name == "SetReWeightSampler":
        return SetReWeightSampler(
            items, batch_size, set_weight=cfg.DATALOADER.SET_WEIGHT, **by_identity
        )
    if name in _IDENTITY_SAMPLERS:
        _warn_about_single_images(train_set, cfg.DATALOADER.NUM_INSTANCE)
        return _IDENTITY_SAMPLERS[name](items, batch_size, **by_identity)
    if name in SAMPLER_REGISTRY:
        make = SAMPLER_REGISTRY.get(name)
        with locating_errors(f"The sampler {name}", make):
            return CheckedSampler(name, make(cfg, train_set), len(items))
    raise ValueError(
        f"DATALOADER.SAMPLER_TRAIN is {name!r}; it can be one of "
        f"{sorted(known for known, _ in SAMPLER_REGISTRY)}, or a sampler of your own, from a "
        "file in MODULES."
    )


def build_domain_sampler(cfg: CfgNode, train_set: CommDataset, domain: int) -> SubsetSampler:
    """Build the sampler of one source domain for the meta steps.

    Args:
        cfg: DATALOADER.NUM_INSTANCE, SOLVER.IMS_PER_BATCH, SEED.
        train_set: training images of all domains.
        domain: number of the domain.

    Returns:
        Sampler of indices into ``train_set``, in batches of half of SOLVER.IMS_PER_BATCH.

    Raises:
        ValueError: the domain has too few identities, or NUM_INSTANCE does not divide the batch.
    """
    _check_seed(cfg)
    indices = train_set.indices_of(domain)
    seed = np.random.SeedSequence([cfg.SEED, domain + 1]).generate_state(1)[0]
    try:
        sampler = NaiveIdentitySampler(
            [train_set.img_items[index] for index in indices],
            cfg.SOLVER.IMS_PER_BATCH // 2,
            num_instances=cfg.DATALOADER.NUM_INSTANCE,
            seed=int(seed),
        )
    except ValueError as error:
        name = train_set.domains[domain] if train_set.domains else domain
        raise ValueError(
            f"Domain {name}, half of SOLVER.IMS_PER_BATCH ({cfg.SOLVER.IMS_PER_BATCH}): {error}"
        ) from error
    return SubsetSampler(sampler, indices)


def _warn_about_single_images(train_set: CommDataset, num_instances: int) -> None:
    images_of = Counter(train_set.targets.tolist())
    single = sum(count == 1 for count in images_of.values())
    if single and num_instances > 1:
        logger.warning(
            "%d of %d identities have a single image, which is repeated %d times "
            "(DATALOADER.NUM_INSTANCE) when its identity is drawn.",
            single,
            len(images_of),
            num_instances,
        )


def _check_seed(cfg: CfgNode) -> None:
    if not 0 <= cfg.SEED <= _LARGEST_SEED:
        raise ValueError(f"SEED is {cfg.SEED}; it must be from 0 to {_LARGEST_SEED}.")
