"""ResNeSt: residual networks with split attention."""

from .resnest import ResNeSt, build_resnest_backbone
from .specs import ResNeStSpec, StageSpec, resnest_spec

__all__ = ["ResNeSt", "ResNeStSpec", "StageSpec", "build_resnest_backbone", "resnest_spec"]
