"""ImageNet weights: where the published file of a backbone is, how to read it, and loading."""

from .files import find_pretrained, read_pretrained
from .loading import load_pretrained
from .rules import (
    PretrainedRules,
    PublishedFile,
    pretrained_rules,
    register_pretrained,
)

__all__ = [
    "PretrainedRules",
    "PublishedFile",
    "find_pretrained",
    "load_pretrained",
    "pretrained_rules",
    "read_pretrained",
    "register_pretrained",
]
