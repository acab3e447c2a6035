"""Find the first layer whose output differs between a PyTorch module and a model of this toolbox.

    python tools/compare_models.py --torch my_net:build --ours my_port:build --shape 2 3 64 32
    python tools/compare_models.py --torch my_net:build --config-file F --backbone

MODULE:FUNCTION names a function without arguments; MODULE is imported from the current folder. One
function returns a torch.nn.Module, the other a MindSpore cell; instead of the second, a config
gives the model, or with --backbone its backbone. Our side gets PyTorch's weights, and both sides
get the same input, in evaluation. Layers of the same name, by the rules for names of weights, are
compared in the order in which PyTorch runs them. The exit code is 1 if an output differs.

Only this tool needs PyTorch: pip install ".[compare]"
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

import mindspore as ms
import numpy as np
from mindspore import nn

from fastreid.config import load_config, without_pretraining
from fastreid.engine import set_device_and_mode
from fastreid.modeling import build_backbone, build_model
from fastreid.utils.checkpoint.names import to_mindspore_weights, to_torch_name
from fastreid.utils.checkpoint.weights import load_weights
from fastreid.utils.command_line.command import run_command, user_path

# The output of the network itself.
WHOLE = "(output)"


class LayerError(NamedTuple):
    """Difference of the outputs of one layer.

    Attributes:
        name: PyTorch's name of the layer, or `WHOLE`.
        kind: PyTorch's class of it.
        error: largest difference relative to the largest value; infinite if shapes differ.
        shapes: PyTorch's and ours.
    """

    name: str
    kind: str
    error: float
    shapes: tuple[tuple[int, ...], tuple[int, ...]]


class Recorded(NamedTuple):
    """The first output of a layer with its class."""

    kind: str
    output: np.ndarray


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="compare_models.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    function = "MODULE:FUNCTION"
    parser.add_argument("--torch", required=True, metavar=function, help="gives PyTorch's module")
    ours = parser.add_mutually_exclusive_group(required=True)
    ours.add_argument("--ours", metavar=function, help="gives our cell")
    ours.add_argument("--config-file", type=user_path, metavar="F", help="config of our model")
    parser.add_argument("--backbone", action="store_true", help="the backbone of the config alone")
    parser.add_argument("--input", type=user_path, metavar="FILE.npy", help="default: random")
    parser.add_argument(
        "--shape", type=int, nargs="+", default=(2, 3, 64, 32), help="of a random input"
    )
    parser.add_argument("--seed", type=int, default=0, help="of a random input")
    parser.add_argument(
        "--tolerance", type=float, default=1e-4, help="relative to the largest value of a layer"
    )
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], help="KEY VALUE pairs")
    return parser.parse_args(argv)


def call(name: str, option: str) -> Any:
    """Import MODULE:FUNCTION and call it.

    Raises:
        ValueError: the text has another form, or there is no such function.
        ModuleNotFoundError: there is no such module.
    """
    module, _, function = name.partition(":")
    if not module or not function:
        raise ValueError(f"{option} {name}: write MODULE:FUNCTION, such as my_net:build.")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{option} {name}: {error}.") from error
    if not callable(getattr(loaded, function, None)):
        raise ValueError(f"{option} {name}: {module} has no function {function!r}.")
    return getattr(loaded, function)()


def build_ours(args: argparse.Namespace) -> nn.Cell:
    """Build our side.

    Raises:
        ValueError: the function gives no cell.
    """
    if args.ours:
        cell = call(args.ours, "--ours")
        if not isinstance(cell, nn.Cell):
            raise ValueError(f"--ours {args.ours} gives {type(cell).__name__}, not a cell.")
        return cell
    cfg = without_pretraining(load_config(args.config_file, args.opts))
    return build_backbone(cfg) if args.backbone else build_model(cfg)


def read_input(args: argparse.Namespace) -> np.ndarray:
    """Read or draw the input; float64 becomes float32.

    Raises:
        ValueError: the file is not an array.
    """
    if args.input is None:
        return np.random.default_rng(args.seed).standard_normal(args.shape, dtype=np.float32)
    try:
        array = np.load(args.input, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"--input {args.input} is not a .npy file: {error}") from error
    return array.astype(np.float32) if array.dtype == np.float64 else array


def record_torch(module: Any, array: np.ndarray) -> dict[str, Recorded]:
    """Run a PyTorch module and keep the first output of each layer, in order.

    Args:
        module: in any mode; it is evaluated.
        array: its input.

    Returns:
        PyTorch name -> output, of layers whose output is a tensor.
    """
    import torch

    outputs: dict[str, Recorded] = {}

    def keep(name: str, kind: str) -> Callable:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                outputs.setdefault(name, Recorded(kind, output.detach().numpy().copy()))

        return hook

    handles = [
        layer.register_forward_hook(keep(name or WHOLE, type(layer).__name__))
        for name, layer in module.named_modules()
    ]
    try:
        with torch.no_grad():
            module.eval()(torch.from_numpy(array))
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def record_mindspore(cell: nn.Cell, array: np.ndarray) -> dict[str, Recorded]:
    """Run a cell in pynative mode and keep the first output of each layer.

    Returns:
        PyTorch name -> output, of layers whose output is a tensor.
    """
    outputs: dict[str, Recorded] = {}

    def keep(name: str, kind: str) -> Callable:
        def hook(_cell: Any, _inputs: Any, output: Any) -> None:
            if isinstance(output, ms.Tensor):
                outputs.setdefault(name, Recorded(kind, output.asnumpy().copy()))

        return hook

    before = ms.get_context("mode")
    # Hooks run in pynative mode only.
    ms.set_context(mode=ms.PYNATIVE_MODE)
    handles = [
        layer.register_forward_hook(keep(layer_name(name), type(layer).__name__))
        for name, layer in cell.cells_and_names()
    ]
    try:
        result = cell.set_train(False)(ms.Tensor(array))
    finally:
        for handle in handles:
            handle.remove()
        ms.set_context(mode=before)
    if isinstance(result, ms.Tensor):
        outputs.setdefault(WHOLE, Recorded(type(cell).__name__, result.asnumpy()))
    return outputs


def layer_name(name: str) -> str:
    """PyTorch's name of our layer: that of a weight in it, without the weight."""
    return to_torch_name(f"{name}.weight").rpartition(".")[0] if name else WHOLE


def compare(module: Any, cell: nn.Cell, array: np.ndarray) -> list[LayerError]:
    """Compare all layers that both sides have, in the order in which PyTorch runs them.

    Args:
        module: PyTorch's, whose weights our side gets.
        cell: ours.
        array: the input of both.

    Raises:
        ValueError: the weights do not fit, or no layer has a name that both sides have.
    """
    weights = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    load_weights(cell, to_mindspore_weights(cell, weights), source="the weights of --torch")
    theirs, ours = record_torch(module, array), record_mindspore(cell, array)
    common = [name for name in theirs if name in ours]
    if not common:
        raise ValueError(
            f"No layer has the same name on both sides: PyTorch has {sorted(theirs)[:5]}, "
            f"ours {sorted(ours)[:5]}."
        )
    return [layer_error(name, theirs[name], ours[name].output) for name in common]


def layer_error(name: str, theirs: Recorded, ours: np.ndarray) -> LayerError:
    """Compare two outputs."""
    shapes = (theirs.output.shape, ours.shape)
    if shapes[0] != shapes[1]:
        return LayerError(name, theirs.kind, float("inf"), shapes)
    difference = np.abs(theirs.output.astype(np.float64) - ours).max(initial=0)
    largest = np.abs(theirs.output).max(initial=0)
    error = float(difference / max(largest, 1e-12))
    return LayerError(name, theirs.kind, error, shapes)


def first_difference(errors: Sequence[LayerError], tolerance: float) -> LayerError | None:
    """The first layer beyond the tolerance; NaN is beyond it."""
    return next((layer for layer in errors if not layer.error <= tolerance), None)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare, and print the layers up to the first that differs."""
    args = parse_args(argv)
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("compare_models.py needs PyTorch: pip install '.[compare]'")
    sys.path.insert(0, str(Path.cwd()))
    array = read_input(args)
    set_device_and_mode(load_config(args.config_file, args.opts))
    errors = compare(call(args.torch, "--torch"), build_ours(args), array)
    first = first_difference(errors, args.tolerance)
    for layer in errors:
        print(f"{layer.error:9.1e}  {layer.name} ({layer.kind})")
        if layer is first:
            break
    if first is None:
        print(f"All {len(errors)} layers agree within {args.tolerance:g}.")
        return 0
    theirs, ours = first.shapes
    detail = "" if theirs == ours else f": the shape is {ours} instead of {theirs}"
    print(f"The first layer that differs is {first.name}{detail}.")
    return 1


if __name__ == "__main__":
    sys.exit(run_command(main))
