"""Write a trained model as an ONNX or MINDIR file, and check that the file computes the same.

    python tools/export.py --config-file F --output model.onnx MODEL.WEIGHTS W
    python tools/export.py --config-file F --output model.onnx --input normalized MODEL.WEIGHTS W

The file takes any number of images of the size INPUT.SIZE_TEST, float32 (N, 3, H, W), and returns
features, float32 (N, D). Its metadata describe input and features; `fastreid.deploy` reads them.
After writing, the features of 16 images are compared with the model's. If they differ by more than
1e-4 of the largest one, nothing is written. ONNX needs: pip install onnx onnxruntime
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

from fastreid.config import load_config
from fastreid.deploy.model_info import INPUTS, RAW
from fastreid.engine import set_device_and_mode
from fastreid.utils.command_line.command import run_command, user_path
from fastreid.utils.file_io.output_path import check_output_file
from fastreid.utils.logger import log_to_screen


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="export.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config-file", required=True, type=user_path, metavar="F", help="config of the model"
    )
    parser.add_argument("--output", required=True, type=user_path, metavar="FILE.onnx")
    parser.add_argument(
        "--input",
        choices=INPUTS,
        default=RAW,
        help="raw: RGB in 0..255 (default); normalized: RGB in 0..1 that another program "
        "standardized by ImageNet's mean and deviation, as BoxMOT does",
    )
    parser.add_argument("--unit", action="store_true", help="scale features to length 1")
    parser.add_argument("--half", action="store_true", help="store weights as float16 (ONNX)")
    parser.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE pairs, MODEL.WEIGHTS")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Write and check the file."""
    args = parse_args(argv)
    log_to_screen()
    check_output_file(args.output, "--output", suffixes=(".onnx", ".mindir"))
    try:
        from fastreid.export import ExportOptions, export_model
    except ModuleNotFoundError as error:
        raise ImportError(
            f"tools/export.py needs {error.name}: pip install onnx onnxruntime"
        ) from error
    cfg = load_config(args.config_file, args.opts)
    cfg.freeze()
    set_device_and_mode(cfg)
    options = ExportOptions(args.input, unit_length=args.unit, half=args.half)
    comparison = export_model(cfg, args.output, options)
    size = args.output.stat().st_size / 2**20
    same = "are the same" if comparison.has_equal_ranks else "or their order are others"
    print(
        f"{args.output}: {size:.1f} MB; its features differ from the model's by "
        f"{comparison.error:.1e} of the largest one; the ten nearest images of each {same}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
