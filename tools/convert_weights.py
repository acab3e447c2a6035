"""Convert weights between PyTorch, safetensors and this toolbox, without PyTorch.

The format of SRC is detected by its content: a file of torch.save in any layout, safetensors, or a
checkpoint of this toolbox or of MindSpore. The format of DST is given by its suffix: .pth,
.pth.tar, .pt and .pkl are PyTorch's zip format, .safetensors is safetensors with PyTorch's names,
.ckpt is the format of this toolbox. With --config-file, nothing is written unless every tensor fits
the model of that config. If SRC has several sets of weights, SRC::KEY selects one.

    python tools/convert_weights.py model_best.pth model_best.ckpt
    python tools/convert_weights.py teacher.pth::model_ema teacher.ckpt
    python tools/convert_weights.py logs/model_final.ckpt model.pth --key model   # for fast-reid
    python tools/convert_weights.py repvgg.ckpt fused.ckpt --fuse   # MODEL.BACKBONE.DEPLOY True
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from fastreid.config import load_config
from fastreid.modeling import build_model, classifier_prefixes
from fastreid.modeling.backbones import fuse_repvgg
from fastreid.utils.checkpoint.expected_weights import expected_shapes
from fastreid.utils.checkpoint.names import to_mindspore_weights
from fastreid.utils.checkpoint.release_names import RELEASES, to_current_names, to_release_names
from fastreid.utils.checkpoint.weights import load_weights
from fastreid.utils.checkpoint.weights_file import (
    TORCH_SUFFIXES,
    check_suffix,
    read_torch_weights,
    split_key_path,
    write_weights,
)
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.logger import log_to_screen

if TYPE_CHECKING:
    import numpy as np
    from mindspore import nn


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="convert_weights.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "src", type=user_path, metavar="SRC", help="file to read; SRC::KEY selects weights in it"
    )
    parser.add_argument(
        "dst", type=user_path, metavar="DST", help="file to write; replaced if it exists"
    )
    parser.add_argument(
        "--config-file", type=user_path, metavar="F", help="check the weights against this model"
    )
    parser.add_argument(
        "--key",
        default="",
        help="key of the weights in a PyTorch file; fast-reid needs 'model'",
    )
    parser.add_argument(
        "--release",
        choices=RELEASES,
        help="write the names of an older fast-reid release; default: the current names",
    )
    parser.add_argument(
        "--fuse",
        action="store_true",
        help="fuse each block of a RepVGG into one convolution, for MODEL.BACKBONE.DEPLOY True",
    )
    return parser.parse_args(argv)


def convert(
    src: Path,
    dst: Path,
    *,
    config_file: str | None = None,
    key: str = "",
    release: str | None = None,
    fuse: bool = False,
) -> int:
    """Convert a weights file; names of older releases of fast-reid are replaced by current ones.

    Args:
        src: file to read, see `read_torch_weights`.
        dst: file to write; its folder is created if necessary.
        config_file: config of a model that the weights must fit. Classifiers and centers, which
            depend on the training data, may be missing or of any size.
        key: see `write_pth`.
        release: one of `RELEASES`, whose names are written; None: the current names.
        fuse: write a trained RepVGG in its fused form, see `fuse_repvgg`; `config_file` is checked
            before.

    Returns:
        The number of tensors.

    Raises:
        FileNotFoundError: `src` does not exist.
        ValueError: the weights cannot be read or written, or do not fit; nothing is written then.
    """
    check_suffix(dst)
    if key and not dst.name.endswith(TORCH_SUFFIXES):
        raise ValueError(
            f"--key {key} is for PyTorch files ({', '.join(TORCH_SUFFIXES)}); {dst} has no keys."
        )
    check_output_file(dst, "DST")
    if split_key_path(src)[0].resolve() == dst.resolve():
        raise ValueError(f"SRC and DST are the same file, {dst}; give DST another name.")
    model = _build(config_file, fuse=fuse) if config_file else None
    prefixes = classifier_prefixes(model)
    expected = expected_shapes(model, ignore=prefixes) if model is not None else None
    weights = read_torch_weights(src, expected)
    if model is not None:
        fitting = to_mindspore_weights(model, weights)
        load_weights(model, fitting, source=src, ignore=prefixes)
    weights, notes = to_current_names(weights)
    # With a model, the notes were logged when the weights were loaded into it.
    for note in notes if model is None else ():
        print(f"{src}: {note}")
    if fuse:
        weights = _fuse(weights, src)
    if release:
        weights = to_release_names(weights, release)
    dst.parent.mkdir(parents=True, exist_ok=True)
    write_weights(dst, weights, key=key)
    return len(weights)


def _build(config_file: str, *, fuse: bool) -> nn.Cell:
    """Build the model of SRC, which is not fused yet with `--fuse`."""
    cfg = load_config(config_file)
    cfg.MODEL.BACKBONE.PRETRAIN = False
    if fuse:
        cfg.MODEL.BACKBONE.DEPLOY = False
    return build_model(cfg)


def _fuse(weights: Mapping[str, np.ndarray], src: Path) -> dict[str, np.ndarray]:
    try:
        return fuse_repvgg(weights)
    except ValueError as error:
        raise ValueError(f"--fuse: {src}: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    args = parse_args(argv)
    log_to_screen()
    count = convert(
        args.src,
        args.dst,
        config_file=args.config_file,
        key=args.key,
        release=args.release,
        fuse=args.fuse,
    )
    print(f"{args.dst}: {count} tensors of {args.src}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
