"""What each backbone declares about its ImageNet weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Callable, NamedTuple

import numpy as np

from fastreid.config import CfgNode

Weights = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]


class PublishedFile(NamedTuple):
    """A file of weights on the web.

    Attributes:
        url: where to download it.
        own_name: name of the file; "": the last part of the URL.
    """

    url: str
    own_name: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.own_name or self.url.rpartition("/")[2]


def depth_of(backbone: CfgNode) -> str:
    """Return MODEL.BACKBONE.DEPTH, the usual key of a published file."""
    return backbone.DEPTH


class PretrainedRules(NamedTuple):
    """The published ImageNet weights of a backbone, and how their names map to the backbone's.

    Attributes:
        files: published files by key.
        key: computes the key from `cfg.MODEL.BACKBONE`; by default DEPTH.
        classifiers: beginnings of names in a file that the backbone does not have.
        optional: regular expressions, from the start, of PyTorch names of the backbone that a file
            may lack; such tensors keep their start values.
        convert: computes the tensors by the names of the backbone from those of a file and from the
            shapes that the backbone needs, by PyTorch name (empty if not known); None: they are the
            same. Unknown names must be kept, so that loading reports them.
    """

    files: Mapping[str, PublishedFile] = {}
    key: Callable[[CfgNode], str] = depth_of
    classifiers: tuple[str, ...] = ("fc.", "classifier.")
    optional: tuple[str, ...] = ()
    convert: Callable[[Weights, Shapes], dict[str, np.ndarray]] | None = None

    def is_optional(self, name: str) -> bool:
        """Return whether a file may lack a tensor of the backbone.

        Args:
            name: PyTorch name.
        """
        return any(re.match(pattern, name) for pattern in self.optional)


_RULES: dict[str, PretrainedRules] = {}


def register_pretrained(backbone: str, rules: PretrainedRules) -> None:
    """Declare the ImageNet weights of a backbone.

    Args:
        backbone: its name in the registry, the value of MODEL.BACKBONE.NAME.
        rules: its files and names.
    """
    _RULES[backbone] = rules


def pretrained_rules(backbone: str) -> PretrainedRules:
    """Return the rules of a backbone; without files if it has not registered any.

    Args:
        backbone: value of MODEL.BACKBONE.NAME.
    """
    return _RULES.get(backbone, PretrainedRules())
