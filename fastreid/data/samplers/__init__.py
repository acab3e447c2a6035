"""Samplers: which images are drawn, in which order.

`build` has the registry and chooses a sampler by DATALOADER.SAMPLER_TRAIN; `state` lets a resumed
run continue a sampler; each other module holds samplers or their helper functions.
"""

from .build import SAMPLER_REGISTRY
from .data_sampler import InferenceSampler, SubsetSampler, TrainingSampler
from .imbalance_sampler import ImbalancedDatasetSampler
from .reweight_sampler import SetReWeightSampler
from .triplet_sampler import BalancedIdentitySampler, NaiveIdentitySampler

__all__ = [
    "SAMPLER_REGISTRY",
    "BalancedIdentitySampler",
    "ImbalancedDatasetSampler",
    "InferenceSampler",
    "NaiveIdentitySampler",
    "SetReWeightSampler",
    "SubsetSampler",
    "TrainingSampler",
]
