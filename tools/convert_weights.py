"""Convert weights between PyTorch, safetensors and this toolbox: SRC and DST decide by their ends.

.pth, .pth.tar, .pt and .pkl are PyTorch's (written in its zip format, read in both), .safetensors
has PyTorch's names too, .ckpt is this toolbox's. PyTorch is not needed. With --config-file the
weights must fit the model of that config, tensor by tensor, or nothing is written.

    python tools/convert_weights.py model_best.pth model_best.ckpt
    python tools/convert_weights.py logs/model_final.ckpt model.pth --key model   # for fast-reid
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.interrupts import end_at_once_on_interrupt

if __name__ == "__main__":
    end_at_once_on_interrupt()

from fastreid.config import load_config
from fastreid.engine import CLASSIFIER_PREFIXES
from fastreid.modeling import build_model
from fastreid.utils.command import run_command, user_path
from fastreid.utils.load_weights import load_weights
from fastreid.utils.output_path import check_output_file
from fastreid.utils.torch_weights import to_mindspore_weights
from fastreid.utils.weights_file import check_suffix, read_torch_weights, write_weights


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="convert_weights.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("src", type=user_path, metavar="SRC", help="file to read")
    parser.add_argument(
        "dst", type=user_path, metavar="DST", help="file to write; replaced if it exists"
    )
    parser.add_argument(
        "--config-file", type=user_path, metavar="F", help="check the weights against this model"
    )
    parser.add_argument(
        "--key",
        default="",
        help="put the weights of a PyTorch file under this key; fast-reid wants 'model'",
    )
    return parser.parse_args(argv)


def convert(src: Path, dst: Path, *, config_file: str | None = None, key: str = "") -> int:
    """Convert a file.

    Args:
        src: the file to read.
        dst: the file to write; its folder is made where it is missing.
        config_file: of the model that the weights must fit; classifiers and centers, which depend
            on the training data, may be missing or of any size.
        key: see `write_pth`.

    Returns:
        The number of tensors.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read or written, or does not fit; nothing is written then.
    """
    check_suffix(dst)
    check_output_file(dst, "DST")
    if src.resolve() == dst.resolve():
        raise ValueError(f"SRC and DST are the same file, {src}; give DST another name.")
    weights = read_torch_weights(src)
    if config_file:
        cfg = load_config(config_file)
        cfg.MODEL.BACKBONE.PRETRAIN = False
        model = build_model(cfg)
        fitting = to_mindspore_weights(model, weights)
        load_weights(model, fitting, source=src, ignore=CLASSIFIER_PREFIXES)
    dst.parent.mkdir(parents=True, exist_ok=True)
    write_weights(dst, weights, key=key)
    return len(weights)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    args = parse_args(argv)
    count = convert(args.src, args.dst, config_file=args.config_file, key=args.key)
    print(f"{args.dst}: {count} tensors of {args.src}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
