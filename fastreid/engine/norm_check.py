"""Check before training that every norm gets more than one value per channel.

The variance of one value is 0, and its unbiased variance, which running statistics use, is 0 / 0.
PyTorch refuses such batches too: "Expected more than 1 value per channel when training".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from mindspore import nn

from fastreid.config import CfgNode, training_image_size
from fastreid.layers import BatchNorm, InstanceNorm, SplAtConv2d, SyncBatchNorm
from fastreid.modeling import NeckHead, map_sizes
from fastreid.utils.comm import get_world_size

from .steps.batch_shards import is_divisible, shards_by_step

# End of the name of upstream's norm whose output is not used; it does not run.
_UNUSED = ".map"


class _NormInput(NamedTuple):
    """A norm and the number of pixels that it gets of each image."""

    name: str
    norm: nn.Cell
    pixels: int


def check_norms(cfg: CfgNode, model: nn.Cell, num_domains: int) -> None:
    """Refuse batches and images that give a norm a single value per channel.

    The norms of a user's own backbone or head are not checked, because the sizes of their maps are
    not known. If such a norm fails, the first training step reports it.

    Args:
        cfg: the whole configuration.
        model: the model of that configuration.
        num_domains: number of source domains.

    Raises:
        ValueError: a norm gets a single value; the message has the norm, the settings and the
            smallest values that work.
    """
    _check_images(cfg, model)
    norms = list(_norm_inputs(model, *training_image_size(cfg)))
    _check_instance_norms(cfg, model, norms)
    failure = _find_failure(cfg, norms, num_domains, cfg.SOLVER.IMS_PER_BATCH)
    if failure is None:
        return
    norm, step, rows = failure
    world_size = get_world_size()
    scope = "" if world_size == 1 else f", for each of {world_size} processes"
    raise ValueError(
        f"Expected more than 1 value per channel when training: SOLVER.IMS_PER_BATCH "
        f"{cfg.SOLVER.IMS_PER_BATCH} gives {norm.name} only {rows} image of 1x1 pixel in "
        f"{step}{scope}."
        f"{_advice(cfg, norms, num_domains)}"
    )


def _norm_inputs(model: nn.Cell, height: int, width: int) -> Iterator[_NormInput]:
    sizes = map_sizes(getattr(model, "backbone", None), height, width)
    # The first prefix that fits a name counts.
    attentions = [k for k, cell in model.cells_and_names() if isinstance(cell, SplAtConv2d)]
    pixels = {f"{name}.bn1.": 1 for name in attentions}
    pixels.update({f"backbone.{part}.": math.prod(size) for part, size in sizes.items()})
    if sizes:
        pixels["backbone.bn1."] = math.prod(sizes["conv1"])
    # The necks of this toolbox's heads come after the pooling.
    heads = [name for name, cell in model.cells_and_names() if isinstance(cell, NeckHead)]
    pixels.update({f"{name}.bottleneck.": 1 for name in heads})
    for name, cell in model.cells_and_names():
        if not isinstance(cell, (BatchNorm, InstanceNorm)) or name.endswith(_UNUSED):
            continue
        known = [count for prefix, count in pixels.items() if f"{name}.".startswith(prefix)]
        if known:
            yield _NormInput(name, cell, known[0])


def _check_images(cfg: CfgNode, model: nn.Cell) -> None:
    height, width = training_image_size(cfg)
    sizes = map_sizes(getattr(model, "backbone", None), height, width)
    if any(min(size) < 1 for size in sizes.values()):
        raise ValueError(
            f"INPUT.SIZE_TRAIN {[height, width]} is too small: after the backbone's pooling the "
            "map is empty. Each side must have at least 3 pixels."
        )


def _check_instance_norms(cfg: CfgNode, model: nn.Cell, norms: list[_NormInput]) -> None:
    failing = [n for n in norms if _is_single_pixel_instance_norm(n)]
    if not failing:
        return
    name = failing[0].name
    start = f"Expected more than 1 value per channel when training: {name}, an instance norm, "
    if ".bottleneck." in name:
        raise ValueError(f"{start}gets one pooled value of each image. Set MODEL.HEADS.NORM to BN.")
    height, width = training_image_size(cfg)
    while any(_is_single_pixel_instance_norm(n) for n in norms):
        height += 1
        norms = [n for n in _norm_inputs(model, height, width) if n.name.startswith("backbone.")]
    raise ValueError(
        f"{start}gets one pixel of each image where INPUT.SIZE_TRAIN is "
        f"{list(cfg.INPUT.SIZE_TRAIN)}. The smallest height that works with this width is {height}."
    )


def _is_single_pixel_instance_norm(norm: _NormInput) -> bool:
    return isinstance(norm.norm, InstanceNorm) and norm.pixels == 1


def _find_failure(
    cfg: CfgNode,
    norms: list[_NormInput],
    num_domains: int,
    batch_size: int,
    *,
    synced: bool = False,
) -> tuple[_NormInput, str, int] | None:
    """Find a batch norm that gets one value: the norm, the kind of step, the number of rows."""
    batch_norms = [norm for norm in norms if isinstance(norm.norm, BatchNorm)]
    for shards in shards_by_step(cfg, num_domains, batch_size):
        all_rows = sum(shard.rows for shard in shards)
        for shard in shards:
            for norm in batch_norms:
                over_processes = synced or isinstance(norm.norm, SyncBatchNorm)
                rows = all_rows if over_processes else shard.rows
                if rows * norm.pixels < 2:
                    return norm, shard.step, rows
    return None


def _advice(cfg: CfgNode, norms: list[_NormInput], num_domains: int) -> str:
    needed = _smallest_batch(cfg, norms, num_domains, synced=False)
    advice = f" The smallest SOLVER.IMS_PER_BATCH that works is {needed}."
    synced = _smallest_batch(cfg, norms, num_domains, synced=True)
    if synced < needed:
        advice += (
            f" With MODEL.BACKBONE.NORM and MODEL.HEADS.NORM syncBN, whose statistics are over "
            f"all processes, it is {synced}."
        )
    return advice


def _smallest_batch(
    cfg: CfgNode, norms: list[_NormInput], num_domains: int, *, synced: bool
) -> int:
    size = 1
    while not is_divisible(cfg, size) or _find_failure(
        cfg, norms, num_domains, size, synced=synced
    ):
        size += 1
    return size
