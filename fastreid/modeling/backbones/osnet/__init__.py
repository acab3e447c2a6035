"""OSNet (Zhou et al., ICCV 2019)."""

from .network import OSNet, build_osnet_backbone

__all__ = ["OSNet", "build_osnet_backbone"]
