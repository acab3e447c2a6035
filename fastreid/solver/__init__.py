from .build import build_lr_scheduler, build_optimizer, warmup_iters
from .clip import build_gradient_clipper
from .lr_scheduler import EpochSteps, Warmup, WarmupCosineAnnealingLR, WarmupMultiStepLR
from .optim import RULES, SGD, Adam, Adaptive
from .param_groups import ParamGroup, get_default_optimizer_params

__all__ = [
    "RULES",
    "SGD",
    "Adam",
    "Adaptive",
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
