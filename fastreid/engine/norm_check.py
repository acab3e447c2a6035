"""Before training: every norm sees more than one value per channel.

A variance of one value is 0, and the unbiased one, which running statistics take, 0 / 0. PyTorch
refuses such batches too: "Expected more than 1 value per channel when training".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from mindspore import nn

from fastreid.config import CfgNode
from fastreid.layers import BatchNorm, InstanceNorm, SyncBatchNorm
from fastreid.modeling import map_sizes
from fastreid.utils.comm import get_world_size

from .steps.batch_shares import can_be_cut, shares_of

# Upstream's norm that no output depends on does not run.
_IDLE = ".map"


class _Place(NamedTuple):
    """A norm and how many pixels it sees of each image."""

    name: str
    norm: nn.Cell
    pixels: int


def check_norms(cfg: CfgNode, model: nn.Cell, num_domains: int) -> None:
    """Refuse batches and images that leave a norm a single value per channel.

    Norms of backbones and heads of the user's own are not looked at: the sizes of their maps are
    not known. The first step tells what they make of a single value.

    Args:
        cfg: the whole configuration.
        model: of that configuration.
        num_domains: source domains.

    Raises:
        ValueError: it names the norm, the settings and the smallest values that work.
    """
    _check_images(cfg, model)
    places = list(_places(model, *cfg.INPUT.SIZE_TRAIN))
    _check_instance_norms(cfg, model, places)
    fault = _fault(cfg, places, num_domains, cfg.SOLVER.IMS_PER_BATCH)
    if fault is None:
        return
    place, step, rows = fault
    world_size = get_world_size()
    whose = "" if world_size == 1 else f", for each of {world_size} processes"
    raise ValueError(
        f"Expected more than 1 value per channel when training: SOLVER.IMS_PER_BATCH "
        f"{cfg.SOLVER.IMS_PER_BATCH} gives {place.name} only {rows} image of 1x1 pixel in "
        f"{step}{whose}."
        f"{_way_out(cfg, places, num_domains)}"
    )


def _places(model: nn.Cell, height: int, width: int) -> Iterator[_Place]:
    sizes = map_sizes(getattr(model, "backbone", None), height, width)
    pixels = {f"backbone.{part}.": math.prod(size) for part, size in sizes.items()}
    if sizes:
        pixels["backbone.bn1."] = math.prod(sizes["conv1"])
    # The necks of this toolbox's heads come after the pooling.
    pixels["heads.bottleneck."] = 1
    for name, cell in model.cells_and_names():
        if not isinstance(cell, (BatchNorm, InstanceNorm)) or name.endswith(_IDLE):
            continue
        known = [count for prefix, count in pixels.items() if f"{name}.".startswith(prefix)]
        if known:
            yield _Place(name, cell, known[0])


def _check_images(cfg: CfgNode, model: nn.Cell) -> None:
    height, width = cfg.INPUT.SIZE_TRAIN
    sizes = map_sizes(getattr(model, "backbone", None), height, width)
    if any(min(size) < 1 for size in sizes.values()):
        raise ValueError(
            f"INPUT.SIZE_TRAIN {[height, width]} is too small: the backbone's pooling leaves "
            "nothing of it. Each side must have at least 3 pixels."
        )


def _check_instance_norms(cfg: CfgNode, model: nn.Cell, places: list[_Place]) -> None:
    alone = [p for p in places if isinstance(p.norm, InstanceNorm) and p.pixels == 1]
    if not alone:
        return
    fault = f"Expected more than 1 value per channel when training: {alone[0].name}, an instance "
    if alone[0].name.startswith("heads."):
        raise ValueError(
            f"{fault}norm, sees one pooled value of each image. Set MODEL.HEADS.NORM to BN."
        )
    height, width = cfg.INPUT.SIZE_TRAIN
    while any(isinstance(p.norm, InstanceNorm) and p.pixels == 1 for p in places):
        height += 1
        places = [p for p in _places(model, height, width) if p.name.startswith("backbone.")]
    raise ValueError(
        f"{fault}norm, sees one pixel of each image where INPUT.SIZE_TRAIN is "
        f"{list(cfg.INPUT.SIZE_TRAIN)}. The smallest height that works with this width is {height}."
    )


def _fault(
    cfg: CfgNode, places: list[_Place], num_domains: int, batch_size: int, *, synced: bool = False
) -> tuple[_Place, str, int] | None:
    """Find a batch norm with one value: where, in which step, from how many rows."""
    norms = [place for place in places if isinstance(place.norm, BatchNorm)]
    for shares in shares_of(cfg, num_domains, batch_size):
        rows_of_all = sum(share.rows for share in shares)
        for share in shares:
            for place in norms:
                together = synced or isinstance(place.norm, SyncBatchNorm)
                rows = rows_of_all if together else share.rows
                if rows * place.pixels < 2:
                    return place, share.step, rows
    return None


def _way_out(cfg: CfgNode, places: list[_Place], num_domains: int) -> str:
    needed = _smallest(cfg, places, num_domains, synced=False)
    found = f" The smallest SOLVER.IMS_PER_BATCH that works is {needed}."
    shared = _smallest(cfg, places, num_domains, synced=True)
    if shared < needed:
        found += (
            f" With MODEL.BACKBONE.NORM and MODEL.HEADS.NORM syncBN, whose statistics are those of "
            f"all processes, it is {shared}."
        )
    return found


def _smallest(cfg: CfgNode, places: list[_Place], num_domains: int, *, synced: bool) -> int:
    size = 1
    while not can_be_cut(cfg, size) or _fault(cfg, places, num_domains, size, synced=synced):
        size += 1
    return size
