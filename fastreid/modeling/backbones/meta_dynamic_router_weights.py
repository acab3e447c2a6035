"""ImageNet weights of a plain ResNet, inflated into ACL's dynamic-router ResNet.

Upstream does this in its builder and leaves a tensor that does not fit at its random start values.
Here the inflation is a pure function of arrays, and such a tensor is an error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import numpy as np
from mindspore import nn

from fastreid.config import CfgNode
from fastreid.utils.checkpoint.name_rules import register_names
from fastreid.utils.checkpoint.names import export_weights, to_mindspore_weights
from fastreid.utils.checkpoint.recognition.advice import explain_misfit
from fastreid.utils.checkpoint.weights import load_weights

from .pretrained import find_pretrained, read_pretrained, register_pretrained
from .resnet_specs import IMAGENET_WEIGHTS

logger = logging.getLogger(__name__)

register_pretrained("build_meta_dynamic_router_resnet_backbone", IMAGENET_WEIGHTS)

# What the parts of a stage are called in the original's state dict.
register_names(
    {
        "stages.{i}.residual.blocks": "layer{n}",
        "stages.{i}.residual.non_local": "NL_{n}",
        "stages.{i}.adaptor_base": "adaptor{n}_base",
        "stages.{i}.adaptor_sub": "adaptor{n}_sub",
        "stages.{i}.router": "router{n}",
        "stages.{i}.invariant_norm": "invariant_norm{n}",
        "stages.{i}.specific_norm": "specific_norm{n}",
        "stages.{i}.meta_fuse": "meta_fuse{n}",
        "stages.{i}.meta_se": "meta_se{n}",
        "stages.{i}.map": "map{n}",
    }
)

# The source of each stage's adaptors: the last block of a ResNet50, at every depth.
SOURCE_BLOCKS = ("layer1.2", "layer2.3", "layer3.5", "layer4.2")
_ADAPTOR = re.compile(r"adaptor(?P<stage>\d)_(?P<kind>base|sub)\.(?P<rest>.+)")
_MUST_FIT = re.compile(r"(?P<part>conv1|bn1|layer\d\.\d+)\.")


def load_inflated(backbone: nn.Cell, cfg: CfgNode) -> None:
    """Load the ImageNet weights of the config into `backbone`.

    Args:
        backbone: a `MetaDynamicRouterResNet`.
        cfg: the whole configuration; `MODEL.BACKBONE` determines the file.

    Raises:
        FileNotFoundError: if the file is missing; the message names the folder to put it into.
        ValueError: if a tensor of the file does not fit.
    """
    path = find_pretrained(cfg)
    start = export_weights(backbone)
    needed = {name: value.shape for name, value in start.items() if _MUST_FIT.match(name)}
    source = read_pretrained(path, needed)
    try:
        inflated = inflate(source, start)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    load_weights(backbone, to_mindspore_weights(backbone, {**start, **inflated}))
    logger.info("Started %d of %d backbone tensors from %s", len(inflated), len(start), path)


def inflate(
    source: Mapping[str, np.ndarray], start: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Compute the router backbone's weights from a plain ResNet's.

    Args:
        source: PyTorch name -> array of a ResNet (IBN-a or not), without its classifier.
        start: PyTorch name -> array of the router backbone, for names and shapes.

    Returns:
        The tensors with a source, by the names in `start`; running statistics included.

    Raises:
        ValueError: if a stem or residual-block tensor is missing, unknown or of another shape.
    """
    inflated: dict[str, np.ndarray] = {}
    faults: dict[str, list[str]] = {"missing": [], "of another shape": []}
    for name, value in start.items():
        adaptor = _ADAPTOR.match(name)
        if adaptor:
            origin = SOURCE_BLOCKS[int(adaptor["stage"]) - 1]
            make = _base_tensor if adaptor["kind"] == "base" else _sub_tensor
            tensor = make(source, origin, adaptor["rest"], value.shape)
        else:
            tensor = source.get(name)
            if _MUST_FIT.match(name) and (tensor is None or tensor.shape != value.shape):
                faults["missing" if tensor is None else "of another shape"].append(name)
                continue
        if tensor is not None and tensor.shape == value.shape:
            inflated[name] = np.ascontiguousarray(tensor)
    parts = {match["part"] for match in map(_MUST_FIT.match, start) if match}
    faults["unexpected"] = [
        name
        for name in sorted(source.keys() - start.keys())
        if (match := _MUST_FIT.match(name)) and match["part"] in parts
    ]
    if any(faults.values()):
        have, want = ({k: tuple(v.shape) for k, v in arrays.items()} for arrays in (source, start))
        raise ValueError(
            f"these weights do not fit the backbone. {explain_misfit(have, want, faults)}"
        )
    return inflated


def _base_tensor(
    source: Mapping[str, np.ndarray], origin: str, rest: str, shape: tuple[int, ...]
) -> np.ndarray | None:
    tensor = source.get(f"{origin}.{rest}")
    return tensor if tensor is not None and tensor.shape == shape else None


def _sub_tensor(
    source: Mapping[str, np.ndarray], origin: str, rest: str, shape: tuple[int, ...]
) -> np.ndarray | None:
    tensor = source.get(f"{origin}.{rest}")
    if tensor is None:
        return _half_of_norm(source, origin, rest)
    if tensor.shape == shape:
        return tensor
    if tensor.ndim == 4:
        group = tensor.shape[1] // shape[1]
        tensor = tensor.reshape(tensor.shape[0], shape[1], group, *tensor.shape[2:]).mean(2)
    copies = shape[0] // tensor.shape[0]
    return np.tile(tensor, (copies,) + (1,) * (tensor.ndim - 1))


def _half_of_norm(source: Mapping[str, np.ndarray], origin: str, rest: str) -> np.ndarray | None:
    """Return half of a batch norm, for an IBN without one in its source block (stage 4)."""
    split = re.fullmatch(r"bn1\.(?P<half>IN|BN)\.(?P<leaf>\w+)", rest)
    if split is None:
        return None
    tensor = source.get(f"{origin}.bn1.{split['leaf']}")
    if tensor is None:
        return None
    middle = tensor.shape[0] // 2
    return tensor[:middle] if split["half"] == "IN" else tensor[middle:]
