from .data_sampler import InferenceSampler, SubsetSampler, TrainingSampler
from .imbalance_sampler import ImbalancedDatasetSampler
from .triplet_sampler import BalancedIdentitySampler, NaiveIdentitySampler, SetReWeightSampler

__all__ = [
    "BalancedIdentitySampler",
    "ImbalancedDatasetSampler",
    "InferenceSampler",
    "NaiveIdentitySampler",
    "SetReWeightSampler",
    "SubsetSampler",
    "TrainingSampler",
]
