from .build import build_lr_scheduler, build_optimizer, warmup_iters
from .clip import build_gradient_clipper
from .lr_scheduler import EpochSteps, Warmup, WarmupCosineAnnealingLR, WarmupMultiStepLR
from .optim import SGD, Adam
from .param_groups import ParamGroup, get_default_optimizer_params

__all__ = [
    "SGD",
    "Adam",
    "EpochSteps",
    "ParamGroup",
    "Warmup",
    "WarmupCosineAnnealingLR",
    "WarmupMultiStepLR",
    "build_gradient_clipper",
    "build_lr_scheduler",
    "build_optimizer",
    "get_default_optimizer_params",
    "warmup_iters",
]
