"""Height and width of the images that a config gives a network."""

from __future__ import annotations

from .cfg_node import CfgNode


def training_image_size(cfg: CfgNode) -> tuple[int, int]:
    """Height and width of training images, which the last crop or else the resizing decides.

    Args:
        cfg: the whole configuration.

    Raises:
        ValueError: if images keep sizes of their own.

    Examples:
        >>> from fastreid.config import get_cfg, training_image_size
        >>> cfg = get_cfg()
        >>> cfg.merge_from_list(["INPUT.SIZE_TRAIN", "[384, 128]"])
        >>> training_image_size(cfg)
        (384, 128)
    """
    size, crop = cfg.INPUT.SIZE_TRAIN, cfg.INPUT.CROP
    if cfg.INPUT.PADDING.ENABLED and size[0] > 0:
        return int(size[0]), int(size[-1])
    if crop.ENABLED and not cfg.INPUT.PADDING.ENABLED:
        return int(crop.SIZE[0]), int(crop.SIZE[-1])
    if len(size) == 2:
        return int(size[0]), int(size[1])
    raise ValueError(
        f"INPUT.SIZE_TRAIN {list(size)} leaves the size to INPUT.CROP: set INPUT.CROP.ENABLED True "
        "and INPUT.PADDING.ENABLED False, or set INPUT.SIZE_TRAIN to height and width."
    )


def evaluation_image_size(cfg: CfgNode) -> tuple[int, int]:
    """Height and width of test images, which the centre crop or else the resizing decides.

    Args:
        cfg: the whole configuration.

    Raises:
        ValueError: if images keep sizes of their own.

    Examples:
        >>> from fastreid.config import evaluation_image_size, get_cfg
        >>> cfg = get_cfg()
        >>> cfg.merge_from_list(["INPUT.SIZE_TEST", "[256]", "INPUT.CROP.ENABLED", "True"])
        >>> cfg.merge_from_list(["INPUT.CROP.SIZE", "[224, 224]"])
        >>> evaluation_image_size(cfg)
        (224, 224)
    """
    size, crop = cfg.INPUT.SIZE_TEST, cfg.INPUT.CROP
    if crop.ENABLED:
        return int(crop.SIZE[0]), int(crop.SIZE[-1])
    if len(size) == 2:
        return int(size[0]), int(size[1])
    raise ValueError(
        f"INPUT.SIZE_TEST {list(size)} leaves the size of test images open: set it to height and "
        "width, two numbers, or set INPUT.CROP.ENABLED True."
    )
