"""Files of weights: PyTorch's, safetensors and this toolbox's own, each told by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from .atomic import replacing
from .checkpoint_file import read_checkpoint, write_checkpoint
from .pth_reader import read_pth, state_dict_of
from .pth_writer import write_pth
from .torch_weights import plain_names, to_mindspore_names, to_torch_name

CHECKPOINT_SUFFIX = ".ckpt"
SAFETENSORS_SUFFIX = ".safetensors"
TORCH_SUFFIXES = (".pth", ".pth.tar", ".pt", ".pkl")
SUFFIXES = (CHECKPOINT_SUFFIX, *TORCH_SUFFIXES, SAFETENSORS_SUFFIX)


def is_weights_file(path: str | Path) -> bool:
    """Tell by its name whether a file is one of weights alone, with PyTorch's names."""
    return str(path).endswith((*TORCH_SUFFIXES, SAFETENSORS_SUFFIX))


def read_torch_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Read the weights of any file of weights; nothing in the file is executed.

    Args:
        path: a ``.ckpt`` of this toolbox, a file of PyTorch, alone or nested under "model" or
            "state_dict", or ``.safetensors``.

    Returns:
        PyTorch name -> array, without the prefix of PyTorch's data-parallel wrapper.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, of another kind, or holds more than weights where it must not.
    """
    path = Path(path)
    check_suffix(path)
    if path.name.endswith(TORCH_SUFFIXES):
        weights = state_dict_of(read_pth(path), path)
    elif path.name.endswith(SAFETENSORS_SUFFIX):
        weights = _read_safetensors(path)
    else:
        weights = {
            to_torch_name(name): value for name, value in read_checkpoint(path).model.items()
        }
    try:
        return plain_names(weights)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_weights(path: str | Path, weights: Mapping[str, np.ndarray], *, key: str = "") -> None:
    """Write weights; the file appears under its name only when it is complete.

    A ``.ckpt`` gets MindSpore's names, the others PyTorch's.

    Args:
        path: decides the format by its end.
        weights: PyTorch name -> array.
        key: of a PyTorch file, see `write_pth`.

    Raises:
        ValueError: for an unknown format, a type that it does not have, or names that are not one
            to one.
    """
    path = Path(path)
    check_suffix(path)
    if path.name.endswith(TORCH_SUFFIXES):
        write_pth(path, weights, key=key)
    elif path.name.endswith(SAFETENSORS_SUFFIX):
        with replacing(path) as temporary:
            save_file({k: np.asarray(v, order="C") for k, v in weights.items()}, str(temporary))
    else:
        names = to_mindspore_names({name: value.shape for name, value in weights.items()})
        renamed = {names[name]: value for name, value in weights.items()}
        if len(renamed) != len(weights):
            raise ValueError(f"Some of these names mean the same tensor: {sorted(weights)}.")
        write_checkpoint(path, renamed, states={}, extra={})


def check_suffix(path: Path) -> None:
    """Refuse a file that is none of weights by its name."""
    if not path.name.endswith(SUFFIXES):
        raise ValueError(
            f"{path} is no file of weights: its name must end in one of {', '.join(SUFFIXES)}."
        )


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"The weights file {path} does not exist; check the path.")
    try:
        return load_file(str(path))
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} cannot be read as safetensors: {error}. Copy it again, or save its tensors in "
            "a type that NumPy has, such as float32."
        ) from error
