"""Recognize kinds of networks by the name of one typical tensor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class Family(NamedTuple):
    """A kind of network.

    Attributes:
        title: the words for it in messages.
        pattern: matches the name of one of its tensors.
    """

    title: str
    pattern: re.Pattern[str]


# The first matching pattern counts; any prefix may come before the name. ResNets are recognized in
# description.py.
_FAMILIES = tuple(
    Family(title, re.compile(rf"(^|\.){pattern}"))
    for title, pattern in (
        ("an MGN of fast-reid 0.1", r"b\d+_pool\."),
        ("a ResNeSt", r"layer1\.0\.conv2\.(fc1|bn0)\."),
        ("an OSNet", r"conv2\.0\.(conv2[abcd]|IN)\."),
        ("a CLIP model", r"(visual|image_encoder)\.(transformer|layer1|conv1|blocks)\b"),
        ("a Swin transformer", r"attn\.(w_msa\.)?relative_position_bias_table$"),
        ("a vision transformer (ViT)", r"(blocks|layers)\.0\.attn\.(qkv|q_proj)\."),
        ("a vision transformer (ViT)", r"encoder_layer_0\.self_attention\."),
        ("an EfficientNet", r"(blocks\.0\.0\.(conv_dw|depthwise)|_blocks\.0\._|s1\.b1\.dwise\.)"),
        ("a RegNet", r"(s1\.b1\.(f|conv1)\.|trunk_output\.block1\.)"),
        ("a fused RepVGG", r"stage1\.0\.(fused_weight$|rbr_reparam\.)"),
        ("a RepVGG", r"stage1\.0\.rbr_"),
        ("a ShuffleNetV2", r"features\.0\.branch_main\."),
        ("a ShuffleNetV2 of torchvision", r"stage2\.0\.branch[12]\."),
        ("a MobileNetV3", r"features\.1\.block\."),
        ("a MobileNetV2", r"features\.1\.conv\."),
        ("an HRNet", r"stage2\.0\.branches\."),
        ("a DenseNet", r"features\.denseblock1\."),
        ("a ConvNeXt", r"stages\.0\.(0\.dwconv|blocks\.0\.conv_dw)\."),
        ("a VGG", r"features\.0\.weight$"),
        ("an Inception network", r"Mixed_5b\."),
    )
)


# The setting that selects a family, by its title: of the families that this toolbox builds.
_SETTINGS: dict[str, str] = {}


def register_family(title: str, setting: str) -> None:
    """Declare that this toolbox builds a family, for messages about weights that do not fit.

    Args:
        title: its title above, such as "an OSNet".
        setting: the key and the value that select it, such as "MODEL.META_ARCHITECTURE MGN".
    """
    _SETTINGS[title] = setting


def family_setting(title: str) -> str:
    """Return the key and the value that select a family; "" if this toolbox does not build it.

    Args:
        title: title of the family.
    """
    return _SETTINGS.get(title, "")


def family_of(names: Iterable[str]) -> str:
    """Recognize the kind of network that tensors belong to.

    Args:
        names: PyTorch names of the tensors.

    Returns:
        The kind, such as "an OSNet"; "" for a ResNet and for unknown networks.
    """
    names = list(names)
    for family in _FAMILIES:
        if any(family.pattern.search(name) for name in names):
            return family.title
    return ""
