"""Compute a lower bound of the time of a training step: `python benchmarks/floor.py`.

The bound is the number of operations of the convolutions and classifiers, divided by the speed of a
large matrix product on this machine. The backward pass has twice the operations of the forward
pass, for the gradients of inputs and weights, except that the image needs no gradient.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import fastreid  # noqa: F401 - sets the environment that mindspore reads when it is imported

# isort: split
import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from benchmarks.results import Result, write_results
from fastreid.config import get_cfg
from fastreid.modeling import build_model
from fastreid.modeling.backbones.channel_gate import PointwiseLinear
from fastreid.modeling.backbones.vision_transformer.blocks import Attention

_ROOT = Path(__file__).resolve().parent.parent
_GIGA = 1e9
_MATRIX = 4096
# Cells whose operations are counted: the last two are gates and attention.
_COUNTED = (nn.Conv2d, nn.Dense, PointwiseLinear, Attention)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Count a training step's floating-point operations and measure the peak.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config-file", default=str(_ROOT / "configs" / "bagtricks_DR50_mix.yml"))
    parser.add_argument("--batch", type=int, default=24, help="images of a basic step")
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[11934, 751, 1041], help="per source domain"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return parser.parse_args(argv)


def forward_gflops(model: nn.Cell, images: Tensor) -> dict[str, float]:
    """Count the operations of convolutions, linear layers and attention in an evaluation.

    Args:
        model: a model in evaluation mode, run in PyNative mode.
        images: its input, (1, 3, H, W) for a whole model.

    Returns:
        10^9 operations per image by name of the cell; a multiply-add counts as two operations. The
        entry of an `Attention` has only its products of queries, keys and values.
    """
    found: dict[str, float] = {}

    def count(name: str, cell: nn.Cell) -> Callable[..., None]:
        def hook(_cell: nn.Cell, _inputs: tuple, output: Tensor) -> None:
            found[name] = _operations(cell, output) / _GIGA

        return hook

    for name, cell in model.cells_and_names():
        if isinstance(cell, _COUNTED):
            cell.register_forward_hook(count(name, cell))
    model(images)
    return found


def _operations(cell: nn.Cell, output: Tensor) -> int:
    if isinstance(cell, Attention):
        n, tokens, width = output.shape
        return 2 * 2 * n * tokens**2 * width
    return 2 * cell.weight.size * output.size // cell.weight.shape[0]


def peak_gflops(repeats: int = 8) -> float:
    """Time a large float32 matrix product in NumPy; return the best 10^9 operations a second."""
    matrix = np.random.default_rng(0).random((_MATRIX, _MATRIX), np.float32)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - start)
    return 2 * _MATRIX**3 / min(seconds) / _GIGA


def main(argv: Sequence[str] | None = None) -> int:
    """Print operations, peak speed and lower bounds."""
    args = parse_args(argv)
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(
        ["MODEL.BACKBONE.PRETRAIN", "False", "MODEL.HEADS.CLASSES_PER_DOMAIN", str(args.classes)]
    )
    ms.set_context(mode=ms.PYNATIVE_MODE)
    model = build_model(cfg).set_train(False)
    layers = forward_gflops(model, Tensor(np.zeros((1, 3, *cfg.INPUT.SIZE_TRAIN), np.float32)))
    classifiers = 2 * cfg.MODEL.BACKBONE.FEAT_DIM * sum(args.classes) / _GIGA
    image = next(iter(layers.values()))
    per_image = sum(layers.values()) + classifiers
    basic = args.batch * (3 * per_image - image)
    # A meta step has the same number of images, half as many held-out images, and no classifier.
    meta = 1.5 * args.batch * (3 * (per_image - classifiers) - image)
    peak = peak_gflops()
    print(f"forward of one image: {per_image:.2f} GFLOP in {len(layers)} layers and classifiers")
    print(f"peak of a matrix product: {peak:.0f} GFLOP/s")
    print(f"basic step of {args.batch}: {basic:.0f} GFLOP, at least {basic / peak:.2f} s")
    print(f"meta step of {args.batch} + {args.batch // 2}: {meta:.0f} GFLOP, {meta / peak:.2f} s")
    found = [
        Result("matrix product", "GFLOP/s", peak),
        Result("bound of a basic step", "s", basic / peak),
        Result("bound of a meta step", "s", meta / peak),
    ]
    write_results(args.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
