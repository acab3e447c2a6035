"""Files of weights. What is read is told by its content, what is written by its suffix."""

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
from .recognition.candidates import Candidate, Found, find_candidates
from .recognition.choice import SEPARATOR, choose

logger = logging.getLogger(__name__)

CHECKPOINT_SUFFIX = ".ckpt"
SAFETENSORS_SUFFIX = ".safetensors"
TORCH_SUFFIXES = (".pth", ".pth.tar", ".pt", ".pkl")
# How only MindSpore calls the statistics of a norm.
_STATISTICS = (".moving_mean", ".moving_variance")
SUFFIXES = (CHECKPOINT_SUFFIX, *TORCH_SUFFIXES, SAFETENSORS_SUFFIX)


def split_place(source: str | Path) -> tuple[Path, str]:
    """Split ``file.pth::model_ema`` into the file and the place of the weights in it.

    Args:
        source: of the user. A file that exists under the whole text is taken as it is.

    Returns:
        The file, and the keys that lead to the weights with "/" between, "" if none are named.
    """
    path = Path(source)
    file, separator, place = str(source).rpartition(SEPARATOR)
    return (path, "") if path.exists() or not separator or not file else (Path(file), place)


def read_torch_weights(
    source: str | Path, expected: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, np.ndarray]:
    """Read the weights of any file of weights; nothing in the file is executed.

    A line of the log says where in the file they were found and what was taken off their names.

    Args:
        source: a checkpoint of this toolbox or of MindSpore, a file of PyTorch, or safetensors,
            under any name; ``::`` and a place behind it name the weights in it that are meant.
        expected: PyTorch name -> shape of what a model needs, which decides between several sets of
            weights in the file, see `choose`; None: no model is known.

    Returns:
        PyTorch name -> array, without wrappers of the names. Arrays cannot be written to.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, of another kind, has no weights, or several sets of them.
    """
    path, place = split_place(source)
    return choose_weights(read_candidates(path, expected), expected, path, place=place)


def choose_weights(
    candidates: Sequence[Candidate],
    expected: Mapping[str, tuple[int, ...]] | None,
    path: Path,
    *,
    place: str = "",
) -> dict[str, np.ndarray]:
    """Choose as `choose` does, and log what was unwrapped.

    Args:
        candidates: of `read_candidates`.
        expected: as in `read_torch_weights`.
        path: of the file, for messages.
        place: that the user named; "": none.

    Returns:
        PyTorch name -> array.

    Raises:
        ValueError: as `choose`.
    """
    choice = choose(candidates, expected, path, wanted=place)
    unwrapped = choice.describe()
    if unwrapped:
        logger.info("Weights of %s: %s", path, unwrapped)
    return choice.weights


def read_candidates(
    path: str | Path, expected: Mapping[str, tuple[int, ...]] | None = None
) -> list[Candidate]:
    """Find all mappings of tensors in a file, whatever its kind.

    Args:
        path: of the file.
        expected: as in `read_torch_weights`.

    Returns:
        At least one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, of another kind, or has no tensors.
    """
    path = Path(path)
    kind = kind_of(path)
    if kind is FileKind.SAFETENSORS:
        return [_with_torch_names(read_safetensors(path))]
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
    """Give the weights of a checkpoint under PyTorch's names.

    Args:
        content: of `read_ckpt_weights`.
    """
    weights = {to_torch_name(name): value for name, value in content.model.items()}
    return Candidate("", weights, {})


def _with_torch_names(candidate: Candidate) -> Candidate:
    """Translate the names of safetensors that mindspore.save_checkpoint wrote."""
    if not any(name.endswith(_STATISTICS) for name in candidate.weights):
        return candidate
    weights = plain_weights(candidate.weights)
    return candidate._replace(weights={to_torch_name(k): v for k, v in weights.items()})


def _refuse_networks(
    found: Found, expected: Mapping[str, tuple[int, ...]] | None, path: Path
) -> None:
    """Refuse a file that has a whole network, and no weights beside it."""
    names = [name for candidate in found.candidates for name in candidate.weights]
    known = any(name.endswith(tuple(expected or ("weight",))) for name in names)
    if found.networks and not known:
        place, class_name = next(iter(found.networks.items()))
        where = f" at {place!r}" if place else ""
        raise ValueError(
            f"{path} holds a whole network{where} (torch.save(model)), an object of {class_name}. "
            "Reading it would run code of that class. In the program that made it, save the "
            "weights alone: torch.save(model.state_dict(), 'weights.pth')."
        )


def _describe(content: Any) -> str:
    if isinstance(content, Record):
        return f"is an object of {content.name}, not a dict of tensors"
    if not isinstance(content, dict):
        return f"holds a {type(content).__name__}, not a dict of tensors"
    return f"has {sorted(str(key)[:80] for key in content)[:10]}"


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
    """Refuse a file that is none of weights by its name."""
    if not path.name.endswith(SUFFIXES):
        raise ValueError(
            f"{path} is no file of weights: its name must end in one of {', '.join(SUFFIXES)}."
        )
