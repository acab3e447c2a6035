"""The published ImageNet weights of RepVGG: https://github.com/DingXiaoH/RepVGG."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from fastreid.utils.checkpoint.recognition.families import register_family

from ..pretrained import PretrainedRules, PublishedFile, register_pretrained
from .fusion import fuse_repvgg

# A folder with all files.
_DRIVE = "https://drive.google.com/drive/folders/1Avome4KvNp0Lqh2QwhXO6L5URQjzCjUq"
# MODEL.BACKBONE.DEPTH -> the end of the name; there is no B2g2 and no B3g2.
_ENDINGS = {
    **dict.fromkeys(("A0", "A1", "A2", "B0", "B1", "B1g2", "B1g4", "B2"), "train"),
    **dict.fromkeys(("B2g4", "B3", "B3g4"), "200epochs-train"),
}
# The author's name of the fused convolution.
_REPARAM = re.compile(r"(?<=\.)rbr_reparam\.(weight|bias)$")


def to_built_form(
    weights: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Rename fused convolutions of the author's, and fuse weights for a network that is fused.

    Args:
        weights: PyTorch name -> array, of the author or with the names of this network.
        shapes: PyTorch name -> shape of the tensors that the network needs.

    Returns:
        The arrays by the names of this network.

    Raises:
        ValueError: if a block cannot be fused.
    """
    renamed = {_REPARAM.sub(r"fused_\1", name): value for name, value in weights.items()}
    needs_fused = any(name.endswith("fused_weight") for name in shapes)
    has_branches = any(".rbr_dense." in name for name in renamed)
    return fuse_repvgg(renamed) if needs_fused and has_branches else renamed


def register_published() -> None:
    """Declare the files, and the settings for messages about weights that do not fit."""
    files = {
        depth: PublishedFile(_DRIVE, f"RepVGG-{depth}-{ending}.pth")
        for depth, ending in _ENDINGS.items()
    }
    rules = PretrainedRules(files=files, classifiers=("linear.",), convert=to_built_form)
    register_pretrained("build_repvgg_backbone", rules)
    name = "MODEL.BACKBONE.NAME build_repvgg_backbone and MODEL.BACKBONE.DEPLOY"
    register_family("a fused RepVGG", f"{name} True")
    tool = "tools/convert_weights.py --fuse"
    register_family("a RepVGG", f"{name} False (for DEPLOY True, fuse the weights by {tool})")
