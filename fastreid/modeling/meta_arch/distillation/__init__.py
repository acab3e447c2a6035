"""The parts of distillation: teachers, the moving teacher, the losses."""

from .losses import DistillationLosses, js_divergence
from .moving_teacher import MovingTeacher
from .overhaul import OverhaulLosses, build_connectors, negative_means, overhaul_loss
from .teachers import Teacher, build_teachers

__all__ = [
    "DistillationLosses",
    "MovingTeacher",
    "OverhaulLosses",
    "Teacher",
    "build_connectors",
    "build_teachers",
    "js_divergence",
    "negative_means",
    "overhaul_loss",
]
