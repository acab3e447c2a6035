"""Read weights files in the format of their content; write them in the format of their suffix."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from ..atomic_file import replacing
from .files import CheckpointContent, read_ckpt_weights, write_checkpoint
from .formats.ckpt_reader import plain_weights
from .formats.file_kinds import FileKind, kind_of
from .formats.number_formats import in_native_order
from .formats.pth_objects import Record
from .formats.pth_reader import read_pth
from .formats.pth_writer import write_pth
from .formats.safetensors_reader import read_safetensors
from .names import to_mindspore_names, to_torch_name
from .recognition.candidates import (
    Candidate,
    SearchResult,
    find_candidates,
    is_weight_name,
)
from .recognition.choice import SEPARATOR, choose

logger = logging.getLogger(__name__)

CHECKPOINT_SUFFIX = ".ckpt"
SAFETENSORS_SUFFIX = ".safetensors"
TORCH_SUFFIXES = (".pth", ".pth.tar", ".pt", ".pkl")
# MindSpore's names of a norm's statistics, which PyTorch does not use.
_STATISTICS = (".moving_mean", ".moving_variance")
SUFFIXES = (CHECKPOINT_SUFFIX, *TORCH_SUFFIXES, SAFETENSORS_SUFFIX)


def split_key_path(source: str | Path) -> tuple[Path, str]:
    """Split ``file.pth::model_ema`` into the path of the file and the key path in it.

    Args:
        source: the user's text. If a file of this whole name exists, it is not split.

    Returns:
        The file, and the keys that lead to the weights, joined by "/"; "" if there are none.

    Examples:
        >>> from fastreid.utils.checkpoint.weights_file import split_key_path
        >>> path, key = split_key_path("model.pth::model_ema")
        >>> path.name, key
        ('model.pth', 'model_ema')
    """
    path = Path(source)
    file, separator, key_path = str(source).rpartition(SEPARATOR)
    return (path, "") if path.exists() or not separator or not file else (Path(file), key_path)


def read_torch_weights(
    source: str | Path, expected: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, np.ndarray]:
    """Read a weights file of any supported format, without executing code of the file.

    The key path of the weights and the prefixes removed from their names are logged.

    Args:
        source: a checkpoint of this toolbox or of MindSpore, a PyTorch file, or safetensors, with
            any suffix. ``file::key`` selects the weights under a key of the file.
        expected: shapes that the model needs, by PyTorch name. They decide between several sets of
            weights in the file, see `choose`; None without a model.

    Returns:
        Read-only arrays by PyTorch name, without wrappers and prefixes.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged, has another format, has no weights, or has several sets of
            weights.
    """
    path, key_path = split_key_path(source)
    return choose_weights(read_candidates(path, expected), expected, path, key_path=key_path)


def choose_weights(
    candidates: Sequence[Candidate],
    expected: Mapping[str, tuple[int, ...]] | None,
    path: Path,
    *,
    key_path: str = "",
) -> dict[str, np.ndarray]:
    """Select weights with `choose`, and log the key path and the removed prefixes.

    Args:
        candidates: result of `read_candidates`.
        expected: as in `read_torch_weights`.
        path: the file, for messages.
        key_path: key path given by the user; "" if not given.

    Returns:
        Arrays by PyTorch name.

    Raises:
        ValueError: as in `choose`.
    """
    choice = choose(candidates, expected, path, wanted=key_path)
    unwrapped = choice.describe()
    if unwrapped:
        logger.info("Weights of %s: %s", path, unwrapped)
    return choice.weights


def read_candidates(
    path: str | Path, expected: Mapping[str, tuple[int, ...]] | None = None
) -> list[Candidate]:
    """Find all mappings of tensors in a weights file of any supported format.

    Args:
        path: the file.
        expected: as in `read_torch_weights`.

    Returns:
        The mappings, at least one.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file is damaged, has another format, or has no tensors.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind is FileKind.SAFETENSORS:
        return [_candidate_of_safetensors(path)]
    if kind is FileKind.CKPT:
        return [candidate_of_checkpoint(read_ckpt_weights(path))]
    content = read_pth(path)
    try:
        found = find_candidates(content)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as weights: {error}.") from error
    _refuse_networks(found, expected, path)
    if not found.candidates:
        raise ValueError(f"{path} holds no model weights: it {_describe(content)}.")
    return found.candidates


def candidate_of_checkpoint(content: CheckpointContent) -> Candidate:
    """Translate the weights of a checkpoint to PyTorch's names.

    Args:
        content: result of `read_ckpt_weights`.
    """
    weights = {to_torch_name(name): value for name, value in content.model.items()}
    return Candidate("", weights, {})


def _candidate_of_safetensors(path: Path) -> Candidate:
    """Read safetensors, and translate the names of files of mindspore.save_checkpoint."""
    content = read_safetensors(path)
    weights = content.weights
    if any(name.endswith(_STATISTICS) for name in weights):
        weights = {to_torch_name(name): value for name, value in plain_weights(weights).items()}
    unreadable = {name: what for name, what in content.unreadable.items() if is_weight_name(name)}
    return Candidate("", weights, unreadable)


def _refuse_networks(
    found: SearchResult, expected: Mapping[str, tuple[int, ...]] | None, path: Path
) -> None:
    """Raise an error if a file has a network saved as an object and no weights besides."""
    names = [name for candidate in found.candidates for name in candidate.weights]
    known = any(name.endswith(tuple(expected or ("weight",))) for name in names)
    if found.networks and not known:
        key_path, class_name = next(iter(found.networks.items()))
        where = f" at {key_path!r}" if key_path else ""
        raise ValueError(
            f"{path} holds a whole network{where} (torch.save(model)), an object of {class_name}. "
            "Reading it would execute code of that class. In the program that wrote it, save the "
            "weights alone: torch.save(model.state_dict(), 'weights.pth')."
        )


def _describe(content: Any) -> str:
    if isinstance(content, Record):
        return f"is an object of {content.name}, not a dict of tensors"
    if not isinstance(content, dict):
        return f"holds a {type(content).__name__}, not a dict of tensors"
    return f"has {sorted(str(key)[:80] for key in content)[:10]}"


def write_weights(path: str | Path, weights: Mapping[str, np.ndarray], *, key: str = "") -> None:
    """Write a weights file atomically.

    A ``.ckpt`` file gets MindSpore's names, the others get PyTorch's.

    Args:
        path: the file; its suffix decides the format.
        weights: arrays by PyTorch name.
        key: key of a dict in a PyTorch file that the weights are stored under, see `write_pth`.

    Raises:
        ValueError: the suffix is unknown, the format does not support the type of an array, or two
            names stand for the same tensor.

    Examples:
        >>> import numpy as np
        >>> from fastreid.utils.checkpoint.weights_file import read_torch_weights, write_weights
        >>> write_weights("model.pth", {"fc.weight": np.ones((2, 3), np.float32)})
        >>> {name: array.shape for name, array in read_torch_weights("model.pth").items()}
        {'fc.weight': (2, 3)}
    """
    path = Path(path)
    check_suffix(path)
    weights = {name: in_native_order(value) for name, value in weights.items()}
    if path.name.endswith(TORCH_SUFFIXES):
        write_pth(path, weights, key=key)
    elif path.name.endswith(SAFETENSORS_SUFFIX):
        with replacing(path) as temporary:
            save_file(weights, str(temporary))
    else:
        names = to_mindspore_names({name: value.shape for name, value in weights.items()})
        renamed = {names[name]: value for name, value in weights.items()}
        if len(renamed) != len(weights):
            raise ValueError(f"Some of these names mean the same tensor: {sorted(weights)}.")
        write_checkpoint(path, renamed, states={}, extra={})


def check_suffix(path: Path) -> None:
    """Raise an error if the suffix of a path is not that of a weights file."""
    if not path.name.endswith(SUFFIXES):
        raise ValueError(
            f"{path} is not a weights file: its name must end in one of {', '.join(SUFFIXES)}."
        )
