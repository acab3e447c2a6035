"""Describe a set of weights: the network, its options and its head, by names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..mgn_names import baseline_name, is_mgn
from ..release_names import is_auxiliary, to_current_names
from .families import family_of

Shapes = Mapping[str, tuple[int, ...]]

# MODEL.BACKBONE.DEPTH by kind of block, widths of the stem and of the first stage, and blocks of
# each stage. A test compares the table with the built models.
_DEPTHS: dict[tuple[str, int, int, tuple[int, ...]], str] = {
    ("bottleneck", 32, 16, (2, 2, 2, 2)): "tiny",
    ("basic", 64, 64, (2, 2, 2, 2)): "18x",
    ("basic", 64, 64, (3, 4, 6, 3)): "34x",
    ("bottleneck", 64, 64, (3, 4, 6, 3)): "50x",
    ("bottleneck", 64, 64, (3, 4, 23, 3)): "101x",
    ("bottleneck", 64, 64, (3, 8, 36, 3)): "152x",
}
_USUAL_PLANES = 64
_LONGEST_PREFIX = 80
_FIRST_BLOCK = re.compile(r"(?P<prefix>.*?)layer1\.0\.conv1\.weight")
_BLOCK = re.compile(r"layer(?P<stage>[1-4])\.(?P<block>\d+)\.conv1\.weight")
_CLASSIFIERS = ("heads.weight", "fc.weight", "classifier.weight")
# Prefixes of a backbone's names: none in the weights of a backbone alone.
BACKBONE_PREFIXES = ("", "backbone.")
_HEAD = re.compile(r"(heads|b\d+_head)\.")
_DOMAIN = re.compile(r"heads\.weight(?P<index>\d+)\.weight")


class WeightsDescription(NamedTuple):
    """Properties of a set of weights; a default means that a property is absent or unknown.

    Attributes:
        family: kind of network in words, such as "a ResNet" or "an OSNet".
        depth: value of MODEL.BACKBONE.DEPTH, such as "50x".
        blocks: number of residual blocks of each stage.
        planes: channels inside the blocks of the first stage, usually 64.
        feat_dim: channels of the last stage.
        is_grouped: whether the 3x3 convolutions have groups (ResNeXt).
        is_router: whether it is ACL's dynamic-router backbone.
        is_mgn: whether it is an MGN; its first branch and head are described.
        ibn: kind of IBN: "", "a" or "b".
        with_se: whether it has squeeze and excitation.
        with_nl: whether it has non-local blocks.
        prefix: prefix of the backbone's names; "backbone." for a model of fast-reid.
        has_head: whether there are tensors of a head of fast-reid or ACL.
        head_parts: layers of the neck in their order: "conv", "norm" or "second norm".
        embedding_dim: output channels of the neck's convolution.
        learns_power: whether the exponent of the pooling is learned.
        num_classes: classes of the classifier, if there is one classifier.
        classes_per_domain: classes of each of ACL's classifiers.
    """

    family: str = ""
    depth: str = ""
    blocks: tuple[int, ...] = ()
    planes: int = 0
    feat_dim: int = 0
    is_grouped: bool = False
    is_router: bool = False
    is_mgn: bool = False
    ibn: str = ""
    with_se: bool = False
    with_nl: bool = False
    prefix: str = ""
    has_head: bool = False
    head_parts: tuple[str, ...] = ()
    embedding_dim: int = 0
    learns_power: bool = False
    num_classes: int = 0
    classes_per_domain: tuple[int, ...] = ()

    @property
    def is_backbone_alone(self) -> bool:
        """Whether it is a ResNet without a head, such as published ImageNet weights."""
        return bool(self.blocks) and self.prefix in BACKBONE_PREFIXES and not self.has_head


def describe_weights(shapes: Shapes) -> WeightsDescription:
    """Recognize the network that a set of weights belongs to.

    Args:
        shapes: shapes by PyTorch name, of any release of fast-reid.

    Returns:
        Its properties.
    """
    current, _ = to_current_names(shapes)
    shapes = {k: tuple(v) for k, v in current.items() if not is_auxiliary(k)}
    family = family_of(shapes)
    mgn = not family and is_mgn(shapes)
    if mgn:
        shapes = {baseline_name(name): shape for name, shape in shapes.items()}
    start = next((match for match in map(_FIRST_BLOCK.fullmatch, sorted(shapes)) if match), None)
    backbone: dict[str, Any] = {"is_mgn": mgn}
    if not family and start:
        prefix = start["prefix"]
        inside = {k[len(prefix) :]: v for k, v in shapes.items() if k.startswith(prefix)}
        backbone = {"prefix": prefix, **_describe_resnet(inside)}
    return WeightsDescription(
        **{"family": family, "is_mgn": mgn, **backbone, **_describe_head(shapes)}
    )


def _describe_resnet(shapes: Shapes) -> dict[str, Any]:
    counts = [0, 0, 0, 0]
    for match in filter(None, map(_BLOCK.fullmatch, shapes)):
        stage = int(match["stage"]) - 1
        counts[stage] = max(counts[stage], int(match["block"]) + 1)
    # In ACL's stages, adaptors replace the last block.
    is_router = any(name.startswith("adaptor1_base.") for name in shapes)
    blocks = tuple(count + is_router for count in counts)
    kind = "bottleneck" if "layer1.0.conv3.weight" in shapes else "basic"
    stem = _width(shapes, "conv1.weight")
    planes = _width(shapes, "layer1.0.conv1.weight")
    inner = shapes.get("layer1.0.conv2.weight", ())
    is_grouped = len(inner) > 1 and inner[1] != planes
    return {
        "family": "a ResNeXt" if is_grouped else "a ResNet",
        "depth": "" if is_grouped else _DEPTHS.get((kind, stem, planes, blocks), ""),
        "blocks": blocks,
        "planes": planes,
        "feat_dim": _width(shapes, f"layer4.0.conv{3 if kind == 'bottleneck' else 2}.weight"),
        "is_grouped": is_grouped,
        "is_router": is_router,
        "ibn": _kind_of_ibn(shapes),
        "with_se": any(".se." in name for name in shapes),
        "with_nl": any(name.startswith("NL_") for name in shapes),
    }


def _kind_of_ibn(shapes: Shapes) -> str:
    if any(".bn1.IN." in name for name in shapes):
        return "a"
    return "b" if any(re.search(r"layer\d\.\d+\.IN\.|^bn1\.IN\.", name) for name in shapes) else ""


def _describe_head(shapes: Shapes) -> dict[str, Any]:
    parts: list[str] = []
    embedding_dim = 0
    for index in range(3):
        start = f"heads.bottleneck.{index}."
        if not any(name.startswith(start) for name in shapes):
            break
        is_conv = len(shapes.get(f"{start}weight", ())) > 1
        parts.append("conv" if is_conv else "norm")
        embedding_dim = _width(shapes, f"{start}weight") if is_conv else embedding_dim
    # The ReductionHead of 0.1; `to_current_names` has renamed the norm of a BNneckHead.
    if "heads.bnneck.weight" in shapes:
        parts.append("second norm")
    classifiers = [_width(shapes, name) for name in _CLASSIFIERS if name in shapes]
    domains = sorted(
        (int(match["index"]), _width(shapes, match.string))
        for match in filter(None, map(_DOMAIN.fullmatch, shapes))
    )
    return {
        "has_head": any(map(_HEAD.match, shapes)),
        "head_parts": tuple(parts),
        "embedding_dim": embedding_dim,
        "learns_power": "heads.pool_layer.p" in shapes,
        "num_classes": next(iter(classifiers), 0),
        "classes_per_domain": tuple(count for _, count in domains),
    }


def _width(shapes: Shapes, name: str) -> int:
    """Return the first dimension of a tensor; 0 if there is no such tensor or dimension."""
    return next(iter(shapes.get(name, ())), 0)


def in_words(description: WeightsDescription) -> str:
    """Describe a set of weights in a few words; "" if it is unknown."""
    about = description
    if not about.family:
        return ""
    if not about.blocks:
        return about.family + _classes_in_words(about)
    options = [
        text
        for text, is_there in (
            ("squeeze and excitation", about.with_se),
            ("non-local blocks", about.with_nl),
            ("a learned pooling power", about.learns_power),
            (f"an embedding of {about.embedding_dim}", about.embedding_dim),
            ("no norm in the neck", about.has_head and "norm" not in about.head_parts),
        )
        if is_there
    ]
    origin = " of fast-reid" if about.has_head and not about.is_router else ""
    text = network_in_words(about) + origin
    if about.is_mgn:
        text = f"an MGN{origin} on {network_in_words(about)}"
    if options:
        text += f", with {' and '.join(options)}"
    text += _classes_in_words(about)
    if about.has_head or about.is_backbone_alone:
        return text
    return f"{text}, with names that begin with {about.prefix[:_LONGEST_PREFIX]!r}"


def network_in_words(description: WeightsDescription) -> str:
    """Name the network with its size and IBN, such as "a ResNet50-IBN"."""
    about = description
    name = "ACL's dynamic-router ResNet" if about.is_router else about.family
    ibn = {"": "", "a": "-IBN", "b": "-IBN-b"}[about.ibn]
    return f"{name}{_size(about)}{ibn}" if about.blocks else name


def _size(about: WeightsDescription) -> str:
    if about.depth == "tiny":
        return "-tiny"
    if about.depth:
        return about.depth.rstrip("x")
    width = f", {about.planes} channels wide" if about.planes != _USUAL_PLANES else ""
    return f" of {'-'.join(map(str, about.blocks))} blocks{width}"


def _classes_in_words(about: WeightsDescription) -> str:
    if about.classes_per_domain:
        counts = " + ".join(map(str, about.classes_per_domain))
        return f", {counts} classes of {len(about.classes_per_domain)} domains"
    return f", {about.num_classes} classes" if about.num_classes else ""
