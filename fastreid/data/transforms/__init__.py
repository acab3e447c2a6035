from .augmix import AugMix
from .autoaugment import AutoAugment
from .build import build_batch_transform, build_transforms
from .compose import Compose, RandomApply, ToTensor
from .crops import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize
from .erasing import RandomErasing, RandomPatch
from .jitter import ColorJitter, RandomAffine, RandomHorizontalFlip
from .own_transform import TRANSFORM_REGISTRY

__all__ = [
    "TRANSFORM_REGISTRY",
    "AugMix",
    "AutoAugment",
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomPatch",
    "RandomResizedCrop",
    "Resize",
    "ToTensor",
    "build_batch_transform",
    "build_transforms",
]
