"""ImageNet weights: which file, where it lies, and what is in it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from fastreid.config import CfgNode
from fastreid.utils.torch_weights import BATCH_COUNTER
from fastreid.utils.weights_file import read_torch_weights

_TORCHVISION = "https://download.pytorch.org/models/"
_IBN_NET = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/"

# Depth, with "ibn_" and "se_" before it -> published file; the same ones as fast-reid's.
PRETRAINED_URLS = {
    "18x": _TORCHVISION + "resnet18-5c106cde.pth",
    "34x": _TORCHVISION + "resnet34-333f7ec4.pth",
    "50x": _TORCHVISION + "resnet50-19c8e357.pth",
    "101x": _TORCHVISION + "resnet101-5d3b4d8f.pth",
    "ibn_18x": _IBN_NET + "resnet18_ibn_a-2f571257.pth",
    "ibn_34x": _IBN_NET + "resnet34_ibn_a-94bc1577.pth",
    "ibn_50x": _IBN_NET + "resnet50_ibn_a-d9d0bb7b.pth",
    "ibn_101x": _IBN_NET + "resnet101_ibn_a-59ea0ac6.pth",
    "se_ibn_101x": _IBN_NET + "se_resnet101_ibn_a-fabed4e2.pth",
}


def find_pretrained(cfg: CfgNode) -> Path:
    """Find the ImageNet weights for the backbone of a config.

    Looks at `MODEL.BACKBONE.PRETRAIN_PATH` if it is set, else for the published file in the folder
    $FASTREID_CACHE (~/.cache/fastreid if unset). Nothing is downloaded.

    Args:
        cfg: the whole config.

    Returns:
        The file, which exists.

    Raises:
        ValueError: if nothing was published for this backbone and no path is given.
        FileNotFoundError: if the file is not there; the message says where to put it.
    """
    backbone = cfg.MODEL.BACKBONE
    scratch = "MODEL.BACKBONE.PRETRAIN False trains from scratch."
    if backbone.PRETRAIN_PATH:
        path = Path(backbone.PRETRAIN_PATH).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"MODEL.BACKBONE.PRETRAIN_PATH {path} is not a file. {scratch}")
        return path
    key = "se_" * backbone.WITH_SE + "ibn_" * backbone.WITH_IBN + backbone.DEPTH
    if key not in PRETRAINED_URLS:
        raise ValueError(
            f"No ImageNet weights are published for {key!r} (MODEL.BACKBONE.DEPTH with WITH_IBN "
            f"and WITH_SE), only for {sorted(PRETRAINED_URLS)}. Set MODEL.BACKBONE.PRETRAIN_PATH "
            f"to weights of your own; {scratch}"
        )
    url = PRETRAINED_URLS[key]
    path = _cache_folder() / url.rsplit("/", 1)[-1]
    if not path.is_file():
        raise FileNotFoundError(
            f"The ImageNet weights {path} are missing. Download {url} and put it there, or set "
            f"MODEL.BACKBONE.PRETRAIN_PATH to where you have it; {scratch}"
        )
    return path


def read_pretrained(path: Path) -> dict[str, np.ndarray]:
    """Read ImageNet weights without their classifier.

    Args:
        path: a file of weights, such as torchvision and IBN-Net publish.

    Returns:
        PyTorch name -> array, without `fc.*` and the batch counters.

    Raises:
        ValueError: if the file holds anything but arrays by name.
    """
    return {
        name: value
        for name, value in read_torch_weights(path).items()
        if not name.startswith("fc.") and not name.endswith(BATCH_COUNTER)
    }


def _cache_folder() -> Path:
    return Path(os.environ.get("FASTREID_CACHE") or "~/.cache/fastreid").expanduser()
